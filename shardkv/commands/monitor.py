"""MONITOR: every request, as it is carried out."""

from __future__ import annotations

from typing import Any

from ..errors import ReplyError
from ..resp.replies import NO_REPLY, OK
from .context import Context
from .flags import Flags
from .spec import command


@command(
    "MONITOR",
    flags=Flags.ADMIN | Flags.NOSCRIPT | Flags.LOADING | Flags.STALE,
    group="server",
    since="1.0.0",
    complexity="",
)
def monitor(ctx: Context) -> Any:
    """Shows all requests that the node carries out from now on; RESET ends it."""
    if ctx.inside:
        raise ReplyError("ERR MONITOR isn't allowed for DENY BLOCKING client")
    if ctx.session.monitoring:
        return NO_REPLY
    ctx.host.show_requests(ctx.session)
    return OK
