"""String commands: whole values and pieces of them. Counting is in ``string_counters``."""

from __future__ import annotations

from typing import Any

from ..errors import ReplyError, WrongType
from ..resp.replies import OK
from ..values.strings import StringValue, extend, overwrite, string_bytes, string_length, substring
from .context import STRING_TYPES, Context
from .flags import CHANGE, READ, Doc, Flags, KeyUse
from .grammar import block, flag, integer, key, maybe, one_of, value
from .spec import command
from .string_options import (
    EXPIRATION,
    GETEX_OPTIONS,
    SET_OPTIONS,
    TIMES,
    StringOptions,
    expiry_time,
    read_options,
)

_OVERWRITE = KeyUse.OW | KeyUse.UPDATE


def held_string(ctx: Context, name: bytes) -> StringValue | None:
    """The string at a key for a reading command, in whichever form it is held and not copied. Raises WrongType."""
    held = ctx.look(name)
    if held is None or type(held) in STRING_TYPES:
        return held
    raise WrongType


def _refuse_if_too_long(ctx: Context, length: int) -> None:
    if length > ctx.host.config.proto_max_bulk_len:
        raise ReplyError("ERR string exceeds maximum allowed size (proto-max-bulk-len)")


# ---- reading


@command("GET", key("key", READ), flags=Flags.READONLY | Flags.FAST, group="string", since="1.0.0")
def get(ctx: Context, name: bytes) -> bytes | None:
    """Returns the string at a key, or null."""
    return ctx.read_string(name)


@command(
    "MGET",
    key("key", READ, many=True),
    flags=Flags.READONLY | Flags.FAST,
    group="string",
    since="1.0.0",
    complexity="O(N) for N keys",
    tips=("request_policy:multi_shard",),
)
def mget(ctx: Context, *names: bytes) -> list[bytes | None]:
    """Returns the strings at several keys, null where there is none or a value of another type."""
    found: list[bytes | None] = []
    for name in names:
        held = ctx.look(name)
        if held is None or type(held) is bytes:
            found.append(held)
        else:
            found.append(string_bytes(held) if type(held) in STRING_TYPES else None)
    return found


@command("STRLEN", key("key", KeyUse.RO), flags=Flags.READONLY | Flags.FAST, group="string", since="2.2.0")
def strlen(ctx: Context, name: bytes) -> int:
    """Returns the length of the string at a key in bytes, 0 without a key."""
    held = held_string(ctx, name)
    return 0 if held is None else string_length(held)


@command(
    "GETRANGE",
    key("key", READ),
    integer("start"),
    integer("end"),
    flags=Flags.READONLY,
    group="string",
    since="2.4.0",
    complexity="O(N) for N bytes returned",
)
def getrange(ctx: Context, name: bytes, start: int, end: int) -> bytes:
    """Returns the bytes of a string between two places, both included; negative ones count from the end."""
    held = held_string(ctx, name)
    return b"" if held is None else substring(held, start, end)


@command(
    "SUBSTR",
    key("key", READ),
    integer("start"),
    integer("end"),
    flags=Flags.READONLY,
    group="string",
    since="1.0.0",
    complexity="O(N) for N bytes returned",
    doc_flags=Doc.DEPRECATED,
    replaced_by="`GETRANGE`",
    deprecated_since="2.0.0",
)
def substr(ctx: Context, name: bytes, start: int, end: int) -> bytes:
    """Returns the bytes of a string between two places: GETRANGE under its old name."""
    return getrange(ctx, name, start, end)


# ---- setting


@command(
    "SET",
    key("key", CHANGE | KeyUse.VARIABLE_FLAGS),
    value("value"),
    maybe(one_of("condition", flag("NX"), flag("XX"), value("comparison-value", token="IFEQ"))),
    maybe(flag("GET")),
    maybe(EXPIRATION),
    flags=Flags.WRITE | Flags.DENYOOM,
    group="string",
    since="1.0.0",
    history={
        "2.6.12": "Added the `EX`, `PX`, `NX` and `XX` options.",
        "6.0.0": "Added the `KEEPTTL` option.",
        "6.2.0": "Added the `GET`, `EXAT` and `PXAT` options.",
        "7.0.0": "`NX` and `GET` may be used together.",
    },
    raw=True,  # the expiry is judged before the key, in Redis's order (string_options)
)
def set_(ctx: Context, words: list[bytes]) -> Any:
    """Sets a key to a string, whatever it held before, with an expiry or under a condition if wanted."""
    name, text = words[1], words[2]
    if len(words) == 3:
        ctx.store(name, text)
        ctx.touch(name, "set")
        return OK
    options = read_options(words, 3, SET_OPTIONS)
    at = options.expires_at(ctx)
    before = ctx.read_string(name) if options.get else None
    if not _condition_holds(ctx, name, options):
        return before
    ctx.store(name, text, keep_ttl=options.expiry is not None)
    ctx.touch(name, "set")
    if at is not None:
        _set_expiry(ctx, name, text, at)
    elif options.get or options.condition == b"IFEQ":
        ctx.replicate(*_without_questions(words))
    return before if options.get else OK


