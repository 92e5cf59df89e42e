"""The engine: turns requests into replies.

``run(session, requests)`` is the whole of the data plane's interface: replies gather in ``session.out``. Nothing here
does I/O or reads a clock; the rim calls ``begin(now)`` once a batch, and ``tick(now)`` when a deadline of the engine
has come. A batch sees one time, but for a command in it that takes long: what follows sees what the world says then.

There are two ways through. A *plain* session on a *calm* node (nothing that a gate could object to) goes to a tuned
twin or straight to the command (``shortway``); anybody else meets the gates in Redis's order. ``calm`` and ``plain``
are set anew whenever one of the things that they summarise changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from ..commands.context import Context
from ..commands.ports import ClusterPort
from ..commands.session import Session
from ..commands.spec import TABLE, Command
from ..commands.world import World
from ..errors import ReplyError
from ..keyspace.database import Database
from ..keyspace.slots import SLOT_COUNT, key_slot
from ..persist.aof.state import AofState
from ..persist.loading import LoadProgress
from ..persist.snapshots import SnapshotState
from ..resp.encoder import respond
from ..resp.replies import NO_REPLY, OK
from ..scripting.failure import ScriptError
from . import info, memory_info
from .access import Access
from .blocking import Waiting
from .client_limits import ClientLimits
from .databases import Databases
from .expiring import Expiring
from .gates import Gate, gates_of
from .leaving import Leaving
from .memory_limit import MemoryLimit
from .messages import Messages
from .names import Names, miscounted
from .observer import EXACT_SECONDS, Observer
from .pausing import POSTPONED, Pause, Reason
from .propagation import Propagation, Sink
from .replica_reads import ReplicaReads
from .replication import Replication
from .routing import Routes, waiting_refusal
from .scripts import Scripts
from .shortway import ShortWay
from .slot_counts import SlotCounts
from .stats import Stats
from .stopping import Stopping
from .transactions import Transactions
from .watching import Watches

if TYPE_CHECKING:
    from random import Random

    from ..config import Config

#: What the cluster answers in EXEC's place reaches the client as it is, for clients act on it.
REDIRECTIONS: Final = frozenset({"MOVED", "ASK", "CROSSSLOT", "CLUSTERDOWN", "TRYAGAIN"})


class Engine:
    """Sessions, databases and commands. ``stopwatch`` returns seconds that only ever grow, for durations."""

    def __init__(self, config: Config, world: World, rng: Random, stopwatch: Callable[[], float]) -> None:
        self.config = config
        self.world = world
        self.rng = rng
        self.stopwatch = stopwatch
        self.cluster: ClusterPort | None = None
        self.served = bytearray(b"\x01" * SLOT_COUNT)
        self.exported: frozenset[int] = frozenset()  #: slots of this node of which MIGRATE sends keys away
        self.imported: frozenset[int] = frozenset()  #: slots of others that are served to those who say ASKING
        self.hidden: dict[int, bool] = {}  #: slots with keys that are not this node's; see ``Database``
        count = config.cluster_databases if config.cluster_enabled else config.databases
        self.databases = Databases(self, count)
        self.sessions: dict[int, Session] = {}
        self.next_session = 1
        self.stats = Stats()
        self.now = 0
        self.horizon = 0  #: what should have ended before this has expired
        self.calm = True
        self.attentive = False  #: every change of a key matters to somebody, be it only the books
        self.loading = False
        self.snapshots = SnapshotState()
        self.aof = AofState()
        self.progress: LoadProgress | None = None  #: of what is being loaded
        self.loading_aside = False  #: new data are being loaded while the old ones are served
        self.disk_fault: str | None = None  #: what writes are refused with, since they could not be made to last
        self.collation: Callable[[bytes], Any] | None = None  #: how SORT ALPHA compares, if not as bytes
        self.following = False  #: this node is a replica: what has expired stays until the primary says so
        self.pausing = Pause()
        self.waiting = Waiting(self)
        self.expiring = Expiring(self)
        self.transactions = Transactions(self)
        self.limits = ClientLimits(config, world, self.stats, self.sessions)
        self.leaving = Leaving(self)
        self.routes = Routes(self)
        self.lease = 1 << 62  #: until when this node may serve without asking the cluster (Unix milliseconds)
        self.routing = False  #: keys may have to be served elsewhere, or later
        self.messages = Messages(self)
        self.access = Access(self)
        self.watches = Watches()
        self.sinks: list[Sink] = []  #: who gets what is propagated
        self.propagation = Propagation(self, self.sinks)
        self.in_script = False
        self._behind = False  #: a command has taken so long that it is later than ``now``
        self.observer = Observer(self)
        self.slow_log = self.observer.slow_log
        self.slot_counts: SlotCounts | None = None
        self.command_logs = {
            b"slow": self.slow_log,
            b"large-request": self.observer.large_requests,
            b"large-reply": self.observer.large_replies,
        }
        self.latency = self.observer.latency
        self.short_way = ShortWay(self, stopwatch)
        self._short_way = self.short_way.run
        self.replica_reads = ReplicaReads(self)
        self._names = Names(config.rename_command, self.short_way.learn)
        self.commands = self._names.commands
        self.look_up = self._names.look_up
        self._gates: dict[str, tuple[Gate, ...]] = {name: gates_of(command) for name, command in TABLE.items()}
        self.replication = Replication(self)
        self.memory = MemoryLimit(self)
        self.stopping = Stopping(self)
        self.context: Context = Context(self, Session(id=0, db=self.databases.open(0), created=0))
        self.context.command, self.context.words = TABLE["ping"], []  # until the first request
        self.scripts = Scripts(self)
        self.refresh_calm()

    # ---- sessions and databases

    def open(self, **facts: Any) -> Session:
        """A new client. ``facts`` are fields of Session (addresses, fd)."""
        session = Session(id=self.next_session, db=self.databases.open(0), created=self.now, **facts)
        self.next_session += 1
        session.last_seen = self.now
        self.access.greet(session)
        self.sessions[session.id] = session
        self.stats.connections += 1
        return session

    def leave(self, session: Session) -> None:
        """A client is gone: its watches, waits and subscriptions go with it."""
        session.closed = True
        self.replication.gone(session)
        self.sessions.pop(session.id, None)
        self.observer.dismiss(session)
        self.transactions.unwatch(session)
        if session.blocked is not None:
            self.waiting.remove(session)
        self.pausing.forget(session)
        self.limits.forget(session)
        self.leaving.forget(session)
        if session.tracking is not None or session.subscribed:
            self.forget_messages(session)

    def show_requests(self, session: Session) -> None:
        """Show a session every request from now on (MONITOR)."""
        self.observer.admit(session)

    def hide_requests(self, session: Session) -> None:
        """Show it none any more."""
        self.observer.dismiss(session)

    def forget_messages(self, session: Session) -> None:
        """End a session's subscriptions and its tracking, without a word to it."""
        self.messages.leave(session)
        self.limits.weigh(session)
        self.refresh_calm()

    # ---- requests

    def begin(self, now: int, *, obeying: bool = False) -> None:
        """A new batch: every request until the next call sees this time (Unix milliseconds). ``obeying``: what comes is
        a log, or a primary's stream, and a key's time is over when that says so, and not before."""
        self.now = now
        self.horizon = horizon = 0 if obeying else now
        self.context.now = now
        self.messages.running = None
        for database in self.databases.opened:
            database.now = horizon
            database.clock = now // 1000
        if now >= self.lease and self.cluster is not None:
            self.cluster.lease_over()  # a process that was stopped for a while must not serve before it knows more

    def _catch_up(self) -> None:
        """A command took its time: what follows in the same batch, and whoever it woke, finds that time passed."""
        self._behind = False
        running = self.messages.running
        self.begin(max(self.now, self.world.microseconds() // 1000), obeying=not self.horizon)
        self.messages.running = running

    def run(self, session: Session, requests: list[list[bytes]]) -> list[list[bytes]] | None:
        """Carry out requests in order; replies are appended to ``session.out``. What has to wait stays in
        ``session.waiting``. Gives the requests if each has its reply and none was weighed (see Observer.weigh)."""
        session.last_seen = self.now
        if session.waiting:
            self.hold_back(session, requests)
            return None
        at = self._short_way(session, requests, 0) if session.plain and self.calm else 0
        if at < len(requests) or not session.plain:
            if at:
                self._weigh(session, requests[:at], 0)
            self._carry_out(session, requests, at)
            return None
        return requests

    def _carry_out(self, session: Session, requests: list[list[bytes]], at: int) -> None:
        """Go on from ``at`` by whichever way is open; what has to wait stays in the session."""
        end = len(requests)
        while True:
            if not session.plain:
                if session.close_after_reply:
                    return
                if session.held:
                    self._keep(session, requests[at:])
                    return
            if at == end:
                return
            if session.plain and self.calm:
                start, before = at, len(session.out)
                at = self._short_way(session, requests, at)
                self._weigh(session, requests[start:at], before)
                continue
            if self.replica_reads.open:
                start, before = at, len(session.out)
                at = self.replica_reads.run(session, requests, at)
                self._weigh(session, requests[start:at], before)
                if at == end:
                    return
            words = requests[at]
            at += 1
            if self.slot_counts is None:
                self.perform(session, words)
            else:
                self.slot_counts.perform(session, words)

    def _weigh(self, session: Session, requests: list[list[bytes]], before: int) -> None:
        """Look for large replies among those that the short way has put behind the first ``before`` pieces."""
        pieces = session.out[before:]
        if sum(map(len, pieces)) >= self.observer.large_reply:
            self.observer.weigh(session, requests, pieces)

    @staticmethod
    def _keep(session: Session, requests: list[list[bytes]]) -> None:
        """Requests wait behind the one that waits: that one stands in front already if it was held back."""
        waiting = session.waiting
        first = [waiting.popleft()] if session.postponed else []
        waiting.extendleft(reversed(first + requests))

    def perform(self, session: Session, words: list[bytes]) -> None:
        """One request through all that stands before it; its reply is queued for sending."""
        queue, carried_out = session.queue, session.commands
        reply = self.answer(session, words)
        if reply is POSTPONED:
            return
        if session.is_replica and reply is not NO_REPLY:
            self.replication.answered(session)
            return
        ran = session.commands != carried_out
        if ran and (session.bulky or self.observer.weighs_each):
            self.observer.asked(session, words)
        if reply is not NO_REPLY and not session.reply_off and not session.reply_skip:
            before = len(session.out)
            respond(session.out, reply, session.resp3)
            if ran:
                self.observer.answered(session, words, reply, sum(map(len, session.out[before:])), queue)
        if self.messages.held is not None:
            self.messages.replied()
        if session.plain:
            return
        if session.reply_skip:
            # CLIENT REPLY SKIP silences itself and the command after it.
            session.reply_skip -= 1
            session.refresh()
        tracking = session.tracking
        if tracking is not None and tracking.caching and session.queue is None:
            # CLIENT CACHING is for one command, or a whole transaction; other words of CLIENT may stand between.
            command = self.look_up(words)
            if command is None or command.parent != "client":
                tracking.caching = False

    def answer(self, session: Session, words: list[bytes]) -> Any:
        """The same, and its reply as a plain value (POSTPONED if it has to wait)."""
        command = self.look_up(words)
        if command is None:
            session.last_command = "NULL"
            return self._reject(session, None, self._names.unknown(words))
        session.last_command = command.name
        if not command.fewest <= len(words) <= command.most:
            return self._reject(session, command, miscounted(command))
        if session.plain and self.calm:
            if self.routing and command.keys:
                answer = self.routes.admit(session, command, words)
                if answer is not None:
                    return self._reject(session, command, answer) if isinstance(answer, ReplyError) else answer
        else:
            for gate in self._gates[command.name]:
                answer = gate(self, session, command, words)
                if answer is not None:
                    if isinstance(answer, ReplyError):
                        return self._reject(session, command, answer)
                    return answer
            if session.asking and session.queue is None:
                # ASKING covers one command, or a whole transaction that follows it.
                session.asking = command.name in ("asking", "multi")
                session.refresh()
        return self.call(session, command, words)

    def call(self, session: Session, command: Command, words: list[bytes]) -> Any:
        """Run a command that passed the gates; its effects are propagated and waiting clients served."""
        ctx = self.context
        ctx.session = session
        ctx.db = session.db
        ctx.dirty = 0
        ctx.effects = None
        ctx.inside = 0
        self.messages.running = session
        session.last_command = command.name
        reply = self._invoke(ctx, command, words)
        if ctx.dirty or self.propagation.pending:
            self.send_effects(ctx, words)
        if self._behind:
            self._catch_up()
        if self.waiting.ready:
            self.waiting.serve()
        return reply

    def _invoke(self, ctx: Context, command: Command, words: list[bytes]) -> Any:
        """The body itself, timed and counted."""
        ctx.command = command
        ctx.words = words
        session = ctx.session
        session.commands += 1
        stats = command.stats
        observer = self.observer
        scripted = command.runs_script
        if scripted:
            self.in_script = True
            if observer.onlookers:
                observer.show(session, command, words)
        started = self.stopwatch()
        try:
            reply = command.run(ctx, words)
        except ReplyError as error:
            reply = error
        finally:
            if scripted:
                self.in_script = False
        seconds = self.stopwatch() - started
        if isinstance(reply, ReplyError):
            stats.failed += 1
            if type(reply) is not ScriptError or not reply.counted:
                self.stats.error(reply.code)
        stats.calls += 1
        self.stats.commands += 1
        microseconds = seconds * 1e6
        stats.microseconds += microseconds
        if observer.tracks:
            stats.durations.add(microseconds)
        if seconds >= EXACT_SECONDS:
            self._behind = True
        if seconds >= observer.slow and session.blocked is None:
            observer.took(session, command, words, seconds)
        if observer.onlookers and not scripted:
            observer.show(session, command, words)
        if session.tracking is not None:
            self.messages.remember_read(session, command, words)
        return reply

    def run_inside(self, words: list[bytes]) -> Any:
        """Run a request inside the one that is running; the reply as a plain value."""
        command = self.look_up(words)
        if command is None:
            return self._names.unknown(words)
        return self.call_inside(command, words)

    def call_inside(self, command: Command, words: list[bytes]) -> Any:
        """The same for a command that was looked up and checked already (EXEC)."""
        ctx = self.context
        kept = (ctx.command, ctx.words, ctx.effects, ctx.dirty)
        ctx.effects = None
        ctx.dirty = 0
        ctx.inside += 1
        reply = self._invoke(ctx, command, words)
        ctx.inside -= 1
        dirty = ctx.dirty
        if dirty and (command.is_write or ctx.effects is not None):
            self.propagation.add_effects(ctx, words)
        ctx.command, ctx.words, ctx.effects, ctx.dirty = kept
        if dirty:
            ctx.dirty += dirty
            ctx.effects = ctx.effects or []  # what ran inside has spoken for itself
        return reply

    def send_effects(self, ctx: Context, words: list[bytes]) -> None:
        """Propagate what a request became, with all that happened on its way."""
        if ctx.dirty:
            ctx.db.dirty += ctx.dirty
            self.propagation.add_effects(ctx, words)
        self.propagation.leave(together=not ctx.command.roams)
        if self.sinks:
            ctx.session.written = self.replication.history.offset

    def _reject(self, session: Session, command: Command | None, error: ReplyError) -> ReplyError:
        """Answer a request that does not run. A transaction that is being queued is spoilt."""
        if command is not None:
            command.stats.rejected += 1
        if session.asking and session.queue is None:
            session.asking = False  # it covered this request, for all the good that did
            session.refresh()
        if command is not None and command.name == "exec":
            # Even outside MULTI, where only watches end.
            self.transactions.end(session)
            if error.code not in REDIRECTIONS:
                error = ReplyError(f"EXECABORT Transaction discarded because of: {error.text.removeprefix('ERR ')}")
        elif session.queue is not None:
            session.queue_broken = True
        self.stats.error(error.code)
        return error

    # ---- cluster

    def apart(self, database: Database, words: list[bytes], body: Callable[[Context], Any]) -> Any:
        """Run something that no client has just asked for, with all consequences; its result, or a ReplyError."""
        self.begin(self.now)
        ctx = self.context
        session = Session(id=0, db=database, created=self.now)
        kept = (ctx.session, ctx.db, ctx.dirty, ctx.effects, ctx.inside, ctx.command, ctx.words)
        ctx.session, ctx.db, ctx.dirty, ctx.effects, ctx.inside = session, database, 0, None, 1
        ctx.command, ctx.words = TABLE[words[0].decode().lower()], words
        result: Any
        try:
            result = body(ctx)
        except ReplyError as error:
            result = error
        if ctx.dirty or self.propagation.pending:
            self.send_effects(ctx, words)
        ctx.session, ctx.db, ctx.dirty, ctx.effects, ctx.inside, ctx.command, ctx.words = kept
        if self.waiting.ready:
            self.waiting.serve()
        return result

    # ---- consequences of a write

    def refresh_calm(self) -> None:
        """Set ``calm``, ``routing`` and ``attentive`` anew."""
        self.observer.configure()
        counted = self.cluster is not None and self.config.cluster_slot_stats_enabled
        self.slot_counts = (self.slot_counts or SlotCounts(self)) if counted else None
        self.memory.configure()
        self.disk_fault = self.snapshots.refusal(self.config) or self.aof.refusal
        self.routing = self.cluster is not None or bool(self.leaving)
        quiet = (
            not self.loading
            and self.pausing.until is None
            and self.disk_fault is None
            and self.scripts.overtime.refusal is None
            and not self.observer.wants_each
            and self.slot_counts is None
            and not self.memory.pressed
        )
        self.calm = quiet and not self.following and self.replication.enough
        shows = self.config.replica_serve_stale_data or not self.replication.stale
        self.replica_reads.open = quiet and self.following and shows
        messages = self.messages
        messages.configure(self.config.notify_keyspace_events)
        attended = bool(self.watches or self.waiting.keys or messages.tracking) or messages.wanted is not None
        self.attentive = attended or self.memory.books is not None
        self.databases.attend(attended)

    def attend(self, database: Database, key: bytes, event: str, *, wakes: bool = True) -> None:
        """Tell everybody who cares that a key was changed; who waits for it only if it ``wakes``."""
        if database.books is not None:
            database.books.changed(database, key_slot(key), key, sum(map(len, self.context.words)))
        self.watches.touched(database, key)
        if self.waiting and wakes:
            self.waiting.touched(database, key)
        if self.messages.tracking:
            self.messages.changed(key)
        self.notice(database, key, event)

    def notice(self, database: Database, key: bytes, event: str) -> None:
        """Tell subscribers of keyspace events."""
        if self.messages.wanted is not None:
            self.messages.notice(database.index, key, event)

    def awaken(self, database: Database, key: bytes) -> None:
        """Have those who wait for a key look again, though it was not changed as watchers and caches see it."""
        if self.waiting:
            self.waiting.touched(database, key)

    def deliver(self, channel: bytes, payload: bytes, sharded: bool) -> None:
        """A message that another node has published."""
        self.messages.running = None
        self.messages.publish(channel, payload, sharded=sharded)

    def end_shard_channels(self, serves: Callable[[int], bool]) -> None:
        """Slots have changed hands: subscriptions to shard channels whose slot this node (or the primary it follows)
        serves no longer end, and so do waits for keys that it doesn't serve."""
        self.messages.running = None
        self.messages.end_shards(lambda channel: serves(key_slot(channel)))
        if self.slot_counts is not None:
            self.slot_counts.stats.keep(serves)
        if self.cluster is not None and self.waiting:
            self.waiting.refuse(lambda session, blocked: waiting_refusal(self, session, blocked))

    # ---- waiting

    def resume(self, session: Session, most: int = 1 << 30) -> None:
        """Go on with at most ``most`` requests of a session that waited."""
        waiting = session.waiting
        if waiting and not session.held and not session.closed:
            self._carry_out(session, [waiting.popleft() for _ in range(min(most, len(waiting)))], 0)
            if not waiting:
                session.waiting_bytes = 0

    def end_round(self) -> None:
        """Nobody has anything left to go on with: tell clients that cache in broadcast mode what was changed. That may
        wake some."""
        self.messages.end_round()

    def pause(self, until: int, writes_only: bool, reason: Reason = Reason.CLIENT) -> None:
        """Hold commands back until ``until``; a longer or stricter pause that is on stays."""
        self.pausing.begin(until, writes_only, reason)
        self.refresh_calm()

    def unpause(self, reason: Reason = Reason.CLIENT) -> None:
        """End the pause for a reason; the clients that were held back go on if it was the last."""
        self._go_on(self.pausing.end(reason))

    def _go_on(self, released: list[Session]) -> None:
        self.refresh_calm()
        for session in released:
            self.world.wake(session)
        if self.following and self.pausing.until is None:
            self.replication.rim.go_on()

    def kill(self, session: Session) -> None:
        """End a client: after its reply if it is the one that asks, else at once."""
        if session.is_primary:
            self.replication.rim.break_link()
        elif session is self.context.session:
            session.close_after_reply = True
            session.refresh()
        else:
            self.world.close(session)

    # ---- what clients may take

    def hold_back(self, session: Session, requests: list[list[bytes]]) -> None:
        """Let requests wait behind one that waits, within limits."""
        session.waiting.extend(requests)
        self.limits.hold(session, requests)
        self.limits.bound_input(session)

    # ---- time

    @property
    def deadline(self) -> float | None:
        """When ``tick`` wants to be called (Unix milliseconds), or None: for a pause or a wait that ends, or because
        room must be made."""
        times = [at for at in (self.pausing.until, self.waiting.deadline, self.memory.deadline) if at is not None]
        return min(times) if times else None

    def tick(self, now: int) -> None:
        """End what has lasted long enough."""
        self.begin(now)
        if self.pausing.until is not None and now >= self.pausing.until:
            self._go_on(self.pausing.time_out(now))
        self.waiting.time_out(now)
        self.memory.tick()

    # ---- loading

    def begin_loading(self, progress: LoadProgress) -> None:
        """From now on most commands are answered LOADING."""
        self.loading = True
        self.progress = progress
        self.refresh_calm()

    def end_loading(self) -> None:
        """The data set is complete."""
        self.loading = False
        self.progress = None
        self.refresh_calm()

    # ---- info

    def info(self, sections: Iterable[str]) -> str:
        """The text of INFO."""
        return info.render(self, sections)

    def memory_stats(self) -> dict[bytes, Any]:
        """Where the node's memory goes (MEMORY STATS)."""
        return memory_info.stats(self, self.world.facts())

    def hits_and_misses(self) -> tuple[int, int]:
        """INFO keyspace_hits and keyspace_misses."""
        misses = sum(database.misses for database in self.databases.opened)
        return self.stats.hits - misses, self.stats.misses + misses

    def reset_stats(self) -> None:
        """CONFIG RESETSTAT."""
        self.stats.reset()
        self.access.forget_counts()
        self.replication.reset_stats()
        if self.slot_counts is not None:
            self.slot_counts.stats.reset()
        self.memory.reset_stats()
        for command in TABLE.values():
            command.stats.calls = command.stats.rejected = command.stats.failed = 0
            command.stats.microseconds = 0.0
            command.stats.durations.reset()
        for database in self.databases.opened:
            database.misses = 0
            database.freeing.freed = 0


__all__ = ["OK", "Engine"]
