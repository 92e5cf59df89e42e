"""Engines that replicate from one another over connections of a test: no socket, no clock, every byte in the test's
hand.

``world.deliver(count)`` moves bytes of the connection in order, ``cut`` ends it, ``settle`` lets everything arrive and
all deadlines come. What a node's manager does beside that (loading a snapshot, making one) is done at once.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from shardkv.commands.session import Session
from shardkv.config import Config
from shardkv.engine.following import StreamFault
from shardkv.keyspace.database import Database
from shardkv.persist.rdb.faults import RdbFault
from shardkv.persist.rdb.loader import RdbLoader
from shardkv.persist.rdb.writer import Snapshot as RdbSnapshot
from shardkv.replication.primary import Replica, Snapshot
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
    Send,
    Streamed,
    Transferred,
)
from shardkv.resp.parser import RequestParser

from .engine_client import EngineClient

MARK = b"m" * 40


def config_of(**options: str) -> Config:
    """A configuration for nodes that test replication: everything allowed, nobody waited for."""
    config = Config()
    settings = {"enable-debug-command": "yes", "repl-diskless-sync-delay": "0", "save": ""} | options
    config.set([(name.encode(), value.encode()) for name, value in settings.items() if name != "enable-debug-command"])
    config.assign(Config.options["enable-debug-command"], settings["enable-debug-command"])
    return config


class Connection:
    """A replica's connection to its primary: what is on its way in each direction."""

    def __init__(self, primary: SimNode, replica: SimNode) -> None:
        self.primary = primary
        self.replica = replica
        self.session: Session = primary.engine.open(address=f"{replica.name}:1")
        self.parser = RequestParser()
        self.up = bytearray()  #: to the primary
        self.down = bytearray()  #: to the replica
        self.open = True

    def collect(self) -> None:
        """What the primary has to say goes on its way."""
        if self.session.out:
            self.down += b"".join(self.session.out)
            self.session.out.clear()
        self.primary.send_snapshot(self)


class SimNode(EngineClient):
    """A node of the simulation, and a client of it. Implements ``shardkv.engine.replication.Rim``."""

    def __init__(self, world: SimWorld, name: str, config: Config) -> None:
        super().__init__(config=config)
        self.sim = world
        self.name = name
        self.connection: Connection | None = None
        self.todo: deque[Effect] = deque()
        self.log: list[str] = []
        self.snapshots: dict[int, bytes] = {}  #: by session, what is still to be sent
        self._full_sync = FullSync("", 0)
        self._loader: RdbLoader | None = None
        self._aside: dict[int, Database] = {}
        self.replication = self.engine.replication
        self.replication.rim = self
        self.engine.stopwatch = world.seconds
        self.engine.world.close = self._close  # type: ignore[method-assign]  # the simulated world closes clients itself

    @property
    def offset(self) -> int:
        """Of the stream, all that has gathered included."""
        self.replication.flush()
        return self.replication.history.offset

    def _close(self, session: Session) -> None:
        self.engine.leave(session)
        for connection in self.sim.connections:
            if connection.session is session and connection.open:
                self.sim.end(connection)

    # ---- as a primary

    def snapshot(self, order: Snapshot) -> None:
        """See ``Rim``: the content is fixed now, and sent when the answer to PSYNC is."""
        remarks = [(b"repl-stream-db", b"%d" % self.replication.selected)]
        data = b"".join(RdbSnapshot(self.engine.databases, self.engine.config, self.engine.now, remarks))
        self.replication.syncs.snapshot_begins(order)
        for replica in order.replicas:
            self.snapshots[replica.id] = (
                b"$%d\r\n" % len(data) + data if order.to_file else b"$EOF:" + MARK + b"\r\n" + data + MARK
            )
        if order.to_file:
            self.replication.primary.snapshot_written()

    def send_snapshot(self, connection: Connection) -> None:
        """Send a replica its snapshot, whole."""
        data = self.snapshots.pop(connection.session.id, None)
        if data is not None and connection.session.replica is not None:
            connection.down += data
            self.replication.syncs.snapshot_sent(connection.session.replica, to_file=not data.startswith(b"$EOF"))
            self.replication.primary.snapshot_ends()
            connection.collect()

    def attached(self, replica: Replica) -> None:
        """See ``Rim``."""

    def forget(self, replica: Replica) -> None:
        """See ``Rim``."""
        self.snapshots.pop(replica.id, None)

    def break_link(self) -> None:
        """See ``Rim``."""
        if self.connection is not None:
            self.sim.end(self.connection)

    def go_on(self) -> None:
        """See ``Rim``."""
        self.todo.append(Streamed(b""))

    def logged_offset(self) -> int | None:
        """See ``Rim``: there is no log."""
        return None

    # ---- as a replica

    def follow(self) -> None:
        """See ``Rim``."""
        if self.connection is not None:
            self.sim.end(self.connection, told=False)

    def tell(self, data: bytes) -> None:
        """See ``Rim``."""
        if self.connection is not None and self.connection.open:
            self.connection.up += data

    def perform(self, effects: list[Effect]) -> None:
        """Do what the link wants done."""
        self.todo += effects
        while self.todo:
            self._perform(self.todo.popleft())
        self.settle()

    def _perform(self, effect: Effect) -> None:
        link, replication = self.replication.link, self.replication
        assert link is not None
        match effect:
            case Streamed(data):
                assert replication.feed_in is not None
                try:
                    replication.feed_in.feed(data)
                except StreamFault as fault:
                    self._fail(str(fault))
            case Send(data):
                self.tell(data)
            case Dial():
                self.todo += self.sim.dial(self)
            case Hangup():
                self._loader = None
                if self.connection is not None:
                    self.sim.end(self.connection, told=False)
                replication.offline()
            case FullSync():
                self._full_sync = effect
            case Incoming(size):
                self._aside = {}
                self._loader = RdbLoader(
                    self.engine.config, self._database, self.engine.now, keep_expired=True, size=size
                )
            case Chunk(data):
                assert self._loader is not None
                try:
                    self._loader.feed(data)
                except RdbFault as fault:
                    self._fail(str(fault))
            case Transferred():
                self._load()
            case Continued(replication_id):
                replication.continued(replication_id)
            case Online():
                replication.online()
            case FailoverRefused(reply):
                replication.failover.refused(reply)
            case Note(_, text):
                self.log.append(text)

    def _database(self, index: int) -> Database:
        if index not in self._aside:
            self._aside[index] = Database(index, self.engine.served)
        return self._aside[index]

    def _load(self) -> None:
        link, loader = self.replication.link, self._loader
        assert link is not None
        assert loader is not None
        try:
            loader.finish()
        except RdbFault as fault:
            self._fail(str(fault))
            return
        self.replication.replacing()
        self.engine.databases.empty()
        for index, database in self._aside.items():
            self.engine.databases.open(index).take_over(database)
        sync = self._full_sync
        selected = int(loader.remarks.get(b"repl-stream-db", b"0"))
        self.replication.replaced(sync.replication_id, sync.offset, selected)
        self.todo += link.loaded(self.sim.seconds(), sync.offset)

    def _fail(self, reason: str) -> None:
        assert self.replication.link is not None
        self.todo.clear()
        self.todo += self.replication.link.fail(self.sim.seconds(), reason)


