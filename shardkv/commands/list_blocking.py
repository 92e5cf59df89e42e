"""List commands that wait until there is something to take."""

from __future__ import annotations

from typing import Any, Final

from ..values.lists import ListValue
from .context import Context
from .flags import Doc, Flags
from .grammar import double, integer, key
from .list_moves import COUNT, DESTINATION, SOURCE, is_left, move, pop_first, pop_request, side
from .lists import TAKE, fill_of, taken
from .spec import command
from .waiting import deadline_of, now_or_later

_TIMEOUT: Final = double("timeout")
_DOUBLE: Final = {"6.0.0": "The timeout may have a fraction."}
_WAITS: Final = Flags.WRITE | Flags.BLOCKING


def _pop(ctx: Context, words: list[bytes], *, left: bool) -> Any:
    deadline = deadline_of(ctx, words[-1])
    names = words[1:-1]

    def attempt(ctx: Context) -> list[bytes] | None:
        for name in names:
            held = ctx.find(name, ListValue)
            if held is not None:
                element = held.pop_left(fill_of(ctx)) if left else held.pop_right(fill_of(ctx))
                taken(ctx, name, held, "lpop" if left else "rpop")
                ctx.replicate(b"LPOP" if left else b"RPOP", name)
                return [name, element]
        return None

    return now_or_later(ctx, names, ListValue, deadline, attempt)


@command(
    "BLPOP",
    key("key", TAKE, many=True),
    _TIMEOUT,
    flags=_WAITS | Flags.NOSCRIPT,
    group="list",
    since="2.0.0",
    complexity="O(N) for N keys",
    history=_DOUBLE,
    raw=True,  # the timeout has error texts of its own
)
def blpop(ctx: Context, words: list[bytes]) -> Any:
    """Takes the first element of the first list that has one, and waits for it if need be."""
    return _pop(ctx, words, left=True)


@command(
    "BRPOP",
    key("key", TAKE, many=True),
    _TIMEOUT,
    flags=_WAITS | Flags.NOSCRIPT,
    group="list",
    since="2.0.0",
    complexity="O(N) for N keys",
    history=_DOUBLE,
    raw=True,  # the timeout has error texts of its own
)
def brpop(ctx: Context, words: list[bytes]) -> Any:
    """Takes the last element of the first list that has one, and waits for it if need be."""
    return _pop(ctx, words, left=False)


def _move(ctx: Context, words: list[bytes], said: tuple[bytes, ...], *, from_left: bool, to_left: bool) -> Any:
    deadline = deadline_of(ctx, words[-1])
    _, source, destination, *_ = words

    def attempt(ctx: Context) -> bytes | None:
        element = move(ctx, source, destination, from_left=from_left, to_left=to_left)
        if element is not None:
            ctx.replicate(*said)
        return element

    if ctx.inside:
        # Where nothing may block the answer is a plain null; when time is up it is a null array.
        return attempt(ctx)
    return now_or_later(ctx, (source,), ListValue, deadline, attempt)


@command(
    "BLMOVE",
    SOURCE,
    DESTINATION,
    side("wherefrom"),
    side("whereto"),
    _TIMEOUT,
    flags=_WAITS | Flags.DENYOOM | Flags.NOSCRIPT,
    group="list",
    since="6.2.0",
    raw=True,  # the timeout has error texts of its own
)
def blmove(ctx: Context, words: list[bytes]) -> Any:
    """Moves an element from one list to another and returns it, and waits for it if need be."""
    from_left, to_left = is_left(words[3]), is_left(words[4])
    return _move(ctx, words, (b"LMOVE", *words[1:5]), from_left=from_left, to_left=to_left)


@command(
    "BRPOPLPUSH",
    SOURCE,
    DESTINATION,
    _TIMEOUT,
    flags=_WAITS | Flags.DENYOOM | Flags.NOSCRIPT,
    group="list",
    since="2.2.0",
    history=_DOUBLE,
    doc_flags=Doc.DEPRECATED,
    replaced_by="`BLMOVE` with the `RIGHT` and `LEFT` arguments",
    deprecated_since="6.2.0",
    raw=True,  # the timeout has error texts of its own
)
def brpoplpush(ctx: Context, words: list[bytes]) -> Any:
    """Takes the last element of a list and puts it before the first of another, and waits for it if need be."""
    return _move(ctx, words, (b"RPOPLPUSH", *words[1:3]), from_left=False, to_left=True)


@command(
    "BLMPOP",
    _TIMEOUT,
    integer("numkeys"),
    key("key", TAKE, many=True),
    side("where"),
    COUNT,
    flags=_WAITS,
    group="list",
    since="7.0.0",
    complexity="O(N+M) for N keys and M elements taken",
    raw=True,  # the timeout has error texts of its own
)
def blmpop(ctx: Context, words: list[bytes]) -> Any:
    """Takes elements from the first list that exists, and waits for one if need be."""
    names, left, count = pop_request(words, 2, b"LEFT", b"RIGHT")
    deadline = deadline_of(ctx, words[1])
    return now_or_later(ctx, names, ListValue, deadline, lambda ctx: pop_first(ctx, names, count, left=left))
