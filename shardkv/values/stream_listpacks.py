"""Nodes of streams from the listpacks in which Redis holds them.

A node is a listpack: how many entries it has and how many were deleted, the fields of the first entry, a zero; then for
each entry its flags, its distance from the node's id in milliseconds and sequence, its fields unless they are the
first's, its values, and how many elements these were.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .damage import DamagedValue, Malformed
from .listpack import HEADER, UNCOUNTED, Listpack, decode, integer_at, keep
from .stream_ids import SEQ_BITS, SEQ_MASK
from .stream_nodes import Node

_DELETED: Final = 1
_SAME_FIELDS: Final = 2


def kept_node(first: int, blob: bytes) -> Node | None:
    """A node that is read from this listpack when somebody asks for an entry; its ``last`` is a guess, its first id,
    until then. None if it cannot be one."""
    pack = keep(blob, UNCOUNTED - 1)
    if pack is None:
        return None
    try:
        count, at = integer_at(pack, HEADER)
        deleted, _ = integer_at(pack, at)
    except Malformed:
        return None
    if count < 0 or deleted < 0:
        return None
    return Node.kept(first, pack, count, deleted)


def unfold(node: Node) -> int:
    """Read a node that was kept; by how many bytes it takes more room now. Raises DamagedValue."""
    pack = node.data
    if type(pack) is not Listpack:
        return 0
    try:
        made = read_node(node.first, pack)
    except Malformed as malformed:
        raise DamagedValue(str(malformed)) from None
    if made.count != node.count or made.deleted != node.deleted:
        raise DamagedValue("a node of a stream with other counts than it says")
    node.fields, node.data, node.last = made.fields, made.data, made.last
    return len(made.data) - len(pack)


def read_node(first: int, blob: bytes) -> Node:
    """A node of the entries in a listpack. Raises Malformed."""
    elements = iter(decode(blob))
    try:
        return _from_elements(first, elements, len(blob))
    except (StopIteration, ValueError):
        raise Malformed("a node of a stream that is not whole") from None


def _from_elements(first: int, elements: Iterator[bytes], size: int) -> Node:
    """A node from the elements of its listpack. Raises StopIteration and ValueError as well."""
    count, deleted, width = int(next(elements)), int(next(elements)), int(next(elements))
    if count < 0 or deleted < 0:
        raise ValueError
    fields = _take(elements, width)
    if int(next(elements)):
        raise ValueError
    node = Node(first, tuple(fields))
    gone = 0
    last = first - 1
    for _ in range(count + deleted):
        flags, ms, step = int(next(elements)), int(next(elements)), int(next(elements))
        id = ((first >> SEQ_BITS) + ms & SEQ_MASK) << SEQ_BITS | (first + step & SEQ_MASK)
        if id <= last:
            raise Malformed("the entries of a stream are not in order")
        last = id
        if flags & _SAME_FIELDS:
            words = [b""] * (2 * width)
            words[::2] = fields
            words[1::2] = _take(elements, width)
            expected = width + 3
        else:
            own = int(next(elements))
            words = _take(elements, 2 * own)
            expected = 2 * own + 4
        if int(next(elements)) != expected:
            raise ValueError
        if flags & _DELETED:
            gone += 1
        else:
            node.add(id, words)
    if gone != deleted or next(elements, None) is not None:
        raise ValueError
    node.close()
    node.last = max(last, first)
    node.deleted = deleted
    node.size = size
    return node


def _take(elements: Iterator[bytes], count: int) -> list[bytes]:
    """So many elements. The count is not trusted."""
    if count < 0:
        raise ValueError
    return [next(elements) for _ in range(count)]
