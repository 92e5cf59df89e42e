"""Replication under simulation: the link breaks at every point of handshake, transfer and stream."""

from __future__ import annotations

from itertools import count, pairwise

import pytest

from shardkv.replication.primary import Snapshot
from shardkv.replication.replica import State
from tests.support.replication_sim import SimNode, SimWorld, digest


def _pair(**options: str) -> tuple[SimWorld, SimNode, SimNode]:
    """A primary with data, and a replica that was just told to follow it."""
    world = SimWorld()
    primary, replica = world.node(**options), world.node(**options)
    primary("SET", "before", "the snapshot")
    primary("SELECT", 3)
    primary("RPUSH", "elsewhere", "a", "b")
    primary("SELECT", 0)
    replica("SET", "own", "data")
    replica("REPLICAOF", primary.name, 1)
    return world, primary, replica


def _write(primary: SimNode, number: int) -> None:
    """A few writes of which some belong together."""
    primary("SET", f"key{number}", number)
    primary("MULTI")
    primary("INCR", "one")
    primary("INCR", "two")
    primary("EXEC")
    primary("SELECT", number % 2 * 3)
    primary("SADD", "set", number)
    primary("SELECT", 0)


def _never_half_a_transaction(replica: SimNode) -> None:
    values = replica.other()
    assert values("GET", "one") == values("GET", "two")


@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_a_link_that_breaks_anywhere_comes_back_to_equal_data(diskless: str) -> None:
    """The connection is cut after every 19th byte in turn, from the first PING on to well into the stream."""
    for cut in count(0, 19):
        world, primary, replica = _pair(**{"repl-diskless-sync": diskless})
        world.wait(0.1)
        for number in range(4):
            while world.delivered < cut and world.deliver(min(7, cut - world.delivered)):
                pass
            _write(primary, number)
        while world.delivered < cut and world.deliver(min(7, cut - world.delivered)):
            _never_half_a_transaction(replica)
        whole = world.delivered < cut
        world.cut()
        _never_half_a_transaction(replica)
        _write(primary, 9)
        world.settle()
        assert digest(primary) == digest(replica), cut
        _never_half_a_transaction(replica)
        if whole:
            assert cut > 1000
            return


def test_after_a_break_in_the_stream_only_what_is_missing_comes() -> None:
    world, primary, replica = _pair()
    world.settle()
    for number in range(30):
        _write(primary, number)
        world.deliver(50)
        world.cut()
        world.settle()
    assert digest(primary) == digest(replica)
    assert primary.replication.syncs.full == 1
    assert primary.replication.syncs.partial == 30


def test_a_primary_that_is_killed_as_a_client_is_dialled_again() -> None:
    world, primary, replica = _pair()
    world.settle()
    replica("CLIENT", "KILL", "TYPE", "master")
    _write(primary, 1)
    world.settle()
    assert digest(primary) == digest(replica)
    assert (primary.replication.syncs.full, primary.replication.syncs.partial) == (1, 1)


def test_a_backlog_that_is_too_small_makes_the_synchronisation_full() -> None:
    world, primary, replica = _pair(**{"repl-backlog-size": "100"})
    world.settle()
    world.cut()
    for number in range(20):
        _write(primary, number)
    world.settle()
    assert digest(primary) == digest(replica)
    # The first request was refused as well: a node that was a primary offers to go on with its own history.
    assert (primary.replication.syncs.full, primary.replication.syncs.refused) == (2, 2)


def test_several_replicas_share_one_snapshot() -> None:
    world = SimWorld()
    primary = world.node(**{"repl-diskless-sync-delay": "5"})
    replicas = [world.node() for _ in range(4)]
    primary("SET", "k", "v")
    made: list[Snapshot] = []
    make = primary.snapshot

    def counted(order: Snapshot) -> None:
        made.append(order)
        make(order)

    primary.snapshot = counted  # type: ignore[method-assign]  # counts, then does the same
    for replica in replicas:
        replica("REPLICAOF", primary.name, 1)
        world.wait(1)
        while world.deliver():
            pass
    world.settle()
    assert [len(order.replicas) for order in made] == [4]
    assert len({digest(node) for node in (primary, *replicas)}) == 1


def test_the_wait_for_more_replicas_ends_when_enough_are_there() -> None:
    world = SimWorld()
    primary = world.node(**{"repl-diskless-sync-delay": "500", "repl-diskless-sync-max-replicas": "2"})
    replicas = [world.node() for _ in range(2)]
    for replica in replicas:
        replica("REPLICAOF", primary.name, 1)
    world.settle(10)


def test_a_chain_passes_on_what_it_received() -> None:
    world = SimWorld()
    nodes = [world.node() for _ in range(4)]
    nodes[0]("SELECT", 5)
    for before, node in pairwise(nodes):
        node("REPLICAOF", before.name, 1)
        nodes[0]("SET", node.name, "in five")
        world.settle()
    for number in range(10):
        _write(nodes[0], number)
        nodes[0]("SELECT", 5)
        world.deliver(100)
    world.settle()
    assert len({(digest(node), node.offset, node.replication.history.id) for node in nodes}) == 1
    # All streams end with the same bytes.
    ends = {node.replication.history.since(node.replication.history.id, node.offset - 100) for node in nodes}
    assert len(ends) == 1


