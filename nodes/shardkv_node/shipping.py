"""MIGRATE's way to the target: a connection that is kept for a while, requests in one go, their replies in order.

What goes to a target whose connection is free leaves at once, from within the command: the target works while this
node goes on (``kept_routes``). All else, a first connection, a login, another database, is for a task.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from socket import gaierror
from typing import TYPE_CHECKING, Any

import trio
from hiredis import ReplyError

from shardkv.commands.migrate import Outcome, Shipment

from .kept_routes import KeptRoutes, Landed, Route, outcome_of

if TYPE_CHECKING:
    from .reactor import Reactor
    from .tls import Tls


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


class Shipping:
    """Carries out shipments; those to one target one after the other."""

    def __init__(self, reactor: Reactor, tls: Callable[[], Tls | None]) -> None:
        """``tls``: what targets are dialled by, if the nodes of the cluster speak TLS with each other."""
        self._reactor = reactor
        self._tls = tls
        self._kept = KeptRoutes(reactor, self._begin)
        self._nursery: trio.Nursery | None = None
        self._under_way = 0

    def ship(self, shipment: Shipment, landed: Landed) -> None:
        """Send it; ``landed`` is called once, when it is known how it went."""
        if self._nursery is None:
            landed(Outcome(fault="connecting to the client"))  # this node ends
            return
        route = self._kept.take((shipment.host, shipment.port))
        if route is not None:
            if not needed_before(shipment, route.database):
                route.send_at_once(shipment.requests)
                if route.fd >= 0 and not route.unsent:
                    self._kept.wait(route, shipment, landed)
                    return
            self._kept.let_go(route)
        self._begin(shipment, landed, route)

    @property
    def kept(self) -> int:
        """How many connections to targets are kept."""
        return len(self._kept)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                await self._kept.run()
            finally:
                self._nursery = None

    def _begin(self, shipment: Shipment, landed: Landed, kept: Route | None = None) -> None:
        """A task for a shipment, on a connection that was kept (and that the reactor does not watch), or a new one."""
        assert self._nursery is not None
        self._nursery.start_soon(self._carry, shipment, landed, kept)
        self._under_way += 1
        self._reactor.hurry("shipments", True)

    async def _carry(self, shipment: Shipment, landed: Landed, kept: Route | None) -> None:
        outcome = await self._try(shipment, kept)
        if outcome is None:
            # A kept connection turned out to be dead: the target may have closed it for being idle.
            outcome = await self._try(shipment, None)
        self._under_way -= 1
        self._reactor.hurry("shipments", bool(self._under_way))
        landed(outcome if outcome is not None else Outcome(fault="writing to target instance"))
        self._reactor.flush_woken()

    async def _try(self, shipment: Shipment, kept: Route | None) -> Outcome | None:
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
        if not self._kept.keep((shipment.host, shipment.port), route):
            await trio.aclose_forcefully(route.stream)
        return outcome

    @staticmethod
    async def _send(route: Route, shipment: Shipment) -> Outcome:
        before = needed_before(shipment, route.database)
        if before:
            refused = refusal_of(await route.ask(before))
            route.database = shipment.database if refused is None else -1
            if refused is not None:
                return refused
        return outcome_of(await route.ask(shipment.requests, begun=not before and not route.fresh))

    async def _dial(self, shipment: Shipment) -> Route | Outcome:
        try:
            with trio.fail_after(shipment.timeout):
                stream = await trio.open_tcp_stream(shipment.host.decode("utf-8", "surrogateescape"), shipment.port)
        except (gaierror, ValueError, trio.TooSlowError):
            return Outcome(fault="connecting to the client")
        except OSError:
            return Outcome(fault="writing to target instance")
        tls = self._tls()
        return Route(stream if tls is None else tls.dialled(stream), trio.current_time())
