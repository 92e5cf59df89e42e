"""CLUSTER SLOT-STATS: what the slots of a node hold and cost, as Valkey 8 and Redis 8.2 have it."""

from __future__ import annotations

from collections.abc import Callable

from ..cluster import orders
from ..cluster.nodes import ranges_of
from ..errors import ReplyError, SyntaxFault
from ..observation.slot_stats import METRICS
from ..resp.replies import Reply
from .cluster import cluster_port, count_in_slot
from .context import Context
from .flags import Flags
from .grammar import block, flag, integer, maybe, one_of, value
from .spec import command


@command(
    "CLUSTER SLOT-STATS",
    one_of(
        "filter",
        block("slotsrange", integer("start-slot"), integer("end-slot"), token="SLOTSRANGE"),
        block(
            "orderby",
            value("metric"),
            maybe(integer("limit", token="LIMIT")),
            maybe(one_of("order", flag("ASC"), flag("DESC"))),
            token="ORDERBY",
        ),
    ),
    flags=Flags.STALE | Flags.LOADING,
    group="cluster",
    since="8.2.0",
    complexity="O(N) for N slots, O(N*log(N)) with ORDERBY",
    tips=("nondeterministic_output", "request_policy:all_shards"),
    arity=-4,  # as Redis says; the wrong words are blamed on the subcommand
    raw=True,
)
def cluster_slot_stats(ctx: Context, words: list[bytes]) -> Reply:
    """Returns what the slots of this node hold, and what they have cost."""
    view = cluster_port(ctx).machine.view
    mine = view.my_shard_primary.slots
    mode = words[2].upper()
    if mode == b"SLOTSRANGE" and len(words) == 5:
        start, end = orders.slot_number(words[3]), orders.slot_number(words[4])
        if start > end:
            raise ReplyError(f"ERR Start slot number {start} is greater than end slot number {end}")
        return [_stats(ctx, slot) for slot in range(start, end + 1) if mine >> slot & 1]
    if mode == b"ORDERBY":
        metric, limit, descending = _order(ctx, words)
        owned = [slot for first, last in ranges_of(mine) for slot in range(first, last + 1)]
        sign = -1 if descending else 1
        owned.sort(key=lambda slot: (sign * metric(slot), slot))
        return [_stats(ctx, slot) for slot in owned[:limit]]
    said = words[1].decode("utf-8", "backslashreplace")[:128]
    raise ReplyError(f"ERR unknown subcommand or wrong number of arguments for '{said}'. Try CLUSTER HELP.")


def _metric(ctx: Context, word: bytes) -> Callable[[int], float]:
    """What slots are ordered by. Raises ReplyError."""
    counts = ctx.host.slot_counts
    if word == b"key-count":
        return lambda slot: count_in_slot(ctx.host, slot)
    if counts is None or word not in METRICS:
        raise ReplyError("ERR Unrecognized sort metric for ORDERBY.")
    return counts.stats.counter(word)


def _order(ctx: Context, words: list[bytes]) -> tuple[Callable[[int], float], int, bool]:
    """What to order by, LIMIT, and whether the most come first. Raises ReplyError."""
    metric = _metric(ctx, words[3].lower())
    limit, descending, at = 16384, True, 4
    seen: set[bytes] = set()
    while at < len(words):
        word = words[at].upper()
        kind = b"ORDER" if word in (b"ASC", b"DESC") else word
        if kind in seen:
            raise ReplyError("ERR Multiple filters of the same type are disallowed.")
        seen.add(kind)
        if word == b"LIMIT" and at + 1 < len(words):
            number = orders.integer(words[at + 1])
            if number is None or not 1 <= number <= 16384:
                raise ReplyError("ERR Limit has to lie in between 1 and 16384 (maximum number of slots).")
            limit = number
            at += 1
        elif kind == b"ORDER":
            descending = word == b"DESC"
        else:
            raise SyntaxFault
        at += 1
    return metric, limit, descending


def _stats(ctx: Context, slot: int) -> Reply:
    counts = ctx.host.slot_counts
    counted = counts.stats.of(slot) if counts is not None else ()
    return [slot, {b"key-count": count_in_slot(ctx.host, slot), **dict(counted)}]
