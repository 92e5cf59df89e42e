"""The loop that the cluster machine meets in production: its deadlines, its events, its effects in order.

Everything here happens in one trio thread, so there are no locks; but an effect may cause an event (a full queue, an
order from within), so events that come while effects are performed wait until those are done.
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


class ClusterDriver:
    """One machine and the world it acts on. Each callable performs the effect of its name, at once and without waiting.

    ``persist`` returns when the view is on disk; what it raises is not caught here, because a node that can't keep its
    promises (a vote, an epoch) must not go on.
    """

    def __init__(
        self,
        machine: Machine,
        bus: Links,
        *,
        persist: Callable[[ClusterView], None],
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
        self._persist = persist
        self._route = route
        self._follow = follow
        self._pause_writes = pause_writes
        self._drop_slots = drop_slots
        self._publish = deliver
        self._log = log
        self._clock = clock
        self._events: deque[Event] = deque()
        self._busy = False
        self._tickets = 0
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
        if self._busy:
            return []
        answers: list[Answer] = []
        self._busy = True
        try:
            while self._events:
                for effect in self._machine.handle(self._events.popleft(), self._clock()):
                    if isinstance(effect, Answer):
                        answers.append(effect)
                    else:
                        self._perform(effect)
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

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Send(link, message):
                self._bus.send(link, message)
            case Persist(view):
                self._persist(view)
            case Connect():
                self._bus.connect(effect)
            case Disconnect(link):
                self._bus.disconnect(link)
            case Route(view):
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
