"""What a cluster costs and how fast slots move: redis-benchmark over two nodes beside one redis-server, a reshard by
redis-cli beside real Redis Cluster's, and an atomic migration beside Valkey's; each pair in the same run."""

from __future__ import annotations

import csv
import itertools
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from shardkv.keyspace.slots import key_slot
from tests.support.oracle import Redis, Valkey
from tests.support.processes import Node, Server, wait_for
from tests.support.wire import Client

from .measure import CLIENTS, KEYSPACE, RUN_LIMIT, SETTINGS, Plan

#: Throughput of two nodes of ours beside two of Redis Cluster, by pipeline depth; and beside one redis-server, which
#: has one core to itself where the nodes and redis-benchmark share two.
SHARE: Final = {1: 0.8, 16: 0.5}
SHARE_OF_ONE: Final = {1: 0.4, 16: 0.3}
#: Keys per second of a reshard, beside real Redis Cluster's.
RESHARD: Final = 0.5
#: Of an atomic migration, beside Valkey's.
ATOMIC: Final = 0.2
#: Milliseconds that writes may wait for an atomic migration.
PAUSE_MS: Final = 100.0
TESTS: Final = ("set", "get")
_OPTIONS: Final = SETTINGS | {"cluster_enabled": "yes", "cluster_node_timeout": 15_000}
_SLOTS: Final = 20  #: that are resharded
_KEYS: Final = 500  #: in each of them
_ATOMIC_KEYS: Final = 20_000
_VALUE: Final = "x" * 100


@dataclass(frozen=True, slots=True)
class Pair:
    """One figure of ours and the other server's; ``least``: the ratio that is promised."""

    what: str
    unit: str
    ours: float
    theirs: float
    other: str
    least: float

    @property
    def ratio(self) -> float:
        """Ours over theirs; more is better."""
        return self.ours / self.theirs


