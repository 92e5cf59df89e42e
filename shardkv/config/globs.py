"""Names by pattern, as in CONFIG GET: ``*``, ``?``, ``[a-z]``, ``[^a]``, a backslash before a plain character."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

# An unclosed class runs to the end of the pattern, as in Redis.
_TOKEN: Final = re.compile(r"\*+|\?|\[(\^?)((?:\\.|[^\]\\])*)\\?(?:\]|\Z)|\\(.)|(.)", re.DOTALL)
_CLASS_ITEM: Final = re.compile(r"\\(.)|(.)-(.)|(.)", re.DOTALL)


def is_pattern(word: str) -> bool:
    """Whether ``word`` is more than a plain name."""
    return any(mark in word for mark in "*?[")


@lru_cache(maxsize=64)
def matcher(pattern: str) -> re.Pattern[str]:
    """The pattern, to be used with ``fullmatch``; letters match in either case."""
    return re.compile("".join(_translate(token) for token in _TOKEN.finditer(pattern)), re.IGNORECASE | re.DOTALL)


def _translate(token: re.Match[str]) -> str:
    text = token[0]
    if text.startswith("*"):
        return ".*"
    if text == "?":
        return "."
    if text.startswith("["):
        return _class(bool(token[1]), token[2])
    return re.escape(token[3] or token[4] or text)


def _class(negated: bool, inside: str) -> str:
    items = "".join(_class_item(item) for item in _CLASS_ITEM.finditer(inside))
    if not items:
        return "." if negated else "(?!)"
    return f"[{'^' if negated else ''}{items}]"


def _class_item(item: re.Match[str]) -> str:
    escaped, low, high, plain = item.groups()
    if low is None:
        return re.escape(escaped or plain)
    first, last = sorted((low, high))  # Redis takes a range in either direction
    return f"{re.escape(first)}-{re.escape(last)}"
