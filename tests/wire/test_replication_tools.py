"""The tools of the field on our replication: ``redis-cli --rdb``, ``--functions-rdb`` and ``--replica``."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.oracle import SETTINGS
from tests.support.processes import Node, wait_for
from tests.support.replication import fill, replication
from tests.support.wire import Client

pytestmark = pytest.mark.wire


def _redis_cli(node: Node, *words: str) -> str:
    done = subprocess.run(
        ["redis-cli", "-p", str(node.port), *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def sum_of_keys(client: Client) -> int:
    """How many keys all databases have."""
    lines = replication(client, "keyspace")
    return sum(int(line.split(",")[0].removeprefix("keys=")) for line in lines.values())


@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_redis_cli_fetches_a_snapshot_and_follows(tmp_path: Path, diskless: str) -> None:
    with Node(**SETTINGS, repl_diskless_sync=diskless, repl_diskless_sync_delay=0) as node, node.client() as client:
        fill(client, 0)
        target = tmp_path / "all.rdb"
        assert "success" in _redis_cli(node, "--rdb", str(target))
        check = subprocess.run(["redis-check-rdb", str(target)], capture_output=True, text=True, check=False)
        assert "RDB looks OK!" in check.stdout
        assert f"{sum_of_keys(client)} keys read" in check.stdout
        assert "success" in _redis_cli(node, "--functions-rdb", str(tmp_path / "functions.rdb"))
        assert (tmp_path / "functions.rdb").stat().st_size < 400
        with (tmp_path / "out").open("wb") as out:
            tail = subprocess.Popen(["redis-cli", "-p", str(node.port), "--replica"], stdout=out, stderr=out)
            try:
                wait_for(lambda: "state=online" in replication(client).get("slave0", ""), 10)
                client.must("SET", "first", "word")  # redis-cli takes it for the reply to its REPLCONF ACK
                client.must("SET", "seen by", "everybody")
                wait_for(lambda: b"everybody" in (tmp_path / "out").read_bytes(), 10)
            finally:
                tail.kill()
                tail.wait()
