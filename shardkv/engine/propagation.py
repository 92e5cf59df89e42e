"""What goes to the log and to the replicas, in one place.

A request that changes something is propagated as it came, or as what the command said instead (``Context.replicate``).
All that one request brings about (keys that it found expired, the requests inside EXEC or a script) gathers in
``pending`` in the order in which it happened, and leaves together when the request has ended: alone as it is, several
between MULTI and EXEC, so that nobody who follows ever sees a part of it.

A *sink* gets the words and the database that they are meant for, None for MULTI and EXEC, which belong to none: SELECT
is the sink's own concern, since each stream stands somewhere else. Whoever takes part in ``listeners`` as well also
gets what changes no data (PUBLISH): replicas do, the log does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from ..keyspace.database import Database

if TYPE_CHECKING:
    from ..commands.context import Context
    from .engine import Engine

Sink: TypeAlias = Callable[[Database | None, list[bytes]], None]

#: Who gets something: bits, as redis.set_repl has them.
LOG, REPLICAS, EVERYBODY = 1, 2, 3

_MULTI: Final = [b"MULTI"]
_EXEC: Final = [b"EXEC"]


class Propagation:
    """Gathers what a request became. ``sinks`` is the engine's list, which is empty when nobody follows."""

    __slots__ = ("_engine", "audience", "in_one_go", "listeners", "pending", "sinks")

    def __init__(self, engine: Engine, sinks: list[Sink]) -> None:
        self._engine = engine
        self.sinks = sinks
        self.listeners: list[Sink] = []  #: those of the sinks that get what changes no data, too
        #: what a sink takes many commands for one database by, if there is something quicker than to be called for each
        self.in_one_go: dict[Sink, Callable[[Database, list[list[bytes]]], None]] = {}
        self.audience = EVERYBODY  #: who gets what changes data; scripts may choose (redis.set_repl)
        #: number of the database, words, who gets it
        self.pending: list[tuple[int, list[bytes], int]] = []

    def send(self, database: Database, words: list[bytes]) -> None:
        """Feed a command to the log and the replicas at once: nothing else belongs to it."""
        for sink in self.sinks:
            sink(database, words)

    def send_run(self, database: Database, requests: list[list[bytes]]) -> None:
        """The same for several, each of which stands for itself."""
        for sink in self.sinks:
            take_all = self.in_one_go.get(sink)
            if take_all is not None:
                take_all(database, requests)
            else:
                for words in requests:
                    sink(database, words)

    def add(self, database: Database, words: list[bytes]) -> None:
        """One more thing that the running request brings about."""
        if self.sinks and self.audience:
            self.pending.append((database.index, words, self.audience))

    def add_message(self, database: Database, words: list[bytes]) -> None:
        """The same for what changes no data."""
        if self.listeners:
            self.pending.append((database.index, words, REPLICAS))

    def add_effects(self, ctx: Context, words: list[bytes]) -> None:
        """What a command that changed something became: itself, or what it said instead."""
        if not self.sinks or not self.audience:
            return
        if ctx.effects is None:
            self.pending.append((ctx.db.index, words, self.audience))
        else:
            self.pending += [(index, effect, self.audience) for index, effect in ctx.effects]

    def leave(self, *, together: bool = True) -> None:
        """The request has ended: what it brought about goes out. ``together``: several things are one transaction."""
        pending = self.pending
        if not pending:
            return
        self.pending = []
        databases = self._engine.databases
        between = together and len(pending) > 1
        if between:
            for sink in self.sinks:
                sink(None, _MULTI)
        for index, words, audience in pending:
            database = databases[index]
            for sink in self.sinks if audience == EVERYBODY else self._sinks_of(audience):
                sink(database, words)
        if between:
            for sink in self.sinks:
                sink(None, _EXEC)

    def _sinks_of(self, audience: int) -> list[Sink]:
        if audience == LOG:
            return [sink for sink in self.sinks if sink not in self.listeners]
        return self.listeners
