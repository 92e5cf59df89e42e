"""Strings that count: INCR and its kin."""

from __future__ import annotations

from ..errors import ReplyError
from ..resp.longdouble import incr_by_float
from ..resp.numbers import INT64_MAX, INT64_MIN
from ..values.strings import string_bytes, string_integer
from .context import Context
from .flags import CHANGE, Flags
from .grammar import double, integer, key
from .spec import command

_COUNTS = Flags.WRITE | Flags.DENYOOM | Flags.FAST


def _count(ctx: Context, name: bytes, by: int) -> int:
    held = ctx.find_string(name)
    total = by if held is None else string_integer(held) + by
    if not INT64_MIN <= total <= INT64_MAX:
        raise ReplyError("ERR increment or decrement would overflow")
    if held is None:
        ctx.create(name, total)
    else:
        ctx.db.put(name, total)
    ctx.touch(name, "incrby")
    return total


@command("INCR", key("key", CHANGE), flags=_COUNTS, group="string", since="1.0.0")
def incr(ctx: Context, name: bytes) -> int:
    """Adds one to the integer at a key, 0 without a key."""
    return _count(ctx, name, 1)


@command("DECR", key("key", CHANGE), flags=_COUNTS, group="string", since="1.0.0")
def decr(ctx: Context, name: bytes) -> int:
    """Takes one from the integer at a key, 0 without a key."""
    return _count(ctx, name, -1)


@command("INCRBY", key("key", CHANGE), integer("increment"), flags=_COUNTS, group="string", since="1.0.0")
def incrby(ctx: Context, name: bytes, by: int) -> int:
    """Adds an integer to the one at a key, 0 without a key."""
    return _count(ctx, name, by)


@command("DECRBY", key("key", CHANGE), integer("decrement"), flags=_COUNTS, group="string", since="1.0.0")
def decrby(ctx: Context, name: bytes, by: int) -> int:
    """Takes an integer from the one at a key, 0 without a key."""
    if by == INT64_MIN:
        raise ReplyError("ERR decrement would overflow")  # its negative is no 64-bit integer
    return _count(ctx, name, -by)


@command(
    "INCRBYFLOAT",
    key("key", CHANGE),
    double("increment"),
    flags=_COUNTS,
    group="string",
    since="2.6.0",
    raw=True,  # the increment is an 80-bit number, and judged after the key's type
)
def incrbyfloat(ctx: Context, words: list[bytes]) -> bytes:
    """Adds a floating point number to the one at a key, 0 without a key."""
    _, name, by = words
    held = ctx.find_string(name)
    total = incr_by_float(b"0" if held is None else string_bytes(held), by)
    if held is None:
        ctx.create(name, total)
    else:
        ctx.db.put(name, total)
    ctx.touch(name, "incrbyfloat")
    # What the sum is depends on the arithmetic, so the result is what travels.
    ctx.replicate(b"SET", name, total, b"KEEPTTL")
    return total
