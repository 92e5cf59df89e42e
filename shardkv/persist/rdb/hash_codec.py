"""Hashes to bytes and back, with the times of their fields."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from ...values import listpack
from ...values.damage import Malformed
from ...values.deadlines import Deadlines
from ...values.hashes import HashValue
from . import opcodes
from .packing import Packing
from .primitives import length_bytes, read_length, read_string, read_time
from .rows import Decode, Unpack, read_count, read_packed, read_strings

if TYPE_CHECKING:
    from ...config import Config

_TIME: Final = Struct("<q").pack


def encode_hash(value: HashValue, out: list[bytes], packing: Packing) -> int:
    """A listpack, or strings in a row, with the times of fields if there are any."""
    timed = value.times is not None and len(value.times)
    kept = value.listpack
    if kept is not None and not timed:
        out.append(packing.blob(kept))
        return opcodes.HASH_LISTPACK
    fields = value.as_dict()
    if timed:
        return _encode_timed_hash(value, fields, out, packing)
    if value.encoding != "hashtable":
        parts: list[bytes] = [b""] * (2 * len(fields))
        parts[::2] = listpack.entries(fields)
        parts[1::2] = listpack.entries(fields.values())
        blob = listpack.wrap(parts, len(parts))
        if not listpack.any_disputed(parts, len(blob)):
            out.append(packing.blob(blob))
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
    value = HashValue.resting(pairs, config)
    if times:
        value.times = Deadlines(times)
    return value


def decode_hash(data: bytes, at: int, config: Config) -> tuple[HashValue, int]:
    """Type 4: strings in a row."""
    count, at = read_count(data, at)
    pairs, at = read_strings(data, at, 2 * count)
    return HashValue.resting(pairs, config), at


def packed_hash(unpack: Unpack) -> Decode:
    """Types 9, 13 and 16: one packed string."""

    def decode(data: bytes, at: int, config: Config) -> tuple[HashValue, int]:
        pairs, at = read_packed(data, at, unpack)
        return HashValue.resting(pairs, config), at

    return decode


unpack_hash: Final = packed_hash(listpack.decode)
"""Type 16."""


def keep_hash(data: bytes, at: int, config: Config) -> tuple[HashValue, int]:
    """Type 16, left as it is until somebody asks for a field."""
    blob, end = read_string(data, at)
    value = HashValue.kept(blob, config)
    return (value, end) if value is not None else unpack_hash(data, at, config)


def decode_timed_hash(data: bytes, at: int, config: Config) -> tuple[HashValue, int]:
    """Type 24: each field after its time."""
    first, at = read_time(data, at)
    count, at = read_count(data, at)
    pairs: list[bytes] = []
    times: dict[bytes, int] = {}
    for _ in range(count):
        after, at = read_length(data, at)
        [field, held], at = read_strings(data, at, 2)
        pairs += (field, held)
        if after:
            times[field] = _checked_time(first + after - 1)
    return _timed_hash_of(pairs, times, config), at


def decode_timed_listpack(data: bytes, at: int, config: Config) -> tuple[HashValue, int]:
    """Type 25: one listpack of fields, values and times."""
    _, at = read_time(data, at)
    triples, at = read_packed(data, at, listpack.decode)
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
    count, at = read_count(data, at)
    pairs: list[bytes] = []
    times: dict[bytes, int] = {}
    for _ in range(count):
        [field, held], at = read_strings(data, at, 2)
        expires_at, at = read_time(data, at)
        pairs += (field, held)
        if expires_at != -1:
            times[field] = _checked_time(expires_at)
    return _timed_hash_of(pairs, times, config), at


def _checked_time(at: int) -> int:
    if not 0 <= at < 1 << 48:
        raise Malformed("a field with a time out of range")
    return at


def needs_field_times(value: Any) -> bool:
    """Whether only the version of Redis 7.4 holds this value."""
    return type(value) is HashValue and value.times is not None and len(value.times) > 0
