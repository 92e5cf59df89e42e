"""What one operation costs as the data grows: flat or logarithmic wherever Redis says so.

In process, since the order of growth is asked for and not the speed: one engine for each size, one batch of operations
after the other, of which the quickest counts.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from shardkv.config import Config
from shardkv.engine.engine import Engine
from tests.support.engine_client import BEGIN, FakeWorld

Words = list[bytes]

SIZES: Final = (1_000, 30_000, 1_000_000)
BATCH: Final = 100  # operations that are timed together
ROUNDS: Final = 7
#: How much dearer an operation may be on the largest data than on the smallest: caches are missed and a logarithm
#: grows, but anything linear would be dearer by hundreds.
MOST: Final = 60.0


@dataclass(frozen=True, slots=True)
class Cost:
    """One operation: the data that it needs, and the request for each call, of so many elements."""

    name: str
    needs: str
    request: Callable[[Random, int], Words]


@dataclass(frozen=True, slots=True)
class Row:
    """Microseconds an operation by size of the data."""

    name: str
    times: dict[int, float]

    @property
    def growth(self) -> float:
        """Largest over smallest, of the data."""
        return self.times[max(self.times)] / self.times[min(self.times)]


class Subject:
    """An engine with data of one size, filled when first asked for."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.rng = Random(size)
        world = FakeWorld()
        self.engine = world.engine = Engine(Config(), world, Random(0), time.perf_counter)
        self.engine.begin(BEGIN)
        self.session = self.engine.open()
        self._filled: set[str] = set()

    def need(self, kind: str) -> None:
        """Have data of this kind."""
        if kind not in self._filled:
            self._filled.add(kind)
            for start in range(0, self.size, 1000):
                self.run(_FILL[kind](range(start, min(start + 1000, self.size))))

    def run(self, requests: Sequence[Words]) -> None:
        """Carry out requests. Raises RuntimeError for an error among the replies."""
        self.engine.begin(BEGIN)
        self.engine.run(self.session, list(requests))
        replies = self.session.out[:]
        self.session.out.clear()
        if wrong := next((reply for reply in replies if reply.startswith(b"-")), None):
            raise RuntimeError(wrong.decode())

    def time(self, cost: Cost) -> float:
        """Microseconds of one operation: the quickest of some batches, the first of which only warms up."""
        taken = []
        for _ in range(ROUNDS + 1):
            batch = [cost.request(self.rng, self.size) for _ in range(BATCH)]
            begun = time.perf_counter()
            self.run(batch)
            taken.append(time.perf_counter() - begun)
        return min(taken[1:]) / BATCH * 1e6


def _named(numbers: Iterable[int]) -> list[bytes]:
    return [b"element:%d" % number for number in numbers]


_FILL: Final[dict[str, Callable[[range], list[Words]]]] = {
    "zset": lambda part: [
        [b"ZADD", b"zset", *(word for n in part for word in (b"%d" % (n * 7919 % 1_000_003), b"element:%d" % n))]
    ],
    "list": lambda part: [[b"RPUSH", b"list", *_named(part)]],
    "set": lambda part: [[b"SADD", b"set", *_named(part)], [b"SADD", b"few", *_named(range(8))]],
    "hash": lambda part: [[b"HSET", b"hash", *(word for name in _named(part) for word in (name, b"x"))]],
    "stream": lambda part: [[b"XADD", b"stream", b"%d-1" % (n + 1), b"field", b"%d" % n] for n in part],
    "keys": lambda part: [[b"SET", name, b"x"] for name in _named(part)],
}


def _any(rng: Random, size: int) -> bytes:
    return b"element:%d" % rng.randrange(size)


def _middle(rng: Random, size: int) -> tuple[bytes, bytes]:
    start = rng.randrange(size - 10)
    return b"%d" % start, b"%d" % (start + 9)


