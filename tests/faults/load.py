"""Clients that write to every shard of a cluster without pause, and remember what was acknowledged when.

A writer sets a new key each time and never the same twice, so what is missing afterwards was lost, whoever answers for
the slot by then.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import RedisClusterException, RedisError
from redis.retry import Retry

PAUSE = 0.002  # seconds between two writes, and before a failed one is tried again
READ_BACK = 500


def connect(ports: Sequence[int]) -> RedisCluster:
    """redis-py's cluster client, as it comes but for short timeouts: whoever hangs is given up soon."""
    last: Exception | None = None
    for port in ports:
        try:
            return RedisCluster(
                host="127.0.0.1", port=port, socket_timeout=0.5, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 1)
            )
        except (RedisError, RedisClusterException, OSError) as error:
            last = error
    raise AssertionError(f"no node answers: {last}")


@dataclass
class Shard:
    """One shard's writes. ``acknowledged``: (number, when) in order."""

    tag: str
    acknowledged: list[tuple[int, float]] = field(default_factory=list)
    refused: int = 0

    def key(self, number: int) -> str:
        """The key of a write."""
        return f"{{{self.tag}}}:{number}"

    def longest_pause(self, since: float, until: float) -> float:
        """Seconds of the longest time in which no write was acknowledged."""
        stamps = [when for _, when in self.acknowledged if since <= when <= until]
        edges = [since, *stamps, until]
        return max(later - sooner for sooner, later in itertools.pairwise(edges))


class Load:
    """A writer a shard, from ``with`` to its end."""

    def __init__(self, ports: Sequence[int], tags: Sequence[str]) -> None:
        self.shards = [Shard(tag) for tag in tags]
        self._ports = list(ports)
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(shard,), daemon=True) for shard in self.shards]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """No more writes."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)

    def _write(self, shard: Shard) -> None:
        client: RedisCluster | None = None
        number = 0
        while not self._stopping.is_set():
            try:
                client = client or connect(self._ports)
                client.set(shard.key(number), number)
                shard.acknowledged.append((number, time.monotonic()))
            except (RedisError, RedisClusterException, OSError, AssertionError):
                shard.refused += 1
            except (IndexError, KeyError):  # redis-py, when its table of nodes is empty for a moment
                client = None
            number += 1
            time.sleep(PAUSE)
        if client is not None:
            client.close()

    def lost(self) -> dict[str, int]:
        """How many acknowledged writes are not there, by tag. The load must have been stopped."""
        missing: dict[str, int] = {}
        with connect(self._ports) as client:
            for shard in self.shards:
                numbers = [number for number, _ in shard.acknowledged]
                missing[shard.tag] = 0
                for start in range(0, len(numbers), READ_BACK):
                    portion = numbers[start : start + READ_BACK]
                    values = client.mget_nonatomic([shard.key(number) for number in portion])
                    missing[shard.tag] += sum(
                        value != str(number).encode() for number, value in zip(portion, values, strict=True)
                    )
        return missing
