"""Expiry times: setting, clearing and asking for them."""

from __future__ import annotations

from ..errors import ReplyError
from ..resp.numbers import INT64_MAX, INT64_MIN, parse_int
from .context import Context
from .flags import READ, Flags, KeyUse
from .grammar import flag, integer, key, maybe, one_of, unix_time
from .keys import glance
from .spec import command
from .string_options import invalid_expiry

_KEY = key("key", KeyUse.RW | KeyUse.UPDATE)
_CONDITION = maybe(one_of("condition", flag("NX"), flag("XX"), flag("GT"), flag("LT")))
_HISTORY = {"7.0.0": "Added the `NX`, `XX`, `GT` and `LT` options."}
_WRITES = Flags.WRITE | Flags.FAST
_READS = Flags.READONLY | Flags.FAST


@command(
    "EXPIRE",
    _KEY,
    integer("seconds"),
    _CONDITION,
    flags=_WRITES,
    group="generic",
    since="1.0.0",
    history=_HISTORY,
    raw=True,  # the conditions are judged before the number, and can be combined
)
def expire(ctx: Context, words: list[bytes]) -> int:
    """Lets a key expire after some seconds."""
    return _expire(ctx, words, scale=1000, base=ctx.now)


@command(
    "PEXPIRE",
    _KEY,
    integer("milliseconds"),
    _CONDITION,
    flags=_WRITES,
    group="generic",
    since="2.6.0",
    history=_HISTORY,
    raw=True,  # as EXPIRE
)
def pexpire(ctx: Context, words: list[bytes]) -> int:
    """Lets a key expire after some milliseconds."""
    return _expire(ctx, words, scale=1, base=ctx.now)


@command(
    "EXPIREAT",
    _KEY,
    unix_time("unix-time-seconds"),
    _CONDITION,
    flags=_WRITES,
    group="generic",
    since="1.2.0",
    history=_HISTORY,
    raw=True,  # as EXPIRE
)
def expireat(ctx: Context, words: list[bytes]) -> int:
    """Lets a key expire at a Unix time in seconds."""
    return _expire(ctx, words, scale=1000, base=0)


@command(
    "PEXPIREAT",
    _KEY,
    unix_time("unix-time-milliseconds"),
    _CONDITION,
    flags=_WRITES,
    group="generic",
    since="2.6.0",
    history=_HISTORY,
    raw=True,  # as EXPIRE
)
def pexpireat(ctx: Context, words: list[bytes]) -> int:
    """Lets a key expire at a Unix time in milliseconds."""
    return _expire(ctx, words, scale=1, base=0)


def _expire(ctx: Context, words: list[bytes], *, scale: int, base: int) -> int:
    """Set an expiry of ``scale`` milliseconds a unit, counted from ``base``.

    1 if it was set, or the key was deleted since the time has passed; else 0.
    """
    name = words[1]
    conditions = _conditions(words)
    number = parse_int(words[2]) * scale
    at = number + base
    if not INT64_MIN <= number <= INT64_MAX or at > INT64_MAX:
        raise invalid_expiry(ctx)
    if ctx.peek(name) is None or (conditions and not _hold(conditions, ctx.db.expiry(name), at)):
        return 0
    if ctx.passed(at):
        ctx.delete(name)
        ctx.replicate(b"DEL", name)
    else:
        ctx.expire_at(name, at)
        ctx.touch(name, "expire")
        ctx.replicate(b"PEXPIREAT", name, b"%d" % at, *words[3:])
    return 1


def _conditions(words: list[bytes]) -> frozenset[bytes]:
    if len(words) == 3:
        return frozenset()
    for word in words[3:]:
        if word.upper() not in (b"NX", b"XX", b"GT", b"LT"):
            raise ReplyError(f"ERR Unsupported option {word.decode('utf-8', 'surrogateescape')}")
    given = frozenset(word.upper() for word in words[3:])
    if b"NX" in given and len(given) > 1:
        raise ReplyError("ERR NX and XX, GT or LT options at the same time are not compatible")
    if {b"GT", b"LT"} <= given:
        raise ReplyError("ERR GT and LT options at the same time are not compatible")
    return given


def _hold(conditions: frozenset[bytes], current: int | None, at: int) -> bool:
    """Whether all conditions hold. A key without an expiry counts as one that expires infinitely late."""
    if b"NX" in conditions:
        return current is None
    if b"XX" in conditions and current is None:
        return False
    if b"GT" in conditions:
        return current is not None and at > current
    if b"LT" in conditions:
        return current is None or at < current
    return True


@command("PERSIST", _KEY, flags=_WRITES, group="generic", since="2.2.0")
def persist(ctx: Context, name: bytes) -> int:
    """Clears the expiry of a key."""
    if ctx.peek(name) is None or ctx.db.expiry(name) is None:
        return 0
    ctx.expire_at(name, None)
    ctx.touch(name, "persist")
    return 1


def _expiry(ctx: Context, name: bytes) -> int:
    """Unix milliseconds, or -1 without an expiry, -2 without a key."""
    if glance(ctx, name) is None:
        return -2
    at = ctx.db.expiry(name)
    return -1 if at is None else at


@command(
    "TTL",
    key("key", READ),
    flags=_READS,
    group="generic",
    since="1.0.0",
    history={"2.8.0": "Added the -2 reply."},
    tips=("nondeterministic_output",),
)
def ttl(ctx: Context, name: bytes) -> int:
    """Tells after how many seconds a key expires: -1 if it does not, -2 without a key."""
    at = _expiry(ctx, name)
    return at if at < 0 else (max(0, at - ctx.now) + 500) // 1000


@command(
    "PTTL",
    key("key", READ),
    flags=_READS,
    group="generic",
    since="2.6.0",
    history={"2.8.0": "Added the -2 reply."},
    tips=("nondeterministic_output",),
)
def pttl(ctx: Context, name: bytes) -> int:
    """Tells after how many milliseconds a key expires: -1 if it does not, -2 without a key."""
    at = _expiry(ctx, name)
    return at if at < 0 else max(0, at - ctx.now)


@command("EXPIRETIME", key("key", READ), flags=_READS, group="generic", since="7.0.0")
def expiretime(ctx: Context, name: bytes) -> int:
    """Tells the Unix time in seconds at which a key expires: -1 if it does not, -2 without a key."""
    at = _expiry(ctx, name)
    return at if at < 0 else (at + 500) // 1000


@command("PEXPIRETIME", key("key", READ), flags=_READS, group="generic", since="7.0.0")
def pexpiretime(ctx: Context, name: bytes) -> int:
    """Tells the Unix time in milliseconds at which a key expires: -1 if it does not, -2 without a key."""
    return _expiry(ctx, name)
