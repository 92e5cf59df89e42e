"""Nodes under the eyes of Redis Sentinel: it finds the replicas, promotes one when the primary dies, and takes the old
primary back as a replica, by what nodes tell in INFO, ROLE and over pub/sub."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.processes import Node, Server, wait_for
from tests.support.replication import digests_agree, fill, link_is_up, link_to, replication

pytestmark = pytest.mark.wire

#: What the sentinels call the primary.
NAME = "shard"


class Sentinel(Server):
    """A redis-server in Sentinel mode that watches a primary; ``quorum`` sentinels have to agree that it is down."""

    def __init__(self, primary: Server, quorum: int) -> None:
        super().__init__()
        self._file = self.directory / "sentinel.conf"
        self._file.write_text(
            f"port {self.port}\ndir {self.directory}\n"
            f"sentinel monitor {NAME} {primary.host} {primary.port} {quorum}\n"
            f"sentinel down-after-milliseconds {NAME} 700\nsentinel failover-timeout {NAME} 8000\n"
        )

    @property
    def command_line(self) -> list[str]:
        """Its options are in a file, for it writes them anew."""
        return ["redis-server", str(self._file), "--sentinel"]

    def primary(self) -> int:
        """The port of the one that it takes for the primary."""
        with self.client() as client:
            reply: Any = client.must("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
            return int(reply[1])

    def sees(self, kind: str) -> int:
        """How many others it sees: ``slaves`` or ``sentinels``."""
        with self.client() as client:
            reply: Any = client.must("SENTINEL", kind, NAME)
            return len(reply)


def follows(node: Server, primary: Server) -> bool:
    """Whether a node is the other one's replica and has all of its data. Each look is with new clients, for Sentinel
    closes those of a node whose part has changed."""
    with node.client() as client, primary.client() as there:
        told = replication(client)
        if told["role"] != "slave" or told["master_port"] != str(primary.port) or not link_is_up(client):
            return False
        return digests_agree(there, client)


def leads(node: Server) -> bool:
    """Whether a node is a primary."""
    with node.client() as client:
        return replication(client)["role"] == "master"


def test_sentinels_promote_a_replica_and_take_the_old_primary_back() -> None:
    with ExitStack() as stack:
        old, *others = nodes = [stack.enter_context(Node(save="", enable_debug_command="yes")) for _ in range(3)]
        with old.client() as client:
            fill(client, 0)
            for node in others:
                with node.client() as replica:
                    link_to(old, replica)
            sentinels = [stack.enter_context(Sentinel(old, 2)) for _ in range(3)]
            wait_for(lambda: all((s.sees("SLAVES"), s.sees("SENTINELS")) == (2, 2) for s in sentinels), 30)
            assert client.must("WAIT", 2, 5000) == 2

        old.kill()
        ports = {node.port: node for node in others}
        wait_for(lambda: all(sentinel.primary() in ports for sentinel in sentinels), 30)
        promoted = ports.pop(sentinels[0].primary())
        [left] = ports.values()
        wait_for(lambda: leads(promoted), 20)
        with promoted.client() as client:
            fill(client, 1)
        wait_for(lambda: follows(left, promoted), 30)

        old.start()
        wait_for(lambda: follows(old, promoted), 40)
        assert {sentinel.primary() for sentinel in sentinels} == {promoted.port}
        assert [leads(node) for node in nodes].count(True) == 1
