"""A node whose memory is limited: it keeps the limit by itself, and its replicas and its log have the same keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.oracle import SETTINGS, Redis
from tests.support.processes import Node, Server, wait_for
from tests.support.replication import digests_agree, link_to, replication
from tests.support.wire import Client

pytestmark = pytest.mark.wire

VALUE = "x" * 300
LIMIT = 6 * 2**20
LIMITED = {**SETTINGS, "maxmemory": LIMIT, "maxmemory_policy": "allkeys-lru", "repl_diskless_sync_delay": 0}


def write(client: Client, count: int, name: str = "key") -> None:
    """Strings, and a few of each other type among them."""
    for number in range(count):
        client.must("SET", f"{name}:{number}", VALUE)
        if number % 20 == 0:
            client.must("RPUSH", f"list:{name}:{number}", VALUE, "b")
            client.must("HSET", f"hash:{name}:{number}", "field", VALUE)
            client.must("ZADD", f"zset:{name}:{number}", 1, VALUE)
            client.must("SETEX", f"brief:{name}:{number}", 1000, VALUE)


def stats(client: Client) -> dict[str, str]:
    return replication(client, "stats") | replication(client, "memory")


@pytest.mark.parametrize("kind", [Node, Redis], ids=["shardkv", "redis"])
def test_a_replica_gives_up_what_its_primary_gives_up(kind: type[Server]) -> None:
    with Node(**LIMITED) as primary, kind(**LIMITED) as replica, primary.client() as one, replica.client() as two:
        link_to(primary, two)
        write(one, 12_000)
        assert int(stats(one)["evicted_keys"]) > 1000
        wait_for(lambda: digests_agree(one, two), 20)
        assert stats(two)["evicted_keys"] == "0"


def test_the_log_makes_the_same_keys_again(tmp_path: Path) -> None:
    options = {**LIMITED, "appendonly": "yes", "dir": str(tmp_path)}
    with Node(**options) as node, node.client() as client:
        write(client, 12_000)
        assert int(stats(client)["evicted_keys"]) > 1000
        digest = client.must("DEBUG", "DIGEST")
    with Node(**(options | {"maxmemory": 0})) as node, node.client() as client:
        assert client.must("DEBUG", "DIGEST") == digest


def test_a_lower_limit_is_kept_without_a_request() -> None:
    with Node(**SETTINGS) as node, node.client() as client:
        write(client, 5000)
        before = client.must("DBSIZE")
        client.must("CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", 2 * 2**20)
        wait_for(lambda: client.must("DBSIZE") < before and int(stats(client)["used_memory"]) <= 2 * 2**20, 10)
        assert client.must("DBSIZE") > 0


def test_full_memory_is_told_and_ends_when_keys_are_deleted() -> None:
    with Node(**(LIMITED | {"maxmemory_policy": "noeviction"})) as node, node.client() as client:
        refusals = 0
        for number in range(20_000):
            reply = client("SET", f"key:{number}", VALUE)
            refusals += reply != "OK"
            if refusals == 10:
                break
        assert refusals == 10
        assert stats(client)["evicted_keys"] == "0"
        client.must("FLUSHALL")
        wait_for(lambda: client("SET", "key", VALUE) == "OK", 10)
