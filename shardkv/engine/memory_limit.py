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
from ..keyspace.eviction import Policy
from ..keyspace.usage import Frequency, Recency, Usage
from .evicting import Evicting
from .footprint import Footprint

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..keyspace.database import Database
    from .engine import Engine

#: When room is made, a little more is made than is needed: at most so many bytes, and this share of the limit. Before
#: whole runs it is made when half of that is used up.
SPARE_BYTES: Final = 128 * 1024
SPARE_SHARE: Final = 128
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
        self._evicting = Evicting(engine)
        self._usage_kind = ""
        self.footprint = Footprint(engine)
        self._measured = 0  #: what stood in the books when that was measured last
        self.pressed = False  #: the limit is exceeded, as far as is known
        self._ends_calm = (
            False  #: that is all that is in the way of the engine's calm: nothing else has changed it since
        )
        self.starved = False  #: and nothing can be given up
        self._exceeded_since: float | None = None
        self._exceeded_seconds = 0.0

    # ---- options

    def configure(self) -> None:
        """Obey the options as they are now. Called whenever the engine's calm is found out anew."""
        self._ends_calm = False
        engine = self._engine
        config = engine.config
        exempt = engine.loading or (engine.following and config.replica_ignore_maxmemory)
        known = (config.maxmemory, config.maxmemory_policy, config.lfu_decay_time, exempt)
        if known == self._known:
            return
        self._known = known
        policy = Policy.named(str(config.maxmemory_policy))
        self._evicting.obey(policy)
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
        books.brim = books.limit - self._spare // 2
        if books.used > books.limit and books.complete:
            self._alarm()
        elif self.pressed:
            self._relieved()

    @property
    def _spare(self) -> int:
        """Bytes by which more room is made than is needed, where any can be."""
        books = self.books
        if books is None or books.limit == inf or not self._evicting.policy.order:
            return 0
        return min(SPARE_BYTES, max(0, int(books.limit)) // SPARE_SHARE)

    def _alarm(self) -> None:
        if not self.pressed:
            self.pressed = True
            self._ends_calm = self._engine.calm
            self._engine.calm = False

    # ---- making room

    def relieve(self) -> bool:
        """Give up keys if the limit is exceeded. False if that cannot be helped: then memory is out."""
        books = self.books
        if books is None or not self.pressed or not self._may_evict():
            return True
        if abs(books.used - self._measured) * MEASURED_SHARE > self._measured:
            self.measure()
        if books.used > books.brim and self._evicting.policy.order:
            self.starved = not self._evicting.make_room(books, books.limit - self._spare)
        else:
            self.starved = True
        self.starved = self.starved and books.used > books.limit
        if books.used <= books.limit:
            self._relieved()
        elif self._exceeded_since is None:
            self._exceeded_since = self._engine.stopwatch()
        return not self.starved

    def _may_evict(self) -> bool:
        engine = self._engine
        return (
            self.books is not None
            and self.books.complete
            and not (
                engine.loading
                or engine.pausing.until is not None
                or engine.scripts.overtime.refusal is not None
                or (engine.following and engine.config.replica_ignore_maxmemory)
            )
        )

    def _relieved(self) -> None:
        self.pressed = self.starved = False
        if self._exceeded_since is not None:
            self._exceeded_seconds += self._engine.stopwatch() - self._exceeded_since
            self._exceeded_since = None
        if self._ends_calm:
            self._engine.calm = True
        else:
            self._engine.refresh_calm()

    # ---- time

    @property
    def deadline(self) -> int | None:
        """When ``tick`` wants to be called (Unix milliseconds): at once, or not."""
        books = self.books
        if books is None or not (
            not books.complete or (self.pressed and self._evicting.policy.order and not self.starved)
        ):
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
