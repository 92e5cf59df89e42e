"""The list of the files that make up the log, as Redis 7 keeps it.

A line is ``file NAME seq NUMBER type TYPE``: the base (``b``, at most one: everything up to some moment), what came
after it in order (``i``), and what is no longer needed and can be deleted (``h``). Lines that begin with ``#`` are
skipped, and so are pairs of words that are not known. A manifest is a value: what changes it gives the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from ...config.quoting import quote, split_words, to_text

#: Redis reads lines up to this length.
LINE_MAX: Final = 1024

BASE: Final = "b"
INCREMENT: Final = "i"
HISTORY: Final = "h"

_INCREMENT_SUFFIX: Final = ".incr.aof"


class ManifestFault(ValueError):
    """A manifest cannot be understood; ``str()`` says where and why."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of the log."""

    name: str
    sequence: int
    kind: str

    def __str__(self) -> str:
        plain = self.name.isascii() and self.name.isprintable() and not set(self.name) & set(" \"'\\")
        return f"file {self.name if plain else quote(self.name)} seq {self.sequence} type {self.kind}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of a log called ``name``."""

    name: str
    base: Part | None = None
    increments: tuple[Part, ...] = ()
    history: tuple[Part, ...] = ()
    base_sequence: int = 0  #: the last that was given away
    increment_sequence: int = 0

    @property
    def file_name(self) -> str:
        """What the manifest itself is called."""
        return f"{self.name}.manifest"

    @property
    def temporary_increment(self) -> str:
        """Where writes go while the first base is being written: no part of the log before that is done."""
        return f"temp-{self.name}.incr"

    @property
    def parts(self) -> tuple[Part, ...]:
        """What has to be loaded, in order."""
        return (() if self.base is None else (self.base,)) + self.increments

    @property
    def current(self) -> Part | None:
        """The file that is being appended to."""
        return self.increments[-1] if self.increments else None

    def __str__(self) -> str:
        parts = (*((self.base,) if self.base else ()), *self.history, *self.increments)
        return "".join(f"{part}\n" for part in parts)

    # ---- the next one

    def with_increment(self) -> Manifest:
        """Another file to append to."""
        sequence = self.increment_sequence + 1
        part = Part(f"{self.name}.{sequence}{_INCREMENT_SUFFIX}", sequence, INCREMENT)
        return replace(self, increments=(*self.increments, part), increment_sequence=sequence)

    def with_base(self, *, preamble: bool) -> Manifest:
        """A new base, which holds what the old one and every file but the last hold."""
        sequence = self.base_sequence + 1
        part = Part(f"{self.name}.{sequence}.base.{'rdb' if preamble else 'aof'}", sequence, BASE)
        return replace(
            self, base=part, base_sequence=sequence, history=self._outdated((self.base,) if self.base else ())
        )

    def rewritten(self, *, preamble: bool, appending: bool) -> Manifest:
        """A new base was written. ``appending``: the last file is being appended to, and begins where the base ends;
        without it nothing is kept beside the base."""
        kept = self.increments[-1:] if appending else ()
        outdated = self.increments[: len(self.increments) - len(kept)]
        based = self.with_base(preamble=preamble)
        return replace(based, increments=kept, history=based._outdated(outdated))

    def without_history(self) -> Manifest:
        """What is no longer needed is deleted."""
        return replace(self, history=())

    def adopting(self) -> Manifest:
        """The single file of a Redis before 7 becomes the base."""
        return replace(self, base=Part(self.name, 1, BASE), base_sequence=1)

    def _outdated(self, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        """The history with these parts, which end earlier than those before them: the latest first."""
        return (*(replace(part, kind=HISTORY) for part in reversed(parts)), *self.history)


def parse(text: str, name: str) -> Manifest:
    """Understand a manifest; ``name`` is ``appendfilename``. Raises ManifestFault."""
    base: Part | None = None
    increments: list[Part] = []
    history: list[Part] = []
    for number, part in _parts(text):
        if part.kind == BASE:
            if base is not None:
                raise ManifestFault(f"line {number}: Found duplicate base file information")
            base = part
        elif part.kind == HISTORY:
            history.append(part)
        else:
            if increments and part.sequence <= increments[-1].sequence:
                told = f"{part.sequence} does not follow {increments[-1].sequence}"
                raise ManifestFault(f"line {number}: Found a non-monotonic sequence number: {told}")
            increments.append(part)
    if base is None and not increments and not history:
        raise ManifestFault("Found an empty AOF manifest")
    _refuse_young_history(history, increments)
    return Manifest(
        name,
        base,
        tuple(increments),
        tuple(history),
        0 if base is None else base.sequence,
        increments[-1].sequence if increments else 0,
    )


def _refuse_young_history(history: list[Part], increments: list[Part]) -> None:
    """What is no longer needed is older than what is, and a base went with it. (One flipped bit makes ``h`` of ``i``,
    and what is ``h`` is deleted.)"""
    oldest = increments[0].sequence if increments else 0
    outdated = [part for part in history if part.name.endswith(_INCREMENT_SUFFIX)]
    for part in outdated:
        if part.sequence >= oldest or len(outdated) == len(history):
            raise ManifestFault(f"{part.name} can't be of type {HISTORY}: it is newer than what is still needed")


def _parts(text: str) -> Iterator[tuple[int, Part]]:
    """The lines that name a file, with their numbers."""
    if not text:
        return
    if not text.endswith("\n"):
        raise ManifestFault(f"line {text.count(chr(10)) + 1}: Invalid AOF manifest file format, it does not end")
    for number, line in enumerate(text[:-1].split("\n"), start=1):
        if not line.startswith("#"):
            yield number, _part(line, number)


def _part(line: str, number: int) -> Part:
    if len(line) >= LINE_MAX:
        raise ManifestFault(f"line {number}: The AOF manifest file contains too long line")
    words = split_words(line)
    if not words or len(words) % 2:
        raise ManifestFault(f"line {number}: Invalid AOF manifest file format, it is not made of pairs of words")
    if len({word.lower() for word in words[::2]}) * 2 != len(words):
        raise ManifestFault(f"line {number}: Invalid AOF manifest file format, it says the same thing twice")
    said = {key.lower(): value for key, value in zip(words[::2], words[1::2], strict=True)}
    name, sequence, kind = said.get("file", ""), said.get("seq", ""), said.get("type", "")
    if not name or not sequence.isascii() or not sequence.isdigit() or int(sequence) < 1 or not kind:
        raise ManifestFault(
            f"line {number}: Invalid AOF manifest file format, it does not give a file, its sequence and its type"
        )
    if "/" in name:
        raise ManifestFault(f"line {number}: File can't be a path, just a filename")
    if kind not in (BASE, INCREMENT, HISTORY):
        raise ManifestFault(f"line {number}: Unknown AOF file type {kind}")
    return Part(name, int(sequence), kind)


def read(data: bytes, name: str) -> Manifest:
    """Understand the bytes of a manifest. Raises ManifestFault."""
    return parse(to_text(data), name)
