"""The cluster side of a node: machine, bus and nodes.conf, and what they mean for the engine."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from random import Random
from socket import socket
from typing import TYPE_CHECKING, Any

import trio

from shardkv.cluster import nodesconf
from shardkv.cluster.events import Progress, Reconfigured, Strayed, Tick
from shardkv.cluster.found import claims_of
from shardkv.cluster.machine import ClusterMachine
from shardkv.cluster.nodes import MASTER, Node, NodeId, bitmap_of
from shardkv.cluster.orders import Order, ResetNode
from shardkv.cluster.routing import exported_slots, imported_slots, readable_bitmap, served_bitmap
from shardkv.cluster.settings import Endpoint, Settings
from shardkv.cluster.view import ClusterView
from shardkv.commands.session import Session
from shardkv.engine.engine import Engine
from shardkv.engine.pausing import Reason
from shardkv.errors import ReplyError

from . import clock
from .bus import Bus
from .buslinks import BusLimits
from .disk import FileLock
from .driver import ClusterDriver
from .dropping import Dropping
from .listeners import listen_tcp
from .nodes_file import NodesFile
from .reactor import Reactor
from .slot_jobs import SlotJob, SlotJobs

if TYPE_CHECKING:
    from shardkv.config import Config

    from .logs import Log
    from .tls import Tls

#: The bus port is this much above the client port unless ``cluster-port`` says otherwise.
BUS_PORT_OFFSET = 10_000
HIGHEST_PORT = 65_535
#: How often the machine is told how the data stand; and while an ordered failover waits for it.
PROGRESS_SECONDS = 0.1
HURRIED_SECONDS = 0.001
#: Shorter ones than Redis can tell apart, which looks at its peers ten times a second, would make peers that answer at
#: once seem dead.
SHORTEST_NODE_TIMEOUT = 0.2
#: For a lease that never ends.
FOREVER_SECONDS = 1e9


class NodesFileFault(Exception):
    """nodes.conf, or the port of the bus, cannot be used; ``str()`` is one line."""


class ClusterNode:
    """Implements ``shardkv.commands.ports.ClusterPort`` for the engine."""

    def __init__(self, engine: Engine, reactor: Reactor, config: Config, log: Log, path: Path, tls: Tls) -> None:
        self._engine = engine
        self._reactor = reactor
        self._config = config
        self._log = log
        self._path = path.absolute()
        self._tls = tls
        self._clock = clock.SteadyClock()
        self._lock: FileLock
        self._listening: list[socket]
        self.machine: ClusterMachine
        self.bus: Bus
        self.driver: ClusterDriver
        self._file = NodesFile(self._path, log, self._lasts, reactor)
        self._awaiting: list[Callable[[], None]] = []
        self._loading = True
        self._strays = 0  #: until all keys are loaded: the slots to be emptied then
        self._hurry = trio.Event()

    # ---- start and stop

    def open(self) -> None:
        """Lock and read nodes.conf, or begin as a new node, and bind the bus port. Raises NodesFileFault and
        ListenFault."""
        try:
            self._lock = FileLock(self._path)
        except BlockingIOError as error:
            raise NodesFileFault(
                f"Sorry, the cluster configuration file {self._path} is already used by a different "
                "Redis Cluster node. "
                "Please make sure that different nodes use different cluster configuration files."
            ) from error
        except OSError as error:
            raise NodesFileFault(f"Can't open {self._path} in order to acquire a lock: {error.strerror}") from error
        port = self._config.port or self._config.tls_port
        base = (self._config.tls_cluster and self._config.tls_port) or port
        bus_port = self._config.cluster_port or base + BUS_PORT_OFFSET
        if bus_port > HIGHEST_PORT:
            raise NodesFileFault(
                f"The port of the cluster bus would be {bus_port}: give a port of {HIGHEST_PORT - BUS_PORT_OFFSET} or "
                "less, or set cluster-port."
            )
        view = self._read(port, bus_port)
        self._strays = view.strays
        self.machine = ClusterMachine(view, self.settings(), Random(secrets.randbits(128)), self._clock())
        self._listening = listen_tcp(self._config.bind, view.me.bus_port, self._config.tcp_backlog)
        secret = self._config.cluster_auth_secret
        if not secret:
            self._log(
                "warning",
                "The cluster bus is open: whoever reaches its port can join. Set cluster-auth-secret to close it.",
            )
        self.bus = Bus(
            deliver=self._deliver,
            log=self._log,
            clock=self._clock,
            secret=secret,
            limits=BusLimits(sendbuf=self._config.cluster_link_sendbuf_limit),
            source=lambda: self._config.bind_source_addr or None,
            tls=lambda: self._tls if self._config.tls_cluster else None,
        )
        self.driver = ClusterDriver(
            self.machine,
            self.bus,
            records=self._file,
            route=self._route,
            follow=self._follow,
            pause_writes=self._pause_writes,
            drop_slots=self._drop_slots,
            deliver=self._publish,
            log=self._log,
            clock=self._clock,
        )
        self._jobs = SlotJobs(self, self._engine, self._log)
        self._dropping = Dropping(self._engine, self.hide)
        self._engine.cluster = self
        self._engine.refresh_calm()
        self._engine.leaving.route(bytes(len(self._engine.served)))
        self._engine.world.on_options_changed.append(self._options_changed)  # type: ignore[attr-defined]  # a node's world, which has more than engines need

    def _read(self, port: int, bus_port: int) -> ClusterView:
        try:
            text = self._path.read_text(encoding="utf-8", errors="surrogateescape")
        except FileNotFoundError:
            text = ""
        except OSError as error:
            raise NodesFileFault(f"Loading the cluster node config from {self._path}: {error.strerror}") from error
        if not text:
            identity = secrets.token_hex(20)
            self._log("notice", f"No cluster configuration found, I'm {identity}")
            return ClusterView.alone(
                Node(
                    identity,
                    ip="",
                    port=port,
                    bus_port=bus_port,
                    tls_port=self._config.tls_port,
                    flags=MASTER,
                    shard_id=secrets.token_hex(20),
                )
            )
        try:
            view = nodesconf.load(text)
        except nodesconf.NodesConfFault as fault:
            raise NodesFileFault(f"Unrecoverable error: corrupted cluster config file {self._path}: {fault}") from fault
        if view is None:
            raise NodesFileFault(
                f"Unrecoverable error: corrupted cluster config file {self._path}: no node in it is this one"
            )
        self._log("notice", f"Node configuration loaded, I'm {view.myself}")
        return view.amend(view.myself, port=port, bus_port=bus_port, tls_port=self._config.tls_port)

    def claim_loaded(self) -> None:
        """All keys are loaded: claim, or begin to import, the slots of those that are not this node's, but for those
        that are known to be left from moves that ended otherwise, or were lost to others meanwhile."""
        filled = {slot for database in self._engine.databases.opened for slot in database.live}
        strays = [slot for slot in filled if (self._strays & ~self.machine.view.me.slots) >> slot & 1]
        self._loading, self._strays = False, 0
        if strays:
            self._log(
                "warning", f"{len(strays)} slot(s) hold keys that were on their way when I was ended: deleting them."
            )
            self._dropping.begin(strays)
        self.hide()
        orders, said = claims_of(self.machine.view, filled)
        for line in said:
            self._log("warning", line)
        for order in orders:
            reply = self.driver.order(order)
            if isinstance(reply, ReplyError):
                self._log("warning", f"{order!r:.200} was refused: {reply.text}")

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve the bus and the machine's deadlines until cancelled."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._file.run)
            await nursery.start(self.bus.run, self._listening)
            self.driver.submit(self._progress())
            nursery.start_soon(self.driver.run)
            nursery.start_soon(self._tell_progress)
            nursery.start_soon(self._jobs.run)
            nursery.start_soon(self._dropping.run)
            task_status.started()

    async def _tell_progress(self) -> None:
        """Keep the machine informed of how this node's data stand."""
        while True:
            if self.machine.hurried:
                await trio.sleep(HURRIED_SECONDS)
            else:
                self._hurry = trio.Event()
                with trio.move_on_after(PROGRESS_SECONDS):
                    await self._hurry.wait()
            self.driver.submit(self._progress())
            if self.machine.view.state == "ok":
                self._renew_lease()
            self._jobs.look()
            self._reactor.flush_woken()

    def close(self) -> None:
        """Write nodes.conf a last time and give the lock back."""
        self._file.write(self.machine.view, urgent=True)
        self._lock.release()

    # ---- what the machine wants done

    def _deliver(self, event: Any) -> None:
        self.driver.submit(event)
        if self.machine.hurried:
            self._hurry.set()
        self._reactor.flush_woken()

    def _lasts(self) -> None:
        """A view is on disk: what has waited for it goes on. First those who gave an order: one that makes this node a
        replica closes the connections of all who wait."""
        if self._awaiting and self.driver.lasting:
            awaiting, self._awaiting = self._awaiting, []
            for told in awaiting:
                told()
        spoken = self.driver.spoken
        self.driver.lasts()
        if self.driver.spoken != spoken:
            self._reactor.hasten()  # messages are to be sent
        self._reactor.flush_woken()

    def _route(self, view: ClusterView) -> None:
        if self._dropping.slots and view.me.is_primary:
            back = view.me.slots
            self._dropping.finish([s for s in self._dropping.slots if back >> s & 1 or s in view.importing])
        self._engine.leaving.route(served_bitmap(view))
        self._engine.imported, self._engine.exported = imported_slots(view), exported_slots(view)
        self._engine.replica_reads.route(readable_bitmap(view))
        # A replica serves the shard channels of its primary's slots; who subscribed after ASKING came early.
        shard = view.my_shard_primary.id
        self._engine.end_shard_channels(lambda slot: view.owners[slot] == shard or slot in view.importing)

    def _follow(self, primary: NodeId | None) -> None:
        """Copy this node, where it is now, or nobody any more."""
        replication = self._engine.replication
        if primary is None:
            replication.lead()
            return
        node = self.machine.view.nodes.get(primary)
        if node is None:
            return  # forgotten while nodes.conf was being written: whom to follow instead, if anybody, comes next
        self._dropping.give_up()  # what its primary has is all that will be left
        address = (node.ip, node.port or node.tls_port)
        if node.ip and replication.address != address:
            replication.follow(*address)

    def _pause_writes(self, seconds: float) -> None:
        """Hold writes back for a replica that is about to take over, and say where they stopped."""
        if seconds:
            self._engine.pause(clock.unix_ms() + int(seconds * 1000), True, Reason.FAILOVER)
            self.driver.submit(self._progress())
        else:
            self._engine.unpause(Reason.FAILOVER)

    def _renew_lease(self) -> bool:
        """Tell the engine until when it may serve; whether it may now."""
        left = self.machine.leased_until - self._clock()
        self._engine.lease = clock.unix_ms() + int(min(left, FOREVER_SECONDS) * 1000)
        return left > 0

    def lease_over(self) -> None:
        """See ``ClusterPort``: the machine finds out that it is in a minority, as far as it knows."""
        if not self._renew_lease():
            self._engine.lease = 1 << 62  # it is for the machine now to say when to serve again
            self.driver.submit(Tick())

    def _progress(self) -> Progress:
        """How this node's data stand now."""
        replication = self._engine.replication
        keys = sum(database.size for database in self._engine.databases.opened)
        replication.flush()
        loading = not replication.restored
        return Progress(replication.history.offset, keys, replication.silence, replication.linked, loading)

    def _drop_slots(self, slots: tuple[int, ...]) -> None:
        if self._loading:
            self._strays |= bitmap_of(slots)  # their keys may be still to come
            self.hide()
        else:
            self._dropping.begin(slots)

    @property
    def tls(self) -> Tls | None:
        """What other nodes' ports for clients are dialled by, if nodes speak TLS with each other."""
        return self._tls if self._config.tls_cluster or self._config.tls_replication else None

    def finish_dropping(self, slots: Iterable[int]) -> None:
        """What is left of keys that were another node's goes now: the slots are about to be used again."""
        self._dropping.finish(slots)

    def hide(self) -> None:
        """Let walks pass by the keys that are not this node's any more, or not yet, and note whose they are not."""
        hidden = self._engine.hidden
        hidden.clear()
        hidden.update(dict.fromkeys(self._jobs.arriving, False))
        hidden.update(dict.fromkeys(self._dropping.slots, True))
        strays = bitmap_of(hidden) | self._strays & ~self.machine.view.me.slots
        if strays != self.machine.view.strays:
            self.driver.submit(Strayed(strays))

    def _publish(self, channel: bytes, payload: bytes, sharded: bool) -> None:
        self._engine.deliver(channel, payload, sharded)

    # ---- options

    def settings(self) -> Settings:
        """The cluster's options as the machine reads them."""
        config = self._config
        return Settings(
            node_timeout=max(config.cluster_node_timeout / 1000, SHORTEST_NODE_TIMEOUT),
            require_full_coverage=config.cluster_require_full_coverage,
            allow_reads_when_down=config.cluster_allow_reads_when_down,
            allow_pubsubshard_when_down=config.cluster_allow_pubsubshard_when_down,
            allow_replica_migration=config.cluster_allow_replica_migration,
            no_failover=config.cluster_replica_no_failover,
            validity_factor=config.cluster_replica_validity_factor,
            migration_barrier=config.cluster_migration_barrier,
            preferred_endpoint=Endpoint(config.cluster_preferred_endpoint_type),
            announce_ip=config.cluster_announce_ip,
            announce_port=config.cluster_announce_port or config.port,  # CONFIG SET port may have moved us
            announce_tls_port=config.cluster_announce_tls_port or config.tls_port,
            announce_bus_port=config.cluster_announce_bus_port,
            announce_hostname=config.cluster_announce_hostname,
            announce_human_nodename=config.cluster_announce_human_nodename,
            forget_ttl=config.cluster_blacklist_ttl,
        )

    def _options_changed(self, names: frozenset[str]) -> None:
        if names & {"port", "tls-port"} or any(name.startswith("cluster-") for name in names):
            self.bus.limits = replace(self.bus.limits, sendbuf=self._config.cluster_link_sendbuf_limit)
            self.driver.submit(Reconfigured(self.settings()))
            self._route(self.view)

    # ---- what the commands ask

    def order(self, order: Order) -> Any:
        """Carry out a CLUSTER command that changes something; its reply."""
        was_replica = self.machine.view.me.is_replica
        spoken = self.driver.spoken
        reply = self.driver.order(order)
        if self.driver.spoken != spoken:
            self._reactor.hasten()  # messages are to be sent
        if isinstance(order, ResetNode) and was_replica and not isinstance(reply, ReplyError):
            self._file.settle()  # it follows nobody from now on
            self._engine.databases.empty()  # its keys were another node's
        return reply

    @property
    def view(self) -> ClusterView:
        """See ``ClusterPort``, as for the next three."""
        return self.machine.view if self.driver.lasting else self.driver.routed or self.machine.view

    @property
    def lasting(self) -> bool:
        """Whether nodes.conf holds all that binds this node."""
        return self.driver.lasting

    def when_lasting(self, told: Callable[[], None]) -> None:
        self._awaiting.append(told)

    def settle(self) -> None:
        self._file.settle()

    def hurry(self, on: bool) -> None:
        """Whether slots are on their way."""
        self._reactor.hurry("slots", on)

    def flush_woken(self) -> None:
        """Send what clients get by what a task has done."""
        self._reactor.flush_woken()

    def migrate_slots(self, groups: list[tuple[int, str]]) -> None:
        """See ``ClusterPort``, as for those that follow."""
        self._jobs.begin(groups)

    def slot_migrations(self) -> list[SlotJob]:
        return list(self._jobs.jobs)

    def cancel_slot_migrations(self) -> bool:
        return self._jobs.cancel()

    def begin_import(self, session: Session, name: str, source: str, slots: int) -> None:
        self._jobs.begin_import(session, name, source, slots)

    def import_of(self, session: Session) -> SlotJob:
        return self._jobs.import_of(session)

    def take_slots(self, job: SlotJob) -> None:
        self._jobs.take(job)

    @property
    def hesitates(self) -> bool:
        """See ``ClusterPort``."""
        return self.machine.hesitates

    def links(self) -> list[Any]:
        """Records of the bus links."""
        return list(self.bus.statistics().links)

    def links_exceeded(self) -> int:
        """How many links were closed because too much waited for them."""
        return self.bus.statistics().sendbuf_exceeded
