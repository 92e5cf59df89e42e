"""Sets to bytes and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...values import listpack
from ...values.damage import Malformed
from ...values.sets import SetValue
from . import intset, opcodes
from .faults import EmptyValue
from .packing import Packing
from .primitives import length_bytes, read_string
from .rows import read_count, read_packed, read_strings

if TYPE_CHECKING:
    from ...config import Config


def encode_set(value: SetValue, out: list[bytes], packing: Packing) -> int:
    """A set of integers, or strings in a row."""
    numbers = value.numbers
    if numbers is not None:
        out.append(packing.blob(intset.encode(numbers)))
        return opcodes.SET_INTSET
    out.append(length_bytes(len(value)))
    out += map(packing.text, value)
    return opcodes.SET


def decode_set(data: bytes, at: int, config: Config) -> tuple[SetValue, int]:
    """Type 2: strings in a row."""
    count, at = read_count(data, at)
    members, at = read_strings(data, at, count)
    return SetValue.resting(members, config), at


def decode_intset(data: bytes, at: int, config: Config) -> tuple[SetValue, int]:
    """Type 11: integers."""
    blob, at = read_string(data, at)
    numbers = intset.decode(blob)
    if not numbers:
        raise EmptyValue(at)
    return SetValue.of_numbers(numbers, config), at


def decode_set_listpack(data: bytes, at: int, config: Config) -> tuple[SetValue, int]:
    """Type 20: one listpack."""
    members, at = read_packed(data, at, listpack.decode)
    if len(set(members)) != len(members):
        raise Malformed("an element is there twice")
    return SetValue.packed(members, config), at
