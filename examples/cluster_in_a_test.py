"""A real cluster for one test: three node processes on free ports, redis-py's cluster client, gone at the end.

python examples/cluster_in_a_test.py
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from redis.cluster import RedisCluster


@contextmanager
def cluster(nodes: int = 3) -> Iterator[int]:
    """A cluster under ``shardkv-node launch``; the port of its first node. Its files go with it."""
    port = free_run(nodes)
    with tempfile.TemporaryDirectory() as folder:
        launcher = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "shardkv_cli.node",
                "launch",
                "--nodes",
                str(nodes),
                "--port",
                str(port),
                "--dir",
                folder,
            ],
            stdout=subprocess.DEVNULL,
        )
        try:
            addresses = [f"127.0.0.1:{port + number}" for number in range(nodes)]
            wait_until_open(port + nodes - 1)
            subprocess.run(
                [sys.executable, "-m", "shardkv_cli.admin", "create-cluster", *addresses, "--replicas", "0", "--yes"],
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            yield port
        finally:
            launcher.terminate()
            launcher.wait()


def free_run(count: int) -> int:
    """The first of ``count`` ports in a row that are free, and whose bus ports are."""
    for first in range(20_000, 22_000, count):
        try:
            for port in range(first, first + count):
                for number in (port, port + 10_000):
                    with socket.socket() as probe:
                        probe.bind(("127.0.0.1", number))
        except OSError:
            continue
        return first
    raise RuntimeError("no free ports")


def wait_until_open(port: int, seconds: float = 30.0) -> None:
    """Wait until somebody listens."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"nobody listens on port {port}")


def main() -> None:
    """Write through one node, read through another."""
    with cluster() as port, RedisCluster(host="127.0.0.1", port=port) as client:
        for name in ("ada", "grace", "barbara"):
            client.set(f"user:{name}", name.title())
            print(f"user:{name} lives in slot {client.keyslot(f'user:{name}')}")
    print("done")


if __name__ == "__main__":
    main()
