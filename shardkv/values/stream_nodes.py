"""A node of a stream: up to some hundred entries, packed as one run of bytes.

A node begins with the fields of its first entry; an entry with the same fields stores its values only. Each entry is
a msgpack array, ``[milliseconds since the node's first id, sequence, value ...]``, or with a list of its own fields
before the values.

Nodes are closed exactly where Redis closes them, since approximate trimming removes whole nodes only and must remove
the same entries: so each knows the size of the listpack that Redis would hold, deleted entries included. The bytes of
these, other than Redis's, are given back at once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final, TypeAlias

import msgpack

from .stream_ids import MAX_ID, SEQ_BITS, SEQ_MASK

#: ``[milliseconds, sequence, value ...]`` or ``[milliseconds, sequence, [field ...], value ...]``.
RawEntry: TypeAlias = list[Any]

#: Fields and values of one entry may not take more bytes together.
ENTRY_BYTES_MAX: Final = 1 << 30
#: An empty listpack: its header and its end.
_LISTPACK_EMPTY: Final = 7
_INT64_DIGITS: Final = 20
_INT64_END: Final = 2**63
#: Entries larger than this are packed by a packer of their own, since a packer never gives its buffer back.
_LARGE: Final = 1 << 16
#: The bytes that a node takes beside its entries and fields.
NODE_OVERHEAD: Final = 240

_pack: Final = msgpack.Packer(use_bin_type=True).pack


def integer_size(number: int) -> int:
    """The bytes of a signed 64-bit integer in a listpack."""
    if 0 <= number <= 127:
        return 2
    if -4096 <= number <= 4095:
        return 3
    if -32768 <= number <= 32767:
        return 4
    if -8388608 <= number <= 8388607:
        return 5
    return 6 if -(2**31) <= number < 2**31 else 10


def text_size(text: bytes) -> int:
    """The bytes of a string in a listpack; one that spells an integer is held as such."""
    size = len(text)
    if 0 < size <= _INT64_DIGITS and text[-1] < 58 and text.lstrip(b"-").isdigit():
        number = int(text) if text.rfind(b"-") <= 0 else 0
        if b"%d" % number == text and -_INT64_END <= number < _INT64_END:
            return integer_size(number)
    size += 1 if size < 64 else 2 if size < 4096 else 5
    if size <= 127:
        return size + 1
    return size + (2 if size < 16383 else 3 if size < 2097151 else 4 if size < 268435455 else 5)


def _signed(number: int) -> int:
    """A difference of unsigned 64-bit numbers as C's int64 has it."""
    number &= SEQ_MASK
    return number - 2**64 if number >= _INT64_END else number


def _walk(data: bytes | bytearray) -> msgpack.Unpacker:
    """Goes over packed entries one by one. Its buffer is as large as the data, not the megabyte that it would be."""
    walk = msgpack.Unpacker(max_buffer_size=0, read_size=len(data) + 1)
    walk.feed(data)
    return walk


