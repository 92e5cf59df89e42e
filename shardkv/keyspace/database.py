"""One numbered database: a dict per hash slot, the expiry times beside it, and a count.

``values[slot]`` maps a key to its value; ``expires[slot]`` is None or maps a key to its expiry time in Unix
milliseconds. The two lists are what the tuned commands touch directly; everybody else uses the methods. A string is
``bytes`` (``int`` after INCR, ``bytearray`` after APPEND and its kin), any other type an object of ``shardkv.values``.

A slot that holds very many keys (a hash tag) becomes ``Buckets``, which has the same small interface and can be walked
in steps.
"""

from __future__ import annotations

from array import array
from binascii import crc_hqx
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..values.buckets import Buckets
from ..values.deadlines import Deadlines
from .freeing import LONG, Freeing
from .slots import SLOT_COUNT, SLOT_MASK, key_slot
from .usage import LFU_START, Frequency, Recency, Usage

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from .books import Books

Value: TypeAlias = Any
Slot: TypeAlias = "dict[bytes, Value] | Buckets[Value]"

STRINGS: Final = (bytes, int, bytearray)
#: A slot with more keys than this is walked in steps.
LARGE_SLOT: Final = 1024
#: A slot that never had more has a small table, even after they have gone.
SMALL_SLOT: Final = 10

#: New collections that are kept in mind, more than are made between two looks at them.
NEWBORN_MAX: Final = 1 << 16


