"""One run of redis-benchmark against one server, and many of them against two in turns."""

from __future__ import annotations

import csv
import os
import statistics
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tests.support.oracle import Redis
from tests.support.processes import Node, OptionValue, Server
from tests.support.wire_replies import Refusal

from .workloads import LIST_LENGTH, Workload

CLIENTS = 50
KEYSPACE = 100_000
RUN_LIMIT = 300.0  # seconds until one run of redis-benchmark counts as hung


@dataclass(frozen=True, slots=True)
class Sample:
    """Requests a second, and the server's CPU time in microseconds a request."""

    rps: float
    cpu_us: float


@dataclass(frozen=True, slots=True)
class Row:
    """The medians of one test at one depth, ours and Redis's."""

    test: str
    depth: int
    ours: Sample
    theirs: Sample

    @property
    def ratio(self) -> float:
        """Our throughput over Redis's."""
        return self.ours.rps / self.theirs.rps


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure: rounds of which the median counts, and requests a run at each depth (for weight 1)."""

    rounds: int
    requests: dict[int, int]
    pin: bool = False

    def count(self, workload: Workload, depth: int) -> int:
        """Requests of one run: enough for the clients to be busy all the time, a multiple of the depth."""
        return max(self.requests[depth] // workload.weight, CLIENTS * depth * 4) // depth * depth


SETTINGS: dict[str, OptionValue] = {"save": "", "appendonly": "no"}


def side_by_side(workloads: Sequence[Workload], plan: Plan, tell: Callable[[str], None]) -> tuple[list[Row], list[str]]:
    """Measures both servers, and returns the rows and the names of the tests that the node doesn't know.

    Each test is run on one server and at once on the other, and who begins changes from round to round: what the
    machine does meanwhile hits both.
    """
    with Node(**SETTINGS) as ours, Redis(**SETTINGS) as theirs:
        servers: tuple[Server, Server] = (ours, theirs)
        if plan.pin:
            for server in servers:
                os.sched_setaffinity(server.pid, {0})
        known = [workload for workload in workloads if _knows(ours, workload)]
        skipped = [workload.name for workload in workloads if workload not in known]
        samples: dict[tuple[str, int], dict[Server, list[Sample]]] = {}
        for depth in plan.requests:
            for turn in range(plan.rounds):
                tell(f"depth {depth}, round {turn + 1} of {plan.rounds}")
                for server in servers:
                    _prepare(server, known)
                for workload in known:
                    for server in servers if turn % 2 == 0 else servers[::-1]:
                        taken = samples.setdefault((workload.name, depth), {ours: [], theirs: []})
                        taken[server].append(run(server, workload, depth, plan))
        rows = [Row(name, depth, _median(by[ours]), _median(by[theirs])) for (name, depth), by in samples.items()]
        return rows, skipped


def run(server: Server, workload: Workload, depth: int, plan: Plan, keyspace: int = KEYSPACE) -> Sample:
    """One run of redis-benchmark. Raises RuntimeError with what it said if it fails."""
    count = plan.count(workload, depth)
    command = ["taskset", "-c", "1"] if plan.pin else []
    command += ["redis-benchmark", "-h", server.host, "-p", str(server.port), "--csv"]
    command += ["-c", str(CLIENTS), "-P", str(depth), "-n", str(count), "-r", str(keyspace)]
    command += workload.words or ("-t", workload.name)
    before = server.cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_LIMIT, check=False)
    used = server.cpu_seconds() - before
    if done.returncode != 0 or not done.stdout:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stdout}{done.stderr}")
    [result] = csv.DictReader(done.stdout.splitlines())
    return Sample(rps=float(result["rps"]), cpu_us=used / count * 1e6)


def _knows(server: Server, workload: Workload) -> bool:
    with server.client() as client:
        reply = client(*workload.probe)
    return not (isinstance(reply, Refusal) and "unknown command" in reply.text)


def _prepare(server: Server, workloads: Iterable[Workload]) -> None:
    """Every round begins with the same data: none, but the list for LRANGE if nothing else pushes."""
    names = {workload.name for workload in workloads}
    with server.client() as client:
        client.must("FLUSHALL")
        if any(name.startswith("lrange") for name in names):
            client.must("RPUSH", "mylist", *["xxx"] * LIST_LENGTH)


def _median(samples: Iterable[Sample]) -> Sample:
    taken = list(samples)
    return Sample(statistics.median(s.rps for s in taken), statistics.median(s.cpu_us for s in taken))
