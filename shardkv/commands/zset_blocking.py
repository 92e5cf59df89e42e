"""Sorted set commands that wait until there is something to take."""

from __future__ import annotations

from typing import Any, Final

from ..values.zsets import ZSetValue
from .context import Context
from .flags import Flags
from .grammar import double, integer, key
from .list_moves import COUNT, pop_request
from .lists import TAKE
from .spec import command
from .waiting import deadline_of, now_or_later
from .zset_pops import end_of_set, pop_first, take

_TIMEOUT: Final = double("timeout")
_DOUBLE: Final = {"6.0.0": "The timeout may have a fraction."}
_WAITS: Final = Flags.WRITE | Flags.BLOCKING


def _pop(ctx: Context, words: list[bytes], *, lowest: bool) -> Any:
    deadline = deadline_of(ctx, words[-1])
    names = words[1:-1]

    def attempt(ctx: Context) -> list[Any] | None:
        for name in names:
            held = ctx.find(name, ZSetValue)
            if held is not None:
                score, member = take(ctx, name, held, 1, lowest=lowest)[0]
                ctx.replicate(b"ZPOPMIN" if lowest else b"ZPOPMAX", name)
                return [name, member, score]
        return None

    return now_or_later(ctx, names, ZSetValue, deadline, attempt)


@command(
    "BZPOPMIN",
    key("key", TAKE, many=True),
    _TIMEOUT,
    flags=_WAITS | Flags.NOSCRIPT | Flags.FAST,
    group="sorted-set",
    since="5.0.0",
    complexity="O(log(N)) for N members",
    history=_DOUBLE,
    raw=True,  # the timeout has error texts of its own
)
def bzpopmin(ctx: Context, words: list[bytes]) -> Any:
    """Takes the member with the lowest score from the first sorted set that has any, and waits for one if need be."""
    return _pop(ctx, words, lowest=True)


@command(
    "BZPOPMAX",
    key("key", TAKE, many=True),
    _TIMEOUT,
    flags=_WAITS | Flags.NOSCRIPT | Flags.FAST,
    group="sorted-set",
    since="5.0.0",
    complexity="O(log(N)) for N members",
    history=_DOUBLE,
    raw=True,  # the timeout has error texts of its own
)
def bzpopmax(ctx: Context, words: list[bytes]) -> Any:
    """Takes the member with the highest score from the first sorted set that has any, and waits for one if need be."""
    return _pop(ctx, words, lowest=False)


@command(
    "BZMPOP",
    _TIMEOUT,
    integer("numkeys"),
    key("key", TAKE, many=True),
    end_of_set(),
    COUNT,
    flags=_WAITS,
    group="sorted-set",
    since="7.0.0",
    complexity="O(K)+O(M*log(N)) for K keys and M of N members",
    raw=True,  # the timeout has error texts of its own
)
def bzmpop(ctx: Context, words: list[bytes]) -> Any:
    """Takes members from the first sorted set that exists, and waits for one if need be."""
    names, lowest, count = pop_request(words, 2, b"MIN", b"MAX")
    deadline = deadline_of(ctx, words[1])
    return now_or_later(ctx, names, ZSetValue, deadline, lambda ctx: pop_first(ctx, names, count, lowest=lowest))
