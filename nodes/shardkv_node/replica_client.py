"""The replica's end of replication: dials the primary, and does what ``ReplicaLink`` says, in one task."""

from __future__ import annotations

import os
import socket
import traceback
from collections import deque
from collections.abc import Callable
from typing import Final

import trio

from shardkv.engine.engine import Engine
from shardkv.engine.following import StreamFault
from shardkv.engine.replication import Replication
from shardkv.replication.replica import (
    Chunk,
    Continued,
    Dial,
    Effect,
    FailoverRefused,
    FullSync,
    Hangup,
    Incoming,
    Note,
    Online,
    ReplicaLink,
    Send,
    Streamed,
    Transferred,
)

from . import clock
from .reactor import Reactor
from .replica_intake import DirectIntake, FileIntake, IntakeFault, intake_for
from .tls import SecureSocket, Tls

#: One read.
RECEIVE: Final = 1 << 17


class ReplicaClient:
    """Serves ``Replication.link`` for as long as there is one."""

    def __init__(self, engine: Engine, reactor: Reactor, log: Callable[[str, str], None], tls: Tls) -> None:
        self._engine = engine
        self._tls = tls
        self._reactor = reactor
        self._log = log
        self._replication: Replication = engine.replication
        self._changed = trio.Event()
        self._scope = trio.CancelScope()
        self._wait = trio.CancelScope()
        self._sock: socket.socket | SecureSocket | None = None
        self._intake: DirectIntake | FileIntake | None = None
        self._full_sync = FullSync("", 0)
        self._same_history = False
        self._todo: deque[Effect] = deque()
        self.loaded: list[Callable[[], None]] = []  #: called when all data have been replaced

    def follow(self) -> None:
        """The link is another one, or gone."""
        self._changed.set()
        self._scope.cancel()

    def break_link(self) -> None:
        """End the connection (CLIENT KILL): the next look at it finds that it is lost."""
        if self._sock is not None:
            try:
                self._sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it is lost already

    def go_on(self) -> None:
        """Look again at what has come of the stream, though no more may have come."""
        self._wait.cancel()

    def tell(self, data: bytes) -> None:
        """Send a few bytes to the primary, without waiting: an acknowledgement that does not fit is made up for by the
        next one."""
        if self._sock is not None:
            try:
                self._sock.send(data)
            except OSError:
                pass  # full, or broken: reading will tell

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._changed = trio.Event()
            link = self._replication.link
            if link is None:
                await self._changed.wait()
                continue
            address = self._replication.address
            assert address is not None
            self._log("notice", f"Connecting to MASTER {address[0]}:{address[1]}")
            with trio.CancelScope() as self._scope:
                try:
                    await self._serve(link, *address)
                finally:
                    self._hang_up()

    async def _serve(self, link: ReplicaLink, host: str, port: int) -> None:
        replication = self._replication
        self._todo.clear()
        while True:
            while self._todo:
                await self._perform(link, self._todo.popleft(), host, port)
            feed = replication.feed_in
            if feed is not None and feed.paused:
                self._apply(link, b"")
                if self._todo:
                    continue
            self._reactor.flush_woken()
            data = await self._receive(link)
            now = clock.stopwatch()
            self._engine.begin(clock.unix_ms())
            if data is None:
                logged = replication.rim.logged_offset()
                self._todo += link.tick(now, replication.history.offset, replication.offer(), logged)
            elif data:
                self._engine.stats.replication_bytes_in += len(data)
                self._todo += link.received(data, now)
            else:
                self._hang_up()
                self._todo += link.lost(now, "Connection with master lost.")

    async def _receive(self, link: ReplicaLink) -> bytes | None:
        """What comes next: bytes, none for the end of the connection, None for the link's deadline."""
        wait = max(0.0, link.deadline - clock.stopwatch())
        sock = self._sock
        if sock is None:
            await trio.sleep(wait)
            return None
        with trio.move_on_after(wait) as self._wait:
            await trio.lowlevel.wait_readable(sock)
            try:
                return sock.recv(RECEIVE)
            except BlockingIOError:
                return None  # inside TLS a part of a record has come
            except OSError:
                return b""
        return None

    async def _perform(self, link: ReplicaLink, effect: Effect, host: str, port: int) -> None:
        replication = self._replication
        match effect:
            case Streamed(data):
                self._apply(link, data)
            case Send(data):
                await self._send(link, data)
            case Dial():
                await self._dial(link, host, port)
            case Hangup():
                self._hang_up()
            case FullSync(replication_id, _):
                self._same_history = replication_id == replication.history.id
                self._full_sync = effect
            case Incoming(size):
                self._begin_intake(link, size)
            case Chunk(data):
                self._take(link, data)
            case Transferred():
                await self._load(link)
            case Continued(replication_id):
                replication.continued(replication_id)
            case Online():
                replication.online()
            case FailoverRefused(reply):
                replication.failover.refused(reply)
            case Note(level, text):
                self._log(level, text)

    # ---- the connection

    async def _dial(self, link: ReplicaLink, host: str, port: int) -> None:
        reason = "timed out"
        source = self._engine.config.bind_source_addr or None
        with trio.move_on_after(link.settings.timeout):
            try:
                stream = await trio.open_tcp_stream(host, port, local_address=source)
            except OSError as error:
                reason = _why(error)
            else:
                # From here on without trio's wrapper, which can send only by waiting.
                sock = socket.socket(fileno=os.dup(stream.socket.fileno()))
                sock.setblocking(False)
                stream.socket.close()
                reason = await self._enter(sock)
        now = clock.stopwatch()
        if self._sock is None:
            self._todo += link.lost(now, f"Unable to connect to MASTER {host}:{port}: {reason}")
        else:
            self._todo += link.connected(now)

    async def _enter(self, sock: socket.socket) -> str:
        """Use a connected socket from now on, inside TLS if that is asked for; the reason if that fails."""
        if not self._engine.config.tls_replication:
            self._sock = sock
            return ""
        try:
            self._sock = await self._tls.enter(sock)
        except OSError as error:
            return f"TLS: {getattr(error, 'reason', None) or _why(error)}"
        return ""

    async def _send(self, link: ReplicaLink, data: bytes) -> None:
        if self._sock is None:
            return
        view = memoryview(data)
        try:
            with trio.fail_after(link.settings.timeout):
                while view:
                    try:
                        view = view[self._sock.send(view) :]
                    except BlockingIOError:
                        await trio.lowlevel.wait_writable(self._sock)
        except (OSError, trio.TooSlowError):
            self._fail(link, "Connection with master lost: nothing can be sent.")

    def _fail(self, link: ReplicaLink, reason: str) -> None:
        """Give this connection up; what was still to be done with it is void."""
        self._todo.clear()
        self._todo += link.fail(clock.stopwatch(), reason)

    def _hang_up(self) -> None:
        if self._sock is not None:
            trio.lowlevel.notify_closing(self._sock)
            self._sock.close()
            self._sock = None
        self._end_intake()
        self._replication.offline()

    # ---- the stream

    def _apply(self, link: ReplicaLink, data: bytes) -> None:
        feed = self._replication.feed_in
        if feed is None:
            return
        try:
            feed.feed(data)
        except StreamFault as fault:
            self._fail(link, f"Protocol error from master: {fault}")
        except Exception as error:
            # A bug of ours. What was applied of the stream is not known any more: everything is asked for anew.
            text = "".join(traceback.format_exception(error)).rstrip()
            self._log("warning", f"=== BUG: a command of the primary raised; please report this\n{text}")
            self._replication.history.known = False
            self._fail(link, "A command of the primary could not be carried out: synchronizing anew")

    # ---- the snapshot

    def _begin_intake(self, link: ReplicaLink, size: int | None) -> None:
        try:
            self._intake = intake_for(self._engine, size, same_history=self._same_history, log=self._log)
        except OSError as error:
            self._fail(link, f"Opening the temp file needed for MASTER <-> REPLICA synchronization: {error.strerror}")

    def _take(self, link: ReplicaLink, data: bytes) -> None:
        if self._intake is not None:
            try:
                self._intake.take(data)
            except IntakeFault as fault:
                self._fail(link, f"Failed trying to load the MASTER synchronization DB: {fault}")

    async def _load(self, link: ReplicaLink) -> None:
        """Make the snapshot this node's data; the primary hears of us meanwhile."""
        intake, replication = self._intake, self._replication
        if intake is None:
            return
        self._log("notice", "MASTER <-> REPLICA sync: Loading DB in memory")
        replication.replacing()
        try:
            for _ in intake.steps():
                now = clock.stopwatch()
                self._engine.begin(clock.unix_ms())
                for effect in link.tick(now, 0, None):
                    if isinstance(effect, Send):
                        self.tell(effect.data)
                self._reactor.flush_woken()
                await trio.lowlevel.checkpoint()
        except IntakeFault as fault:
            self._fail(link, f"Failed trying to load the MASTER synchronization DB: {fault}")
            return
        selected = intake.loader.remarks.get(b"repl-stream-db", b"0")
        self._end_intake()
        sync = self._full_sync
        replication.replaced(sync.replication_id, sync.offset, int(selected) if selected.isdigit() else 0)
        for tell in self.loaded:
            tell()
        self._todo.extendleft(reversed(link.loaded(clock.stopwatch(), sync.offset)))

    def _end_intake(self) -> None:
        if self._intake is not None:
            self._intake.close()
            self._intake = None


def _why(error: OSError) -> str:
    """The reason of a failed connection in the system's words."""
    cause = error.__cause__
    if isinstance(cause, OSError):
        error = cause
    elif isinstance(cause, BaseExceptionGroup):
        first = cause.exceptions[0]
        error = first if isinstance(first, OSError) else error
    return error.strerror or str(error)
