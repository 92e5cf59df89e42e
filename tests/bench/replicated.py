"""What a replica costs: SET on a primary with one beside a primary without, how far the replica is behind when it is
over, and how long a full synchronisation takes; each beside the same of redis-server."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.support.oracle import Redis
from tests.support.processes import Node, Server, wait_for
from tests.support.replication import link_to, replication
from tests.support.wire import Client, Word

from .measure import SETTINGS, Plan, Sample, run
from .workloads import WORKLOADS

#: The share of its throughput that a primary may lose.
MOST: Final = 0.2
#: A full synchronisation takes at most so many times redis-server's time.
MOST_RATIO: Final = 4.0
#: The replica has caught up so many seconds after the last write of a run.
MOST_LAG: Final = 2.0
KEYS: Final = 500_000
ROUNDS: Final = 5
_BATCH: Final = 1000
_SET: Final = next(workload for workload in WORKLOADS if workload.name == "set")
_OPTIONS: Final = SETTINGS | {"repl_diskless_sync_delay": 0}


@dataclass(frozen=True, slots=True)
class Cost:
    """SET at one pipeline depth without and with a replica, and the seconds that the replica needed to catch up."""

    server: str
    depth: int
    alone: Sample
    followed: Sample
    lag: float

    @property
    def share(self) -> float:
        """How much of its throughput a replica costs where the primary is what limits it: by CPU time."""
        return 1.0 - self.alone.cpu_us / self.followed.cpu_us


@dataclass(frozen=True, slots=True)
class FullSync:
    """Seconds from REPLICAOF to a link that is up, with ``keys`` keys."""

    server: str
    keys: int
    seconds: float


def compare(plan: Plan, tell: Callable[[str], None]) -> list[Cost]:
    """Measure SET on both servers."""
    return [cost for kind in (Node, Redis) for cost in _costs(kind, plan, tell)]


def _costs(kind: type[Server], plan: Plan, tell: Callable[[str], None]) -> list[Cost]:
    name = kind.__name__.lower()
    with kind(**_OPTIONS) as alone, kind(**_OPTIONS) as followed, kind(**_OPTIONS) as replica:
        if plan.pin:
            for server in (alone, followed):
                os.sched_setaffinity(server.pid, {0})
            os.sched_setaffinity(replica.pid, {1})
        with followed.client() as primary, replica.client() as client:
            link_to(followed, client)
            costs = []
            for depth in plan.requests:
                samples: dict[Server, list[Sample]] = {alone: [], followed: []}
                lags = []
                for turn in range(max(plan.rounds, ROUNDS)):
                    tell(f"a replica: {name}, depth {depth}, round {turn + 1}")
                    for server in (alone, followed) if turn % 2 == 0 else (followed, alone):
                        samples[server].append(run(server, _SET, depth, plan))
                        if server is followed:
                            lags.append(_seconds_behind(primary, client))
                costs.append(
                    Cost(name, depth, _median(samples[alone]), _median(samples[followed]), statistics.median(lags))
                )
            return costs


def _seconds_behind(primary: Client, replica: Client) -> float:
    """How long it takes until the replica is where the primary is now."""
    started = time.monotonic()
    wanted = int(replication(primary)["master_repl_offset"])
    wait_for(lambda: int(replication(replica)["slave_repl_offset"]) >= wanted, 60)
    return time.monotonic() - started


def full_syncs(keys: int, rounds: int, tell: Callable[[str], None]) -> list[FullSync]:
    """Measure full synchronisations of both servers."""
    found = []
    for kind in (Node, Redis):
        name = kind.__name__.lower()
        with kind(**_OPTIONS) as primary, primary.client() as client:
            for start in range(0, keys, _BATCH):
                words: list[Word] = ["MSET"]
                for number in range(start, start + _BATCH):
                    words += [f"key:{number:012}", f"value:{number}"]
                client.must(*words)
            seconds = []
            for turn in range(rounds):
                tell(f"full synchronisation: {name}, round {turn + 1}")
                with kind(**_OPTIONS) as replica, replica.client() as other:
                    started = time.monotonic()
                    link_to(primary, other, 120)
                    seconds.append(time.monotonic() - started)
                    assert other("DBSIZE") == keys
            found.append(FullSync(name, keys, statistics.median(seconds)))
    return found


def _median(samples: Sequence[Sample]) -> Sample:
    return Sample(statistics.median(s.rps for s in samples), statistics.median(s.cpu_us for s in samples))


def missed(costs: Sequence[Cost], syncs: Sequence[FullSync]) -> list[str]:
    """One sentence for each promise that is not kept."""
    complaints = [
        f"depth {cost.depth}: a replica costs {cost.share:.0%} of SET, promised {MOST:.0%} at most"
        for cost in costs
        if cost.server == "node" and cost.share > MOST
    ]
    complaints += [
        f"depth {cost.depth}: the replica was {cost.lag:.1f} s behind, promised {MOST_LAG:.1f} at most"
        for cost in costs
        if cost.server == "node" and cost.lag > MOST_LAG
    ]
    ours, theirs = (next(sync.seconds for sync in syncs if sync.server == name) for name in ("node", "redis"))
    if ours / theirs > MOST_RATIO:
        complaints.append(
            f"a full synchronisation takes {ours / theirs:.1f} times redis-server's time, promised {MOST_RATIO:.1f}"
        )
    return complaints


def as_table(costs: Sequence[Cost], syncs: Sequence[FullSync]) -> str:
    """Both servers, by depth, and the full synchronisations."""
    head = f"{'SET, 1 replica':<14}{'depth':>6}{'us/op':>8}{'followed':>10}{'rps':>10}{'followed':>10}"
    lines = [head + f"{'cost':>7}{'lag s':>7}"]
    lines.append("-" * len(lines[0]))
    lines += [
        f"{cost.server:<14}{cost.depth:>6}{cost.alone.cpu_us:>8.2f}{cost.followed.cpu_us:>10.2f}"
        f"{cost.alone.rps:>10,.0f}{cost.followed.rps:>10,.0f}{cost.share:>7.0%}{cost.lag:>7.2f}"
        for cost in costs
    ]
    lines += ["", f"{'full sync':<14}{'keys':>10}{'seconds':>9}"]
    lines += [f"{sync.server:<14}{sync.keys:>10,}{sync.seconds:>9.2f}" for sync in syncs]
    return "\n".join(lines)
