"""Values to bytes and back: strings, lists, sets, sorted sets and hashes. Streams have a module of their own.

An encoder appends what stands behind the type to ``out`` and returns the type. A decoder takes the bytes and the
position behind the type, and gives back the value and where it ends; it raises ``Short`` or IndexError when the bytes
end too early, ``Malformed`` when they are wrong, and ``EmptyValue``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ...values.deadlines import Deadlines
from ...values.hashes import HashValue
from ...values.lists import ListValue
from ...values.packing import unpack_list
from ...values.sets import SetValue
from ...values.streams import StreamValue
from ...values.zsets import ZSetValue
from . import intset, listpack, opcodes, stream_codec, ziplist, zipmap
from .builders import new_hash, new_intset, new_list, new_set, new_zset
from .faults import EmptyValue, Malformed, Short
from .packing import Packing
from .primitives import length_bytes, read_length, read_string, read_time

if TYPE_CHECKING:
    from ...config import Config

Decode: TypeAlias = "Callable[[bytes, int, Config], tuple[Any, int]]"
Encode: TypeAlias = Callable[[Any, list[bytes], Packing], int]
Unpack: TypeAlias = Callable[[bytes], list[bytes]]

_DOUBLE: Final = Struct("<d")
_TIME: Final = Struct("<q").pack
#: The characters of a score's text, of one or of many: none of them makes a nan, or anything else but Redis's floats.
_SCORES: Final = re.compile(rb"[-+0-9.einfEINF]*")
#: Doubles without a fraction are exact up to here, and written as integers.
_WHOLE: Final = float(1 << 53)
#: Elements of a list from this size on are not packed into nodes.
_PLAIN_MIN: Final = 1 << 30
#: Scores are packed as integers when all of them are and none is larger.
_SHORT: Final = 1 << 32
#: What stands for a score in place of a length.
_OLD_NAN: Final = 253
_OLD_SCORES: Final = {254: float("inf"), 255: float("-inf")}


# ---- strings in a row


def _strings(data: bytes, at: int, count: int) -> tuple[list[bytes], int]:
    """So many strings. The count is not trusted: nothing is set aside for it."""
    found: list[bytes] = []
    append = found.append
    for _ in range(count):
        length = data[at]
        if length < 64:
            end = at + 1 + length
            append(data[at + 1 : end])
            at = end
        else:
            text, at = read_string(data, at)
            append(text)
    if at > len(data):
        raise Short(at)
    return found, at


def _count(data: bytes, at: int) -> tuple[int, int]:
    """A number of elements, which is not zero."""
    count, at = read_length(data, at)
    if not count:
        raise EmptyValue(at)
    return count, at


def _unpacked(data: bytes, at: int, unpack: Unpack) -> tuple[list[bytes], int]:
    """The elements of one packed string, which are some."""
    blob, at = read_string(data, at)
    elements = unpack(blob)
    if not elements:
        raise EmptyValue(at)
    return elements, at


# ---- lists


def _encode_list(value: ListValue, out: list[bytes], packing: Packing) -> int:
    nodes: list[bytes] = []
    limit, most = packing.node_bytes, packing.node_count
    if value.encoding == "listpack":
        limit = most = 1 << 62  # one node tells whoever loads it that the list is short
    held: list[bytes] = []
    size = 0
    packed = value._packed  # a list at rest stays at rest: reading it by ``chunks`` would unpack it for good
    runs = [(0, unpack_list(packed))] if packed is not None else value.chunks()
    for _, run in runs:
        parts = listpack.entries(run)
        total = sum(map(len, parts))
        if size + total <= limit and len(held) + len(parts) <= most:
            held += parts
            size += total
            continue
        for part in parts:
            if held and (size + len(part) > limit or len(held) >= most):
                nodes.append(packing.node(held))
                held = []
                size = 0
            if len(part) > _PLAIN_MIN:
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


def _decode_list(data: bytes, at: int, config: Config) -> tuple[ListValue, int]:
    count, at = _count(data, at)
    elements, at = _strings(data, at, count)
    return new_list(elements, 0, config), at


def _decode_list_ziplist(data: bytes, at: int, config: Config) -> tuple[ListValue, int]:
    elements, at = _unpacked(data, at, ziplist.decode)
    return new_list(elements, 0, config), at


def _decode_quicklist(data: bytes, at: int, config: Config) -> tuple[ListValue, int]:
    count, at = read_length(data, at)
    elements: list[bytes] = []
    for _ in range(count):
        blob, at = read_string(data, at)
        elements += ziplist.decode(blob)
    if not elements:
        raise EmptyValue(at)
    return new_list(elements, 0, config), at


def _decode_quicklist_2(data: bytes, at: int, config: Config) -> tuple[ListValue, int]:
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
            if kind == opcodes.PACKED:
                elements += listpack.decode(blob)
            elif kind == opcodes.PLAIN:
                elements.append(blob)
            else:
                raise Malformed(f"no node of a list is of kind {kind}")
    if not elements:
        raise EmptyValue(at)
    return new_list(elements, size, config), at


# ---- sets


def _encode_set(value: SetValue, out: list[bytes], packing: Packing) -> int:
    numbers = value.numbers
    if numbers is not None:
        out.append(packing.blob(intset.encode(numbers)))
        return opcodes.SET_INTSET
    out.append(length_bytes(len(value)))
    out += map(packing.text, value)
    return opcodes.SET


def _decode_set(data: bytes, at: int, config: Config) -> tuple[SetValue, int]:
    count, at = _count(data, at)
    members, at = _strings(data, at, count)
    return new_set(members, config), at


def _decode_intset(data: bytes, at: int, config: Config) -> tuple[SetValue, int]:
    blob, at = read_string(data, at)
    numbers = intset.decode(blob)
    if not numbers:
        raise EmptyValue(at)
    return new_intset(numbers, config), at


def _decode_set_listpack(data: bytes, at: int, config: Config) -> tuple[SetValue, int]:
    members, at = _unpacked(data, at, listpack.decode)
    if len(set(members)) != len(members):
        raise Malformed("an element is there twice")
    return SetValue.packed(members, config), at


# ---- sorted sets


def _score_entries(scores: list[Any]) -> list[bytes]:
    whole, number, other = _WHOLE, listpack.integer_entry, listpack.entry
    return [
        number(int(score)) if -whole < score < whole and score == int(score) else other(b"%a" % score)
        for score in scores
    ]


def _encode_zset(value: ZSetValue, out: list[bytes], packing: Packing) -> int:
    packed = value._packed  # as for lists
    if packed is not None:
        flat: list[Any] = unpack_list(packed)
        members, scores = flat[::2], flat[1::2]
    else:
        scores = [score for score, _ in value]
        members = [member for _, member in value]
    if value.encoding == "listpack":
        parts: list[bytes] = [b""] * (2 * len(members))
        parts[::2] = listpack.entries(members)
        parts[1::2] = _score_entries(scores)
        out.append(packing.blob(listpack.wrap(parts, len(parts))))
        return opcodes.ZSET_LISTPACK
    out.append(length_bytes(len(members)))
    # From the highest to the lowest: whoever inserts one after the other then inserts at the front.
    text, double = packing.text, _DOUBLE.pack
    out += [text(member) + double(score) for member, score in zip(reversed(members), reversed(scores), strict=True)]
    return opcodes.ZSET_2


def _decode_zset(data: bytes, at: int, config: Config) -> tuple[ZSetValue, int]:
    count, at = _count(data, at)
    found: dict[bytes, float] = {}
    for _ in range(count):
        member, at = read_string(data, at)
        length = data[at]
        at += 1
        score = _OLD_SCORES.get(length)
        if score is None:
            if length == _OLD_NAN:
                raise Malformed("a score that is not a number")
            end = at + length
            if end > len(data):
                raise Short(end)
            [score] = _scores([data[at:end]])
            at = end
        found[member] = score
    return _zset_of(found, count, config), at


def _decode_zset_2(data: bytes, at: int, config: Config) -> tuple[ZSetValue, int]:
    count, at = _count(data, at)
    found: dict[bytes, float] = {}
    read, size = _DOUBLE.unpack_from, len(data)
    for _ in range(count):
        member, at = read_string(data, at)
        end = at + 8
        if end > size:
            raise Short(end)
        (found[member],) = read(data, at)
        at = end
    if any(score != score for score in found.values()):
        raise Malformed("a score that is not a number")
    return _zset_of(found, count, config), at


def _zset_of(found: dict[bytes, float], count: int, config: Config) -> ZSetValue:
    if len(found) != count:
        raise Malformed("an element is there twice")
    return ZSetValue.of(found, config)


def _scores(texts: list[bytes]) -> list[float]:
    if _SCORES.fullmatch(b"".join(texts)) is not None:
        try:
            return list(map(float, texts))
        except ValueError:
            pass
    raise Malformed("a score that is not a number")


def _decode_zset_ziplist(data: bytes, at: int, config: Config) -> tuple[ZSetValue, int]:
    flat, at = _unpacked(data, at, ziplist.decode)
    return new_zset(flat[::2], _scores(flat[1::2]), config), at


def _decode_zset_listpack(data: bytes, at: int, config: Config) -> tuple[ZSetValue, int]:
    blob, at = read_string(data, at)
    flat = listpack.decode_numbers(blob)
    if not flat:
        raise EmptyValue(at)
    members: list[Any] = flat[::2]
    if int in map(type, members):
        members = [b"%d" % member if type(member) is int else member for member in members]
    scores: list[Any] = flat[1::2]
    if bytes in map(type, scores):
        _scores([score for score in scores if type(score) is bytes])
        scores = list(map(float, scores))
    elif not -_SHORT < min(scores, default=0) <= max(scores, default=0) < _SHORT:
        scores = list(map(float, scores))
    return new_zset(members, scores, config), at


# ---- hashes


def _encode_hash(value: HashValue, out: list[bytes], packing: Packing) -> int:
    fields = value.as_dict()
    if value.times is not None and len(value.times):
        return _encode_timed_hash(value, fields, out, packing)
    if value.encoding != "hashtable":
        parts: list[bytes] = [b""] * (2 * len(fields))
        parts[::2] = listpack.entries(fields)
        parts[1::2] = listpack.entries(fields.values())
        out.append(packing.blob(listpack.wrap(parts, len(parts))))
        return opcodes.HASH_LISTPACK
    out.append(length_bytes(len(fields)))
    text = packing.text
    out += [text(field) + text(held) for field, held in fields.items()]
    return opcodes.HASH


def _encode_timed_hash(value: HashValue, fields: dict[bytes, bytes], out: list[bytes], packing: Packing) -> int:
    assert value.times is not None
    times = dict(value.times.items())
    first = min(times.values())
    out.append(_TIME(first))
    if value.encoding != "hashtable":
        late = max(times.values()) + 1
        flat: list[bytes] = []
        for field in sorted(fields, key=lambda field: times.get(field, late)):
            flat += (field, fields[field], b"%d" % times.get(field, 0))
        out.append(packing.blob(listpack.encode(flat)))
        return opcodes.HASH_LISTPACK_TIMES
    out.append(length_bytes(len(fields)))
    text = packing.text
    for field, held in fields.items():
        at = times.get(field)
        out.append(length_bytes(0 if at is None else at - first + 1) + text(field) + text(held))
    return opcodes.HASH_FIELD_TIMES


def _timed_hash_of(pairs: list[bytes], times: dict[bytes, int], config: Config) -> HashValue:
    value = new_hash(pairs, config)
    if times:
        value.times = Deadlines(times)
    return value


def _decode_hash(data: bytes, at: int, config: Config) -> tuple[HashValue, int]:
    count, at = _count(data, at)
    pairs, at = _strings(data, at, 2 * count)
    return new_hash(pairs, config), at


def _packed_hash(unpack: Unpack) -> Decode:
    def decode(data: bytes, at: int, config: Config) -> tuple[HashValue, int]:
        pairs, at = _unpacked(data, at, unpack)
        return new_hash(pairs, config), at

    return decode


def _decode_timed_hash(data: bytes, at: int, config: Config) -> tuple[HashValue, int]:
    first, at = read_time(data, at)
    count, at = _count(data, at)
    pairs: list[bytes] = []
    times: dict[bytes, int] = {}
    for _ in range(count):
        after, at = read_length(data, at)
        [field, held], at = _strings(data, at, 2)
        pairs += (field, held)
        if after:
            times[field] = _checked_time(first + after - 1)
    return _timed_hash_of(pairs, times, config), at


def _decode_timed_listpack(data: bytes, at: int, config: Config) -> tuple[HashValue, int]:
    _, at = read_time(data, at)
    triples, at = _unpacked(data, at, listpack.decode)
    if len(triples) % 3:
        raise Malformed("a field without a value and a time")
    pairs: list[bytes] = []
    times: dict[bytes, int] = {}
    for field, held, after in zip(triples[::3], triples[1::3], triples[2::3], strict=True):
        pairs += (field, held)
        if not after.isdigit():
            raise Malformed("a field with a time that is no number")
        if after != b"0":
            times[field] = _checked_time(int(after))
    return _timed_hash_of(pairs, times, config), at


def decode_valkey_hash(data: bytes, at: int, config: Config) -> tuple[HashValue, int]:
    """Valkey's type 22: a hash whose fields are each followed by their time, -1 for none."""
    count, at = _count(data, at)
    pairs: list[bytes] = []
    times: dict[bytes, int] = {}
    for _ in range(count):
        [field, held], at = _strings(data, at, 2)
        expires_at, at = read_time(data, at)
        pairs += (field, held)
        if expires_at != -1:
            times[field] = _checked_time(expires_at)
    return _timed_hash_of(pairs, times, config), at


