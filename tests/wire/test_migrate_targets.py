"""MIGRATE to a target that answers in pieces, falls silent, or ends a connection that was kept for the next time."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.support.processes import Node, wait_for
from tests.support.wire import Client
from tests.support.wire_replies import Refusal

pytestmark = pytest.mark.wire


@pytest.fixture
def node() -> Iterator[Client]:
    """A client of a node."""
    with Node(save="") as server, server.client() as client:
        yield client


class Target:
    """A server that the test speaks for."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(20)
        self.port = self.listener.getsockname()[1]
        self.connection = socket.socket()

    def accept(self) -> None:
        """The next connection is here."""
        self.connection.close()
        self.connection, _ = self.listener.accept()
        self.connection.settimeout(20)

    def hear(self, key: str) -> None:
        """Wait for a RESTORE of this key."""
        heard = b""
        while key.encode() not in heard or not heard.endswith(b"\r\n"):
            piece = self.connection.recv(65536)
            assert piece
            heard += piece
        assert heard.count(b"RESTORE\r\n") == 1

    def answer(self, *pieces: bytes) -> None:
        """Say this."""
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            self.connection.sendall(piece)

    def close(self) -> None:
        """Close everything."""
        self.connection.close()
        self.listener.close()


@pytest.fixture
def target() -> Iterator[Target]:
    """One that listens."""
    target = Target()
    yield target
    target.close()


def send_off(node: Client, target: Target, key: str, timeout_ms: int = 20_000) -> None:
    """MIGRATE of a key, without waiting for the answer."""
    assert node("SET", key, "value") == "OK"
    node.send("MIGRATE", "127.0.0.1", target.port, key, 0, timeout_ms)


def carry_out(node: Client, target: Target, key: str) -> None:
    """The target hears of a key and takes it, and the client is told."""
    target.hear(key)
    target.answer(b"+OK\r\n")
    assert node.read() == "OK"


def test_a_connection_is_kept_and_its_answers_may_come_in_pieces(node: Client, target: Target) -> None:
    for number, pieces in enumerate([(b"+OK\r\n",), (b"+OK\r\n",), (b"+O", b"K", b"\r\n"), (b"-BUSYKEY no\r", b"\n")]):
        send_off(node, target, f"key{number}")
        if not number:
            target.accept()
        target.hear(f"key{number}")
        target.answer(*pieces)
        refusal = Refusal("ERR Target instance replied with error: BUSYKEY no")
        assert node.read() == (refusal if number == 3 else "OK")
    assert node("KEYS", "*") == [b"key3"]


def test_what_a_kept_connection_does_not_answer_goes_by_a_new_one(node: Client, target: Target) -> None:
    send_off(node, target, "first")
    target.accept()
    carry_out(node, target, "first")
    # Closed after the request has come.
    send_off(node, target, "second")
    target.hear("second")
    target.connection.close()
    target.accept()
    carry_out(node, target, "second")
    # Closed while nobody asked anything; garbage instead of an answer.
    target.connection.close()
    for key, broken in (("third", b"?what\r\n"), ("fourth", b"")):
        send_off(node, target, key)
        target.accept()
        carry_out(node, target, key)
        send_off(node, target, f"{key} again")
        target.hear(f"{key} again")
        target.answer(broken)
        if not broken:
            target.connection.shutdown(socket.SHUT_WR)
        target.accept()
        carry_out(node, target, f"{key} again")
        target.connection.close()
    assert node("DBSIZE") == 0


def test_a_target_that_falls_silent_is_given_up_in_time(node: Client, target: Target) -> None:
    """Its key stays, and may be written to again."""
    send_off(node, target, "first")
    target.accept()
    carry_out(node, target, "first")
    send_off(node, target, "silent", 200)
    target.hear("silent")
    assert node.read() == Refusal("IOERR error or timeout reading from target instance")
    assert node("GET", "silent") == b"value"
    wait_for(lambda: node("SET", "silent", "other") == "OK")
    # The connection is not used again: its answer may still come.
    send_off(node, target, "next")
    target.accept()
    carry_out(node, target, "next")
    assert node("KEYS", "*") == [b"silent"]
