"""What follows when keys go without anybody having asked for it: their time is over, or memory is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..keyspace.database import Database
    from .engine import Engine


def have_gone(
    engine: Engine,
    database: Database,
    keys: Sequence[bytes],
    event: str,
    *,
    watched: Callable[[Database, bytes], None],
) -> None:
    """Tell all who are on this node and care that keys have been deleted. ``watched`` tells those who watch one."""
    database.dirty += len(keys)
    if database.attended:
        for key in keys:
            watched(database, key)
            engine.awaken(database, key)
            if engine.messages.tracking:
                engine.messages.changed(key, written=False)
            engine.notice(database, key, event)


def deletion(*, lazily: bool) -> bytes:
    """The command by which their going is propagated, key by key."""
    return b"UNLINK" if lazily else b"DEL"