def _checked_time(at: int) -> int:
    if not 0 <= at < 1 << 48:
        raise Malformed("a field with a time out of range")
    return at


# ---- all types


def _encode_bytes(value: bytes, out: list[bytes], packing: Packing) -> int:
    out.append(packing.text(value))
    return opcodes.STRING


def _encode_integer(value: int, out: list[bytes], packing: Packing) -> int:
    out.append(packing.text(b"%d" % value))
    return opcodes.STRING


def _encode_buffer(value: bytearray, out: list[bytes], packing: Packing) -> int:
    out.append(packing.text(bytes(value)))
    return opcodes.STRING


def _decode_string(data: bytes, at: int, config: Config) -> tuple[bytes, int]:
    return read_string(data, at)


def _refused(reason: str) -> Decode:
    def decode(data: bytes, at: int, config: Config) -> tuple[Any, int]:
        raise Malformed(reason)

    return decode


ENCODERS: Final[dict[type, Encode]] = {
    bytes: _encode_bytes,
    int: _encode_integer,
    bytearray: _encode_buffer,
    ListValue: _encode_list,
    SetValue: _encode_set,
    ZSetValue: _encode_zset,
    HashValue: _encode_hash,
    StreamValue: stream_codec.encode,
}
"""What encodes a value, by its class."""

