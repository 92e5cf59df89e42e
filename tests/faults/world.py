"""A cluster of three primaries with a replica each, of shardkv nodes or of redis-server, and its verbs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from tests.support.namespaces import Network, Side
from tests.support.processes import OptionValue, Server, wait_for
from tests.support.wire import Client

NODE_TIMEOUT_MS = 2000
#: Tags whose slots lie in the first, second and third part of the range, as redis-cli shares it out.
TAGS = ("b", "c", "a")


class World:
    """Six servers; a context manager that starts them, makes them a cluster, and ends them.

    On a ``network`` the first of them, a primary, lives on the left side, all others and whoever asks them on the
    right.
    """

    def __init__(self, kind: type[Server], network: Network | None = None, **options: OptionValue) -> None:
        settings: dict[str, OptionValue] = {
            "cluster_enabled": "yes",
            "cluster_node_timeout": NODE_TIMEOUT_MS,
            "save": "",
            "appendonly": "yes",
            "repl_diskless_sync_delay": 0,
        }
        if network is not None:
            settings["protected_mode"] = "no"
        self.network = network
        self.cut_at = self.healed_at = 0.0
        self._inside = ExitStack()
        self.servers = [kind(**(settings | options)) for _ in range(6)]

    def __enter__(self) -> World:
        try:
            for number, server in enumerate(self.servers):
                self._start(server, "right" if number else "left")
            if self.network is not None:
                self._inside.enter_context(self.network.inside("right"))
            addresses = [f"{server.host}:{server.port}" for server in self.servers]
            words = ["redis-cli", "--cluster", "create", *addresses, "--cluster-replicas", "1", "--cluster-yes"]
            done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            wait_for(self.settled, 60, "the cluster stands")
            wait_for(lambda: [self.shard_of(tag) for tag in TAGS], 60, "every replica has data")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._inside.close()
        for server in self.servers:
            server.stop()

    def _start(self, server: Server, side: Side) -> None:
        if self.network is None:
            server.start()
            return
        server.host = self.network.address(side)
        with self.network.inside(side):
            server.start()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where they listen."""
        return [(server.host, server.port) for server in self.servers]

    def partition(self) -> None:
        """Cut the left side off."""
        assert self.network is not None
        self.network.cut()
        self.cut_at = time.monotonic()

    def heal(self) -> None:
        """End that."""
        assert self.network is not None
        self.healed_at = time.monotonic()
        self.network.heal()

    def settled(self, but: Sequence[Server] = ()) -> bool:
        """Whether all say ok, and every replica's link is up."""
        for server in self.servers:
            if server in but:
                continue
            try:
                with server.client(timeout=2.0) as client:
                    if b"cluster_state:ok" not in _bytes(client("CLUSTER", "INFO")):
                        return False
                    info = _bytes(client("INFO", "replication"))
            except OSError:
                return False
            if b"role:slave" in info and b"master_link_status:up" not in info:
                return False
        return True

    def shard_of(self, tag: str) -> tuple[Server, Server]:
        """The primary that serves a tag now, and its replica."""
        by_port = {server.port: server for server in self.servers}
        with self._alive() as client:
            slot: Any = client("CLUSTER", "KEYSLOT", tag)
            reply: Any = client("CLUSTER", "SLOTS")
        for start, end, primary, *replicas in reply:
            if start <= slot <= end and replicas:
                return by_port[primary[1]], by_port[replicas[0][1]]
        raise AssertionError(f"nobody serves {tag}, or without a replica")

    def _alive(self) -> Client:
        for server in self.servers:
            if not server.process_ended():
                return server.client(timeout=5.0)
        raise AssertionError("no server runs")

    def is_primary(self, server: Server) -> bool:
        """Whether a server says that it is one."""
        try:
            with server.client(timeout=1.0) as client:
                reply: Any = client("ROLE")
                return bool(reply[0] == b"master")
        except OSError:
            return False


def _bytes(reply: object) -> bytes:
    assert isinstance(reply, bytes), reply
    return reply
