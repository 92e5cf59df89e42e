"""Lists to bytes and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...values import listpack
from ...values.damage import Malformed
from ...values.lists import ListValue
from . import opcodes, ziplist
from .faults import EmptyValue
from .packing import Packing
from .primitives import length_bytes, read_length, read_string
from .rows import read_count, read_packed, read_strings

if TYPE_CHECKING:
    from ...config import Config

#: Elements of a list from this size on are not packed into nodes.
_PLAIN_MIN: Final = 1 << 30
_ONE_NODE: Final = bytes((1, opcodes.PACKED))


def encode_list(value: ListValue, out: list[bytes], packing: Packing) -> int:
    """A list in nodes of listpacks."""
    kept = value.listpack
    if kept is not None:
        out.append(_ONE_NODE + packing.blob(kept))
        return opcodes.LIST_QUICKLIST_2
    nodes: list[bytes] = []
    limit, most = packing.node_bytes, packing.node_count
    if value.encoding == "listpack":
        limit = most = 1 << 62  # one node tells whoever loads it that the list is short
    held: list[bytes] = []
    size = 0
    for run in value.runs():
        parts = listpack.entries(run)
        total = sum(map(len, parts))
        if size + total <= limit and len(held) + len(parts) <= most and not listpack.any_disputed(parts, total):
            held += parts
            size += total
            continue
        for part in parts:
            plain = len(part) > _PLAIN_MIN or listpack.disputed(part)
            if held and (plain or size + len(part) > limit or len(held) >= most):
                nodes.append(packing.node(held))
                held = []
                size = 0
            if plain:
                [element] = listpack.decode(listpack.wrap([part], 1))
                nodes.append(length_bytes(opcodes.PLAIN) + packing.text(element))
            else:
                held.append(part)
                size += len(part)
    if held:
        nodes.append(packing.node(held))
    out.append(length_bytes(len(nodes)))
    out += nodes
    return opcodes.LIST_QUICKLIST_2


def decode_list(data: bytes, at: int, config: Config) -> tuple[ListValue, int]:
    """Type 1: strings in a row."""
    count, at = read_count(data, at)
    elements, at = read_strings(data, at, count)
    return ListValue.resting(elements, 0, config.list_max_listpack_size), at


def decode_list_ziplist(data: bytes, at: int, config: Config) -> tuple[ListValue, int]:
    """Type 10: one ziplist."""
    elements, at = read_packed(data, at, ziplist.decode)
    return ListValue.resting(elements, 0, config.list_max_listpack_size), at


def decode_quicklist(data: bytes, at: int, config: Config) -> tuple[ListValue, int]:
    """Type 14: nodes that are ziplists."""
    count, at = read_length(data, at)
    elements: list[bytes] = []
    for _ in range(count):
        blob, at = read_string(data, at)
        elements += ziplist.decode(blob)
    if not elements:
        raise EmptyValue(at)
    return ListValue.resting(elements, 0, config.list_max_listpack_size), at


def keep_quicklist_2(data: bytes, at: int, config: Config) -> tuple[ListValue, int]:
    """Type 18; a short list is left as it is until somebody asks for an element."""
    if data[at] == 1 and data[at + 1] == opcodes.PACKED:
        blob, end = read_string(data, at + 2)
        value = ListValue.kept(blob, config.list_max_listpack_size)
        if value is not None:
            return value, end
    return decode_quicklist_2(data, at, config)


def decode_quicklist_2(data: bytes, at: int, config: Config) -> tuple[ListValue, int]:
    """Type 18: nodes that are listpacks, or one element."""
    count, at = read_length(data, at)
    if count == 1 and data[at] == opcodes.PACKED:
        blob, at = read_string(data, at + 1)
        elements = listpack.decode(blob)
        size = len(blob)
    else:
        elements = []
        size = 0
        for _ in range(count):
            kind, at = read_length(data, at)
            blob, at = read_string(data, at)
            if not blob:
                raise Malformed("a node of a list has nothing in it")
            if kind == opcodes.PACKED:
                elements += listpack.decode(blob)
            elif kind == opcodes.PLAIN:
                elements.append(blob)
            else:
                raise Malformed(f"no node of a list is of kind {kind}")
    if not elements:
        raise EmptyValue(at)
    return ListValue.resting(elements, size, config.list_max_listpack_size), at
