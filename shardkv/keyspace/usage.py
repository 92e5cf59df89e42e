"""When, or how often, each key was used, for the policies that give up what is used least (LRU and LFU).

Beside the keys stands a number for each (``fill`` has seen to those that were there before this was kept in mind, and
had only the last use of their slot in common). What the number says is a subclass's concern. The numbers are objects
that many keys share, so that one more key costs its place in a dict and nothing else.

Those dicts are *rooms*: neighbouring slots share one, as long as it is small, and each slot refers to its own. So the
few keys that a slot has do not cost a dict of their own, and whoever looks for keys to give up finds many in one place.
A room that has become large is divided among its slots, down to one; should that be crowded still, it becomes
``Buckets``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from sys import getsizeof
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeAlias

from ..values.buckets import Buckets
from .rooms import fitted
from .slots import SLOT_COUNT, SLOT_MASK, key_slots

if TYPE_CHECKING:
    from random import Random

    from ..config import Config

Uses: TypeAlias = "dict[bytes, int] | Buckets[int]"
#: Keys by slot.
Keys: TypeAlias = "Sequence[Any] | Mapping[int, Iterable[bytes]]"
#: Bytes of an entry of a dict in a large room, its share of the dict included.
BUCKET_ENTRY: Final = 75

#: The unit in which a last use is told is 2**4 = 16 milliseconds.
SHIFT: Final = 4
#: Slots that share a room at first (a power of two), and rooms that there are then.
WIDEST: Final = 32
ROOMS: Final = SLOT_COUNT // WIDEST
#: Bytes of those, and of the tables that lead to them.
STARTUP: Final = ROOMS * getsizeof({}) + 9 * SLOT_COUNT
#: A room with more keys than this is divided when keys are given up, for then it is looked at as a whole.
LARGE: Final = 320
#: With more than this it is divided in any case, lest somebody wait while its dict grows: somewhere between here and
#: half as many again, lest all be divided at the same time.
CROWDED: Final = 2048
_SPREAD: Final = 1031

#: What a new key's counter starts with, and where counters end.
LFU_START: Final = 5
LFU_MOST: Final = 255
_MINUTE: Final = 60_000
_COUNTERS: Final = 256


class Clock(Protocol):
    """Whoever knows the time."""

    now: int  #: Unix milliseconds


class Usage:
    """The numbers of one database. A subclass says what they mean, and how much each key is worth: the lowest goes
    first."""

    __slots__ = ("clock", "slots", "widths")

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.slots: list[Uses] = []  #: the room that each slot's keys are in
        self.widths = bytearray()  #: how many slots have that one: it begins at a multiple of that
        self.clear()

    # ---- what the numbers mean

    def fresh(self) -> int:
        """The number of a key that is new."""
        raise NotImplementedError

    def used(self, slot: int, key: bytes) -> None:
        """A key is being used."""
        raise NotImplementedError

    def number_at(self, seconds: int) -> int:
        """The number of a key that was new at this time (Unix seconds)."""
        raise NotImplementedError

    def worths(self, numbers: list[int]) -> list[int]:
        """How much the keys with these numbers are worth."""
        raise NotImplementedError

    def worths_of(self, slots: Iterable[int], keys: Keys, otherwise: Sequence[int]) -> list[int]:
        """How much each of ``keys[slot]`` is worth, slot by slot. ``otherwise[slot]``: Unix seconds when those were
        used of which nothing is known."""
        found: list[int] = []
        for slot in slots:
            number_of = self.slots[slot].get
            numbers = map(number_of, keys[slot])
            found += [self.number_at(otherwise[slot]) if number is None else number for number in numbers]
        return self.worths(found)

    # ---- keys that come and go

    def new(self, slot: int, key: bytes) -> None:
        """A key is there that was not before."""
        self.slots[slot][key] = self.fresh()
        self.look_at(slot)

    def fill(self, slot: int, keys: Iterable[bytes], at: int) -> None:
        """Take it that the keys of a slot of which nothing is known were used at this time (Unix seconds)."""
        room = self.slots[slot]
        number = self.number_at(at)
        for key in keys:
            if key not in room:
                room[key] = number
        self.look_at(slot)

    def kept(self, slot: int, key: bytes) -> int | None:
        """The number of a key, for ``keep``. None: nothing is known."""
        return self.slots[slot].get(key)

    def keep(self, slot: int, key: bytes, number: int | None) -> None:
        """Give a key this number."""
        if number is None:
            self.gone(slot, key)
        else:
            self.slots[slot][key] = number

    def gone(self, slot: int, key: bytes) -> None:
        """A key is not there any more."""
        self.slots[slot].pop(key, None)

    def drop(self, slot: int, keys: Iterable[bytes]) -> None:
        """No key of a slot is there any more; these were all."""
        if self.widths[slot] == 1:
            self.slots[slot] = {}
        else:
            room = self.slots[slot]
            for key in keys:
                room.pop(key, None)

    def clear(self) -> None:
        """No key is there any more."""
        rooms: list[Uses] = [{} for _ in range(ROOMS)]
        self.slots = [room for room in rooms for _ in range(WIDEST)]
        self.widths = bytearray([WIDEST]) * SLOT_COUNT

    def take_over(self, other: Self) -> None:
        """Know what ``other`` knows, which is not to be used any more."""
        self.slots, self.widths = other.slots, other.widths

    # ---- rooms

    def look_at(self, slot: int) -> None:
        """Divide the room of a slot if it is crowded. Keys may have come meanwhile, but not very many."""
        room = self.slots[slot]
        if len(room) > CROWDED and isinstance(room, dict):
            width = self.widths[slot]
            if width == 1:
                self.slots[slot] = Buckets(room)
            elif len(room) > CROWDED + (slot & -width) % _SPREAD:
                for half in self._divide(slot, room):
                    self.look_at(half)

    def _divide(self, slot: int, room: dict[bytes, int]) -> tuple[int, int]:
        """Give each half of the slots that share a room one of their own; where the two begin."""
        half = self.widths[slot] >> 1
        first = slot & -(half << 1)
        middle = first + half
        lower: dict[bytes, int] = {}
        upper: dict[bytes, int] = {}
        for (key, number), place in zip(room.items(), key_slots(list(room)), strict=True):
            (lower if place < middle else upper)[key] = number
        for start, part in ((first, lower), (middle, upper)):
            self.slots[start : start + half] = [part] * half
            self.widths[start : start + half] = bytes([half]) * half
        return first, middle

    def walk(self, slot: int, inner: int) -> tuple[dict[bytes, int], int, int]:
        """A walk through all keys: those that are found at a slot (any at first) and a place inside a large room
        (0 at first), and where it goes on. On its way a room that is large is divided, and one that has more room than
        it needs is made smaller."""
        room = self.slots[slot]
        if isinstance(room, Buckets):
            inner, bucket = room.step(inner)
            return bucket, slot if inner else (slot + 1) & SLOT_MASK, inner
        width = self.widths[slot]
        first = slot & -width
        if len(room) > LARGE and width > 1:
            self._divide(slot, room)
            return self.walk(first, 0)
        smaller = fitted(room)
        if smaller is not room:
            self.slots[first : first + width] = [smaller] * width
        return smaller, (first + width) & SLOT_MASK, 0

    def memory(self, looks: int) -> int:
        """Bytes of all rooms beyond those that there are at first, by a look at so many of them."""
        step = max(1, SLOT_COUNT // looks)
        slots, widths = self.slots, self.widths
        size = sum(_size(slots[slot]) / widths[slot] for slot in range(0, SLOT_COUNT, step))
        return max(0, int(size * step) - ROOMS * getsizeof({}))


def _size(room: Uses) -> int:
    return getsizeof(room) if isinstance(room, dict) else len(room) * BUCKET_ENTRY


class Recency(Usage):
    """When each key was last used, in units of 16 milliseconds since this was kept: numbers that are small enough to be
    compared quickly."""

    __slots__ = ("_since",)

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._since = clock.now

    def fresh(self) -> int:
        """Now."""
        return (self.clock.now - self._since) >> SHIFT

    def used(self, slot: int, key: bytes) -> None:
        """A key is being used."""
        self.slots[slot][key] = (self.clock.now - self._since) >> SHIFT

    def number_at(self, seconds: int) -> int:
        """The time in units."""
        return (seconds * 1000 - self._since) >> SHIFT

    def worths(self, numbers: list[int]) -> list[int]:
        """The longer ago, the less."""
        return numbers

    def take_over(self, other: Self) -> None:
        """And when that began to be kept."""
        super().take_over(other)
        self._since = other._since

    def idle_seconds(self, slot: int, key: bytes) -> int | None:
        """For how long a key has not been used. None: nothing is known."""
        at = self.kept(slot, key)
        return None if at is None else (self.fresh() - at << SHIFT) // 1000

    def set_idle(self, slot: int, key: bytes, seconds: int) -> None:
        """Have a key be used last so long ago."""
        self.keep(slot, key, self.fresh() - (-(-seconds * 1000 >> SHIFT)))


class Frequency(Usage):
    """How often each key is used: a counter that grows ever more slowly, and loses one for every so many minutes.

    A number is the minute in which the counter was last looked at, and the counter in the low 8 bits.
    """

    __slots__ = ("_config", "_minute", "_numbers", "_random")

    def __init__(self, clock: Clock, config: Config, rng: Random) -> None:
        super().__init__(clock)
        self._config = config  #: lfu-log-factor and lfu-decay-time, as they are at each use
        self._random = rng.random
        self._minute = -1
        self._numbers: list[int] = []  #: those of this minute by counter: one object each

    def _now(self) -> list[int]:
        minute = self.clock.now // _MINUTE
        if minute != self._minute:
            self._minute = minute
            self._numbers = [minute << 8 | counter for counter in range(_COUNTERS)]
        return self._numbers

    def fresh(self) -> int:
        """A new key has been used a little: else it would go before it could be."""
        return self._now()[LFU_START]

    def _counter(self, number: int) -> int:
        """The counter in a number, less what it has lost by now."""
        counter = number & LFU_MOST
        lost = self.clock.now // _MINUTE - (number >> 8)
        if lost:
            minutes = self._config.lfu_decay_time
            counter = max(0, counter - lost // minutes) if minutes else counter
        return counter

    def used(self, slot: int, key: bytes) -> None:
        """A key is being used."""
        uses, numbers = self.slots[slot], self._now()
        counter = self._counter(uses.get(key) or numbers[LFU_START])
        above = counter - LFU_START
        if counter < LFU_MOST and (
            above <= 0 or self._random() * (above * self._config.lfu_log_factor + 1) < 1  # a chance of one in so many
        ):
            counter += 1
        uses[key] = numbers[counter]

    def worths(self, numbers: list[int]) -> list[int]:
        """The more seldom, the less."""
        minute = self.clock.now // _MINUTE << 8
        counter = self._counter
        return [number & LFU_MOST if number >= minute else counter(number) for number in numbers]

    def number_at(self, seconds: int) -> int:
        """A new key's counter in that minute."""
        return seconds * 1000 // _MINUTE << 8 | LFU_START

    def count(self, slot: int, key: bytes) -> int:
        """The counter of a key."""
        return self._counter(self.kept(slot, key) or self.fresh())

    def set_count(self, slot: int, key: bytes, counter: int) -> None:
        """Have a key's counter stand there."""
        self.keep(slot, key, self._now()[counter])
