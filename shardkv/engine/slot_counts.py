"""Requests counted for the slots that they are about (``cluster-slot-stats-enabled``).

Who wants to know has every request carried out by itself, off the short way: a node that does not is not asked. A
request counts for the slot of its keys with the time that it took, its own bytes and those of its replies; a
transaction with all that belongs to it; SPUBLISH with what its subscribers here were sent. What goes to replicas is no
part of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..keyspace.slots import key_slot
from ..observation.slot_stats import SlotStats
from ..pubsub.channels import Way
from ..resp.sizes import request_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..commands.session import Blocked, Session
    from ..commands.spec import Command
    from .engine import Engine

_SLOTS: Final = 16384
_MULTI: Final = request_size([b"MULTI"])

Queue = list[tuple["Command", list[bytes]]]


class SlotCounts:
    """The counters of one engine, and the way past them."""

    __slots__ = ("_engine", "stats")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.stats = SlotStats(_SLOTS)

    def perform(self, session: Session, words: list[bytes]) -> None:
        """Carry out a request, and count it if it got as far as that."""
        engine = self._engine
        queue, carried_out, before = session.queue, session.commands, len(session.out)
        queued = len(queue) if queue is not None else 0
        started = engine.stopwatch()
        engine.perform(session, words)
        seconds = engine.stopwatch() - started
        if session.commands != carried_out:
            self._count(session, words, queue, seconds, sum(map(len, session.out[before:])))
        elif queue is not None and len(queue) > queued:
            command, request = queue[-1]
            self._add(command, request, 0.0, request_size(request), 0)

    def answered(self, blocked: Blocked, sent: int) -> None:
        """A request that waited has got its reply."""
        self._add(blocked.command, blocked.words, 0.0, 0, sent)

    def _count(self, session: Session, words: list[bytes], queue: Queue | None, seconds: float, sent: int) -> None:
        command = self._engine.look_up(words)
        if command is None:
            return
        received = request_size(words)
        if command.name == "exec":
            for queued, request in queue or ():
                if queued.key_positions(request):
                    self._add(queued, request, seconds, received + _MULTI, sent)
                    return
        elif command.name == "spublish" and len(words) == 3:
            sent += self._delivered(words)
        self._add(command, words, seconds, received, sent)

    def _delivered(self, words: Sequence[bytes]) -> int:
        """Bytes of a message to a shard channel, for all who listen here."""
        _, channel, text = words
        return self._engine.messages.channels.count(channel, Way.SHARD) * request_size([b"smessage", channel, text])

    def _add(self, command: Command, words: list[bytes], seconds: float, received: int, sent: int) -> None:
        positions = command.key_positions(words)
        if positions:
            self.stats.add(key_slot(words[positions[0]]), seconds, received, sent)
