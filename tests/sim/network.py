"""A whole cluster in one process: machines, a virtual network between them, and one heap of what happens when.

Everything is decided by one seed: the heap is ordered by (time, sequence), each machine has its own ``Random``, and
messages travel as the immutable objects they are. Two runs of the same story with the same seed give the same
``trace``, on any machine. A failing test prints the seed; ``SEED=n`` in the environment replays it.

The network is TCP as the bus sees it: a dial to a dead host is refused, one into a partition hangs; a closed link is
noticed at the other end unless a partition swallows it; and, harsher than TCP, single messages may be lost.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random
from typing import Any

from shardkv.cluster import nodesconf
from shardkv.cluster.effects import (
    Answer,
    Connect,
    Disconnect,
    DropSlots,
    Effect,
    Follow,
    Log,
    PauseWrites,
    Persist,
    Route,
    Send,
)
from shardkv.cluster.events import Event, LinkLost, LinkUp, Ordered, Progress, Received, Tick
from shardkv.cluster.machine import ClusterMachine
from shardkv.cluster.messages import AuthAck, Message
from shardkv.cluster.nodes import FAIL, HANDSHAKE, Node
from shardkv.cluster.orders import AddSlots, MeetNode, Order, Replicate, SetConfigEpoch
from shardkv.cluster.settings import Settings
from shardkv.cluster.view import ClusterView
from shardkv.errors import ReplyError
from shardkv.resp.replies import OK

START = 1_700_000_000.0
PORT, BUS_PORT = 7000, 17000
_DISK_MAX = 0.2
_WIRE_MIN, _WIRE_MAX = 0.0005, 0.002


class Link:
    """One connection: who dialled, who accepted, and the number it has at either end."""

    __slots__ = ("accepted", "acceptor", "dialled", "dialler", "latest", "open")

    def __init__(self, dialler: str, dialled: int, acceptor: str, accepted: int) -> None:
        self.dialler, self.dialled = dialler, dialled
        self.acceptor, self.accepted = acceptor, accepted
        self.open = True
        self.latest: dict[str, float] = {}

    def other(self, name: str) -> tuple[str, int]:
        """The other end and the link's number there."""
        if name == self.dialler:
            return self.acceptor, self.accepted
        return self.dialler, self.dialled


@dataclass
class Host:
    """One node's place in the world: it outlives the process that runs there."""

    name: str
    ip: str
    disk: ClusterView
    settings: Settings
    unwritten: ClusterView | None = None
    """What is on its way to the disk."""
    machine: ClusterMachine | None = None
    links: dict[int, Link] = field(default_factory=dict)
    accepted: int = 0
    lives: int = 0
    tick_at: float = float("inf")
    skew: float = 0.0
    routed: ClusterView | None = None
    following: str | None = None
    dropped: list[tuple[int, ...]] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    answers: dict[int, Any] = field(default_factory=dict)
    data: list[int] = field(default_factory=list)
    """What was written here, in order; the replication offset is its length."""
    copy_of: str | None = None
    """The primary whose whole data the replica once had, in this life."""
    byte_at: float = 0.0
    """When the last byte of the primary's stream came."""
    paused_until: float = 0.0


