"""What scripts cost beside redis-server: EVALSHA of one GET, of ten INCRs, of a plain loop; and ten thousand scripts in
the cache."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Final

from tests.support.oracle import Redis
from tests.support.processes import Node, Server

from .measure import SETTINGS, Plan, Sample, run
from .workloads import Workload

SCRIPTS: Final = {
    "one GET": "return redis.call('get', KEYS[1])",
    "ten INCRs": "for i = 1, 10 do redis.call('incr', KEYS[1]) end return 1",
    "a loop of 1,000": "local sum = 0 for i = 1, 1000 do sum = sum + i end return sum",
}
#: The time that a script may take, as a multiple of redis-server's, with one request in flight.
MOST: Final = {"one GET": 3.0, "ten INCRs": 3.0, "a loop of 1,000": 2.0}
#: Scripts in the cache, and the bytes that each may take.
CACHED: Final = 10_000
BYTES_MOST: Final = 4096


@dataclass(frozen=True, slots=True)
class Cost:
    """One script at one pipeline depth, on both servers."""

    script: str
    depth: int
    ours: Sample
    theirs: Sample

    @property
    def ratio(self) -> float:
        """Our time over Redis's."""
        return self.theirs.rps / self.ours.rps


def compare(plan: Plan, tell: Callable[[str], None]) -> list[Cost]:
    """Measure both servers in turns."""
    with Node(**SETTINGS) as ours, Redis(**SETTINGS) as theirs:
        servers: tuple[Server, Server] = (ours, theirs)
        for server in servers:
            if plan.pin:
                os.sched_setaffinity(server.pid, {0})
            with server.client() as client:
                client.must("SET", "text", "xxx")
                for script in SCRIPTS.values():
                    client.must("SCRIPT", "LOAD", script)
        costs = []
        for depth in plan.requests:
            for name, script in SCRIPTS.items():
                tell(f"scripts: {name}, depth {depth}")
                key = "text" if "get" in script else "number"
                words = ("EVALSHA", sha1(script.encode()).hexdigest(), "1", key)
                workload = Workload(name, words, weight=10)
                samples: dict[Server, list[Sample]] = {ours: [], theirs: []}
                for turn in range(plan.rounds):
                    for server in servers if turn % 2 == 0 else servers[::-1]:
                        samples[server].append(run(server, workload, depth, plan))
                costs.append(Cost(name, depth, _median(samples[ours]), _median(samples[theirs])))
        return costs


def cache_bytes(tell: Callable[[str], None]) -> float:
    """Resident bytes of a node for each script that SCRIPT LOAD has brought."""
    tell(f"scripts: {CACHED} in the cache")
    with Node(**SETTINGS) as node, node.client() as client:
        client.must("EVAL", "return 1", 0)
        before = _resident(node)
        client.pipeline([("SCRIPT", "LOAD", f"return redis.call('get', 'key:{n}')") for n in range(CACHED)])
        return (_resident(node) - before) / CACHED


def _resident(server: Server) -> int:
    with open(f"/proc/{server.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _median(samples: Sequence[Sample]) -> Sample:
    return Sample(statistics.median(s.rps for s in samples), statistics.median(s.cpu_us for s in samples))


def missed(costs: Sequence[Cost], each: float) -> list[str]:
    """One sentence for each script that takes too long, and for a cache that takes too much."""
    found = [
        f"depth {cost.depth}: EVALSHA of {cost.script} takes {cost.ratio:.1f} times Redis's time, "
        f"promised {MOST[cost.script]:.0f} at most"
        for cost in costs
        if cost.depth == 1 and cost.ratio > MOST[cost.script]
    ]
    if each > BYTES_MOST:
        found.append(f"scripts: each in the cache takes {each:.0f} bytes, promised {BYTES_MOST} at most")
    return found


def as_table(costs: Sequence[Cost], each: float) -> str:
    """All scripts, by depth."""
    lines = [f"{'EVALSHA of':<18}{'depth':>6}{'ours/s':>10}{'redis/s':>10}{'us/op':>8}{'redis':>8}{'time':>7}"]
    lines.append("-" * len(lines[0]))
    lines += [
        f"{cost.script:<18}{cost.depth:>6}{cost.ours.rps:>10,.0f}{cost.theirs.rps:>10,.0f}"
        f"{cost.ours.cpu_us:>8.2f}{cost.theirs.cpu_us:>8.2f}{cost.ratio:>6.1f}x"
        for cost in costs
    ]
    lines.append(f"a script in the cache: {each:.0f} bytes")
    return "\n".join(lines)
