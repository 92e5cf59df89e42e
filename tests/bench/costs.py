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
    """One operation: the data that it needs, and the request for each call, of so many elements. Those that take
    elements away come after the others, lest these find nothing where there was little."""

    name: str
    needs: str
    request: Callable[[Random, int], Words]
    takes: bool = False


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
        [b"ZADD", b"zset", *(word for n in part for word in (b"%d" % (n * 7919 % 1_000_003), b"element:%d" % n))],
        [b"ZADD", b"few ranked", *(word for name in _named(range(8)) for word in (b"1", name))],
    ],
    "list": lambda part: [[b"RPUSH", b"list", *_named(part)]],
    "set": lambda part: [[b"SADD", b"set", *_named(part)], [b"SADD", b"few", *_named(range(8))]],
    "hash": lambda part: [[b"HSET", b"hash", *(word for name in _named(part) for word in (name, b"x"))]],
    "stream": lambda part: [[b"XADD", b"stream", b"%d-1" % (n + 1), b"field", b"%d" % n] for n in part],
    "keys": lambda part: [[b"SET", b"renamed", b"x"], *([b"SET", name, b"x"] for name in _named(part))],
    "ending": lambda part: [[b"SET", name, b"x", b"EX", b"%d" % (1000 + n)] for n, name in enumerate(_named(part))],
    "intset": lambda part: [[b"SADD", b"numbers", *(b"%d" % n for n in part)]],
    "names": lambda part: [[b"ZADD", b"names", *(word for name in _named(part) for word in (b"0", name))]],
    "places": lambda part: [
        [
            b"GEOADD",
            b"places",
            *(
                word
                for n in part
                for word in (b"%.6f" % (n * 0.618034 % 360 - 180), b"%.6f" % (n * 0.414214 % 170 - 85), b"place:%d" % n)
            ),
        ]
    ],
    "fields with times": lambda part: [
        [b"HSET", b"timed", *(word for name in _named(part) for word in (name, b"x"))],
        [b"HEXPIRE", b"timed", b"100000", b"FIELDS", b"%d" % len(part), *_named(part)],
    ],
    "pending": lambda part: [
        [b"XGROUP", b"CREATE", b"read", b"group", b"$", b"MKSTREAM"] if part.start == 0 else [b"PING"],
        *([b"XADD", b"read", b"%d-1" % (n + 1), b"field", b"%d" % n] for n in part),
        [b"XREADGROUP", b"GROUP", b"group", b"me", b"COUNT", b"%d" % len(part), b"STREAMS", b"read", b">"],
    ],
    "bytes": lambda part: [[b"APPEND", b"bytes", b"x" * 100 * len(part)]],
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
    Cost("ZPOPMIN", "zset", lambda rng, n: [b"ZPOPMIN", b"zset"], takes=True),
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
    Cost("RPOP", "list", lambda rng, n: [b"RPOP", b"list"], takes=True),
    Cost("SADD", "set", lambda rng, n: [b"SADD", b"set", b"new:%d" % rng.randrange(n)]),
    Cost("SPOP", "set", lambda rng, n: [b"SPOP", b"set"], takes=True),
    Cost("SRANDMEMBER", "set", lambda rng, n: [b"SRANDMEMBER", b"set"]),
    Cost("SINTER with 8", "set", lambda rng, n: [b"SINTER", b"set", b"few"]),
    Cost("SSCAN", "set", lambda rng, n: [b"SSCAN", b"set", b"%d" % rng.randrange(n)]),
    Cost("HSET", "hash", lambda rng, n: [b"HSET", b"hash", _any(rng, n), b"y"]),
    Cost("HGET", "hash", lambda rng, n: [b"HGET", b"hash", _any(rng, n)]),
    Cost("HRANDFIELD", "hash", lambda rng, n: [b"HRANDFIELD", b"hash"]),
    Cost("HSCAN", "hash", lambda rng, n: [b"HSCAN", b"hash", b"%d" % rng.randrange(n)]),
    Cost("XADD", "stream", lambda rng, n: [b"XADD", b"stream", b"%d-*" % (2 * n), b"field", b"x"]),
    Cost("XRANGE of 10", "stream", lambda rng, n: [b"XRANGE", b"stream", _middle(rng, n)[0], b"+", b"COUNT", b"10"]),
    Cost("XDEL", "stream", lambda rng, n: [b"XDEL", b"stream", b"%d-1" % rng.randrange(1, n)], takes=True),
    Cost(
        "ZREMRANGEBYRANK",
        "zset",
        lambda rng, n: [b"ZREMRANGEBYRANK", b"zset", *[_middle(rng, n // 2)[0]] * 2],
        takes=True,
    ),
    Cost(
        "ZREMRANGEBYSCORE",
        "zset",
        lambda rng, n: [b"ZREMRANGEBYSCORE", b"zset", *[b"%d" % rng.randrange(n)] * 2],
        takes=True,
    ),
    Cost("ZREM", "zset", lambda rng, n: [b"ZREM", b"zset", _any(rng, n)], takes=True),
    Cost("ZINCRBY", "zset", lambda rng, n: [b"ZINCRBY", b"zset", b"10", _any(rng, n)]),
    Cost("ZCOUNT", "zset", lambda rng, n: [b"ZCOUNT", b"zset", _middle(rng, n)[0], b"+inf"]),
    Cost("ZPOPMAX", "zset", lambda rng, n: [b"ZPOPMAX", b"zset"], takes=True),
    Cost("ZREVRANGE of 10", "zset", lambda rng, n: [b"ZREVRANGE", b"zset", *_middle(rng, n // 2)]),
    Cost("ZRANDMEMBER 10", "zset", lambda rng, n: [b"ZRANDMEMBER", b"zset", b"10"]),
    Cost(
        "ZRANGESTORE of 10",
        "zset",
        lambda rng, n: [b"ZRANGESTORE", b"stored", b"zset", *_middle(rng, n // 2)],
    ),
    Cost(
        "ZINTER with 8",
        "zset",
        lambda rng, n: [b"ZINTER", b"2", b"zset", b"few ranked"],
    ),
    Cost(
        "ZRANGEBYLEX",
        "names",
        lambda rng, n: [b"ZRANGEBYLEX", b"names", b"[" + _any(rng, n), b"+", b"LIMIT", b"0", b"10"],
    ),
    Cost("ZLEXCOUNT", "names", lambda rng, n: [b"ZLEXCOUNT", b"names", b"[" + _any(rng, n), b"+"]),
    Cost(
        "GEOSEARCH in a town",
        "places",
        lambda rng, n: [
            *(b"GEOSEARCH", b"places", b"FROMLONLAT", b"%.3f" % rng.uniform(-170, 170), b"%.3f" % rng.uniform(-80, 80)),
            *(b"BYRADIUS", b"10", b"km"),
        ],
    ),
    Cost("GEODIST", "places", lambda rng, n: [b"GEODIST", b"places", b"place:1", b"place:%d" % rng.randrange(n)]),
    Cost("LRANGE of 10 at an end", "list", lambda rng, n: [b"LRANGE", b"list", b"-30", b"-21"]),
    Cost("LSET at an end", "list", lambda rng, n: [b"LSET", b"list", b"-20", b"y"]),
    Cost("LPOS near an end", "list", lambda rng, n: [b"LPOS", b"list", b"x", b"MAXLEN", b"100"]),
    Cost("LTRIM of one", "list", lambda rng, n: [b"LTRIM", b"list", b"1", b"-1"], takes=True),
    Cost("LMOVE", "list", lambda rng, n: [b"LMOVE", b"list", b"list", b"RIGHT", b"LEFT"]),
    Cost("LPOP of 10", "list", lambda rng, n: [b"LPOP", b"list", b"10"], takes=True),
    Cost("SISMEMBER", "set", lambda rng, n: [b"SISMEMBER", b"set", _any(rng, n)]),
    Cost("SREM", "set", lambda rng, n: [b"SREM", b"set", _any(rng, n)], takes=True),
    Cost("SMOVE", "set", lambda rng, n: [b"SMOVE", b"set", b"moved", _any(rng, n)], takes=True),
    Cost("SPOP of 10", "set", lambda rng, n: [b"SPOP", b"set", b"10"], takes=True),
    Cost("SRANDMEMBER of 10", "set", lambda rng, n: [b"SRANDMEMBER", b"set", b"10"]),
    Cost("SRANDMEMBER of -10", "set", lambda rng, n: [b"SRANDMEMBER", b"set", b"-10"]),
    Cost("SINTERCARD LIMIT", "set", lambda rng, n: [b"SINTERCARD", b"2", b"set", b"set", b"LIMIT", b"10"]),
    Cost("SDIFF of 8", "set", lambda rng, n: [b"SDIFF", b"few", b"set"]),
    Cost("SADD of an integer", "intset", lambda rng, n: [b"SADD", b"numbers", b"%d" % rng.randrange(2 * n)]),
    Cost("SPOP of integers", "intset", lambda rng, n: [b"SPOP", b"numbers"], takes=True),
    Cost("HDEL", "hash", lambda rng, n: [b"HDEL", b"hash", _any(rng, n)], takes=True),
    Cost("HINCRBY", "hash", lambda rng, n: [b"HINCRBY", b"hash", b"n:%d" % rng.randrange(n), b"1"]),
    Cost("HRANDFIELD of 10", "hash", lambda rng, n: [b"HRANDFIELD", b"hash", b"10", b"WITHVALUES"]),
    Cost(
        "HEXPIRE",
        "fields with times",
        lambda rng, n: [b"HEXPIRE", b"timed", b"%d" % rng.randrange(1000, 9999), b"FIELDS", b"1", _any(rng, n)],
    ),
    Cost("HTTL", "fields with times", lambda rng, n: [b"HTTL", b"timed", b"FIELDS", b"1", _any(rng, n)]),
    Cost(
        "HGETDEL", "fields with times", lambda rng, n: [b"HGETDEL", b"timed", b"FIELDS", b"1", _any(rng, n)], takes=True
    ),
    Cost("XREVRANGE of 10", "stream", lambda rng, n: [b"XREVRANGE", b"stream", b"+", b"-", b"COUNT", b"10"]),
    Cost(
        "XREAD of 10",
        "stream",
        lambda rng, n: [b"XREAD", b"COUNT", b"10", b"STREAMS", b"stream", _middle(rng, n)[0]],
    ),
    Cost("XLEN", "stream", lambda rng, n: [b"XLEN", b"stream"]),
    Cost(
        "XADD MAXLEN ~",
        "stream",
        lambda rng, n: [b"XADD", b"stream", b"MAXLEN", b"~", b"%d" % n, b"%d-*" % (2 * n), b"field", b"x"],
    ),
    Cost(
        "XADD MAXLEN",
        "stream",
        lambda rng, n: [b"XADD", b"stream", b"MAXLEN", b"%d" % n, b"%d-*" % (2 * n), b"field", b"x"],
    ),
    Cost(
        "XREADGROUP of a new one",
        "pending",
        lambda rng, n: [b"XREADGROUP", b"GROUP", b"group", b"me", b"COUNT", b"1", b"STREAMS", b"read", b">"],
    ),
    Cost(
        "XREADGROUP of old ones",
        "pending",
        lambda rng, n: [
            *(b"XREADGROUP", b"GROUP", b"group", b"me", b"COUNT", b"10", b"STREAMS", b"read"),
            b"%d-0" % rng.randrange(n),
        ],
    ),
    Cost("XACK", "pending", lambda rng, n: [b"XACK", b"read", b"group", b"%d-1" % rng.randrange(1, n)], takes=True),
    Cost("XPENDING in short", "pending", lambda rng, n: [b"XPENDING", b"read", b"group"]),
    Cost(
        "XPENDING of 10",
        "pending",
        lambda rng, n: [b"XPENDING", b"read", b"group", _middle(rng, n)[0], b"+", b"10"],
    ),
    Cost(
        "XPENDING of a consumer",
        "pending",
        lambda rng, n: [b"XPENDING", b"read", b"group", _middle(rng, n)[0], b"+", b"10", b"me"],
    ),
    Cost(
        "XCLAIM",
        "pending",
        lambda rng, n: [b"XCLAIM", b"read", b"group", b"you", b"0", b"%d-1" % rng.randrange(1, n)],
    ),
    Cost(
        "XAUTOCLAIM",
        "pending",
        lambda rng, n: [
            *(b"XAUTOCLAIM", b"read", b"group", b"you", b"0", b"%d-1" % rng.randrange(1, n), b"COUNT", b"10"),
        ],
    ),
    Cost(
        "XAUTOCLAIM of none idle",
        "pending",
        lambda rng, n: [
            *(b"XAUTOCLAIM", b"read", b"group", b"you", b"9999999", b"%d-1" % rng.randrange(1, n), b"COUNT", b"10"),
        ],
    ),
    Cost("XINFO STREAM", "pending", lambda rng, n: [b"XINFO", b"STREAM", b"read"]),
    Cost("XINFO CONSUMERS", "pending", lambda rng, n: [b"XINFO", b"CONSUMERS", b"read", b"group"]),
    Cost("GETRANGE of 10", "bytes", lambda rng, n: [b"GETRANGE", b"bytes", *_middle(rng, n)]),
    Cost("SETRANGE", "bytes", lambda rng, n: [b"SETRANGE", b"bytes", b"%d" % rng.randrange(n), b"yyy"]),
    Cost("APPEND", "bytes", lambda rng, n: [b"APPEND", b"bytes", b"zzz"]),
    Cost("SETBIT", "bytes", lambda rng, n: [b"SETBIT", b"bytes", b"%d" % rng.randrange(n), b"1"]),
    Cost("GETBIT", "bytes", lambda rng, n: [b"GETBIT", b"bytes", b"%d" % rng.randrange(n)]),
    Cost("BITCOUNT of 10", "bytes", lambda rng, n: [b"BITCOUNT", b"bytes", *_middle(rng, n)]),
    Cost("BITPOS of 10", "bytes", lambda rng, n: [b"BITPOS", b"bytes", b"0", *_middle(rng, n)]),
    Cost(
        "BITFIELD",
        "bytes",
        lambda rng, n: [b"BITFIELD", b"bytes", b"INCRBY", b"u8", b"#%d" % rng.randrange(n), b"1"],
    ),
    Cost("STRLEN", "bytes", lambda rng, n: [b"STRLEN", b"bytes"]),
    Cost("EXPIRE", "ending", lambda rng, n: [b"EXPIRE", _any(rng, n), b"%d" % rng.randrange(1000, 99999)]),
    Cost("PERSIST", "ending", lambda rng, n: [b"PERSIST", _any(rng, n)], takes=True),
    Cost("DEL of keys that end", "ending", lambda rng, n: [b"DEL", _any(rng, n)], takes=True),
    Cost("RANDOMKEY that ends", "ending", lambda rng, n: [b"RANDOMKEY"]),
    Cost("RENAME", "keys", lambda rng, n: [b"RENAME", b"renamed", b"renamed"]),
    Cost("COPY of a small key", "keys", lambda rng, n: [b"COPY", b"renamed", b"copied", b"REPLACE"]),
    Cost("DBSIZE", "keys", lambda rng, n: [b"DBSIZE"]),
    Cost("INFO keyspace", "keys", lambda rng, n: [b"INFO", b"keyspace"]),
    Cost("MEMORY USAGE of a set", "set", lambda rng, n: [b"MEMORY", b"USAGE", b"set"]),
    Cost("OBJECT ENCODING", "zset", lambda rng, n: [b"OBJECT", b"ENCODING", b"zset"]),
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
        for cost in sorted(COSTS, key=lambda cost: cost.takes):
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
    lines = [f"{'us an operation':<24}" + "".join(f"{size:>12,}" for size in sizes) + f"{'growth':>9}"]
    lines.append("-" * len(lines[0]))
    lines += [
        f"{row.name:<24}" + "".join(f"{row.times[size]:>12.2f}" for size in sizes) + f"{row.growth:>9.1f}"
        for row in rows
    ]
    return "\n".join(lines)
