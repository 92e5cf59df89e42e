"""Redis Sentinel watches nodes: it finds replicas, promotes one when their primary dies, and takes that back later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.support.oracle import SETTINGS, redis_is_here
from tests.support.processes import Node, Server, wait_for
from tests.support.replication import link_is_up, link_to, replication
from tests.support.wire import Client

pytestmark = [pytest.mark.wire, pytest.mark.skipif(not redis_is_here(), reason="needs redis-server")]

NAME = "shard"


class Sentinel(Server):
    """One ``redis-server --sentinel`` that decides alone."""

    def __init__(self, watched: Server) -> None:
        super().__init__()
        lines = (
            f"port {self.port}",
            f"bind {self.host}",
            f"dir {self.directory}",
            f"sentinel monitor {NAME} {watched.host} {watched.port} 1",
            f"sentinel down-after-milliseconds {NAME} 500",
            f"sentinel failover-timeout {NAME} 5000",
        )
        self.path = self.directory / "sentinel.conf"
        self.path.write_text("\n".join(lines))

    @property
    def command_line(self) -> list[str]:
        """The words the process is started with; all else is in its file, which it writes anew."""
        return ["redis-server", str(self.path), "--sentinel"]


def _primary(sentinel: Client) -> int:
    found = sentinel.must("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
    assert isinstance(found, list)
    return int(found[1])


def _asked(server: Server, *words: bytes | str) -> object:
    """The reply on a connection of its own: Sentinel closes those of clients when roles change."""
    with server.client() as client:
        return client.must(*words)


def _role(server: Server) -> str:
    with server.client() as client:
        return replication(client)["role"]


@contextmanager
def failed_over() -> Iterator[tuple[Server, Server]]:
    """The primary that died, and the replica that was promoted."""
    options = SETTINGS | {"repl_diskless_sync_delay": 0}
    with ExitStack() as stack:
        first, second = (stack.enter_context(Node(**options)) for _ in range(2))
        with second.client() as there:
            link_to(first, there)
        with first.client() as here:
            here.must("SET", "k", "v")
            here.must("WAIT", 1, 5000)
        sentinel = stack.enter_context(stack.enter_context(Sentinel(first)).client())
        wait_for(lambda: sentinel.must("SENTINEL", "REPLICAS", NAME), 15, "the replica is found")
        first.kill()
        wait_for(lambda: _primary(sentinel) == second.port, 30, "the replica is promoted")
        yield first, second


def test_a_sentinel_promotes_a_replica_when_its_primary_dies() -> None:
    with failed_over() as (_, promoted):
        assert _role(promoted) == "master"
        assert _asked(promoted, "GET", "k") == b"v"
        assert _asked(promoted, "SET", "k", "w") == "OK"


@pytest.mark.long
def test_a_primary_that_comes_back_is_made_a_replica_of_the_one_that_was_promoted() -> None:
    with failed_over() as (first, promoted):
        _asked(promoted, "SET", "k", "w")
        first.start()
        wait_for(lambda: _role(first) == "slave", 60, "the old primary is told to follow")
        with first.client() as here:
            wait_for(lambda: link_is_up(here), 20, "it follows")
            assert here.must("GET", "k") == b"w"
