"""Slots of which a node finds keys on its disk."""

from __future__ import annotations

from dataclasses import replace

from shardkv.cluster.found import claims_of
from shardkv.cluster.nodes import MASTER, SLAVE, Node
from shardkv.cluster.orders import AddSlots, SetSlotImporting
from shardkv.cluster.view import ClusterView

ME, OTHER = "a" * 40, "b" * 40


def a_view() -> ClusterView:
    """This node has slot 1, the other slot 2, and slot 3 is being imported from it."""
    view = ClusterView.alone(Node(ME, ip="", port=1, bus_port=2, flags=MASTER, shard_id="c" * 40))
    view = view.with_nodes([Node(OTHER, ip="", port=3, bus_port=4, flags=MASTER, shard_id="d" * 40)])
    view = view.assign(ME, 1 << 1).assign(OTHER, 1 << 2 | 1 << 3)
    return replace(view, importing={3: OTHER})


def test_slots_of_nobody_become_its_own_and_those_of_others_are_imported() -> None:
    orders, said = claims_of(a_view(), [7, 1, 2, 3, 5])
    assert orders == [AddSlots(((5, 5), (7, 7))), SetSlotImporting(2, OTHER)]
    assert said == [
        "I have keys for slot 2, but the slot is assigned to another node. Setting it to importing state.",
        "I have keys for unassigned slot 5. Taking responsibility for it.",
        "I have keys for unassigned slot 7. Taking responsibility for it.",
    ]
    assert claims_of(a_view(), [1, 3]) == ([], [])


def test_strays_are_no_claim() -> None:
    assert claims_of(replace(a_view(), strays=1 << 5 | 1 << 2), [2, 5]) == ([], [])


def test_a_replica_claims_nothing() -> None:
    view = a_view()
    assert claims_of(view.amend(ME, primary=OTHER, flags=SLAVE), [5, 2]) == ([], [])
