"""How replicas come by this node's data: they go on from where they were, or get a snapshot and what followed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ReplyError
from ..resp.replies import NO_REPLY

if TYPE_CHECKING:
    from ..commands.session import Session
    from ..replication.primary import Replica, Snapshot
    from .engine import Engine
    from .replication import Replication


class Synchronizing:
    """PSYNC as one primary answers it. The counts are since the start or CONFIG RESETSTAT."""

    __slots__ = ("_config", "_engine", "_replication", "full", "partial", "refused")

    def __init__(self, engine: Engine, replication: Replication) -> None:
        self._engine = engine
        self._config = engine.config
        self._replication = replication
        self.reset_stats()

    def reset_stats(self) -> None:
        """Count from nought."""
        self.full = self.partial = self.refused = 0

    def synchronize(self, session: Session, replication_id: str | None, offset: int) -> Any:
        """PSYNC, or SYNC (``replication_id`` None): go on from ``offset``, or wait for a snapshot. Raises
        ReplyError."""
        replica = self._replication.introduce(session)
        if replica.phase is not None:
            return NO_REPLY  # it is one already
        cluster = self._engine.cluster
        if cluster is not None and cluster.hesitates:
            raise ReplyError("LOADING This node finds out whether its replicas hold more than it does")
        if self._replication.stale:
            raise ReplyError("NOMASTERLINK Can't SYNC while not connected with my master")
        if session.out or session.unsent:
            raise ReplyError("ERR SYNC and PSYNC are invalid with pending output")
        self._engine.world.log("notice", f"Replica {name(replica)} asks for synchronization")
        self._replication.flush()
        missing = None if replication_id is None else self._replication.history.since(replication_id, offset)
        replica.speaks = replication_id is not None
        if missing is None:
            if replication_id not in (None, "?"):
                self.refused += 1
                self._engine.world.log("notice", f"Partial resynchronization not accepted: {replication_id}:{offset}")
            self._full_sync(session, replica)
        else:
            self._go_on(session, replica, offset, missing)
        return NO_REPLY

    def _go_on(self, session: Session, replica: Replica, offset: int, missing: bytes) -> None:
        self.partial += 1
        self._replication.primary.attach_online(replica, offset - 1, self._engine.now)
        self._become_replica(session)
        answer = f"+CONTINUE {self._replication.history.id}\r\n" if replica.speaks_psync2 else "+CONTINUE\r\n"
        session.out += [answer.encode(), missing] if missing else [answer.encode()]
        self._engine.world.log(
            "notice",
            f"Partial resynchronization request from {name(replica)} accepted. Sending {len(missing)} bytes of "
            f"backlog starting from offset {offset}.",
        )
        self._replication.count_near()

    def _full_sync(self, session: Session, replica: Replica) -> None:
        self.full += 1
        self._become_replica(session)
        if self._replication.history.backlog is None:
            self._replication.history.begin(self._replication.new_id(), self._config.repl_backlog_size)
            self._replication.listen()
        other = self._replication.primary.attach_waiting(replica, self._engine.now)
        if other is not None:
            replica.base = other.base
            self._announce(session, replica)
            self._engine.world.log("notice", "Waiting for end of BGSAVE for SYNC")
            return
        self._begin_due_snapshot()

    def _become_replica(self, session: Session) -> None:
        session.is_replica = True
        session.refresh()
        self._replication.rim.attached(self._replication.introduce(session))

    # ---- snapshots

    def _begin_due_snapshot(self) -> None:
        """Have a snapshot made, if one is due."""
        order = self._replication.primary.snapshot_due(self._engine.now, self._replication.rules())
        if order is not None:
            self._replication.rim.snapshot(order)

    def snapshot_begins(self, order: Snapshot) -> None:
        """The content of a snapshot is fixed now: tell its replicas where the stream will go on."""
        self._replication.flush()
        if self._replication.address is None:
            self._replication.history.stream.restart()  # who gets the snapshot does not know the selected database
        self._replication.primary.snapshot_begins(order.replicas, to_file=order.to_file)
        for replica in order.replicas:
            session = self._engine.sessions.get(replica.id)
            if session is not None:
                replica.base = self._replication.history.offset
                self._announce(session, replica)

    def _announce(self, session: Session, replica: Replica) -> None:
        if replica.speaks:
            session.out.append(f"+FULLRESYNC {self._replication.history.id} {replica.base}\r\n".encode())
            self._engine.world.wake(session)

    def snapshot_sent(self, replica: Replica, *, to_file: bool) -> None:
        """A replica has its snapshot: what has gathered for it follows, at once or behind its acknowledgement."""
        self._replication.primary.sent(replica, self._engine.now, wait_for_ack=not to_file)
        self._engine.world.log("notice", f"Synchronization with replica {name(replica)} succeeded")
        if replica.snapshot_only:
            self._engine.world.close(self._engine.sessions[replica.id])
        elif to_file:
            self.start(replica)
        self._replication.count_near()

    def start(self, replica: Replica) -> None:
        """Send a replica what has gathered for it since its snapshot."""
        self._replication.flush()
        session = self._engine.sessions[replica.id]
        session.out += self._replication.primary.goes_on(replica)
        self._engine.world.wake(session)


def name(replica: Replica) -> str:
    """A replica as the log calls it."""
    return f"{replica.shown_address}:{replica.port}"
