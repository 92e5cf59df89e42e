"""Unions, intersections and differences of sorted sets, and of plain sets, whose members have a score of 1."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ..errors import ReplyError, SyntaxFault, WrongType
from ..resp.numbers import parse_int
from ..resp.replies import Pairs
from ..values.sets import SetValue
from ..values.zsets import ZSetValue
from .context import Context
from .flags import READ, Flags, KeyUse
from .grammar import flag, integer, key, maybe, one_of
from .spec import command
from .zset_bounds import weight_of
from .zset_ranges import store_scores

Combine: TypeAlias = Callable[[float, float], float]


def _sum(one: float, other: float) -> float:
    total = one + other
    return total if total == total else 0.0  # the sum of both infinities


_AGGREGATES: Final[dict[bytes, Combine]] = {b"SUM": _sum, b"MIN": min, b"MAX": max}

_KEYS: Final = (integer("numkeys"), key("key", READ, many=True))
_DESTINATION: Final = key("destination", KeyUse.OW | KeyUse.UPDATE)
_WEIGHTS: Final = maybe(integer("weight", many=True, token="WEIGHTS"))
_AGGREGATE: Final = maybe(one_of("aggregate", flag("SUM"), flag("MIN"), flag("MAX"), token="AGGREGATE"))
_WITHSCORES: Final = maybe(flag("WITHSCORES"))


@dataclass(slots=True)
class Source:
    """One of the sets, by its key; None where there is no key."""

    held: ZSetValue | SetValue | None
    weight: float = 1.0

    def __len__(self) -> int:
        return 0 if self.held is None else len(self.held)

    def scored(self) -> Iterable[tuple[bytes, float]]:
        """Members with their weighted scores."""
        held, weight = self.held, self.weight
        if held is None:
            return ()
        if isinstance(held, SetValue):
            return [(member, weight) for member in held]
        if weight == 1.0:
            return held.items()
        return [(member, _weighed(score, weight)) for member, score in held.items()]

    def score(self, member: bytes) -> float | None:
        """The weighted score of a member, or None; infinity times 0 is left to the aggregate, as in Redis."""
        held = self.held
        if held is None:
            return None
        if isinstance(held, SetValue):
            return self.weight if member in held else None
        score = held.score(member)
        return None if score is None else score * self.weight


def _weighed(score: float, weight: float) -> float:
    product = score * weight
    return product if product == product else 0.0  # infinity times 0


@dataclass(slots=True)
class Request:
    """What was asked for, parsed."""

    sources: list[Source]
    combine: Combine = _sum
    with_scores: bool = False
    limit: int = 0


def _read(ctx: Context, words: list[bytes], at: int, *, weights: bool, scores: bool, limit: bool = False) -> Request:
    """Parse ``numkeys key [key ...] options`` from word ``at``; the flags say which options there are.

    Raises ReplyError.
    """
    count = parse_int(words[at])
    if count < 1:
        raise ReplyError(f"ERR at least 1 input key is needed for '{ctx.command.name}' command")
    if count > len(words) - at - 1:
        raise SyntaxFault
    sources = []
    for name in words[at + 1 : at + 1 + count]:
        held = ctx.look(name)
        if held is not None and not isinstance(held, (ZSetValue, SetValue)):
            raise WrongType
        sources.append(Source(held))
    request = Request(sources)
    place, end = at + 1 + count, len(words)
    while place < end:
        token = words[place].upper()
        if weights and token == b"WEIGHTS" and end - place > count:
            for source, word in zip(sources, words[place + 1 : place + 1 + count], strict=True):
                source.weight = weight_of(word)
            place += count
        elif weights and token == b"AGGREGATE" and end - place > 1:
            place += 1
            combine = _AGGREGATES.get(words[place].upper())
            if combine is None:
                raise SyntaxFault
            request.combine = combine
        elif scores and token == b"WITHSCORES":
            request.with_scores = True
        elif limit and token == b"LIMIT" and end - place > 1:
            place += 1
            request.limit = _limit(words[place])
        else:
            raise SyntaxFault
        place += 1
    return request


def _limit(word: bytes) -> int:
    try:
        limit = parse_int(word)
    except ReplyError:
        limit = -1
    if limit < 0:
        raise ReplyError("ERR LIMIT can't be negative")
    return limit


# ---- the three operations


def _union(request: Request) -> dict[bytes, float]:
    combine = request.combine
    found: dict[bytes, float] = {}
    # The smallest comes first, as in Redis: sums of floats depend on the order.
    for source in sorted(request.sources, key=len):
        for member, score in source.scored():
            old = found.get(member)
            found[member] = score if old is None else combine(old, score)
    return found


def _inter(request: Request) -> dict[bytes, float]:
    combine = request.combine
    smallest, *others = sorted(request.sources, key=len)
    found: dict[bytes, float] = {}
    for member, score in smallest.scored():
        for other in others:
            more = other.score(member)
            if more is None:
                break
            score = combine(score, more)
        else:
            found[member] = score
    return found


def _diff(request: Request) -> dict[bytes, float]:
    first, *others = request.sources
    if sum(map(len, others)) < len(first):
        found = dict(first.scored())
        for other in others:
            for member, _ in other.scored():
                found.pop(member, None)
        return found
    return {member: score for member, score in first.scored() if all(other.score(member) is None for other in others)}


def _reply(found: dict[bytes, float], *, with_scores: bool) -> Any:
    order = sorted(zip(found.values(), found, strict=True))
    if with_scores:
        return Pairs([(member, score) for score, member in order])
    return [member for _, member in order]


_READS: Final[dict[str, Any]] = {"flags": Flags.READONLY, "group": "sorted-set", "raw": True}
_STORES: Final[dict[str, Any]] = {"flags": Flags.WRITE | Flags.DENYOOM, "group": "sorted-set", "raw": True}
_UNION_COST: Final = "O(N)+O(M*log(M)) for N members in all and M in the result"
_INTER_COST: Final = "O(N*K)+O(M*log(M)) for K keys, N members in the smallest and M in the result"
_DIFF_COST: Final = "O(N)+O(M*log(M)) for N members in all and M in the result"


@command("ZUNION", *_KEYS, _WEIGHTS, _AGGREGATE, _WITHSCORES, since="6.2.0", complexity=_UNION_COST, **_READS)
def zunion(ctx: Context, words: list[bytes]) -> Any:
    """Returns the union of sorted sets."""
    request = _read(ctx, words, 1, weights=True, scores=True)
    return _reply(_union(request), with_scores=request.with_scores)


@command("ZINTER", *_KEYS, _WEIGHTS, _AGGREGATE, _WITHSCORES, since="6.2.0", complexity=_INTER_COST, **_READS)
def zinter(ctx: Context, words: list[bytes]) -> Any:
    """Returns the intersection of sorted sets."""
    request = _read(ctx, words, 1, weights=True, scores=True)
    return _reply(_inter(request), with_scores=request.with_scores)


@command("ZDIFF", *_KEYS, _WITHSCORES, since="6.2.0", complexity=_DIFF_COST, **_READS)
def zdiff(ctx: Context, words: list[bytes]) -> Any:
    """Returns the members of the first sorted set that are in none of the others."""
    request = _read(ctx, words, 1, weights=False, scores=True)
    return _reply(_diff(request), with_scores=request.with_scores)


@command(
    "ZINTERCARD",
    *_KEYS,
    maybe(integer("limit", token="LIMIT")),
    since="7.0.0",
    complexity="O(N*K) for K keys and N members in the smallest",
    **_READS,
)
def zintercard(ctx: Context, words: list[bytes]) -> int:
    """Returns how many members the intersection of sorted sets has, counting no further than a limit."""
    request = _read(ctx, words, 1, weights=False, scores=False, limit=True)
    smallest, *others = sorted(request.sources, key=len)
    count = 0
    for member, _ in smallest.scored():
        if all(other.score(member) is not None for other in others):
            count += 1
            if count == request.limit:
                break
    return count


@command(
    "ZUNIONSTORE",
    _DESTINATION,
    *_KEYS,
    _WEIGHTS,
    _AGGREGATE,
    since="2.0.0",
    complexity=_UNION_COST,
    **_STORES,
)
def zunionstore(ctx: Context, words: list[bytes]) -> int:
    """Stores the union of sorted sets under a key."""
    request = _read(ctx, words, 2, weights=True, scores=False)
    return store_scores(ctx, words[1], _union(request), "zunionstore")


@command(
    "ZINTERSTORE",
    _DESTINATION,
    *_KEYS,
    _WEIGHTS,
    _AGGREGATE,
    since="2.0.0",
    complexity=_INTER_COST,
    **_STORES,
)
def zinterstore(ctx: Context, words: list[bytes]) -> int:
    """Stores the intersection of sorted sets under a key."""
    request = _read(ctx, words, 2, weights=True, scores=False)
    return store_scores(ctx, words[1], _inter(request), "zinterstore")


@command(
    "ZDIFFSTORE",
    _DESTINATION,
    *_KEYS,
    since="6.2.0",
    complexity=_DIFF_COST,
    **_STORES,
)
def zdiffstore(ctx: Context, words: list[bytes]) -> int:
    """Stores the members of the first sorted set that are in none of the others under a key."""
    request = _read(ctx, words, 2, weights=False, scores=False)
    return store_scores(ctx, words[1], _diff(request), "zdiffstore")
