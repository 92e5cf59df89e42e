"""MIGRATE's way to the target: a connection that is kept for a while, requests in one go, their replies in order.

What goes to a target whose connection is free leaves at once, from within the command: the target works while this
node still goes from one task to the other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from socket import gaierror
from typing import TYPE_CHECKING, Any, Final

import trio
from hiredis import Reader, ReplyError, pack_command

from shardkv.commands.migrate import Outcome, Shipment

if TYPE_CHECKING:
    from .reactor import Reactor
    from .tls import Stream, Tls

#: Connections to targets that are kept, and for how long without use (seconds), as Redis does.
KEPT_MAX: Final = 64
KEPT_SECONDS: Final = 10.0
RECEIVE: Final = 65536

Landed = Callable[[Outcome], None]


@dataclass(slots=True, eq=False)
class _Route:
    """A connection to a target. ``database``: the one selected there; -1: unknown."""

    stream: Stream
    used: float
    reader: Reader = field(default_factory=lambda: Reader(replyError=ReplyError))
    database: int = 0
    fresh: bool = True
    unsent: bytes = b""

    def send_at_once(self, requests: Sequence[tuple[bytes, ...]]) -> None:
        """Send as much of the requests as the connection takes now; ``ask`` will send the rest."""
        self.unsent = packed(requests)
        if isinstance(self.stream, trio.SocketStream):
            with suppress(OSError):  # ``ask`` meets it again
                sent = os.write(self.stream.socket.fileno(), self.unsent)
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


def needed_before(shipment: Shipment, database: int) -> list[tuple[bytes, ...]]:
    """What has to be said before the shipment's own requests, on a connection that has selected ``database``. It is
    not sent in one go with the rest: what follows a refused SELECT would land in another database."""
    before: list[tuple[bytes, ...]] = [shipment.login] if shipment.login else []
    if shipment.database != database:
        before.append((b"SELECT", b"%d" % shipment.database))
    return before


def refusal_of(answers: Sequence[Any]) -> Outcome | None:
    """The first error among the answers to that, if there is any."""
    return next((Outcome(refused=str(reply)) for reply in answers if isinstance(reply, ReplyError)), None)


def outcome_of(answers: Sequence[Any]) -> Outcome:
    """The answers to the shipment's own requests."""
    return Outcome(errors=tuple(str(reply) if isinstance(reply, ReplyError) else None for reply in answers))


class Shipping:
    """Carries out shipments, each in a task of its own; those to one target one after the other."""

    def __init__(self, reactor: Reactor, tls: Callable[[], Tls | None]) -> None:
        """``tls``: what targets are dialled by, if the nodes of the cluster speak TLS with each other."""
        self._reactor = reactor
        self._tls = tls
        self._routes: dict[tuple[bytes, int], list[_Route]] = {}
        self._nursery: trio.Nursery | None = None
        self._under_way = 0

    def ship(self, shipment: Shipment, landed: Landed) -> None:
        """Send it; ``landed`` is called once, when it is known how it went."""
        if self._nursery is None:
            landed(Outcome(fault="connecting to the client"))  # this node ends
            return
        route = self._kept(shipment)
        if route is not None and not needed_before(shipment, route.database):
            route.send_at_once(shipment.requests)
        self._nursery.start_soon(self._carry, shipment, landed, route)
        self._under_way += 1
        self._reactor.hurry("shipments", True)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                await self._close_idle()
            finally:
                self._nursery = None

    async def _carry(self, shipment: Shipment, landed: Landed, kept: _Route | None) -> None:
        outcome = await self._try(shipment, kept)
        if outcome is None:
            # A kept connection turned out to be dead: the target may have closed it for being idle.
            outcome = await self._try(shipment, None)
        self._under_way -= 1
        self._reactor.hurry("shipments", bool(self._under_way))
        landed(outcome if outcome is not None else Outcome(fault="writing to target instance"))
        self._reactor.flush_woken()

    async def _try(self, shipment: Shipment, kept: _Route | None) -> Outcome | None:
        """How it went; None: not at all, on a connection that had been kept."""
        route = kept or await self._dial(shipment)
        if isinstance(route, Outcome):
            return route
        try:
            with trio.fail_after(shipment.timeout):
                outcome = await self._send(route, shipment)
        except trio.TooSlowError:
            await trio.aclose_forcefully(route.stream)
            return Outcome(fault="reading from target instance")
        except Exception:  # whatever the target does or says, the client gets an answer
            await trio.aclose_forcefully(route.stream)
            if not route.fresh:
                return None
            return Outcome(fault="reading from target instance")
        route.used, route.fresh = trio.current_time(), False
        await self._keep(shipment, route)
        return outcome

    @staticmethod
    async def _send(route: _Route, shipment: Shipment) -> Outcome:
        before = needed_before(shipment, route.database)
        if before:
            refused = refusal_of(await route.ask(before))
            route.database = shipment.database if refused is None else -1
            if refused is not None:
                return refused
        return outcome_of(await route.ask(shipment.requests, begun=not before and not route.fresh))

    async def _dial(self, shipment: Shipment) -> _Route | Outcome:
        try:
            with trio.fail_after(shipment.timeout):
                stream = await trio.open_tcp_stream(shipment.host.decode("utf-8", "surrogateescape"), shipment.port)
        except (gaierror, ValueError, trio.TooSlowError):
            return Outcome(fault="connecting to the client")
        except OSError:
            return Outcome(fault="writing to target instance")
        tls = self._tls()
        return _Route(stream if tls is None else tls.dialled(stream), trio.current_time())

    # ---- connections that are kept

    @property
    def kept(self) -> int:
        """How many there are."""
        return sum(map(len, self._routes.values()))

    def _kept(self, shipment: Shipment) -> _Route | None:
        routes = self._routes.get((shipment.host, shipment.port))
        return routes.pop() if routes else None

    async def _keep(self, shipment: Shipment, route: _Route) -> None:
        if self.kept >= KEPT_MAX:
            await trio.aclose_forcefully(route.stream)
            return
        self._routes.setdefault((shipment.host, shipment.port), []).append(route)

    async def _close_idle(self) -> None:
        while True:
            await trio.sleep(1.0)
            horizon = trio.current_time() - KEPT_SECONDS
            for target, routes in list(self._routes.items()):
                for route in [route for route in routes if route.used < horizon]:
                    routes.remove(route)
                    await trio.aclose_forcefully(route.stream)
                if not routes:
                    self._routes.pop(target, None)
