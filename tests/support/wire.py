"""A small blocking client for tests: nothing between the test and the bytes."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterable, Sequence
from ssl import SSLContext
from types import TracebackType
from typing import Self, TypeAlias

from .wire_replies import (
    NULL_ARRAY,
    Attributed,
    BigNumber,
    Boolean,
    Double,
    Map,
    Members,
    Push,
    Refusal,
    Reply,
    Simple,
    Verbatim,
)

Word: TypeAlias = bytes | str | int | float

# In RESP3 these are answered by pushes, one a channel, and by nothing else.
_ANSWERED_BY_PUSH = frozenset(verb + suffix for suffix in ("SUBSCRIBE", "UNSUBSCRIBE") for verb in ("", "P", "S"))


def request(*words: Word) -> bytes:
    """The bytes of one command, as an array of bulk strings."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


class Client:
    """One connection.

    ``client("SET", "k", "v")`` sends a command and returns its reply, an error as a ``Refusal`` and not raised.
    Pushes that come before a reply are laid aside in ``client.pushes``. Raises TimeoutError when nothing arrives for
    ``timeout`` seconds, ConnectionError when the server has hung up.
    """

    def __init__(
        self, host: str, port: int, resp3: bool = False, timeout: float = 20.0, tls: SSLContext | None = None
    ) -> None:
        """``host`` with a slash in it is the path of a unix socket. ``resp3`` says HELLO 3, reply in ``greeting``.
        ``tls``: speak TLS."""
        connection = _connect(host, port, timeout)
        self._socket = connection if tls is None else tls.wrap_socket(connection, server_hostname=host)
        self._buffer = bytearray()
        self._taken = 0
        self.pushes: list[Push] = []
        self.greeting: Reply = self("HELLO", "3") if resp3 else None

    def __call__(self, *words: Word) -> Reply:
        self.send(*words)
        if str(words[0]).upper() in _ANSWERED_BY_PUSH:
            return self.read()
        return self.reply()

    def must(self, *words: Word) -> Reply:
        """The same, and an error fails the test: for what a test prepares."""
        reply = self(*words)
        assert not isinstance(reply, Refusal), f"{words!r} answered {reply.text}"
        return reply

    def raw(self, *words: Word) -> bytes:
        """Sends a command and returns the exact bytes of one reply."""
        self.send(*words)
        return self.read_raw()

    def pipeline(self, commands: Iterable[Sequence[Word]]) -> list[Reply]:
        """Sends all commands at once and returns their replies."""
        data = [request(*words) for words in commands]
        self.send_bytes(b"".join(data))
        return [self.reply() for _ in data]

    def send(self, *words: Word) -> None:
        """Sends a command and waits for nothing."""
        self.send_bytes(request(*words))

    def send_bytes(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self._socket.sendall(data)

    def reply(self) -> Reply:
        """The next thing sent that isn't a push."""
        while isinstance(reply := self.read(), Push):
            self.pushes.append(reply)
        return reply

    def read(self) -> Reply:
        """The next thing sent, push or reply."""
        self._forget()
        return self._decode()

    def read_raw(self) -> bytes:
        """The exact bytes of the next thing sent."""
        self._forget()
        self._decode()
        return bytes(self._buffer[: self._taken])

    def pending(self, timeout: float = 0.0) -> bool:
        """Whether something (or the end of the connection) is there to read within ``timeout`` seconds."""
        if len(self._buffer) > self._taken:
            return True
        return bool(select.select([self._socket], [], [], timeout)[0])

    def hung_up(self, timeout: float = 5.0) -> bool:
        """Whether the server closes the connection within ``timeout`` seconds; what it sends before is dropped."""
        self._socket.settimeout(timeout)
        try:
            while self._socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True

    def close(self) -> None:
        """Closes the connection."""
        self._socket.close()

    @property
    def socket(self) -> socket.socket:
        """The socket, for tests that misuse it."""
        return self._socket

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _forget(self) -> None:
        del self._buffer[: self._taken]
        self._taken = 0

    def _receive(self) -> None:
        data = self._socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server hung up")
        self._buffer += data

    def _line(self) -> bytes:
        start = self._taken
        while (end := self._buffer.find(b"\r\n", start)) < 0:
            self._receive()
        self._taken = end + 2
        return bytes(self._buffer[start:end])

    def _bulk(self, size: int) -> bytes:
        start = self._taken
        while len(self._buffer) < start + size + 2:
            self._receive()
        self._taken = start + size + 2
        assert self._buffer[start + size : self._taken] == b"\r\n", "a bulk string without its end"
        return bytes(self._buffer[start : start + size])

    def _items(self, count: int) -> list[Reply]:
        return [self._decode() for _ in range(count)]

    def _pairs(self, count: int) -> Map:
        return Map(tuple((self._decode(), self._decode()) for _ in range(count)))

    def _decode(self) -> Reply:
        line = self._line()
        kind, rest = line[:1], line[1:]
        match kind:
            case b"+":
                return Simple(_text(rest))
            case b"-":
                return Refusal(_text(rest))
            case b":":
                return int(rest)
            case b"$":
                return None if rest == b"-1" else self._bulk(int(rest))
            case b"*":
                return NULL_ARRAY if rest == b"-1" else self._items(int(rest))
            case b"_":
                return None
            case b"%":
                return self._pairs(int(rest))
            case b"~":
                return Members(tuple(self._items(int(rest))))
            case b">":
                return Push(tuple(self._items(int(rest))))
            case b",":
                return Double(_text(rest))
            case b"(":
                return BigNumber(_text(rest))
            case b"#":
                return Boolean(rest == b"t")
            case b"=":
                body = self._bulk(int(rest))
                return Verbatim(body[:3], body[4:])
            case b"|":
                return Attributed(self._pairs(int(rest)), self._decode())
        raise AssertionError(f"no reply begins like this: {line!r}")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _connect(host: str, port: int, timeout: float) -> socket.socket:
    if "/" not in host:
        connection = socket.create_connection((host, port), timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout)
    connection.connect(host)
    return connection
