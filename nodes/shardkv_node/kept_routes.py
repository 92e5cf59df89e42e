"""Connections to the targets of MIGRATE, kept for the next shipment.

The reactor watches them as it watches clients: what goes to a target whose connection is free leaves from within the
command, and the answers are taken up in the reactor's own rounds. A task for each shipment would cost more than the
shipment does. Connections by TLS are kept as well, but for the tasks of ``shipping``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import trio
from hiredis import ProtocolError, Reader, ReplyError, pack_command

from shardkv.commands.migrate import Outcome, Shipment

if TYPE_CHECKING:
    from .reactor import Reactor
    from .tls import Stream

#: Connections to targets that are kept, and for how long without use (seconds), as Redis does.
KEPT_MAX: Final = 64
KEPT_SECONDS: Final = 10.0
RECEIVE: Final = 65536

Landed: TypeAlias = Callable[[Outcome], None]
Target: TypeAlias = tuple[bytes, int]


@dataclass(slots=True, eq=False)
class Route:
    """A connection to a target. ``database``: the one selected there; -1: unknown. ``fd``: its descriptor if the
    reactor can watch it, else -1."""

    stream: Stream
    used: float
    reader: Reader = field(default_factory=lambda: Reader(replyError=ReplyError))
    database: int = 0
    fresh: bool = True
    unsent: bytes = b""
    fd: int = -1

    def __post_init__(self) -> None:
        if isinstance(self.stream, trio.SocketStream):
            self.fd = self.stream.socket.fileno()

    def send_at_once(self, requests: Sequence[tuple[bytes, ...]]) -> None:
        """Send as much of the requests as the connection takes now; ``ask`` will send the rest."""
        self.unsent = packed(requests)
        if self.fd >= 0:
            with suppress(OSError):  # ``ask`` meets it again
                sent = os.write(self.fd, self.unsent)
                self.unsent = self.unsent[sent:]

    async def ask(self, requests: Sequence[tuple[bytes, ...]], *, begun: bool = False) -> list[Any]:
        """Send requests, or what is left of those that were begun at once, and return their replies, errors as values.
        Raises OSError, trio errors, and the reader's."""
        unsent = self.unsent if begun else packed(requests)
        if unsent:
            await self.stream.send_all(unsent)
        replies: list[Any] = []
        while len(replies) < len(requests):
            reply = self.reader.gets()
            if reply is False:
                data = await self.stream.receive_some(RECEIVE)
                if not data:
                    raise OSError("the target closed the connection")
                self.reader.feed(bytes(data))
            else:
                replies.append(reply)
        return replies


def packed(requests: Sequence[tuple[bytes, ...]]) -> bytes:
    """Requests as they are sent."""
    return b"".join([pack_command(request) for request in requests])  # type: ignore[arg-type]  # stub: a tuple of one


def outcome_of(answers: Sequence[Any]) -> Outcome:
    """The answers to the shipment's own requests."""
    return Outcome(errors=tuple([str(reply) if isinstance(reply, ReplyError) else None for reply in answers]))


@dataclass(slots=True, eq=False)
class _Waiting:
    """A shipment that has been sent: what has been answered of it, and until when (trio's clock) the rest may take."""

    shipment: Shipment
    landed: Landed
    until: float
    answers: list[Any] = field(default_factory=list)


class KeptRoutes:
    """Those that are free, by target, and those on which the reactor waits for answers."""

    def __init__(self, reactor: Reactor, anew: Callable[[Shipment, Landed], None]) -> None:
        """``anew``: carries out a shipment whose connection turned out to be dead."""
        self._reactor = reactor
        self._anew = anew
        self._free: dict[Target, list[Route]] = {}
        self._waiting: dict[Route, _Waiting] = {}
        self._looks_at = float("inf")
        self._wake = trio.Event()

    def __len__(self) -> int:
        return sum(map(len, self._free.values())) + len(self._waiting)

    def take(self, target: Target) -> Route | None:
        """A free connection, if there is one. It goes to ``wait`` next, or to ``keep`` after ``let_go``."""
        routes = self._free.get(target)
        return routes.pop() if routes else None

    def let_go(self, route: Route) -> None:
        """The reactor is to watch it no more."""
        if route.fd >= 0:
            self._reactor.dismiss(route.fd)

    def keep(self, target: Target, route: Route) -> bool:
        """Keep a connection on which nothing is to come; False if there are enough."""
        if len(self) >= KEPT_MAX:
            return False
        self._free.setdefault(target, []).append(route)
        if route.fd >= 0:
            self._reactor.attend(route.fd, partial(self._readable, target, route))
        return True

    def wait(self, route: Route, shipment: Shipment, landed: Landed) -> None:
        """All of a shipment was sent at once, on a connection from ``take``: its answers come by the reactor."""
        until = trio.current_time() + shipment.timeout
        self._waiting[route] = _Waiting(shipment, landed, until)
        if until < self._looks_at:
            self._wake.set()

    def _readable(self, target: Target, route: Route) -> None:
        waiting = self._waiting.get(route)
        try:
            data = os.read(route.fd, RECEIVE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if waiting is None or not data or not self._answered(route, waiting, data):
            self._lose(target, route)
            if waiting is not None:
                self._anew(waiting.shipment, waiting.landed)
        elif len(waiting.answers) == len(waiting.shipment.requests):
            del self._waiting[route]
            route.used = trio.current_time()
            self._free.setdefault(target, []).append(route)
            waiting.landed(outcome_of(waiting.answers))

    @staticmethod
    def _answered(route: Route, waiting: _Waiting, data: bytes) -> bool:
        """Take what a target says; False if that is no answer."""
        reader = route.reader
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not False:
                waiting.answers.append(reply)
        except ProtocolError:
            return False
        return len(waiting.answers) <= len(waiting.shipment.requests)

    def _lose(self, target: Target, route: Route) -> None:
        self._waiting.pop(route, None)
        routes = self._free.get(target, [])
        if route in routes:
            routes.remove(route)
        self.let_go(route)
        assert isinstance(route.stream, trio.SocketStream)
        route.stream.socket.close()

    async def run(self) -> None:
        """Give up what takes too long, and close what is not used, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._close_idle)
            while True:
                self._looks_at = min((waiting.until for waiting in self._waiting.values()), default=float("inf"))
                self._wake = trio.Event()
                with trio.move_on_at(self._looks_at):
                    await self._wake.wait()
                self._give_up(trio.current_time())

    def _give_up(self, now: float) -> None:
        late = [(route, waiting) for route, waiting in self._waiting.items() if waiting.until <= now]
        for route, waiting in late:
            self._lose((waiting.shipment.host, waiting.shipment.port), route)
            waiting.landed(Outcome(fault="reading from target instance"))
        if late:
            self._reactor.flush_woken()

    async def _close_idle(self) -> None:
        while True:
            await trio.sleep(1.0)
            horizon = trio.current_time() - KEPT_SECONDS
            for target, routes in list(self._free.items()):
                for route in [route for route in routes if route.used < horizon]:
                    routes.remove(route)
                    self.let_go(route)
                    await trio.aclose_forcefully(route.stream)
                if not routes:
                    self._free.pop(target, None)
