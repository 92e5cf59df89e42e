"""The grammar of redis.conf: one option a line, quoting, comments, ``include``. Files are read by the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from .quoting import split_words
from .schema import ConfigFault, Line

ReadFile: TypeAlias = Callable[[str], Sequence[tuple[str, str]]]
"""From a path or glob to the paths and texts of the files it means, in order. A glob may mean none.

A file that cannot be read is an OSError. Texts are decoded as UTF-8 with ``surrogateescape``.
"""

UNBALANCED: Final = "Unbalanced quotes in configuration line"
_BLANKS: Final = " \t\r\n"


def read(text: str, source: str, read_file: ReadFile) -> Iterator[Line]:
    """The lines of a configuration text, each ``include`` replaced by the lines it stands for.

    ``source`` names the text in complaints. Raises ConfigFault for unbalanced quotes and for an include that cannot be
    read or that includes itself.
    """
    return _read(text, source, read_file, (source,))


def _read(text: str, source: str, read_file: ReadFile, path: tuple[str, ...]) -> Iterator[Line]:
    for number, written in enumerate(text.split("\n"), start=1):
        line = words_of(written, source, number)
        if line is None:
            continue
        if line.words[0].lower() != "include" or len(line.words) != 2:
            yield line
            continue
        for name, included in _include(line, read_file):
            if name in path:
                raise ConfigFault(source, number, line.text, f"{name} includes itself")
            yield from _read(included, name, read_file, (*path, name))


def words_of(written: str, source: str, number: int) -> Line | None:
    """One line; None for a blank one or a comment. Raises ConfigFault for unbalanced quotes."""
    text = written.strip(_BLANKS)
    if not text or text.startswith("#"):
        return None
    words = split_words(text)
    if words is None:
        raise ConfigFault(source, number, text, UNBALANCED)
    return Line(source, number, text, tuple(words)) if words else None


def _include(line: Line, read_file: ReadFile) -> Sequence[tuple[str, str]]:
    try:
        return read_file(line.words[1])
    except OSError as problem:
        reason = f"can't read it: {problem.strerror or problem}"
        raise ConfigFault(line.source, line.number, line.text, reason) from problem
