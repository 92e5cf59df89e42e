"""SLOWLOG: the last commands that took long."""

from __future__ import annotations

from typing import Any

from ..errors import ReplyError
from ..resp.replies import OK, Simple
from .commandlog import count_of, shown
from .context import Context
from .flags import Flags
from .grammar import integer, maybe
from .spec import command, container

_FLAGS = Flags.ADMIN | Flags.LOADING | Flags.STALE
_DEFAULT = 10

container("SLOWLOG", group="server", since="2.2.12", doc="Tells which commands were slow.")


@command(
    "SLOWLOG GET",
    maybe(integer("count")),
    flags=_FLAGS,
    group="server",
    since="2.2.12",
    complexity="O(N) where N is the number of entries returned",
    history={"4.0.0": "Added client IP address and name to the reply."},
    tips=("request_policy:all_nodes", "nondeterministic_output"),
    raw=True,  # any fault of the count has one answer
)
def slowlog_get(ctx: Context, words: list[bytes]) -> list[Any]:
    """Tells the latest slow commands, the newest first: ten of them, or as many as asked for (-1: all)."""
    if len(words) > 3:
        asked = words[1].decode()
        raise ReplyError(f"ERR unknown subcommand or wrong number of arguments for '{asked}'. Try SLOWLOG HELP.")
    count = count_of(words[2]) if len(words) == 3 else _DEFAULT
    return [shown(entry) for entry in ctx.host.slow_log.newest(count)]


@command(
    "SLOWLOG LEN",
    flags=_FLAGS,
    group="server",
    since="2.2.12",
    tips=("request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"),
)
def slowlog_len(ctx: Context) -> int:
    """Tells how many slow commands are remembered."""
    return len(ctx.host.slow_log)


@command(
    "SLOWLOG RESET",
    flags=_FLAGS,
    group="server",
    since="2.2.12",
    complexity="O(N) where N is the number of entries in the slow log",
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def slowlog_reset(ctx: Context) -> Simple:
    """Forgets all slow commands."""
    ctx.host.slow_log.reset()
    return OK
