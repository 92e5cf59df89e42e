"""Atomic slot migrations of this node: what each is about, how far it is, and both of its sides.

The source reads its slots key by key and sends them to the target as values, while it serves them. What changes
meanwhile is noted (by key) and sent again, round by round, until little is left; then writes to the slots wait, the
last changes go, the target takes all slots under one new epoch, and the source lets go. Until the target has taken
them the source owns them alone, after it the target; a fault before that moment costs nothing but the work, for the
target deletes what it got.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import trio
from hiredis import Reader, pack_command
from hiredis import ReplyError as TargetError

from shardkv.cluster.nodes import ranges_of, slots_of
from shardkv.cluster.orders import GiveSlots, TakeSlots
from shardkv.commands.session import Session
from shardkv.engine.engine import Engine
from shardkv.errors import ReplyError
from shardkv.keyspace.database import Database
from shardkv.keyspace.slots import key_slot
from shardkv.persist.rdb.payload import dump

from . import clock

if TYPE_CHECKING:
    from .cluster import ClusterNode
    from .tls import Stream

#: Keys of one message to the target; clients are served between two.
BATCH: Final = 100
#: Messages that may be unanswered while the next is made.
AHEAD: Final = 3
#: When no more keys than this have changed since they were sent, writes are held and the rest goes.
FEW: Final = 200
#: Rounds after which it is given up: the slots change faster than they can be sent.
ROUNDS_MAX: Final = 100
#: One answer of the target, and the whole of the last step, may take this long (seconds).
ANSWER_SECONDS: Final = 30.0
PAUSE_SECONDS: Final = 5.0
#: Jobs that have ended and are still told of.
REMEMBERED: Final = 50

_EMPTIED: Final = frozenset({b"FLUSHALL", b"FLUSHDB"})


class JobFault(Exception):
    """A migration can't go on; ``str()`` says why."""


