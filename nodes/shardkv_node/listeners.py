"""Listening sockets: TCP addresses and a unix socket, with Redis's notation for ``bind``."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Sequence

_UNAVAILABLE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENOPROTOOPT, errno.EPROTONOSUPPORT)


class ListenFault(Exception):
    """A socket cannot be bound. ``str()`` is the reason for the log."""


def listen_tcp(addresses: Sequence[str], port: int, backlog: int) -> list[socket.socket]:
    """Listen on each address (``*`` and ``::*`` are all; a leading ``-`` means: if the machine has it). Raises
    ListenFault."""
    made: list[socket.socket] = []
    try:
        for address in addresses or ("*",):
            optional = address.startswith("-")
            host = address[1:] if optional else address
            try:
                made.append(_listen_one(host, port, backlog))
            except OSError as error:
                if optional and error.errno in _UNAVAILABLE:
                    continue
                raise ListenFault(
                    f"Could not create server TCP listening socket {host}:{port}: {error.strerror or error}"
                ) from error
        if not made:
            raise ListenFault(
                f"Could not create server TCP listening socket: none of the addresses is available on port {port}"
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
