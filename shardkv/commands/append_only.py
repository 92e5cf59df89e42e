"""The log of writes by hand: BGREWRITEAOF, and DEBUG LOADAOF."""

from __future__ import annotations

from ..errors import ReplyError
from ..persist.aof.state import REWRITING_CHILD
from ..resp.replies import OK, Simple
from .context import Context
from .debug import debug
from .flags import Flags
from .spec import command


@command(
    "BGREWRITEAOF",
    flags=Flags.ADMIN | Flags.NOSCRIPT | Flags.NO_ASYNC_LOADING,
    group="server",
    since="1.0.0",
    complexity="O(1)",
)
def bgrewriteaof(ctx: Context) -> Simple:
    """Writes the log of writes anew in the background, as short as it can be."""
    host = ctx.host
    active = host.world.saving_child
    if active == REWRITING_CHILD:
        raise ReplyError("ERR Background append only file rewriting already in progress")
    if active is not None or ctx.inside:
        # What a transaction has done up to here must not be in the new base without the rest of it.
        host.aof.scheduled = True
        host.aof.failures = 0
        return Simple("Background append only file rewriting scheduled")
    try:
        host.world.rewrite_log()
    except OSError:
        raise ReplyError(
            "ERR Can't execute an AOF background rewriting. Please check the server logs for more information."
        ) from None
    return Simple("Background append only file rewriting started")


@debug("LOADAOF", "", 0, 0)
def load_log(ctx: Context) -> Simple:
    """Empty all databases and load the log of writes, with what was written up to now."""
    ctx.host.world.reload_log()
    ctx.host.world.log("warning", "Append Only File loaded by DEBUG LOADAOF")
    return OK
