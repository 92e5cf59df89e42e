"""CLUSTER commands at one node: what they change, and the exact words with which they are refused."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from shardkv.cluster.effects import Answer, Connect, Follow, Persist, Route, Send
from shardkv.cluster.events import LinkUp, Ordered, Received, Tick
from shardkv.cluster.machine import ClusterMachine
from shardkv.cluster.messages import AuthAck, AuthRequest, Header
from shardkv.cluster.nodes import MASTER, SLAVE, Node, pack_bitmap, slots_of
from shardkv.cluster.orders import (
    AddSlots,
    BumpEpoch,
    DelSlots,
    Failover,
    FlushSlots,
    ForgetNode,
    MeetNode,
    Order,
    Replicate,
    ResetNode,
    SaveConfig,
    SetConfigEpoch,
    SetSlotImporting,
    SetSlotMigrating,
    SetSlotNode,
    SetSlotStable,
    range_words,
    slot_words,
)
from shardkv.cluster.settings import Settings
from shardkv.cluster.view import ClusterView
from shardkv.errors import ReplyError

A, B, C = "a" * 40, "b" * 40, "c" * 40


def a_machine(*others: Node) -> ClusterMachine:
    """A machine that owns slots 0 to 9; B, a primary with 10 to 19, and C, its replica, are known to it."""
    view = ClusterView.alone(Node(A, "127.0.0.1", 7000, 17000))
    known = [
        Node(B, "127.0.0.1", 7001, 17001, slots=0xFFC00),
        Node(C, "127.0.0.1", 7002, 17002, flags=SLAVE, primary=B),
    ]
    view = view.with_nodes(known).assign(A, 0x3FF)
    return ClusterMachine(view, Settings(), Random(1), 100.0)


def answer(machine: ClusterMachine, order: Order) -> Any:
    """The reply as text."""
    replies = [effect.reply for effect in machine.handle(Ordered(order, 7), 101.0) if isinstance(effect, Answer)]
    assert len(replies) == 1
    return replies[0].text if isinstance(replies[0], ReplyError) else str(replies[0])


@pytest.mark.parametrize(
    ("order", "text"),
    [
        (AddSlots(((20, 20), (5, 5))), "ERR Slot 5 is already busy"),
        (AddSlots(((20, 20), (20, 20))), "ERR Slot 20 specified multiple times"),
        (DelSlots(((30, 30),)), "ERR Slot 30 is already unassigned"),
        (DelSlots(((3, 3), (2, 4))), "ERR Slot 3 specified multiple times"),
        (FlushSlots(empty=False), "ERR DB must be empty to perform CLUSTER FLUSHSLOTS."),
        (MeetNode("300.1.1.1", 5, 10005), "ERR Invalid node address specified: 300.1.1.1:5"),
        (MeetNode("127.0.0.1", 60000, 70000), "ERR Invalid node address specified: 127.0.0.1:60000"),
        (ForgetNode("x"), "ERR Unknown node x"),
        (ForgetNode(A), "ERR I tried hard but I can't forget myself..."),
        (Replicate("x", empty=True), "ERR Unknown node x"),
        (Replicate(A, empty=True), "ERR Can't replicate myself"),
        (Replicate(C, empty=True), "ERR I can only replicate a master, not a replica."),
        (Replicate(B, empty=True), "ERR To set a master the node must be empty and without assigned slots."),
        (ResetNode(hard=False, empty=False), "ERR CLUSTER RESET can't be called with master nodes containing keys"),
        (SetConfigEpoch(-1), "ERR Invalid config epoch specified: -1"),
        (SetConfigEpoch(5), "ERR The user can assign a config epoch only when the node does not know any other node."),
        (SetSlotMigrating(10, B), "ERR I'm not the owner of hash slot 10"),
        (SetSlotMigrating(1, "x"), "ERR I don't know about node x"),
        (SetSlotMigrating(1, C), "ERR Target node is not a master"),
        (SetSlotImporting(1, B), "ERR I'm already the owner of hash slot 1"),
        (SetSlotImporting(10, "x"), "ERR I don't know about node x"),
        (SetSlotNode(1, "x", 0), "ERR Unknown node x"),
        (SetSlotNode(1, C, 0), "ERR Target node is not a master"),
        (
            SetSlotNode(1, B, 3),
            "ERR Can't assign hashslot 1 to a different node while I still hold keys for this hash slot.",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_in_redis_words_and_changes_nothing(order: Order, text: str) -> None:
    machine = a_machine()
    machine.handle(Ordered(SaveConfig(), 1), 101.0)
    before = machine.view
    assert answer(machine, order) == text
    assert machine.view is before


def test_what_is_done_is_on_disk_before_it_is_answered() -> None:
    machine = a_machine()
    machine.handle(Ordered(SaveConfig(), 1), 101.0)
    effects = machine.handle(Ordered(AddSlots(((20, 29),)), 2), 101.0)
    assert [type(effect) for effect in effects] == [Persist, Route, Answer]
    assert slots_of(machine.view.me.slots) == (*range(10), *range(20, 30))


def test_a_replica_is_told_to_use_setslot_with_primaries() -> None:
    machine = a_machine()
    answer(machine, FlushSlots(empty=True))
    effects = machine.handle(Ordered(Replicate(B, empty=True), 2), 101.0)
    assert Follow(B) in effects
    assert answer(machine, SetSlotStable(1)) == "ERR Please use SETSLOT only with masters."
    assert answer(machine, ForgetNode(B)) == "ERR Can't forget my master!"
    assert answer(machine, ResetNode(hard=False, empty=False)) == "OK"
    assert (machine.view.me.is_primary, list(machine.view.nodes)) == (True, [A])


def test_epochs_set_and_bumped() -> None:
    machine = ClusterMachine(ClusterView.alone(Node(A, "", 7000, 17000)), Settings(), Random(1), 100.0)
    assert answer(machine, SetConfigEpoch(5)) == "OK"
    assert answer(machine, SetConfigEpoch(6)) == "ERR Node config epoch is already non-zero"
    assert answer(machine, BumpEpoch()) == "STILL 5"
    assert machine.view.current_epoch == 5
    assert answer(a_machine(), BumpEpoch()) == "BUMPED 1"


def test_slots_open_and_close() -> None:
    machine = a_machine()
    assert answer(machine, SetSlotMigrating(1, B)) == "OK"
    assert answer(machine, SetSlotImporting(10, B)) == "OK"
    assert (dict(machine.view.migrating), dict(machine.view.importing)) == ({1: B}, {10: B})
    assert answer(machine, SetSlotNode(10, A, 0)) == "OK"
    assert (machine.view.owners[10], machine.view.me.config_epoch, dict(machine.view.importing)) == (A, 1, {})
    assert answer(machine, SetSlotStable(1)) == "OK"
    assert not machine.view.migrating


def test_words_that_are_no_slots() -> None:
    for words in ((b"16384",), (b"-1",), (b"x",), (b"",), (b"01",), (b"9" * 30,)):
        with pytest.raises(ReplyError, match=r"^ERR Invalid or out of range slot$"):
            slot_words(words)
    with pytest.raises(ReplyError, match=r"^ERR wrong number of arguments for 'cluster\|addslotsrange' command$"):
        range_words((b"1",), "addslotsrange")
    with pytest.raises(ReplyError, match=r"^ERR start slot number 5 is greater than end slot number 3$"):
        range_words((b"5", b"3"), "addslotsrange")
    assert range_words((b"1", b"3", b"7", b"7"), "addslotsrange") == ((1, 3), (7, 7))


def test_a_failure_report_count_needs_a_known_node() -> None:
    assert a_machine().failure_reports(B) == 0
    with pytest.raises(ReplyError, match="ERR Unknown node x"):
        a_machine().failure_reports("x")


@pytest.mark.parametrize(("delay", "wins"), [(0.1, True), (20.0, False)])
def test_votes_that_come_to_a_replica_that_was_held_up_are_void(delay: float, wins: bool) -> None:
    """Whatever they were given for, the primary may have been writing again for a long time."""
    heads = [Node(name * 40, "127.0.0.1", 7000, 17000, slots=1 << n) for n, name in enumerate("bde")]
    view = ClusterView.alone(Node(A, "127.0.0.1", 7000, 17000, flags=SLAVE, primary=B)).with_nodes(heads)
    machine = ClusterMachine(view, Settings(), Random(1), 100.0)
    for effect in machine.handle(Tick(), 100.0):
        if isinstance(effect, Connect):
            machine.handle(LinkUp(effect.link), 100.0)
    effects = machine.handle(Ordered(Failover(force=True), 1), 101.0)
    asked = [effect for effect in effects if isinstance(effect, Send) and isinstance(effect.message, AuthRequest)]
    assert len(asked) == 3
    epoch = machine.view.current_epoch
    for n, question in enumerate(asked):
        voter = heads[n]
        header = Header(
            *(voter.id, epoch, 0, pack_bitmap(voter.slots), None, 0, "", 7000, 0, 17000, MASTER, 0, True, "", "", "")
        )
        machine.handle(Received(question.link, AuthAck(header), "127.0.0.1", "127.0.0.1"), 101.0 + delay)
    assert machine.view.me.is_primary == wins
