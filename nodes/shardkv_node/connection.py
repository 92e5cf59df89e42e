"""One client's socket, with what was read of a request and what is still to be sent."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from .poller import READ

if TYPE_CHECKING:
    import socket

    from shardkv.commands.session import Session
    from shardkv.resp.parser import RequestParser

    from .tls import SecureSocket

#: One write, and how much of a large reply a client is sent before it is the turn of others.
SEND: Final = 256 * 1024


class Connection:
    """One client socket: its parser, its session, and the replies that it has not taken yet."""

    __slots__ = ("asked", "interest", "parser", "receive", "send", "session", "sock", "unsent", "unsent_at")

    def __init__(self, sock: socket.socket | SecureSocket, session: Session, parser: RequestParser) -> None:
        self.sock = sock
        self.receive = sock.recv
        self.send = sock.send
        self.session = session
        self.parser = parser
        self.unsent: deque[bytes] = deque()
        self.unsent_at = 0  #: bytes of the first piece that are sent already
        self.interest = READ
        self.asked: list[list[bytes]] | None = None  #: what the short way has carried out last, if a reply may be large

    def keep(self, size: int) -> None:
        """Put what has gathered in the session, ``size`` bytes, behind what is to be sent."""
        session = self.session
        self.unsent.extend(session.out)
        session.unsent += size
        session.out.clear()

    def push(self, most: int) -> int:
        """Send about ``most`` bytes of what was kept, or what the socket takes; how many it took. Raises OSError when
        the peer is gone."""
        session, unsent = self.session, self.unsent
        pushed = 0
        while unsent and pushed < most:
            if not self.unsent_at:
                _join_first(unsent)
            first, at = unsent[0], self.unsent_at
            piece = memoryview(first)[at : at + SEND]
            try:
                sent = self.send(piece)
            except BlockingIOError:
                break
            pushed += sent
            session.unsent -= sent
            if at + sent == len(first):
                self.unsent_at = 0
                del unsent[0]
                continue
            self.unsent_at = at + sent
            if sent < len(piece):
                break
        return pushed


def _join_first(unsent: deque[bytes]) -> None:
    """Make one of the small pieces in front, so that a long queue costs few system calls."""
    size = 0
    small: list[bytes] = []
    while unsent and (size := size + len(unsent[0])) <= SEND:
        small.append(unsent.popleft())
    if small:
        unsent.appendleft(b"".join(small))
