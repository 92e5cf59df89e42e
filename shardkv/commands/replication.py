"""Commands of replication: who follows whom, how a replica comes to its data, and who waits for how many of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ..errors import ReplyError, SyntaxFault
from ..replication.primary import Phase, Replica
from ..resp.numbers import parse_int
from ..resp.replies import NO_REPLY, OK, Reply, Simple
from .context import Context
from .debug import debug
from .flags import Doc, Flags
from .grammar import block, flag, integer, maybe, one_of, value
from .spec import command

_FOLLOW: Final = Flags.ADMIN | Flags.NO_ASYNC_LOADING | Flags.NOSCRIPT | Flags.STALE
_SYNC: Final = Flags.ADMIN | Flags.NO_ASYNC_LOADING | Flags.NO_MULTI | Flags.NOSCRIPT
_PORT_MAX: Final = 65535
_ADDRESS_MAX: Final = 512


# ---- who follows whom


def _follow(ctx: Context, host: bytes, port: bytes) -> Simple:
    if ctx.host.cluster is not None:
        raise ReplyError("ERR REPLICAOF not allowed in cluster mode.")
    replication = ctx.host.replication
    if replication.failover.active:
        raise ReplyError("ERR REPLICAOF not allowed while failing over.")
    if host.lower() == b"no" and port.lower() == b"one":
        if replication.following:
            replication.lead()
            ctx.host.world.log("notice", f"MASTER MODE enabled (user request from '{ctx.session.address}')")
        return OK
    if ctx.session.is_replica:
        raise ReplyError("ERR Command is not valid when client is a replica.")
    try:
        number = parse_int(port)
    except ReplyError:
        number = -1
    if not 0 <= number <= _PORT_MAX:
        raise ReplyError("ERR Invalid master port")
    address = (host.decode("utf-8", "surrogateescape"), number)
    known = replication.address
    if known is not None and (known[0].lower(), known[1]) == (address[0].lower(), number):
        return Simple("OK Already connected to specified master")
    replication.follow(*address)
    ctx.host.world.log("notice", f"REPLICAOF {address[0]}:{number} enabled (user request from '{ctx.session.address}')")
    return OK


_ADDRESS: Final = one_of(
    "args", block("host-port", value("host"), value("port")), block("no-one", flag("NO"), flag("ONE"))
)


@command(
    "REPLICAOF",
    _ADDRESS,
    flags=_FOLLOW,
    group="server",
    since="5.0.0",
    arity=3,  # two words in either form
    raw=True,  # NO ONE is told from an address by its words
)
def replicaof(ctx: Context, words: list[bytes]) -> Simple:
    """Makes this node a replica of another one, or a primary."""
    return _follow(ctx, words[1], words[2])


@command(
    "SLAVEOF",
    _ADDRESS,
    flags=_FOLLOW,
    group="server",
    since="1.0.0",
    arity=3,  # as for REPLICAOF
    raw=True,  # as for REPLICAOF
    doc_flags=Doc.DEPRECATED,
    replaced_by="`REPLICAOF`",
    deprecated_since="5.0.0",
)
def slaveof(ctx: Context, words: list[bytes]) -> Simple:
    """Makes this node a replica of another one, or a primary."""
    return _follow(ctx, words[1], words[2])


@command(
    "ROLE", flags=Flags.NOSCRIPT | Flags.LOADING | Flags.STALE | Flags.FAST, group="server", since="2.8.12",
    acl=("admin", "dangerous"),  # who replicates from where is for operators
)  # fmt: skip
def role(ctx: Context) -> Reply:
    """Tells whether this node is a primary, with its replicas, or a replica, with its primary, and how far it is."""
    replication = ctx.host.replication
    replication.flush()
    if replication.address is not None:
        host, port = replication.address
        link = replication.link
        word = "connect" if link is None else link.state.word
        offset = replication.history.offset if replication.history.known else -1
        return [b"slave", host.encode("utf-8", "surrogateescape"), port, word.encode(), offset]
    replicas: list[Reply] = [
        [replica.shown_address.encode(), b"%d" % replica.port, b"%d" % replica.acked]
        for replica in replication.primary.replicas.values()
        if replica.phase is Phase.ONLINE
    ]
    return [b"master", replication.history.offset, replicas]


# ---- how a replica comes to its data


@command("SYNC", flags=_SYNC, group="server", since="1.0.0")
def sync(ctx: Context) -> Any:
    """Makes this connection a replica's: a snapshot comes, and then all writes."""
    _refuse_filtered(ctx)
    return ctx.host.replication.syncs.synchronize(ctx.session, None, -1)


