"""Listening sockets: TCP addresses and a unix socket, with Redis's notation for ``bind``."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Callable, Sequence

_UNAVAILABLE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENOPROTOOPT, errno.EPROTONOSUPPORT)


class ListenFault(Exception):
    """A socket cannot be bound. ``str()`` is the reason for the log; ``port`` is 0 for a unix socket."""

    def __init__(self, reason: str, port: int = 0) -> None:
        super().__init__(reason)
        self.port = port


def listen_tcp(addresses: Sequence[str], port: int, backlog: int) -> list[socket.socket]:
    """Listen on each address (``*`` and ``::*`` are all; a leading ``-`` means: if the machine has it), of which there
    may be none. Raises ListenFault."""
    made: list[socket.socket] = []
    try:
        for address in addresses:
            optional = address.startswith("-")
            host = address[1:] if optional else address
            try:
                made.append(_listen_one(host, port, backlog))
            except OSError as error:
                if optional and error.errno in _UNAVAILABLE:
                    continue
                reason = f"Could not create server TCP listening socket {host}:{port}: bind: {error.strerror or error}"
                raise ListenFault(reason, port) from error
        if addresses and not made:
            raise ListenFault(
                f"Could not create server TCP listening socket: none of the addresses is available on port {port}", port
            )
    except ListenFault:
        for sock in made:
            sock.close()
        raise
    return made


def _listen_one(host: str, port: int, backlog: int) -> socket.socket:
    if host == "*":
        family, where = socket.AF_INET, "0.0.0.0"
    elif host == "::*":
        family, where = socket.AF_INET6, "::"
    else:
        family, _, _, _, resolved = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        where = str(resolved[0])
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((where, port))
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def listen_unix(path: str, mode: int, backlog: int) -> socket.socket:
    """Listen on a unix socket. A socket that an earlier run left is replaced; any other file is not. Raises
    ListenFault."""
    try:
        if stat.S_ISSOCK(os.stat(path).st_mode):
            os.unlink(path)
    except FileNotFoundError:
        pass
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        if mode:
            os.chmod(path, mode)
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise ListenFault(f"Failed opening Unix socket: bind: {error.strerror or error}") from error
    return sock


class Doors:
    """The TCP sockets that clients come to: made at start-up, changed by CONFIG SET port and bind."""

    def __init__(
        self,
        watch: Callable[[Sequence[socket.socket]], None],
        close: Callable[[Sequence[socket.socket]], None],
        backlog: int,
    ) -> None:
        """``watch`` begins to accept from sockets, ``close`` ends that and closes them."""
        self._watch = watch
        self._close = close
        self._backlog = backlog
        self._sockets: list[socket.socket] = []
        self._where: tuple[tuple[str, ...], int] = ((), 0)
        self._before: tuple[tuple[str, ...], int] = ((), 0)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._sockets)

    def open(self, addresses: Sequence[str], port: int) -> None:
        """Listen there, and no longer where it was before; port 0: nowhere. Raises ListenFault, and then all is as it
        was."""
        before, old = self._where, self._sockets
        if port == before[1]:
            # An address and the one that stands for all exclude each other on one port: the old ones go first.
            self._close(old)
            old = self._sockets = []
        try:
            made = listen_tcp(addresses, port, self._backlog) if port else []
        except ListenFault:
            if port == before[1]:
                self._sockets = listen_tcp(*before, self._backlog)
                self._watch(self._sockets)
            raise
        self._close(old)
        self._sockets, self._where, self._before = made, (tuple(addresses), port), before
        self._watch(made)

    def go_back(self) -> None:
        """Listen where it was before the last change."""
        self.open(*self._before)
