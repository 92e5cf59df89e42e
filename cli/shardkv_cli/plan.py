"""The plan of a new cluster: who is primary of what, who copies whom, the commands that make it so. No sockets.

Rules, in this order:

1. Every slot belongs to exactly one primary, in one range, and the ranges' sizes differ by at most one.
2. A replica does not stand on the host of its primary, whenever the hosts allow that at all.
3. Primaries are spread over the hosts, and so are the replicas of one primary.
4. Otherwise the order in which the nodes were named stays visible.

Rule 2 for M primaries with R replicas each: a host with ``c`` nodes, ``p`` of them primaries, needs its ``c - p``
replicas to find places with the ``M - p`` primaries elsewhere, so ``(M - p) * R >= c - p``. That gives the most
primaries that a host may have (``most_primaries``). Once it holds for every host, ``attach`` keeps it: a host is tight
when its replicas to place and its places to fill are as many as the places left in all; each step must then take one
of them, and since at most two hosts can be tight at once, every replica, in whatever order they come, has such a step.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .address import Address
from .view import BUS_OFFSET, SLOTS

FEWEST_PRIMARIES = 3


class PlanError(ValueError):
    """The nodes cannot make the cluster that was asked for; the text says why."""


@dataclass(frozen=True, slots=True)
class Member:
    """A node that will be part of the cluster. ``address.host`` is an IP address, for the bus takes no names."""

    id: str
    address: Address
    bus_port: int

    @property
    def host(self) -> str:
        """What counts as "the same machine"."""
        return self.address.host


@dataclass(frozen=True, slots=True)
class Primary:
    """A member with the slots ``first``..``last`` (inclusive), its epoch, and its replicas."""

    member: Member
    first: int
    last: int
    epoch: int
    replicas: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One command for one node."""

    member: Member
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.member.address}> {' '.join(self.words)}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole new cluster."""

    primaries: tuple[Primary, ...]

    @property
    def members(self) -> tuple[Member, ...]:
        """Every node: the primaries, then the replicas."""
        heads = tuple(primary.member for primary in self.primaries)
        return heads + tuple(replica for primary in self.primaries for replica in primary.replicas)

    @property
    def conflicts(self) -> tuple[tuple[Member, Member], ...]:
        """(replica, primary) pairs on one host: both are lost with that machine."""
        return tuple(
            (replica, primary.member)
            for primary in self.primaries
            for replica in primary.replicas
            if replica.host == primary.member.host
        )

    def claims(self) -> tuple[Step, ...]:
        """Gives slots to the primaries, and every node an epoch of its own, which spares them colliding over it."""
        slots = [
            Step(primary.member, ("CLUSTER", "ADDSLOTSRANGE", str(primary.first), str(primary.last)))
            for primary in self.primaries
        ]
        epochs = [
            Step(member, ("CLUSTER", "SET-CONFIG-EPOCH", str(number))) for number, member in enumerate(self.members, 1)
        ]
        return tuple(slots + epochs)

    def meetings(self) -> tuple[Step, ...]:
        """Introduces every other node to the first; gossip does the rest."""
        first = self.members[0]
        words = ["CLUSTER", "MEET", first.host, str(first.address.port)]
        if first.bus_port != first.address.port + BUS_OFFSET:
            words.append(str(first.bus_port))
        return tuple(Step(member, tuple(words)) for member in self.members[1:])

    def attachments(self) -> tuple[Step, ...]:
        """Makes the replicas follow their primaries; possible once all know all."""
        return tuple(
            Step(replica, ("CLUSTER", "REPLICATE", primary.member.id))
            for primary in self.primaries
            for replica in primary.replicas
        )

    @property
    def steps(self) -> tuple[Step, ...]:
        """All commands, in the order in which they are sent."""
        return self.claims() + self.meetings() + self.attachments()


def plan(members: Sequence[Member], replicas: int) -> Plan:
    """The cluster of ``members`` with at least ``replicas`` copies of each primary; or PlanError."""
    count = len(members) // (replicas + 1)
    if count < FEWEST_PRIMARIES:
        raise PlanError(
            f"a cluster needs at least {FEWEST_PRIMARIES} primaries: with {replicas} replica(s) each that takes "
            f"{FEWEST_PRIMARIES * (replicas + 1)} nodes, and {len(members)} were given"
        )
    if count > SLOTS:
        raise PlanError(f"{count} primaries are more than there are slots ({SLOTS})")
    chosen, rest = choose_primaries(members, count, replicas)
    copies = attach(chosen, rest, replicas)
    return Plan(
        tuple(
            Primary(member, first, last, epoch, tuple(copies[epoch - 1]))
            for epoch, (member, (first, last)) in enumerate(zip(chosen, slot_ranges(count), strict=True), 1)
        )
    )


def slot_ranges(count: int) -> Iterator[tuple[int, int]]:
    """The slots in ``count`` inclusive ranges, cut where redis-cli cuts them: at the nearest whole slot."""
    first = 0
    for number in range(1, count + 1):
        end = (2 * number * SLOTS + count) // (2 * count)
        yield first, end - 1
        first = end


def most_primaries(nodes: int, count: int, replicas: int) -> int:
    """How many of a host's ``nodes`` may be primaries if the others are to find primaries elsewhere (rule 2)."""
    if replicas < 2:
        return nodes
    return max(0, min(nodes, (count * replicas - nodes) // (replicas - 1)))


def choose_primaries(members: Sequence[Member], count: int, replicas: int) -> tuple[list[Member], list[Member]]:
    """``count`` members in turn from each host, and the members that are left in the order given."""
    waiting: dict[str, deque[Member]] = {}
    for member in members:
        waiting.setdefault(member.host, deque()).append(member)
    allowed = {host: most_primaries(len(queue), count, replicas) for host, queue in waiting.items()}
    chosen: list[Member] = []
    taken: Counter[str] = Counter()
    while len(chosen) < count:
        open_hosts = [host for host, queue in waiting.items() if queue and taken[host] < allowed[host]]
        # Where no host may give another one, rule 2 cannot be kept anyway, and any node is as good.
        for host in (open_hosts or [host for host, queue in waiting.items() if queue])[: count - len(chosen)]:
            chosen.append(waiting[host].popleft())
            taken[host] += 1
    picked = {member.id for member in chosen}
    return chosen, [member for member in members if member.id not in picked]


def attach(primaries: Sequence[Member], rest: Sequence[Member], replicas: int) -> list[list[Member]]:
    """For each primary its replicas out of ``rest``, which are ``replicas`` for each and perhaps a few more."""
    pending = Counter(member.host for member in rest)
    free: Counter[str] = Counter()
    for primary in primaries:
        free[primary.host] += replicas
    room = [replicas] * len(primaries)
    for _ in range(len(rest) - sum(room)):  # nodes beyond the even number go where they press least
        index = min(range(len(room)), key=lambda at: (room[at], load(primaries[at].host, pending, free)))
        room[index] += 1
        free[primaries[index].host] += 1

    copies: list[list[Member]] = [[] for _ in primaries]
    hosts = list(dict.fromkeys([*free, *pending]))
    for left, replica in zip(range(len(rest), 0, -1), rest, strict=True):
        tight = {host for host in hosts if load(host, pending, free) >= left}
        index = min(
            (at for at in range(len(room)) if len(copies[at]) < room[at]),
            key=lambda at: (
                primaries[at].host == replica.host,
                bool(tight - {replica.host, primaries[at].host}),
                sum(sibling.host == replica.host for sibling in copies[at]),
                len(copies[at]),
            ),
        )
        copies[index].append(replica)
        pending[replica.host] -= 1
        free[primaries[index].host] -= 1
    spread_siblings(primaries, copies)
    return copies


def load(host: str, pending: Counter[str], free: Counter[str]) -> int:
    """Replicas to place plus places to fill on ``host``: each of them needs a partner on another one."""
    return pending[host] + free[host]


def spread_siblings(primaries: Sequence[Member], copies: list[list[Member]]) -> None:
    """Exchanges replicas between primaries while that puts fewer of one primary's nodes on one host (rules 2 and 3)."""

    def cost(index: int) -> int:
        hosts = Counter(member.host for member in copies[index])
        own = hosts[primaries[index].host]
        return own * 1000 + sum(number - 1 for number in hosts.values())

    improved = len({member.host for replicas in copies for member in replicas}) > 1
    while improved:
        improved = False
        crowded = [index for index in range(len(copies)) if cost(index)]
        for here in crowded:
            if improve(here, copies, cost):
                improved = True


def improve(here: int, copies: list[list[Member]], cost: Callable[[int], int]) -> bool:
    """Makes the first exchange that lowers the cost of ``here`` and another primary together; False if none does."""
    for there in range(len(copies)):
        if there == here:
            continue
        before = cost(here) + cost(there)
        for mine in range(len(copies[here])):
            for theirs in range(len(copies[there])):
                ours, foreign = copies[here], copies[there]
                ours[mine], foreign[theirs] = foreign[theirs], ours[mine]
                if cost(here) + cost(there) < before:
                    return True
                ours[mine], foreign[theirs] = foreign[theirs], ours[mine]
    return False
