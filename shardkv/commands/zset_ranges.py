"""Sorted set commands on ranges: by rank, by score, by member."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ..errors import ReplyError, SyntaxFault
from ..resp.numbers import parse_int
from ..resp.replies import Pairs
from ..values.zsets import Entry, ZSetValue
from .context import Context
from .flags import READ, Doc, Flags, KeyUse
from .grammar import block, double, flag, integer, key, maybe, one_of, value
from .spec import command
from .zset_bounds import LexRange, RankRange, ScoreRange, lex_range, score_range
from .zsets import REMOVE, removed

Range: TypeAlias = RankRange | ScoreRange | LexRange

_SPAN: Final = "O(log(N)+M) for N members of which M are returned"
_LIMIT: Final = maybe(block("limit", integer("offset"), integer("count"), token="LIMIT"))
_BY: Final = maybe(one_of("sortby", flag("BYSCORE"), flag("BYLEX")))
_REV: Final = maybe(flag("REV"))
_WITHSCORES: Final = maybe(flag("WITHSCORES"))
_READS: Final[dict[str, Any]] = {"flags": Flags.READONLY, "group": "sorted-set", "complexity": _SPAN, "raw": True}


def rank_range(start: bytes, stop: bytes) -> RankRange:
    """A range of ranks. Raises ReplyError."""
    return RankRange(parse_int(start), parse_int(stop))


_MAKE: Final[dict[str, Callable[[bytes, bytes], Range]]] = {
    "rank": rank_range,
    "score": score_range,
    "lex": lex_range,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a range command asks for."""

    range: Range
    reverse: bool
    with_scores: bool
    offset: int
    limit: int  #: negative: all

    def entries(self, held: ZSetValue) -> list[Entry]:
        """The entries asked for, in the order asked for."""
        start, end = self.range.span(held)
        if isinstance(self.range, RankRange):
            if self.reverse:
                size = len(held)
                start, end = size - end, size - start
        elif self.offset or self.limit >= 0:
            if self.offset < 0:
                return []
            if self.reverse:
                end -= self.offset
                start = start if self.limit < 0 else max(start, end - self.limit)
            else:
                start += self.offset
                end = end if self.limit < 0 else min(end, start + self.limit)
        if start >= end:
            return []
        found = held.entries(start, end)
        if self.reverse:
            found.reverse()
        return found


