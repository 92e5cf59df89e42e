"""DUMP and RESTORE: a value as bytes that any server of the family understands, and back."""

from __future__ import annotations

from typing import Final

from ..errors import ReplyError, SyntaxFault
from ..persist.rdb.faults import RdbFault
from ..persist.rdb.payload import dump, load, unsealed
from ..resp.numbers import INT64_MAX, parse_int
from ..resp.replies import OK, Simple
from ..values.hashes import HashValue
from .context import Context
from .flags import READ, Doc, Flags, KeyUse
from .grammar import flag, integer, key, maybe, value
from .hash_fields import note_expiry
from .spec import command

_GRAMMAR: Final = (
    key("key", KeyUse.OW | KeyUse.UPDATE),
    integer("ttl"),
    value("serialized-value"),
    maybe(flag("REPLACE")),
    maybe(flag("ABSTTL")),
    maybe(integer("seconds", token="IDLETIME")),
    maybe(integer("frequency", token="FREQ")),
)
_HISTORY: Final = {
    "3.0.0": "Added the `REPLACE` modifier.",
    "5.0.0": "Added the `ABSTTL` modifier, and the `IDLETIME` and `FREQ` options.",
}
_COMPLEXITY: Final = "O(1) for the key, and O(N) for a collection of N elements, O(N*log(N)) for a sorted set"
_FREQ_MAX: Final = 255
_INT64: Final = 1 << 64


@command(
    "DUMP",
    key("key", READ),
    flags=Flags.READONLY,
    group="generic",
    since="2.6.0",
    complexity="O(1) for the key, and O(N) for a collection of N elements",
    tips=("nondeterministic_output",),
)
def dump_(ctx: Context, name: bytes) -> bytes | None:
    """Returns the value at a key as bytes for RESTORE, null without a key."""
    held = ctx.look(name)
    return None if held is None else dump(held, ctx.host.config)


@command(
    "RESTORE",
    *_GRAMMAR,
    flags=Flags.WRITE | Flags.DENYOOM,
    group="generic",
    since="2.6.0",
    complexity=_COMPLEXITY,
    history=_HISTORY,
    acl=("dangerous",),
    raw=True,  # the options are judged before the key, the key before the time, the time before the bytes
)
def restore(ctx: Context, words: list[bytes]) -> Simple:
    """Makes a key from the bytes that DUMP gave."""
    return _restore(ctx, words)


@command(
    "RESTORE-ASKING",
    *_GRAMMAR,
    flags=Flags.WRITE | Flags.DENYOOM | Flags.ASKING,
    group="server",
    since="3.0.0",
    complexity=_COMPLEXITY,
    history=_HISTORY,
    acl=("dangerous", "keyspace"),  # as RESTORE, though it is the server's own
    doc_flags=Doc.SYSCMD,
    raw=True,  # as RESTORE
)
def restore_asking(ctx: Context, words: list[bytes]) -> Simple:
    """Makes a key in a slot that is being imported, as MIGRATE asks for."""
    return _restore(ctx, words)


def _restore(ctx: Context, words: list[bytes]) -> Simple:
    """Everything is judged before anything is changed."""
    name, ttl, payload = words[1:4]
    replace, absolute, idle, freq = _options(words)
    there = ctx.peek(name) is not None
    if there and not replace:
        raise ReplyError("BUSYKEY Target key name already exists.")
    expires_at = parse_int(ttl)
    if expires_at < 0:
        raise ReplyError("ERR Invalid TTL value, must be >= 0")
    opened = unsealed(payload)
    if opened is None:
        raise ReplyError("ERR DUMP payload version or checksum are wrong")
    try:
        held = load(*opened, ctx.host.config)
    except RdbFault:
        raise ReplyError("ERR Bad data format") from None

    if expires_at and not absolute:
        expires_at += ctx.now
        if expires_at > INT64_MAX:
            expires_at -= _INT64  # where Redis's sum ends up: long ago
    if there:
        ctx.delete(name, None)
    if expires_at and ctx.passed(expires_at):
        if there:
            ctx.touch(name, "del")
            ctx.replicate(b"DEL", name)
        return OK
    ctx.create(name, held)
    if expires_at:
        ctx.expire_at(name, expires_at)
        if not absolute:
            ctx.replicate(words[0], name, b"%d" % expires_at, *words[3:], b"ABSTTL")
    if type(held) is HashValue:
        note_expiry(ctx.db, name, held)
    ctx.db.mark(name, ctx.now // 1000, idle, freq)
    ctx.touch(name, "restore")
    return OK


def _options(words: list[bytes]) -> tuple[bool, bool, int | None, int | None]:
    """REPLACE, ABSTTL, the seconds of IDLETIME and the number of FREQ. Raises ReplyError."""
    replace = absolute = False
    idle: int | None = None
    freq: int | None = None
    at, last = 4, len(words) - 1
    while at <= last:
        token = words[at].upper()
        if token == b"REPLACE":
            replace = True
        elif token == b"ABSTTL":
            absolute = True
        elif token == b"IDLETIME" and at < last and freq is None:
            at += 1
            idle = parse_int(words[at])
            if idle < 0:
                raise ReplyError("ERR Invalid IDLETIME value, must be >= 0")
        elif token == b"FREQ" and at < last and idle is None:
            at += 1
            freq = parse_int(words[at])
            if not 0 <= freq <= _FREQ_MAX:
                raise ReplyError("ERR Invalid FREQ value, must be >= 0 and <= 255")
        else:
            raise SyntaxFault
        at += 1
    return replace, absolute, idle, freq
