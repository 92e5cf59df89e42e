"""How much of the node's memory clients may take: what they leave unread, what they leave unfinished, and all of it
together.

The rim tells of every change of a buffer (``weigh``) and asks that whoever has gone too far be closed. All sizes are
bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from ..commands.session import SESSION_BYTES

if TYPE_CHECKING:
    from ..commands.session import Session
    from ..commands.world import World
    from ..config import Config
    from .stats import Stats

#: What a request that waits costs beside its bytes, and each of its words.
_REQUEST_BYTES: Final = 90
_WORD_BYTES: Final = 40
#: A stranger may leave no more than this unfinished.
_STRANGER_BYTES: Final = 2**20
#: ``maxmemory-clients`` is never understood as less.
_LEAST: Final = 128 * 1024


class ClientLimits:
    """The limits of one engine's clients."""

    __slots__ = ("_config", "_sessions", "_stats", "_weights", "_world", "total")

    def __init__(self, config: Config, world: World, stats: Stats, sessions: dict[int, Session]) -> None:
        self._config = config
        self._world = world
        self._stats = stats
        self._sessions = sessions
        self._weights: dict[Session, int] = {}  #: those that have something in their buffers
        self.total = 0  #: of all buffers

    # ---- one client

    def output_exceeded(self, session: Session, now: float) -> bool:
        """Whether unread output is at the hard limit of the client's class, or has been at the soft one for too long;
        ``now`` in seconds."""
        hard, soft, seconds = self._output_limits(session)
        if hard and session.unsent >= hard:
            return True
        if not soft or session.unsent < soft:
            session.soft_limit_since = None
            return False
        if session.soft_limit_since is None:
            session.soft_limit_since = now
        return now - session.soft_limit_since > seconds

    def _output_limits(self, session: Session) -> tuple[int, int, int]:
        """Hard and soft limit of the client's class, and for how many seconds it may be at the soft one."""
        kind = "normal" if session.kind == "master" else session.kind
        hard, soft, seconds = self._config.client_output_buffer_limit[kind]
        if hard and kind == "replica":
            hard = max(hard, self._config.repl_backlog_size)  # else no replica could take what the backlog holds
        return hard, soft, seconds

    def admits(self, session: Session, size: int) -> bool:
        """Whether a client may be sent so much at once; if not, it is closed, whether it reads or not. What a replica
        is sent counts when it stays unread."""
        hard = self._output_limits(session)[0]
        if not hard or session.unsent + size < hard or session.kind == "replica":
            return True
        self.cut_off(session)
        return False

    def cut_off(self, session: Session) -> None:
        """Close a client because of what would have to be kept for it."""
        self._stats.output_limit_disconnections += 1
        self._world.log(
            "warning",
            f"Client id={session.id} addr={session.address} scheduled to be closed ASAP "
            "for overcoming of output buffer limits.",
        )
        self._world.close(session)

    def input_exceeded(self, session: Session) -> bool:
        """Whether a client has left too much with us: requests that are not whole, or wait for their turn or EXEC."""
        held = session.query_pending + session.waiting_bytes + session.queue_bytes
        if held <= _STRANGER_BYTES:  # the least that the option can be
            return False
        return not session.is_primary and (held > self._config.client_query_buffer_limit or not session.authenticated)

    @staticmethod
    def hold(session: Session, requests: Iterable[list[bytes]]) -> None:
        """Requests have joined those that wait."""
        session.waiting_bytes += sum(
            _REQUEST_BYTES + sum(map(len, words)) + _WORD_BYTES * len(words) for words in requests
        )

    def bound_input(self, session: Session) -> bool:
        """Close a client that has left too much with us; whether it was."""
        self.weigh(session)
        if session.closed or not self.input_exceeded(session):
            return session.closed
        self._stats.query_limit_disconnections += 1
        self._world.log(
            "warning", f"Closing client that reached max query buffer length: id={session.id} addr={session.address}"
        )
        self._world.close(session)
        return True

    # ---- all together

    def weigh(self, session: Session) -> None:
        """A client's buffers have changed."""
        if session.closed:
            return
        weight = session.unsent + session.query_pending + session.waiting_bytes + session.queue_bytes
        weight += session.names_bytes
        self.total += weight - self._weights.get(session, 0)
        if weight:
            self._weights[session] = weight
        else:
            self._weights.pop(session, None)

    def forget(self, session: Session) -> None:
        """A client is gone."""
        self.total -= self._weights.pop(session, 0)

    @property
    def most(self) -> int:
        """What all clients may take together; 0: there is no limit."""
        limit = self._config.maxmemory_clients
        if limit < 0:
            limit = self._config.maxmemory * -limit // 100
        return max(limit, _LEAST) if limit else 0

    def evicted(self) -> Session | None:
        """The client to close for want of memory: the largest of those that may be, or None if there is room."""
        most = self.most
        if not most or self.total + SESSION_BYTES * len(self._sessions) <= most:
            return None
        candidates = [session for session in self._sessions.values() if _may_be_evicted(session)]
        return max(candidates, key=lambda session: self._weights.get(session, 0), default=None)

    def evict(self) -> None:
        """Close the largest clients while all together take too much memory (``maxmemory-clients``)."""
        while (session := self.evicted()) is not None:
            self._stats.evicted_clients += 1
            self._world.log("notice", f"Evicting client: id={session.id} addr={session.address}")
            self._world.close(session)


def _may_be_evicted(session: Session) -> bool:
    return not session.no_evict and not session.closed and session.kind in ("normal", "pubsub")
