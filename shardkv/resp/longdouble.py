"""INCRBYFLOAT's arithmetic: x86's 80-bit long double, in integers.

A finite value is ``(mantissa, exponent)`` and means ``mantissa * 2 ** exponent``; the mantissa is signed and has at
most 64 bits. Every operation is exact and then rounded once to nearest, ties to even, as the hardware does it.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from ..errors import NotAFloat, ReplyError
from .numbers import DECIMAL, HEXADECIMAL, INFINITY

LongDouble: TypeAlias = tuple[int, int]

_BITS: Final = 64
_LOWEST: Final = -16445
"""Exponent of the last bit of a denormal."""
_HIGHEST: Final = 16383
"""Exponent of the leading bit of the largest value."""
_MAX_WORD: Final = 5 * 1024 - 1
"""Longer words do not fit the buffer in which Redis parses them."""
_PLACES: Final = 17


def _divide(numerator: int, denominator: int) -> int:
    """The quotient to nearest, ties to even; both are positive or zero."""
    quotient, rest = divmod(numerator, denominator)
    if rest * 2 > denominator or (rest * 2 == denominator and quotient & 1):
        quotient += 1
    return quotient


def _round(numerator: int, denominator: int) -> LongDouble | None:
    """The long double nearest to a fraction; None when it is too large."""
    if not numerator:
        return 0, 0
    magnitude = abs(numerator)
    exponent = magnitude.bit_length() - denominator.bit_length() - _BITS
    # The quotient now has 64 or 65 bits; a 65th would be one too many.
    if (magnitude >> exponent if exponent > 0 else magnitude << -exponent) >= denominator << _BITS:
        exponent += 1
    exponent = max(exponent, _LOWEST)
    if exponent > 0:
        mantissa = _divide(magnitude, denominator << exponent)
    else:
        mantissa = _divide(magnitude << -exponent, denominator)
    if mantissa.bit_length() + exponent - 1 > _HIGHEST:
        return None
    return (-mantissa if numerator < 0 else mantissa), exponent


def parse_long_double(word: bytes) -> LongDouble | None:
    """The number that ``word`` writes; None for an infinity.

    Raises NotAFloat for what C's strtold does not take whole, for nan, and for what is too large or too small.
    """
    if len(word) > _MAX_WORD:
        raise NotAFloat
    if INFINITY.fullmatch(word) is not None:
        return None
    match, base = DECIMAL.fullmatch(word), 10
    if match is None:
        match, base = HEXADECIMAL.fullmatch(word), 16
    if match is None:
        raise NotAFloat
    fraction = match[2] or match[3] or b""
    digits = ((match[1] or b"") + fraction).lstrip(b"0")
    if not digits:
        return 0, 0
    sign = -1 if word[:1] == b"-" else 1
    power = match[4] or b"0"
    # An exponent of more digits than this decides alone; its value is never needed (nor is it safe to compute).
    magnitude = power.lstrip(b"+-").lstrip(b"0")
    scale = int(magnitude or b"0") if len(magnitude) <= 6 else 10**6
    if power[:1] == b"-":
        scale = -scale
    step = 1 if base == 10 else 4
    scale -= len(fraction) * step
    top = scale + len(digits) * step
    if not -30_000 < top < 30_000:
        raise NotAFloat
    unit = 10 if base == 10 else 2
    numerator = sign * _integer(digits, base)
    rounded = _round(numerator * unit**scale, 1) if scale >= 0 else _round(numerator, unit**-scale)
    if rounded is None or not rounded[0]:
        raise NotAFloat
    return rounded


def _integer(digits: bytes, base: int) -> int:
    """``int(digits, base)``, also past the interpreter's limit on the length of decimal text."""
    if len(digits) <= 4000:
        return int(digits, base)
    tail = len(digits) // 2
    return _integer(digits[:-tail], base) * int(base**tail) + _integer(digits[-tail:], base)


def add_long_doubles(one: LongDouble, other: LongDouble) -> LongDouble | None:
    """The rounded sum; None when it overflows."""
    low = min(one[1], other[1])
    total = (one[0] << (one[1] - low)) + (other[0] << (other[1] - low))
    return _round(total << low, 1) if low >= 0 else _round(total, 1 << -low)


def format_long_double(value: LongDouble) -> bytes:
    """The exact value with 17 decimals (``%.17Lf``), trailing zeros trimmed; ``-0`` is ``0``."""
    mantissa, exponent = value
    scaled = abs(mantissa) * 10**_PLACES
    scaled = scaled << exponent if exponent >= 0 else _divide(scaled, 1 << -exponent)
    whole, fraction = divmod(scaled, 10**_PLACES)
    text = _decimal(whole)
    if fraction:
        text += b"." + (b"%017d" % fraction).rstrip(b"0")
    return b"-" + text if mantissa < 0 and scaled else text


def _decimal(value: int) -> bytes:
    """``b"%d" % value``, also past the interpreter's limit on the length of decimal text."""
    if value.bit_length() < 13_000:
        return b"%d" % value
    high, low = divmod(value, 10**2500)
    return _decimal(high) + b"%02500d" % low


def incr_by_float(old: bytes, by: bytes) -> bytes:
    """``old + by`` as INCRBYFLOAT and HINCRBYFLOAT store it.

    Raises NotAFloat when either is none, ReplyError when the sum is not finite.
    """
    one, other = parse_long_double(old), parse_long_double(by)
    total = None if one is None or other is None else add_long_doubles(one, other)
    if total is None:
        raise ReplyError("ERR increment would produce NaN or Infinity")
    return format_long_double(total)
