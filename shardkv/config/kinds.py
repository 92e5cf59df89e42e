"""What an option's value can be: how it is read from words, shown by CONFIG GET and written by CONFIG REWRITE."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final, Generic, TypeVar

from .quoting import quote, to_bytes, to_text

T = TypeVar("T")

INT_MIN: Final = -(2**31)
INT_MAX: Final = 2**31 - 1
UINT_MAX: Final = 2**32 - 1
LONG_MAX: Final = 2**63 - 1
ULONG_MAX: Final = 2**64 - 1

_MEMORY: Final = re.compile(r"([0-9]{0,127})(b|k|kb|m|mb|g|gb|)", re.IGNORECASE | re.ASCII)
_UNITS: Final = {"": 1, "b": 1, "k": 10**3, "kb": 2**10, "m": 10**6, "mb": 2**20, "g": 10**9, "gb": 2**30}
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)


class BadValue(Exception):
    """The words of an option do not make a value. ``reason`` is Redis's text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Kind(ABC, Generic[T]):
    """A kind of value. ``many``: it takes several words, and CONFIG SET splits its one argument at blanks."""

    many: ClassVar[bool] = False

    @property
    @abstractmethod
    def label(self) -> str:
        """The kind in the words of the option reference."""

    @abstractmethod
    def parse(self, words: Sequence[str]) -> T:
        """The value that ``words`` mean. Raises BadValue."""

    @abstractmethod
    def render(self, value: T) -> str:
        """The value as CONFIG GET shows it."""

    def merge(self, current: T, new: T, again: bool) -> T:
        """What holds after ``new`` was given; ``again``: not for the first time in one reading of the configuration."""
        return new

    def lines(self, name: str, value: T, default: T) -> list[tuple[str, bool]]:
        """The lines of CONFIG REWRITE, each with whether it is wanted even where the file has no such line yet.

        None of them: the option's lines leave the file.
        """
        return [(f"{name} {self.written(value)}", value != default)]

    def written(self, value: T) -> str:
        """The value as a configuration line has it."""
        return self.render(value)


class Flag(Kind[bool]):
    """``yes`` or ``no``."""

    label = "yes \\| no"

    def parse(self, words: Sequence[str]) -> bool:
        word = words[0].lower()
        if word not in ("yes", "no"):
            raise BadValue("argument must be 'yes' or 'no'")
        return word == "yes"

    def render(self, value: bool) -> str:
        return "yes" if value else "no"


class Integer(Kind[int]):
    """A whole number between two bounds, both allowed. ``clamp``: the range into which others are moved."""

    def __init__(self, least: int, most: int = INT_MAX, clamp: tuple[int, int] | None = None) -> None:
        self.least, self.most, self.clamp = least, most, clamp

    @property
    def label(self) -> str:
        return f"integer, {_bounds(self.least, self.most)}"

    def parse(self, words: Sequence[str]) -> int:
        value = self.read(words[0])
        if not self.least <= value <= self.most:
            low, high = self.render(self.least), self.render(self.most)
            raise BadValue(f"argument must be between {low} and {high} inclusive")
        if self.clamp is not None:
            return min(max(value, self.clamp[0]), self.clamp[1])
        return value

    def read(self, word: str) -> int:
        """The number of a word, bounds not yet looked at. Raises BadValue."""
        value = whole_number(word)
        if value is None:
            raise BadValue("argument couldn't be parsed into an integer")
        return value

    def render(self, value: int) -> str:
        return str(value)


class Octal(Integer):
    """A number in base 8: the permissions of a file."""

    @property
    def label(self) -> str:
        return f"octal, {self.least:o}..{self.most:o}"

    def read(self, word: str) -> int:
        if not re.fullmatch(r"[0-7]+", word, re.ASCII):
            raise BadValue("argument couldn't be parsed as an octal number")
        return int(word, 8)

    def render(self, value: int) -> str:
        return f"{value:o}"


