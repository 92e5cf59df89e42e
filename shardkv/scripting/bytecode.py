"""Calls in tail position that keep their frame.

A script's ``return string.rep()`` replaces the script's own frame by that of ``rep`` where ``rep`` is written in Lua,
as the guarded functions of the sandbox are; then an error could not tell the line any more. With functions of C, which
Redis has there, the frame stays. So in what has just been compiled, tail calls of the guarded functions' names (and of
what a call has returned) are made plain calls: the compiler has put a RETURN of all results behind every one of them.

The input is always what ``string.dump`` made in this process, never anything from outside.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Final

_HEADER: Final = 12
_INT: Final = Struct("<i")
_SIZE: Final = Struct("<Q")

_MOVE, _GETGLOBAL, _GETTABLE, _SELF, _CALL, _TAILCALL = 0, 5, 6, 11, 28, 29
_NIL, _BOOLEAN, _NUMBER, _STRING = 0, 1, 3, 4
_CONSTANT: Final = 256  #: operands from here on are constants


class _Walker:
    """Goes through a dump and changes it on the way."""

    def __init__(self, dump: bytes, names: frozenset[bytes]) -> None:
        self.data = bytearray(dump)
        self.names = names
        self.at = _HEADER
        self.changed = False

    def _int(self) -> int:
        (value,) = _INT.unpack_from(self.data, self.at)
        self.at += 4
        return int(value)

    def _string(self) -> bytes:
        (size,) = _SIZE.unpack_from(self.data, self.at)
        start = self.at + 8
        self.at = start + size
        return bytes(self.data[start : self.at - 1]) if size else b""

    def function(self) -> None:
        """One function with those inside it."""
        self._string()
        self.at += 12  # first and last line; upvalues, parameters, varargs, stack
        count = self._int()
        code = self.at
        self.at += 4 * count
        constants = self._constants()
        self._keep_frames(code, count, constants)
        for _ in range(self._int()):
            self.function()
        lines = self._int()
        self.at += 4 * lines
        for _ in range(self._int()):
            self._string()
            self.at += 8
        for _ in range(self._int()):
            self._string()

    def _constants(self) -> list[bytes | None]:
        constants: list[bytes | None] = []
        for _ in range(self._int()):
            kind = self.data[self.at]
            self.at += 1
            text = None
            if kind == _STRING:
                text = self._string()
            else:
                self.at += {_NIL: 0, _BOOLEAN: 1, _NUMBER: 8}[kind]
            constants.append(text)
        return constants

    def _keep_frames(self, code: int, count: int, constants: list[bytes | None]) -> None:
        instructions = memoryview(self.data)[code : code + 4 * count].cast("I").tolist()
        for place, instruction in enumerate(instructions):
            if instruction & 63 == _TAILCALL and self._is_guarded(instructions[:place], instruction, constants):
                self.data[code + 4 * place] = instruction & 0xC0 | _CALL
                self.changed = True

    def _is_guarded(self, before: list[int], call: int, constants: list[bytes | None]) -> bool:
        """Whether what is called was found under one of the names, or came out of a call."""
        register = call >> 6 & 255
        for instruction in reversed(before):
            if instruction >> 6 & 255 != register:
                continue
            kind = instruction & 63
            if kind == _MOVE:
                register = instruction >> 23  # a local; what matters is where that came from
                continue
            if kind == _GETGLOBAL:
                return constants[instruction >> 14] in self.names
            if kind in (_GETTABLE, _SELF):
                operand = instruction >> 14 & 511
                return operand >= _CONSTANT and constants[operand - _CONSTANT] in self.names
            return kind == _CALL
        return False


def keep_frames(dump: bytes, names: Iterable[bytes]) -> bytes | None:
    """The dump of a function with such calls made plain ones, or None if it has none."""
    walker = _Walker(dump, frozenset(names))
    walker.function()
    return bytes(walker.data) if walker.changed else None
