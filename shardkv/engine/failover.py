"""FAILOVER: a primary hands its place over to one of its replicas, and follows it.

Writes are held back until the chosen replica, or any if none was chosen, has everything; then this node becomes its
replica and asks it, within PSYNC, to take over. As long as that has not happened it can be taken back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ReplyError
from ..replication.primary import Phase, Replica
from .pausing import FOREVER, Reason

if TYPE_CHECKING:
    from .engine import Engine
    from .replication import Endpoint, Replication


class Failover:
    """The failover that is going on, if any. Times are Unix milliseconds."""

    def __init__(self, engine: Engine, replication: Replication) -> None:
        self._engine = engine
        self._replication = replication
        self.waiting = False  #: for a replica to have everything
        self.in_progress = False  #: this node follows the one that is to take over
        self._target: Endpoint | None = None
        self._force = False
        self._until: int | None = None

    @property
    def state(self) -> str:
        """What INFO says."""
        if self.waiting:
            return "waiting-for-sync"
        return "failover-in-progress" if self.in_progress else "no-failover"

    @property
    def active(self) -> bool:
        """Whether one is going on."""
        return self.waiting or self.in_progress

    def begin(self, target: Endpoint | None, *, force: bool, timeout: int | None) -> None:
        """Hold writes back, and wait for a replica. Raises ReplyError."""
        if self.active:
            raise ReplyError("ERR FAILOVER already in progress.")
        if self._replication.following:
            raise ReplyError("ERR FAILOVER is not valid when server is a replica.")
        if not self._replication.primary.replicas:
            raise ReplyError("ERR FAILOVER requires connected replicas.")
        if force and (target is None or timeout is None):
            raise ReplyError("ERR FAILOVER with force option requires both a timeout and target HOST and IP options.")
        if target is not None:
            replica = self._find(target)
            if replica is None:
                raise ReplyError("ERR FAILOVER target HOST and PORT is not a replica.")
            if replica.phase is not Phase.ONLINE:
                raise ReplyError("ERR FAILOVER target replica is not online.")
        engine = self._engine
        engine.world.log("notice", f"FAILOVER requested to {_shown(target)}.")
        self._target, self._force = target, force
        self._until = None if timeout is None else engine.now + timeout
        self.waiting = True
        engine.pause(FOREVER, True, Reason.FAILOVER)

    def abort(self, reason: str) -> None:
        """Take it back. Raises ReplyError if there is none."""
        if not self.active:
            raise ReplyError("ERR No failover in progress.")
        self._engine.world.log("notice", f"FAILOVER to {_shown(self._target)} aborted: {reason}")
        was_in_progress = self.in_progress
        self._clear()
        if was_in_progress:
            self._replication.lead()

    def look(self, now: int) -> None:
        """See whether a replica has everything, or time is up."""
        if not self.waiting:
            return
        if self._until is not None and now >= self._until:
            if self._force and self._target is not None:
                self._hand_over(self._target, f"FAILOVER to {_shown(self._target)} time out exceeded, failing over.")
            else:
                self.abort("Replica never caught up before timeout")
            return
        offset = self._replication.history.offset
        for replica in self._replication.primary.replicas.values():
            wanted = self._target is None or self._matches(replica, self._target)
            if wanted and replica.phase is Phase.ONLINE and replica.acked == offset:
                caught_up = (replica.shown_address, replica.port)
                self._hand_over(caught_up, f"Failover target {_shown(caught_up)} is synced, failing over.")
                return

    def _hand_over(self, target: Endpoint, why: str) -> None:
        self._engine.world.log("notice", why)
        self.waiting, self.in_progress = False, True
        self._replication.follow(*target)

    def refused(self, reply: str) -> None:
        """The target does not take over."""
        if self.in_progress:
            self.abort(f"Failover target rejected psync request: {reply}")

    def succeeded(self) -> None:
        """The target has taken over."""
        if self.in_progress:
            self._clear()

    def _clear(self) -> None:
        self.waiting = self.in_progress = False
        self._target, self._until, self._force = None, None, False
        self._engine.unpause(Reason.FAILOVER)

    def _find(self, target: Endpoint) -> Replica | None:
        for replica in self._replication.primary.replicas.values():
            if self._matches(replica, target):
                return replica
        return None

    @staticmethod
    def _matches(replica: Replica, target: Endpoint) -> bool:
        host = "127.0.0.1" if target[0] == "localhost" else target[0]
        return replica.port == target[1] and host in (replica.shown_address, replica.address)


def _shown(target: Endpoint | None) -> str:
    return "any replica" if target is None else f"{target[0]}:{target[1]}"
