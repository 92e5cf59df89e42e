"""Giving up keys: how good the choice is, whether memory stays under its limit, and what that costs.

The hit rates are those of a cache in front of something slow, on one and the same zipfian trace for both servers, which
hold equally many keys: a GET, and after a miss a SET.
"""

from __future__ import annotations

import random
import re
import socket
import statistics
import threading
import time
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import hiredis

from tests.support.oracle import Redis
from tests.support.processes import Node, Server
from tests.support.wire import Client

from .measure import SETTINGS, Plan, Sample, run
from .memory import resident, send
from .workloads import RANDOM, Workload

#: Keys that there are in the trace, and that a cache holds; requests; and what each access of rank n is as likely as.
KEYS: Final = 100_000
HELD: Final = 10_000
REQUESTS: Final = 400_000
SKEW: Final = 0.9
SAMPLES: Final = 10
VALUE: Final = b"v" * 100
#: Requests that are sent together.
_CHUNK: Final = 50
#: After so many of these the limit is moved, by so much for each key too many.
_STEADY: Final = 20
_KEY_BYTES: Final = 200
#: Both may differ by what chance does.
CHANCE: Final = 0.005

#: Of memory: the limit, and by how much it may be exceeded.
LIMIT: Final = 100 * 2**20
MOST_OVER: Final = 0.05
#: The share of the throughput that is left while every write gives up a key, and where the limit is far away.
LEAST_EVICTING: Final = 0.5
LEAST_BOOKED: Final = 0.75
ROUNDS: Final = 3
_WRITE: Final = Workload("set", ("SET", f"key:{RANDOM}", "v" * 100))
_KEYSPACE: Final = 100_000_000  # nearly every write is one of a new key


@dataclass(frozen=True, slots=True)
class Hits:
    """The hit rate of one policy on one server, and how many keys that held."""

    server: str
    policy: str
    rate: float
    keys: int


@dataclass(frozen=True, slots=True)
class Fullness:
    """The most that was used under full write load, by the node's own account and by the growth of its process."""

    limit: int
    used: int
    grown: int


@dataclass(frozen=True, slots=True)
class Price:
    """SET at one pipeline depth: without a limit, with one that is far away, and while each SET gives up a key."""

    server: str
    depth: int
    free: Sample
    booked: Sample
    evicting: Sample

    @property
    def left(self) -> float:
        """What giving up keys leaves of the throughput where the server is what limits it: by CPU time."""
        return self.free.cpu_us / self.evicting.cpu_us

    @property
    def left_by_books(self) -> float:
        """The same for the limit alone."""
        return self.free.cpu_us / self.booked.cpu_us


# ---- hit rates


def trace(requests: int, keys: int, seed: int = 1) -> list[int]:
    """The numbers of the keys in their order."""
    rng = random.Random(seed)
    names = list(range(keys))
    rng.shuffle(names)
    sums = list(accumulate(1 / rank**SKEW for rank in range(1, keys + 1)))
    return [names[bisect(sums, rng.random() * sums[-1])] for _ in range(requests)]


