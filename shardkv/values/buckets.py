"""A mapping of bytes that can be walked in steps with a cursor that survives growth.

A Python dict cannot be entered in its middle, so a large one is kept as many small ones: linear hashing by the low bits
of a hash that is the same in every process (CRC-32), so that a cursor means the same on another node. Each bucket
stands for all hashes that end in its ``level`` low bits, and buckets split one at a time: no insert ever rehashes
everything.

A cursor is a hash; buckets are visited in the order of their bit-reversed suffixes, in which a split only divides an
interval. So an element that is present from start to end of a walk is returned at least once, however the mapping grows
or shrinks.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final, Generic, TypeVar
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

V = TypeVar("V")

_TARGET: Final = 64  #: mean size of a bucket: small enough to walk in one step, large enough to cost no memory
_SPARSE: Final = 16  #: below this mean size keys are counted off
_HASHES: Final = 1 << 32
#: Of a bucket's expected size: hardly ever is one larger.
_ROOM: Final = 1.4


class Buckets(Generic[V]):
    """A dict of bytes to values in many small dicts; the part of dict's interface that the keyspace and the values
    use."""

    __slots__ = ("_count", "_dicts", "_full", "_level", "_low", "_split")

    def __init__(self, items: Mapping[bytes, V]) -> None:
        self._level = max(1, (len(items) // _TARGET).bit_length())
        self._low = (1 << self._level) - 1  #: the bits of a hash that name a bucket
        self._split = 0
        self._dicts: list[dict[bytes, V]] = [{} for _ in range(1 << self._level)]
        self._full = _TARGET << self._level  #: more keys than this, and a bucket is split
        self._count = len(items)
        dicts, low = self._dicts, self._low
        for key, value in items.items():
            dicts[crc32(key) & low][key] = value

    def _bucket(self, key: bytes) -> dict[bytes, V]:
        digest = crc32(key)
        index = digest & self._low
        if index < self._split:
            index = digest & (self._low << 1 | 1)
        return self._dicts[index]

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: bytes) -> bool:
        return key in self._bucket(key)

    def __getitem__(self, key: bytes) -> V:
        return self._bucket(key)[key]

    def get(self, key: bytes) -> V | None:
        """The value, or None."""
        digest = crc32(key)
        index = digest & self._low
        if index < self._split:
            index = digest & (self._low << 1 | 1)
        return self._dicts[index].get(key)

    def __setitem__(self, key: bytes, value: V) -> None:
        self.put(key, value)

    def put(self, key: bytes, value: V) -> bool:
        """Store a value; whether its key is new."""
        digest = crc32(key)
        index = digest & self._low
        if index < self._split:
            index = digest & (self._low << 1 | 1)
        bucket = self._dicts[index]
        before = len(bucket)
        bucket[key] = value
        if len(bucket) == before:
            return False
        self._count += 1
        if self._count > self._full:
            self._grow()
        return True

    def __delitem__(self, key: bytes) -> None:
        del self._bucket(key)[key]
        self._one_less()

    def pop(self, key: bytes, default: V | None = None) -> V | None:
        """Remove and return, or ``default``."""
        bucket = self._bucket(key)
        if key in bucket:
            value = bucket.pop(key)
            self._one_less()
            return value
        return default

    def pop_random(self, rng: Random) -> bytes:
        """Remove and return a random key, as ``choose`` finds it."""
        bucket, key = self._draw(rng)
        del bucket[key]
        self._one_less()
        return key

    def take_apart(self) -> Iterator[dict[bytes, V]]:
        """Give up the buckets one by one, for whoever frees a large mapping in steps. Nothing may use it any more."""
        while self._dicts:
            yield self._dicts.pop()

    def _one_less(self) -> None:
        self._count -= 1
        if self._count < self._full >> 1:
            self._shrink()

    def __iter__(self) -> Iterator[bytes]:
        for bucket in self._dicts:
            yield from bucket

    def keys(self) -> Iterator[bytes]:
        """All keys."""
        return iter(self)

    def items(self) -> Iterator[tuple[bytes, V]]:
        """All pairs."""
        for bucket in self._dicts:
            yield from bucket.items()

    def values(self) -> Iterator[V]:
        """All values."""
        for bucket in self._dicts:
            yield from bucket.values()

    def _grow(self) -> None:
        """Split one bucket: about half of it moves to a new one at the end."""
        old = self._dicts[self._split]
        bit = 1 << self._level
        moved = {key: value for key, value in old.items() if crc32(key) & bit}
        for key in moved:
            del old[key]
        self._dicts.append(moved)
        self._full += _TARGET
        self._split += 1
        if self._split == bit:
            self._level += 1
            self._low = self._low << 1 | 1
            self._split = 0

    def _shrink(self) -> None:
        """Merge the last bucket into the one it was split from, so that choosing stays cheap while all is deleted."""
        if len(self._dicts) <= 2:
            return
        if not self._split:
            self._level -= 1
            self._low >>= 1
            self._split = 1 << self._level
        self._split -= 1
        self._full -= _TARGET
        self._dicts[self._split].update(self._dicts.pop())

    def step(self, cursor: int) -> tuple[int, dict[bytes, V]]:
        """The bucket at ``cursor`` (0 to start) and the next cursor, 0 when the walk is over."""
        bits = self._level
        index = cursor & ((1 << bits) - 1)
        if index < self._split:
            bits += 1
            index = cursor & ((1 << bits) - 1)
        after = (_reverse(index, bits) + 1) & ((1 << bits) - 1)
        return _reverse(after, bits), self._dicts[index]

    def choose(self, rng: Random) -> bytes:
        """A random key, each about as likely, in O(1). The mapping must not be empty."""
        return self._draw(rng)[1]

    def _draw(self, rng: Random) -> tuple[dict[bytes, V], bytes]:
        """A random key and the bucket that it is in.

        The bucket is drawn by a random hash, so that one not split yet, which holds twice as much, comes twice as
        often.
        """
        dicts, random = self._dicts, rng.random
        while True:
            digest = int(random() * _HASHES)
            index = digest & self._low
            expected = self._count / (self._low + 1)
            if index < self._split:
                index = digest & (self._low << 1 | 1)
                expected /= 2
            bucket = dicts[index]
            place = int(random() * max(expected * _ROOM + 1, len(bucket)))
            if place < len(bucket):
                return bucket, next(islice(bucket, place, None))
            if self._count < len(dicts) * _SPARSE:
                # Next to nothing is left in the least number of buckets.
                key = next(islice(self, int(random() * self._count), None))
                return self._bucket(key), key

    def check(self) -> None:
        """Assert the invariants."""
        assert self._count == sum(len(bucket) for bucket in self._dicts)
        assert len(self._dicts) == (1 << self._level) + self._split
        assert self._low == (1 << self._level) - 1
        assert self._full == _TARGET * len(self._dicts)
        for index, bucket in enumerate(self._dicts):
            bits = self._level + (1 if index < self._split or index >= 1 << self._level else 0)
            assert all(crc32(key) & ((1 << bits) - 1) == index for key in bucket)


def portion(held: dict[bytes, V], cursor: int, count: int) -> tuple[int, dict[bytes, V]]:
    """What is in a plain dict where ``Buckets`` of the same keys, with ``count`` or ``_TARGET`` of them each, would
    have the bucket at ``cursor`` (0 to start); and the next cursor, 0 when the walk is over.

    So a walk goes on rightly though the dict became ``Buckets`` meanwhile, or the other way round.
    """
    bits = (len(held) // max(count, _TARGET)).bit_length()
    if not bits:
        return 0, held
    low = (1 << bits) - 1
    index = cursor & low
    after = (_reverse(index, bits) + 1) & low
    return _reverse(after, bits), {key: value for key, value in held.items() if crc32(key) & low == index}


def _reverse(number: int, bits: int) -> int:
    """``number`` with its low ``bits`` bits in the other order."""
    result = 0
    for _ in range(bits):
        result = result << 1 | number & 1
        number >>= 1
    return result
