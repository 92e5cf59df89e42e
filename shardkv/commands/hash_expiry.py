"""Expiry times of the fields of a hash: setting, clearing and asking for them.

What travels to replicas is absolute: HPEXPIREAT for the fields that got a time, HDEL for those whose time had come
already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..errors import ReplyError
from ..resp.numbers import parse_int
from ..values.hashes import HashValue
from .context import Context
from .flags import READ, Flags, KeyUse
from .grammar import Arg, block, flag, integer, key, maybe, one_of, unix_time, value
from .hash_fields import find_hash, forget_if_empty, note_expiry, without_expired
from .spec import command

#: The latest time a field can have, in Unix milliseconds.
LATEST: Final = (1 << 46) - 1

_NO_FIELD: Final = -2
_NO_TIME: Final = -1
_REFUSED: Final = 0
_DONE: Final = 1
_GONE: Final = 2

#: ``FIELDS numfields field [field ...]``
FIELDS: Final[Arg] = block("fields", integer("numfields"), value("field", many=True), token="FIELDS")
_KEY: Final = key("key", KeyUse.RW | KeyUse.UPDATE)
_READ_KEY: Final = key("key", READ)
_CONDITION: Final = maybe(one_of("condition", flag("NX"), flag("XX"), flag("GT"), flag("LT")))
_CONDITIONS: Final = (b"NX", b"XX", b"GT", b"LT")
_WRITES: Final = Flags.WRITE | Flags.FAST
_READS: Final = Flags.READONLY | Flags.FAST
_MOVING: Final = ("nondeterministic_output",)
_N: Final = "O(N) for N fields"

_NOT_POSITIVE: Final = "ERR Number of fields must be a positive integer"
_EXPIRE_NOT_POSITIVE: Final = "ERR Parameter `numFields` should be greater than 0"


def field_time(ctx: Context, word: bytes, *, seconds: bool, relative: bool) -> int:
    """The point in time, in Unix milliseconds, that a word means. Raises ReplyError."""
    number = parse_int(word)
    if number < 0:
        raise ReplyError("ERR invalid expire time, must be >= 0")
    base = ctx.now if relative else 0
    if seconds:
        number *= 1000
    if number > LATEST - base:
        raise ReplyError(f"ERR invalid expire time in '{ctx.command.name}' command")
    return base + number


def field_names(words: list[bytes], at: int, *, not_positive: str = _NOT_POSITIVE) -> list[bytes]:
    """The names in ``FIELDS numfields field [field ...]``, from ``at`` to the end of the request. Raises ReplyError."""
    if at >= len(words) or words[at].upper() != b"FIELDS":
        raise ReplyError("ERR Mandatory argument FIELDS is missing or not at the right position")
    try:
        count = parse_int(words[at + 1]) if at + 1 < len(words) else 0
    except ReplyError:
        count = 0
    if count < 1:
        raise ReplyError(not_positive)
    names = words[at + 2 :]
    if count != len(names):
        raise ReplyError("ERR The `numfields` parameter must match the number of arguments")
    return names


# ---- setting


@command(
    "HEXPIRE",
    _KEY,
    integer("seconds"),
    _CONDITION,
    FIELDS,
    flags=_WRITES,
    group="hash",
    since="7.4.0",
    complexity=_N,
    raw=True,
)
def hexpire(ctx: Context, words: list[bytes]) -> list[int]:
    """Lets fields of a hash expire after some seconds."""
    return _expire(ctx, words, seconds=True, relative=True)


@command(
    "HPEXPIRE",
    _KEY,
    integer("milliseconds"),
    _CONDITION,
    FIELDS,
    flags=_WRITES,
    group="hash",
    since="7.4.0",
    complexity=_N,
    raw=True,
)
def hpexpire(ctx: Context, words: list[bytes]) -> list[int]:
    """Lets fields of a hash expire after some milliseconds."""
    return _expire(ctx, words, seconds=False, relative=True)


@command(
    "HEXPIREAT",
    _KEY,
    unix_time("unix-time-seconds"),
    _CONDITION,
    FIELDS,
    flags=_WRITES,
    group="hash",
    since="7.4.0",
    complexity=_N,
    raw=True,
)
def hexpireat(ctx: Context, words: list[bytes]) -> list[int]:
    """Lets fields of a hash expire at a Unix time in seconds."""
    return _expire(ctx, words, seconds=True, relative=False)


@command(
    "HPEXPIREAT",
    _KEY,
    unix_time("unix-time-milliseconds"),
    _CONDITION,
    FIELDS,
    flags=_WRITES,
    group="hash",
    since="7.4.0",
    complexity=_N,
    raw=True,
)
def hpexpireat(ctx: Context, words: list[bytes]) -> list[int]:
    """Lets fields of a hash expire at a Unix time in milliseconds."""
    return _expire(ctx, words, seconds=False, relative=False)


def _expire(ctx: Context, words: list[bytes], *, seconds: bool, relative: bool) -> list[int]:
    name = words[1]
    # The type is judged first; whether a field has expired, when all words are known to be right.
    ctx.find(name, HashValue)
    at = field_time(ctx, words[2], seconds=seconds, relative=relative)
    condition = words[3].upper()
    given = condition in _CONDITIONS
    fields = field_names(words, 4 if given else 3, not_positive=_EXPIRE_NOT_POSITIVE)
    held = find_hash(ctx, name, fields)
    if held is None:
        return [_NO_FIELD] * len(fields)
    return set_times(ctx, name, held, fields, at, condition if given else b"")


def set_times(
    ctx: Context, name: bytes, held: HashValue, fields: Sequence[bytes], at: int, condition: bytes = b""
) -> list[int]:
    """Give fields a time, with all that follows from it.

    What became of each: -2 no such field, 0 the condition (NX, XX, GT, LT or nothing) does not hold, 1 set, 2 deleted,
    since the time has come already.
    """
    past = ctx.passed(at)
    answers: list[int] = []
    for field in fields:
        if field not in held:
            answers.append(_NO_FIELD)
        elif not _allowed(condition, held.expiry(field), at):
            answers.append(_REFUSED)
        elif past:
            held.delete(field)
            answers.append(_GONE)
        else:
            held.expire_at(field, at)
            answers.append(_DONE)
    timed = [field for field, answer in zip(fields, answers, strict=True) if answer == _DONE]
    gone = [field for field, answer in zip(fields, answers, strict=True) if answer == _GONE]
    if timed:
        note_expiry(ctx.db, name, held)
        ctx.touch(name, "hexpire", len(timed))
        ctx.replicate(b"HPEXPIREAT", name, b"%d" % at, b"FIELDS", b"%d" % len(timed), *timed)
    if gone:
        ctx.touch(name, "hdel", len(gone))
        ctx.replicate(b"HDEL", name, *gone)
        forget_if_empty(ctx, name, held)
    return answers


def _allowed(condition: bytes, old: int | None, new: int) -> bool:
    if condition == b"NX":
        return old is None
    if condition == b"XX":
        return old is not None
    if condition == b"GT":
        return old is not None and new > old  # a field without a time lives for ever
    if condition == b"LT":
        return old is None or new < old
    return True


@command("HPERSIST", _KEY, FIELDS, flags=_WRITES, group="hash", since="7.4.0", complexity=_N, raw=True)
def hpersist(ctx: Context, words: list[bytes]) -> list[int]:
    """Takes the expiry times of fields of a hash away."""
    name = words[1]
    ctx.find(name, HashValue)
    fields = field_names(words, 2)
    held = find_hash(ctx, name, fields)
    if held is None:
        return [_NO_FIELD] * len(fields)
    answers: list[int] = []
    for field in fields:
        if field not in held:
            answers.append(_NO_FIELD)
        else:
            answers.append(_DONE if held.persist(field) else _NO_TIME)
    changed = answers.count(_DONE)
    if changed:
        ctx.touch(name, "hpersist", changed)
    return answers


# ---- asking


@command("HTTL", _READ_KEY, FIELDS, flags=_READS, group="hash", since="7.4.0", complexity=_N, tips=_MOVING, raw=True)
def httl(ctx: Context, words: list[bytes]) -> list[int]:
    """Tells in how many seconds fields of a hash expire: -1 never, -2 no such field."""
    return [at if at < 0 else (at + 999 - ctx.now) // 1000 for at in _times(ctx, words)]


@command("HPTTL", _READ_KEY, FIELDS, flags=_READS, group="hash", since="7.4.0", complexity=_N, tips=_MOVING, raw=True)
def hpttl(ctx: Context, words: list[bytes]) -> list[int]:
    """Tells in how many milliseconds fields of a hash expire: -1 never, -2 no such field."""
    return [at if at < 0 else at - ctx.now for at in _times(ctx, words)]


@command("HEXPIRETIME", _READ_KEY, FIELDS, flags=_READS, group="hash", since="7.4.0", complexity=_N, raw=True)
def hexpiretime(ctx: Context, words: list[bytes]) -> list[int]:
    """Tells the Unix time in seconds at which fields of a hash expire: -1 never, -2 no such field."""
    return [at if at < 0 else (at + 999) // 1000 for at in _times(ctx, words)]


@command("HPEXPIRETIME", _READ_KEY, FIELDS, flags=_READS, group="hash", since="7.4.0", complexity=_N, raw=True)
def hpexpiretime(ctx: Context, words: list[bytes]) -> list[int]:
    """Tells the Unix time in milliseconds at which fields of a hash expire: -1 never, -2 no such field."""
    return _times(ctx, words)


def _times(ctx: Context, words: list[bytes]) -> list[int]:
    """Unix milliseconds, or -1 or -2, of the fields of a request."""
    name = words[1]
    held = ctx.read(name, HashValue)
    fields = field_names(words, 2)
    if held is not None:
        held = without_expired(ctx, name, held, fields)
    if held is None:
        return [_NO_FIELD] * len(fields)
    answers: list[int] = []
    for field in fields:
        if field not in held:
            answers.append(_NO_FIELD)
        else:
            at = held.expiry(field)
            answers.append(_NO_TIME if at is None else at)
    return answers
