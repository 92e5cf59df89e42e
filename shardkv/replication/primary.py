"""A primary's replicas: who is attached, what each one still needs, and when a snapshot is due.

Theory of operation
-------------------
A replica that asks for PSYNC goes on from the backlog at once (``ONLINE``), or waits for a snapshot (``WAITING``). All
that wait when a snapshot begins share it. From that moment the stream gathers in each one's ``queue`` until the
snapshot is with it (``SENDING``); then the queue goes out, and from there on it is ``ONLINE``. After a snapshot that
was sent without a file, the queue waits for the replica's next acknowledgement: only then it is known to have seen the
end. A replica that comes while a snapshot is being written to a file joins it by taking a copy of another one's queue.

No socket and no snapshot in here: ``tick`` and the verbs say what is due, the owner does it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

#: Milliseconds between two signs of life to a replica that waits for its snapshot.
WAITING_PING: Final = 1000


class Phase(Enum):
    """Where a replica stands; the value is what INFO says."""

    WAITING = "wait_bgsave"
    SENDING = "send_bulk"
    ONLINE = "online"


@dataclass(slots=True, eq=False)
class Replica:
    """One attached replica, or a client that has introduced itself as one. Times are Unix milliseconds."""

    id: int  #: of its session
    address: str = ""  #: where it connects from, without the port
    announced_address: str = ""
    port: int = 0
    takes_mark: bool = False  #: REPLCONF capa eof
    speaks_psync2: bool = False
    version: str = ""
    snapshot_only: bool = False  #: REPLCONF rdb-only: nothing follows the snapshot
    without_data: bool = False  #: REPLCONF rdb-filter-only leaves the data out
    without_functions: bool = False
    phase: Phase | None = None  #: None: not attached
    acked: int = 0
    log_acked: int = 0
    heard: int = 0  #: when it last acknowledged
    since: int = 0  #: when it began to wait
    told: int = 0  #: when it was last sent a sign of life while it waits
    base: int = 0  #: the offset of the snapshot that it gets
    in_snapshot: bool = False  #: a snapshot that it will get has begun, so the stream is kept for it
    piped: bool = False  #: that one is sent while it is made
    start_on_ack: bool = False
    speaks: bool = True  #: sends acknowledgements (SYNC's old clients don't)
    queue: list[bytes] = field(default_factory=list)
    queued: int = 0  #: bytes in the queue

    @property
    def shown_address(self) -> str:
        """The address that it is known by."""
        return self.announced_address or self.address

    @property
    def shown_phase(self) -> str:
        """Where it stands, in INFO's words: what is sent while it is made counts as being made."""
        phase = Phase.WAITING if self.piped and self.phase is Phase.SENDING else self.phase
        return "" if phase is None else phase.value

    def lag(self, now: int) -> int:
        """Whole seconds since it was last heard of."""
        return max(0, now - self.heard) // 1000


@dataclass(frozen=True, slots=True)
class Rules:
    """The options that matter here. Times in milliseconds."""

    timeout: int
    ping_period: int
    backlog_ttl: int  #: 0: the backlog stays
    diskless: bool
    diskless_delay: int
    diskless_max: int
    max_lag: int  #: whole seconds


# What is due ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ping:
    """A PING into the stream."""


@dataclass(frozen=True, slots=True)
class KeepWaiting:
    """A sign of life (a line end) to a replica that waits for its snapshot."""

    replica: Replica


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the connection of a replica that is silent."""

    replica: Replica


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Make a snapshot for these; say ``snapshot_begins`` when its content is fixed."""

    replicas: tuple[Replica, ...]
    to_file: bool


@dataclass(frozen=True, slots=True)
class EndBacklog:
    """Nobody has come back in time: the backlog may go."""


Due: TypeAlias = Ping | KeepWaiting | Drop | Snapshot | EndBacklog


