"""Numbers and bounds as the sorted set commands read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..errors import NotAFloat, ReplyError
from ..resp.numbers import DECIMAL, parse_float
from ..values.zsets import Cut, ZSetValue

_BLANKS: Final = b" \t\n\v\f\r"


def _loose_float(word: bytes) -> float:
    """A double as C's strtod reads it: blanks before it, nothing at all (0), and too large a one (infinite) are fine.

    Raises NotAFloat.
    """
    word = word.partition(b"\0")[0]
    if not word:
        return 0.0
    word = word.lstrip(_BLANKS)
    try:
        return parse_float(word)
    except NotAFloat:
        if DECIMAL.fullmatch(word) is None:
            raise
        return float(word)


def weight_of(word: bytes) -> float:
    """The weight of a source. Raises ReplyError."""
    try:
        return parse_float(word)
    except NotAFloat:
        raise ReplyError("ERR weight value is not a float") from None


@dataclass(frozen=True, slots=True)
class ScoreRange:
    """Scores from ``low`` to ``high``; an open end is left out."""

    low: float
    high: float
    low_open: bool
    high_open: bool

    def span(self, held: ZSetValue) -> tuple[int, int]:
        """The places in a sorted set, as a half-open range."""
        return held.score_place(self.low, after=self.low_open), held.score_place(self.high, after=not self.high_open)


def score_range(low: bytes, high: bytes) -> ScoreRange:
    """A range of scores as ``1.5 (3``. Raises ReplyError."""
    low_open, high_open = low[:1] == b"(", high[:1] == b"("
    try:
        first = _loose_float(low[low_open:])
        last = _loose_float(high[high_open:])
    except NotAFloat:
        raise ReplyError("ERR min or max is not a float") from None
    return ScoreRange(first, last, low_open, high_open)


@dataclass(frozen=True, slots=True)
class LexRange:
    """Members between two cuts."""

    low: Cut
    high: Cut

    def span(self, held: ZSetValue) -> tuple[int, int]:
        """The places in a sorted set, as a half-open range."""
        return held.lex_span(self.low, self.high)


def _cut(word: bytes, *, low: bool) -> Cut:
    if word == b"-":
        return None, False
    if word == b"+":
        return None, True
    head = word[:1]
    if head == b"(":
        return word[1:], low
    if head == b"[":
        return word[1:], not low
    raise ReplyError("ERR min or max not valid string range item")


def lex_range(low: bytes, high: bytes) -> LexRange:
    """A range of members as ``[a (c``, ``-`` and ``+`` for all. Raises ReplyError."""
    return LexRange(_cut(low, low=True), _cut(high, low=False))


@dataclass(frozen=True, slots=True)
class RankRange:
    """Places from ``start`` to ``stop``, both included, negative ones from the end."""

    start: int
    stop: int

    def span(self, held: ZSetValue) -> tuple[int, int]:
        """The places in a sorted set, as a half-open range."""
        size = len(held)
        start, stop = self.start, self.stop
        if start < 0:
            start = max(0, start + size)
        if stop < 0:
            stop += size
        if start > stop or start >= size:
            return 0, 0
        return start, min(stop + 1, size)
