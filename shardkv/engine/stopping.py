"""SHUTDOWN: the node ends once its replicas have everything.

A replica whose last acknowledgement lags is waited for, ``shutdown-timeout`` at most, and nothing is written meanwhile.
As long as the node waits it can be taken back (SHUTDOWN ABORT); a second SHUTDOWN waits for the end of the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ReplyError
from ..replication.primary import Phase, Replica
from .pausing import FOREVER, Reason

if TYPE_CHECKING:
    from .engine import Engine

_FAILED = "ERR Errors trying to SHUTDOWN. Check logs."


@dataclass(frozen=True, slots=True)
class _Order:
    """A shutdown that waits: how, until when at most (Unix milliseconds), and for which offset. What is streamed later
    (PING, the question how far they are) matters to nobody, and an acknowledgement does not count the question."""

    save: bool | None
    force: bool
    until: int
    offset: int


class Stopping:
    """The shutdown that is going on, if any. ``by_signal``: a signal has asked for it, too."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._order: _Order | None = None
        self.by_signal = False

    @property
    def waiting(self) -> bool:
        """Whether one waits for replicas."""
        return self._order is not None

    @property
    def left(self) -> int | None:
        """For how many milliseconds it waits yet, None if none does."""
        return None if self._order is None else max(0, self._order.until - self._engine.now)

    def begin(self, *, save: bool | None, now: bool, force: bool) -> bool:
        """Shut down. ``save``: with a last snapshot, None: if there are save points; ``now``: without waiting for
        replicas; ``force``: whatever goes wrong. False: it waits for replicas, or another one does. Raises OSError,
        and then the node goes on."""
        if self._order is not None:
            return False
        engine = self._engine
        self._log("warning", "User requested shutdown...")
        seconds = engine.config.shutdown_timeout
        # A script that runs on and on would hold back what its replicas wait for.
        if now or not seconds or not self._lagging() or engine.scripts.overtime.refusal is not None:
            self._end(save, force=force)
            return True
        engine.pause(FOREVER, True, Reason.SHUTDOWN)
        self._log("notice", "Waiting for replicas before shutting down.")
        self._order = _Order(save, force, engine.now + seconds * 1000, engine.replication.history.offset)
        engine.replication.acks.ask()  # rather than to wait for those that come each second
        return False

    def look(self, now: int) -> None:
        """End the node if the replicas have everything, or time is up (``now`` in Unix milliseconds)."""
        order = self._order
        if order is None or (now < order.until and self._lagging()):
            return
        try:
            self._end(order.save, force=order.force)
        except OSError:
            self._cancel()  # the log has the reason
        else:
            self._order = None

    def abort(self) -> None:
        """Take it back. Raises ReplyError if there is none."""
        if self._order is None:
            raise ReplyError("ERR No shutdown in progress.")
        self._log("notice", "Shutdown manually aborted.")
        self._cancel()

    def _cancel(self) -> None:
        """The node goes on: who has asked for its end hears of it, and the writes are carried out."""
        engine = self._engine
        self._order = None
        self.by_signal = False
        for session in list(engine.sessions.values()):
            if session.blocked is not None and session.blocked.command.name == "shutdown":
                engine.waiting.end(session, ReplyError(_FAILED))
        engine.unpause(Reason.SHUTDOWN)

    def _lagging(self) -> list[Replica]:
        replication = self._engine.replication
        offset = replication.history.offset if self._order is None else self._order.offset
        return [replica for replica in replication.primary.replicas.values() if replica.acked < offset]

    def _end(self, save: bool | None, *, force: bool) -> None:
        """Tell how the replicas stand, and end. Raises OSError."""
        engine = self._engine
        offset = engine.replication.history.offset
        replicas = engine.replication.primary.replicas.values()
        behind = self._lagging()
        for replica in behind:
            lag = replica.lag(engine.now) if replica.phase is Phase.ONLINE else 0
            state = replica.shown_phase
            self._log(
                "notice",
                f"Lagging replica {replica.shown_address}:{replica.port} reported offset {offset - replica.acked} "
                f"behind master, lag={lag}, state={state}.",
            )
        if replicas:
            synced = len(replicas) - len(behind)
            self._log("notice", f"{synced} of {len(replicas)} replicas are in sync when shutting down.")
        engine.world.shutdown(save=save, force=force)

    def _log(self, level: str, text: str) -> None:
        self._engine.world.log(level, text)
