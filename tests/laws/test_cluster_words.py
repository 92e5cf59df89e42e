"""CLUSTER with any words: an answer or a refusal, and a refusal changes nothing; nodes.conf with any damage is refused
or holds together."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shardkv.cluster import nodesconf
from shardkv.cluster.effects import Answer
from shardkv.cluster.events import Ordered
from shardkv.cluster.machine import ClusterMachine
from shardkv.cluster.nodes import SLAVE, Node
from shardkv.cluster.settings import Settings
from shardkv.cluster.view import ClusterView
from shardkv.commands.spec import TABLE
from shardkv.errors import ReplyError
from tests.support.engine_client import EngineClient

A, B, C = "a" * 40, "b" * 40, "c" * 40
_OTHERS = {"cluster|syncslots", "cluster|migrateslots"}  # the node's own affair (tests/wire/test_slot_moves.py)
SUBCOMMANDS = sorted(name.partition("|")[2] for name in TABLE if name.startswith("cluster|") and name not in _OTHERS)
WORDS = (
    *("0", "1", "10", "16383", "16384", "-1", "99999999999999999999", "1.5", "", " 1", "x", "\x00", "ü", "a" * 41),
    *(A, B, C, A.upper(), "d" * 40, "MIGRATING", "IMPORTING", "NODE", "STABLE", "FORCE", "TAKEOVER", "HARD", "SOFT"),
    *("127.0.0.1", "::1", "300.1.1.1", "localhost", "7001", "70000", "SLOTSRANGE", "ORDERBY", "key-count", "LIMIT"),
)


class Port:
    """A machine where a node has its cluster: what is sent and written goes nowhere."""

    hesitates = False
    lasting = True

    def __init__(self) -> None:
        view = ClusterView.alone(Node(A, "127.0.0.1", 7000, 17000))
        known = [
            Node(B, "127.0.0.1", 7001, 17001, slots=0xFFC00),
            Node(C, "127.0.0.1", 7002, 17002, flags=SLAVE, primary=B),
        ]
        self.machine = ClusterMachine(view.with_nodes(known).assign(A, 0x3FF), Settings(), Random(1), 100.0)

    def order(self, order: Any) -> Any:
        """The machine's answer."""
        effects = self.machine.handle(Ordered(order, 1), 101.0)
        return next(effect.reply for effect in effects if isinstance(effect, Answer))

    def links(self) -> list[Any]:
        """None are open."""
        return []

    def links_exceeded(self) -> int:
        """None were."""
        return 0

    def slot_migrations(self) -> list[Any]:
        """None go on."""
        return []

    def cancel_slot_migrations(self) -> bool:
        """There is nothing to cancel."""
        return False

    def lease_over(self) -> None:
        """It lasts."""

    def when_lasting(self, told: Any) -> None:
        """At once."""
        told()


def a_node() -> tuple[EngineClient, Port]:
    """An engine with the slots 0 to 9 of a cluster of three."""
    client, port = EngineClient(), Port()
    client.engine.cluster = port  # type: ignore[assignment]  # as much of one as the words need
    return client, port


@given(st.lists(st.tuples(st.sampled_from(SUBCOMMANDS), st.lists(st.sampled_from(WORDS), max_size=5)), max_size=12))
def test_a_refused_word_of_cluster_changes_nothing(requests: list[tuple[str, list[str]]]) -> None:
    client, port = a_node()
    for subcommand, words in requests:
        before = port.machine.view
        refusal = _refusal(client, subcommand, words)
        assert "\n" not in refusal
        assert not refusal or not port.machine.view.differs_durably(before), (subcommand, words, refusal)
        port.machine.view.check()


def _refusal(client: EngineClient, subcommand: str, rest: list[str]) -> str:
    try:
        client("CLUSTER", subcommand, *rest)
    except ReplyError as refusal:
        return refusal.text
    return ""


def _text() -> str:
    view = ClusterView.alone(Node(A, "127.0.0.1", 7000, 17000, hostname="a.example"))
    view = view.with_nodes([Node(B, "127.0.0.1", 7001, 17001), Node(C, "::1", 7002, 17002, flags=SLAVE, primary=B)])
    return nodesconf.dump(view.assign(A, 0x3FF).assign(B, 0xFFC00))


@given(
    st.integers(0, len(_text()) - 1),
    st.integers(0, 4),
    st.text(alphabet=st.sampled_from("0123456789abcdef:@,-[]<> \nmasterslvfi?"), max_size=4),
)
def test_a_damaged_table_is_refused_or_holds_together(at: int, gone: int, put: str) -> None:
    text = _text()
    view, fault = _read(text[:at] + put + text[at + gone :])
    assert "\n" not in fault
    if view is not None:
        view.check()


def _read(text: str) -> tuple[ClusterView | None, str]:
    try:
        return nodesconf.load(text), ""
    except nodesconf.NodesConfFault as fault:
        return None, str(fault)
