"""The library struct: packing by a format, as Redis's copy of Roberto Ierusalimschy's has it.

A format is read once and kept: reading it gives a list of steps, each with its size, its alignment and its byte order.
Where C would complain in the middle of a format, the step is the complaint, which is made when it is reached.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import inf, isnan
from struct import Struct
from typing import Any, Final

from . import arguments as lua
from .crossing import ArgumentFault, Crossing, LuaFault

_INT_MAX: Final = 0x7FFFFFFF
_MOST_BYTES: Final = 32  #: of an integer
_STACK: Final = 8000  #: places on a stack of Lua's, which limits the number of results
_SIZES: Final = {"b": 1, "h": 2, "l": 8, "t": 8, "f": 4, "d": 8, "x": 1}
_REALS: Final = {"<f": Struct("<f"), ">f": Struct(">f"), "<d": Struct("<d"), ">d": Struct(">d")}
_MASK: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Step:
    """One letter of a format. ``size``: in bytes; 0 for strings whose length is not in the format, and for the blank,
    which stands for all that only tells of others."""

    letter: str
    size: int = 0
    align: int = 1
    order: str = "<"
    fault: Exception | None = None

    @property
    def unknown(self) -> bool:
        """Whether it is a letter or digit without a meaning, which C passes over when it adds up sizes."""
        return isinstance(self.fault, ArgumentFault) and self.letter.isascii() and self.letter.isalnum()

    def padding(self, at: int) -> int:
        """How many bytes come before, to be aligned at this place."""
        if self.size == 0 or self.letter == "c":
            return 0
        size = min(self.size, self.align)
        return (size - (at & (size - 1))) & (size - 1)


@lru_cache(maxsize=256)
def steps_of(pattern: bytes) -> tuple[Step, ...]:
    """The steps of a format, as far as its numbers can be read."""
    return tuple(_read(pattern.split(b"\0", 1)[0].decode("latin-1")))


def _read(text: str) -> Iterator[Step]:
    at, align, order = 0, 1, "<"
    while at < len(text):
        letter = text[at]
        at += 1
        try:
            if letter == "!":
                align, at = _number(text, at, 8)
                if align <= 0 or align & (align - 1):
                    raise LuaFault(b"alignment %d is not a power of 2" % align)
            elif letter in "<>":
                order = letter
            if letter in "!<> ":
                yield Step(" ")
            else:
                size, at = _size(text, letter, at)
                yield Step(letter, size, align, order)
        except ArgumentFault as fault:
            yield Step(letter, fault=fault)
        except LuaFault as fault:
            yield Step(letter, fault=fault)
            return


def _size(text: str, letter: str, at: int) -> tuple[int, int]:
    if letter == "c":
        return _number(text, at, 1)
    if letter in "iI":
        size, at = _number(text, at, 4)
        if size > _MOST_BYTES:
            raise LuaFault(b"integral size %d is larger than limit of %d" % (size, _MOST_BYTES))
        return size, at
    if letter in "bBhHlLTfdx":
        return _SIZES[letter.lower()], at
    if letter == "s":
        return 0, at
    raise ArgumentFault(1, b"invalid format option '" + letter.encode("latin-1") + b"'")


def _number(text: str, at: int, default: int) -> tuple[int, int]:
    """The digits here as a C int, and the place behind them."""
    start = at
    while at < len(text) and text[at] in "0123456789":
        at += 1
    digits = text[start:at]
    # Digits are added one by one, so a long run is a complaint before it is a number.
    if digits.lstrip("0")[:11] and int(digits.lstrip("0")[:11]) > _INT_MAX:
        raise LuaFault(b"integral size overflow")
    return (int(digits[-10:]) if digits else default), at


def _unsigned(value: int | float) -> int:
    """A number as 64 bits, as a cast in C does it on the machines that count."""
    if isinstance(value, int):
        return value & _MASK
    if isnan(value) or value < -(2.0**63):
        return 1 << 63
    return int(value) & _MASK if value < 2.0**64 else 0


def _signed(bits: int) -> int:
    return bits - (1 << 64) if bits >> 63 else bits


def _real(step: Step, value: int | float) -> bytes:
    try:
        return _REALS[step.order + step.letter].pack(value)
    except OverflowError:  # too large for a float: infinite, as C has it
        return _REALS[step.order + step.letter].pack(inf if value > 0 else -inf)


def _integer(step: Step, value: int | float) -> bytes:
    raw = (_unsigned(value) & (1 << 8 * step.size) - 1).to_bytes(step.size, "little")
    return raw if step.order == "<" else raw[::-1]


def pack(*arguments: Any) -> bytes:
    """``struct.pack(format, value...)``."""
    steps = steps_of(lua.text(arguments, 1))
    given = (*arguments, None)  # C marks the end of the arguments with a nil
    pieces: list[bytes] = []
    total, place = 0, 2
    for step in steps:
        if step.fault is not None:
            raise step.fault
        padding = step.padding(total)
        if step.letter == " ":
            continue
        if step.letter in "cs":
            piece = lua.text(given, place)
            place += 1
            if len(piece) < step.size:
                raise ArgumentFault(place, b"string too short")
            piece = piece[: step.size] if step.size else piece
            if step.letter == "s":
                piece += b"\0"
        elif step.letter == "x":
            piece = b"\0"
        else:
            value = lua.number(given, place)
            place += 1
            piece = _real(step, value) if step.letter in "fd" else _integer(step, value)
        pieces.append(bytes(padding) + piece if padding else piece)
        total += padding + len(piece)
    return b"".join(pieces)


class _Reading:
    """Data that are unpacked: the place, and what has been read."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at
        self.results: list[Any] = []

    def need(self, size: int) -> None:
        """``size`` bytes must be left."""
        if size > len(self.data) or self.at > len(self.data) - size:
            raise ArgumentFault(2, b"data string too short")

    def string(self, step: Step) -> bytes:
        """A string of known length, of the length just read, or up to a byte 0. Moves on by what the step does not."""
        if step.letter == "s":
            end = self.data.find(b"\0", self.at)
            if end < 0:
                raise LuaFault(b"unfinished string in data")
            value = self.data[self.at : end]
            self.at = end + 1
            return value
        size = step.size or self._length()
        self.need(size)
        value = self.data[self.at : self.at + size]
        self.at += size
        return value

    def _length(self) -> int:
        length = self.results[-1] if self.results else None
        if type(length) is bytes:
            length = lua.text_number(length)
        if length is None:
            raise LuaFault(b"format 'c0' needs a previous size")
        self.results.pop()
        return _unsigned(length)

    def number(self, step: Step) -> int | float:
        """An integer or a real number."""
        raw = self.data[self.at : self.at + step.size]
        self.at += step.size
        if step.letter in "fd":
            real: float = _REALS[step.order + step.letter].unpack(raw)[0]
            return real
        value = int.from_bytes(raw, "little" if step.order == "<" else "big") & _MASK
        if step.letter.islower():
            sign = _MASK << ((8 * step.size - 1) % 64) & _MASK
            if value & sign:
                value |= sign
            value = _signed(value)
        # Lua's numbers are doubles, and lupa takes no larger integers than C's.
        return value if -(1 << 53) <= value <= 1 << 53 else float(value)


