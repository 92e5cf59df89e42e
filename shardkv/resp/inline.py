"""Words of an inline request: split at blanks, quoted like a shell's (Redis's sdssplitargs)."""

from __future__ import annotations

import re
from typing import Final

_BLANKS: Final = re.compile(rb"[ \t\n\v\f\r]*")
_PLAIN: Final = re.compile(rb"[^ \t\n\r\"']*")
# A closing quote must end the word.
_DOUBLE: Final = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"(?=[ \t\n\v\f\r]|\Z)', re.DOTALL)
_SINGLE: Final = re.compile(rb"'((?:[^'\\]|\\'|\\(?!'))*)'(?=[ \t\n\v\f\r]|\Z)")
_ESCAPE: Final = re.compile(rb"\\x([0-9a-fA-F]{2})|\\(.)", re.DOTALL)
_CONTROL: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}


def _unescape(match: re.Match[bytes]) -> bytes:
    digits, letter = match.groups()
    if digits is not None:
        return bytes((int(digits, 16),))
    return _CONTROL.get(letter, letter)


def split_words(line: bytes) -> list[bytes] | None:
    """The words of ``line`` (which has no line end); None when its quotes are unbalanced.

    Double quotes take ``\\xHH``, ``\\n \\r \\t \\b \\a`` and a backslash before any other byte; single quotes only
    ``\\'``.
    """
    words: list[bytes] = []
    position, size = _match_end(_BLANKS, line, 0), len(line)
    while position < size:
        word = b""
        while True:
            start, position = position, _match_end(_PLAIN, line, position)
            word += line[start:position]
            mark = line[position : position + 1]
            if mark not in (b'"', b"'"):
                break
            quoted = (_DOUBLE if mark == b'"' else _SINGLE).match(line, position)
            if quoted is None:
                return None
            inner = quoted.group(1)
            word += _ESCAPE.sub(_unescape, inner) if mark == b'"' else inner.replace(b"\\'", b"'")
            position = quoted.end()
            break  # a word ends with its closing quote
        words.append(word)
        position = _match_end(_BLANKS, line, position)
    return words


def _match_end(pattern: re.Pattern[bytes], line: bytes, position: int) -> int:
    match = pattern.match(line, position)
    assert match is not None, "the pattern matches the empty string"
    return match.end()