def hit_rates(scale: int, tell: Callable[[str], None]) -> list[Hits]:
    """Play the trace to both servers under both policies; everything is a ``scale``-th."""
    asked = trace(REQUESTS // scale, KEYS // scale)
    found = []
    for policy in ("allkeys-lru", "allkeys-lfu"):
        for kind in (Node, Redis):
            tell(f"hit rate: {kind.__name__.lower()}, {policy}")
            with kind(**SETTINGS, maxmemory="10gb", maxmemory_policy=policy, maxmemory_samples=SAMPLES) as server:
                found.append(_play(server, kind.__name__.lower(), policy, asked, HELD // scale))
    return found


def _play(server: Server, name: str, policy: str, asked: Sequence[int], held: int) -> Hits:
    """The second half of the trace counts; the first one fills the cache. The limit is moved all the time so that so
    many keys are held: what a key takes is each server's own."""
    half, hits = len(asked) // 2, 0
    sizes: list[int] = []
    with server.client() as client, socket.create_connection((server.host, server.port)) as sock:
        send(server, ((b"SET", b"other:%012d" % number, VALUE) for number in range(held)))
        limit = _used(client)
        for start in range(0, len(asked), _CHUNK):
            if start % (_CHUNK * _STEADY) == 0:
                keys = int(client.must("DBSIZE"))
                limit += (held - keys) * _KEY_BYTES
                client.must("CONFIG", "SET", "maxmemory", limit)
            found = _cached(sock, [b"key:%012d" % number for number in asked[start : start + _CHUNK]])
            if start >= half:
                hits += found
                sizes.append(keys)
    return Hits(name, policy, hits / (len(asked) - half), round(statistics.fmean(sizes)))


def _cached(sock: socket.socket, names: Sequence[bytes]) -> int:
    """GET, and SET what was missed; how many were hits."""
    replies = _answers(sock, [(b"GET", name) for name in names])
    missed = dict.fromkeys(name for name, reply in zip(names, replies, strict=True) if reply is None)
    _answers(sock, [(b"SET", name, VALUE) for name in missed])
    return len(names) - replies.count(None)


def _answers(sock: socket.socket, requests: Sequence[tuple[bytes, ...]]) -> list[object]:
    if not requests:
        return []
    packed = [hiredis.pack_command(words) for words in requests]  # type: ignore[arg-type]  # annotated for one word
    sock.sendall(b"".join(packed))
    reader = hiredis.Reader()
    replies: list[object] = []
    while len(replies) < len(requests):
        reader.feed(sock.recv(1 << 16))
        while (reply := reader.gets()) is not False:
            replies.append(reply)
    return replies


def _used(client: Client) -> int:
    found = re.search(r"used_memory:(\d+)", str(client.must("INFO", "memory")))
    assert found is not None
    return int(found[1])


# ---- memory


def fullness(scale: int, tell: Callable[[str], None]) -> Fullness:
    """Write four times as much as there is room for, as fast as it goes, and look at the memory meanwhile."""
    limit = LIMIT // scale
    tell(f"memory at full write load, limit {limit >> 20} MB")
    with Node(**SETTINGS, maxmemory=limit, maxmemory_policy="allkeys-lru") as server, server.client() as client:
        before = resident(server.pid)
        done = threading.Event()
        count = 4 * limit // 200
        writer = threading.Thread(target=_write, args=(server, count, done))
        writer.start()
        used = grown = 0
        while not done.is_set():
            time.sleep(0.05)
            grown = max(grown, resident(server.pid) - before)
            used = max(used, _used(client))
        writer.join()
        assert int(client.must("DBSIZE")) < count
    return Fullness(limit, used, grown)


def _write(server: Server, count: int, done: threading.Event) -> None:
    try:
        send(server, _sizes(count))
    finally:
        done.set()


def _sizes(count: int) -> Iterator[tuple[bytes, ...]]:
    """Strings of many lengths, and small hashes and lists among them."""
    rng = random.Random(7)
    for number in range(count):
        size = rng.randrange(20, 200)
        if number % 10 == 0:
            yield b"HSET", b"hash:%d" % number, b"one", b"x" * size, b"two", b"y" * 20
        elif number % 10 == 1:
            yield b"RPUSH", b"list:%d" % number, b"x" * size, b"y"
        else:
            yield b"SET", b"key:%d" % number, b"x" * size


# ---- throughput


def prices(plan: Plan, tell: Callable[[str], None]) -> list[Price]:
    """Measure SET of new keys on both servers."""
    return [price for kind in (Node, Redis) for price in _prices(kind, plan, tell)]


def _prices(kind: type[Server], plan: Plan, tell: Callable[[str], None]) -> list[Price]:
    name = kind.__name__.lower()
    found = []
    for depth in plan.requests:
        samples: dict[str, list[Sample]] = {"free": [], "booked": [], "evicting": []}
        for turn in range(max(plan.rounds, ROUNDS)):
            tell(f"SET of new keys: {name}, depth {depth}, round {turn + 1}")
            for limit in samples:
                with kind(**SETTINGS, maxmemory_policy="allkeys-lru") as server, server.client() as client:
                    if limit != "free":
                        client.must("CONFIG", "SET", "maxmemory", "10gb")
                    if limit == "evicting":
                        send(server, ((b"SET", b"key:%012d" % number, VALUE) for number in range(20_000)))
                        client.must("CONFIG", "SET", "maxmemory", _used(client))
                    samples[limit].append(run(server, _WRITE, depth, plan, keyspace=_KEYSPACE))
        found.append(Price(name, depth, *(_median(samples[limit]) for limit in ("free", "booked", "evicting"))))
    return found


def _median(samples: Sequence[Sample]) -> Sample:
    return Sample(statistics.median(s.rps for s in samples), statistics.median(s.cpu_us for s in samples))


# ---- the outcome


def missed(hits: Sequence[Hits], full: Fullness, costs: Sequence[Price]) -> list[str]:
    """One sentence for each promise that is not kept."""
    complaints = []
    for policy in dict.fromkeys(each.policy for each in hits):
        rates = {each.server: each.rate for each in hits if each.policy == policy}
        if rates["node"] < rates["redis"] - CHANCE:
            complaints.append(f"{policy} hits {rates['node']:.1%}, promised redis-server's {rates['redis']:.1%}")
    for what, size in (("by its own account", full.used), ("by its growth", full.grown)):
        if size > full.limit * (1 + MOST_OVER):
            complaints.append(f"memory {what} is at {size / full.limit:.0%} of its limit")
    for price in costs:
        if price.server != "node":
            continue
        if price.left < LEAST_EVICTING:
            complaints.append(f"depth {price.depth}: giving up keys leaves {price.left:.0%} of the throughput")
        if price.left_by_books < LEAST_BOOKED:
            complaints.append(f"depth {price.depth}: a limit leaves {price.left_by_books:.0%} of the throughput")
    return complaints


def as_table(hits: Sequence[Hits], full: Fullness, costs: Sequence[Price]) -> str:
    """The three outcomes, one below the other."""
    lines = [f"{'hit rate':<16}{'policy':<14}{'rate':>8}{'keys':>9}", "-" * 47]
    lines += [f"{each.server:<16}{each.policy:<14}{each.rate:>8.2%}{each.keys:>9,}" for each in hits]
    lines += ["", f"full write load: limit {full.limit >> 20} MB, accounted {full.used / full.limit:.1%}"]
    lines[-1] += f", growth of the process {full.grown / full.limit:.1%}"
    lines += ["", f"{'SET of new keys':<16}{'depth':>6}{'us/op':>8}{'limit':>8}{'evicting':>10}{'left':>7}{'left':>9}"]
    lines += [
        f"{each.server:<16}{each.depth:>6}{each.free.cpu_us:>8.2f}{each.booked.cpu_us:>8.2f}"
        f"{each.evicting.cpu_us:>10.2f}{each.left_by_books:>7.0%}{each.left:>9.0%}"
        for each in costs
    ]
    return "\n".join(lines)