def unpack(*arguments: Any) -> tuple[Any, ...]:
    """``struct.unpack(format, data [, position])``: the values, and the position behind them."""
    pattern, data = lua.text(arguments, 1), lua.text(arguments, 2)
    position = lua.integer(arguments, 3, 1)
    if position == 0:
        raise ArgumentFault(3, b"offset must be 1 or greater")
    reading = _Reading(data, (position - 1) & _MASK)
    used = len(arguments)
    for step in steps_of(pattern):
        if step.fault is not None:
            if step.letter not in "iIc":  # of those the size is asked before the place
                reading.need(0)
            raise step.fault
        reading.at += step.padding(reading.at)
        reading.need(step.size)
        if used + len(reading.results) + 2 > _STACK:
            raise LuaFault(b"stack overflow (too many results)")
        if step.letter in "cs":
            reading.results.append(reading.string(step))
        elif step.letter in "x ":
            reading.at += step.size
        else:
            reading.results.append(reading.number(step))
    # A size_t, so that a negative position is a very large one, until it comes back.
    return (*reading.results, _signed(reading.at + 1 & _MASK))


def size(*arguments: Any) -> int:
    """``struct.size(format)``: of what it packs, if the format alone says so."""
    total = 0
    for step in steps_of(lua.text(arguments, 1)):
        if step.fault is not None:
            if step.unknown:
                continue
            raise step.fault
        total += step.padding(total)
        if step.letter == "s":
            raise ArgumentFault(1, b"option 's' has no fixed size")
        if step.letter == "c" and step.size == 0:
            raise ArgumentFault(1, b"option 'c0' has no fixed size")
        total += step.size
    return total


def struct_table(crossing: Crossing, runtime: Any) -> Any:
    """The functions, for one runtime."""

    def guarded(*arguments: Any) -> tuple[Any, ...]:
        results = unpack(*arguments)
        # Together as long as the data, and each with what Lua keeps beside it.
        crossing.must_afford(sum(len(result) + 64 for result in results if type(result) is bytes))
        return results

    table = runtime.table()
    crossing.define(table, b"pack", pack)
    crossing.define(table, b"unpack", guarded)
    crossing.define_small(table, b"size", size)
    return table
