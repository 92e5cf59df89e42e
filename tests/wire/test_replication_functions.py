"""Libraries of functions travel with a full synchronisation: through a file or without one, from redis-server, too."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.oracle import SETTINGS, Redis
from tests.support.processes import Node, Server, wait_for
from tests.support.replication import link_to, replication
from tests.support.wire import Client

pytestmark = pytest.mark.wire

_LIBRARY = (
    "#!lua name={name}\nredis.register_function('{name}_f', function(keys, args) return '{name} ' .. args[1] end)"
)
_READONLY = "READONLY You can't write against a read only replica."


def load(client: Client, name: str) -> None:
    """A library with one function, ``<name>_f``."""
    assert client("FUNCTION", "LOAD", _LIBRARY.format(name=name)) == name.encode()


@pytest.mark.parametrize(
    ("kinds", "diskless", "loads"),
    [
        ((Node, Node), "yes", "disabled"),
        ((Node, Node), "no", "swapdb"),
        ((Node, Node), "yes", "on-empty-db"),
        ((Redis, Node), "no", "disabled"),
        ((Redis, Node), "yes", "swapdb"),
        ((Node, Redis), "no", "disabled"),
        ((Node, Redis), "yes", "on-empty-db"),
    ],
)
def test_a_full_synchronisation_brings_the_functions(
    kinds: tuple[type[Server], type[Server]], diskless: str, loads: str
) -> None:
    first, second = kinds
    primary = first(**SETTINGS, repl_diskless_sync=diskless, repl_diskless_sync_delay=0)
    replica = second(**SETTINGS, repl_diskless_load=loads)
    with primary, replica, primary.client() as writer, replica.client() as client:
        load(writer, "one")
        load(writer, "two")
        load(client, "old")  # it goes with the old data
        link_to(primary, client)
        assert replication(writer, "stats")["sync_full"] == "1"
        listed = client.must("FUNCTION", "LIST", "WITHCODE")
        assert sorted(map(repr, listed)) == sorted(map(repr, writer.must("FUNCTION", "LIST", "WITHCODE")))
        assert len(listed) == 2
        assert client("FCALL_RO", "two_f", 0, "here").text == _READONLY  # it has no flag no-writes
        load(writer, "three")  # and the stream brings those that come later
        wait_for(lambda: len(client.must("FUNCTION", "LIST")) == 3)
        client.must("REPLICAOF", "NO", "ONE")
        for name in ("one", "two", "three"):
            assert client("FCALL", f"{name}_f", 0, "here") == f"{name} here".encode()


@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_redis_cli_fetches_the_functions_alone(tmp_path: Path, diskless: str) -> None:
    target = tmp_path / "dump.rdb"
    with Node(**SETTINGS, repl_diskless_sync=diskless, repl_diskless_sync_delay=0) as node, node.client() as client:
        load(client, "one")
        client.must("SET", "key", "value")
        words = ["redis-cli", "-p", str(node.port), "--functions-rdb", str(target)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    with Redis(**SETTINGS, dir=str(tmp_path)) as redis, redis.client() as client:
        assert client("FCALL", "one_f", 0, "there") == b"one there"
        assert client("DBSIZE") == 0
