"""Serve, MOVED, ASK, TRYAGAIN, CROSSSLOT or CLUSTERDOWN: every case of getNodeByQuery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from shardkv.cluster.nodes import ALL_SLOTS, SLAVE, Node, bitmap_of_range
from shardkv.cluster.routing import Asker, exported_slots, imported_slots, readable_bitmap, route, served_bitmap
from shardkv.cluster.settings import Endpoint, Settings
from shardkv.cluster.view import ClusterView
from tests.support.engine_client import EngineClient, refused

A, B = "a" * 40, "b" * 40
MINE, THEIRS, NOBODYS, LEAVING, COMING = 1, 10, 99, 2, 11
CROSSSLOT = "CROSSSLOT Keys in request don't hash to the same slot"
TRYAGAIN = "TRYAGAIN Multiple keys request during rehashing of slot"


def a_view() -> ClusterView:
    """Mine: 0-9. B's: 10-19. 2 migrates to B, 11 is imported from B."""
    view = ClusterView.alone(Node(A, "1.1.1.1", 7000, 17000)).with_nodes(
        [Node(B, "2.2.2.2", 7001, 17001, tls_port=7101, hostname="b.example")]
    )
    view = view.assign(A, bitmap_of_range(0, 9)).assign(B, bitmap_of_range(10, 19))
    return replace(view, state="ok", migrating={LEAVING: B}, importing={COMING: B})


def decide(
    slots: Sequence[int],
    asker: Asker = Asker(),
    *,
    view: ClusterView | None = None,
    absent: Sequence[bytes] = (),
    **settings: object,
) -> str:
    """The decision as a word or an error's text; the keys are k0, k1 ..."""
    keys = [f"k{index}".encode() for index in range(len(slots))]
    options = replace(Settings(), **settings)  # type: ignore[arg-type]  # any of the fields
    error = route(view or a_view(), options, slots, keys, asker, lambda key: key in absent)
    return "serve" if error is None else error.text


def test_without_keys_everything_is_served() -> None:
    assert decide([], view=replace(a_view(), state="fail")) == "serve"


@pytest.mark.parametrize(
    ("slots", "decision"),
    [
        ([MINE], "serve"),
        ([MINE, MINE], "serve"),
        ([THEIRS], "MOVED 10 2.2.2.2:7001"),
        ([NOBODYS], "CLUSTERDOWN Hash slot not served"),
        ([NOBODYS, MINE], "CLUSTERDOWN Hash slot not served"),
        ([MINE, NOBODYS], CROSSSLOT),
        ([MINE, THEIRS], CROSSSLOT),
    ],
)
def test_the_first_key_decides_and_the_others_must_share_its_slot(slots: list[int], decision: str) -> None:
    assert decide(slots) == decision


def test_what_is_imported_is_served_to_who_asks() -> None:
    """Whatever the view, slot by slot: the table says what the rules say of a single key that is not there."""
    view = a_view()
    open_ = dict.fromkeys((MINE, THEIRS, NOBODYS, LEAVING, COMING), B)
    views = [
        view,
        replace(view, importing=open_),
        replace(view, importing=open_, state="fail"),
        replace(view, importing=open_).follow(A, B),
        replace(view.follow(A, B), importing=open_),
    ]
    for seen in views:
        found = imported_slots(seen)
        for slot in (MINE, THEIRS, NOBODYS, LEAVING, COMING):
            decision = decide([slot], Asker(write=True, asking=True), view=seen, absent=[b"k0"])
            assert (decision == "serve") == (slot in found or bool(served_bitmap(seen)[slot])), (slot, decision)
    assert imported_slots(view) == {COMING}
    assert imported_slots(views[1]) == {MINE, THEIRS, COMING}


def test_what_is_exported_is_served_to_migrate() -> None:
    """Two keys that are not there: any other command would be sent away."""
    view = a_view()
    for seen in (view, replace(view, state="fail"), view.follow(A, B), replace(view.follow(A, B), migrating={12: B})):
        for slot in range(20):
            decision = decide([slot, slot], Asker(write=True, migrate=True), view=seen, absent=[b"k0", b"k1"])
            assert decision == "serve" or slot not in exported_slots(seen), (slot, decision)
    assert exported_slots(view) == {LEAVING}
    assert decide([LEAVING, LEAVING], absent=[b"k0", b"k1"]) == f"ASK {LEAVING} 2.2.2.2:7001"


def test_while_the_cluster_is_down_only_what_is_allowed_is_served() -> None:
    down = replace(a_view(), state="fail")
    refused = "CLUSTERDOWN The cluster is down"
    assert decide([MINE], view=down) == refused
    assert decide([MINE, THEIRS], view=down) == CROSSSLOT
    assert decide([MINE], view=down, allow_reads_when_down=True) == "serve"
    assert decide([MINE], Asker(write=True), view=down, allow_reads_when_down=True) == (
        "CLUSTERDOWN The cluster is down and only accepts read commands"
    )
    channels = Asker(shard_channels=True)
    assert decide([MINE], channels, view=down) == "serve"
    assert decide([MINE], channels, view=down, allow_pubsubshard_when_down=False) == refused