COSTS: Final = (
    Cost("ZADD new score", "zset", lambda rng, n: [b"ZADD", b"zset", b"%d" % rng.randrange(n), _any(rng, n)]),
    Cost("ZRANK", "zset", lambda rng, n: [b"ZRANK", b"zset", _any(rng, n)]),
    Cost("ZSCORE", "zset", lambda rng, n: [b"ZSCORE", b"zset", _any(rng, n)]),
    Cost("ZRANGE of 10", "zset", lambda rng, n: [b"ZRANGE", b"zset", *_middle(rng, n)]),
    Cost(
        "ZRANGEBYSCORE",
        "zset",
        lambda rng, n: [b"ZRANGEBYSCORE", b"zset", _middle(rng, n)[0], b"+inf", b"LIMIT", b"0", b"10"],
    ),
    Cost("ZPOPMIN", "zset", lambda rng, n: [b"ZPOPMIN", b"zset"]),
    Cost("ZRANDMEMBER", "zset", lambda rng, n: [b"ZRANDMEMBER", b"zset"]),
    Cost("ZSCAN", "zset", lambda rng, n: [b"ZSCAN", b"zset", b"%d" % rng.randrange(n)]),
    Cost("LINDEX at an end", "list", lambda rng, n: [b"LINDEX", b"list", b"%d" % rng.randrange(-200, 200)]),
    Cost("LINDEX anywhere", "list", lambda rng, n: [b"LINDEX", b"list", b"%d" % rng.randrange(n)]),
    Cost(
        "LINSERT at an end",
        "list",
        lambda rng, n: [b"LINSERT", b"list", b"BEFORE", b"element:%d" % rng.randrange(100), b"x"],
    ),
    Cost("LPUSH", "list", lambda rng, n: [b"LPUSH", b"list", b"x"]),
    Cost("RPOP", "list", lambda rng, n: [b"RPOP", b"list"]),
    Cost("SADD", "set", lambda rng, n: [b"SADD", b"set", b"new:%d" % rng.randrange(n)]),
    Cost("SPOP", "set", lambda rng, n: [b"SPOP", b"set"]),
    Cost("SRANDMEMBER", "set", lambda rng, n: [b"SRANDMEMBER", b"set"]),
    Cost("SINTER with 8", "set", lambda rng, n: [b"SINTER", b"set", b"few"]),
    Cost("SSCAN", "set", lambda rng, n: [b"SSCAN", b"set", b"%d" % rng.randrange(n)]),
    Cost("HSET", "hash", lambda rng, n: [b"HSET", b"hash", _any(rng, n), b"y"]),
    Cost("HGET", "hash", lambda rng, n: [b"HGET", b"hash", _any(rng, n)]),
    Cost("HRANDFIELD", "hash", lambda rng, n: [b"HRANDFIELD", b"hash"]),
    Cost("HSCAN", "hash", lambda rng, n: [b"HSCAN", b"hash", b"%d" % rng.randrange(n)]),
    Cost("XADD", "stream", lambda rng, n: [b"XADD", b"stream", b"%d-*" % (2 * n), b"field", b"x"]),
    Cost("XRANGE of 10", "stream", lambda rng, n: [b"XRANGE", b"stream", _middle(rng, n)[0], b"+", b"COUNT", b"10"]),
    Cost("XDEL", "stream", lambda rng, n: [b"XDEL", b"stream", b"%d-1" % rng.randrange(1, n)]),
    Cost("GET", "keys", lambda rng, n: [b"GET", _any(rng, n)]),
    Cost("SCAN", "keys", lambda rng, n: [b"SCAN", b"%d" % rng.randrange(16384)]),
    Cost("RANDOMKEY", "keys", lambda rng, n: [b"RANDOMKEY"]),
)


def measure(sizes: Sequence[int] = SIZES, tell: Callable[[str], None] = lambda line: None) -> list[Row]:
    """All costs at all sizes."""
    times: dict[str, dict[int, float]] = {cost.name: {} for cost in COSTS}
    for size in sizes:
        tell(f"costs at {size:,}")
        subject = Subject(size)
        for cost in COSTS:
            subject.need(cost.needs)
            gc.collect(0)
            gc.disable()  # as on a node, where what lives long is not walked
            try:
                times[cost.name][size] = subject.time(cost)
            finally:
                gc.enable()
    return [Row(name, by_size) for name, by_size in times.items()]


def missed(rows: Sequence[Row]) -> list[str]:
    """One sentence for each operation that grows too fast."""
    return [
        f"costs: {row.name} is {row.growth:.0f} times dearer on the largest data, promised {MOST:.0f} at most"
        for row in rows
        if row.growth > MOST
    ]


def as_table(rows: Sequence[Row]) -> str:
    """Microseconds by size."""
    sizes = sorted(rows[0].times)
    lines = [f"{'us an operation':<20}" + "".join(f"{size:>12,}" for size in sizes) + f"{'growth':>9}"]
    lines.append("-" * len(lines[0]))
    lines += [
        f"{row.name:<20}" + "".join(f"{row.times[size]:>12.2f}" for size in sizes) + f"{row.growth:>9.1f}"
        for row in rows
    ]
    return "\n".join(lines)
