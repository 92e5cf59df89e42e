"""What is measured: the default tests of redis-benchmark, spelt out.

Spelling a test out (instead of ``-t lrange_100``) lets us ask first whether a server knows the command, and keeps the
pushes that redis-benchmark would make before its LRANGE tests out of their CPU time.
"""

from __future__ import annotations

from dataclasses import dataclass

RANDOM = "__rand_int__"  # redis-benchmark puts a number of twelve digits here, another for each request
DATA = "xxx"  # three bytes, its default


@dataclass(frozen=True, slots=True)
class Workload:
    """One test: ``words`` is the command (none: the inline PING, which only ``-t`` can send).

    ``weight`` is what one request costs beside a GET, so that each run takes about the same time.
    """

    name: str
    words: tuple[str, ...]
    weight: int = 1

    @property
    def probe(self) -> tuple[str, ...]:
        """A command that shows whether a server knows this test, on keys of its own."""
        return tuple(word.replace(RANDOM, "probe").replace("my", "probe:my") for word in self.words) or ("PING",)


def _lrange(count: int) -> Workload:
    return Workload(f"lrange_{count}", ("LRANGE", "mylist", "0", str(count - 1)), weight=max(4, count // 25))


# The order matters: what is popped was pushed before, and LRANGE finds a list that is long enough.
WORKLOADS = (
    Workload("ping_inline", ()),
    Workload("ping_mbulk", ("PING",)),
    Workload("set", ("SET", f"key:{RANDOM}", DATA)),
    Workload("get", ("GET", f"key:{RANDOM}")),
    Workload("incr", ("INCR", f"counter:{RANDOM}")),
    Workload("lpush", ("LPUSH", "mylist", DATA)),
    Workload("rpush", ("RPUSH", "mylist", DATA)),
    Workload("lpop", ("LPOP", "mylist")),
    Workload("rpop", ("RPOP", "mylist")),
    Workload("sadd", ("SADD", "myset", f"element:{RANDOM}")),
    Workload("hset", ("HSET", "myhash", f"element:{RANDOM}", DATA)),
    Workload("spop", ("SPOP", "myset")),
    Workload("zadd", ("ZADD", "myzset", RANDOM, f"element:{RANDOM}")),
    Workload("zpopmin", ("ZPOPMIN", "myzset")),
    _lrange(100),
    _lrange(300),
    _lrange(500),
    _lrange(600),
    Workload("mset", ("MSET", *(word for _ in range(10) for word in (f"key:{RANDOM}", DATA))), weight=5),
)
QUICK = frozenset({"ping_mbulk", "set", "get", "incr", "mset"})
LIST_LENGTH = 1000  # elements that LRANGE finds at least
