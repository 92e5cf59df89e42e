"""INFO memory.

What is used is what the process holds for its clients, without the interpreter and the program: so it can be compared
with ``maxmemory``. Where the keyspace keeps books (``engine/memory_limit``) the number is theirs, and otherwise the
growth of the process since its start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from ..commands.world import Facts
from ..keyspace.weight import ENTRY, EXPIRY
from .footprint import STARTUP

if TYPE_CHECKING:
    from .engine import Engine
    from .scripts import Scripts

_UNITS: Final = ((1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))


def human(size: int) -> str:
    """Bytes in the largest fitting unit: ``1.19M``."""
    for unit, letter in _UNITS:
        if size >= unit:
            return f"{size / unit:.2f}{letter}"
    return f"{size}B"


def memory(engine: Engine, facts: Facts) -> Iterator[tuple[str, Any]]:
    """The fields of the section."""
    rss, startup = facts["rss"], facts["rss_startup"]
    used, dataset, overhead = _used(engine, rss - startup)
    peak = max(facts["rss_peak"] - startup, used)
    yield "used_memory", used
    yield "used_memory_human", human(used)
    yield "used_memory_rss", rss
    yield "used_memory_rss_human", human(rss)
    yield "used_memory_peak", peak
    yield "used_memory_peak_human", human(peak)
    yield "used_memory_peak_perc", f"{100 * used / peak if peak else 0:.2f}%"
    yield "used_memory_overhead", overhead
    yield "used_memory_startup", STARTUP
    yield "used_memory_dataset", dataset
    yield "used_memory_dataset_perc", f"{100 * dataset / max(1, used - STARTUP):.2f}%"
    for name in ("allocator_allocated", "allocator_active", "allocator_resident"):
        yield name, used
    yield "total_system_memory", facts["memory_total"]
    yield "total_system_memory_human", human(facts["memory_total"])
    yield from _scripts(engine.scripts)
    limit = engine.config.maxmemory
    yield "maxmemory", limit
    yield "maxmemory_human", human(limit)
    yield "maxmemory_policy", engine.config.maxmemory_policy
    for name in ("allocator_frag", "allocator_rss", "rss_overhead"):
        yield f"{name}_ratio", "1.00"
        yield f"{name}_bytes", 0
    yield "mem_fragmentation_ratio", f"{rss / used:.2f}"
    yield "mem_fragmentation_bytes", rss - used
    backlog = engine.replication.history.backlog
    kept = 0 if backlog is None else backlog.length
    replicas = [session for session in engine.sessions.values() if session.replica is not None and session.is_replica]
    held = [session.unsent + session.replica.queued for session in replicas if session.replica is not None]
    yield "mem_not_counted_for_evict", engine.memory.footprint.uncounted
    yield "mem_replication_backlog", kept
    yield "mem_total_replication_buffers", kept + max(held, default=0)  # what waits for several is there once
    yield "mem_clients_slaves", sum(held)
    normal = [session for session in engine.sessions.values() if not session.is_replica]
    yield "mem_clients_normal", sum(session.unsent + session.query_pending for session in normal)
    yield "mem_cluster_links", 0
    yield "mem_aof_buffer", engine.aof.buffered
    yield "mem_allocator", "pymalloc"
    yield "active_defrag_running", 0
    yield "lazyfree_pending_objects", sum(database.freeing.pending for database in engine.databases.opened)
    yield "lazyfreed_objects", sum(database.freeing.freed for database in engine.databases.opened)


def _used(engine: Engine, grown: int) -> tuple[int, int, int]:
    """What is used, how much of it by keys and values, and how much beside them. ``grown``: by how much the process has
    grown since its start."""
    engine.memory.measure()
    books, footprint = engine.memory.books, engine.memory.footprint
    if books is None:
        used = STARTUP + max(0, grown)
        overhead = min(used, footprint.beside)
    else:
        used = footprint.used(books.used)
        overhead = used - books.used
    return used, used - overhead, overhead


def _scripts(scripts: Scripts) -> Iterator[tuple[str, Any]]:
    """What the interpreters hold (``vm``), and what scripts and libraries take beside them."""
    for_eval, for_functions = scripts.eval_memory, scripts.function_memory
    cached, libraries = scripts.cache.bytes, scripts.registry.bytes
    yield "used_memory_lua", for_eval
    yield "used_memory_vm_eval", for_eval
    yield "used_memory_lua_human", human(for_eval)
    yield "used_memory_scripts_eval", cached
    yield "number_of_cached_scripts", len(scripts.cache)
    yield "number_of_functions", len(scripts.registry.functions)
    yield "number_of_libraries", len(scripts.registry.libraries)
    yield "used_memory_vm_functions", for_functions
    yield "used_memory_vm_total", for_eval + for_functions
    yield "used_memory_vm_total_human", human(for_eval + for_functions)
    yield "used_memory_functions", libraries
    yield "used_memory_scripts", cached + libraries
    yield "used_memory_scripts_human", human(cached + libraries)


def stats(engine: Engine, facts: Facts) -> dict[bytes, Any]:
    """MEMORY STATS: the same numbers, and those of each database."""
    shown = dict(memory(engine, facts))
    used, startup, peak = shown["used_memory"], STARTUP, shown["used_memory_peak"]
    keys = sum(database.size for database in engine.databases.opened)
    dataset = shown["used_memory_dataset"]
    found: dict[bytes, Any] = {
        b"peak.allocated": peak,
        b"total.allocated": used,
        b"startup.allocated": startup,
        b"replication.backlog": shown["mem_replication_backlog"],
        b"clients.slaves": shown["mem_clients_slaves"],
        b"clients.normal": shown["mem_clients_normal"],
        b"cluster.links": shown["mem_cluster_links"],
        b"aof.buffer": shown["mem_aof_buffer"],
        b"lua.caches": shown["used_memory_scripts_eval"],
        b"functions.caches": shown["used_memory_functions"],
    }
    for database in sorted(engine.databases.opened, key=lambda opened: opened.index):
        if database.size:
            found[b"db.%d" % database.index] = {
                b"overhead.hashtable.main": ENTRY * database.size,
                b"overhead.hashtable.expires": EXPIRY * database.expiring,
                b"overhead.hashtable.slot-to-keys": 0,  # a dict a slot needs no index beside it
            }
    found |= {
        b"overhead.total": shown["used_memory_overhead"],
        b"keys.count": keys,
        b"keys.bytes-per-key": dataset // keys if keys else 0,
        b"dataset.bytes": dataset,
        b"dataset.percentage": 100.0 * dataset / max(1, used - startup),
        b"peak.percentage": 100.0 * used / max(1, peak),
    }
    for name in ("allocated", "active", "resident"):
        found[b"allocator.%b" % name.encode()] = shown[f"allocator_{name}"]
    for theirs, ours in (
        (b"allocator-fragmentation", "allocator_frag"),
        (b"allocator-rss", "allocator_rss"),
        (b"rss-overhead", "rss_overhead"),
    ):
        found[theirs + b".ratio"] = float(shown[f"{ours}_ratio"])
        found[theirs + b".bytes"] = shown[f"{ours}_bytes"]
    found[b"fragmentation"] = float(shown["mem_fragmentation_ratio"])
    found[b"fragmentation.bytes"] = shown["mem_fragmentation_bytes"]
    return found
