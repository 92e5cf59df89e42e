"""What a node takes of the memory for its clients: the number that ``maxmemory`` is about, and ``used_memory`` in INFO.

It is the growth of the process since its start, added up from what is known: the books of the keyspace, the tables in
which keys stand, buffers, the backlog, scripts. The books are exact at any time, the rest is measured now and then, and
what the allocator wastes is learnt from the process itself.
"""

from __future__ import annotations

from collections.abc import Sized
from sys import getsizeof
from typing import TYPE_CHECKING, Final

from ..commands.session import SESSION_BYTES
from ..keyspace.slots import SLOT_COUNT
from ..keyspace.usage import BUCKET_ENTRY
from ..keyspace.usage import STARTUP as USES_STARTUP
from ..keyspace.weight import ENTRY

if TYPE_CHECKING:
    from ..keyspace.books import Books
    from ..keyspace.database import Database
    from .engine import Engine

#: What the process grows by for other reasons, when its program is used for the first time.
PROGRAM_BYTES: Final = 2**20
#: From fewer bytes in the books nothing is learnt.
LEARNT_FROM: Final = 4 * 2**20
#: How much the process grows for each byte of the keyspace, at least and at most; and so much is learnt at once, for as
#: much has to be given up for it.
LEAST_WASTE: Final = 1.06
MOST_WASTE: Final = 1.6
WASTE_STEP: Final = 0.01
#: Before any key is given up it costs nobody anything to learn faster.
FILLING_STEP: Final = 0.04
#: How many looks it takes to unlearn as much.
WASTE_TRIALS: Final = 50
#: By so many bytes, and by so much of what there is, the process grows once more when keys begin to go: at most so much
#: of the limit is kept free for it.
COMING_BYTES: Final = 4 * 2**20
COMING_WASTE: Final = 1.03
COMING_SHARE: Final = 7
#: By so much is what is wasted thought to be more, for each byte that the process grows by though keys are given up.
MORE_WASTE: Final = 2.0
#: A slot's dict while it is empty.
EMPTY_SLOT: Final = getsizeof({})
#: What a node holds at its start: the slots of its first database.
STARTUP: Final = EMPTY_SLOT * SLOT_COUNT
#: Slots whose tables are measured to know how large all are.
TABLES_MEASURED: Final = 256


class Footprint:
    """The footprint of one engine, as it was last measured. All sizes are bytes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.beside = STARTUP  #: what is used beside keys
        self._tables = 0.0  #: of tables, for each byte in the books
        self._waste = LEAST_WASTE  #: so much the process grows for each byte of books and tables
        self._evicted = 0  #: keys, when it was last learnt how the process grows
        self._grown_most = 0  #: by how much the process had grown at most

    def used(self, booked: float) -> int:
        """What is used when so much stands in the books."""
        return int(booked * (1 + self._tables) * self._waste) + self.beside

    def room(self, limit: int) -> float:
        """What may stand in the books so that no more is used than ``limit``, but for what doesn't count."""
        return (limit - self.beside + self.uncounted) / self._waste / (1 + self._tables)

    @property
    def uncounted(self) -> int:
        """Buffers whose growth must not make keys go, for that fills them: those of replicas and the log."""
        return self._for_replicas(queued=True) + self._engine.aof.buffered

    def _for_replicas(self, *, queued: bool) -> int:
        engine = self._engine
        found = 0
        for id, replica in engine.replication.primary.replicas.items():
            session = engine.sessions.get(id)
            found += (0 if session is None else session.unsent) + (replica.queued if queued else 0)
        return found

    def measure(self, books: Books | None) -> None:
        """Look at what is not booked with every change: tables and buffers."""
        engine = self._engine
        opened = engine.databases.opened
        backlog = engine.replication.history.backlog
        scripts = engine.scripts
        self.beside = (
            STARTUP * len(opened)
            + USES_STARTUP * sum(database.usage is not None for database in opened)
            + self.uncounted
            + max(0, engine.limits.total - self._for_replicas(queued=False))
            + SESSION_BYTES * len(engine.sessions)
            + (0 if backlog is None else backlog.length)
            + scripts.eval_memory
            + scripts.function_memory
            + scripts.cache.bytes
            + scripts.registry.bytes
        )
        if books is not None and books.complete and books.used > 0:
            self._tables = sum(map(_tables, opened)) / books.used

    def learn(self, books: Books | None) -> None:
        """Compare what is known with what the process has grown by.

        The allocator keeps memory that is free, in portions of all sizes, and not all of it can be used again. What
        that costs is told by how the process grows: while it fills, in proportion to what it holds; once keys are given
        up, by how much it grows all the same. That it does not shrink then says nothing.
        """
        facts, evicted = self._engine.world.facts(), self._engine.stats.evicted
        grown = facts["rss"] - facts["rss_startup"] - PROGRAM_BYTES - self.beside
        more = grown - self._grown_most
        if more > 0 and books is not None and books.complete and books.used > LEARNT_FROM:
            held = books.used * (1 + self._tables)
            if evicted == self._evicted:
                waste, most = self._coming(grown) / held, WASTE_STEP if evicted else FILLING_STEP
            else:
                waste, most = self._waste + MORE_WASTE * more / held, WASTE_STEP
            step = min(most, max(-most, waste - self._waste))
            self._waste = min(MOST_WASTE, max(LEAST_WASTE, self._waste + step))
        elif more <= 0 and grown + self.beside < self._engine.config.maxmemory:
            # What made it grow may be over: it is tried how much can be held in that, ever so slowly.
            self._waste = max(LEAST_WASTE, self._waste - WASTE_STEP / WASTE_TRIALS)
        if more > 0 or grown < self._grown_most * 3 // 4:  # much was given back to the system
            self._grown_most = grown
        self._evicted = evicted

    def _coming(self, grown: int) -> float:
        """By how much a process that has grown so far will have grown when keys come and go."""
        return COMING_WASTE * grown + min(COMING_BYTES, self._engine.config.maxmemory // COMING_SHARE)


def _tables(database: Database) -> int:
    """Bytes of the dicts of a database beyond what each key is booked with, by a look at some of them."""
    live, usage = database.live, database.usage
    if not live:
        return 0
    looked = live[:: max(1, len(live) // TABLES_MEASURED)]
    size = 0
    for slot in looked:
        size += _table(database.values[slot])
        times = database.expires[slot]
        if times is not None:
            size += getsizeof(times) - ENTRY * len(times)
    size = size * len(live) // len(looked) + (0 if usage is None else usage.memory(TABLES_MEASURED))
    return max(0, size - ENTRY * database.size)


def _table(held: Sized) -> int:
    return getsizeof(held) - EMPTY_SLOT if isinstance(held, dict) else len(held) * BUCKET_ENTRY
