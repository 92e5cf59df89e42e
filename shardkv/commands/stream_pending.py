"""Pending entries: acknowledging them and looking at them."""

from __future__ import annotations

from typing import Any, Final

from ..errors import SyntaxFault
from ..resp.numbers import parse_int
from ..resp.replies import NullArray
from ..values.stream_groups import Group
from ..values.stream_ids import format_id
from .context import Context
from .flags import READ, Flags, KeyUse
from .grammar import block, integer, key, maybe, value
from .spec import command
from .stream_ids import group_of, parse_end, parse_id, parse_start, read_stream

_UPDATE: Final = key("key", KeyUse.RW | KeyUse.UPDATE)


@command(
    "XACK",
    _UPDATE,
    value("group"),
    value("id", many=True),
    flags=Flags.WRITE | Flags.FAST,
    group="stream",
    since="5.0.0",
    complexity="O(1) for each message ID processed.",
)
def xack(ctx: Context, name: bytes, group_name: bytes, *words: bytes) -> int:
    """Acknowledges entries: they are no longer pending in a consumer group. Returns how many of them were."""
    held = read_stream(ctx, name)
    group = None if held is None else held.groups.get(group_name)
    if group is None:
        return 0
    count = sum(map(group.forget, [parse_id(word) for word in words]))
    ctx.dirty += count
    return count


# ---- XPENDING


@command(
    "XPENDING",
    key("key", READ),
    value("group"),
    maybe(
        block(
            "filters",
            maybe(integer("min-idle-time", token="IDLE")),
            value("start"),
            value("end"),
            integer("count"),
            maybe(value("consumer")),
        )
    ),
    flags=Flags.READONLY,
    group="stream",
    since="5.0.0",
    complexity=(
        "O(N) with N being the number of elements returned, so asking for a small fixed number of entries per call is "
        "O(1). O(M), where M is the total number of entries scanned when used with the IDLE filter. When the command "
        "returns just the summary and the list of consumers is small, it runs in O(1) time; otherwise, an additional "
        "O(N) time for iterating every consumer."
    ),
    history={"6.2.0": "Added the `IDLE` option and exclusive range intervals."},
    tips=("nondeterministic_output",),
    raw=True,  # two forms, told apart by the number of words
)
def xpending(ctx: Context, words: list[bytes]) -> list[Any]:
    """Returns what is pending in a consumer group: a summary, or the entries between two ids."""
    size = len(words)
    if size == 3:
        return _summary(group_of(ctx, words[1], words[2])[1])
    if not 6 <= size <= 9:
        raise SyntaxFault
    at = 3
    least_idle = 0
    if words[3].upper() == b"IDLE":
        least_idle = parse_int(words[4])
        if size < 8:
            raise SyntaxFault
        at = 5
    count = max(0, parse_int(words[at + 2]))
    start = parse_start(words[at])
    end = parse_end(words[at + 1])
    _, group = group_of(ctx, words[1], words[2])
    consumer = None
    if at + 3 < size:
        consumer = group.consumers.get(words[at + 3])
        if consumer is None:
            return []
    found: list[Any] = []
    for id in group.pending_ids(start, end, consumer):
        if len(found) == count:
            break
        delivery = group.pending[id]
        idle = ctx.now - delivery.time
        if not least_idle or idle >= least_idle:
            found.append([format_id(id), delivery.owner.name, max(0, idle), delivery.count])
    return found


def _summary(group: Group) -> list[Any]:
    if not group.pending:
        return [0, None, None, NullArray]
    owners = [[consumer.name, b"%d" % len(consumer.ids)] for consumer in group.sorted_consumers() if consumer.ids]
    return [len(group.pending), format_id(group.ids[0]), format_id(group.ids[-1]), owners]
