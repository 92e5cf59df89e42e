"""Pending entries change hands: XCLAIM and XAUTOCLAIM, and how replicas are told."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

from ..errors import NotAnInteger, ReplyError, SyntaxFault
from ..resp.numbers import parse_int
from ..values.stream_groups import Consumer, Delivery, Group
from ..values.stream_ids import format_id
from .context import Context
from .flags import Flags, KeyUse
from .grammar import flag, integer, key, maybe, unix_time, value
from .spec import command
from .stream_ids import group_of, notice, parse_id, parse_start, propagate_only

_UPDATE: Final = key("key", KeyUse.RW | KeyUse.UPDATE)
_DELETE: Final = key("key", KeyUse.RW | KeyUse.DELETE)

#: XAUTOCLAIM looks at this many pending entries for each that it may claim.
_ATTEMPTS: Final = 10
_CLAIMS_MAX: Final = (2**63 - 1) // 16
_CLAIMS: Final = 100
#: Entries that XAUTOCLAIM looks up at once.
_PORTION: Final = 128


def consumer_of(ctx: Context, name: bytes, group: Group, consumer_name: bytes) -> Consumer:
    """The consumer, made if there is none, seen now."""
    consumer = group.consumers.get(consumer_name)
    if consumer is None:
        consumer = group.add_consumer(consumer_name, ctx.now)
        notice(ctx, name, "xgroup-createconsumer")
    consumer.seen = ctx.now
    return consumer


def replicate_claim(ctx: Context, name: bytes, group_name: bytes, group: Group, id: bytes, delivery: Delivery) -> None:
    """Propagate where a pending entry stands now, in a way that may be repeated."""
    ctx.replicate(
        b"XCLAIM",
        name,
        group_name,
        delivery.owner.name,
        b"0",
        id,
        b"TIME",
        b"%d" % delivery.time,
        b"RETRYCOUNT",
        b"%d" % delivery.count,
        b"FORCE",
        b"JUSTID",
        b"LASTID",
        format_id(group.last_id),
    )


def replicate_position(ctx: Context, name: bytes, group_name: bytes, group: Group) -> None:
    """Propagate up to where a group has read."""
    position = (format_id(group.last_id), b"ENTRIESREAD", b"%d" % group.entries_read)
    ctx.replicate(b"XGROUP", b"SETID", name, group_name, *position)


def _number(word: bytes, text: str) -> int:
    try:
        return parse_int(word)
    except NotAnInteger:
        raise ReplyError(text) from None


# ---- XCLAIM


class _ClaimOptions:
    """What stands behind the ids of XCLAIM."""

    __slots__ = ("count", "force", "just_ids", "last_id", "time")

    def __init__(self, ctx: Context, words: list[bytes], at: int) -> None:
        self.time: int = -1
        self.count: int | None = None
        self.force = self.just_ids = False
        self.last_id = 0
        now = ctx.now
        end = len(words)
        while at < end:
            token = words[at].upper()
            if token == b"FORCE":
                self.force = True
            elif token == b"JUSTID":
                self.just_ids = True
            elif at + 1 == end or token not in (b"IDLE", b"TIME", b"RETRYCOUNT", b"LASTID"):
                shown = words[at].decode("utf-8", "surrogateescape")
                raise ReplyError(f"ERR Unrecognized XCLAIM option '{shown}'")
            else:
                at += 1
                self._take(token, words[at], now)
            at += 1
        # A client's clock may be ahead of ours, and that is no reason to refuse.
        if not 0 <= self.time <= now:
            self.time = now

    def _take(self, token: bytes, word: bytes, now: int) -> None:
        if token == b"LASTID":
            self.last_id = parse_id(word)
            return
        number = _number(word, f"ERR Invalid {token.decode()} option argument for XCLAIM")
        if token == b"IDLE":
            self.time = now - number
        elif token == b"TIME":
            self.time = number
        else:
            self.count = number if number >= 0 else None


@command(
    "XCLAIM",
    _UPDATE,
    value("group"),
    value("consumer"),
    value("min-idle-time"),
    value("id", many=True),
    maybe(integer("ms", token="IDLE")),
    maybe(unix_time("unix-time-milliseconds", token="TIME")),
    maybe(integer("count", token="RETRYCOUNT")),
    maybe(flag("FORCE")),
    maybe(flag("JUSTID")),
    maybe(value("id", token="LASTID")),
    flags=Flags.WRITE | Flags.FAST,
    group="stream",
    since="5.0.0",
    complexity="O(log N) with N being the number of messages in the PEL of the consumer group.",
    tips=("nondeterministic_output",),
    raw=True,  # the ids end where a word is none
)
def xclaim(ctx: Context, words: list[bytes]) -> list[Any]:
    """Makes pending entries another consumer's, if they have been idle for long enough; returns those that moved."""
    name, group_name = words[1], words[2]
    held, group = group_of(ctx, name, group_name)
    least_idle = max(0, _number(words[4], "ERR Invalid min-idle-time argument for XCLAIM"))
    ids: list[int] = []
    for word in words[5:]:
        try:
            ids.append(parse_id(word))
        except ReplyError:
            break  # the options begin here, if it is one of them
    options = _ClaimOptions(ctx, words, 5 + len(ids))
    propagate_only(ctx)
    moved = options.last_id > group.last_id
    if moved:
        group.last_id = options.last_id
    consumer = consumer_of(ctx, name, group, words[3])
    entries = held.look_up(ids)
    claimed: list[Any] = []
    for id, word in zip(ids, words[5:], strict=False):
        delivery = group.pending.get(id)
        entry = entries.get(id)
        if entry is None:
            if delivery is None:
                continue
            group.forget(id)  # it was deleted: nobody can do anything about it any more
        elif delivery is None and not options.force:
            continue
        else:
            if delivery is None:
                delivery = group.deliver(id, consumer, options.time, 1)
            elif least_idle and ctx.now - delivery.time < least_idle:
                continue
            _hand_over(ctx, group, id, delivery, consumer, options)
            claimed.append(format_id(id) if options.just_ids else [format_id(id), entry])
        replicate_claim(ctx, name, group_name, group, word, delivery)
        moved = False  # each claim tells the last id with it
        ctx.dirty += 1
    if moved:
        replicate_position(ctx, name, group_name, group)
        ctx.dirty += 1
    return claimed


