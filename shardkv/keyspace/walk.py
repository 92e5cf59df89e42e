"""The choice of keys to give up where any key may go and it is known how each is used (allkeys-lru, allkeys-lfu).

A walk goes through the rooms in which the uses of keys stand (``usage``), round and round. Where it stops, all keys are
looked at together, and those that are worth least go: as one in ``maxmemory-samples`` does. Hashing has seen to it that
those who share a room have nothing else in common, so they are as good a sample as any, and each key is met once a
round, however uneven the slots are.
"""

from __future__ import annotations

from bisect import bisect, bisect_left
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Final

from .slots import SLOT_COUNT, SLOT_MASK
from .usage import Usage

if TYPE_CHECKING:
    from random import Random

    from .database import Database


#: So many are met for each that ``maxmemory-samples`` says. With that the mean age of what LRU gives up is that of
#: redis-server's choice, which draws the same keys more than once and leaves others out.
FRUGAL: Final = 0.9
#: More are not met at once, but for those in the last room.
MOST_MET: Final = 4096
#: Of those that were met so many are ranked, or a few more, to know what the worst are worth.
RANKED: Final = 128


class Walk:
    """Chooses keys of databases that have a ``usage``; the others have none to give."""

    __slots__ = ("_first", "_places")

    def __init__(self, rng: Random) -> None:
        self._first = int(rng.random() * SLOT_COUNT) & SLOT_MASK  #: the slot where each walk begins
        self._places: dict[Database, tuple[int, int]] = {}  #: how far each database's walk has come

    def choose(self, databases: Sequence[Database], samples: int, count: int) -> list[tuple[Database, list[bytes]]]:
        """About ``count`` keys by database, half as many again at most."""
        total = sum(database.size for database in databases)
        met: list[tuple[Database, list[bytes], list[int]]] = []
        for database in databases:
            if database.size and database.usage is not None:
                share = min(int(samples * FRUGAL * count * database.size / total) + 1, database.size, MOST_MET)
                met.append((database, *self._meet(database, database.usage, share)))
        every = met[0][2] if len(met) == 1 else list(chain.from_iterable(worths for _, _, worths in met))
        if not every:
            return []
        count = max(1, min(count, int(len(every) / samples / FRUGAL)))  # a choice among few is a poor one
        step = max(1, len(every) // RANKED)
        ranking = sorted(every[::step])
        least = ranking[(count - 1) // step]
        if bisect(ranking, least) * step <= count + count // 2:
            count += count // 2  # those that are worth the same go together
        elif bisect_left(ranking, least) * step >= count // 2 > 0:
            least -= 1  # or stay together, if there are too many
        found = []
        for database, keys, worths in met:
            chosen = [key for key, worth in zip(keys, worths, strict=True) if worth <= least][:count]
            count -= len(chosen)
            found.append((database, chosen))
        return found

    def _meet(self, database: Database, usage: Usage, count: int) -> tuple[list[bytes], list[int]]:
        """The next keys, some ``count`` of them or more, and how much each is worth."""
        keys: list[bytes] = []
        numbers: list[int] = []
        slot, inner = self._places.get(database, (self._first, 0))
        for _ in range(SLOT_COUNT):
            if len(keys) >= count:
                break
            room, slot, inner = usage.walk(slot, inner)
            keys += room
            numbers += room.values()
        self._places[database] = slot, inner
        return keys, usage.worths(numbers)
