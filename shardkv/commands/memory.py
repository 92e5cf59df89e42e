"""MEMORY: where the memory goes."""

from __future__ import annotations

import sys
from typing import Any, Final

from ..errors import SyntaxFault
from ..keyspace.weight import weight
from ..resp.numbers import parse_int
from ..resp.replies import OK, Simple, Verbatim
from .context import Context
from .flags import Flags, KeyUse
from .grammar import integer, key, maybe
from .spec import command, container

_SINCE: Final = "4.0.0"
_ALL_SHARDS: Final = ("nondeterministic_output", "request_policy:all_shards", "response_policy:special")
#: Elements that are looked at, unless SAMPLES says otherwise.
_SAMPLES: Final = 5
#: Below this nothing is worth an opinion.
_TINY: Final = 16 * 1024 * 1024

container("MEMORY", group="server", since=_SINCE, doc="Tells where the memory goes.")


@command(
    "MEMORY USAGE",
    key("key", KeyUse.RO),
    maybe(integer("count", token="SAMPLES")),
    flags=Flags.READONLY,
    group="server",
    since=_SINCE,
    complexity="O(N) where N is the number of samples",
    raw=True,  # the key is looked up after the options, each of which may be said again
)
def memory_usage(ctx: Context, words: list[bytes]) -> int | None:
    """Tells about how many bytes a key takes; of a large collection so many elements are looked at (0: all)."""
    samples = _SAMPLES
    for place in range(3, len(words), 2):
        if words[place].upper() != b"SAMPLES" or place + 1 == len(words):
            raise SyntaxFault
        samples = parse_int(words[place + 1])
        if samples < 0:
            raise SyntaxFault
    name = words[2]
    held = ctx.peek(name)
    if held is None:
        return None
    return weight(name, held, expires=ctx.db.expiry(name) is not None, samples=samples or None)


@command("MEMORY STATS", group="server", since=_SINCE, tips=_ALL_SHARDS)
def memory_stats(ctx: Context) -> dict[bytes, Any]:
    """Tells where the node's memory goes."""
    return ctx.host.memory_stats()


@command("MEMORY DOCTOR", group="server", since=_SINCE, tips=_ALL_SHARDS)
def memory_doctor(ctx: Context) -> Verbatim:
    """Tells in words whether something is odd about the node's memory."""
    return Verbatim(_opinion(ctx.host.memory_stats()).encode())


def _opinion(stats: dict[bytes, Any]) -> str:
    used, peak, clients = stats[b"total.allocated"], stats[b"peak.allocated"], stats[b"clients.normal"]
    if used - stats[b"startup.allocated"] < _TINY:
        return "This node holds next to no data; ask again when there is some.\n"
    found = []
    if peak > used * 3 // 2:
        found.append(
            f"It has taken {peak / used:.1f} times as much before. Memory that is free again goes back to the system "
            "only when all around it is free, too; MEMORY PURGE gives back what it can."
        )
    if clients > used // 4:
        found.append("Clients' buffers take more than a quarter of it; CLIENT LIST tells whose (omem, qbuf).")
    return "\n".join(found) + "\n" if found else "Nothing about this node's memory is odd.\n"


@command("MEMORY MALLOC-STATS", group="server", since=_SINCE, tips=_ALL_SHARDS)
def memory_malloc_stats(ctx: Context) -> Verbatim:
    """Tells what the allocator knows."""
    return Verbatim(b"allocator: pymalloc\nblocks in use: %d\n" % sys.getallocatedblocks())


@command(
    "MEMORY PURGE",
    group="server",
    since=_SINCE,
    tips=("request_policy:all_shards", "response_policy:all_succeeded"),
)
def memory_purge(ctx: Context) -> Simple:
    """Gives memory that is free back to the system."""
    ctx.host.world.purge_memory()
    return OK
