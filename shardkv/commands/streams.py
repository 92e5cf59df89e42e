"""Stream commands on the entries themselves.

Reading and waiting is in ``stream_reading``, groups are in ``stream_groups``.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from ..errors import ReplyError, SyntaxFault
from ..resp.numbers import parse_int
from ..resp.replies import OK, NullArray, Simple
from ..values.stream_ids import MAX_ID, format_id
from ..values.stream_nodes import ENTRY_BYTES_MAX
from ..values.streams import StreamValue
from .context import Context
from .digest import digests, mix
from .flags import READ, Flags, KeyUse
from .grammar import block, flag, integer, key, maybe, one_of, value
from .spec import command
from .stream_ids import entry_replies, find_stream, notice, parse_end, parse_id, parse_start, read_stream
from .stream_trim import TRIM, TrimOptions, read_trim

_UPDATE = KeyUse.RW | KeyUse.UPDATE
_DELETE = KeyUse.RW | KeyUse.DELETE
_EMPTY = StreamValue()


@digests(StreamValue, 6)
def _digest(digest: bytes, held: StreamValue) -> bytes:
    for item in held.digest_items():
        digest = mix(digest, item)
    return digest


# ---- adding


@command(
    "XADD",
    key("key", _UPDATE),
    maybe(flag("NOMKSTREAM")),
    maybe(TRIM),
    one_of("id-selector", flag("*", "auto-id"), value("id")),
    block("data", value("field"), value("value"), many=True),
    flags=Flags.WRITE | Flags.DENYOOM | Flags.FAST,
    group="stream",
    since="5.0.0",
    complexity="O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.",
    history={
        "6.2.0": "Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option.",
        "7.0.0": "Added support for the `<ms>-*` explicit ID form.",
    },
    tips=("nondeterministic_output",),
    raw=True,  # options stand before the id, and the id ends them
)
def xadd(ctx: Context, words: list[bytes]) -> bytes | None:
    """Appends an entry to a stream and returns its id. Creates the key if it doesn't exist."""
    if words[2] == b"*":
        options = None
        data = words[3:]
    else:
        options = read_trim(ctx, words, adding=True)
        data = words[options.id_at + 1 :] if options.id_at else []
    if not data or len(data) % 2:
        raise ReplyError("ERR wrong number of arguments for 'xadd' command")
    if options is not None and options.id == 0 and options.sequence_given:
        raise ReplyError("ERR The ID specified in XADD must be greater than 0-0")
    name = words[1]
    held = find_stream(ctx, name)
    if held is None and options is not None and not options.make:
        return None
    id = _new_id(ctx, _EMPTY if held is None else held, options)
    if sum(map(len, data)) > ENTRY_BYTES_MAX:
        raise ReplyError("ERR Elements are too large to be stored")
    if held is None:
        held = StreamValue()
        ctx.create(name, held)
    config = ctx.host.config
    held.append(id, data, config.stream_node_max_entries, config.stream_node_max_bytes)
    shown = format_id(id)
    ctx.touch(name, "xadd")
    _finish(ctx, words, held, options, shown)
    return shown


def _new_id(ctx: Context, held: StreamValue, options: TrimOptions | None) -> int:
    if held.last_id == MAX_ID:
        raise ReplyError("ERR The stream has exhausted the last possible ID, unable to add more items")
    if options is None or options.id is None:
        return held.next_id(ctx.now)
    id = options.id if options.sequence_given else held.next_in(options.id >> 64)
    if id is None or id <= held.last_id:
        raise ReplyError("ERR The ID specified in XADD is equal or smaller than the target stream top item")
    return id


def _finish(ctx: Context, words: list[bytes], held: StreamValue, options: TrimOptions | None, id: bytes) -> None:
    """Trim, and propagate what was left to chance as what it came to."""
    if options is None:
        ctx.replicate(*words[:2], id, *words[3:])
        return
    exact = words
    if options.wanted:
        if options.apply(held):
            notice(ctx, words[1], "xtrim", 0)
        if options.approximately:
            exact = options.exact_words(words, held)
    if options.id is None or not options.sequence_given:
        exact = [*exact[: options.id_at], id, *exact[options.id_at + 1 :]]
    if exact is not words:
        ctx.replicate(*exact)


