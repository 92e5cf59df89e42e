"""Sorted sets to bytes and back."""

from __future__ import annotations

import re
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from ...values.packing import unpack_list
from ...values.zsets import ZSetValue
from . import listpack, opcodes, ziplist
from .builders import new_zset
from .faults import EmptyValue, Malformed, Short
from .packing import Packing
from .primitives import length_bytes, read_string
from .rows import read_count, read_packed

if TYPE_CHECKING:
    from ...config import Config

_DOUBLE: Final = Struct("<d")
#: The characters of a score's text, of one or of many: none of them makes a nan, or anything else but Redis's floats.
_SCORES: Final = re.compile(rb"[-+0-9.einfEINF]*")
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
            [score] = _scores([data[at:end]])
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


def _scores(texts: list[bytes]) -> list[float]:
    if _SCORES.fullmatch(b"".join(texts)) is not None:
        try:
            return list(map(float, texts))
        except ValueError:
            pass
    raise Malformed("a score that is not a number")


def decode_zset_ziplist(data: bytes, at: int, config: Config) -> tuple[ZSetValue, int]:
    """Type 12: one ziplist."""
    flat, at = read_packed(data, at, ziplist.decode)
    return new_zset(flat[::2], _scores(flat[1::2]), config), at


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
        _scores([score for score in scores if type(score) is bytes])
        scores = list(map(float, scores))
    elif not -_SHORT < min(scores, default=0) <= max(scores, default=0) < _SHORT:
        scores = list(map(float, scores))
    return new_zset(members, scores, config), at