@dataclass(slots=True, eq=False)
class SlotJob:
    """One migration, seen from here. Times are Unix seconds."""

    name: str
    operation: str
    slots: int
    source: str
    target: str
    created: int
    state: str
    updated: int = 0
    acknowledged: int = 0
    message: str = ""
    session: Session | None = None
    changed: dict[tuple[int, bytes], None] = field(default_factory=dict)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    @property
    def over(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.state in ("success", "failed", "cancelled")

    @property
    def remaining(self) -> int:
        """Keys that have changed since they were sent."""
        return len(self.changed)

    def enter(self, state: str, message: str = "") -> None:
        """Go on to another state."""
        self.state, self.message, self.updated = state, message, clock.unix_ms() // 1000


class SlotJobs:
    """All migrations of this node, in both directions."""

    def __init__(self, node: ClusterNode, engine: Engine, log: Callable[[str, str], None]) -> None:
        self._node = node
        self._engine = engine
        self._log = log
        self.jobs: list[SlotJob] = []
        self._orders, self._arriving = trio.open_memory_channel[SlotJob](1 << 14)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as nursery:
            async for job in self._arriving:
                nursery.start_soon(self._export, job)

    def _job(self, operation: str, slots: int, source: str, target: str, state: str, name: str = "") -> SlotJob:
        now = clock.unix_ms() // 1000
        job = SlotJob(name or secrets.token_hex(20), operation, slots, source, target, now, state, now, now)
        self.jobs.insert(0, job)
        del self.jobs[REMEMBERED:]
        self._listen()
        return job

    # ---- what the commands ask

    def begin(self, groups: list[tuple[int, str]]) -> None:
        """CLUSTER MIGRATESLOTS. Raises ReplyError before anything has begun."""
        view = self._node.machine.view
        for slots, target in groups:
            node = view.nodes.get(target)
            if len(target) != 40:
                raise ReplyError(f"ERR Invalid node name: {target}")
            if node is None:
                raise ReplyError(f"ERR Unknown node name: {target}")
            if target == view.myself:
                raise ReplyError("ERR Target node can not be this node.")
            if node.is_replica:
                raise ReplyError("ERR Target node is not a master")
            if view.me.is_replica or slots & ~view.me.slots:
                raise ReplyError("ERR Slots are not served by this node.")
            if any(job.slots & slots for job in self.jobs if not job.over):
                raise ReplyError("ERR I am already migrating slots in one of these ranges.")
        for slots, target in groups:
            self._orders.send_nowait(self._job("EXPORT", slots, view.myself, target, "connecting"))

    def cancel(self) -> bool:
        """CLUSTER CANCELSLOTMIGRATIONS."""
        going_on = [job for job in self.jobs if not job.over and job.operation == "EXPORT"]
        for job in going_on:
            job.enter("cancelled", "Cancelled by the operator")
            job.scope.cancel()
        self._listen()
        return bool(going_on)

    # ---- changes while it goes on

    def _listen(self) -> None:
        """Take part in what the engine propagates as long as a migration goes on."""
        engine = self._engine
        wanted = any(not job.over for job in self.jobs)
        if wanted and self._propagated not in engine.sinks:
            engine.sinks.append(self._propagated)
        elif not wanted and self._propagated in engine.sinks:
            engine.sinks.remove(self._propagated)
        self._node.hide()
        self._node.hurry(wanted)

    @property
    def arriving(self) -> list[int]:
        """The slots that are being imported, or were and are still to be emptied."""
        coming = 0
        for job in self.jobs:
            if job.operation == "IMPORT" and job.session is not None and job.state != "success":
                coming |= job.slots
        return list(slots_of(coming))

    def _propagated(self, database: Database | None, words: list[bytes]) -> None:
        """A change: note the keys of slots on their way; a flush fails the migrations."""
        command = self._engine.look_up(words)
        if database is None or command is None:
            return
        if words[0].upper() in _EMPTIED:
            for job in self.jobs:
                if not job.over:
                    self._fail(job, "Data was flushed while the slots were on their way")
            return
        keys = [words[position] for position in command.key_positions(words)]
        for job in self.jobs:
            if not job.over and job.operation == "EXPORT":
                for key in keys:
                    if job.slots >> key_slot(key) & 1:
                        job.changed[database.index, key] = None

    def _fail(self, job: SlotJob, message: str) -> None:
        if not job.over:
            job.enter("failed", message)
            self._log("warning", f"Slot migration {job.name} failed: {message}")
            job.scope.cancel()

    # ---- the source

    async def _export(self, job: SlotJob) -> None:
        """One migration from here, from its beginning to its end."""
        with job.scope:
            try:
                async with await self._dial(job) as stream:
                    await self._transfer(job, _Target(stream))
            except (JobFault, KeyError) as fault:
                self._fail(job, str(fault))
            except (OSError, trio.BrokenResourceError, trio.TooSlowError) as error:
                self._fail(job, f"Connection to the target: {str(error) or type(error).__name__}")
        self._listen()

    async def _dial(self, job: SlotJob) -> Stream:
        """A connection to the target. Raises KeyError if it is gone, OSError and trio's errors."""
        node, tls = self._node.machine.view.nodes[job.target], self._node.tls
        secure = tls is not None and bool(node.tls_port)
        with trio.fail_after(ANSWER_SECONDS):
            port = node.tls_port if secure else node.port or node.tls_port
            source = self._engine.config.bind_source_addr or None
            connection = await trio.open_tcp_stream(node.ip, port, local_address=source)
        way = " by TLS" if secure else ""
        self._log("notice", f"Slot migration {job.name} to {node.ip}:{port}{way} begins")
        return tls.dialled(connection) if tls is not None and secure else connection

    async def _transfer(self, job: SlotJob, target: _Target) -> None:
        config = self._engine.config
        if config.masterauth:
            user = [config.masteruser.encode()] if config.masteruser else []
            await target.ask([b"AUTH", *user, config.masterauth])
        name = ",".join(f"{first}-{last}" for first, last in ranges_of(job.slots)).encode()
        await target.ask([b"CLUSTER", b"SYNCSLOTS", b"BEGIN", job.name.encode(), job.source.encode(), name])
        job.enter("snapshotting")
        for slot in slots_of(job.slots):
            for database in self._engine.databases.opened:
                keys = list(database.values[slot])
                for start in range(0, len(keys), BATCH):
                    await self._send(job, target, [(database.index, key) for key in keys[start : start + BATCH]])
        job.enter("streaming")
        for _ in range(ROUNDS_MAX):
            if len(job.changed) <= FEW:
                break
            await self._send_changes(job, target)
        else:
            raise JobFault("The slots change faster than they can be sent")
        await self._hand_over(job, target)

    async def _send_changes(self, job: SlotJob, target: _Target) -> None:
        changed, job.changed = list(job.changed), {}
        for start in range(0, len(changed), BATCH):
            await self._send(job, target, changed[start : start + BATCH])

    async def _send(self, job: SlotJob, target: _Target, places: list[tuple[int, bytes]]) -> None:
        """What these keys hold now, or that they are gone."""
        self._still_mine(job)
        restore, delete = [b"CLUSTER", b"SYNCSLOTS", b"RESTORE"], [b"CLUSTER", b"SYNCSLOTS", b"DEL"]
        for index, key in places:
            database = self._engine.databases[index]
            held = None if database is None else database.get(key)
            number = b"%d" % index
            if held is None or database is None:
                delete += [number, key]
            else:
                restore += [number, key, b"%d" % (database.expiry(key) or 0), dump(held, self._engine.config)]
        for words in (restore, delete):
            if len(words) > 3:
                await target.tell(words)
        job.acknowledged = clock.unix_ms() // 1000

    def _still_mine(self, job: SlotJob) -> None:
        view = self._node.machine.view
        if view.me.is_replica or job.slots & ~view.me.slots:
            raise JobFault("The slots are no longer this node's")

    async def _hand_over(self, job: SlotJob, target: _Target) -> None:
        """The short pause: the last changes, and the slots are the target's."""
        engine, slots, began = self._engine, slots_of(job.slots), trio.current_time()
        job.enter("failover-paused")
        engine.leaving.shut(slots)
        engine.refresh_calm()
        try:
            with trio.fail_after(PAUSE_SECONDS):
                # The target must have all, or say why not, before it is asked to take the slots.
                await self._send_changes(job, target)
                await target.settled()
                while job.changed:
                    await self._send_changes(job, target)
                    await target.settled()
                job.enter("failover-granted")
                with trio.CancelScope(shield=True):  # from here on only the target knows how it ends
                    await self._take(job, target)
        finally:
            engine.leaving.open(slots)
            engine.refresh_calm()
            self._node.flush_woken()
            waited = 1000 * (trio.current_time() - began)
            self._log("notice", f"Slot migration {job.name}: writes to its slots waited for {waited:.1f} ms")

    async def _take(self, job: SlotJob, target: _Target) -> None:
        try:
            with trio.fail_after(PAUSE_SECONDS):
                await target.ask([b"CLUSTER", b"SYNCSLOTS", b"TAKE"])
        except (OSError, trio.BrokenResourceError, trio.TooSlowError):
            # It may have taken them: the bus will say so. Until it must have, nobody writes.
            with trio.move_on_after(self._node.machine.settings.node_timeout):
                while self._node.machine.view.me.slots & job.slots:  # noqa: ASYNC110  # nobody announces a new view
                    await trio.sleep(0.01)
                job.enter("success")
                return
            raise
        job.enter("success")
        job.changed.clear()
        self._node.order(GiveSlots(job.slots, job.target))
        self._log("notice", f"Slot migration {job.name} to {job.target} succeeded")

    # ---- the target

    def begin_import(self, session: Session, name: str, source: str, slots: int) -> None:
        """A node wants to give slots. If they are on their way from it already, it has given that up, and the end of
        the former connection is still to be noticed here. Raises ReplyError."""
        view = self._node.machine.view
        giver = view.nodes.get(source)
        if view.me.is_replica or giver is None or slots & ~giver.slots:
            raise ReplyError("ERR the slots are not the sender's, or this node can't take them")
        former = [job for job in self.jobs if job.slots & slots and (not job.over or job.session is not None)]
        if any(not job.over and (job.operation, job.source) != ("IMPORT", source) for job in former):
            raise ReplyError("ERR these slots are on their way already")
        for job in former:
            self._clear_away(job, "The source began anew")
        self._engine.databases.drop_slots(slots_of(slots))  # what an attempt before has left
        self._node.finish_dropping(slots_of(slots))
        job = self._job("IMPORT", slots, source, view.myself, "receiving-snapshot", name)
        job.session = session
        self._node.hide()

    def import_of(self, session: Session) -> SlotJob:
        """The import that a session has begun. Raises ReplyError."""
        for job in self.jobs:
            if job.session is session and not job.over:
                return job
        raise ReplyError("ERR no slots are being imported by this connection")

    def take(self, job: SlotJob) -> None:
        """The slots are this node's. Raises ReplyError."""
        reply: Any = self._node.order(TakeSlots(job.slots, job.source))
        if isinstance(reply, ReplyError):
            raise reply
        job.enter("success")
        self._listen()

    def look(self) -> None:
        """Imports whose connection has ended leave nothing behind; called now and then."""
        for job in self.jobs:
            if job.operation == "IMPORT" and job.session is not None and (job.session.closed or job.over):
                self._clear_away(job, "The source closed the connection")
        self._listen()

    def _clear_away(self, job: SlotJob, reason: str) -> None:
        """End an import, for this reason if it goes on; what has come of slots that are not this node's goes."""
        self._fail(job, reason)
        if job.state != "success":
            self._engine.databases.drop_slots(slots_of(job.slots & ~self._node.machine.view.me.slots))
        job.session = None


class _Target:
    """The connection to a target: requests in order, each answered with OK or an error."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._reader = Reader(replyError=TargetError)
        self._unanswered = 0

    async def ask(self, words: list[bytes]) -> None:
        """Send a request and wait until all are answered. Raises JobFault for an error, OSError or trio errors for a
        broken connection."""
        await self.tell(words, 0)

    async def tell(self, words: list[bytes], ahead: int = AHEAD) -> None:
        """Send a request, and wait until no more than ``ahead`` are unanswered: the target works while this node reads
        on. Raises as ``ask`` does, perhaps for an earlier request."""
        with trio.fail_after(ANSWER_SECONDS):
            await self._stream.send_all(pack_command(tuple(words)))  # type: ignore[arg-type]  # stub: a tuple of one
            self._unanswered += 1
            while self._unanswered > ahead:
                await self._answer()

    async def settled(self) -> None:
        """Wait until all is answered. Raises as ``ask`` does."""
        with trio.fail_after(ANSWER_SECONDS):
            while self._unanswered:
                await self._answer()

    async def _answer(self) -> None:
        while (reply := self._reader.gets()) is False:
            data = await self._stream.receive_some(65536)
            if not data:
                raise OSError("closed by the target")
            self._reader.feed(bytes(data))
        self._unanswered -= 1
        if isinstance(reply, TargetError):
            raise JobFault(f"The target answered: {reply}")
