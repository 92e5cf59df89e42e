"""Transactions: commands that are queued and then run as one, unless a watched key has changed."""

from __future__ import annotations

from ..errors import ReplyError
from ..resp.replies import OK, Reply, Simple
from .context import Context
from .flags import Flags, KeyUse
from .grammar import key
from .spec import command

_OPEN = Flags.NOSCRIPT | Flags.LOADING | Flags.STALE | Flags.FAST | Flags.ALLOW_BUSY


@command("MULTI", flags=_OPEN, group="transactions", since="1.2.0")
def multi(ctx: Context) -> Simple:
    """Begins a transaction: what follows is queued until EXEC."""
    session = ctx.session
    if session.queue is not None:
        raise ReplyError("ERR MULTI calls can not be nested")
    session.queue = []
    session.refresh()
    return OK


@command(
    "EXEC",
    flags=Flags.NOSCRIPT | Flags.LOADING | Flags.STALE | Flags.SKIP_SLOWLOG,
    group="transactions",
    since="1.2.0",
    complexity="Depends on commands in the transaction",
)
def exec_(ctx: Context) -> Reply:
    """Runs the queued commands as one; does nothing if a watched key has changed."""
    return ctx.host.transactions.execute(ctx.session)


@command(
    "DISCARD",
    flags=_OPEN,
    group="transactions",
    since="2.0.0",
    complexity="O(N), when N is the number of queued commands",
)
def discard(ctx: Context) -> Simple:
    """Forgets the queued commands and the watched keys."""
    if ctx.session.queue is None:
        raise ReplyError("ERR DISCARD without MULTI")
    ctx.host.transactions.end(ctx.session)
    return OK


@command(
    "WATCH",
    key("key", KeyUse.RO, many=True),
    flags=_OPEN,
    group="transactions",
    since="2.2.0",
    complexity="O(1) for every key.",
)
def watch(ctx: Context, *keys: bytes) -> Simple:
    """Lets the next EXEC fail if one of the keys is changed before it."""
    if ctx.session.queue is not None:
        raise ReplyError("ERR WATCH inside MULTI is not allowed")
    ctx.host.transactions.watch(ctx.session, keys)
    return OK


@command("UNWATCH", flags=_OPEN, group="transactions", since="2.2.0")
def unwatch(ctx: Context) -> Simple:
    """Forgets all watched keys."""
    ctx.host.transactions.unwatch(ctx.session)
    return OK
