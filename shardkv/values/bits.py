"""Strings as arrays of bits: bit 0 is the highest of the first byte, and behind the end there are only zeros.

Long strings are walked in chunks, each turned into one integer, for that is where Python counts and combines bits in C.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import reduce
from operator import and_, or_, xor
from typing import Final, TypeAlias

from .strings import StringValue, string_bytes

Text: TypeAlias = bytes | bytearray

#: Bytes that become one integer.
CHUNK: Final = 1 << 16
_UINT64: Final = (1 << 64) - 1


class Overflow(Enum):
    """What happens to a number that does not fit its field."""

    WRAP = "WRAP"
    SAT = "SAT"  #: the nearest number that fits
    FAIL = "FAIL"  #: nothing is written


def bit_text(value: StringValue) -> Text:
    """The bytes of a string for reading; only an integer is made anew."""
    return b"%d" % value if type(value) is int else value  # type: ignore[return-value]  # type() does not narrow as isinstance does


def grown(value: StringValue, length: int) -> bytearray:
    """The string as a ``bytearray`` of at least ``length`` bytes; one that is a ``bytearray`` grows in place."""
    data = value if type(value) is bytearray else bytearray(string_bytes(value))
    if len(data) < length:
        data.extend(bytes(length - len(data)))
    return data


def get_bit(text: Text, offset: int) -> int:
    """One bit, 0 behind the end."""
    place = offset >> 3
    return text[place] >> (7 - (offset & 7)) & 1 if place < len(text) else 0


def set_bit(data: bytearray, offset: int, bit: int) -> None:
    """Change one bit inside ``data``."""
    mask = 0x80 >> (offset & 7)
    if bit:
        data[offset >> 3] |= mask
    else:
        data[offset >> 3] &= ~mask


def count_bits(text: Text, first: int, last: int) -> int:
    """How many bits are set from bit ``first`` to bit ``last``, both inside the string."""
    start, end = first >> 3, last >> 3
    total = 0
    for at in range(start, end + 1, CHUNK):
        total += int.from_bytes(text[at : min(at + CHUNK, end + 1)], "little").bit_count()
    before = text[start] >> (8 - (first & 7))
    behind = text[end] & (0x7F >> (last & 7))
    return total - before.bit_count() - behind.bit_count()


def find_bit(text: Text, bit: int, first: int, last: int) -> int | None:
    """The place of the first ``bit`` from bit ``first`` to bit ``last``, both inside the string, or None."""
    start, end = first >> 3, last >> 3
    passed = 0 if bit else 0xFF  #: a byte without what is sought
    skip = bytes((passed,))
    head = 0xFF >> (first & 7)  #: bits of the first byte that count
    tail = 0xFF00 >> ((last & 7) + 1) & 0xFF
    if start == end:
        return _first_in(text[start] ^ passed, head & tail, start)
    found = _first_in(text[start] ^ passed, head, start)
    if found is not None:
        return found
    for at in range(start + 1, end, CHUNK):
        chunk = text[at : min(at + CHUNK, end)]
        rest = chunk.lstrip(skip)
        if rest:
            return _first_in(rest[0] ^ passed, 0xFF, at + len(chunk) - len(rest))
    return _first_in(text[end] ^ passed, tail, end)


def _first_in(byte: int, mask: int, place: int) -> int | None:
    found = byte & mask
    return place * 8 + 8 - found.bit_length() if found else None


# ---- BITOP


def _only_one(numbers: Sequence[int]) -> int:
    once = twice = 0
    for number in numbers:
        twice |= once & number
        once |= number
    return once & ~twice


def _others(numbers: Sequence[int]) -> int:
    return reduce(or_, numbers[1:], 0)


_COMBINE: Final = {
    "AND": lambda numbers: reduce(and_, numbers),
    "OR": lambda numbers: reduce(or_, numbers),
    "XOR": lambda numbers: reduce(xor, numbers),
    "DIFF": lambda numbers: numbers[0] & ~_others(numbers),
    "DIFF1": lambda numbers: _others(numbers) & ~numbers[0],
    "ANDOR": lambda numbers: numbers[0] & _others(numbers),
    "ONE": _only_one,
}
_INVERTED: Final = bytes(range(255, -1, -1))

#: The names of the operations.
OPERATIONS: Final = frozenset(_COMBINE) | {"NOT"}


def combine(operation: str, texts: Sequence[Text]) -> bytearray:
    """The strings combined bit by bit, as long as the longest. ``NOT`` takes one string, others one or more."""
    if operation == "NOT":
        return bytearray(texts[0].translate(_INVERTED))
    function = _COMBINE[operation]
    length = max(map(len, texts))
    made = bytearray()
    for at in range(0, length, CHUNK):
        # Little-endian, for then a shorter string needs no padding.
        numbers = [int.from_bytes(text[at : at + CHUNK], "little") for text in texts]
        made += function(numbers).to_bytes(min(CHUNK, length - at), "little")
    return made


# ---- BITFIELD


def get_field(text: Text, offset: int, width: int, *, signed: bool) -> int:
    """The number in the ``width`` bits from bit ``offset`` on."""
    start, end = offset >> 3, (offset + width + 7) >> 3
    window = int.from_bytes(text[start:end].ljust(end - start, b"\0"), "big")
    number = window >> (end * 8 - offset - width) & ((1 << width) - 1)
    return number - (1 << width) if signed and number >> (width - 1) else number


def set_field(data: bytearray, offset: int, width: int, number: int) -> None:
    """Write a number, negative ones as their two's complement, into ``width`` bits inside ``data``."""
    start, end = offset >> 3, (offset + width + 7) >> 3
    shift = end * 8 - offset - width
    mask = (1 << width) - 1
    window = int.from_bytes(data[start:end], "big")
    window = window & ~(mask << shift) | (number & mask) << shift
    data[start:end] = window.to_bytes(end - start, "big")


def fitted(number: int, width: int, overflow: Overflow, *, signed: bool) -> int | None:
    """The number as a field of ``width`` bits holds it, or None if it does not fit and must FAIL."""
    low = -(1 << (width - 1)) if signed else 0
    high = low + (1 << width) - 1
    if low <= number <= high:
        return number
    if overflow is Overflow.FAIL:
        return None
    if overflow is Overflow.SAT:
        return high if number > high else low
    return (number - low) % (1 << width) + low


def as_unsigned(number: int) -> int:
    """A 64-bit number as C reads it without its sign: what an unsigned field is given."""
    return number & _UINT64


def saturating(number: int, width: int) -> int:
    """A signed 64-bit number to be set with SAT. Redis asks how far it is from the highest of the field, and for the
    lowest numbers that distance is negative in C: they count as too high."""
    high = (1 << (width - 1)) - 1
    return high if width < 64 and high - number >= 1 << 63 else number
