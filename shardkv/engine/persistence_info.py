"""INFO persistence: snapshots, the log of writes, and how far loading is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from ..commands.world import Facts
from ..persist.aof.state import REWRITING_CHILD
from ..persist.snapshots import SNAPSHOT_CHILDREN

if TYPE_CHECKING:
    from ..persist.loading import LoadProgress
    from .engine import Engine

Fields: TypeAlias = Iterator[tuple[str, Any]]


def persistence(engine: Engine, facts: Facts) -> Fields:
    """The section. Times in seconds, sizes in bytes."""
    yield "loading", int(engine.loading)
    yield "async_loading", int(engine.loading_aside)
    state, child = engine.snapshots, facts["child"]
    saving = child is not None and child["kind"] in SNAPSHOT_CHILDREN
    yield "current_cow_peak", child["copied_peak"] if child else 0
    yield "current_cow_size", child["copied"] if child else 0
    yield "current_cow_size_age", int(child["copied_age"]) if child else 0
    keys, total = (child["keys"], child["keys_total"]) if child else (0, 0)
    yield "current_fork_perc", f"{100 * keys / total if total else 0:.2f}"
    yield "current_save_keys_processed", keys
    yield "current_save_keys_total", total
    yield "rdb_changes_since_last_save", engine.databases.changes - state.settled
    yield "rdb_bgsave_in_progress", int(saving)
    yield "rdb_last_save_time", state.last_save
    yield "rdb_last_bgsave_status", "ok" if state.ok else "err"
    yield "rdb_last_bgsave_time_sec", state.last_seconds
    yield "rdb_current_bgsave_time_sec", int(child["seconds"]) if child and saving else -1
    yield "rdb_saves", state.saves
    yield "rdb_last_cow_size", state.last_copied
    yield "rdb_last_load_keys_expired", state.expired_keys
    yield "rdb_last_load_keys_loaded", state.loaded_keys
    yield from _log(engine, facts)
    yield "module_fork_in_progress", 0
    yield "module_fork_last_cow_size", 0
    if engine.aof.enabled:
        yield from _log_sizes(engine)
    if engine.progress is not None:
        yield from _loading(engine.progress, engine.now // 1000)


def _log(engine: Engine, facts: Facts) -> Fields:
    """The log of writes, and how it is written anew. Times in seconds."""
    state, child = engine.aof, facts["child"]
    rewriting = child is not None and child["kind"] == REWRITING_CHILD
    yield "aof_enabled", int(state.enabled)
    yield "aof_rewrite_in_progress", int(rewriting)
    yield "aof_rewrite_scheduled", int(state.scheduled)
    yield "aof_last_rewrite_time_sec", state.last_seconds
    yield "aof_current_rewrite_time_sec", int(child["seconds"]) if child and rewriting else -1
    yield "aof_last_bgrewrite_status", "ok" if state.rewrite_ok else "err"
    yield "aof_rewrites", state.rewrites
    yield "aof_rewrites_consecutive_failures", state.failures
    yield "aof_last_write_status", "err" if state.write_fault or state.sync_fault else "ok"
    yield "aof_last_cow_size", state.last_copied


def _log_sizes(engine: Engine) -> Fields:
    """Bytes of the log, and what waits for the disk."""
    state = engine.aof
    yield "aof_current_size", state.size
    yield "aof_base_size", state.base_size
    yield "aof_pending_rewrite", int(state.scheduled)
    yield "aof_buffer_length", state.buffered
    yield "aof_pending_bio_fsync", int(state.syncing)
    yield "aof_delayed_fsync", state.delayed


def _loading(progress: LoadProgress, now: int) -> Fields:
    """How far loading is, in seconds and bytes."""
    yield "loading_start_time", progress.started
    yield "loading_total_bytes", progress.total
    yield "loading_rdb_used_mem", progress.used_memory
    yield "loading_loaded_bytes", progress.loaded
    yield "loading_loaded_perc", f"{progress.percent:.2f}"
    yield "loading_eta_seconds", progress.seconds_left(now)
