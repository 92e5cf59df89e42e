"""The numbered databases of a node, and what happens to several of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING

from ..errors import ReplyError
from ..keyspace.database import Database

if TYPE_CHECKING:
    from ..commands.context import Context
    from .engine import Engine


class Databases(list[Database | None]):
    """The databases by number; None stands for one that nobody has used yet."""

    __slots__ = ("_engine", "attended", "opened")

    def __init__(self, engine: Engine, count: int) -> None:
        super().__init__([None] * count)
        self._engine = engine
        self.attended = False  #: somebody watches keys, waits for them, or caches them
        self.opened: list[Database] = []  #: those that have been used

    def open(self, index: int) -> Database:
        """The database with this number, made when it is first used. Raises ReplyError out of range."""
        if not 0 <= index < len(self):
            raise ReplyError("ERR DB index is out of range")
        engine = self._engine
        database = self[index]
        if database is None:
            database = self[index] = Database(index, engine.served, engine.hidden)
            database.attended = self.attended
            self.opened.append(database)
            engine.memory.adopt(database)
            engine.expiring.opened(database)
        database.now = engine.horizon
        database.clock = engine.now // 1000
        return database

    def attend(self, attended: bool) -> None:
        """From now on somebody watches keys, waits for them or caches them, or nobody does."""
        if attended != self.attended:
            self.attended = attended
            for database in self.opened:
                database.attended = attended

    def swap(self, first: int, second: int) -> None:
        """Exchange two databases: every client sees the other one's keys under its number. Raises ReplyError out of
        range."""
        one, two = self.open(first), self.open(second)
        if one is two:
            return
        engine = self._engine
        engine.watches.exchanged(one, two)
        one.index, two.index = second, first
        self[first], self[second] = two, one
        engine.expiring.swapped(first, second)
        for session in engine.sessions.values():
            if session.db is one:
                session.db = two
            elif session.db is two:
                session.db = one
        if engine.waiting:
            engine.waiting.exchanged(one, two)

    def flushed(self, database: Database | None) -> None:
        """All keys of a database (None: of all) are about to go: break their watches and have caches forget them."""
        self._engine.messages.flushed()
        for held in self.opened if database is None else [database]:
            self._engine.watches.flushed(held)
            self._engine.waiting.flushed(held)

    def empty(self) -> None:
        """Forget all keys of all databases, and tell nobody but the clients of this node."""
        self.flushed(None)
        for database in self.opened:
            database.clear()

    def free(self, spent: Callable[[], bool]) -> bool:
        """Give back memory of large values that are gone until ``spent()``, or all of it. True if there is more."""
        more = False
        for database in self.opened:
            if database.freeing:
                more = database.freeing.step(spent) or more
        return more

    def holds(self, slot: int) -> bool:
        """Whether there are keys of a slot in any database."""
        return any(database.values[slot] for database in self.opened)

    def drop_slots(self, slots: Iterable[int], most: int | None = None) -> None:
        """Delete the keys of slots that belong to another node now, with all consequences; ``most`` a slot and
        database."""

        def drop(ctx: Context) -> None:
            for slot in slots:
                for key in list(islice(ctx.db.values[slot], most)):
                    if ctx.delete(key):
                        ctx.replicate(b"DEL", key)

        for database in self.opened:
            self._engine.apart(database, [b"DEL"], drop)

    @property
    def changes(self) -> int:
        """How many changes were made since the start."""
        return sum(database.dirty for database in self.opened)
