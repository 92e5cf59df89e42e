"""Arguments as functions in C read them: lauxlib's checks, with its complaints.

An argument is what lupa makes of a Lua value: None, bool, int or float (a whole number is an int), bytes, or an object
of lupa's. Places are counted from 1.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Any, Final

from lupa.lua51 import lua_type

from .crossing import ArgumentFault

_DECIMAL: Final = re.compile(rb"[ \t-\r]*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)[ \t-\r]*")
_HEXADECIMAL: Final = re.compile(
    rb"[ \t-\r]*([+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][+-]?\d+)?)[ \t-\r]*"
)
_UNUSUAL: Final = re.compile(rb"[ \t-\r]*([+-]?(?:inf(?:inity)?|nan))[ \t-\r]*", re.IGNORECASE)
_NAMES: Final = {type(None): b"nil", bool: b"boolean", int: b"number", float: b"number", bytes: b"string"}


def type_name(value: Any) -> bytes:
    """What Lua's ``type`` says."""
    name = _NAMES.get(type(value))
    return name if name is not None else lua_type(value).encode()


def wrong_type(arguments: tuple[Any, ...], place: int, wanted: bytes) -> ArgumentFault:
    """The complaint about an argument of another type."""
    got = type_name(arguments[place - 1]) if place <= len(arguments) else b"no value"
    return ArgumentFault(place, wanted + b" expected, got " + got)


def text_number(text: bytes) -> float | None:
    """The number that Lua reads in a string; None if it is none. As C, it ends at a byte 0."""
    text = text.split(b"\0", 1)[0]
    if found := _DECIMAL.fullmatch(text):
        return float(found[1])
    if found := _HEXADECIMAL.fullmatch(text):
        return float.fromhex(found[1].decode())
    if found := _UNUSUAL.fullmatch(text):
        return float(found[1])
    return None


def number(arguments: tuple[Any, ...], place: int) -> int | float:
    """``luaL_checknumber``."""
    value = arguments[place - 1] if place <= len(arguments) else None
    if type(value) is int or type(value) is float:
        return value
    if type(value) is bytes and (read := text_number(value)) is not None:
        return read
    raise wrong_type(arguments, place, b"number")


def integer(arguments: tuple[Any, ...], place: int, default: int | None = None) -> int:
    """``luaL_checkinteger``, or ``luaL_optinteger`` with a default: cut off toward zero, 64 bits."""
    if default is not None and (place > len(arguments) or arguments[place - 1] is None):
        return default
    value = number(arguments, place)
    # What does not fit is in C the least of integers, on the machines that count.
    return int(value) if isfinite(value) and -(2.0**63) <= value < 2.0**63 else -(1 << 63)


def c_int(value: int) -> int:
    """What is left of an integer in 32 bits."""
    return (value + 0x80000000 & 0xFFFFFFFF) - 0x80000000


def text(arguments: tuple[Any, ...], place: int) -> bytes:
    """``luaL_checklstring``: a string, or a number's text."""
    value = arguments[place - 1] if place <= len(arguments) else None
    if type(value) is bytes:
        return value
    if type(value) is int or type(value) is float:
        return b"%.14g" % value
    raise wrong_type(arguments, place, b"string")


def option(arguments: tuple[Any, ...], place: int, options: tuple[bytes, ...]) -> bytes:
    """``luaL_checkoption``: one of these words."""
    word = text(arguments, place)
    if word not in options:
        raise ArgumentFault(place, b"invalid option '" + word + b"'")
    return word
