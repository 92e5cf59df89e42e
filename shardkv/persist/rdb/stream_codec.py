"""Streams: nodes of entries, counters, and groups with what is pending.

A node is a listpack: how many entries it has and how many were deleted, the fields of the first entry, a zero; then for
each entry its flags, its distance from the node's id in milliseconds and sequence, its fields unless they are the
first's, its values, and how many elements these were.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from ...values import listpack
from ...values.damage import Malformed
from ...values.stream_groups import UNKNOWN, Consumer, Group
from ...values.stream_ids import MAX_ID, SEQ_BITS, SEQ_MASK
from ...values.stream_listpacks import kept_node, read_node
from ...values.stream_nodes import Node
from ...values.streams import StreamValue
from . import opcodes
from .packing import Packing
from .primitives import SHORT_HEADS, length_bytes, read_fixed, read_length, read_string, read_time

if TYPE_CHECKING:
    from ...config import Config
    from .rows import Decode

_SAME_FIELDS: Final = 2
_ID_BYTES: Final = 16
_INT64_END: Final = 1 << 63
_TIME: Final = Struct("<q").pack

# ---- writing


def encode(value: StreamValue, out: list[bytes], packing: Packing) -> int:
    """What stands behind the type, which is returned."""
    nodes = [node for node in value.nodes if node.count]
    out.append(length_bytes(len(nodes)))
    for node in nodes:
        out += (SHORT_HEADS[_ID_BYTES], node.first.to_bytes(_ID_BYTES), packing.blob(_node_blob(node)))
    out += (length_bytes(value.length), *_id(value.last_id), *_id(value.first_id), *_id(value.max_deleted_id))
    out += (length_bytes(value.entries_added), length_bytes(len(value.groups)))
    for name, group in value.sorted_groups():
        out.append(packing.text(name))
        _encode_group(group, out, packing)
    return opcodes.STREAM_2


def _id(id: int) -> tuple[bytes, bytes]:
    return length_bytes(id >> SEQ_BITS), length_bytes(id & SEQ_MASK)


def _signed(number: int) -> int:
    """A difference of unsigned 64-bit numbers as C's int64 has it."""
    number &= SEQ_MASK
    return number - 2**64 if number >= _INT64_END else number


def _node_blob(node: Node) -> bytes:
    if type(node.data) is listpack.Listpack:
        return node.data
    number, entries = listpack.integer_entry, listpack.entries
    fields = node.fields
    zero = number(0)
    same = number(_SAME_FIELDS)
    size = number(len(fields) + 3)
    sequence = node.first & SEQ_MASK
    parts = [number(node.count), zero, number(len(fields)), *entries(fields), zero]
    for raw in node.entries():
        ms, step = number(_signed(raw[0])), number(_signed(raw[1] - sequence))
        if len(raw) > 2 and type(raw[2]) is list:
            count = len(raw[2])
            parts += (zero, ms, step, number(count))
            parts += entries(node.words_of(raw))
            parts.append(number(2 * count + 4))
        else:
            parts += (same, ms, step)
            parts += entries(raw[2:])
            parts.append(size)
    return listpack.wrap(parts, len(parts))


def _encode_group(group: Group, out: list[bytes], packing: Packing) -> None:
    out += (*_id(group.last_id), length_bytes(group.entries_read & SEQ_MASK), length_bytes(len(group.pending)))
    for id in group.pending_ids():
        delivery = group.pending[id]
        out += (id.to_bytes(_ID_BYTES), _TIME(delivery.time), length_bytes(delivery.count))
    out.append(length_bytes(len(group.consumers)))
    for consumer in group.sorted_consumers():
        out += (packing.text(consumer.name), _TIME(consumer.seen), length_bytes(len(consumer.ids)))
        out += [id.to_bytes(_ID_BYTES) for id in consumer.ids]


# ---- reading


def decoder(version: int) -> Decode:
    """The decoder of one of the three types that streams have had."""

    def decode(data: bytes, at: int, config: Config) -> tuple[Any, int]:
        return _decode(data, at, version)

    return decode


