"""The grammar of redis-server's command line: ``[FILE] [-] [--option value ...] ...``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .conffile import words_of
from .quoting import quote
from .schema import Line

SOURCE: Final = "the command line"


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What a command line asks for. File, standard input and ``lines`` count in this order: the last word wins."""

    file: str | None = None
    from_stdin: bool = False
    lines: tuple[Line, ...] = ()
    show_version: bool = False
    show_help: bool = False


def parse(argv: Sequence[str]) -> CommandLine:
    """Read the words after the program's name. Raises ConfigFault for unbalanced quotes within one of them.

    An option takes every word up to the next one that begins with ``--``; the first word after an option is its value
    even if it begins so (``--masterauth --secret``), but for ``--save``, which may stand alone. ``"--port 7000"`` in
    one word is an option with its value. Each option is numbered as a line of its own.
    """
    if argv and argv[0] in ("-v", "--version"):
        return CommandLine(show_version=True)
    if argv and argv[0] in ("-h", "--help"):
        return CommandLine(show_help=True)
    file = argv[0] if argv and not argv[0].startswith("-") else None
    from_stdin = False
    texts: list[str] = []
    wants_value = False
    last = len(argv) - 1
    for index, word in enumerate(argv):
        if index == 0 and file is not None:
            continue
        if word == "-" and index in (0, last):
            from_stdin = True
        elif word.startswith("--") and not wants_value:
            alone = index == last or argv[index + 1].startswith("--")
            texts.append(word[2:])
            if alone and word.lower() == "--save":
                texts[-1] += ' ""'
            else:
                wants_value = len(word.split()) == 1
        else:
            if not texts:
                texts.append("")
            texts[-1] = f"{texts[-1]} {quote(word)}".lstrip()
            wants_value = False
    lines = (words_of(text, SOURCE, number) for number, text in enumerate(texts, start=1))
    return CommandLine(file, from_stdin, tuple(line for line in lines if line is not None))