class Primary:
    """The replicas of a node (a replica may have some, too). All times are Unix milliseconds."""

    def __init__(self) -> None:
        self.replicas: dict[int, Replica] = {}
        self.empty_since = 0  #: when the last replica left
        self._pinged = 0
        self._snapshot: list[Replica] | None = None  #: for whom one is being made
        self._joinable = False  #: it goes to a file that is not complete yet

    def __len__(self) -> int:
        return len(self.replicas)

    # ---- coming and going

    def attach_online(self, replica: Replica, offset: int, now: int) -> None:
        """A replica goes on from the backlog; it has everything up to ``offset``."""
        self._attach(replica, Phase.ONLINE, now)
        replica.acked = offset

    def attach_waiting(self, replica: Replica, now: int) -> Replica | None:
        """A replica needs a snapshot. If one is being written that it can share, whose queue it has taken a copy of."""
        self._attach(replica, Phase.WAITING, now)
        if self._joinable and not replica.snapshot_only and not replica.without_data:
            for other in self._snapshot or ():
                if other.id in self.replicas and not (other.snapshot_only or other.without_data):
                    replica.in_snapshot = True
                    replica.queue, replica.queued = list(other.queue), other.queued
                    assert self._snapshot is not None
                    self._snapshot.append(replica)
                    return other
        return None

    def _attach(self, replica: Replica, phase: Phase, now: int) -> None:
        if not self.replicas:
            self._pinged = now  # the first sign of life comes a period after there is somebody to hear it
        replica.phase = phase
        replica.heard = replica.since = replica.told = now
        self.replicas[replica.id] = replica

    def detach(self, replica: Replica, now: int) -> None:
        """A replica is gone."""
        if self.replicas.pop(replica.id, None) is None:
            return
        replica.phase = None
        replica.queue, replica.queued = [], 0
        if not self.replicas:
            self.empty_since = now

    def acknowledged(self, replica: Replica, offset: int, log_offset: int, now: int) -> bool:
        """REPLCONF ACK. True if it is what the replica's queue waited for: say ``goes_on``."""
        replica.heard = now
        replica.acked = max(replica.acked, offset)
        replica.log_acked = max(replica.log_acked, log_offset)
        return replica.phase is Phase.ONLINE and replica.start_on_ack

    # ---- the snapshot

    @property
    def waiting(self) -> list[Replica]:
        """Those for whom no snapshot has begun."""
        return [r for r in self.replicas.values() if r.phase is Phase.WAITING and not r.in_snapshot]

    def snapshot_begins(self, replicas: tuple[Replica, ...], *, to_file: bool) -> None:
        """The content of a snapshot for these is fixed: what the stream brings from now on they need as well."""
        self._snapshot = [replica for replica in replicas if replica.id in self.replicas]
        self._joinable = to_file
        for replica in self._snapshot:
            replica.in_snapshot, replica.piped = True, not to_file
            if not to_file:
                replica.phase = Phase.SENDING

    def snapshot_written(self) -> tuple[Replica, ...]:
        """The file is complete; to whom it has to be sent."""
        replicas = [replica for replica in self._snapshot or () if replica.id in self.replicas]
        self._snapshot, self._joinable = None, False
        for replica in replicas:
            replica.phase = Phase.SENDING
        return tuple(replicas)

    def wants_snapshot(self) -> bool:
        """Whether anybody is left of those for whom a snapshot is being made."""
        return any(replica.id in self.replicas for replica in self._snapshot or ())

    def snapshot_ends(self) -> None:
        """No snapshot is being made any more."""
        self._snapshot, self._joinable = None, False

    def sent(self, replica: Replica, now: int, *, wait_for_ack: bool) -> None:
        """A replica has its snapshot."""
        replica.phase = Phase.ONLINE
        replica.heard = now
        replica.start_on_ack = wait_for_ack

    def goes_on(self, replica: Replica) -> list[bytes]:
        """The stream may flow to a replica: what has gathered for it."""
        replica.start_on_ack = False
        queue, replica.queue, replica.queued = replica.queue, [], 0
        return queue

    # ---- the stream

    def share(self, data: bytes) -> list[Replica]:
        """New bytes of the stream: kept for those who can't have them yet; the others, who get them now."""
        now: list[Replica] = []
        for replica in self.replicas.values():
            if replica.phase is Phase.ONLINE and not replica.start_on_ack:
                now.append(replica)
            elif replica.in_snapshot and not replica.snapshot_only:
                replica.queue.append(data)
                replica.queued += len(data)
        return now

    # ---- counting

    def near(self, now: int, max_lag: int) -> int:
        """How many replicas are online and were heard within ``max_lag`` seconds."""
        return sum(r.phase is Phase.ONLINE and r.lag(now) <= max_lag for r in self.replicas.values())

    def reached(self, offset: int) -> int:
        """How many have everything up to ``offset``."""
        return sum(r.phase is Phase.ONLINE and r.acked >= offset for r in self.replicas.values())

    def logged(self, offset: int) -> int:
        """How many have everything up to ``offset`` safe in their log."""
        return sum(r.phase is Phase.ONLINE and r.log_acked >= offset for r in self.replicas.values())

    # ---- time

    def due(self, now: int, rules: Rules, *, quiet: bool, has_backlog: bool) -> list[Due]:
        """What has to be done now; asked for about ten times a second. ``quiet``: no PINGs (a failover is on)."""
        due: list[Due] = []
        if self.replicas and not quiet and now - self._pinged >= rules.ping_period:
            self._pinged = now
            due.append(Ping())
        for replica in self.replicas.values():
            if replica.phase is Phase.WAITING and now - replica.told >= WAITING_PING:
                replica.told = now
                due.append(KeepWaiting(replica))
            elif replica.phase is Phase.ONLINE and replica.speaks and now - replica.heard > rules.timeout:
                due.append(Drop(replica))
        if not self.replicas and has_backlog and rules.backlog_ttl and now - self.empty_since > rules.backlog_ttl:
            due.append(EndBacklog())
        wanted = self.snapshot_due(now, rules)
        return [*due, wanted] if wanted is not None else due

    def snapshot_due(self, now: int, rules: Rules) -> Snapshot | None:
        """The snapshot that is to be made now, if one is."""
        if self._snapshot is not None:
            return None
        waiting = self.waiting
        if not waiting:
            return None
        # Clients that want the snapshot alone may leave the data out, so each of them has one of its own.
        lone = [replica for replica in waiting if replica.without_data or replica.without_functions]
        together = lone[:1] if waiting[0] in lone else [replica for replica in waiting if replica not in lone]
        to_file = not rules.diskless or not all(replica.takes_mark for replica in together)
        if not to_file:
            longest = max(now - replica.since for replica in together)
            enough = 0 < rules.diskless_max <= len(together)
            if longest < rules.diskless_delay and not enough:
                return None
        return Snapshot(tuple(together), to_file)