def test_replicas_of_a_node_that_tries_another_primary_stay_until_it_has_other_data() -> None:
    world = SimWorld()
    first, middle, last, other = (world.node() for _ in range(4))
    first("SET", "k", 1)
    other("SET", "k", "other")
    middle("REPLICAOF", first.name, 1)
    world.settle()
    last("REPLICAOF", middle.name, 1)
    world.settle()
    middle("REPLICAOF", "nowhere", 1)
    world.wait(3.0)
    middle("REPLICAOF", first.name, 1)
    world.settle()
    first("INCR", "k")
    world.settle()
    assert last.other()("GET", "k") == "2"
    assert (first.replication.syncs.full, first.replication.syncs.partial) == (1, 1)
    assert (middle.replication.syncs.full, middle.replication.syncs.partial) == (1, 0)
    middle("REPLICAOF", other.name, 1)
    world.settle()
    assert last.other()("GET", "k") == "other"
    assert digest(other) == digest(last)


def test_a_promoted_replica_takes_its_siblings_along() -> None:
    """The first of three goes; the second is promoted; the third, further or not as far, goes on with it."""
    world = SimWorld()
    first, second, third = (world.node() for _ in range(3))
    for node in (second, third):
        node("REPLICAOF", first.name, 1)
    world.settle()
    for number in range(5):
        _write(first, number)
    world.settle()
    old = first.replication.history.id
    world.nodes.remove(first)
    world.cut()
    second("REPLICAOF", "NO", "ONE")
    _write(second, 6)
    third("REPLICAOF", second.name, 1)
    world.settle()
    assert digest(second) == digest(third)
    assert (second.replication.syncs.full, second.replication.syncs.partial) == (0, 1)
    assert second.replication.history.id2 == old
    assert third.replication.history.id2 == old
    # The old primary was written to meanwhile, so it has something that nobody else has: it begins anew.
    first("SET", "lost", "write")
    world.nodes.append(first)
    first("REPLICAOF", second.name, 1)
    world.settle()
    assert digest(first) == digest(second)
    assert second.replication.syncs.full == 1


def test_failover_hands_over_without_losing_a_write() -> None:
    world, primary, replica = _pair()
    world.settle()
    replica_port = primary.replication.primary.replicas[next(iter(primary.replication.primary.replicas))]
    replica_port.announced_address = replica.name
    for number in range(5):
        _write(primary, number)
    assert primary("FAILOVER") == "OK"
    waiting = primary.other()
    waiting.send("SET", "held", "back")
    assert "master_failover_state:waiting-for-sync" in primary("INFO", "replication")
    world.settle()
    assert (primary("ROLE")[0], replica("ROLE")[0]) == ("slave", "master")
    assert primary.replication.failover.state == "no-failover"
    assert waiting.taken() == b"-READONLY You can't write against a read only replica.\r\n"
    assert digest(primary) == digest(replica)
    assert replica.replication.syncs.full == 0


def test_a_silent_primary_is_given_up_and_dialled_again() -> None:
    world, primary, replica = _pair(**{"repl-timeout": "5"})
    primary("CONFIG", "SET", "repl-timeout", 60)
    world.settle()
    link = replica.replication.link
    assert link is not None
    world.silent = True
    for _ in range(60):
        world.wait(0.1)
    assert link.state is not State.CONNECTED
    assert "MASTER timeout: no data nor PING received..." in replica.log
    world.silent = False
    world.settle()
    assert digest(primary) == digest(replica)


def test_a_replica_that_says_nothing_is_dropped() -> None:
    world, primary, replica = _pair(**{"repl-timeout": "5"})
    replica("CONFIG", "SET", "repl-timeout", 60)
    replica.replication.options_changed(frozenset())
    world.settle()
    world.silent = True
    for _ in range(60):
        world.wait(0.1)
    assert len(primary.replication.primary) == 0
    assert not replica.replication.linked


def test_a_refused_link_is_tried_again_less_and_less_often() -> None:
    world = SimWorld()
    node = world.node()
    node("REPLICAOF", "nowhere", 1)
    tries = 0
    dial = world.dial

    def counted(replica: SimNode) -> object:
        nonlocal tries
        tries += 1
        return dial(replica)

    world.dial = counted  # type: ignore[method-assign, assignment]  # as above
    for _ in range(600):
        world.wait(0.1)
    assert 8 <= tries <= 12  # after 0, 1, 3, 7, 15, 23, 31, 39, 47, 55 seconds
    assert node.log == ["nobody is there"]


def test_what_fails_on_a_replica_alone_is_told_of_and_counted() -> None:
    """Whatever kind of error it is, and also inside of a transaction: the data differ from then on."""
    world, primary, replica = _pair(**{"replica-read-only": "no"})
    world.settle()
    replica("SET", "number", "none")
    replica("RPUSH", "string", "list")
    primary("INCR", "number")
    primary("MULTI")
    primary("SET", "fine", 1)
    primary("APPEND", "string", "x")
    primary("EXEC")
    primary("DEBUG", "REPLICATE", "no-such-command", "x")
    world.settle()
    told = [str(line) for kind, line in replica.world.asked if kind == "log" and "== CRITICAL ==" in str(line)]
    assert ["'INCR'" in told[0], "'EXEC'" in told[1], "'no-such-command'" in told[2]] == [True] * 3
    assert "unexpected_error_replies:3" in replica("INFO", "stats")
    assert replica.other()("GET", "fine") == "1"
