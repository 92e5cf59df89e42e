"""The node's replication manager: the world in which ``shardkv.engine.replication`` acts."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import trio

from shardkv.engine.engine import Engine
from shardkv.replication.primary import Replica, Snapshot

from . import clock
from .reactor import Reactor
from .replica_client import ReplicaClient
from .snapshot_sending import SnapshotSender
from .snapshots import Snapshots, number

if TYPE_CHECKING:
    from .aof import AppendOnly
    from .child import Children
    from .tls import Tls

TICK_SECONDS: Final = 0.1


class LoggedOffset:
    """Up to which offset of the replication stream everything is on disk in the log."""

    def __init__(self, engine: Engine, append_only: AppendOnly) -> None:
        self._engine = engine
        self._append_only = append_only
        self._marks: deque[tuple[int, int]] = deque()  #: (size of the log's file, offset of the stream) at a time
        self._reached = 0

    @property
    def offset(self) -> int | None:
        """The offset, None without a log."""
        self.look()
        return self._reached if self._append_only.state.enabled else None

    def look(self) -> None:
        """Note how far file and stream are now, and see which of what was noted is on disk."""
        writer, marks = self._append_only.writer, self._marks
        if not writer.is_open or self._append_only.state.awaiting_base:
            return
        size, synced = writer.flushing.size, writer.flushing.synced
        if marks and marks[-1][0] > size:
            marks.clear()  # it is another file
        if not writer.recorder and not self._append_only.state.buffered:
            offset = self._engine.replication.history.offset
            if marks and marks[-1][0] == size:
                marks.pop()  # the stream went on with what no log has (PING)
            marks.append((size, offset))
        while marks and marks[0][0] <= synced:
            self._reached = marks.popleft()[1]


class ReplicationManager:
    """Implements ``shardkv.engine.replication.Rim``."""

    def __init__(
        self,
        engine: Engine,
        reactor: Reactor,
        snapshots: Snapshots,
        append_only: AppendOnly,
        children: Children,
        log: Callable[[str, str], None],
        tls: Tls,
    ) -> None:
        self._engine = engine
        self._reactor = reactor
        self._snapshots = snapshots
        self._replication = engine.replication
        self.client = ReplicaClient(engine, reactor, log, tls)
        self.sender = SnapshotSender(engine, reactor, snapshots, children, log)
        self.client.loaded.append(append_only.begin_anew)
        self._logged = LoggedOffset(engine, append_only)
        self.role_changed: Callable[[], None] = lambda: None
        engine.replication.rim = self
        engine.replication.restored = False
        snapshots.replication_remarks = self._remarks

    def restore(self) -> None:
        """Take up the history of the snapshot that was loaded, and follow the primary of the configuration."""
        remarks = self._snapshots.remarks
        replication_id, offset = remarks.get(b"repl-id", b""), number(remarks.get(b"repl-offset"))
        selected = number(remarks.get(b"repl-stream-db")) or 0
        address = self._replication.address or self._engine.config.replicaof
        known = len(replication_id) == 40 and offset is not None
        if known and offset is not None:
            name = replication_id.decode("ascii", "replace")
            left_out, self._snapshots.left_out = self._snapshots.left_out, []
            complete = len(left_out) == self._engine.snapshots.expired_keys
            copy = self._snapshots.is_replica()
            self._replication.restore(name, offset, left_out, complete=complete, copy=copy)
        if address is not None:
            self._replication.follow(*address)
            if known and self._replication.feed_in is not None and selected < self._engine.config.databases:
                self._replication.feed_in.session.db = self._engine.databases.open(selected)
        self._replication.restored = True

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            self.sender.nursery = nursery
            nursery.start_soon(self.client.run)
            while True:
                await trio.sleep(TICK_SECONDS)
                self._engine.begin(clock.unix_ms())
                self._logged.look()
                self._replication.tick()
                self._reactor.flush_woken()

    def _remarks(self) -> Iterator[tuple[bytes, bytes]]:
        """What a snapshot says of the history that it belongs to."""
        replication = self._replication
        replication.flush()
        history = replication.history
        if history.known if replication.following else history.backlog is not None:
            yield b"repl-stream-db", b"%d" % replication.selected
            yield b"repl-id", history.id.encode()
            yield b"repl-offset", b"%d" % history.offset

    # ---- what the engine asks for

    def follow(self) -> None:
        """See ``Rim``."""
        self.client.follow()
        self.role_changed()

    def tell(self, data: bytes) -> None:
        """See ``Rim``."""
        self.client.tell(data)

    def break_link(self) -> None:
        """See ``Rim``."""
        self.client.break_link()

    def go_on(self) -> None:
        """See ``Rim``."""
        self.client.go_on()

    def snapshot(self, order: Snapshot) -> None:
        """See ``Rim``."""
        self.sender.make(order)

    def attached(self, replica: Replica) -> None:
        """See ``Rim``."""
        if self._engine.config.repl_disable_tcp_nodelay:
            sock = self._reactor.duplicate(self._engine.sessions[replica.id])
            if sock is not None:
                with sock:
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)

    def forget(self, replica: Replica) -> None:
        """See ``Rim``."""
        self.sender.forget(replica)

    def logged_offset(self) -> int | None:
        """See ``Rim``."""
        return self._logged.offset
