"""Failover of real processes under the load of redis-py's cluster client (``tests.faults`` has the stories)."""

from __future__ import annotations

import pytest

from tests.faults.stories import (
    kill_a_primary,
    lose_a_stale_pair,
    order_a_failover,
    restart_empty,
    restart_one_by_one,
    stop_a_primary,
    tell,
)
from tests.faults.world import NODE_TIMEOUT_MS, World
from tests.support.processes import Node

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
def test_a_rolling_restart_loses_nothing() -> None:
    with World(Node) as world:
        load, _, _ = tell(world, restart_one_by_one)
        assert sum(load.lost().values()) == 0