def _hand_over(
    ctx: Context, group: Group, id: int, delivery: Delivery, consumer: Consumer, options: _ClaimOptions
) -> None:
    delivery.time = options.time
    if options.count is not None:
        delivery.count = options.count
    elif not options.just_ids:
        delivery.count += 1
    group.move(id, delivery, consumer)
    consumer.active = ctx.now


# ---- XAUTOCLAIM


@command(
    "XAUTOCLAIM",
    _DELETE,
    value("group"),
    value("consumer"),
    value("min-idle-time"),
    value("start"),
    maybe(integer("count", token="COUNT")),
    maybe(flag("JUSTID")),
    flags=Flags.WRITE | Flags.FAST,
    group="stream",
    since="6.2.0",
    complexity="O(1) if COUNT is small.",
    history={
        "7.0.0": "Added an element to the reply array, containing deleted entries the command cleared from the PEL"
    },
    tips=("nondeterministic_output",),
    raw=True,  # faults are told before the key is looked at, in the order of the words
)
def xautoclaim(ctx: Context, words: list[bytes]) -> list[Any]:
    """Makes pending entries that have been idle for long enough another consumer's, some at a time, from a start on."""
    least_idle = max(0, _number(words[4], "ERR Invalid min-idle-time argument for XAUTOCLAIM"))
    start = parse_start(words[5])
    count, just_ids = _read_autoclaim(words)
    name, group_name = words[1], words[2]
    held, group = group_of(ctx, name, group_name)
    propagate_only(ctx)
    consumer = consumer_of(ctx, name, group, words[3])
    claimed: list[Any] = []
    deleted: list[bytes] = []
    left = count
    attempts = count * _ATTEMPTS
    # What is claimed or forgotten changes the order of pending entries, so they are walked in portions.
    while left and attempts:
        portion = list(islice(group.pending_ids(start), min(_PORTION, attempts)))
        if not portion:
            break
        entries = held.look_up(portion)
        for id in portion:
            attempts -= 1
            start = id + 1
            delivery = group.pending[id]
            entry = entries.get(id)
            if entry is None:
                replicate_claim(ctx, name, group_name, group, format_id(id), delivery)
                ctx.dirty += 1
                group.forget(id)
                deleted.append(format_id(id))
            elif least_idle and ctx.now - delivery.time < least_idle:
                continue
            else:
                delivery.time = ctx.now
                delivery.count += not just_ids
                group.move(id, delivery, consumer)
                consumer.active = ctx.now
                claimed.append(format_id(id) if just_ids else [format_id(id), entry])
                replicate_claim(ctx, name, group_name, group, format_id(id), delivery)
                ctx.dirty += 1
            left -= 1
            if not left:
                break
    return [format_id(next(group.pending_ids(start), 0)), claimed, deleted]


def _read_autoclaim(words: list[bytes]) -> tuple[int, bool]:
    """COUNT and JUSTID. Raises ReplyError."""
    count = _CLAIMS
    just_ids = False
    at, end = 6, len(words)
    while at < end:
        token = words[at].upper()
        if token == b"COUNT" and at + 1 < end:
            count = _number(words[at + 1], "ERR COUNT must be > 0")
            if not 1 <= count <= _CLAIMS_MAX:
                raise ReplyError("ERR COUNT must be > 0")
            at += 2
        elif token == b"JUSTID":
            just_ids = True
            at += 1
        else:
            raise SyntaxFault
    return count, just_ids