def test_a_slot_that_migrates_away_serves_what_is_still_here() -> None:
    assert decide([LEAVING]) == "serve"
    assert decide([LEAVING], absent=[b"k0"]) == "ASK 2 2.2.2.2:7001"
    assert decide([LEAVING] * 2, absent=[b"k0", b"k1"]) == "ASK 2 2.2.2.2:7001"
    assert decide([LEAVING] * 2, absent=[b"k1"]) == TRYAGAIN
    assert decide([LEAVING], Asker(migrate=True), absent=[b"k0"]) == "serve"
    assert decide([LEAVING], Asker(shard_channels=True), absent=[b"k0"]) == "serve"


def test_a_slot_that_is_imported_serves_those_who_ask() -> None:
    assert decide([COMING]) == "MOVED 11 2.2.2.2:7001"
    assert decide([COMING], Asker(asking=True), absent=[b"k0"]) == "serve"
    assert decide([COMING] * 2, Asker(asking=True)) == "serve"
    assert decide([COMING] * 2, Asker(asking=True), absent=[b"k1"]) == TRYAGAIN
    assert decide([COMING], Asker(migrate=True)) == "serve"
    assert decide([THEIRS], Asker(asking=True)) == "MOVED 10 2.2.2.2:7001"


def test_a_replica_serves_reads_of_its_primary_to_the_willing() -> None:
    replica = a_view().unassign(bitmap_of_range(0, 9)).follow(A, B)
    replica = replace(replica, state="ok")
    assert decide([THEIRS], view=replica) == "MOVED 10 2.2.2.2:7001"
    assert decide([THEIRS], Asker(readonly=True), view=replica) == "serve"
    assert decide([THEIRS], Asker(readonly=True, write=True), view=replica) == "MOVED 10 2.2.2.2:7001"
    assert decide([THEIRS], Asker(shard_channels=True), view=replica) == "serve"
    assert decide([THEIRS], Asker(readonly=True)) == "MOVED 10 2.2.2.2:7001"


def test_redirects_name_the_endpoint_that_is_preferred() -> None:
    assert decide([THEIRS], preferred_endpoint=Endpoint.HOSTNAME) == "MOVED 10 b.example:7001"
    assert decide([THEIRS], preferred_endpoint=Endpoint.UNKNOWN) == "MOVED 10 :7001"
    assert decide([THEIRS], Asker(tls=True)) == "MOVED 10 2.2.2.2:7101"
    nameless = a_view().amend(B, hostname="")
    assert decide([THEIRS], view=nameless, preferred_endpoint=Endpoint.HOSTNAME) == "MOVED 10 ?:7001"


def test_the_table_of_the_hot_path_never_serves_what_route_would_not() -> None:
    view = a_view()
    table = served_bitmap(view)
    assert len(table) == 16384
    assert [slot for slot in range(16384) if table[slot]] == [0, 1, 3, 4, 5, 6, 7, 8, 9]
    assert all(decide([slot]) == "serve" for slot in range(16384) if table[slot])
    assert not any(served_bitmap(replace(view, state="fail")))


def test_the_table_of_a_replica_never_shows_what_route_would_not() -> None:
    replica = replace(a_view().unassign(bitmap_of_range(0, 9)).follow(A, B), state="ok")
    table = readable_bitmap(replica)
    readable = [slot for slot in range(16384) if table[slot]]
    assert readable == list(range(10, 20))
    assert all(decide([slot], Asker(readonly=True), view=replica) == "serve" for slot in readable)
    assert not any(readable_bitmap(replace(replica, state="fail")))
    assert not any(readable_bitmap(a_view()))


@dataclass
class Port:
    """As much of a cluster as routing asks."""

    view: ClusterView
    machine: Any

    def lease_over(self) -> None:
        """There is none."""


def test_a_slot_that_is_taken_over_is_the_old_owners_until_that_is_on_disk() -> None:
    """A replica that is becoming a primary is read-only until then: a client may not be told so."""
    told = replace(ClusterView.alone(Node(A, "1.1.1.1", 7000, 17000, flags=SLAVE, primary=B)), state="ok")
    told = told.with_nodes([Node(B, "2.2.2.2", 7001, 17001)]).assign(B, ALL_SLOTS)
    decided = told.amend(A, flags=0, primary=None).assign(A, ALL_SLOTS)
    kv = EngineClient()
    port = Port(told, SimpleNamespace(view=decided, settings=Settings()))
    kv.engine.cluster = port  # type: ignore[assignment]  # see above
    kv.engine.following = True
    kv.engine.leaving.route(served_bitmap(told))
    kv.engine.refresh_calm()
    with refused("MOVED 15495 2.2.2.2:7001"):
        kv("SET", "a", "b")