@command(
    "PSYNC",
    value("replicationid"),
    integer("offset"),
    flags=_SYNC,
    group="server",
    since="2.8.0",
    arity=-3,  # FAILOVER may follow
    raw=True,  # as is FAILOVER no word of the documented grammar
)
def psync(ctx: Context, words: list[bytes]) -> Any:
    """Makes this connection a replica's, which goes on from an offset of a history if that is possible."""
    replication = ctx.host.replication
    replication_id = words[1].decode("ascii", "backslashreplace")
    if len(words) > 3 and words[3].lower() == b"failover":
        _take_over(ctx, replication_id)
    _refuse_filtered(ctx)
    return replication.syncs.synchronize(ctx.session, replication_id.lower(), parse_int(words[2]))


def _refuse_filtered(ctx: Context) -> None:
    """A part of a snapshot is sent by its mark only, as in Redis. Raises ReplyError."""
    replica = ctx.session.replica
    if replica is not None and (replica.without_data or replica.without_functions) and not replica.takes_mark:
        raise ReplyError("ERR Filtered replica requires EOF capability")


def _take_over(ctx: Context, replication_id: str) -> None:
    """The primary of this node hands its place over. Raises ReplyError."""
    replication = ctx.host.replication
    ctx.host.world.log("warning", f"Failover request received for replid {replication_id}.")
    if not replication.following:
        raise ReplyError("ERR PSYNC FAILOVER can't be sent to a master.")
    if replication_id.lower() != replication.history.id:
        raise ReplyError("ERR PSYNC FAILOVER replid must match my replid.")
    replication.lead()
    ctx.host.world.log("notice", f"MASTER MODE enabled (failover request from '{ctx.session.address}')")


@command(
    "REPLCONF",
    flags=Flags.ADMIN | Flags.NOSCRIPT | Flags.LOADING | Flags.STALE | Flags.ALLOW_BUSY,
    group="server",
    since="3.0.0",
    arity=-1,  # any number of pairs
    raw=True,  # pairs of a name and a value
    doc_flags=Doc.SYSCMD,
)
def replconf(ctx: Context, words: list[bytes]) -> Any:
    """What replicas and primaries tell each other beside the data: ports, abilities, offsets."""
    if len(words) % 2 == 0:
        raise SyntaxFault
    replication = ctx.host.replication
    for at in range(1, len(words), 2):
        name, text = words[at].lower(), words[at + 1]
        if name == b"ack":
            return _acknowledged(ctx, words, at)
        if name == b"getack":
            if ctx.session.is_primary:
                replication.feed_in.want_ack()
            return NO_REPLY
        setter = _SETTERS.get(name)
        if setter is None:
            raise ReplyError(f"ERR Unrecognized REPLCONF option: {words[at].decode('utf-8', 'surrogateescape')}")
        setter(replication.introduce(ctx.session), text)
    return OK


def _acknowledged(ctx: Context, words: list[bytes], at: int) -> Any:
    """ACK offset [FACK offset]. Never answered, whoever says it."""
    if ctx.session.is_replica:
        try:
            offset = parse_int(words[at + 1])
            logged = parse_int(words[at + 3]) if len(words) > at + 3 and words[at + 2].lower() == b"fack" else 0
        except ReplyError:
            return NO_REPLY
        ctx.host.replication.acks.acknowledged(ctx.session, offset, logged)
    return NO_REPLY


def _set_port(replica: Replica, text: bytes) -> None:
    replica.port = parse_int(text)


def _set_address(replica: Replica, text: bytes) -> None:
    if len(text) >= _ADDRESS_MAX:
        raise ReplyError(f"ERR REPLCONF ip-address provided by replica instance is too long: {len(text)} bytes")
    replica.announced_address = text.decode("utf-8", "surrogateescape")


def _set_ability(replica: Replica, text: bytes) -> None:
    """What is not known here is passed over: it came later."""
    replica.takes_mark = replica.takes_mark or text.lower() == b"eof"
    replica.speaks_psync2 = replica.speaks_psync2 or text.lower() == b"psync2"


def _set_snapshot_only(replica: Replica, text: bytes) -> None:
    replica.snapshot_only = parse_int(text) == 1


def _set_filter(replica: Replica, text: bytes) -> None:
    words = text.split()
    for word in words:
        if word.lower() != b"functions":
            shown = word.decode("utf-8", "surrogateescape")
            raise ReplyError(f"ERR Unsupported rdb-filter-only option: {shown}")
    replica.without_data = True
    replica.without_functions = not words


def _set_version(replica: Replica, text: bytes) -> None:
    replica.version = text.decode("utf-8", "surrogateescape")


_SETTERS: Final[dict[bytes, Callable[[Replica, bytes], None]]] = {
    b"listening-port": _set_port,
    b"ip-address": _set_address,
    b"capa": _set_ability,
    b"rdb-only": _set_snapshot_only,
    b"rdb-filter-only": _set_filter,
    b"version": _set_version,
}