class Cluster:
    """The world. Verbs change it; ``wait`` lets time pass."""

    def __init__(self, count: int, seed: int = 0, **settings: Any) -> None:
        """``count`` nodes named ``n0``, ``n1`` ..., running and strangers to each other."""
        self.seed = seed
        self.rng = Random(f"{seed}/network")
        self.now = START
        self.loss = 0.0
        self.delay = 0.0
        self.cuts: dict[tuple[str, str], None] = {}
        self.trace = 0
        self.events = 0
        self.messages = self.bytes = 0
        self.bytes_of: Callable[[Message], int] | None = None
        """Weighs what is sent, where bytes are of interest: encoding takes longer than all else."""
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._sequence = 0
        self._tickets = 0
        self._apart = ""
        self.hosts: dict[str, Host] = {}
        self.by_ip: dict[str, Host] = {}
        self.votes: dict[tuple[str, int], str] = {}
        self.reigns: dict[tuple[int, int], str] = {}
        """Who owned a slot in an epoch."""
        self._reigning: dict[str, tuple[int, int]] = {}
        self.writes = 0
        self.acknowledged: list[int] = []
        self.flowing = False
        for index in range(count):
            self.add(f"n{index}", Settings(**settings))

    # Making it ------------------------------------------------------------------------------------------------------

    def add(self, name: str, settings: Settings) -> Host:
        """A new node, started."""
        index = len(self.hosts)
        ip = f"10.0.{index >> 8}.{index & 255}"
        birth = Random(f"{self.seed}/{name}/birth")
        node = Node(f"{birth.getrandbits(160):040x}", port=PORT, bus_port=BUS_PORT)
        host = self.hosts[name] = self.by_ip[ip] = Host(name, ip, ClusterView.alone(node), settings)
        self._boot(host)
        return host

    def _boot(self, host: Host) -> None:
        host.lives += 1
        machine_rng = Random(f"{self.seed}/{host.name}/{host.lives}")
        host.machine = ClusterMachine(host.disk, host.settings, machine_rng, self.now + host.skew)
        host.tick_at = float("inf")
        host.copy_of = None
        host.paused_until = 0.0
        if self.flowing:
            self._tell_progress(host)
        self._schedule_tick(host)

    def form(self, slots_for: Iterable[str] | None = None) -> None:
        """Join all nodes by MEET through the first, share out the slots, and wait until everyone agrees.

        As redis-cli does it, each node gets its own epoch first: collisions settle too, but slowly.
        """
        self.join(slots_for)
        self.until(self.agreed, 120, "the cluster forms")

    def join(self, slots_for: Iterable[str] | None = None) -> None:
        """The orders of ``form``, without waiting for what comes of them."""
        names = list(self.hosts)
        for epoch, name in enumerate(names, 1):
            assert self.order(name, SetConfigEpoch(epoch)) == OK
        owners = list(slots_for if slots_for is not None else names)
        for index, name in enumerate(owners):
            first, last = 16384 * index // len(owners), 16384 * (index + 1) // len(owners) - 1
            assert self.order(name, AddSlots(((first, last),))) == OK
        for name in names[1:]:
            self.meet(names[0], name)

    def form_shards(self, primaries: int, replicas: int) -> None:
        """Form a cluster of ``n0 ...`` as primaries and the rest as replicas in turns, with data that flow."""
        names = list(self.hosts)
        self.join(names[:primaries])
        every = 0.1 if len(names) < 100 else 1.0
        self.until(self.agreed, 120, "the cluster forms", every)
        self.flow()
        for index, name in enumerate(names[primaries : primaries * (1 + replicas)]):
            assert self.order(name, Replicate(self.id(names[index % primaries]), empty=True)) == OK
        self.until(self.agreed, 60, "the replicas are known", every)
        self.wait(2)

    def flow(self) -> None:
        """From now on replicas copy what is written to their primaries, and machines hear how far they are."""
        self.flowing = True
        self._at(self.now, self._flow)

    # Verbs ----------------------------------------------------------------------------------------------------------

    def order(self, name: str, order: Order) -> Any:
        """Give a node an order and return its reply, an error as a ``ReplyError`` value."""
        self._tickets += 1
        self._handle(self.hosts[name], Ordered(order, self._tickets))
        return self.hosts[name].answers.pop(self._tickets)

    def meet(self, name: str, other: str) -> None:
        """CLUSTER MEET at ``name`` with the address of ``other``."""
        assert self.order(name, MeetNode(self.hosts[other].ip, PORT, BUS_PORT)) == OK

    def crash(self, *names: str) -> None:
        """Kill -9: what is on disk stays, the links break."""
        for name in names:
            host = self.hosts[name]
            host.machine = None
            host.tick_at = float("inf")
            for number in list(host.links):
                self._close(host, number)

    def settle(self, name: str) -> None:
        """Wait at a node until what it believes is on its disk."""
        host = self.hosts[name]
        if host.unwritten is not None:
            host.disk, host.unwritten = host.unwritten, None

    def restart(self, *names: str, ip: str | None = None) -> None:
        """Start crashed nodes again from their nodes.conf, through its text; perhaps at another address."""
        for name in names:
            host = self.hosts[name]
            view = nodesconf.load(nodesconf.dump(host.disk))
            assert host.machine is None
            assert view is not None
            host.disk = view
            if ip is not None:
                del self.by_ip[host.ip]
                host.ip, self.by_ip[ip] = ip, host
            self._boot(host)

    def wipe(self, name: str) -> None:
        """Lose a crashed node's disk: it will come back as a stranger."""
        self.hosts[name].disk = ClusterView.alone(
            Node(f"{self.rng.getrandbits(160):040x}", port=PORT, bus_port=BUS_PORT)
        )

    def wipe_table(self, name: str) -> None:
        """Have a crashed node forget everyone else: it died before it could write them down."""
        disk = self.hosts[name].disk
        self.hosts[name].disk = ClusterView.alone(disk.me)

    def partition(self, *sides: Iterable[str]) -> None:
        """Nothing passes between nodes of different sides."""
        groups = [list(side) for side in sides]
        for group in groups:
            for other in groups:
                if group is not other:
                    self.cut(group, other)

    def cut(self, senders: Iterable[str], receivers: Iterable[str]) -> None:
        """Nothing that ``senders`` send reaches ``receivers``; the way back stays open."""
        receivers = list(receivers)
        for sender in senders:
            for receiver in receivers:
                self.cuts[sender, receiver] = None

    def write(self, name: str) -> bool:
        """A client writes to a node. Returns whether it was acknowledged."""
        host = self.hosts[name]
        if host.machine is None or host.routed is None or host.routed.state != "ok" or not host.routed.me.slots:
            return False
        if self.now < host.paused_until:
            return False
        self.writes += 1
        host.data.append(self.writes)
        self.acknowledged.append(self.writes)
        return True

    def lost(self) -> list[int]:
        """The acknowledged writes that no primary has."""
        held = {number for name in self.up() if self.view(name).me.slots for number in self.hosts[name].data}
        return [number for number in self.acknowledged if number not in held]

    def heal(self) -> None:
        """All partitions, losses and delays end."""
        self.cuts.clear()
        self.loss = self.delay = 0.0

    def wait(self, seconds: float) -> None:
        """Let this much time pass."""
        end = self.now + seconds
        heap = self._heap
        while heap and heap[0][0] <= end:
            self.now, _, action, arguments = heappop(heap)
            action(*arguments)
        self.now = end

    def until(self, condition: Callable[[], bool], limit: float, story: str, every: float = 0.1) -> float:
        """Wait until it is so, looking ``every`` few seconds; returns how long it took. Fails after ``limit``
        seconds."""
        start = self.now
        while not condition():
            assert self.now - start < limit, f"not within {limit} s: {story} (seed {self.seed})"
            self.wait(every)
        return self.now - start

    # What is so -----------------------------------------------------------------------------------------------------

    def machine(self, name: str) -> ClusterMachine:
        """The running machine of a node."""
        machine = self.hosts[name].machine
        assert machine is not None, f"{name} is down"
        return machine

    def view(self, name: str) -> ClusterView:
        """What a running node believes."""
        return self.machine(name).view

    def id(self, name: str) -> str:
        """A node's id, also while it is down."""
        host = self.hosts[name]
        return host.machine.view.myself if host.machine is not None else host.disk.myself

    def up(self) -> list[str]:
        """The names of the running nodes."""
        return [host.name for host in self.hosts.values() if host.machine is not None]

    def agreed(self, names: Iterable[str] | None = None) -> bool:
        """Whether these nodes (all that run) say ok and believe the same of each other and of the slots."""
        names = list(names if names is not None else self.up())
        views = [self.view(name) for name in names]
        if any(view.state != "ok" or len(view.nodes) < len(views) for view in views):
            return False
        ids = {view.myself for view in views}
        first = _beliefs(views[0])
        if not ids <= set(views[0].nodes):
            return False
        # Whoever stood apart the last time is asked first: in a large cluster a whole round takes seconds.
        views.sort(key=lambda view: view.myself != self._apart)
        for view in views:
            if _beliefs(view) != first:
                self._apart = view.myself
                return False
        return True

    def failed(self, name: str, seen_by: str) -> bool:
        """Whether a node is marked FAIL by another."""
        return bool(self.view(seen_by).nodes[self.id(name)].flags & FAIL)

    def check(self) -> None:
        """Every view holds together, what was persisted is read back the same, and routing follows the view."""
        for name in self.up():
            host, view = self.hosts[name], self.view(name)
            view.check()
            again = nodesconf.load(nodesconf.dump(host.disk))
            assert again is not None
            assert not again.differs_durably(host.disk)
            assert host.routed is not None
            assert not host.routed.differs_durably(view)
            assert host.routed.state == view.state

    # The machinery --------------------------------------------------------------------------------------------------

    def _at(self, when: float, action: Callable[..., None], *arguments: Any) -> None:
        self._sequence += 1
        heappush(self._heap, (when, self._sequence, action, arguments))

    def _wire(self) -> float:
        return self.now + _WIRE_MIN + self.rng.random() * (_WIRE_MAX - _WIRE_MIN + self.delay)

    def _schedule_tick(self, host: Host) -> None:
        assert host.machine is not None
        # Never sooner than a millisecond: a driver's loop is not faster either.
        when = max(host.machine.deadline - host.skew, self.now + 0.001)
        if when < host.tick_at or host.tick_at <= self.now:
            host.tick_at = when
            self._at(when, self._tick, host, host.lives)

    def _tick(self, host: Host, life: int) -> None:
        if host.lives != life or host.machine is None or host.tick_at > self.now:
            return
        host.tick_at = float("inf")
        self._handle(host, Tick())

    def _handle(self, host: Host, event: Event) -> None:
        assert host.machine is not None
        self.events += 1
        self.trace = zlib.crc32(f"{self.now:.6f} {host.name} {type(event).__name__}".encode(), self.trace)
        for effect in host.machine.handle(event, self.now + host.skew):
            self._perform(host, effect)
        self._schedule_tick(host)

    def _perform(self, host: Host, effect: Effect) -> None:
        kind = type(effect)
        if kind is Send:
            assert isinstance(effect, Send)
            self._send(host, effect)
            return
        self.trace = zlib.crc32(_diary(effect), self.trace)
        if isinstance(effect, Connect):
            self._at(self._wire(), self._dial, host, host.lives, effect)
        elif isinstance(effect, Disconnect):
            self._close(host, effect.link)
        elif isinstance(effect, Persist):
            if effect.awaited or self.rng.random() < 0.5:
                host.disk, host.unwritten = effect.view, None
            else:  # hearsay is written soon, which may be too late for a crash
                host.unwritten = effect.view
                self._at(self.now + self.rng.random() * _DISK_MAX, self._write, host, host.lives, effect.view)
        elif isinstance(effect, Route):
            host.routed = effect.view
            self._note_reign(host.name, effect.view)
        elif isinstance(effect, Follow):
            host.following = effect.primary
            host.copy_of = None
        elif isinstance(effect, PauseWrites):
            host.paused_until = self.now + effect.seconds
            if effect.seconds and self.flowing:
                self._at(self.now, self._progress_soon, host, host.lives)
        elif isinstance(effect, DropSlots):
            host.dropped.append(effect.slots)
        elif isinstance(effect, Answer):
            host.answers[effect.ticket] = effect.reply
        elif isinstance(effect, Log):
            host.logs.append(effect.text)

    def _dial(self, host: Host, life: int, dial: Connect) -> None:
        if host.lives != life or host.machine is None:
            return
        target = self.by_ip.get(dial.ip)
        there = target.name if target is not None else ""
        if (host.name, there) in self.cuts or (there, host.name) in self.cuts:
            return  # the SYN or its answer is swallowed: the dial hangs
        if target is None or target.machine is None or dial.port != BUS_PORT:
            self._at(self._wire(), self._inform, host, life, LinkLost(dial.link))
            return
        target.accepted += 1
        link = Link(host.name, dial.link, target.name, -target.accepted)
        host.links[link.dialled] = target.links[link.accepted] = link
        self._at(self._wire(), self._inform, host, life, LinkUp(dial.link))

    @staticmethod
    def _write(host: Host, life: int, view: ClusterView) -> None:
        if host.lives == life and host.machine is not None and host.unwritten is view:
            host.disk, host.unwritten = view, None

    def _note_reign(self, name: str, view: ClusterView) -> None:
        """No slot has two primaries in one epoch, ever."""
        if view.state != "ok" or not view.me.slots:
            return
        epoch, reign = view.me.config_epoch, (view.me.config_epoch, view.me.slots)
        if self._reigning.get(name) == reign:
            return
        self._reigning[name] = reign
        for start in range(0, 16384, 64):
            if view.me.slots >> start & 1:
                before = self.reigns.setdefault((epoch, start), name)
                assert before == name, f"{before} and {name} own slot {start} in epoch {epoch} (seed {self.seed})"

    def _note_vote(self, voter: str, candidate: str, epoch: int) -> None:
        """No node votes twice in an epoch, whatever happens to it in between."""
        before = self.votes.setdefault((voter, epoch), candidate)
        assert before == candidate, f"{voter} votes for {before} and {candidate} in epoch {epoch} (seed {self.seed})"
        assert self.hosts[voter].disk.last_vote_epoch >= epoch, f"a vote that was not written down (seed {self.seed})"

    def _send(self, host: Host, send: Send) -> None:
        self.messages += 1
        if self.bytes_of is not None:
            self.bytes += self.bytes_of(send.message)
        if type(send.message) is AuthAck and send.link in host.links:
            there, _ = host.links[send.link].other(host.name)
            self._note_vote(host.name, there, send.message.header.current_epoch)
        link = host.links.get(send.link)
        if link is None:
            return
        there, number = link.other(host.name)
        if (host.name, there) in self.cuts or (self.loss and self.rng.random() < self.loss):
            return
        # A link keeps the order, as TCP does.
        when = link.latest[there] = max(self._wire(), link.latest.get(there, 0.0))
        self._at(when, self._deliver, link, self.hosts[there], number, host.ip, send.message)

    def _deliver(self, link: Link, host: Host, number: int, peer_ip: str, message: Message) -> None:
        if link.open and host.machine is not None:
            self._handle(host, Received(number, message, peer_ip, host.ip))

    def _inform(self, host: Host, life: int, event: Event) -> None:
        if host.lives == life and host.machine is not None:
            self._handle(host, event)

    def _close(self, host: Host, number: int) -> None:
        link = host.links.pop(number, None)
        if link is None:
            return
        link.open = False
        there, other_number = link.other(host.name)
        other = self.hosts[there]
        other.links.pop(other_number, None)
        if (host.name, there) not in self.cuts:
            self._at(self._wire(), self._inform, other, other.lives, LinkLost(other_number))

    # Data -----------------------------------------------------------------------------------------------------------

    def _flow(self) -> None:
        by_id = {self.id(name): host for name, host in self.hosts.items()}
        for host in self.hosts.values():
            if host.machine is not None:
                self._replicate(host, by_id.get(host.following or ""))
                self._tell_progress(host)
        self._at(self.now + 0.1, self._flow)

    def _progress_soon(self, host: Host, life: int) -> None:
        if host.lives == life and host.machine is not None:
            self._tell_progress(host)

    def _replicate(self, host: Host, primary: Host | None) -> None:
        """One step of a replica's copying, if its primary can be reached."""
        assert host.machine is not None
        if host.machine.view.me.is_primary or primary is None or primary.machine is None:
            return
        if (host.name, primary.name) in self.cuts or (primary.name, host.name) in self.cuts:
            return
        if host.copy_of != primary.name:
            if primary.machine.hesitates:
                return  # it feeds nobody yet
            host.copy_of, host.byte_at = primary.name, self.now
            host.data = list(primary.data)
        elif len(primary.data) > len(host.data) and primary.data[: len(host.data)] == host.data:
            host.data, host.byte_at = list(primary.data), self.now
        elif primary.data != host.data:
            host.copy_of = None  # another history: a full synchronisation next time
        elif self.now - host.byte_at >= 10:
            host.byte_at = self.now

    def _tell_progress(self, host: Host) -> None:
        silence = self.now - host.byte_at if host.copy_of is not None else None
        self._handle(host, Progress(len(host.data), len(host.data), silence, host.copy_of is not None))


def _diary(effect: Effect) -> bytes:
    """An effect for the trace: enough to tell two histories apart."""
    if isinstance(effect, Persist | Route):
        view = effect.view
        told = (type(effect).__name__, view.current_epoch, len(view.nodes), view.assigned.bit_count(), view.state)
        return repr(told).encode()
    if isinstance(effect, Answer) and isinstance(effect.reply, ReplyError):
        return effect.reply.text.encode()
    return repr(effect).encode()


def _beliefs(view: ClusterView) -> dict[str, tuple[object, ...]]:
    """What all nodes must come to agree on, free of who is speaking."""
    return {
        node.id: (
            (node.ip, node.port, node.bus_port, node.tls_port, node.hostname, node.human_nodename),
            (node.shard_id, node.flags & 15, node.primary, node.config_epoch, node.slots),
        )
        for node in view.nodes.values()
        if not node.flags & HANDSHAKE
    }
