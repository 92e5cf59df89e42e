"""``maxmemory``: whether there is room, and making some.

While the limit is on, the keyspace keeps books of what it holds (``keyspace/books``), and under LRU and LFU policies of
when keys are used (``keyspace/usage``). A change that brings the sum above the limit sounds an alarm, which is that the
engine is not *calm* any more: so requests meet the gates, where ``relieve`` gives up keys before the next command.
Nothing on the short way asks about memory but the twins that keep the books.

What counts against the limit is what ``footprint`` adds up, but for buffers for replicas and the log, as in Redis:
giving up keys fills them further.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final

from ..keyspace.books import Books
from ..keyspace.eviction import Eviction, Policy
from ..keyspace.usage import Frequency, Recency, Usage
from .footprint import Footprint
from .going import has_gone

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..keyspace.database import Database
    from .engine import Engine

#: Keys that are given up between two looks at the clock.
PORTION: Final = 32
#: When room is made, a little more is made than is needed: at most so many bytes, and this share of the limit.
SPARE_BYTES: Final = 16 * 1024
SPARE_SHARE: Final = 256
#: Draws that yield no key in a row, until there is none.
FRUITLESS: Final = 32
#: When the books have changed by one part in so many, what stands beside them is measured again.
MEASURED_SHARE: Final = 32
#: What counting the keys may take at once when the limit is switched on, and in each step from then on, in seconds.
FIRST_COUNT: Final = 0.004
NEXT_COUNT: Final = 0.001


class MemoryLimit:
    """The limit of one engine. ``books`` is None while there is nothing to keep any for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.books: Books | None = None
        self._known: tuple[Any, ...] = ()  #: the options as they were obeyed last
        self._policy = Policy.named("noeviction")
        self._eviction = Eviction(self._policy, engine.rng)
        self._usage_kind = ""
        self.footprint = Footprint(engine)
        self._measured = 0  #: what stood in the books when that was measured last
        self.pressed = False  #: the limit is exceeded, as far as is known
        self.starved = False  #: and nothing can be given up
        self._exceeded_since: float | None = None
        self._exceeded_seconds = 0.0

    # ---- options

    def configure(self) -> None:
        """Obey the options as they are now."""
        engine = self._engine
        config = engine.config
        exempt = engine.loading or (engine.following and config.replica_ignore_maxmemory)
        known = (config.maxmemory, config.maxmemory_policy, config.lfu_decay_time, exempt)
        if known == self._known:
            return
        self._known = known
        policy = Policy.named(str(config.maxmemory_policy))
        if policy != self._policy:
            self._policy = policy
            self._eviction = Eviction(policy, engine.rng)
        kind = policy.order if policy.order == "lfu" or (policy.order == "lru" and config.maxmemory) else ""
        keeps = bool(kind or config.maxmemory) and not engine.loading
        if kind != self._usage_kind or keeps != (self.books is not None):
            self._keep(kind, keeps)
        self.measure()

    def _keep(self, kind: str, keeps: bool) -> None:
        """Begin or end to keep books, and what kind of use is kept in mind."""
        engine = self._engine
        if kind != self._usage_kind:
            self._usage_kind = kind
            for database in engine.databases.opened:
                database.usage = self._new_usage()
            if self.books is not None:
                self.books.recount()  # which makes the new kind know every key
        if not keeps:
            self.books = None
        elif self.books is None:
            self.books = Books(engine.databases.opened, self._alarm)
        for database in engine.databases.opened:
            database.books = self.books
        engine.short_way.keep_books(on=keeps)
        if self.books is not None:
            self.books.count(self._spent_in(FIRST_COUNT))

    def adopt(self, database: Database) -> None:
        """A database is used for the first time."""
        database.books = self.books
        database.usage = self._new_usage()

    def _new_usage(self) -> Usage | None:
        """Something to keep the uses of a database's keys in, if that is done."""
        engine = self._engine
        if self._usage_kind == "lfu":
            return Frequency(engine, engine.config, engine.rng)
        return Recency(engine) if self._usage_kind == "lru" else None

    def _spent_in(self, seconds: float) -> Callable[[], bool]:
        stopwatch = self._engine.stopwatch
        until = stopwatch() + seconds
        return lambda: stopwatch() >= until

    # ---- how much

    def measure(self) -> None:
        """Look at what is not booked with every change. To be called some ten times a second."""
        self.footprint.measure(self.books)
        self._measured = 0 if self.books is None else self.books.used
        self._set_limit()

    def learn(self) -> None:
        """The same, and compare with what the process has grown by."""
        self.footprint.learn(self.books)
        self.measure()

    def _set_limit(self) -> None:
        books = self.books
        if books is None:
            self.pressed = self.starved = False
            return
        limit, exempt = self._engine.config.maxmemory, self._known[-1]
        books.limit = inf if not limit or exempt else self.footprint.room(limit)
        if books.used > books.limit and books.complete:
            self._alarm()
        elif self.pressed:
            self._relieved()

    def _alarm(self) -> None:
        if not self.pressed:
            self.pressed = True
            self._engine.calm = False

    # ---- making room

    def relieve(self) -> bool:
        """Give up keys if the limit is exceeded. False if that cannot be helped: then memory is out."""
        books = self.books
        if books is None or not self.pressed or not self._may_evict():
            return True
        if abs(books.used - self._measured) * MEASURED_SHARE > self._measured:
            self.measure()
        if books.used <= books.limit:
            self._relieved()
            return True
        if self._policy.order:
            self._evict(books)
        else:
            self.starved = True
        if books.used <= books.limit:
            self._relieved()
        elif self._exceeded_since is None:
            self._exceeded_since = self._engine.stopwatch()
        return not self.starved

    def _may_evict(self) -> bool:
        engine = self._engine
        return not (
            engine.loading
            or engine.pausing.until is not None
            or engine.scripts.overtime.refusal is not None
            or (engine.following and engine.config.replica_ignore_maxmemory)
        )

    def _relieved(self) -> None:
        self.pressed = self.starved = False
        if self._exceeded_since is not None:
            self._exceeded_seconds += self._engine.stopwatch() - self._exceeded_since
            self._exceeded_since = None
        self._engine.refresh_calm()

    def _evict(self, books: Books) -> None:
        """Give up keys until there is room, or for as long as ``maxmemory-eviction-tenacity`` says."""
        engine = self._engine
        stopwatch = engine.stopwatch
        started = stopwatch()
        until = started + _patience(engine.config.maxmemory_eviction_tenacity)
        target = books.limit - min(SPARE_BYTES, max(0, books.limit) // SPARE_SHARE)
        fruitless = 0
        self.starved = False
        while books.used > target and fruitless < FRUITLESS:
            chosen = self._eviction.choose(engine.databases.opened, engine.config.maxmemory_samples, PORTION)
            before = engine.stats.evicted
            while chosen and books.used > target:
                self._give_up(*chosen.pop())
            self._eviction.take_back(chosen)
            fruitless = fruitless + 1 if engine.stats.evicted == before else 0
            engine.propagation.leave(together=False)
            if stopwatch() >= until and books.used > target:
                break
        else:
            self.starved = books.used > books.limit
        engine.observer.held_up("eviction-cycle", stopwatch() - started)
        if engine.waiting.ready:
            engine.waiting.serve()

    def _give_up(self, database: Database, key: bytes) -> None:
        """Delete a key with all consequences."""
        engine = self._engine
        watched = engine.observer.watches_latency
        started = engine.stopwatch() if watched else 0.0
        if (self._policy.volatile and database.expiry(key) is None) or not database.discard(key):
            return  # a candidate of old, or twice the same
        database.fit(key)
        if watched:
            engine.observer.held_up("eviction-del", engine.stopwatch() - started)
        engine.stats.evicted += 1
        lazily = engine.config.lazyfree_lazy_eviction
        has_gone(engine, database, key, "evicted", watched=engine.watches.touched, lazily=lazily)

    # ---- time

    @property
    def deadline(self) -> int | None:
        """When ``tick`` wants to be called (Unix milliseconds): at once, or not."""
        books = self.books
        if books is None or not (not books.complete or (self.pressed and self._policy.order and not self.starved)):
            return None
        return self._engine.now if not books.complete or self._may_evict() else None

    def tick(self) -> None:
        """Go on with what is not finished: counting, or giving up keys."""
        books = self.books
        if books is None:
            return
        if not books.complete:
            if not books.count(self._spent_in(NEXT_COUNT)):
                self.measure()
        elif self.pressed:
            self.relieve()

    # ---- what INFO tells

    @property
    def exceeded_ms(self) -> tuple[int, int]:
        """For how long the limit has been exceeded in all, and since it was last kept."""
        since = self._exceeded_since
        current = 0.0 if since is None else self._engine.stopwatch() - since
        return int((self._exceeded_seconds + current) * 1000), int(current * 1000)

    def reset_stats(self) -> None:
        """CONFIG RESETSTAT."""
        self._exceeded_seconds = 0.0
        self._exceeded_since = None


def _patience(tenacity: int) -> float:
    """Seconds that giving up may take at once: up to 10 a straight line, then a steep curve, and at last for ever."""
    if tenacity <= 10:
        return 50e-6 * tenacity
    return 500e-6 * 1.15 ** (tenacity - 10) if tenacity < 100 else inf
