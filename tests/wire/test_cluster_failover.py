"""Failover of real processes under the load of redis-py's cluster client (``tests.faults`` has the stories)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from random import Random

import pytest
from redis.exceptions import RedisError

from tests.faults.load import Load, connect
from tests.faults.stories import (
    cut_the_power,
    kill_a_primary,
    lose_a_stale_pair,
    order_a_failover,
    restart_empty,
    restart_one_by_one,
    stop_a_primary,
    tell,
)
from tests.faults.world import NODE_TIMEOUT_MS, TAGS, World
from tests.support.processes import Node, wait_for

pytestmark = pytest.mark.wire

#: Writes to the shard resume within this time (seconds); a busy machine gets a second more.
RESUMED = 4.0 + 1.0


def test_writes_go_on_soon_after_a_primary_was_killed_and_none_is_lost() -> None:
    with World(Node) as world:
        load, began, ended = tell(world, kill_a_primary)
        assert load.lost() == dict.fromkeys(load.lost(), 0)
        assert load.shards[0].longest_pause(began, ended) < RESUMED
        # And by order of the operator nothing is lost either, in next to no time.
        load, began, ended = tell(world, order_a_failover)
        assert sum(load.lost().values()) == 0
        assert load.shards[0].longest_pause(began, ended) < NODE_TIMEOUT_MS / 1000
        # Nor when a primary is back at once and has nothing any more: its replica has it all.
        load, began, ended = tell(world, restart_empty)
        assert sum(load.lost().values()) == 0


@pytest.mark.long
def test_writes_go_on_soon_after_a_primary_was_stopped() -> None:
    with World(Node) as world:
        load, began, ended = tell(world, stop_a_primary)
        assert load.shards[0].longest_pause(began, ended) < RESUMED
        done = sum(len(shard.acknowledged) for shard in load.shards)
        assert sum(load.lost().values()) <= done / 1000


@pytest.mark.long
def test_a_stale_replica_does_not_cost_what_its_primary_has_on_disk() -> None:
    with World(Node, appendfsync="always") as world:
        load, _, _ = tell(world, lose_a_stale_pair)
        assert sum(load.lost().values()) == 0


@pytest.mark.long
def test_after_a_power_cut_nothing_is_missing_and_the_topology_stands() -> None:
    with World(Node, appendfsync="always") as world:
        before = [world.shard_of(tag) for tag in TAGS]
        load, began, ended = tell(world, cut_the_power)
        assert sum(load.lost().values()) == 0
        # A replica is shown as soon as it has told how far it is.
        wait_for(lambda: [world.shard_of(tag) for tag in TAGS] == before, 20)
        # Six processes start one after the other, and a primary that has just started listens for a while.
        assert load.shards[0].longest_pause(began, ended) < NODE_TIMEOUT_MS / 1000 + 10


@pytest.mark.long
def test_a_rolling_restart_loses_nothing_and_no_read_fails_that_is_tried_again() -> None:
    with World(Node) as world:
        with Load(world.addresses, TAGS) as load, reading(world, load) as reads:
            wait_for(lambda: len(reads) > 100)
            restart_one_by_one(world, load)
            wait_for(world.settled, 90, "the cluster is whole again")
        assert sum(load.lost().values()) == 0


@contextmanager
def reading(world: World, load: Load) -> Iterator[list[float]]:
    """A client reads at random what was acknowledged; the seconds that each read took. None may fail for longer than
    its client's patience, and none may give another value."""
    done = threading.Event()
    took: list[float] = []
    wrong: list[tuple[str, object]] = []
    dice = Random(1)

    def read() -> None:
        client = connect(world.addresses)
        while not done.is_set():
            shard = dice.choice(load.shards)
            if shard.acknowledged:
                number = dice.choice(shard.acknowledged)[0]
                began = time.monotonic()
                value = patiently(partial(client.get, shard.key(number)))
                took.append(time.monotonic() - began)
                if value != str(number).encode():
                    wrong.append((shard.key(number), value))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield took
    finally:
        done.set()
        thread.join(30)
    assert not wrong, wrong[:5]


def patiently(read: Callable[[], object]) -> object:
    """Try again for some seconds; what was read, or the last error."""
    until = time.monotonic() + RESUMED
    while True:
        try:
            return read()
        except (RedisError, OSError) as error:
            if time.monotonic() >= until:
                return error
