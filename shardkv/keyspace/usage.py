"""When, or how often, each key was used, for the policies that give up what is used least (LRU and LFU).

Both are kept in a table of 32-bit numbers with at least four places a key; a key's place is its hash. So a use is one
store, nothing has to be done for keys that go, and a key costs some 20 bytes however short it is. Keys that share a
place (one in eight or fewer has such a neighbour) share what is remembered of them: for choosing what to give up that
is as good as knowing, as a comparison with exact books shows (``python -m tests.bench --eviction``).

The table doubles by being put behind itself, for each key's new place is its old one or that in the new half.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from random import Random

    from ..config import Config

#: Places of a new table, and the fewest that there are for each key.
PLACES: Final = 1 << 16
ROOM: Final = 4

#: The unit of the clock of uses is 2**4 = 16 milliseconds; it comes around in two years.
SHIFT: Final = 4
CLOCK: Final = 0xFFFFFFFF

#: What a new key's counter starts with, and where counters end.
LFU_START: Final = 5
LFU_MOST: Final = 255
_MINUTES: Final = 0xFFFF
_MINUTE: Final = 60_000


class Clock(Protocol):
    """Whoever knows the time."""

    now: int  #: Unix milliseconds


class Usage:
    """The table. A subclass says what a number in it means, and ``scores`` keys: the highest goes first."""

    __slots__ = ("clock", "mask", "table")

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.table = array("I", (self.fresh(),)) * PLACES
        self.mask = PLACES - 1

    def fresh(self) -> int:
        """What is remembered of a key that is new."""
        raise NotImplementedError

    def used(self, key: bytes) -> None:
        """A key is being used."""
        raise NotImplementedError

    def scores(self, keys: Iterable[bytes]) -> list[int]:
        """How well each key could be done without."""
        raise NotImplementedError

    def new(self, key: bytes) -> None:
        """A key is there that was not before."""
        self.table[hash(key) & self.mask] = self.fresh()

    def kept(self, key: bytes) -> int:
        """What is remembered of a key, for ``keep``."""
        return self.table[hash(key) & self.mask]

    def keep(self, key: bytes, kept: int) -> None:
        """Remember that of a key."""
        self.table[hash(key) & self.mask] = kept

    def fit(self, keys: int) -> None:
        """Have room for so many keys."""
        while keys * ROOM > len(self.table):
            self.table.extend(self.table)
            self.mask = len(self.table) - 1

    @property
    def memory(self) -> int:
        """Bytes of the table."""
        return len(self.table) * self.table.itemsize


class Recency(Usage):
    """When each key was last used."""

    __slots__ = ()

    def fresh(self) -> int:
        """Now."""
        return self.clock.now >> SHIFT & CLOCK

    def used(self, key: bytes) -> None:
        """A key is being used."""
        self.table[hash(key) & self.mask] = self.clock.now >> SHIFT & CLOCK

    def scores(self, keys: Iterable[bytes]) -> list[int]:
        """For how long each key has not been used."""
        table, mask, clock = self.table, self.mask, self.fresh()
        return [clock - table[hash(key) & mask] & CLOCK for key in keys]

    def idle_seconds(self, key: bytes) -> int:
        """For how long a key has not been used."""
        return ((self.fresh() - self.kept(key) & CLOCK) << SHIFT) // 1000

    def set_idle(self, key: bytes, seconds: int) -> None:
        """Have a key be last used so long ago; at most a year."""
        units = min(-(-seconds * 1000 >> SHIFT), CLOCK >> 1)
        self.keep(key, self.fresh() - units & CLOCK)


class Frequency(Usage):
    """How often each key is used: a counter that grows ever more slowly, and loses one for every so many minutes.

    As in Redis a number is the minute in which the counter was last looked at, and the counter in the low 8 bits.
    """

    __slots__ = ("_config", "_random")

    def __init__(self, clock: Clock, config: Config, rng: Random) -> None:
        self._config = config  #: lfu-log-factor and lfu-decay-time, as they are at each use
        self._random = rng.random
        super().__init__(clock)

    def fresh(self) -> int:
        """A new key has been used a little: else it would go before it could be."""
        return self._stamp() | LFU_START

    def _stamp(self) -> int:
        return (self.clock.now // _MINUTE & _MINUTES) << 8

    def _decayed(self, number: int, stamp: int) -> int:
        """The counter in a number, less what it has lost by now."""
        counter = number & LFU_MOST
        minutes = self._config.lfu_decay_time
        if minutes and number >> 8 != stamp >> 8:
            counter -= ((stamp >> 8) - (number >> 8) & _MINUTES) // minutes
        return counter if counter > 0 else 0

    def used(self, key: bytes) -> None:
        """A key is being used."""
        place = hash(key) & self.mask
        stamp = self._stamp()
        counter = self._decayed(self.table[place], stamp)
        if counter < LFU_MOST:
            above = counter - LFU_START
            if above <= 0 or self._random() * (above * self._config.lfu_log_factor + 1) < 1:
                counter += 1
        self.table[place] = stamp | counter

    def scores(self, keys: Iterable[bytes]) -> list[int]:
        """How seldom each key is used."""
        table, mask, stamp, decayed = self.table, self.mask, self._stamp(), self._decayed
        return [LFU_MOST - decayed(table[hash(key) & mask], stamp) for key in keys]

    def count(self, key: bytes) -> int:
        """The counter of a key."""
        return self._decayed(self.kept(key), self._stamp())

    def set_count(self, key: bytes, counter: int) -> None:
        """Have a key's counter stand there."""
        self.keep(key, self._stamp() | counter)
