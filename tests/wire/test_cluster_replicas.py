"""Replicas in the cluster: real copies, which serve reads and take over with all that they have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.processes import Node, wait_for
from tests.support.replication import digests_agree, link_is_up, replication
from tests.support.wire import Client
from tests.support.wire_replies import Refusal
from tests.wire.test_cluster import Start, addresses, admin, id_of, state_of

pytestmark = pytest.mark.wire

NODE_TIMEOUT_MS = 2000


def _primary_and_replica(nodes: list[Node], slot: int) -> tuple[Node, Node]:
    """Who owns a slot, and its replica, by CLUSTER SLOTS."""
    with nodes[0].client() as client:
        reply: Any = client("CLUSTER", "SLOTS")
    ports = {node.port: node for node in nodes}
    for start, end, primary, *replicas in reply:
        if start <= slot <= end and replicas:
            return ports[primary[1]], ports[replicas[0][1]]
    raise AssertionError(f"nobody has slot {slot}, or it has no replica")


def _all_replicas_are_linked(nodes: list[Node]) -> bool:
    clients = [node.client() for node in nodes]
    try:
        replicas = [client for client in clients if replication(client)["role"] == "slave"]
        return len(replicas) == 3 and all(map(link_is_up, replicas))
    finally:
        for client in clients:
            client.close()


def test_a_replica_serves_reads_and_takes_over_with_everything(cluster_nodes: Start) -> None:
    """100 acknowledged writes; the primary is killed; the replica has every one of them, and its old primary comes back
    as its replica."""
    nodes = cluster_nodes(
        6, cluster_node_timeout=NODE_TIMEOUT_MS, repl_diskless_sync_delay=0, enable_debug_command="yes"
    )
    admin("create-cluster", *addresses(nodes), "--yes", "--replicas", 1)
    wait_for(lambda: _all_replicas_are_linked(nodes), 30)
    wait_for(lambda: all(state_of(node) == "ok" for node in nodes), 20)
    wait_for(lambda: _primary_and_replica(nodes, 12182), 20)
    primary, replica = _primary_and_replica(nodes, 12182)  # the slot of foo
    with primary.client() as one, replica.client() as two:
        for number in range(100):
            assert one("SET", f"{{foo}}{number}", number) == "OK"
        assert one("WAIT", 1, 5000) == 1
        assert digests_agree(one, two)
        _check_reads(two, primary)
    primary.kill()
    wait_for(lambda: _promoted(replica), 20)
    with replica.client() as two:
        wait_for(lambda: two("GET", "{foo}99") == b"99", 10)
        assert two("MGET", *(f"{{foo}}{number}" for number in range(100))) == [b"%d" % n for n in range(100)]
        assert two("SET", "{foo}new", "value") == "OK"
        primary.start()
        with primary.client() as one:
            wait_for(lambda: replication(one)["role"] == "slave" and link_is_up(one), 20)
            wait_for(lambda: digests_agree(two, one), 10)
    assert id_of(primary) != id_of(replica)


def _check_reads(client: Client, primary: Node) -> None:
    """What a replica answers, with and without READONLY."""
    moved = client("GET", "{foo}1")
    assert isinstance(moved, Refusal)
    assert moved.text == f"MOVED 12182 127.0.0.1:{primary.port}"
    assert client("READONLY") == "OK"
    assert client("GET", "{foo}1") == b"1"
    assert client("SET", "{foo}1", 2) == moved
    assert isinstance(client("GET", "bar"), Refusal)
    # A script says itself which of both it is.
    assert client("EVAL", "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])", 1, "{foo}1") == b"1"
    assert client("EVAL", "#!lua\nreturn redis.call('SET', KEYS[1], 2)", 1, "{foo}1") == moved


def _promoted(node: Node) -> bool:
    with node.client() as client:
        return replication(client)["role"] == "master" and state_of(node) == "ok"


def test_a_replica_that_comes_back_from_its_snapshot_goes_on_from_there(cluster_nodes: Start) -> None:
    primary, replica = cluster_nodes(2, cluster_node_timeout=5000, save="3600 1000000", repl_diskless_sync_delay=0)
    with primary.client() as one, replica.client() as two:
        one.must("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        two.must("CLUSTER", "MEET", primary.host, primary.port)
        wait_for(lambda: two("CLUSTER", "REPLICATE", id_of(primary)) == "OK", 10)
        wait_for(lambda: link_is_up(two) and one("SET", "foo", 1) == "OK", 20)
        assert one("WAIT", 1, 5000) == 1
        two.must("SAVE")
    replica.kill()
    with primary.client() as one:
        one.must("SET", "foo", 2)
    replica.start()
    with primary.client() as one, replica.client() as two:
        two.must("READONLY")
        wait_for(lambda: two("GET", "foo") == b"2", 20)
        stats = replication(one, "stats")
        assert (stats["sync_full"], stats["sync_partial_ok"]) == ("1", "1")
