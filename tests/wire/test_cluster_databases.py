"""A cluster with numbered databases: replicas, both ways of moving a slot, and restarts keep the keys of each."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.processes import Node, wait_for
from tests.wire.test_cluster import Start, id_of
from tests.wire.test_slot_moves import OPTIONS, make

pytestmark = pytest.mark.wire

SLOT, TAG = 3300, "b"


def put(node: Node, databases: int) -> None:
    """The same key in each database, with the database's number as its value."""
    with node.client() as client:
        for number in range(databases):
            client.must("SELECT", number)
            client.must("SET", f"key{{{TAG}}}", number)


def read(node: Node, databases: int) -> list[Any]:
    """The key's value by database."""
    with node.client() as client:
        client.must("READONLY")
        values = []
        for number in range(databases):
            client.must("SELECT", number)
            values.append(client("GET", f"key{{{TAG}}}"))
        return values


def test_slots_move_with_the_keys_of_all_databases(cluster_nodes: Start) -> None:
    nodes = cluster_nodes(6, **OPTIONS, cluster_databases=3, appendonly="yes", appendfsync="always")
    make(nodes, "--replicas", 1)
    owner, target = nodes[0], nodes[1]
    with owner.client() as client:
        wait_for(lambda: client("WAIT", 1, 0) == 1, 20, "a replica of the owner")
    put(owner, 3)
    expected = [b"0", b"1", b"2"]
    replicas = nodes[3:]
    wait_for(lambda: [read(node, 3) for node in replicas].count(expected) == 1, 20, "the owner's replica has all")

    with owner.client() as client:
        client.must("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", SLOT, SLOT, "NODE", id_of(target))
    wait_for(lambda: read(target, 3) == expected, 20, "the slot has moved as a whole")

    with target.client() as client, owner.client() as other:
        order = ("CLUSTER", "SETSLOT", SLOT, "IMPORTING", id_of(target))
        wait_for(lambda: other(*order) == "OK", 20, "the owner knows that it is none any more")
        client.must("CLUSTER", "SETSLOT", SLOT, "MIGRATING", id_of(owner))
        for number in range(3):
            client.must("SELECT", number)
            assert client.must("CLUSTER", "COUNTKEYSINSLOT", SLOT) == 1
            assert client("MIGRATE", owner.host, owner.port, f"key{{{TAG}}}", number, 5000) == "OK"
            assert client.must("CLUSTER", "COUNTKEYSINSLOT", SLOT) == 0
        other.must("CLUSTER", "SETSLOT", SLOT, "NODE", id_of(owner))
        client.must("CLUSTER", "SETSLOT", SLOT, "NODE", id_of(owner))
    assert read(owner, 3) == expected

    owner.kill()
    owner.start()
    wait_for(lambda: read(owner, 3) == expected or expected in [read(node, 3) for node in replicas], 30)
