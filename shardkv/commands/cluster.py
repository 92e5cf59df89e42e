"""CLUSTER, and the three words with which a client tells how it wants to be routed.

Commands that ask render the machine's view; commands that change something hand the machine an order and answer what it
says. On a node without cluster support all of them refuse alike.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from ..cluster import describe, orders
from ..cluster.nodes import SLOTS
from ..errors import ReplyError, SyntaxFault
from ..keyspace.slots import key_slot
from ..resp.replies import OK, Reply, Verbatim
from .context import Context
from .flags import Doc, Flags
from .grammar import block, flag, integer, maybe, one_of, value
from .host import Host
from .ports import ClusterPort
from .spec import command, container

_ADMIN = Flags.ADMIN | Flags.STALE | Flags.NO_ASYNC_LOADING
_STALE = Flags.STALE
_LOADING = Flags.LOADING | Flags.STALE

container("CLUSTER", group="cluster", since="3.0.0", doc="A container for Redis Cluster commands.")


def cluster_port(ctx: Context) -> ClusterPort:
    """The cluster side of the node. Raises ReplyError where there is none."""
    port = ctx.host.cluster
    if port is None:
        raise ReplyError("ERR This instance has cluster support disabled")
    return port


def _order(ctx: Context, order: Any) -> Reply:
    return lasting(ctx, cluster_port(ctx).order(order))


def lasting(ctx: Context, reply: Reply) -> Reply:
    """The reply, as soon as what it says is on disk; others are served meanwhile."""
    port = cluster_port(ctx)
    if port.lasting or isinstance(reply, ReplyError):
        return reply
    if ctx.inside:
        port.settle()
        return reply
    session = ctx.session
    pending = ctx.block((), None, lambda ctx: None, reply)
    blocked = session.blocked

    def told() -> None:
        if session.blocked is blocked is not None:
            ctx.host.waiting.end(session, reply)

    port.when_lasting(told)
    return pending


def _empty(ctx: Context) -> bool:
    return all(database is None or not database.size for database in ctx.host.databases)


def _text(word: bytes) -> str:
    return word.decode("latin-1")


def _surplus(words: list[bytes]) -> ReplyError:
    """Too many words where fewer would do: Redis has no arity for that, and blames the subcommand as it was written."""
    return ReplyError(f"ERR unknown subcommand or wrong number of arguments for '{_text(words[1])}'. Try CLUSTER HELP.")


def _number(word: bytes, fault: str) -> int:
    number = orders.integer(word)
    if number is None:
        raise ReplyError(fault)
    return number


# ---- what it is


@command("CLUSTER INFO", flags=_LOADING, group="cluster", since="3.0.0", tips=("nondeterministic_output",))
def cluster_info(ctx: Context) -> Reply:
    """Returns information about the state of a node."""
    port = cluster_port(ctx)
    machine = port.machine
    text = describe.info_text(machine.view, machine.messages_sent(), machine.messages_received(), port.links_exceeded())
    return Verbatim(text.encode())


@command(
    "CLUSTER NODES",
    flags=_LOADING,
    group="cluster",
    since="3.0.0",
    complexity="O(N) for N nodes",
    tips=("nondeterministic_output",),
)
def cluster_nodes(ctx: Context) -> Reply:
    """Returns the cluster configuration as this node sees it."""
    machine = cluster_port(ctx).machine
    return Verbatim(describe.nodes_text(machine.view, machine.liveness(), ctx.session.secure).encode())


@command(
    "CLUSTER SLOTS",
    flags=_LOADING,
    group="cluster",
    since="3.0.0",
    complexity="O(N) for N nodes",
    tips=("nondeterministic_output",),
    doc_flags=Doc.DEPRECATED,
    replaced_by="`CLUSTER SHARDS`",
    deprecated_since="7.0.0",
    history={"4.0.0": "Added node IDs.", "7.0.0": "Added additional networking metadata field."},
)
def cluster_slots(ctx: Context) -> Reply:
    """Returns the mapping of slots to nodes."""
    machine = cluster_port(ctx).machine
    return describe.slots_reply(machine.view, machine.liveness(), machine.settings, ctx.session.secure)


@command(
    "CLUSTER SHARDS",
    flags=_LOADING,
    group="cluster",
    since="7.0.0",
    complexity="O(N) for N nodes",
    tips=("nondeterministic_output",),
)
def cluster_shards(ctx: Context) -> Reply:
    """Returns the mapping of slots to shards with the details of their nodes."""
    machine = cluster_port(ctx).machine
    return describe.shards_reply(machine.view, machine.liveness(), machine.settings)


@command(
    "CLUSTER LINKS",
    flags=_STALE,
    group="cluster",
    since="7.0.0",
    complexity="O(N) for N nodes",
    tips=("nondeterministic_output",),
)
def cluster_links(ctx: Context) -> Reply:
    """Returns the links of the cluster bus to and from other nodes."""
    return [
        {
            b"direction": link.direction.encode(),
            b"node": link.node.encode(),
            b"create-time": link.create_time,
            b"events": link.events.encode(),
            b"send-buffer-allocated": link.send_buffer_allocated,
            b"send-buffer-used": link.send_buffer_used,
        }
        for link in cluster_port(ctx).links()
    ]


@command("CLUSTER MYID", flags=_LOADING, group="cluster", since="3.0.0")
def cluster_myid(ctx: Context) -> Reply:
    """Returns the id of this node."""
    return cluster_port(ctx).machine.view.myself.encode()


@command("CLUSTER MYSHARDID", flags=_LOADING, group="cluster", since="7.2.0", tips=("nondeterministic_output",))
def cluster_myshardid(ctx: Context) -> Reply:
    """Returns the id of this node's shard."""
    view = cluster_port(ctx).machine.view
    return (view.my_shard_primary.shard_id or view.me.shard_id).encode()


