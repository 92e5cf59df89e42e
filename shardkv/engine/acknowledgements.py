"""How far replicas and logs are, and the clients that wait for it (WAIT, WAITAOF)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..replication.stream import GETACK

if TYPE_CHECKING:
    from ..commands.session import Session
    from .engine import Engine
    from .replication import Replication


class Acknowledgements:
    """What one primary has heard of its replicas, as its clients ask for it."""

    __slots__ = ("_asked", "_engine", "_replication", "_waits")

    def __init__(self, engine: Engine, replication: Replication) -> None:
        self._engine = engine
        self._replication = replication
        self._asked = False  #: in this round
        self._waits: dict[Session, tuple[int, int, int]] = {}  #: who waits: for which offset, how many, how many logs

    def begin_round(self) -> None:
        """Something new has gone out: replicas may be asked again."""
        self._asked = False

    def forget(self, session: Session) -> None:
        """A client is gone."""
        self._waits.pop(session, None)

    def forget_all(self) -> None:
        """All waits have been ended."""
        self._waits.clear()

    def acknowledged(self, session: Session, offset: int, log_offset: int) -> None:
        """REPLCONF ACK of a replica."""
        replica = session.replica
        if replica is None or replica.phase is None:
            return
        if self._replication.primary.acknowledged(replica, offset, log_offset, self._engine.now):
            self._replication.syncs.start(replica)
        self._replication.count_near()
        if self._waits:
            self.serve_waits()
        if self._replication.failover.waiting:
            self._replication.failover.look(self._engine.now)

    def wait(self, session: Session, count: int, logs: int) -> None:
        """A client waits for replicas (``logs`` -1) or for logs from now on: ask them how far they are."""
        self._waits[session] = (session.written, count, logs)
        self.ask()

    def ask(self) -> None:
        """REPLCONF GETACK to all, once a round."""
        if not self._asked and self._replication.primary.replicas and self._replication.address is None:
            self._replication.feed_raw(GETACK)
            self._replication.flush()
            self._asked = True

    def reached(self, session: Session) -> int:
        """How many replicas have all that a client has written."""
        return self._replication.primary.reached(session.written)

    def logged(self, session: Session) -> tuple[int, int]:
        """In how many logs all that a client has written is safe: this node's (0 or 1), and replicas'."""
        here = self._replication.rim.logged_offset()
        return int(here is not None and here >= session.written), self._replication.primary.logged(session.written)

    def serve_waits(self) -> None:
        """End the waits whose replicas or logs are far enough."""
        for session, (_, count, logs) in list(self._waits.items()):
            blocked = session.blocked
            if blocked is None:
                del self._waits[session]
                continue
            reply: Any
            if logs < 0:
                reply = self.reached(session)
                enough = reply >= count
            else:
                here, there = self.logged(session)
                reply, enough = [here, there], here >= logs and there >= count
            blocked.on_timeout = reply
            if enough:
                del self._waits[session]
                self._engine.waiting.end(session, reply)
