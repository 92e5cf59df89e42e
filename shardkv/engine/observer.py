"""What the engine notes while it runs: slow commands, slow moments, durations, and what onlookers are shown.

On the hot path all of it is one comparison of a duration with ``slow``, the shortest that anything here asks about. A
threshold below ``EXACT_SECONDS`` asks about commands that are not told apart there, and onlookers want to see each
request: ``wants_each`` then keeps the engine off the short way.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Final

from ..commands.flags import Flags
from ..commands.redaction import redacted
from ..commands.session import Session
from ..commands.spec import TABLE, Command
from ..observation.latency import LatencyMonitor
from ..observation.onlookers import line
from ..observation.slowlog import SlowLog

if TYPE_CHECKING:
    from .engine import Engine

#: The short way times runs of requests, none of which takes long; from here on a duration is one request's own.
EXACT_SECONDS: Final = 0.001


class Observer:
    """The logs of one engine."""

    __slots__ = ("_engine", "_latency_ms", "_slow_us", "latency", "onlookers", "slow", "slow_log", "tracks")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.slow_log = SlowLog()
        self.latency = LatencyMonitor()
        self.onlookers: dict[int, Session] = {}
        self.slow = inf  #: seconds from which a command is worth a look
        self.tracks = True  #: durations are counted
        self._slow_us = inf
        self._latency_ms = inf

    @property
    def wants_each(self) -> bool:
        """Whether every request has to be looked at by itself."""
        return bool(self.onlookers) or self.slow < EXACT_SECONDS

    def configure(self) -> None:
        """Obey the options as they are now."""
        config = self._engine.config
        slower, threshold = config.slowlog_log_slower_than, config.latency_monitor_threshold
        self._slow_us = slower if slower >= 0 else inf
        self._latency_ms = threshold or inf
        self.slow = min(self._slow_us / 1e6, self._latency_ms / 1e3)
        self.tracks = config.latency_tracking

    # ---- commands

    def took(self, session: Session, command: Command, words: Sequence[bytes], seconds: float) -> None:
        """A command took at least ``slow``."""
        engine = self._engine
        microseconds = int(seconds * 1e6)
        if microseconds >= self._slow_us and not command.flags & Flags.SKIP_SLOWLOG:
            self.slow_log.note(
                redacted(command.name, words),
                microseconds,
                engine.now // 1000,
                "?:0" if engine.in_script else session.address,
                b"" if engine.in_script else session.name,
                engine.config.slowlog_max_len,
            )
        self.held_up("fast-command" if command.flags & Flags.FAST else "command", seconds)

    def took_by_name(self, session: Session, name: str, words: Sequence[bytes], seconds: float) -> None:
        """The same where only the command's name is known."""
        self.took(session, TABLE[name], words, seconds)

    def held_up(self, event: str, seconds: float) -> None:
        """Something went on for so long; noted if that is long for the latency monitor."""
        milliseconds = int(seconds * 1e3)
        if milliseconds >= self._latency_ms:
            self.latency.add(event, self._engine.now // 1000, milliseconds)

    # ---- onlookers

    def admit(self, session: Session) -> None:
        """Show a session all requests from now on."""
        session.monitoring = True
        session.refresh()
        self.onlookers[session.id] = session
        self._engine.refresh_calm()

    def dismiss(self, session: Session) -> None:
        """Show it none any more."""
        if self.onlookers.pop(session.id, None) is not None:
            session.monitoring = False
            session.refresh()
            self._engine.refresh_calm()

    def show(self, session: Session, command: Command, words: Sequence[bytes]) -> None:
        """Show a request to the onlookers, unless it is one of an administrator's."""
        engine = self._engine
        if command.flags & Flags.ADMIN or engine.loading:
            return
        if engine.in_script and not command.runs_script:
            source = "lua"
        elif session.unix_socket:
            source = f"unix:{session.local_address.removesuffix(':0')}"
        else:
            source = session.address
        shown = line(engine.now / 1000, session.db.index, source, redacted(command.name, words))
        for onlooker in list(self.onlookers.values()):
            engine.messages.tell(onlooker, shown)
