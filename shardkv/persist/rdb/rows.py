"""What the codecs of collections share: strings in a row, and strings that hold many elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from .faults import EmptyValue, Short
from .packing import Packing
from .primitives import read_length, read_string

if TYPE_CHECKING:
    from ...config import Config

#: ``decode(data, at, config)``: the value behind the type, and where it ends.
Decode: TypeAlias = "Callable[[bytes, int, Config], tuple[Any, int]]"
#: ``encode(value, out, packing)``: appends what stands behind the type, and returns the type.
Encode: TypeAlias = Callable[[Any, list[bytes], Packing], int]
#: From a packed string to its elements.
Unpack: TypeAlias = Callable[[bytes], list[bytes]]


def read_strings(data: bytes, at: int, count: int) -> tuple[list[bytes], int]:
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


def read_count(data: bytes, at: int) -> tuple[int, int]:
    """A number of elements, which is not zero."""
    count, at = read_length(data, at)
    if not count:
        raise EmptyValue(at)
    return count, at


def read_packed(data: bytes, at: int, unpack: Unpack) -> tuple[list[bytes], int]:
    """The elements of one packed string, which are some."""
    blob, at = read_string(data, at)
    elements = unpack(blob)
    if not elements:
        raise EmptyValue(at)
    return elements, at
