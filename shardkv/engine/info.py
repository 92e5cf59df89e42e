"""INFO: what the node tells of itself, in sections.

A section is a function from the engine and the facts of the process to its fields. What other areas of the system
will count stands here as the true value of a node without them: no save has run, no replica is attached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..acl.selector import Reason
from ..commands.connection import mode_of
from ..commands.spec import TABLE
from ..commands.versions import REDIS_VERSION, SHARDKV_VERSION
from ..commands.world import Facts
from ..pubsub.channels import Way
from .clients_info import clients
from .memory_info import memory
from .persistence_info import persistence
from .replication_info import replication

if TYPE_CHECKING:
    from .engine import Engine

Fields: TypeAlias = Iterator[tuple[str, Any]]
Section: TypeAlias = "Callable[[Engine, Facts], Fields]"

_DAY: Final = 86400
_LRU_MASK: Final = 2**24 - 1


def _server(engine: Engine, facts: Facts) -> Fields:
    uptime = max(0, engine.now - facts["started"]) // 1000
    yield "redis_version", REDIS_VERSION
    yield "redis_git_sha1", "00000000"
    yield "redis_git_dirty", 0
    yield "redis_build_id", "0"
    yield "redis_mode", mode_of(engine)
    yield "shardkv_version", SHARDKV_VERSION
    yield "python_version", facts["python"]
    yield "os", facts["os"]
    yield "arch_bits", 64
    yield "monotonic_clock", "POSIX clock_gettime"
    yield "multiplexing_api", facts["multiplexing"]
    yield "atomicvar_api", "gil"  # one thread at a time runs Python
    yield "gcc_version", facts["compiler"]
    yield "process_id", facts["pid"]
    yield "process_supervised", facts["supervised"]
    yield "run_id", facts["run_id"]
    yield "tcp_port", facts["tcp_port"]
    yield "server_time_usec", engine.world.microseconds()
    yield "uptime_in_seconds", uptime
    yield "uptime_in_days", uptime // _DAY
    yield "hz", engine.config.hz
    yield "configured_hz", engine.config.hz
    yield "lru_clock", engine.now // 1000 & _LRU_MASK
    yield "executable", facts["executable"]
    yield "config_file", facts["config_file"]
    yield "io_threads_active", 0
    yield from _listeners(engine)
    if engine.stopping.waiting:
        yield "shutdown_in_milliseconds", engine.stopping.left


def _listeners(engine: Engine) -> Fields:
    """Where clients can come."""
    config = engine.config
    listeners: list[tuple[str, tuple[str, ...], str]] = []
    for name, port in (("tcp", config.port), ("tls", config.tls_port)):
        if port:
            listeners.append((name, config.bind, f",port={port}"))
    if config.unixsocket:
        listeners.append(("unix", (config.unixsocket,), ""))
    for number, (name, addresses, port_shown) in enumerate(listeners):
        where = "".join(f",bind={address}" for address in addresses)
        yield f"listener{number}", f"name={name}{where}{port_shown}"


_REASONS: Final = {Reason.AUTH: "auth", Reason.COMMAND: "cmd", Reason.KEY: "key", Reason.CHANNEL: "channel"}


def _stats(engine: Engine, facts: Facts) -> Fields:
    stats = engine.stats
    hits, misses = engine.hits_and_misses()
    yield "total_connections_received", stats.connections
    yield "total_commands_processed", stats.commands
    yield "instantaneous_ops_per_sec", round(stats.commands_rate.per_second)
    yield "total_net_input_bytes", stats.bytes_in
    yield "total_net_output_bytes", stats.bytes_out
    yield "total_net_repl_input_bytes", stats.replication_bytes_in
    yield "total_net_repl_output_bytes", stats.replication_bytes_out
    yield "instantaneous_input_kbps", f"{stats.input_rate.per_second / 1024:.2f}"
    yield "instantaneous_output_kbps", f"{stats.output_rate.per_second / 1024:.2f}"
    yield "instantaneous_input_repl_kbps", f"{stats.replication_input_rate.per_second / 1024:.2f}"
    yield "instantaneous_output_repl_kbps", f"{stats.replication_output_rate.per_second / 1024:.2f}"
    yield "rejected_connections", stats.rejected_connections
    yield "sync_full", engine.replication.syncs.full
    yield "sync_partial_ok", engine.replication.syncs.partial
    yield "sync_partial_err", engine.replication.syncs.refused
    yield "expired_keys", stats.expired
    yield "expired_stale_perc", f"{stats.expired_stale_percent:.2f}"
    yield "expired_time_cap_reached_count", stats.expire_time_cap_reached
    yield "expire_cycle_cpu_milliseconds", int(stats.expire_cycle_cpu_ms)
    yield "evicted_keys", stats.evicted
    yield "evicted_clients", stats.evicted_clients
    yield "evicted_scripts", engine.scripts.cache.evicted
    exceeded, exceeded_now = engine.memory.exceeded_ms
    yield "total_eviction_exceeded_time", exceeded
    yield "current_eviction_exceeded_time", exceeded_now
    yield "keyspace_hits", hits
    yield "keyspace_misses", misses
    channels = engine.messages.channels
    yield "pubsub_channels", channels.total()
    yield "pubsub_patterns", channels.total(Way.PATTERN)
    yield "pubsubshard_channels", channels.total(Way.SHARD)
    yield "latest_fork_usec", round(facts["fork_seconds"] * 1e6)
    yield "total_forks", facts["forks"]
    yield "migrate_cached_sockets", facts["migrate_connections"]
    yield "slave_expires_tracked_keys", len(engine.expiring.remembered)
    for name in (
        "active_defrag_hits",
        "active_defrag_misses",
        "active_defrag_key_hits",
        "active_defrag_key_misses",
        "total_active_defrag_time",
        "current_active_defrag_time",
    ):
        yield name, 0
    table = engine.messages.tracking
    yield "tracking_total_keys", table.keys
    yield "tracking_total_items", table.items
    yield "tracking_total_prefixes", table.prefixes
    yield "unexpected_error_replies", stats.unexpected_errors
    yield "total_error_replies", stats.error_replies
    yield "dump_payload_sanitizations", 0
    yield "total_reads_processed", stats.reads
    yield "total_writes_processed", stats.writes
    yield "io_threaded_reads_processed", 0
    yield "io_threaded_writes_processed", 0
    yield "client_query_buffer_limit_disconnections", stats.query_limit_disconnections
    yield "client_output_buffer_limit_disconnections", stats.output_limit_disconnections
    yield "reply_buffer_shrinks", 0
    yield "reply_buffer_expands", 0
    for reason, count in engine.access.denied.items():
        yield f"acl_access_denied_{_REASONS[reason]}", count


def _cpu(engine: Engine, facts: Facts) -> Fields:
    yield "used_cpu_sys", f"{facts['cpu_sys']:.6f}"
    yield "used_cpu_user", f"{facts['cpu_user']:.6f}"
    yield "used_cpu_sys_children", f"{facts['cpu_sys_children']:.6f}"
    yield "used_cpu_user_children", f"{facts['cpu_user_children']:.6f}"
    yield "used_cpu_sys_main_thread", f"{facts['cpu_sys_main']:.6f}"
    yield "used_cpu_user_main_thread", f"{facts['cpu_user_main']:.6f}"


def _nothing(engine: Engine, facts: Facts) -> Fields:
    """Modules, which there are none."""
    return iter(())


def _commandstats(engine: Engine, facts: Facts) -> Fields:
    for name, command in TABLE.items():
        stats = command.stats
        if stats.calls or stats.rejected or stats.failed:
            each = stats.microseconds / stats.calls if stats.calls else 0.0
            yield (
                f"cmdstat_{name}",
                f"calls={stats.calls},usec={round(stats.microseconds)},usec_per_call={each:.2f},"
                f"rejected_calls={stats.rejected},failed_calls={stats.failed}",
            )


def _latencystats(engine: Engine, facts: Facts) -> Fields:
    wanted = engine.config.latency_tracking_info_percentiles
    for name, command in TABLE.items():
        durations = command.stats.durations
        if wanted and durations.calls:
            found = zip(wanted, durations.percentiles(wanted), strict=True)
            yield f"latency_percentiles_usec_{name}", ",".join(f"p{share:g}={value:.3f}" for share, value in found)


def _errorstats(engine: Engine, facts: Facts) -> Fields:
    for code, count in sorted(engine.stats.errors.items()):
        yield f"errorstat_{code}", f"count={count}"


def _cluster(engine: Engine, facts: Facts) -> Fields:
    yield "cluster_enabled", int(engine.cluster is not None)


def _keyspace(engine: Engine, facts: Facts) -> Fields:
    for index, database in enumerate(engine.databases):
        if database is not None and database.shown:
            average = round(engine.expiring.cycles[index].average_ttl)
            yield f"db{index}", f"keys={database.shown},expires={database.expiring},avg_ttl={average},subexpiry=0"


#: All sections in their order.
SECTIONS: Final[dict[str, Section]] = {
    "Server": _server,
    "Clients": clients,
    "Memory": memory,
    "Persistence": persistence,
    "Stats": _stats,
    "Replication": replication,
    "CPU": _cpu,
    "Modules": _nothing,
    "Commandstats": _commandstats,
    "Errorstats": _errorstats,
    "Latencystats": _latencystats,
    "Cluster": _cluster,
    "Keyspace": _keyspace,
}
#: Sections that have to be asked for.
_EXTRA: Final = ("commandstats", "latencystats")
_ALL: Final = tuple(title.lower() for title in SECTIONS)
_GROUPS: Final = {
    "default": tuple(name for name in _ALL if name not in _EXTRA),
    "all": _ALL,
    "everything": _ALL,
}


def render(engine: Engine, sections: Iterable[str]) -> str:
    """The text of INFO. ``sections``: names in lower case, or ``default`` (which is meant by none), ``all``,
    ``everything``. Unknown ones are passed over.
    """
    wanted: dict[str, None] = {}
    for name in list(sections) or ["default"]:
        wanted.update(dict.fromkeys(_GROUPS.get(name, (name,))))
    facts = engine.world.facts()
    texts = []
    for title, section in SECTIONS.items():
        if title.lower() in wanted:
            lines = [f"{name}:{shown}\r\n" for name, shown in section(engine, facts)]
            texts.append(f"# {title}\r\n{''.join(lines)}")
    return "\r\n".join(texts)
