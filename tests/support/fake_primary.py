"""A primary that says what a test wants, and listens to whoever comes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

Say = Callable[[socket.socket, int], None]


class FakePrimary:
    """Accepts connections on a free port; ``say(sock, number)`` is what happens on each, numbered from 0."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if self._stopping:
                sock.close()
                return
            with sock:
                sock.settimeout(10)
                try:
                    self._say(sock, self.connections)
                except OSError:
                    pass  # the replica has hung up
                self.connections += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopping = True
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()  # accept() does not see a close
        except OSError:
            pass
        self._listener.close()
        self._thread.join(12)
        assert not self._thread.is_alive()


def greet(sock: socket.socket) -> None:
    """Answer until the replica asks for PSYNC."""
    data = b""
    answered = 0
    while True:
        more = sock.recv(4096)
        if not more:
            raise ConnectionError("the replica has hung up")
        data += more
        if b"PSYNC" in data:
            return
        wanted = data.count(b"PING") + data.count(b"REPLCONF")
        replies = [b"+OK\r\n"] * (wanted - answered)
        if replies and not answered:
            replies[0] = b"+PONG\r\n"
        sock.sendall(b"".join(replies))
        answered = wanted


def until_closed(sock: socket.socket) -> None:
    """Read until the replica hangs up."""
    while sock.recv(65536):
        pass