def _condition_holds(ctx: Context, name: bytes, options: StringOptions) -> bool:
    if options.condition is None:
        return True
    if options.condition == b"IFEQ":
        held = ctx.find_string(name)
        return held is not None and string_bytes(held) == options.comparison
    return (ctx.peek(name) is None) == (options.condition == b"NX")


def _set_expiry(ctx: Context, name: bytes, text: bytes, at: int) -> None:
    """Let a key that was just set expire, and propagate the point in time and not the distance."""
    ctx.expire_at(name, at)
    ctx.touch(name, "expire", changes=0)
    ctx.replicate(b"SET", name, text, b"PXAT", b"%d" % at)


def _without_questions(words: list[bytes]) -> list[bytes]:
    """A SET that was carried out, without GET and IFEQ: a replica answers nobody, and may be too old to know them."""
    kept = words[:3]
    rest = iter(words[3:])
    for word in rest:
        token = word.upper()
        if token == b"IFEQ":
            next(rest)
        elif token != b"GET":
            kept.append(word)
    return kept


@command(
    "SETNX",
    key("key", KeyUse.OW | KeyUse.INSERT),
    value("value"),
    flags=Flags.WRITE | Flags.DENYOOM | Flags.FAST,
    group="string",
    since="1.0.0",
)
def setnx(ctx: Context, name: bytes, text: bytes) -> int:
    """Sets a key to a string only if the key does not exist."""
    if ctx.peek(name) is not None:
        return 0
    ctx.create(name, text)
    ctx.touch(name, "set")
    return 1


@command(
    "SETEX",
    key("key", _OVERWRITE),
    integer("seconds"),
    value("value"),
    flags=Flags.WRITE | Flags.DENYOOM,
    group="string",
    since="2.0.0",
    raw=True,  # the number is judged as an expiry of SET
)
def setex(ctx: Context, words: list[bytes]) -> Any:
    """Sets a key to a string that expires after some seconds."""
    return _set_for(ctx, words, seconds=True)


@command(
    "PSETEX",
    key("key", _OVERWRITE),
    integer("milliseconds"),
    value("value"),
    flags=Flags.WRITE | Flags.DENYOOM,
    group="string",
    since="2.6.0",
    raw=True,  # the number is judged as an expiry of SET
)
def psetex(ctx: Context, words: list[bytes]) -> Any:
    """Sets a key to a string that expires after some milliseconds."""
    return _set_for(ctx, words, seconds=False)


def _set_for(ctx: Context, words: list[bytes], *, seconds: bool) -> Any:
    _, name, number, text = words
    at = expiry_time(ctx, number, seconds=seconds, relative=True)
    ctx.store(name, text, keep_ttl=True)
    ctx.touch(name, "set")
    _set_expiry(ctx, name, text, at)
    return OK


def _pairs(ctx: Context, words: tuple[bytes, ...]) -> list[tuple[bytes, bytes]]:
    if len(words) % 2:
        raise ReplyError(f"ERR wrong number of arguments for '{ctx.command.name}' command")
    return list(zip(words[::2], words[1::2], strict=True))


@command(
    "MSET",
    block("data", key("key", _OVERWRITE), value("value"), many=True),
    flags=Flags.WRITE | Flags.DENYOOM,
    group="string",
    since="1.0.1",
    complexity="O(N) for N keys",
    tips=("request_policy:multi_shard", "response_policy:all_succeeded"),
)
def mset(ctx: Context, *words: bytes) -> Any:
    """Sets several keys to strings at once."""
    for name, text in _pairs(ctx, words):
        ctx.store(name, text)
        ctx.touch(name, "set")
    return OK


@command(
    "MSETNX",
    block("data", key("key", KeyUse.OW | KeyUse.INSERT), value("value"), many=True),
    flags=Flags.WRITE | Flags.DENYOOM,
    group="string",
    since="1.0.1",
    complexity="O(N) for N keys",
    tips=("request_policy:multi_shard", "response_policy:agg_min"),
)
def msetnx(ctx: Context, *words: bytes) -> int:
    """Sets several keys to strings at once, but none if one of them exists."""
    pairs = _pairs(ctx, words)
    if any(ctx.peek(name) is not None for name, _ in pairs):
        return 0
    for name, text in pairs:
        ctx.store(name, text)
        ctx.touch(name, "set")
    return 1


