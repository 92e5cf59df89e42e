"""COMMANDLOG: the last commands that were slow, or had a large request or reply. SLOWLOG is the first of these logs."""

from __future__ import annotations

from typing import Any

from ..errors import ReplyError
from ..observation.commandlog import CommandLog, Entry
from ..resp.numbers import parse_int
from ..resp.replies import OK, Simple
from .context import Context
from .flags import Flags
from .grammar import flag, integer, one_of
from .spec import command, container

_FLAGS = Flags.ADMIN | Flags.LOADING | Flags.STALE
_SINCE = "8.1.0"
_TYPE = one_of("type", flag("slow"), flag("large-request"), flag("large-reply"))

container("COMMANDLOG", group="server", since=_SINCE, doc="Tells which commands stood out.")


def shown(entry: Entry) -> list[Any]:
    """An entry as a reply."""
    return [entry.id, entry.at, entry.amount, entry.words, entry.address.encode(), entry.name]


def count_of(word: bytes) -> int:
    """How many entries are asked for; -1: all. Raises ReplyError."""
    try:
        count = parse_int(word)
    except ReplyError:
        count = -2
    if count < -1:
        raise ReplyError("ERR count should be greater than or equal to -1")
    return count


def _log(ctx: Context, kind: bytes) -> CommandLog:
    log: CommandLog | None = ctx.host.command_logs.get(kind.lower())
    if log is None:
        raise ReplyError("ERR type should be one of the following: slow, large-request, large-reply")
    return log


@command(
    "COMMANDLOG GET",
    integer("count"),
    _TYPE,
    flags=_FLAGS,
    group="server",
    since=_SINCE,
    complexity="O(N) where N is the number of entries returned",
    tips=("request_policy:all_nodes", "nondeterministic_output"),
    raw=True,  # any fault of the count has one answer
)
def commandlog_get(ctx: Context, words: list[bytes]) -> list[Any]:
    """Tells the latest entries of a log, the newest first; -1: all."""
    count = count_of(words[2])
    return [shown(entry) for entry in _log(ctx, words[3]).newest(count)]


@command(
    "COMMANDLOG LEN",
    _TYPE,
    flags=_FLAGS,
    group="server",
    since=_SINCE,
    tips=("request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"),
    raw=True,
)
def commandlog_len(ctx: Context, words: list[bytes]) -> int:
    """Tells how many entries a log has."""
    return len(_log(ctx, words[2]))


@command(
    "COMMANDLOG RESET",
    _TYPE,
    flags=_FLAGS,
    group="server",
    since=_SINCE,
    complexity="O(N) where N is the number of entries in the commandlog",
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
    raw=True,
)
def commandlog_reset(ctx: Context, words: list[bytes]) -> Simple:
    """Forgets the entries of a log."""
    _log(ctx, words[2]).reset()
    return OK
