"""Puts collections that nobody uses into the packed form in which they take the least memory.

A walk goes over the slots with a cursor and asks every collection of a slot to ``rest`` if the slot has been idle for a
while. A slot that is always busy has collections too that are not; so once in a while all are asked, and those in use
pay with being unpacked again. A walk stops when its time is spent and goes on there at the next step; when nothing has
happened since a walk that left nothing to do there is none.

New collections do not wait for that: data that come element by element would leave memory behind that is full of holes,
so each is packed once, a moment after it was made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from ..keyspace.slots import SLOT_COUNT
from ..values.hashes import HashValue
from ..values.lists import ListValue
from ..values.sets import SetValue
from ..values.zsets import ZSetValue

if TYPE_CHECKING:
    from ..keyspace.database import Database, Slot
    from .engine import Engine

#: Seconds after which a slot counts as idle.
IDLE: Final = 2
#: Seconds after which collections of busy slots are put to rest too.
BUSY: Final = 60
#: Keys that are looked at between two looks at the clock, and for how many one counts that is packed.
PORTION: Final = 128
PACKED: Final = 16

_RESTFUL: Final = frozenset({HashValue, ListValue, SetValue, ZSetValue})
_NEVER: Final = -1


class Cradle:
    """Packs new collections."""

    __slots__ = ("_engine", "_grown")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._grown: dict[Database, int] = {}  #: how many of the new collections were there at the last step

    def step(self, spent: Callable[[], bool]) -> bool:
        """Pack the collections that were new at the last step already, until ``spent()``; to be taken some fifty times
        a second. True if there are more."""
        more = False
        for database in list(self._engine.databases.opened):
            newborn = database.newborn
            grown = min(self._grown.get(database, 0), len(newborn))
            while grown and not spent():
                for _ in range(min(grown, PACKED)):
                    grown -= 1
                    value = database.get(newborn.popleft())
                    if value is not None and type(value) in _RESTFUL and value.rest() and database.books is not None:
                        database.books.reweigh(value)
            more = more or bool(grown)
            self._grown[database] = grown or len(newborn)
        return more


class Resting:
    """The walks over all databases of an engine."""

    __slots__ = ("_engine", "_rested", "_seen", "_swept", "_walk", "_young")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._rested: dict[Database, list[int]] = {}  #: when a slot was last used as it was put to rest
        self._seen = _NEVER  #: commands when the walk began
        self._swept = engine.now // 1000  #: when busy slots were last put to rest, in seconds
        self._walk: Iterator[None] | None = None
        self._young = False  #: whether the walk has passed slots that are not idle yet

    def step(self, now: int, spent: Callable[[], bool]) -> bool:
        """Go on with a walk, or begin one if there may be something to do, until ``spent()``. ``now`` is in Unix
        milliseconds. True if the walk is not over."""
        if self._walk is None:
            commands = self._engine.stats.commands
            if commands == self._seen and not self._young:
                return False
            self._seen, self._young = commands, False
            self._walk = self._walk_once(now // 1000)
        for _ in self._walk:
            if spent():
                return True
        self._walk = None
        return False

    def _walk_once(self, clock: int) -> Iterator[None]:
        sweep = clock - self._swept >= BUSY
        if sweep:
            self._swept = clock
        looked = 0
        for database in list(self._engine.databases.opened):
            rested = self._rested.setdefault(database, [_NEVER] * SLOT_COUNT)
            for slot in list(database.live):
                used = database.access[slot]
                if used == rested[slot]:
                    continue
                if used <= clock - IDLE:
                    rested[slot] = used
                else:
                    self._young = True
                    if not sweep:
                        continue
                for values in _portions(database.values[slot]):
                    for value in values:
                        if type(value) in _RESTFUL and value.rest():
                            looked += PACKED
                            if database.books is not None:
                                database.books.reweigh(value)
                        if looked >= PORTION:
                            looked = 0
                            yield
                    looked += len(values)


def _portions(slot: Slot) -> Iterator[list[Any]]:
    """The values of a slot, which may change between two portions."""
    if isinstance(slot, dict):
        yield list(slot.values())
        return
    cursor = 0
    while True:
        cursor, bucket = slot.step(cursor)
        yield list(bucket.values())
        if not cursor:
            return