def _replicas(ctx: Context, node: bytes) -> Reply:
    machine = cluster_port(ctx).machine
    return describe.replicas_lines(machine.view, machine.liveness(), _text(node), ctx.session.secure)


@command(
    "CLUSTER REPLICAS",
    value("node-id"),
    flags=_ADMIN & ~Flags.NO_ASYNC_LOADING,
    group="cluster",
    since="5.0.0",
    complexity="O(N) for N replicas",
    tips=("nondeterministic_output",),
)
def cluster_replicas(ctx: Context, node: bytes) -> Reply:
    """Lists the replicas of a primary."""
    return _replicas(ctx, node)


@command(
    "CLUSTER SLAVES",
    value("node-id"),
    flags=_ADMIN & ~Flags.NO_ASYNC_LOADING,
    group="cluster",
    since="3.0.0",
    complexity="O(N) for N replicas",
    tips=("nondeterministic_output",),
    doc_flags=Doc.DEPRECATED,
    replaced_by="`CLUSTER REPLICAS`",
    deprecated_since="5.0.0",
)
def cluster_slaves(ctx: Context, node: bytes) -> Reply:
    """Lists the replicas of a primary."""
    return _replicas(ctx, node)


@command(
    "CLUSTER COUNT-FAILURE-REPORTS",
    value("node-id"),
    flags=_ADMIN & ~Flags.NO_ASYNC_LOADING,
    group="cluster",
    since="3.0.0",
    complexity="O(N) for N reports",
    tips=("nondeterministic_output",),
)
def cluster_count_failure_reports(ctx: Context, node: bytes) -> Reply:
    """Returns how many nodes report another one as failing."""
    return cluster_port(ctx).machine.failure_reports(_text(node))


# ---- keys and slots


@command("CLUSTER KEYSLOT", value("key"), flags=_STALE, group="cluster", since="3.0.0", complexity="O(N) for N bytes")
def cluster_keyslot(ctx: Context, key: bytes) -> Reply:
    """Returns the hash slot of a key."""
    cluster_port(ctx)
    return key_slot(key)


@command("CLUSTER COUNTKEYSINSLOT", integer("slot"), flags=_STALE, group="cluster", since="3.0.0")
def cluster_countkeysinslot(ctx: Context, slot: int) -> Reply:
    """Returns the number of keys of the current database in a hash slot."""
    cluster_port(ctx)
    if not 0 <= slot < SLOTS:
        raise ReplyError("ERR Invalid slot")
    return 0 if ctx.db.hidden.get(slot) else ctx.db.count_in_slot(slot)


@command(
    "CLUSTER GETKEYSINSLOT",
    integer("slot"),
    integer("count"),
    flags=_STALE,
    group="cluster",
    since="3.0.0",
    complexity="O(N) for N keys returned",
    tips=("nondeterministic_output",),
)
def cluster_getkeysinslot(ctx: Context, slot: int, count: int) -> Reply:
    """Returns some of the keys of the current database in a hash slot."""
    cluster_port(ctx)
    if not 0 <= slot < SLOTS or count < 0:
        raise ReplyError("ERR Invalid slot or number of keys")
    return [] if ctx.db.hidden.get(slot) else ctx.db.keys_in_slot(slot, count)


def count_in_slot(host: Host, slot: int) -> int:
    """How many keys of a slot all databases hold."""
    return sum(database.count_in_slot(slot) for database in host.databases if database is not None)


