"""INFO replication."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..commands.world import Facts
from ..replication.primary import Phase
from ..replication.replica import ReplicaLink, State

if TYPE_CHECKING:
    from .engine import Engine


def replication(engine: Engine, facts: Facts) -> Iterator[tuple[str, Any]]:
    """The fields of the section."""
    state = engine.replication
    state.flush()
    history = state.history
    yield "role", "master" if state.address is None else "slave"
    if state.address is not None:
        yield from _primary(engine)
    yield "connected_slaves", len(state.primary)
    config = engine.config
    if config.min_replicas_to_write and config.min_replicas_max_lag:
        yield "min_slaves_good_slaves", state.primary.near(engine.now, config.min_replicas_max_lag)
    for number, replica in enumerate(state.primary.replicas.values()):
        if replica.phase is not None:
            lag = replica.lag(engine.now) if replica.phase is Phase.ONLINE else 0
            yield (
                f"slave{number}",
                f"ip={replica.shown_address},port={replica.port},state={replica.shown_phase},"
                f"offset={replica.acked},lag={lag}",
            )
    yield "master_failover_state", state.failover.state
    yield "master_replid", history.id
    yield "master_replid2", history.id2
    yield "master_repl_offset", history.offset
    yield "second_repl_offset", history.second_offset
    backlog = history.backlog
    yield "repl_backlog_active", int(backlog is not None)
    yield "repl_backlog_size", config.repl_backlog_size
    yield "repl_backlog_first_byte_offset", 0 if backlog is None else backlog.first
    yield "repl_backlog_histlen", 0 if backlog is None else backlog.length


def _primary(engine: Engine) -> Iterator[tuple[str, Any]]:
    """What a replica tells of its primary."""
    state = engine.replication
    assert state.address is not None
    link, now, config = state.link, engine.stopwatch(), engine.config
    up = link is not None and link.state is State.CONNECTED
    applied = state.history.offset if state.history.known else 1
    unapplied = 0 if state.feed_in is None else state.feed_in.unapplied
    yield "master_host", state.address[0]
    yield "master_port", state.address[1]
    yield "master_link_status", "up" if up else "down"
    yield "master_last_io_seconds_ago", int(now - link.last_io) if up and link is not None else -1
    yield "master_sync_in_progress", int(link is not None and link.state.syncing)
    yield "slave_read_repl_offset", applied + unapplied
    yield "slave_repl_offset", applied
    if link is not None and link.state.syncing:
        yield from _transfer(link, now)
    if not up:
        since = None if link is None else link.down_since
        yield "master_link_down_since_seconds", -1 if since is None else int(now - since)
    yield "slave_priority", config.replica_priority
    yield "slave_read_only", int(config.replica_read_only)
    yield "replica_announced", int(config.replica_announced)


def _transfer(link: ReplicaLink, now: float) -> Iterator[tuple[str, Any]]:
    """How far the snapshot is. One that is ended by a mark has no size: 0, as Redis says."""
    size, read = link.transfer_size or 0, link.transfer_read
    yield "master_sync_total_bytes", size
    yield "master_sync_read_bytes", read
    yield "master_sync_left_bytes", size - read
    yield "master_sync_perc", f"{100 * read / size if size else 0:.2f}"
    yield "master_sync_last_io_seconds_ago", int(now - link.last_io)
