"""Sorted set commands that take members from an end."""

from __future__ import annotations

from typing import Any

from ..errors import SyntaxFault
from ..resp.replies import NullArray, Pairs
from ..values.zsets import Entry, ZSetValue
from .context import Context
from .flags import Flags
from .grammar import Arg, flag, integer, key, maybe, one_of
from .list_moves import COUNT, pop_request
from .lists import TAKE, count_of
from .spec import command
from .zsets import removed


def end_of_set() -> Arg:
    """The argument that names an end of a sorted set."""
    return one_of("where", flag("MIN"), flag("MAX"))


def take(ctx: Context, name: bytes, held: ZSetValue, count: int, *, lowest: bool) -> list[Entry]:
    """Take up to ``count`` members from an end, the outermost first, and touch the key."""
    size = len(held)
    count = min(count, size)
    if lowest:
        entries = held.cut(0, count)
    else:
        entries = held.cut(size - count, size)
        entries.reverse()
    removed(ctx, name, held, "zpopmin" if lowest else "zpopmax", count)
    return entries


def _pop(ctx: Context, words: list[bytes], *, lowest: bool) -> Any:
    if len(words) > 3:
        raise SyntaxFault
    count = count_of(words[2]) if len(words) == 3 else None
    held = ctx.find(words[1], ZSetValue)
    if held is None or count == 0:
        return []
    entries = take(ctx, words[1], held, 1 if count is None else count, lowest=lowest)
    if count is None:
        score, member = entries[0]
        return [member, score]
    return Pairs([(member, score) for score, member in entries])


@command(
    "ZPOPMIN",
    key("key", TAKE),
    maybe(integer("count")),
    flags=Flags.WRITE | Flags.FAST,
    group="sorted-set",
    since="5.0.0",
    complexity="O(log(N)*M) for M of N members",
    raw=True,  # the count has an error text of its own
)
def zpopmin(ctx: Context, words: list[bytes]) -> Any:
    """Takes the members with the lowest scores. An empty sorted set is deleted."""
    return _pop(ctx, words, lowest=True)


@command(
    "ZPOPMAX",
    key("key", TAKE),
    maybe(integer("count")),
    flags=Flags.WRITE | Flags.FAST,
    group="sorted-set",
    since="5.0.0",
    complexity="O(log(N)*M) for M of N members",
    raw=True,  # the count has an error text of its own
)
def zpopmax(ctx: Context, words: list[bytes]) -> Any:
    """Takes the members with the highest scores. An empty sorted set is deleted."""
    return _pop(ctx, words, lowest=False)


def pop_first(ctx: Context, names: list[bytes], count: int, *, lowest: bool) -> list[Any] | None:
    """Take from the first sorted set that exists; its key and pairs of member and score, or None if none does."""
    for name in names:
        held = ctx.find(name, ZSetValue)
        if held is not None:
            entries = take(ctx, name, held, count, lowest=lowest)
            ctx.replicate(b"ZPOPMIN" if lowest else b"ZPOPMAX", name, b"%d" % len(entries))
            return [name, [[member, score] for score, member in entries]]
    return None


@command(
    "ZMPOP",
    integer("numkeys"),
    key("key", TAKE, many=True),
    end_of_set(),
    COUNT,
    flags=Flags.WRITE,
    group="sorted-set",
    since="7.0.0",
    complexity="O(K)+O(M*log(N)) for K keys and M of N members",
    raw=True,
)
def zmpop(ctx: Context, words: list[bytes]) -> Any:
    """Takes members from the first sorted set that exists."""
    names, lowest, count = pop_request(words, 1, b"MIN", b"MAX")
    found = pop_first(ctx, names, count, lowest=lowest)
    return NullArray if found is None else found
