"""Sorted set commands on single members. Ranges, pops and unions have files of their own."""

from __future__ import annotations

from typing import Any, Final

from ..errors import OutOfRange, ReplyError, SyntaxFault
from ..resp.numbers import INT64_MAX, format_double, parse_float, parse_int
from ..resp.replies import NO_REPLY, NullArray, Pairs
from ..values.zsets import ZSetValue
from .context import Context
from .digest import ZERO, digests, mix, xor
from .element_scan import scan_options
from .flags import CHANGE, READ, Flags, KeyUse
from .grammar import block, double, flag, integer, key, maybe, one_of, pattern, value
from .scan import parse_cursor
from .spec import command

REMOVE: Final = KeyUse.RW | KeyUse.DELETE
_LOG: Final = "O(log(N)) for N members"

_NX, _XX, _GT, _LT, _CH, _INCR = 1, 2, 4, 8, 16, 32
_OPTIONS: Final = {b"NX": _NX, b"XX": _XX, b"GT": _GT, b"LT": _LT, b"CH": _CH, b"INCR": _INCR}


def removed(ctx: Context, name: bytes, held: ZSetValue, event: str, count: int) -> None:
    """Touch a sorted set that members were taken from; an empty one is deleted."""
    ctx.touch(name, event, count)
    if not len(held):
        ctx.db.remove(name)
        ctx.touch(name, "del", 0)


@digests(ZSetValue, 3)
def _digest(digest: bytes, held: ZSetValue) -> bytes:
    for member, score in held.digest_items():
        digest = xor(digest, mix(mix(ZERO, member), b"%.17g" % score))
    return digest


# ---- adding


@command(
    "ZADD",
    key("key", KeyUse.RW | KeyUse.UPDATE),
    maybe(one_of("condition", flag("NX"), flag("XX"))),
    maybe(one_of("comparison", flag("GT"), flag("LT"))),
    maybe(flag("CH", "change")),
    maybe(flag("INCR", "increment")),
    block("data", double("score"), value("member"), many=True),
    flags=Flags.WRITE | Flags.DENYOOM | Flags.FAST,
    group="sorted-set",
    since="1.2.0",
    complexity="O(log(N)) for each member, N being how many there are",
    history={
        "2.4.0": "Takes several members.",
        "3.0.2": "Added the `XX`, `NX`, `CH` and `INCR` options.",
        "6.2.0": "Added the `GT` and `LT` options.",
    },
    raw=True,  # the options end where the first score begins
)
def zadd(ctx: Context, words: list[bytes]) -> Any:
    """Adds members to a sorted set or gives them new scores. Makes the set if there is none."""
    options = 0
    at, end = 2, len(words)
    while at < end:
        option = _OPTIONS.get(words[at].upper())
        if option is None:
            break
        options |= option
        at += 1
    if at == end or (end - at) % 2:
        raise SyntaxFault
    if options & _NX and options & _XX:
        raise ReplyError("ERR XX and NX options at the same time are not compatible")
    if (options & (_NX | _GT | _LT)).bit_count() > 1:
        raise ReplyError("ERR GT, LT, and/or NX options at the same time are not compatible")
    if options & _INCR and end - at > 2:
        raise ReplyError("ERR INCR option supports a single increment-element pair")
    scores = list(map(parse_float, words[at::2]))
    if options & _INCR:
        return _increment(ctx, words[1], scores[0], words[at + 1], options)
    return _add(ctx, words[1], scores, words[at + 1 :: 2], options)


def _add(ctx: Context, name: bytes, scores: list[float], members: list[bytes], options: int) -> int:
    config = ctx.host.config
    if options & _XX:
        found = ctx.find(name, ZSetValue)
        if found is None:
            return 0
        held = found
    else:
        held = ctx.write(name, ZSetValue, ZSetValue)
    held.expect(len(members), len(members[0]), config)
    added = updated = 0
    for member, score in zip(members, scores, strict=True):
        old = held.score(member)
        if old is None:
            if not options & _XX:
                held.add(member, score, config)
                added += 1
        elif old != score and not _kept(options, old, score):
            held.add(member, score, config)
            updated += 1
    if added or updated:
        if added == len(held) > 1:
            held.rest()  # packed at once, what is made leaves no memory behind that is full of holes
        ctx.touch(name, "zadd", added + updated)
    return added + updated if options & _CH else added


