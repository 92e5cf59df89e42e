"""LATENCY: what held the node up, and how long the calls of each command take."""

from __future__ import annotations

from typing import Any

from ..errors import ReplyError
from ..resp.replies import Verbatim
from .context import Context
from .flags import Flags
from .grammar import maybe, value
from .spec import TABLE, Command, command, container

_FLAGS = Flags.ADMIN | Flags.NOSCRIPT | Flags.LOADING | Flags.STALE
_SINCE = "2.8.13"
_ALL_NODES = ("nondeterministic_output", "request_policy:all_nodes", "response_policy:special")

container("LATENCY", group="server", since=_SINCE, doc="Tells what held the node up.")


@command("LATENCY LATEST", flags=_FLAGS, group="server", since=_SINCE, tips=_ALL_NODES)
def latency_latest(ctx: Context) -> list[Any]:
    """Tells of each event the last time that it took long, for how many milliseconds, and the longest of all."""
    return [[event.encode("utf-8", "surrogateescape"), *numbers] for event, *numbers in ctx.host.latency.latest()]


@command("LATENCY HISTORY", value("event"), flags=_FLAGS, group="server", since=_SINCE, tips=_ALL_NODES)
def latency_history(ctx: Context, event: bytes) -> list[Any]:
    """Tells when an event took long, and for how many milliseconds."""
    return [list(moment) for moment in ctx.host.latency.history(_name(event))]


@command(
    "LATENCY RESET",
    maybe(value("event", many=True)),
    flags=_FLAGS,
    group="server",
    since=_SINCE,
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def latency_reset(ctx: Context, *events: bytes) -> int:
    """Forgets these events, or all, and tells how many there were."""
    return ctx.host.latency.reset(*map(_name, events))


@command("LATENCY GRAPH", value("event"), flags=_FLAGS, group="server", since=_SINCE, tips=_ALL_NODES)
def latency_graph(ctx: Context, event: bytes) -> Verbatim:
    """Draws when an event took long."""
    drawn = ctx.host.latency.graph(_name(event), ctx.now // 1000)
    if drawn is None:
        raise ReplyError(f"ERR No samples available for event '{_name(event)}'")
    return Verbatim(drawn.encode("utf-8", "surrogateescape"))


@command("LATENCY DOCTOR", flags=_FLAGS, group="server", since=_SINCE, tips=_ALL_NODES)
def latency_doctor(ctx: Context) -> Verbatim:
    """Tells in words what held the node up, and what may help."""
    return Verbatim(ctx.host.latency.report(ctx.host.config.latency_monitor_threshold).encode())


@command(
    "LATENCY HISTOGRAM",
    maybe(value("command", many=True)),
    flags=_FLAGS,
    group="server",
    since="7.0.0",
    complexity="O(N) where N is the number of commands with durations",
    tips=_ALL_NODES,
)
def latency_histogram(ctx: Context, *names: bytes) -> dict[bytes, Any]:
    """Tells of these commands, or all that were called, how many calls took up to how many microseconds."""
    asked = [found for name in names for found in _with_subcommands(_name(name).lower())] if names else TABLE.values()
    shown: dict[bytes, Any] = {}
    for found in asked:
        durations = found.stats.durations
        if calls := durations.calls:
            shown[found.name.encode()] = {b"calls": calls, b"histogram_usec": dict(durations.cumulative())}
    return shown


def _with_subcommands(name: str) -> list[Command]:
    found = TABLE.get(name)
    return [] if found is None else [found, *found.subcommands.values()]


def _name(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")
