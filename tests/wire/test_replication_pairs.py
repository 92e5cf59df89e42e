"""Two real servers, one the replica of the other: shardkv with shardkv, and with redis-server in both directions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.oracle import SETTINGS, Redis, redis_is_here
from tests.support.processes import Node, Server, wait_for
from tests.support.replication import digests_agree, fill, link_is_up, link_to, replication

pytestmark = pytest.mark.wire

PAIRS = [(Node, Node), (Redis, Node), (Node, Redis)]
OPTIONS = {**SETTINGS, "repl_diskless_sync_delay": 0}


def _name(kind: type[Server]) -> str:
    return "shardkv" if kind is Node else "redis"


@pytest.fixture(params=PAIRS, ids=lambda pair: f"{_name(pair[0])}-to-{_name(pair[1])}")
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Server, Server]]:
    """A primary and a replica-to-be, both empty."""
    if Redis in request.param and not redis_is_here():
        pytest.fail("redis-server is not installed")
    with ExitStack() as stack:
        primary, replica = (stack.enter_context(kind(**OPTIONS)) for kind in request.param)
        yield primary, replica


def test_a_replica_has_everything_after_a_full_synchronisation_under_load(pair: tuple[Server, Server]) -> None:
    primary, replica = pair
    with primary.client() as one, replica.client() as two:
        fill(one, 0)
        two.must("REPLICAOF", primary.host, primary.port)
        fill(one, 1)
        wait_for(lambda: link_is_up(two), 20)
        fill(one, 2)
        wait_for(lambda: digests_agree(one, two), 10)
        assert one("WAIT", 1, 5000) == 1
        ours, theirs = replication(one), replication(two)
        assert ours["master_replid"] == theirs["master_replid"]
        assert ours["master_repl_offset"] == theirs["slave_repl_offset"] == theirs["master_repl_offset"]
        assert ours["slave0"].startswith(f"ip=127.0.0.1,port={replica.port},state=online,")
        assert (ours["role"], theirs["role"], theirs["master_link_status"]) == ("master", "slave", "up")


def test_a_broken_link_is_taken_up_where_it_broke(pair: tuple[Server, Server]) -> None:
    primary, replica = pair
    with primary.client() as one, replica.client() as two:
        fill(one, 0)
        link_to(primary, two)
        fill(one, 1)
        one.must("CLIENT", "KILL", "TYPE", "replica")
        fill(one, 2)
        wait_for(lambda: link_is_up(two) and digests_agree(one, two), 10)
        stats = replication(one, "stats")
        assert (stats["sync_full"], stats["sync_partial_ok"]) == ("1", "1")


def test_a_promoted_replica_is_followed_by_its_old_primary_without_a_full_synchronisation(
    pair: tuple[Server, Server],
) -> None:
    primary, replica = pair
    with primary.client() as one, replica.client() as two:
        fill(one, 0)
        link_to(primary, two)
        fill(one, 1)
        wait_for(lambda: digests_agree(one, two), 10)
        one.must("WAIT", 1, 5000)
        old = replication(two)
        two.must("REPLICAOF", "NO", "ONE")
        one.must("REPLICAOF", replica.host, replica.port)
        fill(two, 2)
        wait_for(lambda: link_is_up(one) and digests_agree(one, two), 10)
        new = replication(two)
        assert new["master_replid2"] == old["master_replid"] != new["master_replid"]
        stats = replication(two, "stats")
        assert (stats["sync_full"], stats["sync_partial_ok"]) == ("0", "1")


def test_a_replica_applies_nothing_during_a_pause_and_all_of_it_afterwards(pair: tuple[Server, Server]) -> None:
    primary, replica = pair
    with primary.client() as one, replica.client() as two:
        fill(one, 0)
        link_to(primary, two)
        wait_for(lambda: digests_agree(one, two), 10)
        for mode, milliseconds in (("WRITE", 100_000), ("WRITE", 300)):
            assert one("WAIT", 1, 5000) == 1
            two.must("CLIENT", "PAUSE", milliseconds, mode)
            one.must("SET", "during", f"the pause of {milliseconds}")
            one.must("MULTI")
            one.must("INCR", "a")
            one.must("INCR", "b")
            one.must("EXEC")
            if milliseconds == 100_000:
                wait_for(lambda: replication(two)["slave_read_repl_offset"] == replication(one)["master_repl_offset"])
                assert int(replication(two)["slave_repl_offset"]) < int(replication(one)["master_repl_offset"])
                assert two("GET", "during") is None
                two.must("CLIENT", "UNPAUSE")
            wait_for(lambda: digests_agree(one, two), 10)
            assert one("WAIT", 1, 5000) == 1


@pytest.mark.parametrize("diskless", ["yes", "no"])
@pytest.mark.parametrize("load", ["disabled", "swapdb", "on-empty-db"])
def test_a_snapshot_comes_with_and_without_a_file_on_either_side(diskless: str, load: str) -> None:
    options = {**OPTIONS, "repl_diskless_sync": diskless, "repl_diskless_load": load}
    with Node(**options) as primary, Node(**options) as replica, primary.client() as one, replica.client() as two:
        fill(one, 0)
        two.must("SET", "left", "over")
        link_to(primary, two)
        fill(one, 1)
        wait_for(lambda: digests_agree(one, two), 10)
        assert two("EXISTS", "left") == 0


@pytest.mark.parametrize("middle", [Node, Redis], ids=_name)
def test_a_chain_of_replicas_has_one_history(middle: type[Server]) -> None:
    with ExitStack() as stack:
        ends = Redis if middle is Node else Node
        first, second, third = (stack.enter_context(kind(**OPTIONS)) for kind in (ends, middle, ends))
        one, two, three = (stack.enter_context(server.client()) for server in (first, second, third))
        fill(one, 0)
        one.must("SELECT", 5)
        one.must("SET", "in", "five")
        link_to(first, two)
        link_to(second, three)
        one.must("SET", "still in", "five")
        one.must("SELECT", 0)
        fill(one, 1)
        wait_for(lambda: digests_agree(one, two) and digests_agree(one, three), 10)
        wait_for(
            lambda: len({replication(client)["master_repl_offset"] for client in (one, two, three)}) == 1,
            10,
        )
        assert len({replication(client)["master_replid"] for client in (one, two, three)}) == 1
        # The one in the middle goes, and the last of the chain goes on with the first.
        second.stop()
        three.must("REPLICAOF", first.host, first.port)
        fill(one, 2)
        wait_for(lambda: link_is_up(three) and digests_agree(one, three), 10)
        assert replication(one, "stats")["sync_full"] == "1"
