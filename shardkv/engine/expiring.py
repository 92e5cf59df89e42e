"""The end of keys whose time is over: one by one as commands meet them, and step by step in the background.

On a replica nothing expires, for its primary says so, but the keys to which clients of a writable replica gave a time
themselves.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from ..commands.hash_fields import expire_fields
from ..keyspace.expiry import ExpireCycle
from .going import deletion, have_gone

if TYPE_CHECKING:
    from ..keyspace.database import Database
    from .engine import Engine

#: Fields of hashes that are expired between two looks at the clock.
FIELDS_A_LOOK: Final = 64
#: Keys with a time of their own that a writable replica looks at in one step.
OWN_KEYS_A_LOOK: Final = 512


class Expiring:
    """What expires in one engine, and how."""

    __slots__ = ("_engine", "active", "cycles", "remembered")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.active = True  #: DEBUG SET-ACTIVE-EXPIRE
        self.cycles: dict[int, ExpireCycle] = {}  #: by the number of the database
        self.remembered: dict[tuple[int, bytes], None] = {}  #: keys of a writable replica that expire here

    # ---- databases

    def opened(self, database: Database) -> None:
        """A database is used for the first time."""
        self.cycles[database.index] = ExpireCycle(database)

    def swapped(self, first: int, second: int) -> None:
        """Two databases have changed places."""
        cycles = self.cycles
        cycles[first], cycles[second] = cycles[second], cycles[first]

    # ---- one key

    @property
    def suspended(self) -> bool:
        """Whether what has expired stays where it is and is only not shown: on a replica, and during a pause, which
        promises that nothing changes."""
        return self._engine.following or self._engine.pausing.until is not None

    def expire(self, database: Database, key: bytes) -> None:
        """Delete a key whose time has passed: DEL (UNLINK if ``lazyfree-lazy-expire`` says so) is propagated, the event
        is ``expired``. While that is suspended only a client's write does so, on a replica if clients may write."""
        engine = self._engine
        may_write = not engine.following or not engine.config.replica_read_only
        if not self.suspended or (may_write and engine.context.command.is_write):
            self._expire(database, key)

    def _expire(self, database: Database, key: bytes) -> None:
        engine = self._engine
        database.discard(key)
        engine.stats.expired += 1
        have_gone(engine, database, (key,), "expired", watched=engine.watches.expired)
        if engine.sinks:
            engine.propagation.add(database, [deletion(lazily=engine.config.lazyfree_lazy_expire), key])

    def remember(self, database: Database, key: bytes) -> None:
        """A client of a writable replica has given a key a time. The primary knows nothing of it: it expires here."""
        self.remembered[database.index, key] = None

    # ---- in the background

    def step(self, now: int, budget_seconds: float) -> bool:
        """One bounded step over all databases (``now`` in Unix milliseconds). True if there is more to do at once."""
        engine = self._engine
        if not self.active or engine.pausing.until is not None:
            return False
        if engine.following:
            return self._expire_own(now)
        engine.begin(now)
        started = engine.stopwatch()
        until = started + budget_seconds
        more = self._keys_due(now, until)
        more = self._fields_due(now, until) or more
        engine.propagation.leave(together=False)
        seconds = engine.stopwatch() - started
        engine.stats.expire_cycle_cpu_ms += seconds * 1000
        engine.observer.held_up("expire-cycle", seconds)
        if engine.waiting.ready:
            engine.waiting.serve()
        return more

    def _keys_due(self, now: int, until: float) -> bool:
        """Every cycle goes on until the stopwatch shows ``until``; whether much of what was seen was stale."""
        stats, stopwatch = self._engine.stats, self._engine.stopwatch
        more = False
        for cycle in list(self.cycles.values()):
            stale, walked = cycle.stale, cycle.walked
            whole = cycle.step(now, self.expire, lambda: stopwatch() >= until)
            looked = cycle.walked - walked
            if looked:
                share = 100.0 * (cycle.stale - stale) / looked
                stats.expired_stale_percent = stats.expired_stale_percent * 0.95 + share * 0.05
                more = more or (not whole and share > 10.0)
            if not whole:
                stats.expire_time_cap_reached += 1
        return more

    def _fields_due(self, now: int, until: float) -> bool:
        """The same for fields of hashes; whether there are more."""
        engine = self._engine
        more = False
        for database in engine.databases.opened:
            if database.hash_times:
                while (due := expire_fields(engine, database, now, FIELDS_A_LOOK)) and engine.stopwatch() < until:
                    pass
                more = more or due
        return more

    def _expire_own(self, now: int) -> bool:
        """Look at the keys that expire here though this node is a replica. True if there are more to look at."""
        engine, remembered = self._engine, self.remembered
        if not remembered:
            return False
        engine.begin(now)
        for index, key in list(islice(remembered, OWN_KEYS_A_LOOK)):
            del remembered[index, key]
            database = engine.databases.open(index)
            at = database.expiry(key)
            if at is None:
                continue
            if at < now:
                self._expire(database, key)
            else:
                remembered[index, key] = None
        engine.propagation.leave(together=False)
        return False