# ---- changing


@command(
    "APPEND",
    key("key", KeyUse.RW | KeyUse.INSERT),
    value("value"),
    flags=Flags.WRITE | Flags.DENYOOM | Flags.FAST,
    group="string",
    since="2.0.0",
)
def append(ctx: Context, name: bytes, piece: bytes) -> int:
    """Appends to the string at a key, or sets it, and returns the new length."""
    held = ctx.find_string(name)
    if held is None:
        ctx.create(name, piece)
        ctx.touch(name, "append")
        return len(piece)
    _refuse_if_too_long(ctx, string_length(held) + len(piece))
    longer = extend(held, piece)
    ctx.db.put(name, longer)
    ctx.touch(name, "append")
    return len(longer)


@command(
    "SETRANGE",
    key("key", KeyUse.RW | KeyUse.UPDATE),
    integer("offset"),
    value("value"),
    flags=Flags.WRITE | Flags.DENYOOM,
    group="string",
    since="2.2.0",
    complexity="O(N) for N bytes of the value, and of the gap before it",
)
def setrange(ctx: Context, name: bytes, offset: int, piece: bytes) -> int:
    """Overwrites a part of the string at a key, filling a gap with zero bytes, and returns the new length."""
    if offset < 0:
        raise ReplyError("ERR offset is out of range")
    held = ctx.find_string(name)
    if not piece:
        return 0 if held is None else string_length(held)
    _refuse_if_too_long(ctx, offset + len(piece))
    changed = overwrite(b"" if held is None else held, offset, piece)
    if held is None:
        ctx.create(name, changed)
    else:
        ctx.db.put(name, changed)
    ctx.touch(name, "setrange")
    return len(changed)


# ---- reading and changing


@command(
    "GETSET",
    key("key", CHANGE),
    value("value"),
    flags=Flags.WRITE | Flags.DENYOOM | Flags.FAST,
    group="string",
    since="1.0.0",
    doc_flags=Doc.DEPRECATED,
    replaced_by="`SET` with the `!GET` argument",
    deprecated_since="6.2.0",
)
def getset(ctx: Context, name: bytes, text: bytes) -> bytes | None:
    """Sets a key to a string and returns the one before it."""
    before = ctx.read_string(name)
    ctx.store(name, text)
    ctx.touch(name, "set")
    ctx.replicate(b"SET", name, text)
    return before


@command(
    "GETDEL",
    key("key", KeyUse.RW | KeyUse.ACCESS | KeyUse.DELETE),
    flags=Flags.WRITE | Flags.FAST,
    group="string",
    since="6.2.0",
)
def getdel(ctx: Context, name: bytes) -> bytes | None:
    """Returns the string at a key and deletes the key."""
    before = ctx.read_string(name)
    if before is not None:
        ctx.delete(name)
        ctx.replicate(b"DEL", name)
    return before


@command(
    "DELIFEQ",
    key("key", KeyUse.RM | KeyUse.DELETE),
    value("value"),
    flags=Flags.WRITE | Flags.FAST,
    group="string",
    since="9.0.0",
)
def delifeq(ctx: Context, name: bytes, text: bytes) -> int:
    """Deletes a key if it holds exactly this string."""
    held = ctx.find_string(name)
    if held is None or string_bytes(held) != text:
        return 0
    ctx.delete(name)
    ctx.replicate(b"DEL", name)
    return 1


@command(
    "GETEX",
    key("key", CHANGE),
    maybe(one_of("expiration", *TIMES, flag("PERSIST"))),
    flags=Flags.WRITE | Flags.FAST,
    group="string",
    since="6.2.0",
    raw=True,  # the expiry is judged after the key (string_options)
)
def getex(ctx: Context, words: list[bytes]) -> bytes | None:
    """Returns the string at a key and sets or clears its expiry."""
    name = words[1]
    options = read_options(words, 2, GETEX_OPTIONS)
    text = ctx.read_string(name)
    if text is None:
        return None
    at = options.expires_at(ctx)
    if at is not None:
        if options.absolute and ctx.passed(at):
            ctx.delete(name)
            ctx.replicate(b"DEL", name)
        else:
            ctx.expire_at(name, at)
            ctx.touch(name, "expire")
            ctx.replicate(b"PEXPIREAT", name, b"%d" % at)
    elif options.expiry == b"PERSIST" and ctx.db.expiry(name) is not None:
        ctx.expire_at(name, None)
        ctx.touch(name, "persist")
        ctx.replicate(b"PERSIST", name)
    return text
