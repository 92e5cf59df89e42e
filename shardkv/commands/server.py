"""Server commands: whole databases, the time, what the node tells of itself, and its end."""

from __future__ import annotations

from ..config.quoting import to_bytes
from ..errors import ReplyError, SyntaxFault
from ..resp.replies import NO_REPLY, OK, Reply, Simple, Verbatim
from .connection import database_index
from .context import Context
from .flags import Flags
from .grammar import flag, maybe, one_of, value
from .spec import command

_FLUSH_TIPS = ("request_policy:all_shards", "response_policy:all_succeeded")
_FLUSH_TYPE = maybe(one_of("flush-type", flag("ASYNC"), flag("SYNC")))


@command(
    "DBSIZE",
    flags=Flags.READONLY | Flags.FAST,
    group="server",
    since="1.0.0",
    acl=("keyspace",),  # about keys, though it stands with the server commands
    tips=("request_policy:all_shards", "response_policy:agg_sum"),
)
def dbsize(ctx: Context) -> int:
    """Returns how many keys the database holds, those included that have expired and are not deleted yet."""
    return ctx.db.shown


@command(
    "FLUSHDB",
    _FLUSH_TYPE,
    flags=Flags.WRITE,
    group="server",
    since="1.0.0",
    complexity="O(N) where N is the number of keys in the selected database",
    acl=("keyspace", "dangerous"),
    tips=_FLUSH_TIPS,
    history={"4.0.0": "Added the `ASYNC` flushing mode modifier.", "6.2.0": "Added the `SYNC` flushing mode modifier."},
    raw=True,  # the option cannot be said twice
)
def flushdb(ctx: Context, words: list[bytes]) -> Simple:
    """Deletes all keys of the database."""
    _check_flush_type(words)
    gone = ctx.db.size
    ctx.host.databases.flushed(ctx.db)
    ctx.db.clear()
    ctx.dirty += max(gone, 1)  # goes to the replicas in any case: they may hold keys that are gone here
    return OK


@command(
    "FLUSHALL",
    _FLUSH_TYPE,
    flags=Flags.WRITE,
    group="server",
    since="1.0.0",
    complexity="O(N) where N is the total number of keys in all databases",
    acl=("keyspace", "dangerous"),
    tips=_FLUSH_TIPS,
    history={"4.0.0": "Added the `ASYNC` flushing mode modifier.", "6.2.0": "Added the `SYNC` flushing mode modifier."},
    raw=True,  # the option cannot be said twice
)
def flushall(ctx: Context, words: list[bytes]) -> Simple:
    """Deletes all keys of all databases."""
    _check_flush_type(words)
    ctx.host.databases.flushed(None)
    for database in ctx.host.databases:
        if database is not None:
            ctx.dirty += database.size
            database.clear()
    ctx.dirty += 1
    if ctx.host.world.emptied():
        ctx.host.snapshots.settled += ctx.dirty
    return OK


def _check_flush_type(words: list[bytes]) -> None:
    if len(words) > 2 or (len(words) == 2 and words[1].upper() not in (b"ASYNC", b"SYNC")):
        raise SyntaxFault


@command(
    "SWAPDB",
    value("index1"),
    value("index2"),
    flags=Flags.WRITE | Flags.FAST,
    group="server",
    since="4.0.0",
    complexity="O(N) where N is the count of clients watching or blocking on keys from both databases.",
    acl=("keyspace", "dangerous"),
)
def swapdb(ctx: Context, first: bytes, second: bytes) -> Simple:
    """Exchanges two databases: clients of one see the keys of the other at once."""
    if ctx.host.cluster is not None:
        raise ReplyError("ERR SWAPDB is not allowed in cluster mode")
    numbers = [_named_index(first, "first"), _named_index(second, "second")]
    ctx.host.databases.swap(*numbers)
    ctx.db = ctx.session.db  # the number stays, the database behind it is another
    ctx.dirty += 1
    return OK


def _named_index(word: bytes, which: str) -> int:
    try:
        return database_index(word)
    except ReplyError:
        raise ReplyError(f"ERR invalid {which} DB index") from None


@command(
    "TIME",
    flags=Flags.LOADING | Flags.STALE | Flags.FAST,
    group="server",
    since="2.6.0",
    tips=("nondeterministic_output",),
)
def time(ctx: Context) -> list[bytes]:
    """Returns the Unix time: seconds, and the microseconds of the one that runs."""
    seconds, micros = divmod(ctx.host.world.microseconds(), 1_000_000)
    return [b"%d" % seconds, b"%d" % micros]


@command(
    "INFO",
    maybe(value("section", many=True)),
    flags=Flags.LOADING | Flags.STALE,
    group="server",
    since="1.0.0",
    acl=("dangerous",),
    tips=("nondeterministic_output", "request_policy:all_shards", "response_policy:special"),
    history={"7.0.0": "Added support for taking multiple section arguments."},
)
def info(ctx: Context, *sections: bytes) -> Verbatim:
    """Returns facts and counters of the node, by sections."""
    names = [section.decode("utf-8", "surrogateescape").lower() for section in sections]
    return Verbatim(to_bytes(ctx.host.info(names)))


@command(
    "SHUTDOWN",
    maybe(one_of("nosave_save", flag("NOSAVE"), flag("SAVE"))),
    maybe(flag("NOW")),
    maybe(flag("FORCE")),
    maybe(flag("ABORT")),
    flags=Flags.ADMIN | Flags.NOSCRIPT | Flags.LOADING | Flags.STALE | Flags.NO_MULTI | Flags.ALLOW_BUSY,
    group="server",
    since="1.0.0",
    complexity="O(N) when saving, where N is the total number of keys in all databases, otherwise O(1)",
    history={"7.0.0": "Added the `NOW`, `FORCE` and `ABORT` modifiers."},
)
def shutdown(
    ctx: Context, nosave_save: str | None = None, now: bool = False, force: bool = False, abort: bool = False
) -> Reply:
    """Ends the node, saving first if it saves at all or is told to; ABORT takes back one that waits for replicas."""
    stopping = ctx.host.stopping
    if abort:
        if nosave_save or now or force:
            raise ReplyError("ERR syntax error")
        stopping.abort()
        return OK
    failed = ReplyError("ERR Errors trying to SHUTDOWN. Check logs.")
    save = None if nosave_save is None else nosave_save == "SAVE"
    try:
        ends = stopping.begin(save=save, now=now, force=force)
    except OSError:
        raise failed from None
    return NO_REPLY if ends else ctx.block((), None, lambda ctx: None, failed)
