"""Glob patterns over bytes, as Redis matches keys and channels: ``*``, ``?``, ``[a-z]``, ``[^a]`` and the backslash.

What Redis does with odd patterns is kept: an unclosed ``[`` ends with the pattern, a range may stand either way round,
bytes of a range are compared as *signed* ones, a backslash at the very end is a plain backslash, and stars alone do not
match the empty text.

A pattern becomes a chain of atomic groups: what stands between two stars matches as far left as it can and is never
reconsidered. That is enough (a match further right cannot help what follows), and no pattern costs more than its length
times the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias

Matcher: TypeAlias = Callable[[bytes], bool]
#: The bytes that one place of a pattern accepts; None: any.
Place: TypeAlias = "frozenset[int] | None"

#: Longer patterns are matched step by step: their compilation would cost more than it saves.
COMPILED_MAX: Final = 512
_SPECIAL: Final = re.compile(rb"[*?\[\\]")
_DIFFERENCE: Final = 32  #: between an ASCII capital and its small letter


def glob(pattern: bytes, *, nocase: bool = False) -> Matcher:
    """The predicate of a pattern; with ``nocase`` ASCII letters match in either case."""
    if len(pattern) > COMPILED_MAX:
        return _stepwise(_parse(pattern, nocase))
    return _compiled(pattern, nocase)


def is_glob(pattern: bytes) -> bool:
    """Whether a pattern is more than the one text that it spells."""
    return _SPECIAL.search(pattern) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: bytes, nocase: bool) -> Matcher:
    if pattern and not pattern.strip(b"*"):
        return bool  # the empty text alone is not matched by stars
    if not nocase:
        if not is_glob(pattern):
            return pattern.__eq__
        prefix = pattern.rstrip(b"*")
        if not is_glob(prefix):
            return lambda text: text.startswith(prefix)
    return _expression(_parse(pattern, nocase))


def _parse(pattern: bytes, nocase: bool) -> list[list[Place]]:
    """The runs of places between the stars, which may be empty: ``a*`` has the run of ``a`` and one of nothing."""
    runs: list[list[Place]] = [[]]
    at, end = 0, len(pattern)
    while at < end:
        byte = pattern[at]
        at += 1
        if byte == ord("*"):
            if runs[-1] or len(runs) == 1:
                runs.append([])
        elif byte == ord("?"):
            runs[-1].append(None)
        elif byte == ord("["):
            accepted, at = _class(pattern, at, nocase)
            runs[-1].append(accepted)
        else:
            if byte == ord("\\") and at < end:
                byte = pattern[at]
                at += 1
            runs[-1].append(_either_case(byte) if nocase else frozenset((byte,)))
    return runs


def _class(pattern: bytes, at: int, nocase: bool) -> tuple[frozenset[int], int]:
    """What a class accepts, and where the pattern goes on. ``at`` is behind the bracket."""
    end = len(pattern)
    negated = pattern[at : at + 1] == b"^"
    if negated:
        at += 1
    accepted: set[int] = set()
    while at < end:
        byte = pattern[at]
        if byte == ord("\\") and at + 1 < end:
            accepted.add(pattern[at + 1])  # in its own case only, whatever ``nocase`` says
            at += 2
        elif byte == ord("]"):
            at += 1
            break
        elif at + 2 < end and pattern[at + 1] == ord("-"):
            accepted |= _range(byte, pattern[at + 2], nocase)
            at += 3
        else:
            accepted |= _either_case(byte) if nocase else {byte}
            at += 1
    if negated:
        return frozenset(range(256)) - accepted, at
    return frozenset(accepted), at


def _range(one: int, other: int, nocase: bool) -> set[int]:
    """The bytes from one to the other, as signed chars are ordered; letters fold after the ends were put in order."""
    first, last = sorted((_signed(one), _signed(other)))
    if not nocase:
        return {number & 255 for number in range(first, last + 1)}
    first, last = _small(first), _small(last)
    return {byte for byte in range(256) if first <= _small(_signed(byte)) <= last}


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def _small(byte: int) -> int:
    return byte + _DIFFERENCE if ord("A") <= byte <= ord("Z") else byte


def _either_case(byte: int) -> frozenset[int]:
    small = _small(byte)
    if ord("a") <= small <= ord("z"):
        return frozenset((small, small - _DIFFERENCE))
    return frozenset((byte,))


def _expression(runs: list[list[Place]]) -> Matcher:
    """The runs as one regular expression."""
    parts = [_spell(runs[0])]
    parts.extend(b"(?>.*?" + _spell(run) + b")" for run in runs[1:-1])
    if len(runs) > 1:
        parts.append(b".*" + _spell(runs[-1]))
    match = re.compile(b"".join(parts), re.DOTALL).fullmatch
    return lambda text: match(text) is not None


def _spell(run: list[Place]) -> bytes:
    return b"".join(_spell_place(place) for place in run)


def _spell_place(place: Place) -> bytes:
    if place is None or len(place) == 256:
        return b"."
    if not place:
        return b"(?!)"
    if len(place) == 1:
        return re.escape(bytes(place))
    return b"[" + b"".join(b"\\x%02x" % byte for byte in sorted(place)) + b"]"


def _stepwise(runs: list[list[Place]]) -> Matcher:
    """The same without a regular expression."""
    least = sum(map(len, runs))

    def matches(text: bytes) -> bool:
        end = len(text)
        if end < least or not _fits(runs[0], text, 0):
            return False
        if len(runs) == 1:
            return end == least
        at = len(runs[0])
        for run in runs[1:-1]:
            while not _fits(run, text, at):
                at += 1
                if at + len(run) > end:
                    return False
            at += len(run)
        last = end - len(runs[-1])
        return last >= at and end > 0 and _fits(runs[-1], text, last)

    return matches


def _fits(run: list[Place], text: bytes, at: int) -> bool:
    """Whether a run matches at a place; never behind the text's end."""
    if at + len(run) > len(text):
        return False
    return all(place is None or text[at + index] in place for index, place in enumerate(run))
