"""Atomic slot migration, as Valkey 9 has it: CLUSTER MIGRATESLOTS at the source, and what it says to the target.

The work is the node's (``shardkv_node.slot_jobs``); here are the words. SYNCSLOTS is for nodes among themselves:
``BEGIN name source slots...`` empties the slots and takes keys for them, ``RESTORE key ttl payload ...`` and ``DEL key
...`` bring what they hold, ``TAKE`` makes the sender's slots this node's, under a new epoch.
"""

from __future__ import annotations

from typing import Final

from ..cluster import orders
from ..cluster.nodes import ranges_of
from ..errors import ReplyError, SyntaxFault
from ..keyspace.slots import key_slot
from ..resp.numbers import parse_int
from ..resp.replies import OK, Reply
from .cluster import cluster_port, lasting
from .context import Context
from .flags import Flags
from .grammar import block, flag, integer, maybe, value
from .spec import command

_ADMIN: Final = Flags.ADMIN | Flags.STALE | Flags.NO_ASYNC_LOADING


@command(
    "CLUSTER MIGRATESLOTS",
    block(
        "migration-group",
        flag("SLOTSRANGE", "slotsrange-token"),
        block("range", integer("start-slot"), integer("end-slot"), many=True),
        flag("NODE", "node-token"),
        value("node-id"),
        many=True,
    ),
    flags=_ADMIN,
    group="cluster",
    since="9.0.0",
    complexity="O(N) for N slots",
    arity=-4,  # Valkey finds the missing words itself
    raw=True,
)
def cluster_migrateslots(ctx: Context, words: list[bytes]) -> Reply:
    """Moves slots of this node to others as a whole, while they are served."""
    port = cluster_port(ctx)
    groups: list[tuple[int, str]] = []
    claimed = at = 0
    rest = words[2:]
    while at < len(rest):
        slots, node, at = _group(rest, at)
        if claimed & slots:
            raise ReplyError("ERR Slot ranges in migrations overlap")
        claimed |= slots
        groups.append((slots, node))
    port.migrate_slots(groups)
    return OK


def _group(words: list[bytes], at: int) -> tuple[int, str, int]:
    """``SLOTSRANGE start end ... NODE id`` from ``at``: the slots, the node, and what comes next. Raises ReplyError."""
    if words[at].upper() != b"SLOTSRANGE":
        raise SyntaxFault
    at += 1
    slots = 0
    seen: list[tuple[int, int]] = []
    while at < len(words) and words[at].upper() not in (b"NODE", b"SLOTSRANGE"):
        if seen and not _is_number(words[at]):
            raise SyntaxFault
        start = orders.slot_number(words[at])
        if at + 1 >= len(words):
            raise ReplyError("ERR No end slot for final slot range")
        end = orders.slot_number(words[at + 1])
        if start > end:
            raise ReplyError(f"ERR Start slot number {start} is greater than end slot number {end}.")
        for first, last in seen:
            if start <= last and first <= end:
                raise ReplyError(f"ERR Slot range {start}-{end} overlaps with previous range {first}-{last}.")
        seen.append((start, end))
        slots |= (1 << end + 1) - (1 << start)
        at += 2
    if not seen or at + 1 >= len(words) or words[at].upper() != b"NODE":
        raise SyntaxFault
    return slots, words[at + 1].decode("latin-1"), at + 2


def _is_number(word: bytes) -> bool:
    return orders.integer(word) is not None


@command(
    "CLUSTER GETSLOTMIGRATIONS",
    flags=_ADMIN,
    group="cluster",
    since="9.0.0",
    complexity="O(N) for N migrations that are remembered",
)
def cluster_getslotmigrations(ctx: Context) -> Reply:
    """Lists the migrations of slots that go on, and those that ended lately."""
    return [
        {
            b"name": job.name.encode(),
            b"operation": job.operation.encode(),
            b"slot_ranges": ",".join(f"{first}-{last}" for first, last in ranges_of(job.slots)).encode(),
            b"target_node": job.target.encode(),
            b"source_node": job.source.encode(),
            b"create_time": job.created,
            b"last_update_time": job.updated,
            b"last_ack_time": job.acknowledged,
            b"state": job.state.encode(),
            b"message": job.message.encode(),
            b"cow_size": 0,
            b"remaining_repl_size": job.remaining,
        }
        for job in cluster_port(ctx).slot_migrations()
    ]


@command(
    "CLUSTER CANCELSLOTMIGRATIONS",
    flags=_ADMIN,
    group="cluster",
    since="9.0.0",
    complexity="O(N) for N migrations that go on",
)
def cluster_cancelslotmigrations(ctx: Context) -> Reply:
    """Cancels the migrations that go on: their slots stay where they are."""
    if not cluster_port(ctx).cancel_slot_migrations():
        raise ReplyError("ERR No migrations ongoing")
    return OK


@command(
    "CLUSTER SYNCSLOTS",
    value("subcommand"),
    maybe(value("argument", many=True)),
    flags=_ADMIN | Flags.NOSCRIPT | Flags.NO_MULTI,
    group="cluster",
    since="9.0.0",
    complexity="O(N) for N keys",
    raw=True,
)
def cluster_syncslots(ctx: Context, words: list[bytes]) -> Reply:
    """What a node that gives slots away says to the one that takes them. For nodes only."""
    port = cluster_port(ctx)
    word, rest = words[2].upper(), words[3:]
    if word == b"BEGIN" and len(rest) == 3:
        port.begin_import(ctx.session, rest[0].decode("latin-1"), rest[1].decode("latin-1"), _bitmap(rest[2]))
        return lasting(ctx, OK)
    job = port.import_of(ctx.session)
    if word == b"RESTORE" and len(rest) % 4 == 0:
        for at in range(0, len(rest), 4):
            number, name, ttl, payload = rest[at : at + 4]
            if not job.slots >> key_slot(name) & 1:
                raise ReplyError("ERR a key of a slot that is not being imported")
            _inside(ctx, number, [b"RESTORE", name, ttl, payload, b"REPLACE", b"ABSTTL"])
    elif word == b"DEL" and len(rest) % 2 == 0:
        for at in range(0, len(rest), 2):
            if job.slots >> key_slot(rest[at + 1]) & 1:
                _inside(ctx, rest[at], [b"DEL", rest[at + 1]])
    elif word == b"TAKE" and not rest:
        port.take_slots(job)
        return lasting(ctx, OK)
    else:
        raise SyntaxFault
    return OK


def _bitmap(word: bytes) -> int:
    slots = 0
    for part in word.split(b","):
        first, _, last = part.partition(b"-")
        slots |= (1 << orders.slot_number(last or first) + 1) - (1 << orders.slot_number(first))
    return slots


def _inside(ctx: Context, database: bytes, words: list[bytes]) -> None:
    """Run a request in a database. Raises its ReplyError."""
    kept = ctx.db
    ctx.db = ctx.database(parse_int(database))
    reply = ctx.call(words)
    ctx.db = kept
    if isinstance(reply, ReplyError):
        raise reply