class Memory(Integer):
    """A number of bytes, with a unit or without: ``1k`` is 1000, ``1kb`` is 1024."""

    @property
    def label(self) -> str:
        return f"bytes, {_bounds(self.least, self.most)}"

    def read(self, word: str) -> int:
        value = memory(word)
        if value is None:
            raise BadValue("argument must be a memory value")
        return value

    def written(self, value: int) -> str:
        return with_unit(value)


class MemoryOrPercent(Integer):
    """A number of bytes, or a share in percent, which is kept as a negative number."""

    @property
    def label(self) -> str:
        return "bytes or percent"

    def read(self, word: str) -> int:
        value = memory(word)
        if value is not None:
            return value
        share = whole_number(word.removesuffix("%")) if word.endswith("%") else None
        if share is None or share < 0:
            raise BadValue("argument must be a memory or percent value")
        if share > 100:
            raise BadValue("percentage argument must be less or equal to 100")
        return -share

    def render(self, value: int) -> str:
        return f"{-value}%" if value < 0 else str(value)

    def written(self, value: int) -> str:
        return self.render(value) if value < 0 else with_unit(value)


class Choice(Kind[str]):
    """One of a few words."""

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    @property
    def label(self) -> str:
        return " \\| ".join(self.choices)

    def parse(self, words: Sequence[str]) -> str:
        word = words[0].lower()
        if word not in self.choices:
            raise BadValue(f"argument(s) must be one of the following: {', '.join(self.choices)}")
        return word

    def render(self, value: str) -> str:
        return value


class Text(Kind[str]):
    """Any text. ``kept``: an empty one stays in the file on rewrite; otherwise empty means absent."""

    label = "text"

    def __init__(self, kept: bool = False) -> None:
        self.kept = kept

    def parse(self, words: Sequence[str]) -> str:
        return words[0]

    def render(self, value: str) -> str:
        return value

    def lines(self, name: str, value: str, default: str) -> list[tuple[str, bool]]:
        if not value and not self.kept:
            return []
        return super().lines(name, value, default)

    def written(self, value: str) -> str:
        return quote(value)


class Folder(Text):
    """A path that CONFIG REWRITE writes always: a file means the same from wherever the node is started."""

    label = "path"

    def lines(self, name: str, value: str, default: str) -> list[tuple[str, bool]]:
        return [(f"{name} {self.written(value)}", True)] if value else []


class Secret(Kind[bytes]):
    """A password: kept as the bytes that a client would send. Empty: none."""

    label = "text"

    def parse(self, words: Sequence[str]) -> bytes:
        return to_bytes(words[0])

    def render(self, value: bytes) -> str:
        return to_text(value)

    def lines(self, name: str, value: bytes, default: bytes) -> list[tuple[str, bool]]:
        return super().lines(name, value, default) if value else []

    def written(self, value: bytes) -> str:
        return quote(to_text(value))


def whole_number(word: str) -> int | None:
    """A 64-bit integer in its canonical decimal form (no sign, blank or zero in front); None for anything else."""
    if len(word) > 20 or not _INTEGER.fullmatch(word):
        return None
    value = int(word)
    return value if -LONG_MAX - 1 <= value <= LONG_MAX else None


def memory(word: str) -> int | None:
    """The bytes of ``100``, ``1k``, ``1kb``, ``2mb``; None for anything else."""
    match = _MEMORY.fullmatch(word)
    if match is None:
        return None
    return int(match[1] or 0) * _UNITS[match[2].lower()]


def with_unit(value: int) -> str:
    """Bytes with the largest unit that loses nothing."""
    for unit in ("gb", "mb", "kb"):
        if value and value % _UNITS[unit] == 0:
            return f"{value // _UNITS[unit]}{unit}"
    return str(value)


def _bounds(least: int, most: int) -> str:
    return f"{least}.." if most >= INT_MAX else f"{least}..{most}"
