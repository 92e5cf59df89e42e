"""What the engine notes while it runs: commands that stand out, slow moments, durations, and what onlookers are shown.

On the hot path all of it is one comparison of a duration with ``slow``, the shortest that anything here asks about. A
threshold below ``EXACT_SECONDS`` asks about commands that are not told apart there, and onlookers want to see each
request: ``wants_each`` then keeps the engine off the short way.

Sizes cost it nothing either. A request that is large comes in several reads: whoever sends one is kept off the short
way until it is whole (``expect``). What is sent to a client is counted by the rim anyway, which asks for a closer look
at a batch whose replies together are ``large_reply`` or more (``weigh``).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Final

from ..commands.flags import Flags
from ..commands.redaction import redacted
from ..commands.session import Session
from ..commands.spec import TABLE, Command
from ..observation.commandlog import CommandLog
from ..observation.latency import LatencyMonitor
from ..observation.onlookers import line
from ..resp.encoder import encode
from ..resp.replies import Reply
from ..resp.sizes import reply_sizes, request_size

if TYPE_CHECKING:
    from .engine import Engine

#: The short way times runs of requests, none of which takes long; from here on a duration is one request's own.
EXACT_SECONDS: Final = 0.001
#: A request of fewer bytes may come in one read, which nobody can see coming.
READ_AT_ONCE: Final = 32 * 1024


class Observer:
    """The logs of one engine."""

    __slots__ = (
        "_engine",
        "_large_request",
        "_latency_ms",
        "_slow_us",
        "large_replies",
        "large_reply",
        "large_requests",
        "latency",
        "long_output",
        "onlookers",
        "slow",
        "slow_log",
        "tracks",
    )

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.slow_log = CommandLog()
        self.large_requests = CommandLog()
        self.large_replies = CommandLog()
        self.latency = LatencyMonitor()
        self.onlookers: dict[int, Session] = {}
        self.slow = inf  #: seconds from which a command is worth a look
        self.large_reply = inf  #: bytes from which a reply is
        self.long_output = inf  #: bytes from which all is that is about to be sent to a client
        self.tracks = True  #: durations are counted
        self._large_request = inf
        self._slow_us = inf
        self._latency_ms = inf

    @property
    def wants_each(self) -> bool:
        """Whether every request has to be looked at by itself."""
        return bool(self.onlookers) or self.slow < EXACT_SECONDS or self.weighs_each

    @property
    def weighs_each(self) -> bool:
        """Whether a request may be large enough though it came in one read."""
        return self._large_request < READ_AT_ONCE

    @property
    def watches_latency(self) -> bool:
        """Whether anything is long enough for the latency monitor."""
        return self._latency_ms < inf

    def configure(self) -> None:
        """Obey the options as they are now."""
        config = self._engine.config
        slower, threshold = config.slowlog_log_slower_than, config.latency_monitor_threshold
        self._slow_us = slower if slower >= 0 else inf
        self._latency_ms = threshold or inf
        self.slow = min(self._slow_us / 1e6, self._latency_ms / 1e3)
        request, reply = config.commandlog_request_larger_than, config.commandlog_reply_larger_than
        self._large_request = request if request >= 0 else inf
        self.large_reply = reply if reply >= 0 else inf
        classes = config.client_output_buffer_limit
        self.long_output = min(self.large_reply, classes["normal"][0] or inf, classes["pubsub"][0] or inf)
        self.tracks = config.latency_tracking

    # ---- commands that are slow

    def took(self, session: Session, command: Command, words: Sequence[bytes], seconds: float) -> None:
        """A command took at least ``slow``."""
        self.note_slow(session, command, words, seconds)
        self.held_up("fast-command" if command.flags & Flags.FAST else "command", seconds)

    def note_slow(self, session: Session, command: Command, words: Sequence[bytes], seconds: float) -> None:
        """A command took so long, from the time on at which it had what it waited for, if it did; noted if that is
        slow."""
        microseconds = int(seconds * 1e6)
        if microseconds >= self._slow_us:
            self._note(self.slow_log, session, command, words, microseconds, self._engine.config.slowlog_max_len)

    def took_by_name(self, session: Session, name: str, words: Sequence[bytes], seconds: float) -> None:
        """The same where only the command's name is known."""
        self.took(session, TABLE[name], words, seconds)

    def held_up(self, event: str, seconds: float) -> None:
        """Something went on for so long; noted if that is long for the latency monitor."""
        milliseconds = int(seconds * 1e3)
        if milliseconds >= self._latency_ms:
            self.latency.add(event, self._engine.now // 1000, milliseconds)

    def _note(
        self, log: CommandLog, session: Session, command: Command, words: Sequence[bytes], amount: int, most: int
    ) -> None:
        if command.flags & Flags.SKIP_SLOWLOG:
            return
        engine = self._engine
        address, name = ("?:0", b"") if engine.in_script else (session.address, session.name)
        log.note(redacted(command.name, words), amount, engine.now // 1000, address, name, most)

    # ---- requests and replies that are large

    def expect(self, session: Session, pending: int) -> None:
        """So much of a request has come, and it is not whole."""
        if not session.bulky and pending + READ_AT_ONCE >= self._large_request:
            session.bulky = True
            session.refresh()

    def came(self, session: Session) -> None:
        """No part of a request is left."""
        session.bulky = False
        session.refresh()

    def asked(self, session: Session, words: Sequence[bytes]) -> None:
        """A request was carried out that may be a large one."""
        size = request_size(words)
        command = self._engine.look_up(list(words[:2]))
        if size >= self._large_request and command is not None:
            most = self._engine.config.commandlog_large_request_max_len
            self._note(self.large_requests, session, command, words, size, most)

    def answered(
        self,
        session: Session,
        words: Sequence[bytes],
        reply: Reply,
        size: int,
        queue: Sequence[tuple[Command, list[bytes]]] | None = None,
    ) -> None:
        """A request that was carried out has been given a reply of so many bytes. ``queue``: what was in the
        transaction that it may have ended, whose parts count one by one."""
        if size < self.large_reply:
            return
        if queue and isinstance(reply, list):
            for (part_of, queued), part in zip(queue, reply, strict=False):
                self._note_reply(session, part_of, queued, len(encode(part, session.resp3)))
            return
        command = self._engine.look_up(list(words[:2]))
        if command is not None:
            self._note_reply(session, command, words, size)

    def weigh(self, session: Session, requests: Sequence[list[bytes]], pieces: Sequence[bytes]) -> None:
        """Find the large replies among those of a batch, for a short way has carried it out as a whole: each request
        has its reply, in order. What stands before them is no part of it."""
        if len(requests) == 1:
            sizes = [sum(map(len, pieces))]
        elif len(requests) == len(pieces):
            sizes = list(map(len, pieces))
        else:
            sizes = reply_sizes(pieces)[-len(requests) :]
        for words, size in zip(requests, sizes, strict=False):
            if size >= self.large_reply:
                command = self._engine.look_up(words)
                if command is not None and command.fewest <= len(words) <= command.most:
                    self._note_reply(session, command, words, size)

    def _note_reply(self, session: Session, command: Command, words: Sequence[bytes], size: int) -> None:
        if size >= self.large_reply:
            most = self._engine.config.commandlog_large_reply_max_len
            self._note(self.large_replies, session, command, words, size, most)

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