@contextmanager
def cluster(kind: type[Server], count: int) -> Iterator[list[Server]]:
    """Primaries that share the slots evenly."""
    with ExitStack() as stack:
        nodes: list[Server] = [stack.enter_context(kind(**_OPTIONS)) for _ in range(count)]
        clients = [stack.enter_context(node.client()) for node in nodes]
        for number, client in enumerate(clients):
            client.must("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            first, last = 16384 * number // count, 16384 * (number + 1) // count - 1
            client.must("CLUSTER", "ADDSLOTSRANGE", first, last)
            if number:
                client.must("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
        wait_for(lambda: all(_is_whole(client, count) for client in clients), 60, "the cluster stands")
        yield nodes


def _is_whole(client: Client, count: int) -> bool:
    info = str(client("CLUSTER", "INFO"))
    return "cluster_state:ok" in info and f"cluster_size:{count}" in info and f"cluster_known_nodes:{count}" in info


def _id(node: Server) -> str:
    with node.client() as client:
        reply: Any = client.must("CLUSTER", "MYID")
    return str(reply.decode())


# redis-benchmark ------------------------------------------------------------------------------------------------------


def throughput(plan: Plan, tell: Callable[[str], None]) -> list[Pair]:
    """SET and GET over two nodes, over two of Redis Cluster, and on one redis-server."""
    with cluster(Node, 2) as nodes, cluster(Redis, 2) as others, Redis(**SETTINGS) as alone:
        pairs = []
        for depth, test in itertools.product(plan.requests, TESTS):
            runs: list[tuple[float, float, float]] = []
            for turn in range(plan.rounds):
                tell(f"cluster: {test}, depth {depth}, round {turn + 1}")
                of_two = (_benchmark(two[0], test, depth, plan, "--cluster") for two in (nodes, others))
                runs.append((*of_two, _benchmark(alone, test, depth, plan)))  # type: ignore[arg-type]  # two and one
            ours, two, one = (statistics.median(figures) for figures in zip(*runs, strict=True))
            what = f"{test}, 2 nodes, depth {depth}"
            pairs.append(Pair(what, "rps", ours, two, "2 redis-servers", SHARE[depth]))
            pairs.append(Pair(what, "rps", ours, one, "1 redis-server", SHARE_OF_ONE[depth]))
    return pairs


def _benchmark(server: Server, test: str, depth: int, plan: Plan, *words: str) -> float:
    """Requests a second."""
    command = ["redis-benchmark", "-p", str(server.port), "-t", test, "-P", str(depth), "-c", str(CLIENTS), *words]
    command += ["-n", str(plan.requests[depth]), "-r", str(KEYSPACE), "--csv"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_LIMIT, check=True)
    lines = done.stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith('"test"'))
    return float(next(csv.DictReader(lines[start:]))["rps"])


# slots that move -----------------------------------------------------------------------------------------------------


def reshard(rounds: int, tell: Callable[[str], None]) -> Pair:
    """Keys per second of ``redis-cli --cluster reshard``."""
    speeds: dict[type[Server], list[float]] = {Node: [], Redis: []}
    for kind, found in speeds.items():
        with cluster(kind, 3) as nodes:
            for turn in range(rounds):
                tell(f"reshard: {kind.__name__.lower()}, round {turn + 1}")
                found.append(_reshard_once(nodes, turn))
    ours, theirs = (statistics.median(found) for found in speeds.values())
    return Pair(f"reshard, {_KEYS} keys a slot", "keys/s", ours, theirs, "redis-server", RESHARD)


def _reshard_once(nodes: list[Server], turn: int) -> float:
    slots = range(_SLOTS * turn, _SLOTS * (turn + 1))
    with nodes[0].client() as client:
        for slot in slots:
            tag = next(name for name in map(str, itertools.count()) if key_slot(name.encode()) == slot)
            client.must("MSET", *(word for number in range(_KEYS) for word in (f"{{{tag}}}{number}", _VALUE)))
    ends = ["--cluster-from", _id(nodes[0]), "--cluster-to", _id(nodes[1]), "--cluster-slots", str(_SLOTS)]
    place = f"127.0.0.1:{nodes[0].port}"
    command = ["redis-cli", "--cluster", "reshard", place, *ends, "--cluster-yes"]
    started = time.monotonic()
    subprocess.run(command, capture_output=True, timeout=RUN_LIMIT, check=True)
    return _SLOTS * _KEYS / (time.monotonic() - started)


def atomic(rounds: int, tell: Callable[[str], None]) -> tuple[Pair, float]:
    """Keys per second of CLUSTER MIGRATESLOTS, and the longest time that writes waited for ours (milliseconds)."""
    speeds: dict[type[Server], list[float]] = {Node: [], Valkey: []}
    waited = 0.0
    for kind, found in speeds.items():
        with cluster(kind, 3) as nodes:
            with nodes[0].client() as client:
                for start in range(0, _ATOMIC_KEYS, 500):
                    client.must("MSET", *(w for n in range(start, start + 500) for w in (f"{{b}}{n}", _VALUE)))
            for turn in range(rounds):
                tell(f"atomic migration: {kind.__name__.lower()}, round {turn + 1}")
                found.append(_migrate_once(nodes[turn % 2], nodes[(turn + 1) % 2]))
            if kind is Node:
                waited = max(_waits(nodes[:2]))
    ours, theirs = (statistics.median(found) for found in speeds.values())
    return Pair(f"atomic, {_ATOMIC_KEYS} keys", "keys/s", ours, theirs, "valkey-server", ATOMIC), waited


def _migrate_once(source: Server, target: Server) -> float:
    slot = key_slot(b"b")
    with source.client() as client, target.client() as other:
        started = time.monotonic()
        client.must("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", _id(target))
        wait_for(lambda: other("EXISTS", "{b}0") == 1, RUN_LIMIT, "the slot has moved")
        return _ATOMIC_KEYS / (time.monotonic() - started)


def _waits(nodes: Sequence[Server]) -> list[float]:
    """What the sources' logs say of how long writes waited, in milliseconds."""
    lines = [line for node in nodes for line in node.log().splitlines() if "writes to its slots waited for" in line]
    return [float(line.split()[-2]) for line in lines]


# what comes of it ----------------------------------------------------------------------------------------------------


def missed(pairs: Sequence[Pair], waited: float) -> list[str]:
    """One sentence for each promise that is not kept."""
    complaints = [
        f"{pair.what}: {pair.ratio:.2f} of {pair.other}, promised {pair.least}"
        for pair in pairs
        if pair.ratio < pair.least
    ]
    if waited > PAUSE_MS:
        complaints.append(f"writes waited {waited:.0f} ms for an atomic migration, promised {PAUSE_MS:.0f}")
    return complaints


def as_table(pairs: Sequence[Pair], waited: float) -> str:
    """All figures, a line each."""
    lines = [f"{'cluster':<28}{'ours':>10}{'theirs':>10}{'ratio':>7}  unit    beside"]
    lines.append("-" * len(lines[0]))
    lines += [
        f"{pair.what:<28}{pair.ours:>10,.0f}{pair.theirs:>10,.0f}{pair.ratio:>7.2f}  {pair.unit:<8}{pair.other}"
        for pair in pairs
    ]
    return "\n".join([*lines, f"writes waited for an atomic migration: {waited:.1f} ms at most"])
