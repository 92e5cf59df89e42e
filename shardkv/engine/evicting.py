"""Giving up keys: those that the policy chooses, until there is room again, with all that follows for others."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Final

from ..keyspace.eviction import Policy, eviction
from ..keyspace.giving_up import give_up
from .going import deletion, have_gone

if TYPE_CHECKING:
    from ..keyspace.books import Books
    from ..keyspace.database import Database
    from .engine import Engine

#: About so many keys are looked at, to give up some of them, between two looks at the clock.
LOOKED_AT: Final = 1024
#: Draws that yield no key in a row, until there is none.
FRUITLESS: Final = 32


class Evicting:
    """Gives up keys of one engine by ``policy``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.policy = Policy.named("noeviction")
        self._eviction = eviction(self.policy, engine.rng)

    def obey(self, policy: Policy) -> None:
        """From now on, choose by this policy."""
        if policy != self.policy:
            self.policy = policy
            self._eviction = eviction(policy, self._engine.rng)

    def make_room(self, books: Books, target: float) -> bool:
        """Give up keys until there are no more than ``target`` bytes in the books, or for as long as
        ``maxmemory-eviction-tenacity`` says. False if there is nothing left to give up."""
        engine = self._engine
        stopwatch = engine.stopwatch
        started = stopwatch()
        until = started + _patience(engine.config.maxmemory_eviction_tenacity)
        fruitless = 0
        while books.used > target and fruitless < FRUITLESS:
            fruitless = 0 if self._portion(books, target) else fruitless + 1
            if stopwatch() >= until:
                break
        engine.observer.held_up("eviction-cycle", stopwatch() - started)
        if engine.waiting.ready:
            engine.waiting.serve()
        return fruitless < FRUITLESS

    def _portion(self, books: Books, target: float) -> int:
        """Choose about as many keys as have to go, and give them up; how many have gone."""
        engine = self._engine
        keys = sum(database.size for database in engine.databases.opened)
        if not keys:
            return 0
        samples = engine.config.maxmemory_samples
        wanted = int((books.used - target) * keys / books.used) + 1  # if they weigh as much as others do
        wanted += wanted // 4  # and some more, lest the last few are chosen apart
        found = 0
        for database, chosen in self._eviction.choose(
            engine.databases.opened, samples, min(wanted, -(-LOOKED_AT // samples))
        ):
            gone = self._give_up(database, books, chosen)
            if gone:
                self._tell(database, gone)
                found += len(gone)
        return found

    def _give_up(self, database: Database, books: Books, keys: Sequence[bytes]) -> Sequence[bytes]:
        """Delete keys: those that were there."""
        observer = self._engine.observer
        if not observer.watches_latency:
            return give_up(database, books, keys)
        gone: list[bytes] = []
        for key in keys:
            started = self._engine.stopwatch()
            gone += give_up(database, books, (key,))
            observer.held_up("eviction-del", self._engine.stopwatch() - started)
        return gone

    def _tell(self, database: Database, keys: Sequence[bytes]) -> None:
        engine = self._engine
        engine.stats.evicted += len(keys)
        have_gone(engine, database, keys, "evicted", watched=engine.watches.touched)
        if engine.sinks:
            verb = deletion(lazily=engine.config.lazyfree_lazy_eviction)
            engine.propagation.send_run(database, [[verb, key] for key in keys])


def _patience(tenacity: int) -> float:
    """Seconds that giving up may take at once: up to 10 a straight line, then a steep curve, and at last for ever."""
    if tenacity <= 10:
        return 50e-6 * tenacity
    return 500e-6 * 1.15 ** (tenacity - 10) if tenacity < 100 else inf
