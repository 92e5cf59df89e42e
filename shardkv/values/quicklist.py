"""A long sequence of byte strings that is cheap at both ends, bounded in the middle, and small.

Redis keeps a list as a chain of packed nodes; so does this. The two ends are live Python lists, which push and pop at
the speed of ``list.append``, and what lies between is a deque of nodes of some ``NODE`` elements, each one bytes object
made by msgpack in C. An end that has grown gives a node to the middle, an end that is used up takes one back. A list
that is *whole* has no middle: it is short enough for OBJECT ENCODING to call it a listpack.

The left end is held reversed, so that its first element is the last of the Python list.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from itertools import accumulate, islice
from typing import Any, Final, TypeAlias

from .account import Accounted
from .listpack import Listpack, elements_of
from .packing import pack_list, packed_length, unpack_list

#: Elements of a node.
NODE: Final = 128
#: An end with more than this gives a node to the middle.
LIVE: Final = 2 * NODE
#: Nodes that would pack to more than this stay unpacked: for large elements packing saves little and costs much.
PACKED_MAX: Final = 32 * 1024
#: Nodes that are walked from an end before the index of all nodes is asked.
WALK: Final = 8

Node: TypeAlias = "bytes | list[bytes]"

EMPTY: Final[list[bytes]] = []  # stands for both ends while the list rests; never changed


def pack(items: list[bytes]) -> Node:
    """A node of these elements."""
    packed = pack_list(items)
    return packed if len(packed) <= PACKED_MAX else items


def unpack(node: Node) -> list[bytes]:
    """The elements of a node. The list may be the node itself: copy before a change. Raises DamagedValue."""
    if type(node) is list:
        return node
    assert isinstance(node, bytes)
    return elements_of(node) if type(node) is Listpack else unpack_list(node)


class Quicklist(Accounted):
    """The elements of a list. Indexes count from 0 and are in range; the callers have seen to negative ones."""

    __slots__ = ("_back", "_counts", "_front", "_inner", "_nodes", "_packed", "_sums", "_whole")

    def __init__(self) -> None:
        self._front: list[bytes] = []
        self._back: list[bytes] = []
        self._inner = 0  #: elements that are neither in front nor in back
        self._nodes: deque[Node] | None = None
        self._counts: deque[int] | None = None
        self._sums: list[int] | None = None  #: running sums of the counts, when somebody has asked
        self._packed: bytes | None = None  #: all elements, while the list rests
        self._whole = True

    def __len__(self) -> int:
        return len(self._front) + self._inner + len(self._back)

    # ---- resting

    def rest(self) -> bool:
        """Pack what is live. False if there was nothing to do."""
        if self._packed is not None:
            return False
        if self._nodes is not None:
            if not self._front and not self._back:
                return False
            if self._front:
                self._give_left(len(self._front))
            if self._back:
                self._give_right(len(self._back))
            return True
        items = self._front[::-1] + self._back
        node = pack(items)
        if type(node) is list:
            return False
        assert isinstance(node, bytes)
        self._packed = node
        self._inner = len(items)
        self._front = self._back = EMPTY
        return True

    def _wake(self) -> None:
        """Unpack a list that rests. Before any change, and before any reading of the ends."""
        if self._packed is not None:
            self._front = []
            self._back = unpack(self._packed)
            self._packed = None
            self._inner = 0

    # ---- the ends

    def _push_left(self, elements: tuple[bytes, ...] | list[bytes]) -> None:
        """Each goes before the one that was pushed before it."""
        if self._packed is not None:
            self._wake()
        front = self._front
        front.extend(elements)
        if len(front) > LIVE and not self._whole:
            self._give_left(len(front) - NODE)

    def _push_right(self, elements: tuple[bytes, ...] | list[bytes]) -> None:
        if self._packed is not None:
            self._wake()
        back = self._back
        back.extend(elements)
        if len(back) > LIVE and not self._whole:
            self._give_right(len(back) - NODE)

    def _pop_left(self) -> bytes:
        """The first element. The list must not be empty."""
        if not self._front:
            self._take_left()
        return self._front.pop()

    def _pop_right(self) -> bytes:
        """The last element. The list must not be empty."""
        if not self._back:
            self._take_right()
        return self._back.pop()

    def _middle(self) -> tuple[deque[Node], deque[int]]:
        if self._nodes is None or self._counts is None:
            self._nodes, self._counts = deque(), deque()
        self._sums = None
        return self._nodes, self._counts

    def _give_left(self, count: int) -> None:
        """Move about ``count`` elements from the left end to the middle, in nodes: the innermost first."""
        nodes, counts = self._middle()
        front = self._front
        for start in range(0, count, NODE):
            items = front[start : min(start + NODE, count)]
            items.reverse()
            nodes.appendleft(pack(items))
            counts.appendleft(len(items))
        del front[:count]
        self._inner += count

    def _give_right(self, count: int) -> None:
        nodes, counts = self._middle()
        back = self._back
        for start in range(0, count, NODE):
            items = back[start : min(start + NODE, count)]
            nodes.append(pack(items))
            counts.append(len(items))
        del back[:count]
        self._inner += count

    def _take_left(self) -> None:
        """Fill the left end, which is empty: from the middle, or with half of the right end."""
        self._wake()
        if self._nodes is not None:
            nodes, counts = self._middle()
            self._front = unpack(nodes.popleft())[::-1]
            self._inner -= counts.popleft()
            self._forget_middle()
        elif not self._front:
            half = (len(self._back) + 1) // 2
            self._front = self._back[:half][::-1]
            del self._back[:half]

    def _take_right(self) -> None:
        self._wake()
        if self._nodes is not None:
            nodes, counts = self._middle()
            self._back = list(unpack(nodes.pop()))
            self._inner -= counts.pop()
            self._forget_middle()
        elif not self._back:
            half = (len(self._front) + 1) // 2
            self._back = self._front[:half][::-1]
            del self._front[:half]

    def _forget_middle(self) -> None:
        if not self._nodes:
            self._nodes = self._counts = self._sums = None

    def _drop_left(self, count: int) -> None:
        """Forget the first ``count`` elements."""
        while count:
            front = self._front
            if front:
                gone = min(count, len(front))
                del front[len(front) - gone :]
                count -= gone
            elif self._counts and self._nodes and self._counts[0] <= count:
                count -= self._counts[0]
                self._inner -= self._counts.popleft()
                self._nodes.popleft()
                self._sums = None
                self._forget_middle()
            else:
                self._take_left()

    def _drop_right(self, count: int) -> None:
        """Forget the last ``count`` elements."""
        while count:
            back = self._back
            if back:
                gone = min(count, len(back))
                del back[len(back) - gone :]
                count -= gone
            elif self._counts and self._nodes and self._counts[-1] <= count:
                count -= self._counts[-1]
                self._inner -= self._counts.pop()
                self._nodes.pop()
                self._sums = None
                self._forget_middle()
            else:
                self._take_right()

    # ---- anywhere

    def _locate(self, index: int) -> tuple[int, int]:
        """The node in which the ``index``-th element of the middle is, and its place there."""
        counts = self._counts
        assert counts is not None
        start = 0
        for place, count in enumerate(islice(counts, WALK)):
            if index < start + count:
                return place, index - start
            start += count
        end = self._inner
        last = len(counts)
        for place, count in enumerate(islice(reversed(counts), WALK), 1):
            end -= count
            if index >= end:
                return last - place, index - end
        if self._sums is None:
            self._sums = list(accumulate(counts))
        place = bisect_right(self._sums, index)
        return place, index - (self._sums[place - 1] if place else 0)

    def get(self, index: int) -> bytes:
        """The element at ``index``."""
        self._wake()
        front = self._front
        if index < len(front):
            return front[-1 - index]
        index -= len(front)
        if index >= self._inner:
            return self._back[index - self._inner]
        assert self._nodes is not None
        place, offset = self._locate(index)
        return unpack(self._nodes[place])[offset]

    def slice(self, start: int, end: int) -> list[bytes]:
        """The elements from ``start`` to before ``end``, as a new list."""
        self._wake()
        front = self._front
        size = len(front)
        found = front[max(0, size - end) : size - start][::-1] if start < size else []
        start = max(0, start - size)
        end -= size
        if end <= 0:
            return found
        inner = self._inner
        if start < inner:
            assert self._nodes is not None
            place, offset = self._locate(start)
            left = min(end, inner) - start
            for node in islice(self._nodes, place, None):
                items = unpack(node)
                if offset or left < len(items):
                    items = items[offset : offset + left]
                    offset = 0
                found.extend(items)
                left -= len(items)
                if not left:
                    break
        if end > inner:
            found.extend(self._back[max(0, start - inner) : end - inner])
        return found

    def _replace(self, index: int, element: bytes) -> None:
        self._wake()
        front = self._front
        if index < len(front):
            front[-1 - index] = element
            return
        index -= len(front)
        if index >= self._inner:
            self._back[index - self._inner] = element
            return
        assert self._nodes is not None
        place, offset = self._locate(index)
        items = unpack(self._nodes[place])
        items[offset] = element
        self._nodes[place] = pack(items)

    def _insert(self, index: int, element: bytes) -> None:
        """Put an element before the one at ``index`` (which may be the length)."""
        self._wake()
        front = self._front
        if index <= len(front):
            front.insert(len(front) - index, element)
            if len(front) > LIVE and not self._whole:
                self._give_left(len(front) - NODE)
            return
        index -= len(front)
        if index >= self._inner:
            self._back.insert(index - self._inner, element)
            if len(self._back) > LIVE and not self._whole:
                self._give_right(len(self._back) - NODE)
            return
        place, offset = self._locate(index)
        nodes, counts = self._middle()
        items = unpack(nodes[place])
        items.insert(offset, element)
        self._inner += 1
        if len(items) > LIVE:
            nodes.insert(place + 1, pack(items[NODE:]))
            counts.insert(place + 1, len(items) - NODE)
            del items[NODE:]
        nodes[place] = pack(items)
        counts[place] = len(items)

    # ---- all of it

    def chunks(self, holding: bytes | None = None, *, backwards: bool = False) -> Iterator[tuple[int, list[bytes]]]:
        """The elements in runs, each with the index of its first.

        With ``holding``, runs that cannot hold that element may be left out. The runs must not be changed, nor the list
        while this goes on.
        """
        self._wake()
        front, back = self._front, self._back
        nodes, counts = self._nodes or (), self._counts or ()
        if backwards:
            yield len(self) - len(back), back
            at = len(self) - len(back)
            for node, count in zip(reversed(nodes), reversed(counts), strict=True):
                at -= count
                if holding is None or type(node) is list or holding in node:
                    yield at, unpack(node)
            yield 0, front[::-1]
            return
        yield 0, front[::-1]
        at = len(front)
        for node, count in zip(nodes, counts, strict=True):
            if holding is None or type(node) is list or holding in node:
                yield at, unpack(node)
            at += count
        yield at, back

    def runs(self) -> Iterator[list[bytes]]:
        """The same from the left, and a list that rests goes on to."""
        if self._packed is not None:
            yield unpack(self._packed)
            return
        for _, items in self.chunks():
            yield items

    def __iter__(self) -> Iterator[bytes]:
        for _, items in self.chunks():
            yield from items

    def _remove(self, element: bytes, most: int, *, backwards: bool) -> int:
        """Take out up to ``most`` elements equal to ``element``; how many there were."""
        self._wake()
        self._front.reverse()
        runs: list[Any] = [self._front, *(self._nodes or ()), self._back]
        counts = [len(self._front), *(self._counts or ()), len(self._back)]
        removed = 0
        for place in range(len(runs) - 1, -1, -1) if backwards else range(len(runs)):
            run = runs[place]
            if removed == most:
                break
            if element not in run:  # of packed bytes: a substring, so that most nodes need no unpacking
                continue
            items = unpack(run)
            removed += _drop(items, element, most - removed, backwards=backwards)
            counts[place] = len(items)
            if run is not items:
                runs[place] = pack(items)
        self._front.reverse()
        if removed and self._nodes is not None:
            self._regroup(runs[1:-1], counts[1:-1])
        return removed

    def _regroup(self, runs: list[Node], sizes: list[int]) -> None:
        """A new middle of these nodes: empty ones go, small neighbours become one."""
        nodes: deque[Node] = deque()
        counts: deque[int] = deque()
        for node, size in zip(runs, sizes, strict=True):
            if not size:
                continue
            if counts and counts[-1] + size <= NODE:
                nodes[-1] = pack(unpack(nodes[-1]) + unpack(node))
                counts[-1] += size
            else:
                nodes.append(node)
                counts.append(size)
        self._nodes, self._counts, self._sums = nodes, counts, None
        self._inner = sum(counts)
        self._forget_middle()

    def _copy_into(self, other: Quicklist) -> None:
        """Make ``other`` an independent copy. Packed nodes are shared, for they never change."""
        other._front = self._front if self._packed is not None else list(self._front)
        other._back = self._back if self._packed is not None else list(self._back)
        other._inner = self._inner
        other._packed = self._packed
        other._whole = self._whole
        other._nodes = other._counts = other._sums = None
        if self._nodes is not None and self._counts is not None:
            other._nodes = deque(list(node) if type(node) is list else node for node in self._nodes)
            other._counts = deque(self._counts)

    def take_apart(self) -> Iterator[None]:
        """Free the list part by part, each time a part is asked for. Nothing may use it any more."""
        nodes = self._nodes
        while nodes:
            for _ in range(min(len(nodes), 8)):
                nodes.pop()
            yield

    @property
    def rests(self) -> bool:
        """Whether it is in the packed form."""
        return self._packed is not None

    def memory(self, samples: int | None = 16) -> int:
        """About how many bytes this holds; about so many elements (None: all) are looked at."""
        size = 160 + (len(self._packed) + 33 if self._packed is not None else 0)
        for run in (self._front, self._back):
            size += 56 + _mean(run, 41, samples) * len(run)
        if self._nodes:
            most = None if samples is None else max(1, samples // 2)
            some = [_node_memory(node, samples) for node in islice(self._nodes, most)]
            size += 1300 + len(self._nodes) * (sum(some) // len(some) + 16)
        return size

    def check(self) -> None:
        """Assert the invariants."""
        if self._packed is not None:
            assert self._nodes is None
            assert not self._front
            assert not self._back
            kept = type(self._packed) is Listpack
            assert self._inner == len(unpack(self._packed))
            assert kept or self._inner == packed_length(self._packed)
            assert not EMPTY
            return
        if self._nodes is None:
            assert self._inner == 0
            assert self._counts is None
            return
        assert not self._whole
        assert self._counts is not None
        assert [len(unpack(node)) for node in self._nodes] == list(self._counts)
        assert all(0 < count <= LIVE for count in self._counts)
        assert sum(self._counts) == self._inner
        assert self._sums is None or self._sums == list(accumulate(self._counts))


def _node_memory(node: Node, samples: int | None) -> int:
    return len(node) + 33 if type(node) is bytes else 56 + _mean(node, 41, samples) * len(node)


def _mean(items: Any, each: int, samples: int | None) -> int:
    """Mean bytes of an element, with ``each`` for its object and place."""
    if not items:
        return each
    some = items[:samples]
    return each + sum(map(len, some)) // len(some)


def _drop(items: list[bytes], element: bytes, most: int, *, backwards: bool) -> int:
    """Remove up to ``most`` equal elements from a Python list."""
    there = items.count(element)
    if there <= most:
        if there:
            items[:] = [item for item in items if item != element]
        return there
    if backwards:
        items.reverse()
    for _ in range(most):
        items.remove(element)
    if backwards:
        items.reverse()
    return most
