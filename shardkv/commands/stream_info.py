"""XINFO: what there is to know about streams, their groups and their consumers."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

from ..errors import ReplyError
from ..resp.numbers import parse_int
from ..values.stream_groups import UNKNOWN, Consumer, Group
from ..values.stream_ids import format_id
from ..values.streams import StreamValue
from .context import Context
from .flags import READ, Flags
from .grammar import block, flag, integer, key, maybe, value
from .spec import command, container
from .stream_ids import entry_replies, no_group, read_stream, wrong_subcommand

_KEY: Final = key("key", READ)
#: XINFO STREAM FULL shows this many entries of each list unless told otherwise.
_SHOWN: Final = 10

container("XINFO", group="stream", since="5.0.0", doc="A container for stream introspection commands.")


def _stream(ctx: Context, name: bytes) -> StreamValue:
    held = read_stream(ctx, name)
    if held is None:
        raise ReplyError("ERR no such key")
    return held


@command(
    "XINFO STREAM",
    _KEY,
    maybe(block("full-block", flag("FULL"), maybe(integer("count", token="COUNT")))),
    flags=Flags.READONLY,
    group="stream",
    since="5.0.0",
    history={
        "6.0.0": "Added the `FULL` modifier.",
        "7.0.0": (
            "Added the `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and "
            "`lag` fields"
        ),
        "7.2.0": "Added the `active-time` field, and changed the meaning of `seen-time`.",
    },
    raw=True,  # the key is looked at before the options
)
def xinfo_stream(ctx: Context, words: list[bytes]) -> dict[bytes, Any]:
    """Tells about a stream; with FULL also its entries and all about its groups."""
    held = _stream(ctx, words[2])
    count = _read_full(words)
    found: dict[bytes, Any] = {
        b"length": held.length,
        b"radix-tree-keys": len(held.nodes),
        b"radix-tree-nodes": held.radix_nodes,
        b"last-generated-id": format_id(held.last_id),
        b"max-deleted-entry-id": format_id(held.max_deleted_id),
        b"entries-added": held.entries_added,
        b"recorded-first-entry-id": format_id(held.first_id),
    }
    if count is None:
        found[b"groups"] = len(held.groups)
        found[b"first-entry"] = next(iter(entry_replies(islice(held.range(), 1))), None)
        found[b"last-entry"] = next(iter(entry_replies(islice(held.range(reverse=True), 1))), None)
    else:
        limit = count or None
        found[b"entries"] = entry_replies(islice(held.range(), limit))
        found[b"groups"] = [_full_group(held, name, group, limit) for name, group in held.sorted_groups()]
    return found


def _read_full(words: list[bytes]) -> int | None:
    """None without FULL, else how many entries of each list are to be shown, 0: all. Raises ReplyError."""
    options = words[3:]
    if not options:
        return None
    if len(options) not in (1, 3) or options[0].upper() != b"FULL":
        raise wrong_subcommand(words)
    if len(options) == 1:
        return _SHOWN
    if options[1].upper() != b"COUNT":
        raise wrong_subcommand(words)
    count = parse_int(options[2])
    return count if count >= 0 else _SHOWN


def _full_group(held: StreamValue, name: bytes, group: Group, limit: int | None) -> dict[bytes, Any]:
    pending: list[Any] = []
    for id in islice(group.pending_ids(), limit):
        delivery = group.pending[id]
        pending.append([format_id(id), delivery.owner.name, delivery.time, delivery.count])
    return {
        b"name": name,
        b"last-delivered-id": format_id(group.last_id),
        b"entries-read": _entries_read(group),
        b"lag": held.lag(group),
        b"pel-count": len(group.pending),
        b"pending": pending,
        b"consumers": [_full_consumer(group, consumer, limit) for consumer in group.sorted_consumers()],
    }


def _full_consumer(group: Group, consumer: Consumer, limit: int | None) -> dict[bytes, Any]:
    pending: list[Any] = []
    for id in islice(consumer.ids, limit):
        delivery = group.pending[id]
        pending.append([format_id(id), delivery.time, delivery.count])
    return {
        b"name": consumer.name,
        b"seen-time": consumer.seen,
        b"active-time": -1 if consumer.active is None else consumer.active,
        b"pel-count": len(consumer.ids),
        b"pending": pending,
    }


def _entries_read(group: Group) -> int | None:
    return None if group.entries_read == UNKNOWN else group.entries_read


@command(
    "XINFO GROUPS",
    _KEY,
    flags=Flags.READONLY,
    group="stream",
    since="5.0.0",
    history={
        "7.0.0": "Added the `entries-read` and `lag` fields",
    },
)
def xinfo_groups(ctx: Context, name: bytes) -> list[dict[bytes, Any]]:
    """Tells about the consumer groups of a stream."""
    held = _stream(ctx, name)
    return [
        {
            b"name": group_name,
            b"consumers": len(group.consumers),
            b"pending": len(group.pending),
            b"last-delivered-id": format_id(group.last_id),
            b"entries-read": _entries_read(group),
            b"lag": held.lag(group),
        }
        for group_name, group in held.sorted_groups()
    ]


@command(
    "XINFO CONSUMERS",
    _KEY,
    value("groupname"),
    flags=Flags.READONLY,
    group="stream",
    since="5.0.0",
    history={"7.2.0": "Added the `inactive` field, and changed the meaning of `idle`."},
    tips=("nondeterministic_output",),
)
def xinfo_consumers(ctx: Context, name: bytes, group_name: bytes) -> list[dict[bytes, Any]]:
    """Tells about the consumers of a consumer group. Times are milliseconds, -1 where there was none."""
    group = _stream(ctx, name).groups.get(group_name)
    if group is None:
        raise no_group("No such consumer group '{}' for key name '{}'", group_name, name)
    now = ctx.now
    return [
        {
            b"name": consumer.name,
            b"pending": len(consumer.ids),
            b"idle": max(0, now - consumer.seen),
            b"inactive": -1 if consumer.active is None else now - consumer.active,
        }
        for consumer in group.sorted_consumers()
    ]
