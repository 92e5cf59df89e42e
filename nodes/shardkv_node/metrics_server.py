"""The HTTP endpoint for Prometheus on ``metrics-port``: /metrics, and /health for whoever only asks whether there is a
node.

Whoever asks is treated as a client that says INFO: protected mode keeps strangers out, and where the default user needs
a password, a user's name and password are asked for (HTTP's basic authentication). Nothing that is sent here changes
anything, and a scrape is made in small steps, so that it holds nobody up.
"""

from __future__ import annotations

import base64
import binascii
import socket
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Final

import h11
import trio

from shardkv.commands.spec import TABLE
from shardkv.engine.engine import Engine

from . import clock
from .http import Answer, refusal, serve

#: More connections at once than this are turned away.
CONNECTIONS_MAX: Final = 32


class MetricsServer:
    """The endpoint. ``denies``: whether protected mode keeps a peer out."""

    def __init__(self, engine: Engine, denies: Callable[[object], bool]) -> None:
        self._engine = engine
        self._denies = denies
        self._doors: dict[socket.socket, tuple[trio.SocketListener, trio.CancelScope]] = {}
        self._nursery: trio.Nursery | None = None
        self._connections = 0

    # ---- listening

    def listen(self, socks: Sequence[socket.socket]) -> None:
        """Answer who comes to these listening sockets."""
        for sock in socks:
            self._doors[sock] = trio.SocketListener(trio.socket.from_stdlib_socket(sock)), trio.CancelScope()
            if self._nursery is not None:
                self._nursery.start_soon(self._welcome, *self._doors[sock])

    def stop_listening(self, socks: Sequence[socket.socket]) -> None:
        """Answer nobody there any more, and close them."""
        for sock in socks:
            listener, scope = self._doors.pop(sock)
            scope.cancel()
            listener.socket.close()

    async def run(self) -> None:
        """Answer until cancelled."""
        try:
            async with trio.open_nursery() as self._nursery:
                for door in self._doors.values():
                    self._nursery.start_soon(self._welcome, *door)
                await trio.sleep_forever()
        finally:
            self._nursery = None
            self.stop_listening(list(self._doors))

    async def _welcome(self, listener: trio.SocketListener, scope: trio.CancelScope) -> None:
        with scope:
            await trio.serve_listeners(self._serve, [listener], handler_nursery=self._nursery)

    # ---- answering

    async def _serve(self, stream: trio.SocketStream) -> None:
        self._connections += 1
        try:
            async with stream:
                await serve(stream, partial(self._answer, stream.socket.getpeername()))
        except (trio.BrokenResourceError, OSError):
            pass  # whoever asked is gone
        finally:
            self._connections -= 1

    async def _answer(self, peer: object, request: h11.Request) -> Answer:
        if self._connections > CONNECTIONS_MAX:
            return refusal(503, "Too many ask at once.", last=True)
        if self._denies(peer):
            return refusal(403, "Protected mode is on, and no password is set: only this host may ask.")
        if request.method not in (b"GET", b"HEAD"):
            return refusal(405, "GET and HEAD are answered here.", ("Allow", "GET, HEAD"))
        match request.target.split(b"?", 1)[0]:
            case b"/metrics":
                return await self._metrics(request)
            case b"/health":
                return Answer(b"ok\n")
            case b"/":
                return Answer(b"This is a shardkv node. Its metrics for Prometheus are at /metrics.\n")
        return refusal(404, "There are /metrics and /health here.")

    async def _metrics(self, request: h11.Request) -> Answer:
        if not self._engine.access.admits(_credentials(request), TABLE["info"], [b"INFO"]):
            return refusal(
                401,
                "The name and password of a user who may say INFO are asked for (basic authentication).",
                ("WWW-Authenticate", 'Basic realm="shardkv metrics", charset="UTF-8"'),
            )
        # This takes a while, and many nodes never need it; from a thread it leaves the others their turns.
        metrics = await trio.to_thread.run_sync(import_module, "shardkv_node.metrics")
        self._engine.begin(clock.unix_ms())
        pieces = []
        for piece in metrics.steps(self._engine):
            pieces.append(piece)
            await trio.lowlevel.checkpoint()
        return Answer(b"".join(pieces), metrics.CONTENT_TYPE)


def _credentials(request: h11.Request) -> tuple[bytes, bytes] | None:
    """Name and password, if the request has some; what cannot be read is nobody's password."""
    for header, shown in request.headers:
        if header == b"authorization":
            scheme, _, rest = shown.partition(b" ")
            try:
                name, colon, password = base64.b64decode(rest, validate=True).partition(b":")
            except binascii.Error:
                return b"", b""
            return (name, password) if scheme.lower() == b"basic" and colon else (b"", b"")
    return None