# ---- changes of slots


@command(
    "CLUSTER ADDSLOTS",
    integer("slot", many=True),
    flags=_ADMIN,
    group="cluster",
    since="3.0.0",
    complexity="O(N) for N slots",
    raw=True,
)
def cluster_addslots(ctx: Context, words: list[bytes]) -> Reply:
    """Assigns hash slots to this node."""
    cluster_port(ctx)
    return _order(ctx, orders.AddSlots(orders.slot_words(tuple(words[2:]))))


@command(
    "CLUSTER ADDSLOTSRANGE",
    block("range", integer("start-slot"), integer("end-slot"), many=True),
    flags=_ADMIN,
    group="cluster",
    since="7.0.0",
    complexity="O(N) for N slots",
)
def cluster_addslotsrange(ctx: Context, *words: bytes) -> Reply:
    """Assigns ranges of hash slots to this node."""
    cluster_port(ctx)
    return _order(ctx, orders.AddSlots(orders.range_words(words, "addslotsrange")))


@command(
    "CLUSTER DELSLOTS",
    integer("slot", many=True),
    flags=_ADMIN,
    group="cluster",
    since="3.0.0",
    complexity="O(N) for N slots",
    raw=True,
)
def cluster_delslots(ctx: Context, words: list[bytes]) -> Reply:
    """Makes this node forget who owns hash slots."""
    cluster_port(ctx)
    return _order(ctx, orders.DelSlots(orders.slot_words(tuple(words[2:]))))


@command(
    "CLUSTER DELSLOTSRANGE",
    block("range", integer("start-slot"), integer("end-slot"), many=True),
    flags=_ADMIN,
    group="cluster",
    since="7.0.0",
    complexity="O(N) for N slots",
)
def cluster_delslotsrange(ctx: Context, *words: bytes) -> Reply:
    """Makes this node forget who owns ranges of hash slots."""
    cluster_port(ctx)
    return _order(ctx, orders.DelSlots(orders.range_words(words, "delslotsrange")))


@command("CLUSTER FLUSHSLOTS", flags=_ADMIN, group="cluster", since="3.0.0")
def cluster_flushslots(ctx: Context) -> Reply:
    """Makes this node forget all of its hash slots."""
    cluster_port(ctx)
    return _order(ctx, orders.FlushSlots(_empty(ctx)))


@command(
    "CLUSTER SETSLOT",
    integer("slot"),
    one_of(
        "subcommand",
        value("importing", token="IMPORTING", shown="node-id"),
        value("migrating", token="MIGRATING", shown="node-id"),
        value("node", token="NODE", shown="node-id"),
        flag("STABLE"),
    ),
    flags=_ADMIN,
    group="cluster",
    since="3.0.0",
    raw=True,
)
def cluster_setslot(ctx: Context, words: list[bytes]) -> Reply:
    """Binds a hash slot to a node, or opens and closes it for a migration."""
    port = cluster_port(ctx)
    slot = orders.slot_number(words[2])
    action = words[3].upper()
    if len(words) == 5 and action in (b"IMPORTING", b"MIGRATING", b"NODE"):
        node = _text(words[4])
        if action == b"IMPORTING":
            return _order(ctx, orders.SetSlotImporting(slot, node))
        if action == b"MIGRATING":
            # MIGRATE waits before it deletes a key; a mark that is lost sooner is a move that has not begun.
            return port.order(orders.SetSlotMigrating(slot, node))
        return _order(ctx, orders.SetSlotNode(slot, node, count_in_slot(ctx.host, slot)))
    if len(words) == 4 and action == b"STABLE":
        return _order(ctx, orders.SetSlotStable(slot))
    raise ReplyError("ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP")


# ---- changes of nodes


@command(
    "CLUSTER MEET",
    value("ip"),
    integer("port"),
    maybe(integer("cluster_bus_port")),
    flags=_ADMIN,
    group="cluster",
    since="3.0.0",
    history={"4.0.0": "Added the optional `cluster_bus_port` argument."},
    raw=True,
)
def cluster_meet(ctx: Context, words: list[bytes]) -> Reply:
    """Makes this node shake hands with another one."""
    cluster_port(ctx)
    if len(words) > 5:
        raise _surplus(words)
    host = _text(words[2])
    port = _number(words[3], f"ERR Invalid base port specified: {_text(words[3])}")
    if len(words) == 5:
        bus_port = _number(words[4], f"ERR Invalid bus port specified: {_text(words[4])}")
    else:
        bus_port = port + 10_000
    try:
        ip = str(ip_address(host))
    except ValueError:
        ip = ""
    if not ip or not 0 < port < 65536 or not 0 < bus_port < 65536:
        raise ReplyError(f"ERR Invalid node address specified: {host}:{_text(words[3])}")
    return _order(ctx, orders.MeetNode(ip, port, bus_port))


