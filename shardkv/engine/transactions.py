"""MULTI's end: what EXEC runs, when it does not, and the watches that decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ReplyError
from ..resp.replies import NullArray
from .watching import has_expired

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..commands.session import Session
    from .engine import Engine


class Transactions:
    """The transactions of one engine's sessions; each holds its own queue and what it watches."""

    __slots__ = ("_engine",)

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def watch(self, session: Session, keys: Iterable[bytes]) -> None:
        """Watch keys of the session's database until EXEC, DISCARD or UNWATCH."""
        self._engine.watches.add(session, keys)
        if session.names_bytes:
            self._engine.limits.weigh(session)
        self._engine.refresh_calm()

    def unwatch(self, session: Session) -> None:
        """Forget what a session watches."""
        if session.watching:
            weighed = session.names_bytes
            self._engine.watches.remove(session)
            if weighed:
                self._engine.limits.weigh(session)
            self._engine.refresh_calm()
        session.watch_broken = False

    def execute(self, session: Session) -> Any:
        """EXEC: run the queue as one; the replies, or a null array if a watch is broken. Raises ReplyError."""
        queue = session.queue
        if queue is None:
            raise ReplyError("ERR EXEC without MULTI")
        engine = self._engine
        spoilt, broken = session.queue_broken, self._is_watch_broken(session)
        self.end(session)
        if spoilt:
            raise ReplyError("EXECABORT Transaction discarded because of previous errors.")
        if broken:
            return NullArray
        return [
            engine.access.refuse_queued(session, command, words) or engine.call_inside(command, words)
            for command, words in queue
        ]

    def end(self, session: Session) -> None:
        """Leave MULTI and forget the watches."""
        session.queue = None
        session.queue_broken = False
        session.queue_bytes = 0
        self.unwatch(session)
        session.asking = False
        session.refresh()

    def _is_watch_broken(self, session: Session) -> bool:
        """Whether a watched key was touched, or has expired since WATCH."""
        return session.watch_broken or any(
            not had_expired and has_expired(self._engine.databases.open(index), key)
            for (index, key), had_expired in session.watching.items()
        )
