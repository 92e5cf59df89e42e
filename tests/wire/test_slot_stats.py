"""Traffic by slot where Valkey counts some bytes twice or not at all: transactions, scripts, requests that wait."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.processes import wait_for
from tests.support.wire import Client
from tests.wire.test_cluster import Start, state_of

pytestmark = pytest.mark.wire

SLOT = 3300


def traffic(client: Client) -> tuple[int, int]:
    """Bytes in and out of the slot since the last look."""
    reply: Any = client.must("CLUSTER", "SLOT-STATS", "SLOTSRANGE", SLOT, SLOT)
    flat = reply[0][1]
    told = dict(zip(flat[::2], flat[1::2], strict=True))
    client.must("CONFIG", "RESETSTAT")
    return told[b"network-bytes-in"], told[b"network-bytes-out"]


def test_each_byte_of_a_request_and_its_reply_counts_once(cluster_nodes: Start) -> None:
    (node,) = cluster_nodes(1, cluster_slot_stats_enabled="yes")
    with node.client() as client, node.client() as other:
        client.must("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        wait_for(lambda: state_of(node) == "ok")
        client.must("SET", "x{b}", "1")
        assert traffic(client) == (30, 5)
        for words in (("MULTI",), ("SET", "x{b}", "1"), ("GET", "x{b}"), ("EXEC",)):
            client.must(*words)
        assert traffic(client) == (15 + 30 + 23 + 14, 4 + 5 + 7)
        client.must("EVAL", "return redis.call('GET',KEYS[1])", 1, "x{b}")
        assert traffic(client) == (70, 7)
        other.send("BLPOP", "l{b}", 0)
        wait_for(lambda: b"blocked_clients:1" in client.must("INFO", "clients"))
        assert traffic(client) == (32, 0)
        client.must("RPUSH", "l{b}", "v")
        assert other.read() == [b"l{b}", b"v"]
        assert traffic(client) == (32, 4 + 21)
        client.must("CONFIG", "SET", "cluster-slot-stats-enabled", "no")
        reply: Any = client.must("CLUSTER", "SLOT-STATS", "SLOTSRANGE", SLOT, SLOT)
        assert reply == [[SLOT, [b"key-count", 1]]]
