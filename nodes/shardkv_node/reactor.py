"""The data plane: every client socket of the node, owned by one trio task.

The task waits for the poller's own descriptor, then polls it itself for up to ``ROUNDS_SECONDS`` before it goes back to
trio, so that the bus, the timers and the other tasks are never starved. While clients keep it busy a round that finds
nothing ready waits in the kernel for the next request (a millisecond at most): going through trio's scheduler for each
would cost more than the request. For each ready socket: one ``recv``, all complete requests, one ``send``. What a
socket does not take stays with its connection until it is writable again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import trio

from shardkv.commands.session import Session
from shardkv.engine.engine import Engine
from shardkv.errors import ReplyError
from shardkv.resp.encoder import encode

from .clock import stopwatch, unix_ms
from .connection import SEND, Connection
from .poller import READ, WRITE, make_poller
from .reception import Reception

if TYPE_CHECKING:
    from shardkv.config import Config

    from .tls import Sharing

#: How long clients are served before other tasks get their turn.
ROUNDS_SECONDS: Final = 0.002
#: How long a round waits for a request.
WAIT_SECONDS: Final = 0.001
#: One read. Larger than a pipeline, small enough that nobody holds the node for long.
RECEIVE: Final = 32768
#: A client that leaves this many bytes of replies unread is not read from until it takes some, whatever its output
#: limit says.
UNREAD_MAX: Final = 64 * 1024 * 1024
#: Requests of one client that are carried out before their replies are sent; of a long pipeline first fewer, for nobody
#: knows how large their replies are.
PORTION: Final = 64
FIRST_PORTION: Final = 4
#: How long a client with a long pipeline is served before it is the turn of others, in seconds.
TURN_SECONDS: Final = 0.002
#: A tenth of all connections is looked after in each sweep, and no fewer than this.
SWEPT_LEAST: Final = 32


class Reactor:
    """All client connections. ``log(level, text)`` writes a line."""

    def __init__(self, engine: Engine, log: Callable[[str, str], None]) -> None:
        self._engine = engine
        self._config: Config = engine.config
        self._stats = engine.stats
        self._observer = engine.observer
        self._log = log
        self._poller = make_poller()
        self._connections: dict[int, Connection] = {}
        self._by_session: dict[int, Connection] = {}
        self.reception = Reception(engine, self._poller, log, self._take, self._connections.__len__)
        self._guests: dict[int, Callable[[], None]] = {}
        self._woken: dict[Session, None] = {}
        self._postponed: dict[Session, None] = {}  #: those whose pipelines go on when others have had their turn
        self._stream = engine.replication.history.stream.pieces  #: what replicas have not been sent yet
        self._answered: list[Connection] = []
        self._commit: Callable[[], None] | None = None
        self._patience = WAIT_SECONDS
        self._hurries: dict[str, None] = {}  #: why other tasks must not wait
        self._unswept: list[Connection] = []
        self._portion = SWEPT_LEAST

    # ---- set-up

    @property
    def clients(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    def hold_replies(self, commit: Callable[[], None] | None) -> None:
        """Call ``commit`` at the end of each round, before its replies leave: what they promise is made to last. None:
        they promise nothing."""
        self._commit = commit

    def hasten(self) -> None:
        """Another task has been given something to do by a request: no round waits for clients before its turn."""
        self._patience = 0.0

    def hurry(self, why: str, on: bool) -> None:
        """The same for as long as there is this reason for it."""
        if on:
            self._hurries[why] = None
            self._patience = 0.0
        else:
            self._hurries.pop(why, None)

    def close_all(self) -> None:
        """Let nobody in any more, send what can be sent at once, and close every connection: who has seen its own end
        is not let in by a node that is about to go."""
        self.reception.close()
        self._end_round()
        for connection in list(self._connections.values()):
            with suppress(OSError):
                connection.push(UNREAD_MAX)
            self._drop(connection)
        self._poller.close()

    # ---- the loop

    async def run(self) -> None:
        """Serve clients until cancelled."""
        engine = self._engine
        while True:
            deadline = engine.deadline
            if self._postponed:
                await trio.lowlevel.checkpoint()
            elif deadline is None:
                await trio.lowlevel.wait_readable(self._poller.fileno())
            else:
                with trio.move_on_after(max(0.0, (deadline - unix_ms()) / 1000)):
                    await trio.lowlevel.wait_readable(self._poller.fileno())
            self._patience = 0.0 if self._hurries else WAIT_SECONDS
            self._rounds()
            if engine.deadline is not None and unix_ms() >= engine.deadline:
                self.tick()

    def tick(self) -> None:
        """Let the engine end what has lasted long enough, and send what that makes."""
        self._engine.tick(unix_ms())
        self._end_round()

    def _rounds(self) -> None:
        poll = self._poller.poll
        until = stopwatch() + ROUNDS_SECONDS
        wait = 0.0
        while True:
            ready = poll(0.0 if self._postponed else wait)
            if not (ready or self._postponed):
                return
            self._engine.begin(unix_ms())
            for fd, bits in ready:
                connection = self._connections.get(fd)
                if connection is None:
                    self._others(fd)
                    continue
                try:
                    if bits & WRITE:
                        self._flush(connection)
                        if connection.session.closed:
                            continue
                    if bits & ~WRITE:
                        self._receive(connection)
                except Exception as error:
                    # Whatever one client has brought about, it costs nobody else anything.
                    self._bug(connection.session, error)
                    self._drop(connection)
            if self._postponed:
                self._take_turn()
            self._end_round()
            wait = self._patience
            if stopwatch() >= until:
                return

    def _end_round(self) -> None:
        """Serve who was woken, then send the replies of all.

        That replies leave together at the end lets one write (and sync) of a log go before all of them. It is also
        much cheaper: the first one that is sent wakes its client, at the price of an interrupt to another core, and
        then that client is awake for the others, and reads them in one go.

        Replicas come first: what a client is told is done is on its way to them, should this process be killed then.
        """
        if self._woken:
            self._serve_woken()
        shared = bool(self._stream)
        if shared:
            self._engine.replication.flush()
            self._serve_woken()
        if self._commit is not None:
            self._commit()
        answered = self._answered
        if not answered:
            return
        self._answered = []
        if shared:
            answered.sort(key=_is_no_replica)
        for connection in answered:
            if connection.session.out and not connection.session.closed:
                try:
                    self._send(connection)
                except Exception as error:
                    self._bug(connection.session, error)
                    self._drop(connection)

    def serve_meanwhile(self) -> None:
        """A script runs for long: take what clients have sent, all but the one that runs it. Called from within its
        request."""
        running = self._engine.scripts.running
        self._engine.begin(unix_ms())
        for fd, bits in self._poller.poll(0):
            connection = self._connections.get(fd)
            if connection is None:
                if fd not in self._guests:  # those change keys
                    self.reception.accept(fd)
                continue
            if running is not None and connection.session is running.session:
                continue
            try:
                if bits & WRITE:
                    self._flush(connection)
                if bits & ~WRITE and not connection.session.closed:
                    self._receive(connection)
            except Exception as error:
                self._bug(connection.session, error)
                self._drop(connection)
        self._end_round()

    def connection_of(self, session: Session) -> Connection:
        """The connection of a client that is served now."""
        return self._by_session[session.id]

    def abandon_script(self) -> None:
        """The node stops: the running script ends, whatever it has done."""
        self._engine.scripts.overtime.abandon()

    # ---- descriptors that are no clients'

    def attend(self, fd: int, readable: Callable[[], None]) -> None:
        """Call ``readable`` in the midst of a round whenever there is something to be read."""
        self._guests[fd] = readable
        self._poller.register(fd, READ)

    def dismiss(self, fd: int) -> None:
        """Attend to it no more. To be called before it is closed."""
        if self._guests.pop(fd, None) is not None:
            self._poller.unregister(fd)

    def _others(self, fd: int) -> None:
        """Somebody is at the door, or one that is attended to has something to say."""
        readable = self._guests.get(fd)
        if readable is None:
            self.reception.accept(fd)
        else:
            readable()

    # ---- one connection

    def _take(self, connection: Connection) -> None:
        """Serve a new client."""
        fd = connection.sock.fileno()
        self._connections[fd] = connection
        self._by_session[connection.session.id] = connection
        self._poller.register(fd, READ)

    def _receive(self, connection: Connection) -> None:
        session = connection.session
        parser = connection.parser
        try:
            data = connection.receive(RECEIVE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(connection)
            return
        stats = self._stats
        stats.bytes_in += len(data)
        stats.reads += 1
        requests = parser.feed(data)
        if len(requests) > PORTION:
            if session.held:
                self._engine.hold_back(session, requests)
            else:
                session.waiting.extend(requests)
                self._go_on(connection)
            if session.closed:
                return
        elif requests:
            try:
                asked = self._engine.run(session, requests)
                out = session.out
                size = len(out[0]) if len(out) == 1 else sum(map(len, out))
                if size >= self._observer.large_reply:
                    connection.asked = asked  # kept only then: what is freed at once is freed while it is in the cache
            except Exception as error:
                self._bug(session, error)
            if not parser.authenticated:
                self._know_better(connection)
        if not parser.settled:
            self._unsettled(connection)
        elif session.query_pending:
            session.query_pending = 0
            self._engine.limits.weigh(session)
            if session.bulky:
                self._engine.observer.came(session)
        if session.out:
            self._answered.append(connection)
        elif session.close_after_reply and not connection.unsent:
            self._drop(connection)

    def _go_on(self, connection: Connection) -> None:
        """Carry out what waits in a session, in portions, and send in between: a long pipeline of large replies must
        not be held in memory as a whole. A client that leaves too much unread goes on when it has taken some."""
        session = connection.session
        portion = FIRST_PORTION
        until = stopwatch() + TURN_SECONDS
        while session.waiting and not session.held and not session.close_after_reply and not session.closed:
            if session.unsent >= UNREAD_MAX:
                return
            try:
                self._engine.resume(session, portion)
            except Exception as error:
                self._bug(session, error)
            if not connection.parser.authenticated:
                self._know_better(connection)
            if not session.waiting:
                return
            if sum(map(len, session.out)) <= RECEIVE:
                portion = min(2 * portion, PORTION)
            else:
                portion = max(portion // 4, 1)
                if self._commit is not None:
                    self._commit()
                self._send(connection)
            if stopwatch() >= until and not session.closed:
                self._postponed[session] = None
                self._watch(connection)
                return

    def _take_turn(self) -> None:
        """Go on with the pipeline that has waited longest."""
        session = next(iter(self._postponed))
        del self._postponed[session]
        connection = self._by_session.get(session.id)
        if connection is None:
            return
        self._go_on(connection)
        if session not in self._postponed:
            self._finish(connection)
            if not session.closed:
                self._watch(connection)

    def _know_better(self, connection: Connection) -> None:
        """What is too large for a stranger may be allowed to whom AUTH has just made known: go on with what the parser
        held back."""
        session, parser = connection.session, connection.parser
        while not parser.authenticated and session.authenticated:
            parser.authenticated = True
            requests = parser.feed(b"")
            if requests:
                try:
                    self._engine.run(session, requests)
                except Exception as error:
                    self._bug(session, error)

    def _unsettled(self, connection: Connection) -> None:
        """Part of a request stays in the parser, or the stream is broken (which is told after all replies before
        it)."""
        session, parser = connection.session, connection.parser
        if parser.fault is not None:
            if session.waiting or session.held:
                return
            self._fault(connection, parser.fault)
            return
        session.query_pending = parser.pending
        self._engine.observer.expect(session, parser.pending)
        session.last_seen = self._engine.now  # who sends a large request slowly is not idle
        if not self._engine.limits.bound_input(session) and self._config.maxmemory_clients:
            self._engine.limits.evict()

    def _bug(self, session: Session, error: Exception) -> None:
        import traceback

        self._stats.unexpected_errors += 1
        text = "".join(traceback.format_exception(error)).rstrip()
        self._log(
            "warning", f"=== BUG: {session.last_command} of client id={session.id} raised; please report this\n{text}"
        )
        session.out.append(b"-ERR internal error\r\n")
        session.close_after_reply = True

    def _fault(self, connection: Connection, fault: str) -> None:
        session = connection.session
        self._stats.protocol_faults += 1
        self._log("verbose", f"Protocol error ({fault}) from client: id={session.id} addr={session.address}")
        if not session.close_after_reply:
            session.out.append(encode(ReplyError(f"ERR {fault}"), session.resp3))
            session.close_after_reply = True

    def _send(self, connection: Connection) -> None:
        """Send what has gathered in the session; keep what the socket does not take."""
        session = connection.session
        out = session.out
        if connection.unsent:
            self._keep(connection)
            return
        if len(out) == 1:
            data = out[0]
        elif sum(map(len, out)) <= SEND:
            data = b"".join(out)
        else:
            self._keep(connection)
            return
        if len(data) >= self._observer.long_output and not self._admit(connection, len(data)):
            return
        out.clear()
        try:
            sent = connection.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop(connection)
            return
        stats = self._stats
        stats.bytes_out += sent
        stats.writes += 1
        if sent == len(data):
            if session.close_after_reply:
                self._drop(connection)
            return
        connection.unsent.append(data)
        connection.unsent_at = sent
        session.unsent = len(data) - sent
        self._watch(connection)

    def _keep(self, connection: Connection) -> None:
        """Put what has gathered in the session behind what is to be sent, and send more of that."""
        size = sum(map(len, connection.session.out))
        if size < self._observer.long_output or self._admit(connection, size):
            connection.keep(size)
            self._flush(connection)

    def _admit(self, connection: Connection, size: int) -> bool:
        """Look closer at ``size`` bytes that are about to be sent: at the large replies among them, and whether they
        are more than the client may have. False if it was closed for that."""
        session = connection.session
        if connection.asked is not None and size >= self._observer.large_reply:
            self._observer.weigh(session, connection.asked, session.out)
            connection.asked = None
        return self._engine.limits.admits(session, size)

    def _flush(self, connection: Connection) -> None:
        """Send more of what was kept, as much as it is this client's turn for."""
        session = connection.session
        try:
            pushed = connection.push(SEND)
        except OSError:
            self._drop(connection)
            return
        if pushed:
            self._stats.bytes_out += pushed
            session.last_seen = self._engine.now  # who takes a large reply slowly is not idle
        if not connection.unsent:
            session.unsent = 0
            if session.close_after_reply:
                self._drop(connection)
                return
        if session.waiting and session.unsent < UNREAD_MAX:
            self.wake(session)
        self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        """Ask the poller for what matters now, and hold the client to its output limit."""
        session = connection.session
        if session.unsent > session.unsent_peak:
            session.unsent_peak = session.unsent
            self._stats.peak_output = max(self._stats.peak_output, session.unsent)
        limits = self._engine.limits
        limits.weigh(session)
        if connection.unsent and limits.output_exceeded(session, stopwatch()):
            limits.cut_off(session)
            return
        if self._config.maxmemory_clients:
            self._engine.limits.evict()
            if session.closed:
                return
        interest = READ if (session.unsent < UNREAD_MAX and session not in self._postponed) or session.is_replica else 0
        if connection.unsent:
            interest |= WRITE
        if interest != connection.interest:
            connection.interest = interest
            self._poller.modify(connection.sock.fileno(), interest)

    def _drop(self, connection: Connection) -> None:
        """Close a connection and forget its session."""
        session = connection.session
        if session.closed:
            return
        fd = connection.sock.fileno()
        self._poller.unregister(fd)
        connection.sock.close()
        del self._connections[fd]
        del self._by_session[session.id]
        self._woken.pop(session, None)
        self._postponed.pop(session, None)
        self._engine.leave(session)

    # ---- what the engine asks for

    def wake(self, session: Session) -> None:
        """A session has output, or requests to go on with: served at the end of the round, or at once by ``kick``."""
        self._woken[session] = None

    def _serve_woken(self) -> None:
        while self._woken:
            session = next(iter(self._woken))
            del self._woken[session]
            connection = self._by_session.get(session.id)
            if connection is not None:
                self._go_on(connection)
                self._finish(connection)
            if not self._woken:
                self._engine.end_round()

    def _finish(self, connection: Connection) -> None:
        """After requests that had waited: what was broken behind them, and what is to be sent."""
        session = connection.session
        if session.closed:
            return
        if connection.parser.fault is not None:
            self._unsettled(connection)
        if session.out:
            self._answered.append(connection)
        elif session.close_after_reply and not connection.unsent:
            self._drop(connection)

    def flush_woken(self) -> None:
        """Send what was queued from outside the loop (timers, the bus)."""
        self._end_round()

    def duplicate(self, session: Session) -> Sharing | None:
        """A second descriptor of a client's socket, to be closed by the caller; None if the client is gone."""
        connection = self._by_session.get(session.id)
        return None if connection is None else connection.sock.dup()

    def close(self, session: Session) -> None:
        """Close a client's connection now."""
        connection = self._by_session.get(session.id)
        if connection is not None:
            self._drop(connection)

    # ---- once a while

    def sweep(self) -> None:
        """Close idle clients, apply soft output limits and changed options; called about ten times a second."""
        self.reception.look()
        if self._config.maxmemory_clients:
            self._engine.limits.evict()
        timeout = self._config.timeout
        now = unix_ms()
        for connection in self._next_swept():
            session = connection.session
            connection.asked = None
            if session.closed:
                continue
            connection.parser.max_bulk = self._config.proto_max_bulk_len
            if timeout and self._idle(session) and now - session.last_seen > timeout * 1000:
                self._log("verbose", "Closing idle client")
                self._drop(connection)
            elif connection.unsent:
                self._watch(connection)

    def _next_swept(self) -> list[Connection]:
        """The next tenth of the connections: ten thousand idle ones must not hold up the others ten times a second."""
        if not self._unswept:
            self._unswept = list(self._connections.values())
            self._portion = max(SWEPT_LEAST, len(self._unswept) // 10 + 1)
        portion = self._unswept[-self._portion :]
        del self._unswept[-self._portion :]
        return portion

    @staticmethod
    def _idle(session: Session) -> bool:
        return session.kind == "normal" and session.blocked is None


def _is_no_replica(connection: Connection) -> bool:
    return not connection.session.is_replica
