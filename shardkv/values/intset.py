"""Sets of integers as one sorted array, two, four or eight bytes a member.

The width is the narrowest that holds all members; it grows when it has to and never shrinks.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from typing import Final, TypeAlias

IntSet: TypeAlias = "array[int]"

_SMALL: Final = 1 << 15
_MIDDLE: Final = 1 << 31
_LIMIT: Final = 1 << 63
_LONGEST: Final = 20  #: no 64-bit integer has a longer text


def integer_of(member: bytes) -> int | None:
    """The 64-bit integer that ``member`` spells in its one canonical form, or None."""
    if not member or len(member) > _LONGEST or not (member.isdigit() or member[0] == 45):
        return None
    try:
        number = int(member)
    except ValueError:
        return None
    if b"%d" % number != member or not -_LIMIT <= number < _LIMIT:
        return None
    return number


def _code(number: int) -> str:
    if -_SMALL <= number < _SMALL:
        return "h"
    return "i" if -_MIDDLE <= number < _MIDDLE else "q"


def intset_of(numbers: Iterable[int]) -> IntSet:
    """A new one. ``numbers`` in any order, each once."""
    ordered = sorted(numbers)
    if not ordered:
        return array("h")
    widest = max(_code(ordered[0]), _code(ordered[-1]), key="hiq".index)
    return array(widest, ordered)


def holds(numbers: IntSet, number: int) -> bool:
    """Whether ``number`` is a member, in O(log N)."""
    place = bisect_left(numbers, number)
    return place < len(numbers) and numbers[place] == number


def added(numbers: IntSet, number: int) -> IntSet | None:
    """The set with ``number``: itself changed, or a wider one; None if it was a member already."""
    place = bisect_left(numbers, number)
    if place < len(numbers) and numbers[place] == number:
        return None
    code = _code(number)
    if "hiq".index(code) > "hiq".index(numbers.typecode):
        numbers = array(code, numbers)
    numbers.insert(place, number)
    return numbers


def removed(numbers: IntSet, number: int) -> bool:
    """Take a member out; whether it was one."""
    place = bisect_left(numbers, number)
    if place == len(numbers) or numbers[place] != number:
        return False
    del numbers[place]
    return True