class Database:
    """The keys of one database. All times are Unix milliseconds."""

    __slots__ = (
        "access",
        "attended",
        "books",
        "clock",
        "dirty",
        "expires",
        "expiring",
        "filled",
        "freeing",
        "hash_times",
        "hidden",
        "index",
        "live",
        "misses",
        "newborn",
        "now",
        "place",
        "served",
        "size",
        "usage",
        "values",
    )

    def __init__(self, index: int, served: bytearray, hidden: dict[int, bool] | None = None) -> None:
        self.index = index
        #: Slots whose keys are not this node's any more (True) or not yet: no walk comes to them. Shared by all
        #: databases.
        self.hidden = {} if hidden is None else hidden
        self.values: list[Slot] = [{} for _ in range(SLOT_COUNT)]
        self.expires: list[dict[bytes, int] | None] = [None] * SLOT_COUNT
        self.served = served  #: 1 where a plain request for the slot is answered here; shared by all databases
        self.access: list[int] = [0] * SLOT_COUNT  #: when the slot was last used, in seconds
        self.size = 0
        self.expiring = 0
        self.filled = 0  #: the largest slot seen, for weighing random picks
        self.live: list[int] = []  #: the slots that hold keys, in no order
        self.place = array("H", bytes(2 * SLOT_COUNT))  #: where in ``live`` a slot stands that is there
        self.now = 0  #: what should have ended before this has expired: the batch's time, or 0 where another decides
        self.clock = 0  #: the same in seconds
        self.misses = 0  #: of the tuned commands, which count as hits at first
        self.dirty = 0
        self.hash_times = (
            Deadlines()
        )  #: the hashes that have fields which expire, each with the first time or an earlier
        self.freeing = Freeing()  #: large values that are gone
        #: Keys of the latest collections, to be packed as soon as they are full grown (``engine.resting``).
        self.newborn: deque[bytes] = deque(maxlen=NEWBORN_MAX)
        self.books: Books | None = None  #: kept while somebody needs to know what all keys weigh
        self.usage: Usage | None = None  #: kept while keys are given up by their use; else a slot has one time of use
        self.attended = False  #: somebody watches, waits for, caches or listens to keys

    # ---- single keys

    def get(self, key: bytes) -> Value | None:
        """The value, whether expired or not, or None."""
        return self.values[key_slot(key)].get(key)

    def expired(self, key: bytes, slot: int) -> bool:
        """Whether the key has an expiry time that has passed."""
        times = self.expires[slot]
        if times is None:
            return False
        at = times.get(key)
        return at is not None and at < self.now

    def put(self, key: bytes, value: Value) -> bool:
        """Store a value and leave the expiry as it is. True if the key is new."""
        slot = key_slot(key)
        held = self.values[slot]
        old = held.get(key) if self.books is not None else None
        before = len(held)
        held[key] = value
        after = len(held)
        if after != before:
            self.grown(slot, after)
        if self.books is not None:
            self.books.put(self, slot, key, old, value)
            if self.usage is not None:
                self.usage.new(slot, key)
        return after != before

    def grown(self, slot: int, count: int) -> None:
        """Book a new key in ``slot``, which has ``count`` keys now. For those who write ``values`` directly."""
        self.size += 1
        if count > self.filled:
            self.filled = count
        if count == 1:
            self.place[slot] = len(self.live)
            self.live.append(slot)
        elif count > LARGE_SLOT:
            held = self.values[slot]
            if type(held) is dict:
                self.values[slot] = Buckets(held)

    def settled(self, slots: Iterable[int]) -> None:
        """Each of these slots has its first key. For those who write many ``values`` directly."""
        live, place = self.live, self.place
        for slot in slots:
            place[slot] = len(live)
            live.append(slot)

    def emptied(self, slots: Iterable[int]) -> None:
        """The last key of each of these slots has gone. For those who take from ``values`` directly."""
        live, place = self.live, self.place
        for slot in slots:
            last = live.pop()  # it moves to where the slot stood
            if last != slot:
                live[place[slot]] = last
                place[last] = place[slot]

    def remove(self, key: bytes) -> Value | None:
        """Take a key and its expiry out; its value, or None if it was not there."""
        slot = crc_hqx(key, 0) & SLOT_MASK if 123 not in key else key_slot(key)
        held = self.values[slot]
        value: Value | None = held.pop(key, None)
        if value is None:
            return None
        self.size -= 1
        if not held:
            self.emptied((slot,))
        times = self.expires[slot]
        if times is not None and times.pop(key, None) is not None:
            self._one_less(slot, times)
        if self.books is not None:
            self.books.gone(self, slot, key, value)
            if self.usage is not None:
                self.usage.slots[slot].pop(key, None)
        return value

    def discard(self, key: bytes) -> bool:
        """Delete a key for good: a large value is freed in the background. False if it was not there."""
        value = self.remove(key)
        if value is None:
            return False
        if type(value) not in STRINGS or (type(value) is bytes and len(value) > LONG):
            self.freeing.give(value)
        return True

    def expiry(self, key: bytes) -> int | None:
        """The expiry time, or None."""
        times = self.expires[key_slot(key)]
        return None if times is None else times.get(key)

    def expire_at(self, key: bytes, at: int | None) -> None:
        """Set or (None) clear the expiry time of a key that exists."""
        slot = key_slot(key)
        times = self.expires[slot]
        if at is None:
            if times is not None and times.pop(key, None) is not None:
                self._one_less(slot, times)
            return
        if times is None:
            times = self.expires[slot] = {}
        before = len(times)
        times[key] = at
        self.expiring += len(times) - before
        if self.books is not None:
            self.books.timed(self, slot, len(times) - before)

    def _one_less(self, slot: int, times: dict[bytes, int]) -> None:
        self.expiring -= 1
        if self.books is not None:
            self.books.timed(self, slot, -1)
        if not times:
            self.expires[slot] = None

    def note_fields(self, key: bytes, first: int) -> None:
        """Let the active step know of a hash of whose fields the first expires at ``first``."""
        known = self.hash_times.get(key)
        if known is None or first < known:
            self.hash_times.set(key, first)

    # ---- use

    def idle_seconds(self, key: bytes, now: int) -> int:
        """For how long a key has not been used (``now``: Unix seconds). Without a policy that asks for each key's use
        the keys of a slot share one time."""
        slot, usage = key_slot(key), self.usage
        idle = usage.idle_seconds(slot, key) if isinstance(usage, Recency) else None
        return max(0, now - self.access[slot]) if idle is None else idle

    def frequency(self, key: bytes) -> int:
        """How often a key is used, on the scale of the LFU policies."""
        usage = self.usage
        return usage.count(key_slot(key), key) if isinstance(usage, Frequency) else LFU_START

    def mark(self, key: bytes, now: int, idle: int | None, frequency: int | None) -> None:
        """Have a key be used last so many seconds before ``now`` (Unix seconds) or, where that is what counts, so
        often. None: nothing is known of it."""
        slot, usage = key_slot(key), self.usage
        if isinstance(usage, Frequency):
            if frequency is not None:
                usage.set_count(slot, key, frequency)
        elif idle is not None:
            self.access[slot] = max(0, now - idle)
            if isinstance(usage, Recency):
                usage.set_idle(slot, key, idle)

    # ---- many keys

    def clear(self) -> None:
        """Forget every key; what they held is freed in the background."""
        values, expires = self.values, self.expires
        # Slots that are empty cost nothing, unless their tables may be large from keys that have gone one by one.
        slots = self.live if self.filled <= SMALL_SLOT else range(SLOT_COUNT)
        self.freeing.give_all([values[slot] for slot in slots], [expires[slot] for slot in slots], self.size)
        for slot in slots:
            values[slot], expires[slot] = {}, None
        self.size = self.expiring = self.filled = 0
        self.live = []
        self.hash_times = Deadlines()
        if self.usage is not None:
            self.usage.clear()
        if self.books is not None:
            self.books.cleared()

    def take_over(self, other: Database) -> None:
        """Hold what another database holds, which is not to be used any more. What was held here is freed in the
        background."""
        self.clear()
        for name in ("values", "expires", "access", "size", "expiring", "filled", "live", "place", "hash_times"):
            setattr(self, name, getattr(other, name))
        if self.usage is not None and type(self.usage) is type(other.usage):
            self.usage.take_over(other.usage)
        if self.books is not None:
            self.books.recount()

    def merge(self, other: Database) -> None:
        """Take in what another database holds, which is not to be used any more. Its keys take the place of those that
        are here."""
        for key, value in other.items():
            self.discard(key)
            self.put(key, value)
            at = other.expiry(key)
            if at is not None:
                self.expire_at(key, at)
            first = other.hash_times.get(key)
            if first is not None:
                self.note_fields(key, first)
        self.access = list(map(max, self.access, other.access))

    @property
    def shown(self) -> int:
        """How many keys there are that are not hidden."""
        return self.size - sum(len(self.values[slot]) for slot in self.hidden) if self.hidden else self.size

    def keys_in_slot(self, slot: int, count: int) -> list[bytes]:
        """Up to ``count`` keys of a slot."""
        return list(islice(self.values[slot], count))

    def count_in_slot(self, slot: int) -> int:
        """How many keys a slot has."""
        return len(self.values[slot])

    def drop_slot(self, slot: int) -> int:
        """Forget all keys of a slot; how many there were."""
        count = len(self.values[slot])
        if not count:
            return 0
        if self.books is not None:
            self.books.dropped(self, slot)
        if self.usage is not None:
            self.usage.drop(slot, self.values[slot])
        self.emptied((slot,))
        self.freeing.give_all((self.values[slot],), (self.expires[slot],), count)
        self.values[slot] = {}
        times = self.expires[slot]
        if times is not None:
            self.expiring -= len(times)
            self.expires[slot] = None
        self.size -= count
        return count

    def __iter__(self) -> Iterator[bytes]:
        for held in self.values:
            yield from held

    def items(self) -> Iterator[tuple[bytes, Value]]:
        """All pairs, slot by slot."""
        for held in self.values:
            yield from held.items()

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """Walk from ``cursor`` (0: the beginning) until ``count`` keys were met; the next cursor (0: the end) and the
        keys.

        The low 14 bits of a cursor are the slot, the rest the place inside a large slot. A walk passes at most 16384
        slots, and small slots are returned whole, so the cursor means the same on any node that holds the slot.
        """
        slot = cursor & SLOT_MASK
        inner = cursor >> 14
        found: list[bytes] = []
        values = self.values
        while True:
            held = values[slot]
            if held and slot not in self.hidden:
                if isinstance(held, Buckets):
                    inner, bucket = held.step(inner)
                    found.extend(bucket)
                    if inner:
                        if len(found) >= count:
                            return inner << 14 | slot, found
                        continue
                else:
                    found.extend(held)
            inner = 0
            slot += 1
            if slot == SLOT_COUNT:
                return 0, found
            if len(found) >= count:
                return slot, found

    def choose(self, rng: Random) -> bytes | None:
        """A random key, or None when there are none, in O(1).

        A slot that holds keys is drawn and weighed by how many, through rejection against the largest slot seen. Where
        the slots are very uneven (one hash tag holds nearly all keys) the draws are bounded, at the price of a small
        bias.
        """
        live = self.live
        if self.hidden:
            live = [slot for slot in live if slot not in self.hidden]
        if not live:
            return None
        for _ in range(64):
            held = self.values[live[rng.randrange(len(live))]]
            if rng.randrange(self.filled) < len(held):
                break
        if isinstance(held, Buckets):
            return held.choose(rng)
        return next(islice(held, rng.randrange(len(held)), None))

    def check(self) -> None:
        """Assert the invariants."""
        assert self.size == sum(len(held) for held in self.values)
        assert sorted(self.live) == [slot for slot, held in enumerate(self.values) if held]
        assert all(self.place[slot] == place for place, slot in enumerate(self.live))
        assert self.expiring == sum(len(times) for times in self.expires if times is not None)
        for slot, held in enumerate(self.values):
            assert all(key_slot(key) == slot for key in held)
            times = self.expires[slot]
            assert times is None or times
            assert times is None or all(key in held for key in times)


def glob_keys(database: Database, matches: Callable[[bytes], bool]) -> list[bytes]:
    """All live keys that match, in slot order (KEYS)."""
    return [
        key
        for slot, held in enumerate(database.values)
        if held and slot not in database.hidden
        for key in held
        if matches(key) and not database.expired(key, slot)
    ]