@command("CLUSTER FORGET", value("node-id"), flags=_ADMIN, group="cluster", since="3.0.0")
def cluster_forget(ctx: Context, node: bytes) -> Reply:
    """Removes a node from the table of nodes, and keeps it away for a while."""
    return _order(ctx, orders.ForgetNode(_text(node)))


@command("CLUSTER REPLICATE", value("node-id"), flags=_ADMIN, group="cluster", since="3.0.0")
def cluster_replicate(ctx: Context, node: bytes) -> Reply:
    """Makes this node a replica of a primary."""
    cluster_port(ctx)
    return _order(ctx, orders.Replicate(_text(node), _empty(ctx)))


@command(
    "CLUSTER FAILOVER",
    maybe(one_of("options", flag("FORCE"), flag("TAKEOVER"))),
    flags=_ADMIN,
    group="cluster",
    since="3.0.0",
    raw=True,
)
def cluster_failover(ctx: Context, words: list[bytes]) -> Reply:
    """Makes this replica take the place of its primary."""
    cluster_port(ctx)
    if len(words) > 3:
        raise _surplus(words)
    how = words[2].upper() if len(words) == 3 else b""
    if how not in (b"", b"FORCE", b"TAKEOVER"):
        raise SyntaxFault
    return _order(ctx, orders.Failover(force=how == b"FORCE", takeover=how == b"TAKEOVER"))


@command(
    "CLUSTER RESET",
    maybe(one_of("reset-type", flag("HARD"), flag("SOFT"))),
    flags=Flags.ADMIN | Flags.STALE | Flags.NOSCRIPT,
    group="cluster",
    since="3.0.0",
    complexity="O(N) for N known nodes",
    raw=True,
)
def cluster_reset(ctx: Context, words: list[bytes]) -> Reply:
    """Makes this node leave the cluster and forget the others."""
    cluster_port(ctx)
    if len(words) > 3:
        raise _surplus(words)
    reset_type = words[2].upper() if len(words) == 3 else b"SOFT"
    if reset_type not in (b"HARD", b"SOFT"):
        raise SyntaxFault
    return _order(ctx, orders.ResetNode(reset_type == b"HARD", _empty(ctx)))


@command("CLUSTER SET-CONFIG-EPOCH", value("config-epoch"), flags=_ADMIN, group="cluster", since="3.0.0")
def cluster_set_config_epoch(ctx: Context, epoch: bytes) -> Reply:
    """Sets the configuration epoch of a new node."""
    cluster_port(ctx)
    number = orders.integer(epoch)
    if number is None:
        raise ReplyError("ERR value is not an integer or out of range")
    return _order(ctx, orders.SetConfigEpoch(number))


@command("CLUSTER BUMPEPOCH", flags=_ADMIN, group="cluster", since="3.0.0", tips=("nondeterministic_output",))
def cluster_bumpepoch(ctx: Context) -> Reply:
    """Advances this node's configuration epoch beyond all others."""
    return _order(ctx, orders.BumpEpoch())


@command("CLUSTER SAVECONFIG", flags=_ADMIN, group="cluster", since="3.0.0")
def cluster_saveconfig(ctx: Context) -> Reply:
    """Makes this node write its nodes.conf."""
    return _order(ctx, orders.SaveConfig())


# ---- how a client wants to be routed


# Redis counts these three with the connection commands for ACL.
@command("ASKING", flags=Flags.FAST, group="cluster", since="3.0.0", acl=("connection",))
def asking(ctx: Context) -> Reply:
    """Lets the next command pass to a slot that is being imported."""
    cluster_port(ctx)
    ctx.session.asking = True
    ctx.session.refresh()
    return OK


@command("READONLY", flags=Flags.FAST | _LOADING, group="cluster", since="3.0.0", acl=("connection",))
def readonly(ctx: Context) -> Reply:
    """Allows this connection to read from a replica."""
    cluster_port(ctx)
    ctx.session.readonly = True
    ctx.session.refresh()
    return OK


@command("READWRITE", flags=Flags.FAST | _LOADING, group="cluster", since="3.0.0", acl=("connection",))
def readwrite(ctx: Context) -> Reply:
    """Takes READONLY back."""
    cluster_port(ctx)
    ctx.session.readonly = False
    ctx.session.refresh()
    return OK
