"""Sets of integers as they are saved: the width of a member, how many there are, and the members, ascending."""

from __future__ import annotations

import sys
from array import array
from operator import lt
from struct import Struct
from typing import TYPE_CHECKING, Final

from ...values.damage import Malformed

if TYPE_CHECKING:
    from ...values.intset import IntSet

_HEAD: Final = Struct("<II")
_CODES: Final = {2: "h", 4: "i", 8: "q"}
_SWAPPED: Final = sys.byteorder == "big"


def decode(blob: bytes) -> IntSet:
    """The members. Raises Malformed."""
    if len(blob) < _HEAD.size:
        raise Malformed("a set of integers without a header")
    width, count = _HEAD.unpack_from(blob)
    code = _CODES.get(width)
    if code is None or len(blob) != _HEAD.size + width * count:
        raise Malformed("a set of integers of another size than it says")
    numbers = array(code, blob[_HEAD.size :])
    if _SWAPPED:
        numbers.byteswap()
    if not all(map(lt, numbers, numbers[1:])):
        raise Malformed("a set of integers that is not in order")
    return numbers


def encode(numbers: IntSet) -> bytes:
    """A set of integers of the width that the array has."""
    if _SWAPPED:
        numbers = array(numbers.typecode, numbers)
        numbers.byteswap()
    return _HEAD.pack(numbers.itemsize, len(numbers)) + numbers.tobytes()
