"""Redis's behaviour as an object in your own process: no server, no socket, and time that moves when you say so.

python examples/embed_engine.py
"""

from __future__ import annotations

from random import Random

from shardkv.engine.embedded import Embedded
from shardkv.errors import ReplyError


def main() -> None:
    """Store, expire, wait, and be refused."""
    store = Embedded(now=1_700_000_000_000, rng=Random(0))
    store("SET", "session:ada", "logged in", "EX", 60)
    print("ttl:", store("TTL", "session:ada"))
    store.now += 61_000
    print("a minute later:", store("GET", "session:ada"))

    worker, producer = store.other(), store
    assert worker("BLPOP", "jobs", 0) is None  # it waits
    producer("RPUSH", "jobs", "paint the fence")
    print("the worker got:", worker.reply())

    try:
        store("INCR", store("SET", "name", "ada") and "name")
    except ReplyError as refused:
        print("refused:", refused)


if __name__ == "__main__":
    main()
