"""Replication inside TLS, between nodes and with a real redis-server at either end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.oracle import Redis
from tests.support.ports import free_port
from tests.support.processes import Node, Server, wait_for

pytestmark = pytest.mark.wire

KINDS: dict[str, type[Server]] = {"node": Node, "redis": Redis}


def copied(primary: Server, replica: Server) -> bool:
    """Whether both have the same keys and values."""
    with primary.client() as one, replica.client() as two:
        digest = one.must("DEBUG", "DIGEST")
        return bool(digest == two("DEBUG", "DIGEST")) and digest != b"0" * 40


@pytest.mark.parametrize(
    ("above", "below", "diskless"), [("node", "node", "yes"), ("node", "redis", "no"), ("redis", "node", "yes")]
)
def test_a_replica_copies_its_primary_by_tls(tmp_path: Path, above: str, below: str, diskless: str) -> None:
    authority = Authority(tmp_path)
    port = free_port()
    settings = {"save": "", "appendonly": "no", "enable_debug_command": "yes", "tls_replication": "yes"}
    settings |= {"repl_diskless_sync": diskless, "repl_diskless_sync_delay": "0"}
    with KINDS[above](tls_port=port, **authority.options("above"), **settings) as primary:
        with primary.client() as client:
            for number in range(100):
                client.must("SET", f"key{number}", b"x" * 10_000)
        with KINDS[below](tls_port=free_port(), **authority.options("below"), **settings) as replica:
            with replica.client() as client:
                client.must("REPLICAOF", "127.0.0.1", port)
                wait_for(lambda: b"master_link_status:up" in client.raw("INFO", "replication"), 60.0)
            wait_for(lambda: copied(primary, replica), 30.0)
            with primary.client() as client:
                client.must("RPUSH", "later", "a", "b")
                assert client("WAIT", 1, 20_000) == 1
            assert copied(primary, replica)


def test_a_primary_that_nobody_vouches_for_is_not_followed(tmp_path: Path, start_node: Callable[..., Node]) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "theirs").mkdir()
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    port = free_port()
    start_node(tls_port=port, **theirs.options())
    replica = start_node(tls_port=free_port(), tls_replication="yes", **ours.options())
    with replica.client() as client:
        client.must("REPLICAOF", "127.0.0.1", port)
        wait_for(lambda: "TLS: CERTIFICATE_VERIFY_FAILED" in replica.log(), 30.0)
        assert b"master_link_status:down" in client.raw("INFO", "replication")
        client.must("REPLICAOF", "NO", "ONE")


def test_a_replica_follows_a_primary_that_asks_for_a_password(start_node: Callable[..., Node]) -> None:
    primary = start_node(requirepass="secret")
    replica = start_node(requirepass="other", masterauth="secret", replicaof=("127.0.0.1", primary.port))
    with primary.client() as one, replica.client() as two:
        one.must("AUTH", "secret")
        two.must("AUTH", "other")
        one.must("SET", "before", "1")
        wait_for(lambda: two("GET", "before") == b"1", 60.0)
        one.must("ACL", "SETUSER", "default", "resetkeys")
        one.must("ACL", "SETUSER", "ada", "on", "nopass", "+@all", "~*")
        two.must("ACL", "SETUSER", "default", "resetkeys", "~mine")
        one.must("AUTH", "ada", "x")
        one.must("SET", "after", "2")
        two.must("ACL", "SETUSER", "default", "allkeys")
        wait_for(lambda: two("GET", "after") == b"2", 20.0)