def read_wanted(words: list[bytes], at: int, kind: str | None, reverse: bool | None, *, store: bool = False) -> Wanted:
    """The request whose first bound is word ``at``. ``kind`` and ``reverse`` are None where options say them."""
    with_scores = False
    offset, limit = 0, -1
    place, end = at + 2, len(words)
    while place < end:
        token = words[place].upper()
        if token == b"WITHSCORES" and not store:
            with_scores = True
        elif token == b"LIMIT" and place + 2 < end:
            offset, limit = parse_int(words[place + 1]), parse_int(words[place + 2])
            place += 2
        elif token == b"REV" and reverse is None:
            reverse = True
        elif token == b"BYLEX" and kind is None:
            kind = "lex"
        elif token == b"BYSCORE" and kind is None:
            kind = "score"
        else:
            raise SyntaxFault
        place += 1
    kind = kind or "rank"
    if limit != -1 and kind == "rank":
        raise ReplyError("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
    if with_scores and kind == "lex":
        raise ReplyError("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
    low, high = words[at], words[at + 1]
    if reverse and kind != "rank":
        low, high = high, low
    return Wanted(_MAKE[kind](low, high), bool(reverse), with_scores, offset, limit)


def _read(ctx: Context, words: list[bytes], kind: str | None, reverse: bool | None) -> Any:
    wanted = read_wanted(words, 2, kind, reverse)
    held = ctx.read(words[1], ZSetValue)
    if held is None:
        return []
    entries = wanted.entries(held)
    if wanted.with_scores:
        return Pairs([(member, score) for score, member in entries])
    return [member for _, member in entries]


def _superseded(by: str) -> dict[str, Any]:
    return {"doc_flags": Doc.DEPRECATED, "replaced_by": f"`ZRANGE` with the {by}", "deprecated_since": "6.2.0"}


@command(
    "ZRANGE",
    key("key", READ),
    value("start"),
    value("stop"),
    _BY,
    _REV,
    _LIMIT,
    _WITHSCORES,
    since="1.2.0",
    history={"6.2.0": "Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options."},
    **_READS,
)
def zrange(ctx: Context, words: list[bytes]) -> Any:
    """Returns a range of members: by rank, by score or by member."""
    return _read(ctx, words, None, None)


@command(
    "ZREVRANGE",
    key("key", READ),
    integer("start"),
    integer("stop"),
    _WITHSCORES,
    since="1.2.0",
    **_superseded("`REV` argument"),
    **_READS,
)
def zrevrange(ctx: Context, words: list[bytes]) -> Any:
    """Returns a range of members by rank, the highest score first."""
    return _read(ctx, words, "rank", True)


@command(
    "ZRANGEBYSCORE",
    key("key", READ),
    double("min"),
    double("max"),
    _WITHSCORES,
    _LIMIT,
    since="1.0.5",
    history={"2.0.0": "Added the `WITHSCORES` option."},
    **_superseded("`BYSCORE` argument"),
    **_READS,
)
def zrangebyscore(ctx: Context, words: list[bytes]) -> Any:
    """Returns the members with scores in a range."""
    return _read(ctx, words, "score", False)


@command(
    "ZREVRANGEBYSCORE",
    key("key", READ),
    double("max"),
    double("min"),
    _WITHSCORES,
    _LIMIT,
    since="2.2.0",
    history={"2.1.6": "The scores may be left open."},
    **_superseded("`REV` and `BYSCORE` arguments"),
    **_READS,
)
def zrevrangebyscore(ctx: Context, words: list[bytes]) -> Any:
    """Returns the members with scores in a range, the highest score first."""
    return _read(ctx, words, "score", True)


@command(
    "ZRANGEBYLEX",
    key("key", READ),
    value("min"),
    value("max"),
    _LIMIT,
    since="2.8.9",
    **_superseded("`BYLEX` argument"),
    **_READS,
)
def zrangebylex(ctx: Context, words: list[bytes]) -> Any:
    """Returns the members in a range of members, which have equal scores."""
    return _read(ctx, words, "lex", False)


@command(
    "ZREVRANGEBYLEX",
    key("key", READ),
    value("max"),
    value("min"),
    _LIMIT,
    since="2.8.9",
    **_superseded("`REV` and `BYLEX` arguments"),
    **_READS,
)
def zrevrangebylex(ctx: Context, words: list[bytes]) -> Any:
    """Returns the members in a range of members, which have equal scores, the last first."""
    return _read(ctx, words, "lex", True)


def store_scores(ctx: Context, name: bytes, scores: dict[bytes, float], event: str) -> int:
    """Put a new sorted set in place of whatever is there, or delete that if there are no members; how many."""
    if scores:
        ctx.supersede(name, ZSetValue.of(scores, ctx.host.config), event)
    else:
        ctx.drop(name)
    return len(scores)


@command(
    "ZRANGESTORE",
    key("dst", KeyUse.OW | KeyUse.UPDATE),
    key("src", READ),
    value("min"),
    value("max"),
    _BY,
    _REV,
    _LIMIT,
    flags=Flags.WRITE | Flags.DENYOOM,
    group="sorted-set",
    since="6.2.0",
    complexity="O(log(N)+M) for N members of which M are stored",
    raw=True,
)
def zrangestore(ctx: Context, words: list[bytes]) -> int:
    """Stores a range of members under another key."""
    wanted = read_wanted(words, 3, None, None, store=True)
    held = ctx.read(words[2], ZSetValue)
    entries = [] if held is None else wanted.entries(held)
    config = ctx.host.config
    if not 0 < len(entries) <= config.zset_max_listpack_entries:
        return store_scores(ctx, words[1], {member: score for score, member in entries}, "zrangestore")
    stored = ZSetValue()
    for score, member in entries:  # in this order, for it shows in the encoding of zeros
        stored.add(member, score, config)
    ctx.supersede(words[1], stored, "zrangestore")
    return len(entries)


# ---- counting and removing


def _count(ctx: Context, words: list[bytes], kind: str) -> int:
    bounds = _MAKE[kind](words[2], words[3])
    held = ctx.read(words[1], ZSetValue)
    if held is None:
        return 0
    start, end = bounds.span(held)
    return max(0, end - start)


@command(
    "ZCOUNT",
    key("key", READ),
    double("min"),
    double("max"),
    flags=Flags.READONLY | Flags.FAST,
    group="sorted-set",
    since="2.0.0",
    complexity="O(log(N)) for N members",
    raw=True,
)
def zcount(ctx: Context, words: list[bytes]) -> int:
    """Returns how many members have scores in a range."""
    return _count(ctx, words, "score")


@command(
    "ZLEXCOUNT",
    key("key", READ),
    value("min"),
    value("max"),
    flags=Flags.READONLY | Flags.FAST,
    group="sorted-set",
    since="2.8.9",
    complexity="O(log(N)) for N members",
    raw=True,
)
def zlexcount(ctx: Context, words: list[bytes]) -> int:
    """Returns how many members are in a range of members, which have equal scores."""
    return _count(ctx, words, "lex")


def _remove(ctx: Context, words: list[bytes], kind: str) -> int:
    bounds = _MAKE[kind](words[2], words[3])
    held = ctx.find(words[1], ZSetValue)
    if held is None:
        return 0
    start, end = bounds.span(held)
    if start >= end:
        return 0
    gone = len(held.cut(start, end))
    removed(ctx, words[1], held, ctx.command.name, gone)
    return gone


_REMOVAL: Final[dict[str, Any]] = {
    "flags": Flags.WRITE,
    "group": "sorted-set",
    "complexity": "O(log(N)+M) for N members of which M go",
    "raw": True,
}


@command(
    "ZREMRANGEBYRANK",
    key("key", REMOVE),
    integer("start"),
    integer("stop"),
    since="2.0.0",
    **_REMOVAL,
)
def zremrangebyrank(ctx: Context, words: list[bytes]) -> int:
    """Removes a range of members by rank; returns how many there were."""
    return _remove(ctx, words, "rank")


@command(
    "ZREMRANGEBYSCORE",
    key("key", REMOVE),
    double("min"),
    double("max"),
    since="1.2.0",
    **_REMOVAL,
)
def zremrangebyscore(ctx: Context, words: list[bytes]) -> int:
    """Removes the members with scores in a range; returns how many there were."""
    return _remove(ctx, words, "score")


@command(
    "ZREMRANGEBYLEX",
    key("key", REMOVE),
    value("min"),
    value("max"),
    since="2.8.9",
    **_REMOVAL,
)
def zremrangebylex(ctx: Context, words: list[bytes]) -> int:
    """Removes the members in a range of members, which have equal scores; returns how many there were."""
    return _remove(ctx, words, "lex")
