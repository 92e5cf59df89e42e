"""CLIENT PAUSE: requests that are held back for a while, all of them or only those that may change something."""

from __future__ import annotations

from ..commands.flags import Flags
from ..commands.session import Session
from ..commands.spec import Command


def may_write(session: Session, command: Command) -> bool:
    """Whether a command counts as a write; EXEC does if anything that it would run does."""
    if command.name == "exec":
        return any(may_write(session, queued) for queued, _ in session.queue or ())
    return command.is_write or bool(command.flags & Flags.MAY_REPLICATE)


class Pause:
    """The pause that is on, if any, and whom it holds back. Times are Unix milliseconds."""

    __slots__ = ("held", "until", "writes_only")

    def __init__(self) -> None:
        self.until: int | None = None
        self.writes_only = False
        self.held: list[Session] = []

    def begin(self, until: int, writes_only: bool) -> None:
        """Pause until then; a longer or stricter pause that is on stays."""
        if self.until is not None:
            until = max(until, self.until)
            writes_only = writes_only and self.writes_only
        self.until = until
        self.writes_only = writes_only

    def end(self) -> list[Session]:
        """End the pause; the sessions that go on."""
        self.until = None
        released, self.held = self.held, []
        for session in released:
            session.postponed = False
            session.refresh()
        return released

    def covers(self, session: Session, command: Command) -> bool:
        """Whether a request has to wait."""
        if self.until is None or session.is_primary or session.is_replica:
            return False
        return not self.writes_only or may_write(session, command)

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
