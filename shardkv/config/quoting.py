"""The words of a configuration line and back: quoting as in redis.conf.

Text is ``str`` everywhere in this package; bytes that are no UTF-8 travel in it as surrogates (``surrogateescape``), so
that whatever stands in a file or comes from CONFIG SET is given back unchanged.
"""

from __future__ import annotations

import re
from typing import Final

# A word: bare, and quoted from somewhere on. A closing quote must end it. Nothing is given back (*+), so that a word
# is never empty by giving up, and a bad line is refused in one pass.
_PIECE: Final = re.compile(
    rb"""\s*+(?:(?P<bare>[^\s"']*+)(?:"(?P<double>(?:\\.|[^"\\])*+)"(?=\s|\Z)"""
    rb"""|'(?P<single>(?:\\'|\\(?!')|[^'\\])*+)'(?=\s|\Z)|(?=\s|\Z)))""",
    re.DOTALL,
)
_ESCAPE: Final = re.compile(rb"\\x([0-9a-fA-F]{2})|\\(.)", re.DOTALL)
_LETTERS: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}
_NAMES: Final = {10: "\\n", 13: "\\r", 9: "\\t", 8: "\\b", 7: "\\a", 34: '\\"', 92: "\\\\"}


def to_bytes(text: str) -> bytes:
    """The bytes that ``text`` stands for."""
    return text.encode("utf-8", "surrogateescape")


def to_text(data: bytes) -> str:
    """The text of ``data``; ``to_bytes`` gives the same bytes back."""
    return data.decode("utf-8", "surrogateescape")


def split_words(line: str) -> list[str] | None:
    """The words of a line; None when its quotes are unbalanced.

    Double quotes take ``\\xHH``, ``\\n \\r \\t \\b \\a`` and a backslash before any other character; single quotes only
    ``\\'``.
    """
    data = to_bytes(line).strip()
    words: list[str] = []
    position = 0
    while position < len(data):
        match = _PIECE.match(data, position)
        if match is None:
            return None
        word = match["bare"]
        if match["double"] is not None:
            word += _ESCAPE.sub(_unescape, match["double"])
        elif match["single"] is not None:
            word += match["single"].replace(b"\\'", b"'")
        words.append(to_text(word))
        position = match.end()
    return words


def quote(text: str) -> str:
    """``text`` in double quotes, with everything escaped that is not printable ASCII (as Redis writes it)."""
    return '"' + "".join(_quoted_byte(byte) for byte in to_bytes(text)) + '"'


def _quoted_byte(byte: int) -> str:
    return _NAMES.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}")


def _unescape(match: re.Match[bytes]) -> bytes:
    digits, letter = match.groups()
    if digits is not None:
        return bytes((int(digits, 16),))
    return _LETTERS.get(letter, letter)
