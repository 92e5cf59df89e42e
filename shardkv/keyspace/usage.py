"""When, or how often, each key was used, for the policies that give up what is used least (LRU and LFU).

Beside the keys of a slot stands a dict of numbers, one for each key (``fill`` has seen to those that were there before
this was kept in mind, and had only the last use of their slot in common). What the
number says is a subclass's concern. The numbers are objects that many keys share, so that one more key costs its
place in a dict and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from ..values.buckets import Buckets
from .rooms import fitted
from .slots import SLOT_COUNT

if TYPE_CHECKING:
    from random import Random

    from ..config import Config

Uses: TypeAlias = "dict[bytes, int] | Buckets[int]"
#: Keys by slot.
Keys: TypeAlias = "Sequence[Any] | Mapping[int, Iterable[bytes]]"

#: The unit in which a last use is told is 2**4 = 16 milliseconds.
SHIFT: Final = 4
#: A slot with more keys than this has them in many small dicts: a large one would stand still when it grows.
_LARGE: Final = 1024

#: What a new key's counter starts with, and where counters end.
LFU_START: Final = 5
LFU_MOST: Final = 255
_MINUTE: Final = 60_000
_COUNTERS: Final = 256


class Clock(Protocol):
    """Whoever knows the time."""

    now: int  #: Unix milliseconds


class Usage:
    """The numbers of one database. A subclass says what they mean, and ``scores`` keys: the highest goes first."""

    __slots__ = ("clock", "slots")

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.slots: list[Uses] = [{} for _ in range(SLOT_COUNT)]

    def fresh(self) -> int:
        """The number of a key that is new."""
        raise NotImplementedError

    def used(self, slot: int, key: bytes) -> None:
        """A key is being used."""
        raise NotImplementedError

    def scores(self, slots: Iterable[int], keys: Keys, otherwise: Sequence[int]) -> list[int]:
        """How well each of ``keys[slot]`` could be done without, slot by slot. ``otherwise[slot]``: Unix seconds when
        those were used of which nothing is known."""
        raise NotImplementedError

    def all_scores(self, window: Iterable[Uses]) -> list[int]:
        """The same for all keys of some of ``self.slots``."""
        raise NotImplementedError

    def fill(self, slot: int, keys: Iterable[bytes], at: int) -> None:
        """Take it that the keys of a slot of which nothing is known were used at this time (Unix seconds)."""
        uses = self.slots[slot]
        number = self.number_at(at)
        for key in keys:
            if key not in uses:
                uses[key] = number
        if len(uses) > _LARGE and isinstance(uses, dict):
            self.slots[slot] = Buckets(uses)

    def number_at(self, seconds: int) -> int:
        """The number of a key that was new at this time (Unix seconds)."""
        raise NotImplementedError

    def new(self, slot: int, key: bytes) -> None:
        """A key is there that was not before."""
        uses = self.slots[slot]
        uses[key] = self.fresh()
        if len(uses) > _LARGE and isinstance(uses, dict):
            self.slots[slot] = Buckets(uses)

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

    def fit(self, slot: int) -> None:
        """Give back what room there is too much."""
        uses = self.slots[slot]
        if isinstance(uses, dict):
            self.slots[slot] = fitted(uses)

    def drop(self, slot: int) -> None:
        """No key of a slot is there any more."""
        self.slots[slot] = {}


class Recency(Usage):
    """When each key was last used, in units of 16 milliseconds since 1970."""

    __slots__ = ()

    def fresh(self) -> int:
        """Now."""
        return self.clock.now >> SHIFT

    def used(self, slot: int, key: bytes) -> None:
        """A key is being used."""
        self.slots[slot][key] = self.clock.now >> SHIFT

    def scores(self, slots: Iterable[int], keys: Keys, otherwise: Sequence[int]) -> list[int]:
        """For how long each key has not been used."""
        uses, now = self.slots, self.clock.now >> SHIFT
        return [now - (uses[slot].get(key) or otherwise[slot] * 1000 >> SHIFT) for slot in slots for key in keys[slot]]

    def all_scores(self, window: Iterable[Uses]) -> list[int]:
        """For how long each key has not been used."""
        now = self.clock.now >> SHIFT
        return [now - at for uses in window for at in uses.values()]

    def number_at(self, seconds: int) -> int:
        """The time in units."""
        return seconds * 1000 >> SHIFT

    def idle_seconds(self, slot: int, key: bytes) -> int | None:
        """For how long a key has not been used. None: nothing is known."""
        at = self.kept(slot, key)
        return None if at is None else ((self.clock.now >> SHIFT) - at << SHIFT) // 1000

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

    def scores(self, slots: Iterable[int], keys: Keys, otherwise: Sequence[int]) -> list[int]:
        """How seldom each key is used."""
        uses, counter, minute = self.slots, self._counter, self.clock.now // _MINUTE
        return [
            LFU_MOST - (number & LFU_MOST if number >> 8 == minute else counter(number))
            for slot in slots
            for key in keys[slot]
            for number in (uses[slot].get(key) or self.number_at(otherwise[slot]),)
        ]

    def all_scores(self, window: Iterable[Uses]) -> list[int]:
        """How seldom each key is used."""
        counter, minute = self._counter, self.clock.now // _MINUTE
        return [
            LFU_MOST - (number & LFU_MOST if number >> 8 == minute else counter(number))
            for uses in window
            for number in uses.values()
        ]

    def number_at(self, seconds: int) -> int:
        """A new key's counter in that minute."""
        return seconds * 1000 // _MINUTE << 8 | LFU_START

    def count(self, slot: int, key: bytes) -> int:
        """The counter of a key."""
        return self._counter(self.kept(slot, key) or self.fresh())

    def set_count(self, slot: int, key: bytes, counter: int) -> None:
        """Have a key's counter stand there."""
        self.keep(slot, key, self._now()[counter])
