"""The short way of a replica: reads that no gate could object to.

A replica is never *calm*, for a gate has to refuse writes. But its reads are as plain as a primary's while it holds
its primary's data and may show them, so the twins that only read serve them. In a cluster that is for sessions that
have said READONLY, and for the slots of the shard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..keyspace.slots import SLOT_COUNT

if TYPE_CHECKING:
    from ..commands.session import Session
    from .engine import Engine

_EVERYWHERE: Final = bytearray(b"\x01" * SLOT_COUNT)


class ReplicaReads:
    """Runs reads for as long as they come. ``open`` is set anew with ``Engine.calm``."""

    __slots__ = ("_engine", "_routed", "_shard", "open")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._shard = bytearray(SLOT_COUNT)
        self._routed = bytes(SLOT_COUNT)
        self.open = False  #: this node is a replica whose reads may take the short way

    def route(self, readable: bytes) -> None:
        """From now on these slots can be read here by who said READONLY, though another node serves them: 1 by slot."""
        if readable is not self._routed:
            self._routed = readable
            self._shard[:] = readable

    def run(self, session: Session, requests: list[list[bytes]], at: int) -> int:
        """Go on from ``at``; returns where the reads ended."""
        engine = self._engine
        if not session.reader or (engine.cluster is not None and not session.readonly):
            return at
        database = session.db
        served = database.served
        database.served = _EVERYWHERE if engine.cluster is None else self._shard
        try:
            return engine.short_way.read(session, requests, at)
        finally:
            database.served = served
