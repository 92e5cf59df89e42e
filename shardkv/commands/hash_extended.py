"""HGETEX, HSETEX and HGETDEL: fields of a hash read or set together with their expiry times, or read and deleted."""

from __future__ import annotations

from typing import Final

from ..errors import ReplyError
from ..resp.numbers import parse_int
from ..values.hashes import HashValue
from .context import Context
from .flags import Flags, KeyUse
from .grammar import block, flag, integer, key, maybe, one_of, value
from .hash_expiry import FIELDS, field_names, field_time, set_times
from .hash_fields import find_hash, forget_if_empty, note_expiry
from .spec import command
from .string_options import TIMES

_SECONDS: Final = frozenset({b"EX", b"EXAT"})
_RELATIVE: Final = frozenset({b"EX", b"PX"})
_WITH_NUMBER: Final = frozenset({b"EX", b"PX", b"EXAT", b"PXAT"})
_INT_MAX: Final = 2**31 - 1


def _time(ctx: Context, token: bytes, word: bytes) -> int:
    return field_time(ctx, word, seconds=token in _SECONDS, relative=token in _RELATIVE)


@command(
    "HGETDEL",
    key("key", KeyUse.RW | KeyUse.ACCESS | KeyUse.DELETE),
    FIELDS,
    flags=Flags.WRITE | Flags.FAST,
    group="hash",
    since="8.0.0",
    complexity="O(N) for N fields",
    raw=True,
)
def hgetdel(ctx: Context, words: list[bytes]) -> list[bytes | None]:
    """Returns the values of fields of a hash and deletes the fields."""
    name = words[1]
    ctx.find(name, HashValue)
    fields = field_names(words, 2)
    held = find_hash(ctx, name, fields)
    if held is None:
        return [None] * len(fields)
    answers: list[bytes | None] = []
    deleted: list[bytes] = []
    for field in fields:
        text = held.get(field)
        if text is not None:
            held.delete(field)  # named twice, it is found once
            deleted.append(field)
        answers.append(text)
    if deleted:
        ctx.touch(name, "hdel", len(deleted))
        ctx.replicate(b"HDEL", name, *deleted)
        forget_if_empty(ctx, name, held)
    return answers


@command(
    "HGETEX",
    key("key", KeyUse.RW | KeyUse.ACCESS | KeyUse.UPDATE),
    maybe(one_of("expiration", *TIMES, flag("PERSIST"))),
    FIELDS,
    flags=Flags.WRITE | Flags.FAST,
    group="hash",
    since="8.0.0",
    complexity="O(N) for N fields",
    raw=True,
)
def hgetex(ctx: Context, words: list[bytes]) -> list[bytes | None]:
    """Returns the values of fields of a hash and sets or clears their expiry times."""
    name = words[1]
    ctx.find(name, HashValue)
    token = words[2].upper()
    at: int | None = None
    first = 2
    if token in _WITH_NUMBER:
        at = _time(ctx, token, words[3])
        first = 4
    elif token == b"PERSIST":
        first = 3
    fields = field_names(words, first)
    held = find_hash(ctx, name, fields)
    if held is None:
        return [None] * len(fields)
    answers = held.get_many(fields)
    if at is not None:
        set_times(ctx, name, held, list(dict.fromkeys(fields)), at)
    elif token == b"PERSIST":
        cleared = [field for field in fields if held.persist(field)]
        if cleared:
            ctx.touch(name, "hpersist", len(cleared))
            ctx.replicate(b"HPERSIST", name, b"FIELDS", b"%d" % len(cleared), *cleared)
    return answers


class _SetOptions:
    """What the words of HSETEX said."""

    __slots__ = ("at", "fields", "keep", "key_condition", "pairs")

    def __init__(self) -> None:
        self.key_condition = b""  #: NX or XX: about the key
        self.fields = b""  #: FNX or FXX: about all fields
        self.at: int | None = None
        self.keep = False
        self.pairs: list[bytes] = []


