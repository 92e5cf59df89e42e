"""The loop that the cluster machine meets in production: its deadlines, its events, its effects in order.

Everything here happens in one trio thread, so there are no locks; but an effect may cause an event (a full queue, an
order from within), so events that come while effects are performed wait until those are done.

The disk is not waited for: while a view that binds this node is on its way there, whatever would tell others of it is
held, in order, and events go on being handled. What others may know before the disk does goes at once: a route that
takes nothing over, a pause, a deletion, a line for the log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import trio

from shardkv.cluster.effects import (
    Answer,
    Connect,
    Deliver,
    Disconnect,
    DropSlots,
    Effect,
    Follow,
    Level,
    Log,
    PauseWrites,
    Persist,
    Route,
    Send,
)
from shardkv.cluster.events import Event, LinkId, Ordered, Tick
from shardkv.cluster.messages import Message
from shardkv.cluster.nodes import NodeId
from shardkv.cluster.orders import Order
from shardkv.cluster.view import ClusterView
from shardkv.resp.replies import Reply

SHORTEST_SLEEP = 0.001  # s: a machine whose deadline is always past must not starve the clients


class Machine(Protocol):
    """What is driven: ``shardkv.cluster.machine.ClusterMachine``, or a test's."""

    @property
    def deadline(self) -> float:
        """When it wants its next ``Tick``, in seconds since the epoch."""

    def handle(self, event: Event, now: float) -> list[Effect]:
        """What must be done about the event, in order."""


class Links(Protocol):
    """The part of the bus that effects need."""

    def connect(self, order: Connect) -> None:
        """Starts to dial."""

    def disconnect(self, number: LinkId) -> None:
        """Closes a link."""

    def send(self, number: LinkId, message: Message) -> None:
        """Queues a message."""


class Records(Protocol):
    """Where views are made to last. A node that can't keep its promises (a vote, an epoch) must not go on, so what a
    write raises is not caught here."""

    @property
    def written(self) -> int:
        """The number of the last view on disk. Whoever raises it calls ``ClusterDriver.lasts`` then."""

    def write(self, view: ClusterView, *, urgent: bool) -> int:
        """Write a view, soon or as soon as can be; its number."""


class ClusterDriver:
    """One machine and the world it acts on. Each callable performs the effect of its name, at once and without
    waiting."""

    def __init__(
        self,
        machine: Machine,
        bus: Links,
        *,
        records: Records,
        route: Callable[[ClusterView], None],
        follow: Callable[[NodeId | None], None],
        pause_writes: Callable[[float], None],
        drop_slots: Callable[[tuple[int, ...]], None],
        deliver: Callable[[bytes, bytes, bool], None],
        log: Callable[[Level, str], None],
        clock: Callable[[], float],
    ) -> None:
        """``deliver(channel, payload, sharded)`` is for subscribers here. ``clock``: seconds since the epoch, never
        jumping."""
        self._machine = machine
        self._bus = bus
        self._records = records
        self._route = route
        self._follow = follow
        self._pause_writes = pause_writes
        self._drop_slots = drop_slots
        self._publish = deliver
        self._log = log
        self._clock = clock
        self._events: deque[Event] = deque()
        self._held: deque[tuple[int, Effect]] = deque()  #: each with the number of the view that it waits for
        self._awaited = 0
        self._route_due: ClusterView | None = None  #: of the last route; one before it is out of date
        self.routed: ClusterView | None = None  #: of the last route that was performed
        self._served = 0  #: the slots of this node by the last route that was performed
        self._busy = False
        self._tickets = 0
        self.spoken = 0  #: how often the bus was given something to do
        self._woken = trio.Event()
        self._sleeps_until = 0.0

    async def run(self) -> None:
        """Serves the machine's deadlines until cancelled."""
        while True:
            self._woken = trio.Event()
            self._sleeps_until = self._machine.deadline
            with trio.move_on_after(max(self._sleeps_until - self._clock(), SHORTEST_SLEEP)):
                await self._woken.wait()
            if self._clock() >= self._machine.deadline:
                self.submit(Tick())

    def submit(self, event: Event) -> list[Answer]:
        """Handles an event and performs what follows from it, before it returns; the answers are those given meanwhile.

        From within an effect it only queues the event, and returns nothing.
        """
        self._events.append(event)
        return [] if self._busy else self._work()

    @property
    def lasting(self) -> bool:
        """Whether all that binds this node is on disk."""
        return self._records.written >= self._awaited

    def lasts(self) -> None:
        """A view is on disk: perform what has waited for it. Not for use from within an effect."""
        if not self._busy:  # else it was written at once, and nothing waits
            self._work()

    def _work(self) -> list[Answer]:
        answers: list[Answer] = []
        self._busy = True
        try:
            self._release()
            while self._events:
                for effect in self._machine.handle(self._events.popleft(), self._clock()):
                    if isinstance(effect, Answer):
                        answers.append(effect)
                    else:
                        self._take(effect)
        finally:
            self._busy = False
        if self._machine.deadline < self._sleeps_until:
            self._woken.set()
        return answers

    def order(self, order: Order) -> Reply:
        """The reply to a CLUSTER command, when all its effects are done. Not for use from within an effect."""
        assert not self._busy, "an order from within an effect can't be answered"
        self._tickets += 1
        for answer in self.submit(Ordered(order, self._tickets)):
            if answer.ticket == self._tickets:
                return answer.reply
        raise AssertionError(f"no answer to {order!r:.200}")

    def _release(self) -> None:
        while self._held and self._held[0][0] <= self._records.written:
            self._perform(self._held.popleft()[1])

    def _take(self, effect: Effect) -> None:
        """Perform an effect, or hold it until what it relies on is on disk."""
        match effect:
            case Persist(view, awaited):
                number = self._records.write(view, urgent=awaited)
                if awaited:
                    self._awaited = number
            case PauseWrites() | DropSlots() | Deliver() | Log():
                self._perform(effect)
            case Route(view) if not view.me.slots & ~self._served:
                self._route_due = view
                self._perform(effect)
            case _:
                if isinstance(effect, Route):
                    self._route_due = effect.view
                if self._held or not self.lasting:
                    self._held.append((self._awaited, effect))
                else:
                    self._perform(effect)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Send(link, message):
                self.spoken += 1
                self._bus.send(link, message)
            case Connect():
                self.spoken += 1
                self._bus.connect(effect)
            case Disconnect(link):
                self.spoken += 1
                self._bus.disconnect(link)
            case Route(view):
                if view is self._route_due:
                    self.routed, self._served = view, view.me.slots
                    self._route(view)
            case Follow(primary):
                self._follow(primary)
            case PauseWrites(seconds):
                self._pause_writes(seconds)
            case DropSlots(slots):
                self._drop_slots(slots)
            case Deliver(channel, payload, sharded):
                self._publish(channel, payload, sharded)
            case Log(level, text):
                self._log(level, text)
            case _:
                raise AssertionError(f"an effect that nobody performs: {effect!r:.200}")
