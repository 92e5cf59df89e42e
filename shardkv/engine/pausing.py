"""CLIENT PAUSE, and what else holds requests back for a while, all of them or only those that may change something.

Each reason for a pause has an end of its own; as long as any is left, requests wait.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from ..commands.flags import Flags
from ..commands.session import Session
from ..commands.spec import Command

if TYPE_CHECKING:
    from .engine import Engine

#: The answer to a request that is held back: it is tried again later.
POSTPONED: Final = object()
#: Later than any pause ends by itself, in Unix milliseconds.
FOREVER: Final = 2**62


class Reason(Enum):
    """Why requests wait."""

    CLIENT = 1  #: CLIENT PAUSE
    FAILOVER = 2  #: a replica is about to take over
    SHUTDOWN = 3  #: the node is about to end


def may_write(engine: Engine, session: Session, command: Command, words: list[bytes]) -> bool:
    """Whether a request counts as a write; EXEC does if anything that it would run does, and a script unless it says
    that it writes nothing."""
    if command.name == "exec":
        return any(may_write(engine, session, queued, request) for queued, request in session.queue or ())
    if command.is_write or not command.flags & Flags.MAY_REPLICATE:
        return command.is_write
    return not command.runs_script or not engine.scripts.forgoes_writes(command, words)


class Pause:
    """The pauses that are on, if any, and whom they hold back. ``until`` is when the next of them ends, None without
    any. Times are Unix milliseconds."""

    __slots__ = ("_ends", "held", "until", "writes_only")

    def __init__(self) -> None:
        self._ends: dict[Reason, tuple[int, bool]] = {}  #: until when, writes only
        self.until: int | None = None
        self.writes_only = False
        self.held: list[Session] = []

    def begin(self, until: int, writes_only: bool, reason: Reason) -> None:
        """Pause until then; a longer or stricter pause for the same reason stays."""
        if reason in self._ends:
            before, mild = self._ends[reason]
            until, writes_only = max(until, before), writes_only and mild
        self._ends[reason] = (until, writes_only)
        self._sum_up()

    def end(self, reason: Reason) -> list[Session]:
        """End the pause for a reason; the sessions that are to be tried again."""
        self._ends.pop(reason, None)
        return self._release()

    def time_out(self, now: int) -> list[Session]:
        """End the pauses whose time is over; the sessions that are to be tried again."""
        self._ends = {reason: end for reason, end in self._ends.items() if end[0] > now}
        return self._release()

    def _sum_up(self) -> None:
        self.until = min((until for until, _ in self._ends.values()), default=None)
        self.writes_only = all(mild for _, mild in self._ends.values())

    def _release(self) -> list[Session]:
        self._sum_up()
        released, self.held = self.held, []
        for session in released:
            session.postponed = False
            session.refresh()
        return released

    def covers(self, engine: Engine, session: Session, command: Command, words: list[bytes]) -> bool:
        """Whether a request has to wait."""
        if self.until is None or session.is_primary or session.is_replica:
            return False
        return not self.writes_only or may_write(engine, session, command, words)

    def hold(self, session: Session, words: list[bytes]) -> None:
        """Hold a request back; it is the first to be carried out when the pause ends."""
        session.waiting.appendleft(words)
        session.postponed = True
        session.refresh()
        self.held.append(session)

    def forget(self, session: Session) -> None:
        """A client is gone."""
        if session.postponed and session in self.held:
            self.held.remove(session)