_PREVIEW: Final = _refused("a hash with field times in the form of a preview of Redis 7.4")
_MODULE: Final = _refused("a value of a module, and there are no modules here")

DECODERS: Final[dict[int, Decode]] = {
    opcodes.STRING: _decode_string,
    opcodes.LIST: _decode_list,
    opcodes.SET: _decode_set,
    opcodes.ZSET: _decode_zset,
    opcodes.HASH: _decode_hash,
    opcodes.ZSET_2: _decode_zset_2,
    opcodes.MODULE: _MODULE,
    opcodes.MODULE_2: _MODULE,
    opcodes.HASH_ZIPMAP: _packed_hash(zipmap.decode),
    opcodes.LIST_ZIPLIST: _decode_list_ziplist,
    opcodes.SET_INTSET: _decode_intset,
    opcodes.ZSET_ZIPLIST: _decode_zset_ziplist,
    opcodes.HASH_ZIPLIST: _packed_hash(ziplist.decode),
    opcodes.LIST_QUICKLIST: _decode_quicklist,
    opcodes.STREAM: stream_codec.decoder(opcodes.STREAM),
    opcodes.HASH_LISTPACK: _packed_hash(listpack.decode),
    opcodes.ZSET_LISTPACK: _decode_zset_listpack,
    opcodes.LIST_QUICKLIST_2: _decode_quicklist_2,
    opcodes.STREAM_2: stream_codec.decoder(opcodes.STREAM_2),
    opcodes.SET_LISTPACK: _decode_set_listpack,
    opcodes.STREAM_3: stream_codec.decoder(opcodes.STREAM_3),
    opcodes.HASH_FIELD_TIMES_OLD: _PREVIEW,
    opcodes.HASH_LISTPACK_TIMES_OLD: _PREVIEW,
    opcodes.HASH_FIELD_TIMES: _decode_timed_hash,
    opcodes.HASH_LISTPACK_TIMES: _decode_timed_listpack,
}
"""What decodes a value, by its type in files of Redis."""

DECODERS_VALKEY: Final[dict[int, Decode]] = DECODERS | {opcodes.HASH_FIELD_TIMES_OLD: decode_valkey_hash}
"""The same in files of Valkey."""


def needs_field_times(value: Any) -> bool:
    """Whether only the version of Redis 7.4 holds this value."""
    return type(value) is HashValue and value.times is not None and len(value.times) > 0
