"""What is given up when memory is full: which keys the policies ``maxmemory-policy`` choose.

LRU, LFU and TTL are approximated as in Redis: a few keys are drawn (``maxmemory-samples`` for each that goes), and a
pool keeps the best candidates of earlier draws. Two things differ, both to the better of the hit rate and the cost:
several keys are chosen at once, and what is in the pool is judged anew each time, so that a key that was used meanwhile
is not given up for what it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..values.buckets import Buckets
from .database import LARGE_SLOT, Database
from .slots import SLOT_COUNT

if TYPE_CHECKING:
    from random import Random

#: Candidates that are kept in mind.
POOL: Final = 16
#: About so many keys are taken from one slot in one draw.
PORTION: Final = 16
#: Where the largest slot holds so many times the keys of the mean, slots are drawn by how many they hold.
_UNEVEN: Final = 8
#: Slots that are refused for holding few keys, until one is taken as it comes.
_REFUSALS: Final = 16
#: More slots than this are not asked for one draw.
_TRIES: Final = 1024
#: A time beyond all times, to make a score of one.
_NEVER: Final = 1 << 63

#: A key in its database.
Place: TypeAlias = tuple[Database, bytes]

#: More places than are ever ranked together.
_PLACE_BITS: Final = 24
_PLACES: Final = (1 << _PLACE_BITS) - 1


@dataclass(frozen=True, slots=True)
class Policy:
    """How is chosen. ``order`` is lru, lfu, ttl, random, or empty for noeviction."""

    order: str
    volatile: bool  #: only keys that expire may go

    @classmethod
    def named(cls, name: str) -> Policy:
        """The policy of that name."""
        if name == "noeviction":
            return cls("", volatile=False)
        scope, _, order = name.partition("-")
        return cls(order, scope == "volatile")


class Eviction:
    """Chooses keys by one policy."""

    __slots__ = ("_pool", "_random", "_rng", "_timed", "_turn", "policy")

    def __init__(self, policy: Policy, rng: Random) -> None:
        self.policy = policy
        self._rng = rng
        self._random = rng.random
        self._pool: dict[Database, list[bytes]] = {}
        self._timed: dict[Database, list[int]] = {}  #: slots that hold keys which expire, or did
        self._turn = 0  #: the database whose turn it is to give up a random key

    def choose(self, databases: Sequence[Database], samples: int, count: int) -> list[Place]:
        """Up to ``count`` keys to give up, the best last. A key may be there twice, or be gone already."""
        eligible = [database for database in databases if self._eligible(database)]
        if not eligible:
            return []
        if self.policy.order == "random":
            return self._random_keys(eligible, count)
        return self._best_keys(eligible, samples * count, count)

    def take_back(self, places: list[Place]) -> None:
        """Some of those that were chosen are still there."""
        for database, key in places:
            self._pool.setdefault(database, []).append(key)

    def _eligible(self, database: Database) -> int:
        """How many keys may go."""
        return database.expiring if self.policy.volatile else database.size

    def _random_keys(self, databases: Sequence[Database], count: int) -> list[Place]:
        """One database after the other gives up a key."""
        found = []
        for _ in range(count):
            self._turn = (self._turn + 1) % len(databases)
            database = databases[self._turn]
            keys = self._draw(database, 1)
            if keys:
                found.append((database, keys[int(self._random() * len(keys))]))
        return found

    def _best_keys(self, databases: Sequence[Database], samples: int, count: int) -> list[Place]:
        total = sum(map(self._eligible, databases))
        keys: list[bytes] = []
        scores: list[int] = []
        ends: list[int] = []
        for database in databases:
            drawn = self._draw(database, max(samples * self._eligible(database) // total, PORTION))
            drawn += self._pool.get(database, ())
            keys += drawn
            scores += self._scores(database, drawn)
            ends.append(len(keys))
        # As integers with the places in their low bits they are ranked several times as fast as by a key function.
        ranking = sorted([score << _PLACE_BITS | place for place, score in enumerate(scores)])
        self._pool = {}
        best, good = ranking[-count:], ranking[-count - POOL : -count]
        if len(databases) == 1:
            [database] = databases
            self._pool[database] = [keys[rank & _PLACES] for rank in good]
            return [(database, keys[rank & _PLACES]) for rank in best]
        owners = [
            database
            for database, end, begin in zip(databases, ends, [0, *ends], strict=False)
            for _ in range(begin, end)
        ]
        self.take_back([(owners[rank & _PLACES], keys[rank & _PLACES]) for rank in good])
        return [(owners[rank & _PLACES], keys[rank & _PLACES]) for rank in best]

    def _scores(self, database: Database, keys: Sequence[bytes]) -> list[int]:
        """How well each key could be done without, as things are now."""
        if self.policy.order == "ttl":
            return [_NEVER - (database.expiry(key) or _NEVER) for key in keys]
        usage = database.usage
        return [0] * len(keys) if usage is None else usage.scores(keys)

    # ---- drawing

    def _draw(self, database: Database, count: int) -> list[bytes]:
        """About so many random keys that may go, a few from each of several slots; fewer if there are few."""
        mean = self._eligible(database) / max(1, len(database.live))
        held_in: Sequence[Any] = database.expires if self.policy.volatile else database.values
        uneven = self.policy.volatile or database.filled > _UNEVEN * (mean + 1)
        if self.policy.volatile:
            slots = self._timed_slots(database)
        else:
            slots = self._weighed_slots(database) if uneven else self._slots(database)
        part = PORTION / mean
        found: list[bytes] = []
        for slot in slots:
            held = held_in[slot]
            if held:
                # Where any slot is as likely as another, each gives up the same part of its keys.
                found += self._some(held, PORTION if uneven else int(len(held) * part + 1))
                if len(found) >= count:
                    break
        return found

    def _some(self, held: Any, wanted: int) -> list[bytes]:
        """So many of the keys of a slot, or all."""
        if isinstance(held, Buckets):
            return [held.choose(self._rng) for _ in range(wanted)]
        spare = len(held) - wanted
        if spare <= 0:
            return list(held)
        start = int(self._random() * min(spare + 1, LARGE_SLOT))  # going there takes as many steps
        return list(islice(held, start, start + wanted))

    def _slots(self, database: Database) -> Iterator[int]:
        """Random slots that hold keys."""
        random, live = self._random, database.live
        for _ in range(_TRIES):
            yield live[int(random() * len(live))]

    def _weighed_slots(self, database: Database) -> Iterator[int]:
        """Random slots, each as often as it holds many keys."""
        random, live, values = self._random, database.live, database.values
        for slot in self._slots(database):
            for _ in range(_REFUSALS):
                if random() * database.filled < len(values[slot]):
                    break
                slot = live[int(random() * len(live))]
            yield slot

    def _timed_slots(self, database: Database) -> Iterator[int]:
        """Random slots that hold keys which expire; in a walk over all they are found anew when few still do."""
        random, expires = self._random, database.expires
        slots = self._timed.get(database, [])
        refused = 0
        for _ in range(_TRIES):
            slot = slots[int(random() * len(slots))] if slots else -1
            if slot >= 0 and expires[slot]:
                yield slot
                continue
            refused += 1
            if refused > min(len(slots) // 2, _REFUSALS):
                slots = self._timed[database] = [slot for slot in range(SLOT_COUNT) if expires[slot]]
                refused = 0
                if not slots:
                    return
