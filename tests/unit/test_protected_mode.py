"""Who may connect while no password is set: only this machine, unless protected mode is off."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from shardkv_node.reactor import Reactor

from tests.support.engine_client import EngineClient

LOCAL = ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1")
AWAY = ("192.0.2.1", "10.0.0.1", "2001:db8::1", "::ffff:192.0.2.1", "128.0.0.1")


class Door:
    """A reactor that is told where its visitors come from, which all come from here."""

    def __init__(self) -> None:
        self.kv = EngineClient()
        self.reactor = Reactor(self.kv.engine, lambda level, text: None)
        self._listener = socket.create_server(("127.0.0.1", 0))

    def answer(self, host: str) -> bytes:
        """What a visitor from there reads at once; nothing if it is let in."""
        with socket.create_connection(self._listener.getsockname()) as visitor:
            taken, _ = self._listener.accept()
            before = self.reactor.clients
            self.reactor.reception.admit(taken, (host, 12345), None)
            if self.reactor.clients > before:
                return b""
            return visitor.recv(10_000)

    def close(self) -> None:
        """End it."""
        self.reactor.close_all()
        self._listener.close()


@pytest.fixture
def door() -> Iterator[Door]:
    """A door, in protected mode and without a password."""
    made = Door()
    yield made
    made.close()


@pytest.mark.parametrize("host", LOCAL)
def test_this_machine_is_let_in(door: Door, host: str) -> None:
    assert door.answer(host) == b""


@pytest.mark.parametrize("host", AWAY)
def test_others_are_told_why_not(door: Door, host: str) -> None:
    assert door.answer(host).startswith(b"-DENIED Redis is running in protected mode because protected mode is enabled")
    assert door.kv.engine.stats.rejected_connections == 1


@pytest.mark.parametrize(
    "request_line",
    [
        ("CONFIG", "SET", "protected-mode", "no"),
        ("CONFIG", "SET", "requirepass", "secret"),
        ("ACL", "SETUSER", "default", ">secret"),
        ("ACL", "SETUSER", "default", "resetpass", "off"),
    ],
)
def test_whoever_protects_the_node_otherwise_lets_others_in(door: Door, request_line: tuple[str, ...]) -> None:
    door.kv(*request_line)
    assert door.answer(AWAY[0]) == b""