# ---- who waits for them


@command(
    "WAIT",
    integer("numreplicas"),
    value("timeout"),
    flags=Flags.NOSCRIPT,
    group="generic",
    since="3.0.0",
    acl=("connection",),  # Redis counts it among the connection's own commands
    drop_acl=("keyspace",),
    tips=("request_policy:all_shards", "response_policy:agg_min"),
)
def wait(ctx: Context, count: int, timeout: bytes) -> Any:
    """Waits until so many replicas have this client's writes, or for some milliseconds, and counts those that have."""
    replication = ctx.host.replication
    if replication.following:
        raise ReplyError(
            "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is "
            "configured to be writable (which is not the default) writes to replicas are just local and are not "
            "propagated."
        )
    milliseconds = wait_timeout(timeout)
    reached = replication.acks.reached(ctx.session)
    if reached >= count or ctx.inside:
        return reached
    deadline = ctx.now + milliseconds if milliseconds else None
    reply = ctx.block((), deadline, lambda ctx: None, reached)
    replication.acks.wait(ctx.session, count, -1)
    return reply


@command(
    "WAITAOF",
    integer("numlocal"),
    integer("numreplicas"),
    value("timeout"),
    flags=Flags.BLOCKING,
    group="generic",
    since="7.2.0",
    acl=("connection",),  # as for WAIT
    drop_acl=("keyspace",),
    tips=("request_policy:all_shards", "response_policy:agg_min"),
)
def waitaof(ctx: Context, local: int, count: int, timeout: bytes) -> Any:
    """Waits until this client's writes are safe in the logs of this node and of so many replicas, or for some
    milliseconds."""
    if not 0 <= local <= 1:
        raise ReplyError("ERR value is out of range, must be between 0 and 1")
    if count < 0:
        raise ReplyError("ERR value is out of range, must be positive")
    milliseconds = wait_timeout(timeout)
    replication = ctx.host.replication
    if replication.following:
        raise ReplyError(
            "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just "
            "local and are not propagated."
        )
    if local and not ctx.host.config.appendonly:
        raise ReplyError("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
    here, there = replication.acks.logged(ctx.session)
    if (here >= local and there >= count) or ctx.inside:
        return [here, there]
    deadline = ctx.now + milliseconds if milliseconds else None
    reply = ctx.block((), deadline, lambda ctx: None, [here, there])
    replication.acks.wait(ctx.session, count, local)
    return reply


def wait_timeout(word: bytes) -> int:
    """Milliseconds, 0 for ever. Raises ReplyError."""
    try:
        number = parse_int(word)
    except ReplyError:
        raise ReplyError("ERR timeout is not an integer or out of range") from None
    if number < 0:
        raise ReplyError("ERR timeout is negative")
    return number


# ---- handing over


@command(
    "FAILOVER",
    maybe(block("target", value("host"), integer("port"), maybe(flag("FORCE")), token="TO")),
    maybe(flag("ABORT")),
    maybe(integer("milliseconds", token="TIMEOUT")),
    flags=Flags.ADMIN | Flags.NOSCRIPT | Flags.STALE,
    group="server",
    since="6.2.0",
    arity=-1,  # all of it may be left out
    raw=True,  # the options come in any order, FORCE apart from TO
)
def failover(ctx: Context, words: list[bytes]) -> Simple:
    """Hands the part of the primary over to a replica, and follows it."""
    if ctx.host.cluster is not None:
        raise ReplyError("ERR FAILOVER not allowed in cluster mode. Use CLUSTER FAILOVER command instead.")
    target: tuple[str, int] | None = None
    timeout: int | None = None
    abort = force = False
    at = 1
    while at < len(words):
        option, left = words[at].lower(), len(words) - at - 1
        if option == b"abort" and len(words) == 2:
            abort = True
        elif option == b"timeout" and left and timeout is None:
            timeout = parse_int(words[at + 1])
            if timeout <= 0:
                raise ReplyError("ERR FAILOVER timeout must be greater than 0")
            at += 1
        elif option == b"to" and left >= 2 and target is None:
            target = (words[at + 1].decode("utf-8", "surrogateescape"), parse_int(words[at + 2]))
            at += 2
        elif option == b"force" and not force:
            force = True
        else:
            raise SyntaxFault
        at += 1
    if abort:
        ctx.host.replication.failover.abort("Failover manually aborted")
    else:
        ctx.host.replication.failover.begin(target, force=force, timeout=timeout)
    return OK


@debug("REPLICATE", "<word> [<word> ...]", 1, None)
def replicate(ctx: Context, *words: bytes) -> Simple:
    """Send the command of these words to the replicas without running it here: the data will differ."""
    if ctx.host.replication.history.backlog is not None and not ctx.host.replication.following:
        ctx.host.replication.feed(None, list(words))
    return OK
