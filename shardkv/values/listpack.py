"""Listpacks: many short elements in one string.

A header (bytes of the whole, number of elements), the elements, 0xFF. Behind each element stands its size once more,
for those who walk backwards. Integers in their canonical form are held as such. Only small integers and short strings
are met often, so these have a way of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from struct import Struct
from struct import error as StructError
from typing import Any, Final

from .damage import DamagedValue, Malformed

HEADER: Final = 6
END: Final = b"\xff"
#: An element count of this means: count them.
UNCOUNTED: Final = 0xFFFF

_HEAD: Final = Struct("<IH")
_read_head: Final = _HEAD.unpack_from
_UINT32: Final = Struct("<I").pack
_INT64_END: Final = 1 << 63
_INT64_DIGITS: Final = 20
_from_bytes: Final = int.from_bytes
#: From these sizes on an element has three, four and five bytes behind it.
_TWO: Final = (1 << 14) - 1
_THREE: Final = (1 << 21) - 1
_FOUR: Final = (1 << 28) - 1
#: How long elements of exactly these sizes are: servers do not agree on what stands behind them.
_DISPUTED: Final = frozenset((_TWO + 3, _THREE + 4, _FOUR + 5))
_DISPUTED_MIN: Final = min(_DISPUTED)
#: A listpack that a value keeps is smaller than the shortest element of which servers do not agree how it is written.
_KEPT_MAX: Final = _DISPUTED_MIN

#: Small integers by their value, and how they are written, by their text.
_NUMBERS: Final = [b"%d" % number for number in range(128)]
_SMALL: Final = {text: bytes((number, 1)) for number, text in enumerate(_NUMBERS)}
#: What stands before and behind a string of up to 63 bytes, by its length.
_BEFORE: Final = [bytes((0x80 | length,)) for length in range(64)]
_BEHIND: Final = [bytes((length + 1,)) for length in range(64)]
_INT16: Final = Struct("<BhB").pack
_INT32: Final = Struct("<BiB").pack
_INT64: Final = Struct("<BqB").pack
#: How integers of 24, 32 and 64 bits are read, and their sizes.
_INTEGERS: Final[tuple[tuple[Callable[[bytes], tuple[Any, ...]], int], ...]] = (
    (lambda raw: (int.from_bytes(raw, "little", signed=True),), 4),
    (Struct("<i").unpack, 5),
    (Struct("<q").unpack, 9),
)


class Listpack(bytes):
    """A whole listpack that a value keeps as it was read, until somebody asks for an element. Its header was looked at,
    its elements were not."""

    __slots__ = ()

    @property
    def elements(self) -> int:
        """How many elements it says that it has."""
        return self[4] | self[5] << 8


def keep(blob: bytes, most: int) -> Listpack | None:
    """These bytes as a listpack, if it is one by its header and end, and of at most ``most`` elements."""
    size = len(blob)
    if HEADER < size < _KEPT_MAX and blob[-1] == 0xFF:
        total, count = _read_head(blob)
        if total == size and 0 < count <= most:
            return Listpack(blob)
    return None


def integer_at(blob: bytes, at: int) -> tuple[int, int]:
    """The integer that an element at this place is, and the place behind it. Raises Malformed if it is none."""
    if len(blob) - at > 9:
        head = blob[at]
        if head < 0x80:
            return head, at + 2
        if 0xC0 <= head < 0xE0:
            number = (head & 0x1F) << 8 | blob[at + 1]
            return (number if number < 0x1000 else number - 0x2000), at + 3
        if head == 0xF1:
            return _from_bytes(blob[at + 1 : at + 3], "little", signed=True), at + 4
    raise Malformed("a counter that is no short integer")


def elements_of(kept: Listpack) -> list[bytes]:
    """Its elements, integers as their texts. Raises DamagedValue."""
    try:
        return decode(kept)
    except Malformed as malformed:
        raise DamagedValue(str(malformed)) from None


# ---- writing


def back_length(size: int) -> bytes:
    """The size of an element as it stands behind it: seven bits a byte, read from right to left.

    The largest size that two, three or four bytes could hold takes one more, as in Redis before 8.8. Later ones, and
    Valkey 9.1, do not read that; ``disputed`` finds such elements, so that they can be written otherwise.
    """
    if size < 128:
        return bytes((size,))
    return _spread(size, 2 if size < _TWO else 3 if size < _THREE else 4 if size < _FOUR else 5)


def _spread(size: int, width: int) -> bytes:
    parts = [size >> (7 * place) & 0x7F | 0x80 for place in range(width - 1, -1, -1)]
    parts[0] &= 0x7F
    return bytes(parts)


def integer_entry(number: int) -> bytes:
    """The element of a signed 64-bit integer."""
    if 0 <= number < 128:
        return bytes((number, 1))
    if -4096 <= number < 4096:
        number &= 0x1FFF
        return bytes((0xC0 | number >> 8, number & 0xFF, 2))
    if -0x8000 <= number < 0x8000:
        return _INT16(0xF1, number, 3)
    if -0x800000 <= number < 0x800000:
        return b"\xf2" + (number & 0xFFFFFF | 4 << 24).to_bytes(4, "little")
    if -0x80000000 <= number < 0x80000000:
        return _INT32(0xF3, number, 5)
    return _INT64(0xF4, number, 9)


def entry(element: bytes) -> bytes:
    """An element of any kind."""
    length = len(element)
    if length <= _INT64_DIGITS and element:
        if element.isdigit():
            small = _SMALL.get(element)
            if small is not None:
                return small
            if element[0] != 48:
                number = int(element)
                if number < _INT64_END:
                    return integer_entry(number)
        elif element[0] == 45 and element[1:2] not in b"-0" and element[1:].isdigit():
            number = int(element)
            if number >= -_INT64_END:
                return integer_entry(number)
    if length < 64:
        return _BEFORE[length] + element + _BEHIND[length]
    if length < 4096:
        return bytes((0xE0 | length >> 8, length & 0xFF)) + element + back_length(length + 2)
    return b"\xf0" + _UINT32(length) + element + back_length(length + 5)


def float_entry(number: float) -> bytes:
    """The element of a number that is no integer, or too large a one to be exact: the shortest text of it."""
    text = b"%a" % number
    return _BEFORE[len(text)] + text + _BEHIND[len(text)]


def entries(elements: Iterable[bytes]) -> list[bytes]:
    """How each of the elements is written."""
    before, behind, other = _BEFORE, _BEHIND, entry
    return [
        before[length] + element + behind[length]
        if (length := len(element)) < 64 and element and element[0] > 57  # most texts begin behind the digits
        else other(element)
        for element in elements
    ]


def disputed(part: bytes) -> bool:
    """Whether not all servers would read this element, which is written already."""
    return len(part) in _DISPUTED


def any_disputed(parts: list[bytes], total: int) -> bool:
    """Whether there is such an element; ``total``: the bytes of all."""
    return total >= _DISPUTED_MIN and any(map(disputed, parts))


def wrap(parts: list[bytes], count: int) -> bytes:
    """A listpack of elements that are written already."""
    body = b"".join(parts)
    return _HEAD.pack(HEADER + len(body) + 1, min(count, UNCOUNTED)) + body + END


def encode(elements: Iterable[bytes]) -> bytes:
    """A listpack of these elements."""
    parts = entries(elements)
    return wrap(parts, len(parts))


# ---- reading


def decode(blob: bytes) -> list[bytes]:
    """The elements of a listpack, integers as their texts. Raises Malformed for anything that is not whole."""
    found = decode_numbers(blob)
    if int in map(type, found):
        numbers = _NUMBERS
        for place, element in enumerate(found):
            if type(element) is int:
                found[place] = numbers[element] if 0 <= element < 128 else b"%d" % element
    return found


def decode_numbers(blob: bytes) -> list[Any]:
    """The elements of a listpack, bytes, or int for those that are held as such. Raises Malformed."""
    size = len(blob)
    if size <= HEADER:
        raise Malformed("a listpack without a header")
    total, count = _read_head(blob)
    end = size - 1
    if total != size or blob[end] != 0xFF:
        raise Malformed("a listpack of another size than it says")
    found: list[Any] = []
    append = found.append
    at = HEADER
    try:
        while at < end:
            head = blob[at]
            if 0x80 <= head < 0xC0:
                size = head - 0x7F
                close = at + size
                append(blob[at + 1 : close])
            elif head < 0x80:
                append(head)
                size = 1
                close = at + 1
            elif head == 0xF1:
                number = blob[at + 1] | blob[at + 2] << 8
                append(number if number < 0x8000 else number - 0x10000)
                size = 3
                close = at + 3
            elif head < 0xE0:
                number = (head & 0x1F) << 8 | blob[at + 1]
                append(number if number < 0x1000 else number - 0x2000)
                size = 2
                close = at + 2
            elif head > 0xF1:
                read, size = _INTEGERS[head - 0xF2]
                close = at + size
                append(read(blob[at + 1 : close])[0])
            else:
                element, at = _long_string(blob, at, head)
                append(element)
                continue
            if blob[close] != size:
                raise Malformed("an element of a listpack has another size behind it")
            at = close + 1
    except (IndexError, StructError):
        raise Malformed("an element of a listpack passes its end, or has no known form") from None
    if at != end:
        raise Malformed("an element of a listpack passes its end")
    if count != len(found) and count != UNCOUNTED:
        raise Malformed("a listpack with another number of elements than it says")
    return found


def _long_string(blob: bytes, at: int, head: int) -> tuple[bytes, int]:
    """A string of 64 bytes and more, and the position behind it."""
    if head < 0xF0:
        start = at + 2
        close = start + ((head & 0x0F) << 8 | blob[at + 1])
    else:
        start = at + 5
        close = start + _from_bytes(blob[at + 1 : start], "little")
    if close < len(blob):
        behind = back_length(close - at)
        after = close + len(behind)
        if blob[close:after] == behind:
            return blob[start:close], after
        if close - at in (_TWO, _THREE, _FOUR):  # as Redis 8.8 and Valkey 9.1 have it
            after -= 1
            if blob[close:after] == _spread(close - at, len(behind) - 1):
                return blob[start:close], after
    raise Malformed("an element of a listpack has another size behind it")
