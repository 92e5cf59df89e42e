"""Messages: to whoever listens to a channel, by its name or by a pattern; and shard channels, which belong to a hash
slot."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..cluster.orders import SendPublish
from ..errors import ReplyError
from ..pubsub.channels import Way, own_names
from ..resp.encoder import encode
from ..resp.replies import NO_REPLY, Encoded, Push, Reply
from ..values.globs import glob
from .context import Context
from .flags import AtIndex, Flags, KeySpec, KeyUse, Range
from .grammar import maybe, pattern, value
from .session import NAME_BYTES, Session
from .spec import command, container

_LISTEN: Final = Flags.PUBSUB | Flags.NOSCRIPT | Flags.LOADING | Flags.STALE
_PUBLISH: Final = Flags.PUBSUB | Flags.LOADING | Flags.STALE | Flags.FAST | Flags.MAY_REPLICATE
_ASK: Final = Flags.PUBSUB | Flags.LOADING | Flags.STALE

# A shard channel is no key, but it has a slot, and requests find their node by it.
_SHARD_CHANNEL: Final = (KeySpec(KeyUse.NOT_KEY, AtIndex(1), Range(0)),)
_SHARD_CHANNELS: Final = (KeySpec(KeyUse.NOT_KEY, AtIndex(1), Range(-1)),)


# ---- listening


def _left(session: Session, way: Way) -> int:
    """The count in a confirmation: shard channels are counted by themselves."""
    if way is Way.SHARD:
        return len(session.shard_channels)
    return len(session.channels) + len(session.patterns)


def _confirm(ctx: Context, frames: Iterable[bytes]) -> Reply:
    """One frame for each name is the whole reply; like every push it goes out even if replies are off."""
    session = ctx.session
    session.refresh()
    ctx.host.limits.weigh(session)
    if ctx.inside and not session.reply_off and not session.reply_skip:
        return Encoded(b"".join(frames))  # in its place among the replies of the transaction
    session.out.extend(frames)
    return NO_REPLY


def _subscribe(ctx: Context, names: Iterable[bytes], way: Way) -> Reply:
    session = ctx.session
    verb = b"%bsubscribe" % way.value.encode()
    frames = []
    for name in names:
        if ctx.host.messages.channels.subscribe(session, name, way):
            session.subscribed_bytes += NAME_BYTES + len(name)
        frames.append(encode(Push([verb, name, _left(session, way)]), session.resp3))
    return _confirm(ctx, frames)


def _unsubscribe(ctx: Context, names: Iterable[bytes], way: Way) -> Reply:
    """Without names all subscriptions of this way end; a client that has none is told of nil."""
    session = ctx.session
    verb = b"%bunsubscribe" % way.value.encode()
    frames = []
    for name in names or list(own_names(session, way)) or (None,):
        if name is not None and ctx.host.messages.channels.unsubscribe(session, name, way):
            session.subscribed_bytes -= NAME_BYTES + len(name)
        frames.append(encode(Push([verb, name, _left(session, way)]), session.resp3))
    return _confirm(ctx, frames)


@command(
    "SUBSCRIBE",
    value("channel", many=True),
    flags=_LISTEN,
    group="pubsub",
    since="2.0.0",
    complexity="O(N) where N is the number of channels to subscribe to",
)
def subscribe(ctx: Context, *channels: bytes) -> Reply:
    """Listens to channels."""
    return _subscribe(ctx, channels, Way.EXACT)


@command(
    "PSUBSCRIBE",
    pattern("pattern", many=True),
    flags=_LISTEN,
    group="pubsub",
    since="2.0.0",
    complexity="O(N) where N is the number of patterns to subscribe to",
)
def psubscribe(ctx: Context, *patterns: bytes) -> Reply:
    """Listens to all channels whose names match a pattern."""
    return _subscribe(ctx, patterns, Way.PATTERN)


@command(
    "SSUBSCRIBE",
    value("shardchannel", many=True),
    flags=_LISTEN,
    group="pubsub",
    since="7.0.0",
    complexity="O(N) where N is the number of shard channels to subscribe to",
    keys=_SHARD_CHANNELS,
)
def ssubscribe(ctx: Context, *channels: bytes) -> Reply:
    """Listens to shard channels."""
    if ctx.inside:
        # Unlike the others: within a transaction the slot of the channel may be gone by the time it runs.
        raise ReplyError("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
    return _subscribe(ctx, channels, Way.SHARD)


@command(
    "UNSUBSCRIBE",
    maybe(value("channel", many=True)),
    flags=_LISTEN,
    group="pubsub",
    since="2.0.0",
    complexity="O(N) where N is the number of channels to unsubscribe from",
)
def unsubscribe(ctx: Context, *channels: bytes) -> Reply:
    """Stops listening to channels, or to all of them."""
    return _unsubscribe(ctx, channels, Way.EXACT)


@command(
    "PUNSUBSCRIBE",
    maybe(pattern("pattern", many=True)),
    flags=_LISTEN,
    group="pubsub",
    since="2.0.0",
    complexity="O(N) where N is the number of patterns to unsubscribe from",
)
def punsubscribe(ctx: Context, *patterns: bytes) -> Reply:
    """Stops listening by patterns, or by all of them."""
    return _unsubscribe(ctx, patterns, Way.PATTERN)


@command(
    "SUNSUBSCRIBE",
    maybe(value("shardchannel", many=True)),
    flags=_LISTEN,
    group="pubsub",
    since="7.0.0",
    complexity="O(N) where N is the number of shard channels to unsubscribe from",
    keys=_SHARD_CHANNELS,
)
def sunsubscribe(ctx: Context, *channels: bytes) -> Reply:
    """Stops listening to shard channels, or to all of them."""
    return _unsubscribe(ctx, channels, Way.SHARD)


# ---- publishing


def _publish(ctx: Context, channel: bytes, message: bytes, *, sharded: bool) -> int:
    count = ctx.host.messages.publish(channel, message, sharded=sharded)
    if ctx.host.cluster is not None:
        ctx.host.cluster.order(SendPublish(channel, message, sharded))
    else:
        ctx.host.propagation.add_message(ctx.db, ctx.words)
    return count


@command(
    "PUBLISH",
    value("channel"),
    value("message"),
    flags=_PUBLISH,
    group="pubsub",
    since="2.0.0",
    complexity="O(N+M) where N is the number of subscribers of the channel and M is the number of patterns that "
    "anybody has subscribed to",
)
def publish(ctx: Context, channel: bytes, message: bytes) -> int:
    """Sends a message to all who listen to a channel; returns how many of them this node has."""
    return _publish(ctx, channel, message, sharded=False)


@command(
    "SPUBLISH",
    value("shardchannel"),
    value("message"),
    flags=_PUBLISH,
    group="pubsub",
    since="7.0.0",
    complexity="O(N) where N is the number of subscribers of the shard channel",
    keys=_SHARD_CHANNEL,
)
def spublish(ctx: Context, channel: bytes, message: bytes) -> int:
    """Sends a message to all who listen to a shard channel; returns how many of them this node has."""
    return _publish(ctx, channel, message, sharded=True)


# ---- asking

container(
    "PUBSUB",
    group="pubsub",
    since="2.8.0",
    doc="A container for the commands that tell of channels and their subscribers.",
)


def _channels(ctx: Context, words: list[bytes], way: Way) -> list[bytes]:
    if len(words) > 3:
        shown = words[1][:128].decode("utf-8", "surrogateescape")
        raise ReplyError(f"ERR unknown subcommand or wrong number of arguments for '{shown}'. Try PUBSUB HELP.")
    names = ctx.host.messages.channels.names(way)
    return names if len(words) == 2 else list(filter(glob(words[2]), names))


def _counts(ctx: Context, names: Iterable[bytes], way: Way) -> list[bytes | int]:
    channels = ctx.host.messages.channels
    reply: list[bytes | int] = []
    for name in names:
        reply += (name, channels.count(name, way))
    return reply


@command(
    "PUBSUB CHANNELS",
    maybe(pattern("pattern")),
    flags=_ASK,
    group="pubsub",
    since="2.8.0",
    complexity="O(N) where N is the number of channels with subscribers",
    raw=True,  # too many words have a text of their own
)
def pubsub_channels(ctx: Context, words: list[bytes]) -> list[bytes]:
    """Returns the channels that have subscribers, all or those that match a pattern."""
    return _channels(ctx, words, Way.EXACT)


@command(
    "PUBSUB SHARDCHANNELS",
    maybe(pattern("pattern")),
    flags=_ASK,
    group="pubsub",
    since="7.0.0",
    complexity="O(N) where N is the number of shard channels with subscribers",
    raw=True,  # as for PUBSUB CHANNELS
)
def pubsub_shardchannels(ctx: Context, words: list[bytes]) -> list[bytes]:
    """Returns the shard channels that have subscribers, all or those that match a pattern."""
    return _channels(ctx, words, Way.SHARD)


@command(
    "PUBSUB NUMSUB",
    maybe(value("channel", many=True)),
    flags=_ASK,
    group="pubsub",
    since="2.8.0",
    complexity="O(N) where N is the number of channels asked for",
)
def pubsub_numsub(ctx: Context, *channels: bytes) -> list[bytes | int]:
    """Returns for each channel how many have subscribed to it by name."""
    return _counts(ctx, channels, Way.EXACT)


@command(
    "PUBSUB SHARDNUMSUB",
    maybe(value("shardchannel", many=True)),
    flags=_ASK,
    group="pubsub",
    since="7.0.0",
    complexity="O(N) where N is the number of shard channels asked for",
)
def pubsub_shardnumsub(ctx: Context, *channels: bytes) -> list[bytes | int]:
    """Returns for each shard channel how many have subscribed to it."""
    return _counts(ctx, channels, Way.SHARD)


@command("PUBSUB NUMPAT", flags=_ASK, group="pubsub", since="2.8.0")
def pubsub_numpat(ctx: Context) -> int:
    """Returns how many different patterns are subscribed to."""
    return ctx.host.messages.channels.total(Way.PATTERN)
