"""Who waits for which key, until when.

A blocked client is a record, not a suspended stack: the keys it waits for, a deadline, and an ``attempt`` that is tried
when one of the keys was touched. Clients of one key are served first come, first served; keys in the order in which
they became ready; all after the command, transaction or script that touched them has ended.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, Final

from ..commands.session import Blocked, Session
from ..errors import ReplyError
from ..resp.encoder import respond
from ..resp.replies import NO_REPLY

if TYPE_CHECKING:
    from ..keyspace.database import Database
    from .engine import Engine


#: Waits that have ended and are still kept for their time to come, at least.
_ENDED_KEPT: Final = 64


class Waiting:
    """All waits of one engine."""

    __slots__ = ("_begun", "_by_key", "_deadlines", "_engine", "_sessions", "ready")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sessions: dict[Session, Blocked] = {}
        self._by_key: dict[tuple[int, bytes], dict[Session, None]] = {}
        self._begun = 0  #: how many waits with a deadline there have been: of equal ones the first ends first
        self._deadlines: list[tuple[int, int, Session, Blocked]] = []
        self.ready: dict[tuple[int, bytes], None] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def keys(self) -> int:
        """How many keys somebody waits for."""
        return len(self._by_key)

    @property
    def deadline(self) -> int | None:
        """The earliest time at which a wait ends, in Unix milliseconds."""
        heap = self._deadlines
        while heap and self._sessions.get(heap[0][2]) is not heap[0][3]:
            heappop(heap)  # that wait has ended already
        return heap[0][0] if heap else None

    def add(self, session: Session, blocked: Blocked) -> None:
        """Let a session wait."""
        session.blocked = blocked
        session.refresh()
        self._sessions[session] = blocked
        if blocked.deadline is not None:
            self._remember(session, blocked, blocked.deadline)
        for key in blocked.keys:
            self._by_key.setdefault((blocked.db.index, key), {})[session] = None
        if blocked.keys:
            self._engine.refresh_calm()

    def _remember(self, session: Session, blocked: Blocked, deadline: int) -> None:
        """When a wait ends. Those that have ended before their time are thrown out when they are the larger part."""
        self._begun += 1
        heappush(self._deadlines, (deadline, self._begun, session, blocked))
        if len(self._deadlines) > 2 * len(self._sessions) + _ENDED_KEPT:
            self._deadlines = [entry for entry in self._deadlines if self._sessions.get(entry[2]) is entry[3]]
            heapify(self._deadlines)

    def remove(self, session: Session) -> None:
        """End a wait, without a reply."""
        blocked = self._sessions.pop(session, None)
        if blocked is None:
            return
        for key in blocked.keys:
            place = (blocked.db.index, key)
            held = self._by_key[place]
            del held[session]
            if not held:
                del self._by_key[place]
        session.blocked = None
        session.refresh()
        if blocked.keys:
            self._engine.refresh_calm()

    def end(self, session: Session, reply: Any) -> None:
        """End a wait with a reply; what the client sent meanwhile is carried out next."""
        engine = self._engine
        blocked = session.blocked
        self.remove(session)
        if blocked is not None and isinstance(reply, ReplyError):
            blocked.command.stats.failed += 1
            engine.stats.error(reply.code)
        if reply is not NO_REPLY and not session.reply_off:
            before = len(session.out)
            respond(session.out, reply, session.resp3)
            if blocked is not None:
                size = sum(map(len, session.out[before:]))
                engine.observer.answered(session, blocked.words, reply, size)
                if engine.slot_counts is not None:
                    engine.slot_counts.answered(blocked, size)
        engine.world.wake(session)

    def end_all(self, reply: ReplyError) -> None:
        """The node has changed so much that no wait makes sense any more: the clients are told, and their connections
        closed."""
        for session in list(self._sessions):
            self.end(session, reply)
            session.close_after_reply = True
            session.refresh()

    def touched(self, database: Database, key: bytes) -> None:
        """A key was changed: whoever waits for it is tried when the running command has ended."""
        place = (database.index, key)
        if place in self._by_key:
            self.ready[place] = None

    def exchanged(self, one: Database, two: Database) -> None:
        """Two databases have changed places: who waits in a number waits there still, and finds other keys."""
        for session, blocked in self._sessions.items():
            if blocked.db is one or blocked.db is two:
                blocked.db = session.db
                for key in blocked.keys:
                    self.ready[(blocked.db.index, key)] = None

    def flushed(self, database: Database) -> None:
        """All keys of a database are about to go: a wait that needs one that is there (a consumer group's) ends."""
        for index, key in self._by_key:
            if index == database.index and database.get(key) is not None:
                self.ready[(index, key)] = None

    def serve(self) -> None:
        """Try the clients of every ready key. What they take may make other keys ready in turn."""
        while self.ready:
            place = next(iter(self.ready))
            del self.ready[place]
            for session in list(self._by_key.get(place, ())):
                blocked = self._sessions.get(session)
                if blocked is not None:
                    blocked.woken_by = place[1]
                    self._try(session, blocked)

    def _try(self, session: Session, blocked: Blocked) -> None:
        engine = self._engine
        ctx = engine.context
        kept = (ctx.session, ctx.db, ctx.dirty, ctx.effects, ctx.inside, ctx.command, ctx.words)
        ctx.session, ctx.db = session, blocked.db
        ctx.dirty, ctx.effects, ctx.inside = 0, None, 1
        ctx.command, ctx.words = blocked.command, blocked.words
        engine.messages.begin_serving(session)
        started = engine.stopwatch()
        reply: Any
        try:
            # Rights may have gone since it began to wait.
            reply = engine.access.refuse(session, blocked.command, blocked.words) or blocked.attempt(ctx)
        except ReplyError as error:
            reply = error
        if reply is not None:
            seconds = engine.stopwatch() - started
            engine.observer.held_up("command-unblocking", seconds)
            engine.observer.note_slow(session, blocked.command, blocked.words, seconds)
            self.end(session, reply)
            engine.messages.remember_read(session, blocked.command, blocked.words)
        else:
            ctx.dirty = 0
        engine.messages.end_serving()
        engine.send_effects(ctx, blocked.words)
        ctx.session, ctx.db, ctx.dirty, ctx.effects, ctx.inside, ctx.command, ctx.words = kept

    def time_out(self, now: int) -> None:
        """End the waits whose time is over."""
        while (deadline := self.deadline) is not None and deadline <= now:
            _, _, session, blocked = heappop(self._deadlines)
            self.end(session, blocked.on_timeout)

    def refuse(self, why: Callable[[Session, Blocked], ReplyError | None]) -> None:
        """End the waits for keys for which there is a reason to."""
        for session, blocked in list(self._sessions.items()):
            refusal = why(session, blocked) if blocked.keys else None
            if refusal is not None:
                self.end(session, refusal)

    def cancel(self, session: Session, *, error: bool) -> bool:
        """CLIENT UNBLOCK: end a wait as by its timeout, or with an error. False if the session does not wait."""
        blocked = self._sessions.get(session)
        if blocked is None:
            return False
        reply = ReplyError("UNBLOCKED client unblocked via CLIENT UNBLOCK") if error else blocked.on_timeout
        self.end(session, reply)
        return True


__all__ = ["NO_REPLY", "Waiting"]