def _read_options(ctx: Context, words: list[bytes]) -> _SetOptions:
    options = _SetOptions()
    at, end = 2, len(words)
    while at < end:
        token = words[at].upper()
        if token == b"FIELDS":
            options.pairs = _pairs(ctx, words, at)
            return options
        if token in _WITH_NUMBER or token == b"KEEPTTL":
            if options.keep or options.at is not None:
                raise ReplyError("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified")
            if token == b"KEEPTTL":
                options.keep = True
            else:
                at += 1
                if at == end:
                    raise ReplyError("ERR missing expire time")
                options.at = _time(ctx, token, words[at])
        elif token in (b"FNX", b"FXX"):
            if options.fields:
                raise ReplyError("ERR Only one of FXX or FNX arguments can be specified")
            options.fields = token
        elif token in (b"NX", b"XX"):
            if options.key_condition:
                raise ReplyError("ERR Only one of XX or NX arguments can be specified")
            options.key_condition = token
        else:
            raise ReplyError(f"ERR unknown argument: {words[at].decode('utf-8', 'surrogateescape')}")
        at += 1
    raise ReplyError("ERR Mandatory argument FIELDS is missing or not at the right position")


def _pairs(ctx: Context, words: list[bytes], at: int) -> list[bytes]:
    """Field, value, field, value ... behind the FIELDS that stands at ``at``."""
    miscounted = ReplyError(f"ERR wrong number of arguments for '{ctx.command.name}' command")
    if at >= len(words) - 3:
        raise miscounted
    try:
        count = parse_int(words[at + 1])
    except ReplyError:
        count = 0
    if not 1 <= count <= _INT_MAX:
        raise ReplyError("ERR invalid number of fields")
    pairs = words[at + 2 :]
    if len(pairs) != 2 * count:
        raise miscounted
    return pairs


@command(
    "HSETEX",
    key("key", KeyUse.RW | KeyUse.UPDATE),
    maybe(one_of("condition", flag("FNX"), flag("FXX"))),
    maybe(one_of("expiration", *TIMES, flag("KEEPTTL"))),
    block("fields", integer("numfields"), block("data", value("field"), value("value"), many=True), token="FIELDS"),
    flags=Flags.WRITE | Flags.DENYOOM | Flags.FAST,
    group="hash",
    since="8.0.0",
    complexity="O(N) for N fields",
    raw=True,
)
def hsetex(ctx: Context, words: list[bytes]) -> int:
    """Sets fields of a hash and their expiry times, all or none: 1 if they were set.

    Beside the conditions on the fields, NX and XX on the key are taken, as valkey has them.
    """
    name = words[1]
    options = _read_options(ctx, words)
    pairs = options.pairs
    fields = list(dict.fromkeys(pairs[::2]))
    held = find_hash(ctx, name, fields)
    if not _may_set(options, held, fields):
        return 0
    config = ctx.host.config
    if held is None:
        held = HashValue.of(pairs, config)
        ctx.create(name, held)
    else:
        held.update(pairs, config, keep_times=options.keep)
    ctx.touch(name, "hset", len(pairs) >> 1)
    ctx.replicate(b"HSET", name, *pairs)
    if options.at is not None:
        set_times(ctx, name, held, fields, options.at)
    elif options.keep:
        _repeat_times(ctx, name, held, fields)
    return 1


def _may_set(options: _SetOptions, held: HashValue | None, fields: list[bytes]) -> bool:
    if options.key_condition and (held is None) != (options.key_condition == b"NX"):
        return False
    if options.fields == b"FNX":
        return held is None or not any(field in held for field in fields)
    if options.fields == b"FXX":
        return held is not None and all(field in held for field in fields)
    return True


def _repeat_times(ctx: Context, name: bytes, held: HashValue, fields: list[bytes]) -> None:
    """Say the times that were kept again, behind the HSET that clears them on a replica."""
    for field in fields:
        at = held.expiry(field)
        if at is not None:
            ctx.replicate(b"HPEXPIREAT", name, b"%d" % at, b"FIELDS", b"1", field)
    note_expiry(ctx.db, name, held)
