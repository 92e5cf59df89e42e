"""Consumer groups: making and ending them and their consumers.

What they read is in ``stream_reading``, who owns it in ``stream_claims``.
"""

from __future__ import annotations

from typing import Final

from ..errors import ReplyError
from ..keyspace.freeing import SMALL
from ..resp.numbers import parse_int
from ..resp.replies import OK, Simple
from ..values.stream_groups import UNKNOWN, Group
from ..values.streams import StreamValue
from .context import Context
from .flags import Flags, KeyUse
from .grammar import flag, integer, key, maybe, one_of, value
from .spec import command, container
from .stream_ids import find_stream, no_group, notice, parse_id, wrong_subcommand

_INSERT: Final = key("key", KeyUse.RW | KeyUse.INSERT)
_UPDATE: Final = key("key", KeyUse.RW | KeyUse.UPDATE)
_DELETE: Final = key("key", KeyUse.RW | KeyUse.DELETE)
_GROUP: Final = value("groupname")
_CONSUMER: Final = value("consumername")
_ID: Final = one_of("id-selector", value("id"), flag("$", "new-id"))
_ENTRIES_READ: Final = maybe(integer("entries_read", token="ENTRIESREAD"))

container("XGROUP", group="stream", since="5.0.0", doc="A container for consumer groups commands.")


def _stream(ctx: Context, name: bytes) -> StreamValue:
    """The stream, which has to be there. Raises ReplyError."""
    held = find_stream(ctx, name)
    if held is None:
        raise ReplyError(
            "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the "
            "MKSTREAM option to create an empty stream automatically."
        )
    return held


def _group(ctx: Context, name: bytes, group: bytes) -> tuple[StreamValue, Group]:
    """The stream and its group, which have to be there. Raises ReplyError."""
    held = _stream(ctx, name)
    found = held.groups.get(group)
    if found is None:
        raise no_group("No such consumer group '{}' for key name '{}'", group, name)
    return held, found


def _read_options(words: list[bytes], *, creating: bool) -> tuple[bool, int]:
    """MKSTREAM and ENTRIESREAD, from ``words[5]`` on. Raises ReplyError."""
    make = False
    entries_read = UNKNOWN
    at, end = 5, len(words)
    while at < end:
        token = words[at].upper()
        if token == b"MKSTREAM" and creating:
            make = True
            at += 1
        elif token == b"ENTRIESREAD" and at + 1 < end:
            entries_read = parse_int(words[at + 1])
            if entries_read < 0 and entries_read != UNKNOWN:
                raise ReplyError("ERR value for ENTRIESREAD must be positive or -1")
            at += 2
        else:
            raise wrong_subcommand(words)
    return make, entries_read


@command(
    "XGROUP CREATE",
    _INSERT,
    _GROUP,
    _ID,
    maybe(flag("MKSTREAM")),
    _ENTRIES_READ,
    flags=Flags.WRITE | Flags.DENYOOM,
    group="stream",
    since="5.0.0",
    history={"7.0.0": "Added the `entries_read` named argument."},
    raw=True,  # a fault of the options is told before one of the key, one of the id after
)
def xgroup_create(ctx: Context, words: list[bytes]) -> Simple:
    """Creates a consumer group, which has read the stream up to an id."""
    name, group_name = words[2], words[3]
    make, entries_read = _read_options(words, creating=True)
    held = find_stream(ctx, name) if make else _stream(ctx, name)
    if len(words) > 8:
        raise wrong_subcommand(words)
    if words[4] != b"$":
        id = parse_id(words[4])
    else:
        id = 0 if held is None else held.last_id
    if held is None:
        held = StreamValue()
        ctx.create(name, held)
        held.groups[group_name] = Group(id, entries_read)
        ctx.touch(name, "xgroup-create")
        return OK
    if group_name in held.groups:
        raise ReplyError("BUSYGROUP Consumer Group name already exists")
    held.groups[group_name] = Group(id, entries_read)
    notice(ctx, name, "xgroup-create")
    return OK


@command(
    "XGROUP SETID",
    _UPDATE,
    _GROUP,
    _ID,
    _ENTRIES_READ,
    flags=Flags.WRITE,
    group="stream",
    since="5.0.0",
    history={"7.0.0": "Added the optional `entries_read` argument."},
    raw=True,  # as XGROUP CREATE
)
def xgroup_setid(ctx: Context, words: list[bytes]) -> Simple:
    """Sets up to which id a consumer group has read its stream."""
    name = words[2]
    _, entries_read = _read_options(words, creating=False)
    held, group = _group(ctx, name, words[3])
    if len(words) not in (5, 7):
        raise wrong_subcommand(words)
    group.last_id = held.last_id if words[4] == b"$" else parse_id(words[4], strict=False)
    group.entries_read = entries_read
    notice(ctx, name, "xgroup-setid")
    return OK


@command(
    "XGROUP DESTROY",
    _DELETE,
    _GROUP,
    flags=Flags.WRITE,
    group="stream",
    since="5.0.0",
    complexity="O(N) where N is the number of entries in the group's pending entries list (PEL).",
)
def xgroup_destroy(ctx: Context, name: bytes, group_name: bytes) -> int:
    """Ends a consumer group with all that is pending in it. Who waits for its entries is told that it is gone."""
    held = _stream(ctx, name)
    group = held.groups.pop(group_name, None)
    if group is None:
        return 0
    if len(group.pending) > SMALL:
        ctx.db.freeing.give_parts(group.take_apart())
    notice(ctx, name, "xgroup-destroy")
    ctx.host.awaken(ctx.db, name)
    return 1


@command(
    "XGROUP CREATECONSUMER",
    _INSERT,
    _GROUP,
    _CONSUMER,
    flags=Flags.WRITE | Flags.DENYOOM,
    group="stream",
    since="6.2.0",
)
def xgroup_createconsumer(ctx: Context, name: bytes, group_name: bytes, consumer: bytes) -> int:
    """Creates a consumer in a consumer group; returns 0 if it is there already."""
    _, group = _group(ctx, name, group_name)
    if consumer in group.consumers:
        return 0
    group.add_consumer(consumer, ctx.now)
    notice(ctx, name, "xgroup-createconsumer")
    return 1


@command(
    "XGROUP DELCONSUMER",
    _DELETE,
    _GROUP,
    _CONSUMER,
    flags=Flags.WRITE,
    group="stream",
    since="5.0.0",
)
def xgroup_delconsumer(ctx: Context, name: bytes, group_name: bytes, consumer: bytes) -> int:
    """Deletes a consumer of a consumer group; returns how many entries were pending for it."""
    _, group = _group(ctx, name, group_name)
    count = group.remove_consumer(consumer)
    if count is None:
        return 0
    notice(ctx, name, "xgroup-delconsumer")
    return count
