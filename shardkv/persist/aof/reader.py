"""Reading the log: bytes in, commands out, and exact knowledge of where each ends.

hiredis cuts the bytes; that the commands it gives, encoded again, are the very bytes they came from proves where the
last of them ends. What cannot be proven is taken apart by hand (``cut``), which is also how it is found out what stands
at the place where reading ends: the beginning of a command whose rest is missing (a *torn* tail, as a crash leaves it),
or something that no command begins with.

A command that says of itself that it is longer than what is left is torn as well; but if whole commands follow it up to
the end of the file, then its length is a lie, and what looks like a tail is damage in the middle.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hiredis import HiredisError, Reader

from .records import encode

#: A header line is no longer than this.
HEADER_MAX: Final = 32
#: More words than this no command has.
WORDS_MAX: Final = 1 << 20
BULK_MAX: Final = 512 << 20

_COMMENT: Final = ord("#")
_STAR: Final = ord("*")
_DOLLAR: Final = ord("$")
#: So many places are tried to find commands behind a torn one, in so many bytes.
_PLACES: Final = 1000
_LOOK_BYTES: Final = 64 << 20
#: Before this many bytes of a file are read, an incomplete command is no reason to wait for twice as many.
_SMALL: Final = 1 << 16


class Torn(Exception):
    """The bytes end within a command."""


class AofFault(ValueError):
    """Something in the log is no command. ``offset``: where in the file."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"{reason} (at offset {offset})")
        self.offset = offset
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Run:
    """Commands that stand one behind the other, the first at ``offset``."""

    offset: int
    commands: list[list[bytes]]

    def place(self, index: int) -> int:
        """Where the command of this index stands."""
        return self.offset + sum(map(_size, self.commands[:index]))


class AofReader:
    """Reads one file. ``offset`` is where what has not been given yet begins."""

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset
        self._rest = b""
        self._need = 0
        self._fault: AofFault | None = None  #: what stands behind the commands that were given

    def feed(self, data: bytes) -> list[Run]:
        """The commands that ``data`` completes. Raises AofFault once all before the fault was given."""
        if self._fault is not None:
            raise self._fault
        rest = self._rest + data if self._rest else data
        if len(rest) < self._need:
            self._rest = rest
            return []
        runs: list[Run] = []
        at = 0
        while at < len(rest):
            commands, size = _cut_fast(rest[at:] if at else rest)
            if not commands:
                try:
                    words, end = cut(rest, at)
                except Torn:
                    break
                except AofFault as fault:
                    self._fault = AofFault(self.offset + fault.offset, fault.reason)
                    break
                commands, size = [words] if words else [], end - at
            runs.append(Run(self.offset + at, commands))
            at += size
        self._rest = rest[at:]
        self.offset += at
        # What is large is not looked at again for every piece that comes.
        self._need = 2 * len(self._rest) if len(self._rest) > _SMALL else 0
        if self._fault is not None and not runs:
            raise self._fault
        return runs

    def held_back(self) -> list[Run]:
        """No more will come: the commands in what was not looked at yet. Raises AofFault as ``feed``."""
        self._need = 0
        return self.feed(b"")

    def finish(self) -> bool:
        """Whether the file ends where a command ends. Raises AofFault if what is there is no torn tail."""
        if self._fault is not None:
            raise self._fault
        if not self._rest:
            return True
        later = whole_commands_behind(self._rest)
        if later is not None:
            raise AofFault(
                self.offset,
                "a command is longer than the file, though whole commands follow it, "
                f"the first at offset {self.offset + later}",
            )
        return False


def _cut_fast(data: bytes) -> tuple[list[list[bytes]], int]:
    """The commands at the beginning of ``data`` that hiredis finds, and how many bytes they are; none if that cannot be
    proven."""
    if data[:1] != b"*":
        return [], 0
    reader = Reader()
    reader.feed(data)
    commands: list[list[bytes]] = []
    try:
        while (words := reader.gets()) is not False:
            commands.append(words)
    except HiredisError:
        pass  # what stands there is looked at by hand
    try:
        encoded = encode(commands)
    except (TypeError, HiredisError):
        return [], 0  # something else than arrays of bulk strings
    if not data.startswith(encoded) or not all(commands):
        return [], 0
    return commands, len(encoded)


def _size(words: list[bytes]) -> int:
    """Bytes of a command as it stands in the log."""
    return 3 + len(str(len(words))) + sum(5 + len(str(len(word))) + len(word) for word in words)


def cut(data: bytes, at: int) -> tuple[list[bytes], int]:
    """The command that stands at ``at`` (no words for a comment) and where it ends. Raises Torn, and AofFault with an
    offset in ``data``."""
    if data[at] == _COMMENT:
        end = data.find(b"\n", at)
        if end < 0:
            raise Torn
        return [], end + 1
    count, place = _header(data, at, _STAR, 1, WORDS_MAX)
    words: list[bytes] = []
    for _ in range(count):
        size, begin = _header(data, place, _DOLLAR, 0, BULK_MAX)
        end = begin + size
        place = end + 2
        line_end = data[end:place]
        if not b"\r\n".startswith(line_end) or (len(line_end) < 2 and place <= len(data)):
            raise AofFault(end, f"a word of {size} bytes does not end there")
        if len(data) < place:
            raise Torn
        words.append(data[begin:end])
    return words, place


def _header(data: bytes, at: int, sign: int, least: int, most: int) -> tuple[int, int]:
    """The number in the line ``<sign>number`` and where the next line begins. Raises Torn and AofFault."""
    end = data.find(b"\r\n", at, at + HEADER_MAX)
    line = data[at : end if end >= 0 else at + HEADER_MAX]
    digits = line[1:] if end >= 0 else line[1:].removesuffix(b"\r")
    if (line and line[0] != sign) or (digits and not digits.isdigit()):
        raise AofFault(at, f"expected '{chr(sign)}' and a number, found {line[:HEADER_MAX]!r}")
    if end < 0:
        if len(data) - at >= HEADER_MAX:
            raise AofFault(at, f"a line that should hold a number does not end: {line!r}")
        raise Torn
    if not digits or not least <= int(digits) <= most:
        raise AofFault(at, f"no command has {line!r}")
    return int(digits), end + 2


def whole_commands_behind(data: bytes) -> int | None:
    """Where in ``data``, which begins with a torn command, commands begin that reach to its very end; None if
    nowhere."""
    if len(data) > _LOOK_BYTES:
        return None
    for place in _line_starts(data):
        at = place
        try:
            while at < len(data):
                _, at = cut(data, at)
        except (Torn, AofFault):
            continue
        return place
    return None


def _line_starts(data: bytes) -> Iterator[int]:
    """Places behind a line end where a command might begin."""
    at = 0
    for _ in range(_PLACES):
        at = data.find(b"\n*", at) + 1
        if not at:
            return
        yield at
