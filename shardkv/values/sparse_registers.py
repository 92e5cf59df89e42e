"""The registers of a HyperLogLog run by run: the *sparse* shape.

Three opcodes, as Redis writes them: ``00xxxxxx`` (ZERO) is a run of x+1 zeros, ``01xxxxxx yyyyyyyy`` (XZERO) one of
xy+1, ``1vvvvvxx`` (VAL) a run of x+1 registers of value v+1. Which opcodes stand for some registers depends on the
order in which those were set; here it is Redis's to the byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ..errors import ReplyError
from .registers import REGISTERS

Text = bytes | bytearray
#: Where an opcode stands, and the first register that it covers.
Place = tuple[int, int]

#: The greatest value, and the longest runs, that opcodes can say.
VALUE_MAX: Final = 32
_VAL_MAX: Final = 4
_ZERO_MAX: Final = 64
#: How many opcodes are looked at for what can be joined after a change.
_JOINED: Final = 5
#: One-byte opcodes that are measured at once.
_STRIDE: Final = 128

_SINGLE: Final = re.compile(rb"[^\x40-\x7f]+")
_SPANS: Final = bytes(op + 1 if op < 0x40 else (op & 3) + 1 for op in range(256))
_EXPANDED: Final = [
    bytes(op + 1) if op < 0x40 else bytes((((op >> 2) & 31) + 1,)) * ((op & 3) + 1) for op in range(256)
]


class CorruptSketch(ReplyError):
    """A string with the header of a HyperLogLog has registers that make no sense."""

    def __init__(self) -> None:
        super().__init__("INVALIDOBJ Corrupted HLL object detected")


def all_zeros() -> bytes:
    """The opcode for registers that are all zero."""
    return _zeros(REGISTERS)


def expand(data: Text, start: int) -> bytes:
    """The registers, one a byte, of the opcodes from ``data[start]`` on. Raises CorruptSketch."""
    parts: list[bytes] = []
    left = REGISTERS
    at, size = start, len(data)
    while at < size and left > 0:
        if data[at] & 0xC0 == 0x40:
            run = bytes(min(_long_span(data, at), left + 1))
            at += 2
        else:
            end = _end_of_singles(data, at, len(data))
            if end - at > left:
                break
            run = b"".join([_EXPANDED[op] for op in data[at:end]])
            at = end
        parts.append(run)
        left -= len(run)
    if left or at < size:
        raise CorruptSketch
    return b"".join(parts)


def opcodes(data: Text, start: int) -> Iterator[str]:
    """The opcodes in PFDEBUG's notation: ``z:3`` ZERO, ``Z:300`` XZERO, ``v:2,1`` VAL with value and length."""
    at = start
    while at < len(data):
        op = data[at]
        if op < 0x40:
            yield f"z:{op + 1}"
        elif op < 0x80:
            yield f"Z:{_long_span(data, at)}"
            at += 1
        else:
            yield f"v:{(op >> 2 & 31) + 1},{(op & 3) + 1}"
        at += 1


def _long_span(data: Text, at: int) -> int:
    """The length of an XZERO."""
    return ((data[at] & 0x3F) << 8 | (data[at + 1] if at + 1 < len(data) else 0)) + 1


def _end_of_singles(data: Text, at: int, most: int) -> int:
    """Where the one-byte opcodes from ``at`` on end, at ``most`` at the latest."""
    match = _SINGLE.match(data, at, most)
    return at if match is None else match.end()


def _zeros(length: int) -> bytes:
    if length <= _ZERO_MAX:
        return bytes((length - 1,))
    return bytes((0x40 | (length - 1) >> 8, (length - 1) & 0xFF))


def _val(value: int, length: int) -> bytes:
    return bytes((0x80 | (value - 1) << 2 | (length - 1),))


class SparseWriter:
    """Sets registers in opcodes that begin at ``data[start]``, where the whole string may have ``limit`` bytes.

    It remembers where it was, so that registers set in ascending order cost no walk from the beginning.
    """

    __slots__ = ("_data", "_limit", "_mark", "_start")

    def __init__(self, data: bytearray, start: int, limit: int) -> None:
        self._data = data
        self._start = start
        self._limit = limit
        self._mark: Place = (start, 0)  #: an opcode that no change has touched since

    def raise_to(self, index: int, value: int) -> bool | None:
        """Let a register have at least ``value``: whether it changed, or None if that takes more than sparse can hold.

        Raises CorruptSketch.
        """
        if value > VALUE_MAX:
            return None
        data = self._data
        at, first, before = self._locate(index)
        if before < 0 and at != self._start:
            self._mark = (self._start, 0)
            at, first, before = self._locate(index)
        op = data[at]
        long = op & 0xC0 == 0x40
        span = _long_span(data, at) if long else _SPANS[op]
        if op & 0x80 and (op >> 2 & 31) + 1 >= value:
            return False
        if span == 1 and not long:
            data[at : at + 1] = _val(value, 1)
        else:
            made = _split(op, index - first, value, first + span - 1 - index)
            more = len(made) - (2 if long else 1)
            if more > 0 and len(data) + more > self._limit:
                return None
            data[at : at + (2 if long else 1)] = made
        self._join(self._start if before < 0 else before)
        return True

    def _locate(self, index: int) -> tuple[int, int, int]:
        """Where the opcode is that covers a register, the first register it covers, and where the one before it is.

        That is -1 if it was not met on the way.
        """
        data = self._data
        at, first = self._mark if self._mark[1] <= index else (self._start, 0)
        size = len(data)
        older: Place = (at, first)
        previous: Place = (-1, 0)
        while at < size:
            if data[at] & 0xC0 == 0x40:
                span = _long_span(data, at)
                if index < first + span:
                    self._mark = older
                    return at, first, previous[0]
                if previous[0] >= 0:
                    older = previous
                previous = (at, first)
                first += span
                at += 2
                continue
            spans = data[at : _end_of_singles(data, at, at + _STRIDE)].translate(_SPANS)
            total = sum(spans)
            if index < first + total:
                for span in spans:
                    if index < first + span:
                        self._mark = older
                        return at, first, previous[0]
                    if previous[0] >= 0:
                        older = previous
                    previous = (at, first)
                    first += span
                    at += 1
            first += total
            at += len(spans)
            if len(spans) > 1:
                older = (at - 2, first - spans[-1] - spans[-2])
            elif previous[0] >= 0:
                older = previous
            previous = (at - 1, first - spans[-1])
        raise CorruptSketch

    def _join(self, at: int) -> None:
        """Join neighbouring VALs of one value, among the next few opcodes from ``at`` on."""
        data = self._data
        for _ in range(_JOINED):
            if at >= len(data):
                break
            op = data[at]
            if not op & 0x80:
                at += 2 if op & 0x40 else 1
                continue
            if at + 1 < len(data):
                other = data[at + 1]
                length = (op & 3) + (other & 3) + 2
                if op | 3 == other | 3 and length <= _VAL_MAX:
                    data[at : at + 2] = _val((op >> 2 & 31) + 1, length)
                    continue
            at += 1


def _split(op: int, before: int, value: int, behind: int) -> bytes:
    """A run cut by a register of another value; ``before`` and ``behind``: what is left of it on either side."""

    def rest(length: int) -> bytes:
        if not length:
            return b""
        return _val((op >> 2 & 31) + 1, length) if op & 0x80 else _zeros(length)

    return rest(before) + _val(value, 1) + rest(behind)
