"""List values: a quicklist that knows what OBJECT ENCODING would call it.

As in Redis 7.4 a list begins as a ``listpack`` and becomes a ``quicklist`` when what is added would pass the limit of
one node (``list-max-listpack-size``: a count, or -1 to -5 for 4 to 64 KiB); it goes back once it is down to half of
that. The size that counts is that of the listpack which Redis would hold, so it is kept up to date as long as the list
is short. (Going back, Redis asks besides whether all elements happen to lie in one node; here the size alone decides.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Self

from .listpack import Listpack, keep
from .packing import pack_list
from .quicklist import EMPTY, LIVE, NODE, PACKED_MAX, Quicklist

#: A node's largest size by ``list-max-listpack-size`` from -1 to -5.
SIZES: Final = (4096, 8192, 16384, 32768, 65536)
#: The largest size of a node that is limited by count.
SAFETY: Final = 8192
#: An empty listpack.
HEADER: Final = 7

#: A list of more elements is not kept as it was read.
KEPT_MOST: Final = 4096

_INT64_DIGITS: Final = 20
_INT64_END: Final = 2**63
_UNKNOWN: Final = -1


def entry_size(element: bytes) -> int:
    """The bytes that an element takes in a listpack: integers are held as such."""
    size = len(element)
    if size <= _INT64_DIGITS and element and element[-1] < 58:
        number = _integer(element)
        if number is not None:
            if 0 <= number <= 127:
                return 2
            if -4096 <= number <= 4095:
                return 3
            for width in (2, 3, 4):
                if -(1 << (8 * width - 1)) <= number < 1 << (8 * width - 1):
                    return width + 2
            return 10
    size += 1 if size < 64 else 2 if size < 4096 else 5
    if size <= 127:
        return size + 1
    return size + (2 if size < 16384 else 3 if size < 2097152 else 4 if size < 268435456 else 5)


def _integer(element: bytes) -> int | None:
    """The 64-bit integer that the element spells in its one canonical form."""
    try:
        number = int(element)
    except ValueError:
        return None
    return number if b"%d" % number == element and -_INT64_END <= number < _INT64_END else None


def _fits(size: int, count: int, fill: int, share: int) -> bool:
    """Whether so many bytes and elements fit in one part of ``share`` of a node."""
    if fill < 0:
        return size <= SIZES[min(-fill, len(SIZES)) - 1] // share
    # A node that is limited by count is limited by size all the same, so more than that were several nodes.
    return size <= SAFETY and count <= max(1, fill) // share


class ListValue(Quicklist):
    """A list. ``fill`` is the option ``list-max-listpack-size`` as it stands when something is added or taken."""

    __slots__ = ("_size",)

    type_name: Final = "list"

    def __init__(self) -> None:
        super().__init__()
        self._size = HEADER  #: of the listpack, or unknown while there is a middle

    @classmethod
    def of(cls, elements: Iterable[bytes], fill: int) -> Self:
        """A list of these elements, as short as its encoding can be (RDB, SORT STORE)."""
        made = cls()
        made._whole = False
        made._size = _UNKNOWN
        held = list(elements)
        for start in range(0, len(held), NODE):
            made._push_right(held[start : start + NODE])
        made._settle(fill, 1)
        if made._whole:
            made.rest()
        return made

    @classmethod
    def resting(cls, elements: list[bytes], size: int, fill: int) -> Self:
        """A list, packed at once if it is a short one. ``size``: of the one listpack that holds all elements, 0 if
        there is none."""
        if size and size <= PACKED_MAX:
            packed = pack_list(elements)
            if len(packed) <= PACKED_MAX:
                made = cls._asleep(packed, len(elements), size, fill)
                if made is not None:
                    return made
        return cls.of(elements, fill)

    @classmethod
    def kept(cls, blob: bytes, fill: int) -> Self | None:
        """A list that is read from this listpack when somebody asks for an element. None if it is not short, or none
        at all."""
        pack = keep(blob, KEPT_MOST)
        return None if pack is None else cls._asleep(pack, pack.elements, len(blob), fill)

    @classmethod
    def _asleep(cls, packed: bytes, count: int, size: int, fill: int) -> Self | None:
        """A list at rest, or None if it is too long to be a listpack."""
        if not _fits(size, count, fill, 1):
            return None
        made = cls.__new__(cls)
        made._front = made._back = EMPTY
        made._inner = count
        made._nodes = made._counts = made._sums = None
        made._packed = packed
        made._whole = True
        made._size = size
        return made

    @property
    def listpack(self) -> Listpack | None:
        """The listpack that it was read from, while it is kept."""
        packed = self._packed
        return packed if type(packed) is Listpack else None

    def unfold(self) -> None:
        """Read what is kept at once. Raises DamagedValue if it is no list."""
        if self.listpack is not None:
            self._wake()
            self.rest()

    @property
    def encoding(self) -> str:
        """As OBJECT ENCODING says."""
        return "listpack" if self._whole else "quicklist"

    # ---- adding

    def make_room(self, elements: Sequence[bytes], fill: int) -> None:
        """Leave the listpack if these would pass its limit. Adding does this; LINSERT also when nothing is added."""
        if self._whole:
            size = self._size
            for element in elements:
                size += len(element)
            if fill < 0:
                self._whole = size <= SIZES[min(-fill, len(SIZES)) - 1]
            else:
                self._whole = size <= SAFETY and len(self) + len(elements) <= max(1, fill)

    def _grow(self, elements: Sequence[bytes], fill: int) -> None:
        """Before these are added: keep the size, and leave the listpack if they would pass the limit."""
        if self._size != _UNKNOWN:
            self.make_room(elements, fill)
            for element in elements:
                self._size += entry_size(element)

    def push_left(self, elements: tuple[bytes, ...] | list[bytes], fill: int) -> None:
        """Put each before the first element, so that the last one given ends up first."""
        if self._nodes is not None:
            front = self._front
            front.extend(elements)
            if len(front) > LIVE:
                self._give_left(len(front) - NODE)
            return
        if self._size != _UNKNOWN:
            self._grow(elements, fill)
        self._push_left(elements)
        if self._nodes is not None:
            self._size = _UNKNOWN

    def push_right(self, elements: tuple[bytes, ...] | list[bytes], fill: int) -> None:
        """Put each behind the last element."""
        if self._nodes is not None:
            back = self._back
            back.extend(elements)
            if len(back) > LIVE:
                self._give_right(len(back) - NODE)
            return
        if self._size != _UNKNOWN:
            self._grow(elements, fill)
        self._push_right(elements)
        if self._nodes is not None:
            self._size = _UNKNOWN

    def insert(self, index: int, element: bytes, fill: int) -> None:
        """Put an element before the one at ``index``, or last if that is the length."""
        self._grow((element,), fill)
        self._insert(index, element)
        if self._nodes is not None:
            self._size = _UNKNOWN

    def replace(self, index: int, element: bytes, fill: int) -> None:
        """Put an element in the place of the one at ``index``."""
        gone = (self.get(index),)
        self._grow((element,), fill)
        self._replace(index, element)
        self._shrink(gone, fill)

    # ---- taking

    def _shrink(self, gone: Iterable[bytes], fill: int) -> None:
        """After these were taken: keep the size, and go back to a listpack if all would fit in half of one."""
        if self._size != _UNKNOWN:
            for element in gone:
                self._size -= entry_size(element)
        if not self._whole and self._nodes is None and len(self):
            self._settle(fill, 2)

    def _settle(self, fill: int, share: int) -> None:
        """Become a listpack if the list fits in one part of ``share`` of a node."""
        if self._nodes is not None:
            return
        if self._size == _UNKNOWN:
            self._measure()
        self._whole = _fits(self._size, len(self), fill, share)

    def _measure(self) -> None:
        self._size = HEADER + sum(map(entry_size, self))

    def pop_left(self, fill: int) -> bytes:
        """Take the first element. The list must not be empty."""
        element = self._front.pop() if self._front else self._pop_left()
        if self._nodes is None:
            self._shrink((element,), fill)
        return element

    def pop_right(self, fill: int) -> bytes:
        """Take the last element. The list must not be empty."""
        element = self._back.pop() if self._back else self._pop_right()
        if self._nodes is None:
            self._shrink((element,), fill)
        return element

    def rotate(self, fill: int, *, from_left: bool, to_left: bool) -> bytes:
        """Take an element from one end and put it to an end again. The list must not be empty. Only then is it asked
        whether a quicklist is short enough to go back."""
        whole = self._whole
        element = self.pop_left(fill) if from_left else self.pop_right(fill)
        self._whole = whole
        if to_left:
            self.push_left((element,), fill)
        else:
            self.push_right((element,), fill)
        self._shrink((), fill)
        return element

    def pop(self, count: int, fill: int, *, left: bool) -> list[bytes]:
        """Take up to ``count`` elements from one end, the outermost first."""
        size = len(self)
        count = min(count, size)
        if left:
            taken = self.slice(0, count)
            self._drop_left(count)
        else:
            taken = self.slice(size - count, size)
            taken.reverse()
            self._drop_right(count)
        self._shrink(taken, fill)
        return taken

    def trim(self, start: int, end: int, fill: int) -> int:
        """Keep only what lies from ``start`` to before ``end``; how many elements went."""
        self._wake()
        size = len(self)
        gone: list[bytes] = []
        if self._size != _UNKNOWN:
            gone = self.slice(0, start) + self.slice(end, size)
        self._drop_left(start)
        self._drop_right(size - end)
        self._shrink(gone, fill)
        return size - end + start

    def remove(self, element: bytes, count: int, fill: int) -> int:
        """Take out ``count`` equal elements from the left, or -``count`` from the right, or (0) all; how many went."""
        removed = self._remove(element, abs(count) or len(self), backwards=count < 0)
        if removed:
            self._shrink((element,) * removed, fill)
        return removed

    # ---- looking

    def find(self, element: bytes, *, backwards: bool = False, limit: int = 0) -> Iterator[int]:
        """The indexes of equal elements, from the left or the right; with ``limit``, among that many elements only."""
        size = len(self)
        first = max(0, size - limit) if backwards and limit else 0
        last = min(size, limit) if limit and not backwards else size
        for start, items in self.chunks(element, backwards=backwards):
            if start >= last or start + len(items) <= first:
                if (start < first) if backwards else (start >= last):
                    return
                continue
            places = [start + place for place, item in enumerate(items) if item == element]
            for place in reversed(places) if backwards else places:
                if first <= place < last:
                    yield place

    def digest_items(self) -> Iterator[bytes]:
        """The elements in order, for DEBUG DIGEST."""
        return iter(self)

    def copy(self) -> Self:
        """An independent copy."""
        other = type(self).__new__(type(self))
        self._copy_into(other)
        other._size = self._size
        return other

    def check(self) -> None:
        """Assert the invariants."""
        super().check()
        if self._size != _UNKNOWN:
            assert self._size == HEADER + sum(map(entry_size, self.copy()))
        else:
            assert not self._whole
