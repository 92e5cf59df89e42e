"""The choice of keys to give up by drawing some: where only keys that expire may go, and where chance alone decides.

A few keys are drawn (``maxmemory-samples`` for each that goes), and a pool keeps the best candidates of earlier draws.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..values.buckets import Buckets
from .database import LARGE_SLOT, Database
from .slots import SLOT_COUNT, key_slot
from .usage import Keys

if TYPE_CHECKING:
    from random import Random

#: Candidates that are kept in mind.
POOL: Final = 16
#: About so many keys are taken from one slot in one draw.
PORTION: Final = 16
#: Neighbouring slots are drawn together, which is quicker, but in so many places.
WINDOWS: Final = 8
#: Slots without keys that are met in a draw, until it ends.
_REFUSALS: Final = 64
#: Where the slots are uneven it is looked which hold keys, once for so many draws.
_DRAWS: Final = 64
#: More slots than this are not asked for one draw.
_TRIES: Final = 1024
#: A time beyond all times.
_NEVER: Final = 1 << 63

#: Keys of a database.
Batch: TypeAlias = tuple[Database, list[bytes]]

#: More places than are ever ranked together.
_PLACE_BITS: Final = 24
_PLACES: Final = (1 << _PLACE_BITS) - 1


class Drawing:
    """Chooses keys by one order: lru, lfu, ttl or random. ``volatile``: only keys that expire may go."""

    __slots__ = ("_known", "_order", "_pool", "_random", "_rng", "_turn", "_volatile")

    def __init__(self, order: str, rng: Random, *, volatile: bool) -> None:
        self._order = order
        self._volatile = volatile
        self._rng = rng
        self._random = rng.random
        self._pool: dict[Database, list[bytes]] = {}
        #: by database what ``_known_slots`` has found, and how many draws it is good for
        self._known: dict[Database, tuple[tuple[list[int], list[int]], int]] = {}
        self._turn = 0  #: the database whose turn it is to give up a random key

    def choose(self, databases: Sequence[Database], samples: int, count: int) -> list[Batch]:
        """Up to ``count`` keys to give up by database, the worst first. A key may be there twice, or be gone
        already."""
        eligible = [database for database in databases if self._eligible(database)]
        if not eligible:
            return []
        if self._order == "random":
            return [self._random_keys(eligible, count)]
        return self._worst_keys(eligible, samples, count)

    def _eligible(self, database: Database) -> int:
        """How many keys may go."""
        return database.expiring if self._volatile else database.size

    def _random_keys(self, databases: Sequence[Database], count: int) -> Batch:
        """The databases take turns."""
        self._turn += 1
        database = databases[self._turn % len(databases)]
        keys: list[bytes] = []
        self._judge(database, count, keys, [])
        self._rng.shuffle(keys)
        return database, keys[:count]

    def _worst_keys(self, databases: Sequence[Database], samples: int, count: int) -> list[Batch]:
        total = sum(map(self._eligible, databases))
        keys: list[bytes] = []
        worths: list[int] = []
        ends: list[int] = []
        for database in databases:
            share = samples * count * self._eligible(database) // total
            self._judge(database, max(share, PORTION), keys, worths)
            ends.append(len(keys))
        count = max(1, min(count, len(keys) // samples))  # a choice among few is a poor one
        # As integers with the places in their low bits they are ranked several times as fast as by a key function.
        ranking = sorted([worth << _PLACE_BITS | place for place, worth in enumerate(worths)])
        self._pool = {}
        chosen: dict[Database, list[bytes]] = {}
        for number, place in enumerate([rank & _PLACES for rank in ranking[: count + POOL]]):
            found = chosen if number < count else self._pool
            found.setdefault(databases[bisect(ends, place)], []).append(keys[place])
        return list(chosen.items())

    def _judge(self, database: Database, count: int, keys: list[bytes], worths: list[int]) -> None:
        """Draw about so many keys of a database; they and those of its pool are added to ``keys``, and to ``worths``
        how much each is worth as things are now (not where chance decides)."""
        mean = self._eligible(database) / max(1, len(database.live))
        if mean <= PORTION and database.filled <= LARGE_SLOT and not self._volatile:
            # All keys of some slots and their neighbours: which keys those are is chance enough.
            width = int(count / mean / WINDOWS) + 1
            for _ in range(WINDOWS):
                start = database.live[int(self._random() * len(database.live))] - int(self._random() * width)
                start = max(0, min(start, SLOT_COUNT - width))
                keys += chain.from_iterable(database.values[start : start + width])
            return
        drawn = self._draw(database, count)
        keys += chain.from_iterable(drawn.values())
        worths += self._worths(database, drawn, drawn)
        places = [key for key in self._pool.get(database, ()) if not self._volatile or database.expiry(key) is not None]
        keys += places
        for key in places:
            slot = key_slot(key)
            worths += self._worths(database, (slot,), {slot: (key,)})

    def _worths(self, database: Database, slots: Iterable[int], keys: Keys) -> list[int]:
        """The same for the keys of these slots."""
        if self._order == "ttl":
            expires = database.expires
            return [(expires[slot] or {}).get(key, _NEVER) for slot in slots for key in keys[slot]]
        usage = database.usage
        return [] if usage is None else usage.worths_of(slots, keys, database.access)

    # ---- drawing

    def _draw(self, database: Database, count: int) -> dict[int, list[bytes]]:
        """About so many random keys that may go by slot, a few from each of several slots; fewer if there are few."""
        held_in = self._held_in(database)
        drawn: dict[int, list[bytes]] = {}
        found = 0
        for slot, most in self._slots(database):
            keys = self._some(held_in[slot], min(most, count))
            drawn[slot] = drawn.get(slot, []) + keys
            found += len(keys)
            if found >= count:
                break
        return drawn

    def _held_in(self, database: Database) -> Sequence[Any]:
        """What holds the keys that may go, by slot."""
        return database.expires if self._volatile else database.values

    def _some(self, held: Any, wanted: int) -> list[bytes]:
        """So many of the keys of a slot, or all."""
        if isinstance(held, Buckets):
            return [held.choose(self._rng) for _ in range(wanted)]
        spare = len(held) - wanted
        if spare <= 0:
            return list(held)
        start = int(self._random() * min(spare + 1, LARGE_SLOT))  # going there takes as many steps
        return list(islice(held, start, start + wanted))

    def _slots(self, database: Database) -> Iterator[tuple[int, int]]:
        """Random slots that hold keys which may go, a large one as often as it holds many; and how many of its keys are
        to be drawn: of a large one as many as a small one has, if there are small ones."""
        random, held_in, eligible = self._random, self._held_in(database), self._eligible(database)
        slots, large = self._known_slots(database)
        in_large = list(accumulate(len(held_in[slot] or ()) for slot in large))
        small = eligible - (in_large[-1] if in_large else 0)
        few = min(PORTION, small // len(slots) + 1) if slots else PORTION
        refused = 0
        for _ in range(_TRIES):
            place = random() * eligible
            if large and place < in_large[-1]:
                yield large[bisect(in_large, place)], few
                continue
            slot = slots[int(random() * len(slots))] if slots else -1
            held = held_in[slot] if slots else None
            if held:
                yield slot, PORTION
                continue
            refused += 1
            if refused > _REFUSALS:
                return

    def _known_slots(self, database: Database) -> tuple[list[int], list[int]]:
        """The slots that hold keys which may go, or did a while ago, but for the large ones; and those."""
        known, draws = self._known.get(database, (([], []), 0))
        if draws == 0:
            held_in = self._held_in(database)
            sizes = {slot: len(held) for slot, held in enumerate(held_in) if held}
            large = [slot for slot, size in sizes.items() if size > LARGE_SLOT]
            known, draws = ([slot for slot, size in sizes.items() if size <= LARGE_SLOT], large), _DRAWS
        # What few slots hold is soon gone.
        self._known[database] = known, min(draws - 1, (len(known[0]) + len(known[1])) // 2)
        return known
