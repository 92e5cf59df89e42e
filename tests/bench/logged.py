"""What the log of writes costs: SET on a node with ``appendonly yes`` and ``appendfsync everysec`` beside one without,
and the same of redis-server."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.support.oracle import Redis
from tests.support.processes import Node, Server

from .measure import SETTINGS, Plan, Sample, run
from .workloads import WORKLOADS

#: The share of its throughput that a node may lose.
MOST: Final = 0.25
ROUNDS: Final = 5
_SET: Final = next(workload for workload in WORKLOADS if workload.name == "set")


@dataclass(frozen=True, slots=True)
class Cost:
    """SET at one pipeline depth, without and with a log."""

    server: str
    depth: int
    without: Sample
    with_log: Sample

    @property
    def share(self) -> float:
        """How much of its throughput the log costs where the server is what limits it: by CPU time, which what else the
        machine does at the time changes least."""
        return 1.0 - self.without.cpu_us / self.with_log.cpu_us


def compare(plan: Plan, tell: Callable[[str], None]) -> list[Cost]:
    """Measure both servers."""
    return [cost for kind in (Node, Redis) for cost in _costs(kind, plan, tell)]


def _costs(kind: type[Server], plan: Plan, tell: Callable[[str], None]) -> list[Cost]:
    with kind(**SETTINGS) as without, kind(**(SETTINGS | {"appendonly": "yes"})) as with_log:
        servers = (without, with_log)
        if plan.pin:
            for server in servers:
                os.sched_setaffinity(server.pid, {0})
        costs = []
        for depth in plan.requests:
            samples: dict[Server, list[Sample]] = {without: [], with_log: []}
            for turn in range(max(plan.rounds, ROUNDS)):
                tell(f"log of writes: {kind.__name__.lower()}, depth {depth}, round {turn + 1}")
                for server in servers if turn % 2 == 0 else servers[::-1]:
                    samples[server].append(run(server, _SET, depth, plan))
            costs.append(Cost(kind.__name__.lower(), depth, _median(samples[without]), _median(samples[with_log])))
        return costs


def _median(samples: Sequence[Sample]) -> Sample:
    return Sample(statistics.median(s.rps for s in samples), statistics.median(s.cpu_us for s in samples))


def missed(costs: Sequence[Cost]) -> list[str]:
    """One sentence for each depth at which the node's log costs too much."""
    return [
        f"depth {cost.depth}: the log costs {cost.share:.0%} of SET, promised {MOST:.0%} at most"
        for cost in costs
        if cost.server == "node" and cost.share > MOST
    ]


def as_table(costs: Sequence[Cost]) -> str:
    """Both servers, by depth."""
    lines = [f"{'SET, everysec':<14}{'depth':>6}{'us/op':>8}{'logged':>8}{'rps':>10}{'logged':>10}{'cost':>7}"]
    lines.append("-" * len(lines[0]))
    lines += [
        f"{cost.server:<14}{cost.depth:>6}{cost.without.cpu_us:>8.2f}{cost.with_log.cpu_us:>8.2f}"
        f"{cost.without.rps:>10,.0f}{cost.with_log.rps:>10,.0f}{cost.share:>7.0%}"
        for cost in costs
    ]
    return "\n".join(lines)