class SimWorld:
    """Nodes and the connections between them. ``delivered``: bytes that have arrived so far, in either direction."""

    def __init__(self) -> None:
        self.nodes: list[SimNode] = []
        self.connections: list[Connection] = []
        self.delivered = 0
        self.silent = False  #: nothing arrives any more, and nobody is told
        self._seconds = 0.0

    def seconds(self) -> float:
        """The stopwatch of all nodes."""
        return self._seconds

    def node(self, **options: str) -> SimNode:
        """A new node."""
        node = SimNode(self, f"n{len(self.nodes)}", config_of(**options))
        self.nodes.append(node)
        return node

    def named(self, name: str) -> SimNode | None:
        """The node that can be reached by this name."""
        return next((node for node in self.nodes if node.name == name), None)

    # ---- connections

    def dial(self, replica: SimNode) -> list[Effect]:
        """A replica connects to its primary."""
        link, address = replica.replication.link, replica.replication.address
        assert link is not None
        assert address is not None
        primary = self.named(address[0])
        if primary is None:
            return link.lost(self.seconds(), "nobody is there")
        replica.connection = Connection(primary, replica)
        self.connections.append(replica.connection)
        return link.connected(self.seconds())

    def end(self, connection: Connection, *, told: bool = True) -> None:
        """A connection ends for both sides; what was on its way is lost. ``told``: the replica hears of it now."""
        if not connection.open:
            return
        connection.open = False
        self.connections.remove(connection)
        if not connection.session.closed:
            connection.primary.engine.leave(connection.session)
        replica = connection.replica
        if replica.connection is connection:
            replica.connection = None
            link = replica.replication.link
            if told and link is not None:
                replica.replication.offline()
                replica.perform(link.lost(self.seconds(), "the connection ended"))

    def cut(self) -> None:
        """All connections end."""
        for connection in list(self.connections):
            self.end(connection)

    # ---- moving on

    def deliver(self, count: int = 1 << 40) -> int:
        """Let up to ``count`` bytes arrive; how many there were."""
        moved = 0
        if self.silent:
            return 0
        for node in self.nodes:
            node.replication.flush()
            node.settle()
        for connection in list(self.connections):
            connection.collect()
            if connection.open and connection.up and moved < count:
                data = bytes(connection.up[: count - moved])
                del connection.up[: len(data)]
                moved += len(data)
                requests = connection.parser.feed(data)
                connection.primary.engine.begin(connection.primary.engine.now)
                connection.primary.engine.run(connection.session, requests)
                connection.primary.settle()
                connection.collect()
            if connection.open and connection.down and moved < count:
                data = bytes(connection.down[: count - moved])
                del connection.down[: len(data)]
                moved += len(data)
                link = connection.replica.replication.link
                assert link is not None
                connection.replica.perform(link.received(data, self.seconds()))
        self.delivered += moved
        return moved

    def wait(self, seconds: float) -> None:
        """Time passes, and deadlines come."""
        self._seconds += seconds
        for node in self.nodes:
            node.engine.begin(node.engine.now + int(seconds * 1000))
            node.replication.tick()
            link = node.replication.link
            if link is not None and link.deadline <= self._seconds:
                node.perform(link.tick(self._seconds, node.replication.history.offset, node.replication.offer()))
            node.settle()

    def settle(self, seconds: float = 30.0) -> None:
        """Deliver and wait until nothing has moved for a while, every replica has its primary, and all are as far."""
        until = self._seconds + seconds
        while self._seconds < until:
            self.wait(0.25)
            while self.deliver():
                pass
            if all(self._is_settled(node) for node in self.nodes):
                return
        states = [
            (node.name, node.replication.link and node.replication.link.state, node.offset) for node in self.nodes
        ]
        raise AssertionError(f"not settled after {seconds} seconds: {states}; {self.nodes[-1].log[-5:]}")

    def _is_settled(self, node: SimNode) -> bool:
        if node.replication.failover.active:
            return False
        if node.replication.address is None:
            return True
        primary = self.named(node.replication.address[0])
        return node.replication.linked and primary is not None and primary.offset == node.offset


def digest(node: SimNode) -> Any:
    """DEBUG DIGEST of a node."""
    return node.other().raw("DEBUG", "DIGEST")