def _kept(options: int, old: float, score: float) -> bool:
    """Whether the conditions keep the old score."""
    return bool(options) and bool(options & _NX or (options & _GT and score <= old) or (options & _LT and score >= old))


def _increment(ctx: Context, name: bytes, by: float, member: bytes, options: int) -> float | None:
    """Add to a member's score; the new score, or None where a condition forbids it."""
    held = ctx.find(name, ZSetValue)
    old = None if held is None else held.score(member)
    score = by
    if old is None:
        if options & _XX:
            return None
    else:
        if options & _NX:
            return None
        score = old + by
        if score != score:
            raise ReplyError("ERR resulting score is not a number (NaN)")
        if _kept(options, old, score):
            return None
    if held is None:
        held = ctx.write(name, ZSetValue, ZSetValue)
    held.expect(1, len(member), ctx.host.config)
    if old != score:
        held.add(member, score, ctx.host.config)
        ctx.touch(name, "zincr")
    return score


@command(
    "ZINCRBY",
    key("key", CHANGE),
    double("increment"),
    value("member"),
    flags=Flags.WRITE | Flags.DENYOOM | Flags.FAST,
    group="sorted-set",
    since="1.2.0",
    complexity=_LOG,
)
def zincrby(ctx: Context, name: bytes, by: float, member: bytes) -> float | None:
    """Adds to the score of a member and returns the new score."""
    return _increment(ctx, name, by, member, 0)


@command(
    "ZREM",
    key("key", REMOVE),
    value("member", many=True),
    flags=Flags.WRITE | Flags.FAST,
    group="sorted-set",
    since="1.2.0",
    complexity="O(M*log(N)) for M of N members",
    history={"2.4.0": "Takes several members."},
)
def zrem(ctx: Context, name: bytes, *members: bytes) -> int:
    """Removes members; returns how many there were."""
    held = ctx.find(name, ZSetValue)
    if held is None:
        return 0
    gone = sum(map(held.remove, members))
    if gone:
        removed(ctx, name, held, "zrem", gone)
    return gone


# ---- looking


@command("ZCARD", key("key", KeyUse.RO), flags=Flags.READONLY | Flags.FAST, group="sorted-set", since="1.2.0")
def zcard(ctx: Context, name: bytes) -> int:
    """Returns how many members a sorted set has."""
    held = ctx.read(name, ZSetValue)
    return 0 if held is None else len(held)


@command(
    "ZSCORE",
    key("key", READ),
    value("member"),
    flags=Flags.READONLY | Flags.FAST,
    group="sorted-set",
    since="1.2.0",
)
def zscore(ctx: Context, name: bytes, member: bytes) -> float | None:
    """Returns the score of a member."""
    held = ctx.read(name, ZSetValue)
    return None if held is None else held.score(member)


@command(
    "ZMSCORE",
    key("key", READ),
    value("member", many=True),
    flags=Flags.READONLY | Flags.FAST,
    group="sorted-set",
    since="6.2.0",
    complexity="O(N) for N members asked for",
)
def zmscore(ctx: Context, name: bytes, *members: bytes) -> list[float | None]:
    """Returns the scores of several members."""
    held = ctx.read(name, ZSetValue)
    return [None] * len(members) if held is None else list(map(held.score, members))


def _rank(ctx: Context, words: list[bytes], *, reverse: bool) -> Any:
    with_score = len(words) == 4
    if len(words) > 4:
        raise ReplyError(f"ERR wrong number of arguments for '{ctx.command.name}' command")
    if with_score and words[3].upper() != b"WITHSCORE":
        raise SyntaxFault
    held = ctx.read(words[1], ZSetValue)
    rank = None if held is None else held.rank(words[2])
    if held is None or rank is None:
        return NullArray if with_score else None
    if reverse:
        rank = len(held) - 1 - rank
    return [rank, held.score(words[2])] if with_score else rank


