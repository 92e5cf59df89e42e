"""String values: ``bytes`` as they were set, ``int`` after INCR and its kin, ``bytearray`` after APPEND and SETRANGE.

A ``bytearray`` grows and changes in place, so that a large string that is built piece by piece is never copied whole.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from ..errors import NotAnInteger
from ..resp.numbers import parse_int

StringValue: TypeAlias = bytes | int | bytearray

#: Strings up to this many bytes are reported as ``embstr``.
EMBEDDED_MAX: Final = 44
#: No 64-bit integer has a longer text.
_INTEGER_MAX: Final = 20


def string_bytes(value: StringValue) -> bytes:
    """The string's text. A ``bytearray`` is copied."""
    if type(value) is int:
        return b"%d" % value
    return bytes(value)


def string_length(value: StringValue) -> int:
    """Its length in bytes."""
    return len(b"%d" % value) if type(value) is int else len(value)  # type: ignore[arg-type]  # type() does not narrow as isinstance does


def string_integer(value: StringValue) -> int:
    """The number that the string spells. Raises NotAnInteger."""
    if type(value) is int:
        return value
    assert not isinstance(value, int)
    if len(value) > _INTEGER_MAX:
        raise NotAnInteger
    return parse_int(bytes(value))


def string_encoding(value: StringValue) -> str:
    """What OBJECT ENCODING says: ``int``, ``embstr`` or ``raw``."""
    if type(value) is bytearray:
        return "raw"
    try:
        string_integer(value)
    except NotAnInteger:
        return "embstr" if string_length(value) <= EMBEDDED_MAX else "raw"
    return "int"


def substring(value: StringValue, start: int, end: int) -> bytes:
    """GETRANGE: the bytes from ``start`` to ``end``, both included, negative ones counted from the end.

    A range is cut to the string, but an ``end`` far before the beginning means the first byte, not nothing.
    """
    text = b"%d" % value if type(value) is int else value
    assert not isinstance(text, int)
    length = len(text)
    if start < 0 and end < 0 and start > end:
        return b""
    if start < 0:
        start = max(0, start + length)
    if end < 0:
        end = max(0, end + length)
    return bytes(text[start : end + 1])


def overwrite(value: StringValue, offset: int, piece: bytes) -> bytearray:
    """SETRANGE: the string with ``piece`` at ``offset``, zero bytes in a gap. A ``bytearray`` is changed in place."""
    held = value if type(value) is bytearray else bytearray(string_bytes(value))
    gap = offset - len(held)
    if gap > 0:
        held.extend(bytes(gap))
    held[offset : offset + len(piece)] = piece
    return held


def extend(value: StringValue, piece: bytes) -> bytearray:
    """APPEND: the string with ``piece`` behind it. A ``bytearray`` is changed in place."""
    held = value if type(value) is bytearray else bytearray(string_bytes(value))
    held += piece
    return held
