"""SHUTDOWN and SIGTERM wait for replicas that lag; redis-server 7 has to pass the same tests."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from tests.support.oracle import SETTINGS, Redis, redis_is_here
from tests.support.processes import Node, OptionValue, Server, wait_for
from tests.support.replication import link_to, replication
from tests.support.wire import Client
from tests.support.wire_replies import Refusal

pytestmark = pytest.mark.wire

_FAILED = "ERR Errors trying to SHUTDOWN. Check logs."
_SYNCED = "1 of 1 replicas are in sync when shutting down."

Start: TypeAlias = Callable[..., tuple[Server, Server]]


@pytest.fixture(params=[Node, Redis])
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    """Starts a primary and its replica, which is stopped (SIGSTOP) and lacks a key that the primary has."""
    kind: type[Server] = request.param
    if kind is Redis and not redis_is_here():
        pytest.fail("redis-server is not installed")
    servers: list[Server] = []

    def pair(**options: OptionValue) -> tuple[Server, Server]:
        settings = SETTINGS | {"repl_diskless_sync_delay": 0}
        primary, replica = kind(**settings, **options), kind(**settings)
        for server in (primary, replica):
            servers.append(server)
            server.start()
        with replica.client() as client, primary.client() as writer:
            link_to(primary, client)
            wait_for(lambda: "state=online" in replication(writer)["slave0"])
            replica.signal(signal.SIGSTOP)
            writer.must("SET", "late", 1)
        return primary, replica

    yield pair
    for server in reversed(servers):
        server.kill()
        server.stop()


def is_waiting(client: Client) -> bool:
    """Whether a shutdown waits."""
    return "shutdown_in_milliseconds" in replication(client, "server")


def ended(server: Server) -> bool:
    """Whether the process has ended as it should."""
    return server.process is not None and server.process.poll() == 0


def has_logged(server: Server, text: str) -> bool:
    """Whether the log has this."""
    return text in server.log()


def test_what_waits_for_a_replica_is_told_among_the_replication_buffers(start: Start) -> None:
    primary, _ = start()
    with primary.client() as client:
        client.pipeline([["SET", f"key:{number}", "x" * 100_000] for number in range(150)])
        memory = replication(client, "memory")
        assert int(memory["mem_total_replication_buffers"]) > 5_000_000  # the rest is in the kernel's hands


def test_a_shutdown_waits_until_the_replica_has_everything(start: Start) -> None:
    primary, replica = start(shutdown_timeout=60)
    with primary.client() as asking, primary.client() as client, primary.client() as writer:
        asking.send("SHUTDOWN")
        wait_for(lambda: is_waiting(client))
        assert 50_000 < int(replication(client, "server")["shutdown_in_milliseconds"]) <= 60_000
        assert has_logged(primary, "Waiting for replicas before shutting down.")
        assert client("GET", "late") == b"1"
        writer.send("SET", "held", 1)  # it is never carried out
        client.must("CLIENT", "UNPAUSE")
        assert b" flags=b " in next(
            line for line in client.must("CLIENT", "LIST").split(b"\n") if b"cmd=shutdown" in line
        )
        assert client("GET", "held") is None
        replica.signal(signal.SIGCONT)
        wait_for(lambda: ended(primary))
    assert has_logged(primary, _SYNCED)
    assert not has_logged(primary, "Lagging replica")
    with replica.client() as client:
        assert client("GET", "late") == b"1"
        assert client("GET", "held") is None


def test_a_shutdown_that_waits_can_be_taken_back(start: Start) -> None:
    primary, replica = start(shutdown_timeout=60)
    with primary.client() as asking, primary.client() as client, primary.client() as writer:
        asking.send("SHUTDOWN")
        wait_for(lambda: is_waiting(client))
        primary.signal(signal.SIGTERM)  # joins the one that waits
        wait_for(lambda: has_logged(primary, "Received SIGTERM scheduling shutdown..."))
        writer.send("SET", "held", 1)
        assert client("GET", "held") is None
        assert client("SHUTDOWN", "ABORT") == "OK"
        refusal = asking.reply()
        assert isinstance(refusal, Refusal)
        assert refusal.text == _FAILED
        assert writer.reply() == "OK"
        assert not is_waiting(client)
        assert has_logged(primary, "Shutdown manually aborted.")
        refusal = client("SHUTDOWN", "ABORT")
        assert isinstance(refusal, Refusal)
        assert refusal.text == "ERR No shutdown in progress."
        client.send("SHUTDOWN", "NOW")
        wait_for(lambda: ended(primary))
    assert has_logged(primary, f"Lagging replica 127.0.0.1:{replica.port} reported offset ")
    assert has_logged(primary, "0 of 1 replicas are in sync when shutting down.")


def test_a_signal_waits_no_longer_than_the_timeout(start: Start) -> None:
    primary, _ = start(shutdown_timeout=1)
    primary.signal(signal.SIGTERM)
    wait_for(lambda: ended(primary))
    assert has_logged(primary, "Waiting for replicas before shutting down.")
    assert has_logged(primary, "0 of 1 replicas are in sync when shutting down.")


def test_a_replica_that_is_gone_is_not_waited_for(start: Start) -> None:
    primary, replica = start(shutdown_timeout=60)
    primary.signal(signal.SIGTERM)
    wait_for(lambda: has_logged(primary, "Waiting for replicas before shutting down."))
    replica.kill()
    wait_for(lambda: ended(primary))
    assert not has_logged(primary, "replicas are in sync")
