"""INFO clients, in one look at each session: there may be ten thousand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..commands.world import Facts

if TYPE_CHECKING:
    from .engine import Engine


def clients(engine: Engine, facts: Facts) -> Iterator[tuple[str, Any]]:
    """The fields of the section."""
    connected = held = tracking = subscribed = watching = timed = longest_input = longest_output = 0
    waiting: dict[tuple[int, bytes], bool] = {}  #: keys that clients wait for: whether one of them minds its absence
    for session in engine.sessions.values():
        if not session.is_replica:
            connected += 1
        if session.tracking is not None:
            tracking += 1
        if session.channels or session.patterns or session.shard_channels:
            subscribed += 1
        if session.watching:
            watching += 1
        if session.query_pending > longest_input:
            longest_input = session.query_pending
        if session.unsent_peak > longest_output:
            longest_output = session.unsent_peak
        held += session.held
        blocked = session.blocked
        if blocked is not None:
            timed += blocked.deadline is not None
            minds = blocked.command.name == "xreadgroup"
            for key in blocked.keys:
                place = (blocked.db.index, key)
                waiting[place] = minds or waiting.get(place, False)
    yield "connected_clients", connected
    yield "cluster_connections", 0 if engine.cluster is None else len(engine.cluster.links())
    yield "maxclients", engine.config.maxclients
    yield "client_recent_max_input_buffer", longest_input
    yield "client_recent_max_output_buffer", longest_output
    yield "blocked_clients", held
    yield "tracking_clients", tracking
    yield "pubsub_clients", subscribed
    yield "watching_clients", watching
    yield "clients_in_timeout_table", timed
    yield "total_watched_keys", len(engine.watches)
    yield "total_blocking_keys", len(waiting)
    yield "total_blocking_keys_on_nokey", sum(waiting.values())