@command(
    "XSETID",
    key("key", _UPDATE),
    value("last-id"),
    maybe(integer("entries_added", token="ENTRIESADDED")),
    maybe(value("max_deleted_entry_id", token="MAXDELETEDID")),
    flags=Flags.WRITE | Flags.DENYOOM | Flags.FAST,
    group="stream",
    since="5.0.0",
    history={"7.0.0": "Added the `entries_added` and `max_deleted_entry_id` arguments."},
    raw=True,  # the first fault counts, whether of syntax or of a number
)
def xsetid(ctx: Context, words: list[bytes]) -> Simple:
    """Sets the last generated id of a stream, and with options its other counters. An internal command."""
    id = parse_id(words[2])
    added: int | None = None
    max_deleted = 0
    at, end = 3, len(words)
    while at < end:
        token = words[at].upper()
        if at + 1 == end or token not in (b"ENTRIESADDED", b"MAXDELETEDID"):
            raise SyntaxFault
        if token == b"ENTRIESADDED":
            added = parse_int(words[at + 1])
            if added < 0:
                raise ReplyError("ERR entries_added must be positive")
        else:
            max_deleted = parse_id(words[at + 1])
            if id < max_deleted:
                raise ReplyError("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
        at += 2
    held = find_stream(ctx, words[1])
    if held is None:
        raise ReplyError("ERR no such key")
    if id < held.max_deleted_id:
        raise ReplyError("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")
    if held.length and id < held.top_id:
        raise ReplyError("ERR The ID specified in XSETID is smaller than the target stream top item")
    if held.length and added is not None and added < held.length:
        raise ReplyError("ERR The entries_added specified in XSETID is smaller than the target stream length")
    held.last_id = id
    if added is not None:
        held.entries_added = added
    if max_deleted:
        held.max_deleted_id = max_deleted
    notice(ctx, words[1], "xsetid")
    return OK


# ---- deleting


@command(
    "XDEL",
    key("key", _DELETE),
    value("id", many=True),
    flags=Flags.WRITE | Flags.FAST,
    group="stream",
    since="5.0.0",
    complexity="O(1) for each single item to delete in the stream, regardless of the stream size.",
)
def xdel(ctx: Context, name: bytes, *words: bytes) -> int:
    """Deletes entries by their ids; returns how many of them there were."""
    held = find_stream(ctx, name)
    if held is None:
        return 0
    count = held.delete([parse_id(word) for word in words])
    if count:
        ctx.touch(name, "xdel", count)
    return count


@command(
    "XTRIM",
    key("key", _DELETE),
    TRIM,
    flags=Flags.WRITE,
    group="stream",
    since="5.0.0",
    complexity=(
        "O(N), with N being the number of evicted entries. Constant times are very small however, since entries are "
        "organized in macro nodes containing multiple entries that can be released with a single deallocation."
    ),
    history={"6.2.0": "Added the `MINID` trimming strategy and the `LIMIT` option."},
    tips=("nondeterministic_output",),
    raw=True,  # shared with XADD
)
def xtrim(ctx: Context, words: list[bytes]) -> int:
    """Deletes entries from the front of a stream, down to a length or up to an id; returns how many."""
    options = read_trim(ctx, words, adding=False)
    name = words[1]
    held = find_stream(ctx, name)
    if held is None:
        return 0
    count = options.apply(held)
    if count:
        ctx.touch(name, "xtrim", count)
        if options.approximately:
            ctx.replicate(*options.exact_words(words, held))
    return count


# ---- reading


@command("XLEN", key("key", KeyUse.RO), flags=Flags.READONLY | Flags.FAST, group="stream", since="5.0.0")
def xlen(ctx: Context, name: bytes) -> int:
    """Returns the number of entries of a stream."""
    held = read_stream(ctx, name)
    return 0 if held is None else held.length


def _range(ctx: Context, words: list[bytes], start: int, end: int, *, reverse: bool) -> Any:
    count = None
    at, last = 4, len(words) - 1
    while at <= last:
        if words[at].upper() != b"COUNT" or at == last:
            raise SyntaxFault
        count = max(0, parse_int(words[at + 1]))
        at += 2
    held = read_stream(ctx, words[1])
    if held is None:
        return []
    if count == 0:
        return NullArray
    found = held.range(start, end, reverse=reverse)
    return entry_replies(islice(found, count))


_RANGE_COMPLEXITY = (
    "O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for the first 10 "
    "elements with COUNT), you can consider it O(1)."
)


@command(
    "XRANGE",
    key("key", READ),
    value("start"),
    value("end"),
    maybe(integer("count", token="COUNT")),
    flags=Flags.READONLY,
    group="stream",
    since="5.0.0",
    complexity=_RANGE_COMPLEXITY,
    history={"6.2.0": "Added exclusive ranges."},
    raw=True,  # the ids are judged before the options
)
def xrange(ctx: Context, words: list[bytes]) -> Any:
    """Returns the entries of a stream between two ids, both included unless they begin with a bracket."""
    start = parse_start(words[2])
    return _range(ctx, words, start, parse_end(words[3]), reverse=False)


@command(
    "XREVRANGE",
    key("key", READ),
    value("end"),
    value("start"),
    maybe(integer("count", token="COUNT")),
    flags=Flags.READONLY,
    group="stream",
    since="5.0.0",
    complexity=_RANGE_COMPLEXITY,
    history={"6.2.0": "Added exclusive ranges."},
    raw=True,  # as XRANGE
)
def xrevrange(ctx: Context, words: list[bytes]) -> Any:
    """Returns the entries of a stream between two ids, the last ones first."""
    start = parse_start(words[3])
    return _range(ctx, words, start, parse_end(words[2]), reverse=True)
