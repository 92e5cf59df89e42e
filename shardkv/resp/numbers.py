"""Numbers as Redis reads and writes them."""

from __future__ import annotations

import math
import re
from typing import Final

from ..errors import NotAFloat, NotAnInteger

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1

DECIMAL: Final = re.compile(rb"[+-]?(?:([0-9]+)\.?([0-9]*)|\.([0-9]+))(?:[eE]([+-]?[0-9]+))?")
HEXADECIMAL: Final = re.compile(
    rb"[+-]?0x(?:([0-9a-f]+)\.?([0-9a-f]*)|\.([0-9a-f]+))(?:p([+-]?[0-9]+))?", re.IGNORECASE
)
INFINITY: Final = re.compile(rb"([+-]?)inf(?:inity)?", re.IGNORECASE)

_EXACT: Final = float(2**62)
"""Up to here a double without a fraction is written as the integer it is."""


def parse_int(word: bytes) -> int:
    """A 64-bit signed integer in its one canonical form: no plus, leading zero, blank or ``-0``.

    Raises NotAnInteger.
    """
    try:
        value = int(word)
    except ValueError:
        raise NotAnInteger from None
    if b"%d" % value != word or not INT64_MIN <= value <= INT64_MAX:
        raise NotAnInteger
    return value


def parse_float(word: bytes) -> float:
    """A double as C's strtod reads it, whole: decimal, hexadecimal, infinities.

    Raises NotAFloat for anything else, for nan, and for what is too large or too small for a double.
    """
    match = DECIMAL.fullmatch(word)
    if match is not None:
        value = float(word)
        if value == 0.0:
            mantissa = (match[1] or b"") + (match[2] or match[3] or b"")
            if mantissa.strip(b"0"):
                raise NotAFloat
        elif math.isinf(value):
            raise NotAFloat
        return value
    infinity = INFINITY.fullmatch(word)
    if infinity is not None:
        return -math.inf if infinity[1] == b"-" else math.inf
    match = HEXADECIMAL.fullmatch(word)
    if match is None:
        raise NotAFloat
    try:
        value = float.fromhex(word.decode("ascii"))
    except (OverflowError, ValueError):
        raise NotAFloat from None
    if value == 0.0 and ((match[1] or b"") + (match[2] or match[3] or b"")).strip(b"0"):
        raise NotAFloat
    return value


def format_double(value: float) -> bytes:
    """The shortest text that reads back as ``value``, in the notation of Redis 7.2 and later."""
    if -_EXACT <= value <= _EXACT:
        whole = int(value)
        if whole == value:
            return b"%d" % whole if whole or math.copysign(1.0, value) > 0 else b"-0"
    elif value != value:
        return b"nan"
    elif math.isinf(value):
        return b"inf" if value > 0 else b"-inf"
    return _shortest(value).encode("ascii")


def _shortest(value: float) -> str:
    text = repr(abs(value))
    mantissa, _, power = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    scale = int(power or 0) - len(fraction)  # value = digits * 10 ** scale
    stripped = digits.rstrip("0")
    scale += len(digits) - len(stripped)
    digits = stripped
    sign = "-" if value < 0 else ""
    exponent = scale + len(digits) - 1
    if scale >= 0 and exponent < len(digits) + 7:
        return sign + digits + "0" * scale
    if scale < 0 and (scale > -7 or abs(exponent) < 4):
        point = len(digits) + scale
        if point <= 0:
            return f"{sign}0.{'0' * -point}{digits}"
        return f"{sign}{digits[:point]}.{digits[point:]}"
    tail = "." + digits[1:] if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'-' if exponent < 0 else '+'}{abs(exponent)}"