def keeper(version: int) -> Decode:
    """The same for the types that tell where a stream begins: nodes are left as they are until somebody asks for an
    entry."""

    def decode(data: bytes, at: int, config: Config) -> tuple[Any, int]:
        return _decode(data, at, version, keep=True)

    return decode


def _decode(data: bytes, at: int, version: int, *, keep: bool = False) -> tuple[StreamValue, int]:
    value = StreamValue()
    count, at = read_length(data, at)
    last = -1
    kept = False
    for _ in range(count):
        key, at = read_string(data, at)
        blob, at = read_string(data, at)
        if len(key) != _ID_BYTES:
            raise Malformed("a node of a stream whose id is not 16 bytes long")
        first = int.from_bytes(key)
        if first <= last:
            raise Malformed("the nodes of a stream are not in order")
        node = kept_node(first, blob) if keep else None
        if node is None:
            node = read_node(first, blob)
        else:
            kept = True
        last = node.last
        value.attach(node)
    length, at = read_length(data, at)
    if length != value.length:
        raise Malformed("a stream with another number of entries than it says")
    value.last_id, at = _read_id(data, at)
    if last > value.last_id:
        raise Malformed("a stream with entries behind its last")
    first_id: int | None = None
    if version == opcodes.STREAM:
        value.entries_added = length
    else:
        first_id, at = _read_id(data, at)
        if not kept:
            first_id = None  # we know better
        value.max_deleted_id, at = _read_id(data, at)
        value.entries_added, at = read_length(data, at)
    value.settle_loaded(first_id)
    count, at = read_length(data, at)
    for _ in range(count):
        name, at = read_string(data, at)
        if name in value.groups:
            raise Malformed("a group is there twice")
        value.groups[name], at = _decode_group(data, at, version, value)
    return value, at


def _read_id(data: bytes, at: int) -> tuple[int, int]:
    ms, at = read_length(data, at)
    sequence, at = read_length(data, at)
    return ms << SEQ_BITS | sequence, at


def _decode_group(data: bytes, at: int, version: int, value: StreamValue) -> tuple[Group, int]:
    last_id, at = _read_id(data, at)
    if version == opcodes.STREAM:
        read = value.entries_up_to(last_id)
    else:
        read, at = read_length(data, at)
        if read >= _INT64_END:
            read = UNKNOWN
    group = Group(last_id, read)
    count, at = read_length(data, at)
    pending: dict[int, tuple[int, int]] = {}
    for _ in range(count):
        raw, at = read_fixed(data, at, _ID_BYTES)
        time, at = read_time(data, at)
        times, at = read_length(data, at)
        pending[int.from_bytes(raw)] = (time, times)
    if len(pending) != count:
        raise Malformed("an entry is pending twice")
    count, at = read_length(data, at)
    for _ in range(count):
        name, at = read_string(data, at)
        seen, at = read_time(data, at)
        if name in group.consumers:
            raise Malformed("a consumer is there twice")
        consumer = group.add_consumer(name, seen)
        consumer.active = seen
        if version == opcodes.STREAM_3:
            active, at = read_time(data, at)
            consumer.active = active if active >= 0 else None
        at = _decode_pending(data, at, group, consumer, pending)
    if pending:
        raise Malformed("an entry is pending for nobody")
    return group, at


def _decode_pending(data: bytes, at: int, group: Group, consumer: Consumer, pending: dict[int, tuple[int, int]]) -> int:
    """Give a consumer its pending entries; they leave ``pending``. The position behind them."""
    count, at = read_length(data, at)
    for _ in range(count):
        raw, at = read_fixed(data, at, _ID_BYTES)
        id = int.from_bytes(raw)
        known = pending.pop(id, None)
        if known is None or id > MAX_ID:
            raise Malformed("a consumer waits for an entry that is not pending")
        group.deliver(id, consumer, *known)
    return at
