"""The library bit: arithmetic on 32 bits, as LuaBitOp has it.

A number becomes an integer by adding 2^52 + 2^51 and taking the low half of the result, which rounds to the nearest
and is exact up to 2^51. Results are signed. All functions try the usual case first, small whole numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import and_, or_, xor
from struct import Struct
from typing import Any, Final

from . import arguments as lua
from .crossing import ArgumentFault, Crossing

_MAGIC: Final = 2.0**52 + 2.0**51
_EXACT: Final = 1 << 51
_MASK: Final = 0xFFFFFFFF
_SIGN: Final = 0x80000000
_DOUBLE: Final = Struct("<d")
_LOW: Final = Struct("<I4x")

_Operation = Callable[[int, int], int]


def _bits(arguments: tuple[Any, ...], place: int) -> int:
    """An argument as an unsigned integer."""
    try:
        value = lua.number(arguments, place)
    except ArgumentFault:
        raise lua.wrong_type(arguments, place, b"number") from None
    if type(value) is int and -_EXACT <= value <= _EXACT:
        return value & _MASK
    bits: int = _LOW.unpack(_DOUBLE.pack(value + _MAGIC))[0]
    return bits


def _signed(bits: int) -> int:
    return bits - (1 << 32) if bits & _SIGN else bits


def _folding(operation: _Operation) -> Callable[..., int]:
    """band, bor, bxor: any number of arguments. C takes the first, then the others from the last on."""

    def careful(*arguments: Any) -> int:
        first = _bits(arguments, 1)
        others = [_bits(arguments, place) for place in range(len(arguments), 1, -1)]
        return _signed(reduce(operation, others, first))

    return careful


def _shift(operation: _Operation) -> Callable[..., int]:
    def careful(*arguments: Any) -> int:
        bits = _bits(arguments, 1)
        return _signed(operation(bits, _bits(arguments, 2) & 31) & _MASK)

    return careful


def _rotate_left(bits: int, by: int) -> int:
    return bits << by | bits >> (32 - by)


def _rotate_right(bits: int, by: int) -> int:
    return bits >> by | bits << (32 - by)


def _tobit(*arguments: Any) -> int:
    return _signed(_bits(arguments, 1))


def _bnot(*arguments: Any) -> int:
    return _signed(~_bits(arguments, 1) & _MASK)


def _bswap(*arguments: Any) -> int:
    return _signed(int.from_bytes(_bits(arguments, 1).to_bytes(4, "little"), "big"))


def _tohex(*arguments: Any) -> bytes:
    bits = _bits(arguments, 1)
    digits = _signed(_bits(arguments, 2)) if len(arguments) > 1 else 8
    width = min(abs(digits), 8)
    text = b"%08x" % bits
    return (text if digits >= 0 else text.upper())[8 - width :]


_FUNCTIONS: Final[dict[bytes, Callable[..., Any]]] = {
    b"tobit": _tobit,
    b"bnot": _bnot,
    b"band": _folding(and_),
    b"bor": _folding(or_),
    b"bxor": _folding(xor),
    b"lshift": _shift(lambda bits, by: bits << by),
    b"rshift": _shift(lambda bits, by: bits >> by),
    b"arshift": _shift(lambda bits, by: _signed(bits) >> by),
    b"rol": _shift(_rotate_left),
    b"ror": _shift(_rotate_right),
    b"bswap": _bswap,
    b"tohex": _tohex,
}


def _quick(operation: _Operation) -> Callable[..., int | None]:
    """An operation on two integers that are not negative and not large; it declines everything else."""

    def two(first: Any = None, second: Any = None, *more: Any) -> int | None:
        if more or type(first) is not int or type(second) is not int:
            return None
        if 0 <= first <= _MASK and 0 <= second <= _MASK:
            bits = operation(first, second)
            return bits - (1 << 32) if bits & _SIGN else bits
        return None

    return two


_USUAL: Final = {
    b"band": _quick(and_),
    b"bor": _quick(or_),
    b"bxor": _quick(xor),
    b"lshift": _quick(lambda bits, by: bits << (by & 31) & _MASK),
    b"rshift": _quick(lambda bits, by: bits >> (by & 31)),
}


def bit_table(crossing: Crossing, runtime: Any) -> Any:
    """The functions, for one runtime."""
    table = runtime.table()
    for name, function in _FUNCTIONS.items():
        if name == b"tohex":
            crossing.define(table, name, function)
        else:
            crossing.define_small(table, name, function, _USUAL.get(name))
    return table