class Node:
    """Entries in a row. ``first`` is the id it was begun with, ``last`` the latest it ever held; both may be gone.

    ``size`` is that of Redis's listpack. While ``data`` is a ``Listpack`` the node is kept as it was read: nothing but
    its counts may be asked (``stream_listpacks.unfold`` comes before). A loader adds the entries that are left and sets
    it, ``deleted`` and ``last``.
    """

    __slots__ = ("count", "data", "deleted", "fields", "first", "last", "size")

    def __init__(self, first: int, fields: tuple[bytes, ...]) -> None:
        self.first = first
        self.last = first
        self.fields = fields
        self.count = 0
        self.deleted = 0
        self.data: bytes | bytearray = bytearray()
        # The bytes of the listpack that Redis would hold: two counters, how many fields, these, and a zero.
        self.size = _LISTPACK_EMPTY + 2 + 2 + integer_size(len(fields)) + sum(map(text_size, fields)) + 2

    @classmethod
    def kept(cls, first: int, pack: bytes, count: int, deleted: int) -> Node:
        """A node that is left in Redis's listpack, by what its header says."""
        node = cls.__new__(cls)
        node.first = node.last = first
        node.fields = ()
        node.count, node.deleted = count, deleted
        node.data, node.size = pack, len(pack)
        return node

    def __len__(self) -> int:
        return self.count

    # ---- writing

    def add(self, id: int, words: Sequence[bytes]) -> int:
        """Append an entry of fields and values in turn, its id above all before. The bytes that it takes here."""
        fields = tuple(words[::2])
        values = words[1::2]
        ms = (id >> SEQ_BITS) - (self.first >> SEQ_BITS)
        seq = id & SEQ_MASK
        step = seq - (self.first & SEQ_MASK)
        size = 4 if 0 <= ms < 128 else 2 + integer_size(_signed(ms))
        size += 2 if 0 <= step < 128 else integer_size(_signed(step))
        entry: RawEntry = [ms, seq]
        if fields == self.fields:
            size += integer_size(len(fields) + 3)
        else:
            entry.append(fields)
            size += integer_size(len(fields)) + integer_size(2 * len(fields) + 4) + sum(map(text_size, fields))
        entry += values
        for value in values:
            size += text_size(value)
        packed: bytes = _pack(entry) if size < _LARGE else msgpack.packb(entry)
        if type(self.data) is bytes:
            self.data = bytearray(self.data)  # a closed node that is the last one again
        self.data += packed
        count = self.count = self.count + 1
        if count > 127:
            size += integer_size(count) - integer_size(count - 1)
        self.size += size
        self.last = id
        return len(packed)

    def close(self) -> None:
        """No more entries will come: spare room is given back."""
        if type(self.data) is bytearray:
            self.data = bytes(self.data)

    def remove(self, ids: Iterable[int]) -> list[int]:
        """Delete entries; the ids of those that were there, ascending."""
        raw = self.entries()
        found: list[int] = []
        places: list[int] = []
        for id in ids:
            place = self.place(raw, id)
            if place is not None:
                found.append(id)
                places.append(place)
        if found:
            self._cut(places)
            self._deleted(len(found))
        return found

    def _cut(self, places: list[int]) -> None:
        """Cut the entries at these places out of the bytes."""
        data = self.data
        kept: list[bytes | bytearray] = []
        begin = at = 0
        walk = _walk(data)
        for place in places:
            while at < place:
                walk.skip()
                at += 1
            kept.append(data[begin : walk.tell()])
            walk.skip()
            at += 1
            begin = walk.tell()
        kept.append(data[begin:])
        self.data = type(data)().join(kept)

    def _deleted(self, count: int) -> None:
        before = integer_size(self.count) + integer_size(self.deleted)
        self.count -= count
        self.deleted += count
        self.size += integer_size(self.count) + integer_size(self.deleted) - before

    def drop(self, count: int) -> None:
        """Delete the first ``count`` entries."""
        walk = _walk(self.data)
        for _ in range(count):
            walk.skip()
        self.data = self.data[walk.tell() :]
        self._deleted(count)

    def drop_below(self, id: int) -> int:
        """Delete the entries whose ids are smaller; how many there were."""
        count = self._index(self.entries(), id)
        if count:
            self.drop(count)
        return count

    # ---- reading

    def entries(self) -> list[RawEntry]:
        """All entries in order, as they are stored."""
        count = self.count
        if not count:
            return []
        head = b"\xdc" + count.to_bytes(2) if count < 1 << 16 else b"\xdd" + count.to_bytes(4)
        unpacked: list[RawEntry] = msgpack.unpackb(head + self.data)
        return unpacked

    def first_entry_id(self) -> int:
        """The id of the first entry that is left. There must be one."""
        walk = _walk(self.data)
        return self.id_of(walk.unpack())

    def _index(self, raw: list[RawEntry], id: int) -> int:
        """Where the first entry stands whose id is not smaller."""
        # A list that is the beginning of another sorts before it: entries compare with a bare [milliseconds, sequence].
        return bisect_left(raw, [(id >> SEQ_BITS) - (self.first >> SEQ_BITS), id & SEQ_MASK])

    def place(self, raw: list[RawEntry], id: int) -> int | None:
        """Where the entry with this id stands in ``entries()``, or None."""
        at = self._index(raw, id)
        return at if at < len(raw) and self.id_of(raw[at]) == id else None

    def between(self, start: int, end: int) -> list[RawEntry]:
        """The entries with ids from ``start`` to ``end``, both included."""
        raw = self.entries()
        low = self._index(raw, start) if start > self.first else 0
        if end >= self.last:
            return raw[low:] if low else raw
        return raw[low : self._index(raw, end + 1)]

    def id_of(self, entry: RawEntry) -> int:
        """The id of an entry of this node."""
        id: int = self.first - (self.first & SEQ_MASK) + (entry[0] << SEQ_BITS) + entry[1]
        return id

    def words_of(self, entry: RawEntry) -> list[bytes]:
        """The fields and values of an entry in turn."""
        fields: Sequence[Any]
        if len(entry) > 2 and type(entry[2]) is list:
            fields, values = entry[2], entry[3:]
        else:
            fields, values = self.fields, entry[2:]
        words: list[bytes] = [b""] * (2 * len(values))
        words[::2] = fields
        words[1::2] = values
        return words

    # ---- more

    def copy(self) -> Node:
        """An independent copy."""
        made = Node(self.first, ())
        made.fields = self.fields
        made.last = self.last
        made.count = self.count
        made.deleted = self.deleted
        made.data = self.data[:] if type(self.data) is bytearray else self.data
        made.size = self.size
        return made

    def check(self) -> None:
        """Assert the invariants."""
        raw = self.entries()
        ids = [self.id_of(entry) for entry in raw]
        assert len(ids) == self.count
        assert all(low < high for low, high in pairwise(ids))
        assert not ids or self.first <= ids[0] <= ids[-1] <= self.last <= MAX_ID
        assert self.deleted >= 0
        for entry in raw:
            words = self.words_of(entry)
            assert len(words) % 2 == 0
            assert all(type(word) is bytes for word in words)
