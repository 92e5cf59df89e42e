"""What follows when a key goes without anybody having asked for it: its time is over, or memory is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..keyspace.database import Database
    from .engine import Engine


def has_gone(
    engine: Engine,
    database: Database,
    key: bytes,
    event: str,
    *,
    watched: Callable[[Database, bytes], None],
    lazily: bool,
) -> None:
    """Tell all who care that a key has been deleted. ``watched`` tells those who watch it; DEL is propagated, or UNLINK
    if it is to be freed ``lazily``."""
    database.dirty += 1
    if database.attended:
        watched(database, key)
        engine.awaken(database, key)
        if engine.messages.tracking:
            engine.messages.changed(key, written=False)
        engine.notice(database, key, event)
    if engine.sinks:
        engine.propagation.add(database, [b"UNLINK" if lazily else b"DEL", key])