_WITHSCORE: Final = {"7.2.0": "Added the optional `WITHSCORE` argument."}


@command(
    "ZRANK",
    key("key", READ),
    value("member"),
    maybe(flag("WITHSCORE")),
    flags=Flags.READONLY | Flags.FAST,
    group="sorted-set",
    since="2.0.0",
    complexity=_LOG,
    history=_WITHSCORE,
    raw=True,  # too many words are told as a wrong number of arguments
)
def zrank(ctx: Context, words: list[bytes]) -> Any:
    """Returns how many members have a lower score."""
    return _rank(ctx, words, reverse=False)


@command(
    "ZREVRANK",
    key("key", READ),
    value("member"),
    maybe(flag("WITHSCORE")),
    flags=Flags.READONLY | Flags.FAST,
    group="sorted-set",
    since="2.0.0",
    complexity=_LOG,
    history=_WITHSCORE,
    raw=True,  # too many words are told as a wrong number of arguments
)
def zrevrank(ctx: Context, words: list[bytes]) -> Any:
    """Returns how many members have a higher score."""
    return _rank(ctx, words, reverse=True)


@command(
    "ZRANDMEMBER",
    key("key", READ),
    maybe(block("options", integer("count"), maybe(flag("WITHSCORES")))),
    flags=Flags.READONLY,
    group="sorted-set",
    since="6.2.0",
    complexity="O(N) for N members returned",
    tips=("nondeterministic_output",),
    raw=True,  # the count has error texts of its own
)
def zrandmember(ctx: Context, words: list[bytes]) -> Any:
    """Returns random members: different ones, or with a negative count perhaps the same."""
    if len(words) == 2:
        one = ctx.read(words[1], ZSetValue)
        return None if one is None else one.choose(ctx.host.rng)[1]
    count = parse_int(words[2])
    if count < -INT64_MAX:
        raise OutOfRange(f"ERR value is out of range, value must between {-INT64_MAX} and {INT64_MAX}")
    with_scores = len(words) > 3
    if len(words) > 4 or (with_scores and words[3].upper() != b"WITHSCORES"):
        raise SyntaxFault
    if with_scores and abs(count) > INT64_MAX // 2:
        raise OutOfRange
    held = ctx.read(words[1], ZSetValue)
    if held is None or not count:
        return []
    rng = ctx.host.rng
    if count < 0 and not ctx.admits(-count):
        return NO_REPLY
    if count < 0:
        entries = [held.choose(rng) for _ in range(-count)]
    elif count >= len(held):
        entries = held.entries(0, len(held))[::-1]  # all of them come in Redis's order
    else:
        order = held.order
        entries = [order[place] for place in rng.sample(range(len(held)), count)]
    if with_scores:
        return Pairs([(member, score) for score, member in entries])
    return [member for _, member in entries]


@command(
    "ZSCAN",
    key("key", READ),
    value("cursor"),
    maybe(pattern("pattern", token="MATCH")),
    maybe(integer("count", token="COUNT")),
    flags=Flags.READONLY,
    group="sorted-set",
    since="2.8.0",
    complexity="O(1) for every call, O(N) for a whole walk over N members",
    tips=("nondeterministic_output",),
    raw=True,  # the cursor is judged first, and the options only if there is a key
)
def zscan(ctx: Context, words: list[bytes]) -> list[Any]:
    """Walks over the members of a sorted set and their scores, some at a time."""
    cursor = parse_cursor(words[2])
    held = ctx.read(words[1], ZSetValue)
    if held is None:
        return [b"0", []]
    options = scan_options(words)
    matches = options.matches
    after, met = held.step(cursor, options.count)
    page: list[bytes] = []
    for member, score in met.items():
        if matches is None or matches(member):
            page += (member, format_double(score))
    return [b"%d" % after, page]
