"""Sorted sets to bytes and back."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from ...values import listpack
from ...values.damage import Malformed
from ...values.zsets import ZSetValue, parse_scores
from . import opcodes, ziplist
from .faults import EmptyValue, Short
from .packing import Packing
from .primitives import length_bytes, read_string
from .rows import read_count, read_packed

if TYPE_CHECKING:
    from ...config import Config

_DOUBLE: Final = Struct("<d")
#: Doubles without a fraction are exact up to here, and written as integers.
_WHOLE: Final = float(1 << 53)
#: Scores are packed as integers when all of them are and none is larger.
_SHORT: Final = 1 << 32
#: What stands for a score in place of a length.
_OLD_NAN: Final = 253
_OLD_SCORES: Final = {254: float("inf"), 255: float("-inf")}


def _score_entries(scores: list[Any]) -> list[bytes]:
    whole, number, other = _WHOLE, listpack.integer_entry, listpack.float_entry
    return [number(int(score)) if -whole < score < whole and score == int(score) else other(score) for score in scores]


def encode_zset(value: ZSetValue, out: list[bytes], packing: Packing) -> int:
    """A listpack, or strings and doubles."""
    kept = value.listpack
    if kept is not None:
        out.append(packing.blob(kept))
        return opcodes.ZSET_LISTPACK
    members, scores = value.members_and_scores()
    if value.encoding == "listpack":
        parts: list[bytes] = [b""] * (2 * len(members))
        parts[::2] = listpack.entries(members)
        parts[1::2] = _score_entries(scores)
        blob = listpack.wrap(parts, len(parts))
        if not listpack.any_disputed(parts, len(blob)):
            out.append(packing.blob(blob))
            return opcodes.ZSET_LISTPACK
    out.append(length_bytes(len(members)))
    # From the highest to the lowest: whoever inserts one after the other then inserts at the front.
    text, double = packing.text, _DOUBLE.pack
    out += [text(member) + double(score) for member, score in zip(reversed(members), reversed(scores), strict=True)]
    return opcodes.ZSET_2


def decode_zset(data: bytes, at: int, config: Config) -> tuple[ZSetValue, int]:
    """Type 3: strings and texts of scores."""
    count, at = read_count(data, at)
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
            [score] = parse_scores([data[at:end]])
            at = end
        found[member] = score
    return _zset_of(found, count, config), at


def decode_zset_2(data: bytes, at: int, config: Config) -> tuple[ZSetValue, int]:
    """Type 5: strings and doubles."""
    count, at = read_count(data, at)
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


def decode_zset_ziplist(data: bytes, at: int, config: Config) -> tuple[ZSetValue, int]:
    """Type 12: one ziplist."""
    flat, at = read_packed(data, at, ziplist.decode)
    return ZSetValue.resting(flat[::2], parse_scores(flat[1::2]), config), at


def keep_zset(data: bytes, at: int, config: Config) -> tuple[ZSetValue, int]:
    """Type 17, left as it is until somebody asks for a member."""
    blob, end = read_string(data, at)
    value = ZSetValue.kept(blob, config)
    return (value, end) if value is not None else decode_zset_listpack(data, at, config)


def decode_zset_listpack(data: bytes, at: int, config: Config) -> tuple[ZSetValue, int]:
    """Type 17: one listpack."""
    blob, at = read_string(data, at)
    flat = listpack.decode_numbers(blob)
    if not flat:
        raise EmptyValue(at)
    members: list[Any] = flat[::2]
    if int in map(type, members):
        members = [b"%d" % member if type(member) is int else member for member in members]
    scores: list[Any] = flat[1::2]
    if bytes in map(type, scores):
        parse_scores([score for score in scores if type(score) is bytes])
        scores = list(map(float, scores))
    elif not -_SHORT < min(scores, default=0) <= max(scores, default=0) < _SHORT:
        scores = list(map(float, scores))
    return ZSetValue.resting(members, scores, config), at
