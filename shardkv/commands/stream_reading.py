"""XREAD and XREADGROUP: the entries behind an id, of several streams at once, now or when they come."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

from ..errors import NotAnInteger, ReplyError, SyntaxFault, WrongType
from ..resp.numbers import INT64_MAX, parse_int
from ..resp.replies import Named, NullArray
from ..values.stream_groups import Consumer, Group
from ..values.stream_ids import MAX_ID, format_id
from ..values.streams import StreamValue
from .context import Context
from .flags import READ, AtKeyword, Flags, KeySpec, Range
from .grammar import block, flag, integer, key, maybe, value
from .spec import command
from .stream_claims import consumer_of, replicate_claim, replicate_position
from .stream_ids import entry_replies, no_group, parse_id, propagate_only, read_stream

#: What an id can be beside an id.
_NEW: Final = MAX_ID  #: ``>``: what the group has not delivered yet; Redis takes the largest id for it as well
_LAST: Final = -1  #: ``+``: the last entry

_ONLY_FOR_GROUPS: Final = "ERR The {} option is only supported by XREADGROUP. You called XREAD instead."
_MEANINGLESS: Final = (
    "ERR The {0} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by "
    "specifying a proper ID, or use the > ID to get new messages. The {0} ID would just return an empty result set."
)

_STREAMS: Final = block("streams", key("key", READ, many=True), value("id", many=True), token="STREAMS")
_COUNT: Final = maybe(integer("count", token="COUNT"))
_BLOCK: Final = maybe(integer("milliseconds", token="BLOCK"))


class _Request:
    """The words of XREAD or XREADGROUP, understood."""

    __slots__ = ("consumer", "count", "deadline", "group", "ids", "keys", "noack", "waits")

    def __init__(self, ctx: Context, words: list[bytes], *, grouped: bool) -> None:
        self.count: int | None = None  #: entries of each stream
        self.waits = self.noack = False
        self.deadline: int | None = None
        self.group: bytes | None = None
        self.consumer = b""
        at = self._options(ctx, words, grouped)
        half = (len(words) - at) // 2
        self.keys = words[at : at + half]
        self.ids: list[int] = []
        for name, word in zip(self.keys, words[at + half :], strict=True):
            held = read_stream(ctx, name)
            if self.group is not None:
                _group_of(held, name, self.group)
            self.ids.append(_parse_position(held, word, grouped))

    def _options(self, ctx: Context, words: list[bytes], grouped: bool) -> int:
        """Read what stands before the keys; where these begin."""
        streams_at = 0
        at, end = 1, len(words)
        while at < end:
            token = words[at].upper()
            more = end - 1 - at
            if token == b"BLOCK" and more:
                self._wait_for(ctx, words[at + 1])
                at += 1
            elif token == b"COUNT" and more:
                count = parse_int(words[at + 1])
                self.count = count if count > 0 else None
                at += 1
            elif token == b"STREAMS" and more:
                streams_at = at + 1
                break
            elif token == b"GROUP" and more >= 2:
                if not grouped:
                    raise ReplyError(_ONLY_FOR_GROUPS.format("GROUP"))
                self.group, self.consumer = words[at + 1 : at + 3]
                at += 2
            elif token == b"NOACK":
                if not grouped:
                    raise ReplyError(_ONLY_FOR_GROUPS.format("NOACK"))
                self.noack = True
            else:
                raise SyntaxFault
            at += 1
        if not streams_at:
            raise SyntaxFault
        if (end - streams_at) % 2:
            name, sign = ("xreadgroup", ">") if grouped else ("xread", "$")
            raise ReplyError(
                f"ERR Unbalanced '{name}' list of streams: for each stream key an ID or '{sign}' must be specified."
            )
        if grouped and self.group is None:
            raise ReplyError("ERR Missing GROUP option for XREADGROUP")
        return streams_at

    def _wait_for(self, ctx: Context, word: bytes) -> None:
        try:
            milliseconds = parse_int(word)
        except NotAnInteger:
            raise ReplyError("ERR timeout is not an integer or out of range") from None
        if milliseconds < 0:
            raise ReplyError("ERR timeout is negative")
        if milliseconds > INT64_MAX - ctx.now:
            raise ReplyError("ERR timeout is out of range")
        self.waits = True
        self.deadline = ctx.now + milliseconds if milliseconds else None


def _group_of(held: StreamValue | None, name: bytes, group_name: bytes) -> Group:
    group = None if held is None else held.groups.get(group_name)
    if group is None:
        raise no_group("No such key '{}' or consumer group '{}' in XREADGROUP with GROUP option", name, group_name)
    return group


def _parse_position(held: StreamValue | None, word: bytes, grouped: bool) -> int:
    """The id behind which to read. Raises ReplyError."""
    if word in (b"$", b"+"):
        if grouped:
            raise ReplyError(_MEANINGLESS.format(word.decode()))
        if word == b"+":
            return _LAST
        return 0 if held is None else held.last_id
    if word == b">":
        if not grouped:
            raise ReplyError(
                "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
            )
        return _NEW
    return parse_id(word)


def _answer(found: list[tuple[bytes, list[Any]]]) -> Any:
    return Named(found) if found else None


# ---- XREAD


@command(
    "XREAD",
    _COUNT,
    _BLOCK,
    _STREAMS,
    flags=Flags.READONLY | Flags.BLOCKING,
    group="stream",
    since="5.0.0",
    keys=(KeySpec(READ, AtKeyword("STREAMS", 1), Range(-1, 1, 2)),),  # behind the word, half of what is left
    raw=True,  # the keys are looked at while the ids are parsed
)
def xread(ctx: Context, words: list[bytes]) -> Any:
    """Returns the entries behind an id of one or more streams. Waits until there are some, if told to."""
    request = _Request(ctx, words, grouped=False)
    reply = _read(ctx, request, [read_stream(ctx, name) for name in request.keys])
    if reply is not None:
        return reply
    if not request.waits:
        return NullArray

    def attempt(ctx: Context) -> Any:
        blocked = ctx.session.blocked
        assert blocked is not None
        if not isinstance(ctx.peek(blocked.woken_by), StreamValue):
            return None  # another type of value wakes nobody, but spoils the reading of the others
        streams: list[StreamValue | None] = []
        for held in map(ctx.peek, request.keys):
            if held is not None and not isinstance(held, StreamValue):
                raise WrongType
            streams.append(held)
        return _read(ctx, request, streams)

    return ctx.block(request.keys, request.deadline, attempt, NullArray)


def _read(ctx: Context, request: _Request, streams: list[StreamValue | None]) -> Any:
    """The reply, or None if there is nothing to read."""
    found: list[tuple[bytes, list[Any]]] = []
    for name, id, held in zip(request.keys, request.ids, streams, strict=True):
        if held is None or not held.length:
            continue
        top = held.top_id
        if id == _LAST:
            found.append((name, entry_replies(held.range(top))))
        elif top > id:
            found.append((name, entry_replies(islice(held.range(id + 1), request.count))))
    return _answer(found)


# ---- XREADGROUP


@command(
    "XREADGROUP",
    block("group-block", value("group"), value("consumer"), token="GROUP"),
    _COUNT,
    _BLOCK,
    maybe(flag("NOACK")),
    _STREAMS,
    flags=Flags.WRITE | Flags.BLOCKING,
    group="stream",
    since="5.0.0",
    complexity=(
        "For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. always "
        "asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when XREADGROUP "
        "blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream getting new data."
    ),
    keys=(KeySpec(READ, AtKeyword("STREAMS", 4), Range(-1, 1, 2)),),  # as XREAD, behind GROUP and its two names
    raw=True,  # as XREAD
)
def xreadgroup(ctx: Context, words: list[bytes]) -> Any:
    """Returns the entries of streams that a consumer group has not delivered yet, or what is pending for a consumer."""
    request = _Request(ctx, words, grouped=True)
    propagate_only(ctx)
    reply = _read_group(ctx, request)
    if reply is not None:
        return reply
    if not request.waits:
        return NullArray
    return ctx.block(request.keys, request.deadline, lambda ctx: _attempt(ctx, request), NullArray)


def _enter(ctx: Context, request: _Request, name: bytes) -> tuple[StreamValue, Group, Consumer]:
    """The stream, the group and the consumer, which is made if need be."""
    assert request.group is not None
    held = ctx.peek(name)
    assert isinstance(held, StreamValue)
    group = held.groups[request.group]
    if request.noack and request.consumer not in group.consumers:
        # Nothing else would tell replicas of it: no entry becomes pending.
        ctx.replicate(b"XGROUP", b"CREATECONSUMER", name, request.group, request.consumer)
    return held, group, consumer_of(ctx, name, group, request.consumer)


def _attempt(ctx: Context, request: _Request) -> Any:
    """Try again after a key was touched. Raises ReplyError when one of the groups is gone: nothing can come then."""
    assert request.group is not None
    ready = False
    for name in request.keys:
        held = ctx.peek(name)
        if held is not None and not isinstance(held, StreamValue):
            raise WrongType
        group = _group_of(held, name, request.group)
        ready = ready or (held is not None and held.top_id > group.last_id)
    if not ready:
        return None
    propagate_only(ctx)
    return _read_group(ctx, request)


def _read_group(ctx: Context, request: _Request) -> Any:
    """The reply, or None if nothing is new. What is delivered becomes pending, and the groups move on."""
    found: list[tuple[bytes, list[Any]]] = []
    for name, id in zip(request.keys, request.ids, strict=True):
        held, group, consumer = _enter(ctx, request, name)
        if id != _NEW:
            found.append((name, _history(ctx, request, held, group, consumer, id)))
        elif held.top_id > group.last_id:
            found.append((name, _deliver(ctx, request, name, held, group, consumer)))
    return _answer(found)


def _history(
    ctx: Context, request: _Request, held: StreamValue, group: Group, consumer: Consumer, id: int
) -> list[Any]:
    """What is pending for a consumer, behind an id. Entries that were deleted meanwhile are null."""
    ids = list(islice(group.pending_ids(id + 1, consumer=consumer), request.count))
    entries = held.look_up(ids)
    for id in entries:
        delivery = group.pending[id]
        delivery.time = ctx.now
        delivery.count += 1
    return [[format_id(id), entries.get(id, NullArray)] for id in ids]


def _deliver(
    ctx: Context, request: _Request, name: bytes, held: StreamValue, group: Group, consumer: Consumer
) -> list[Any]:
    """The entries that the group has not delivered yet."""
    assert request.group is not None
    replies: list[Any] = []
    for id, entry in islice(held.range(group.last_id + 1), request.count):
        held.delivered(group, id)
        shown = format_id(id)
        if not request.noack:
            delivery = group.deliver(id, consumer, ctx.now)
            consumer.active = ctx.now
            replicate_claim(ctx, name, request.group, group, shown, delivery)
        replies.append([shown, entry])
    # Claims tell the last id, but not how many entries were read up to it.
    replicate_position(ctx, name, request.group, group)
    ctx.dirty += 1
    return replies
