"""Clients that write to every shard of a cluster without pause, and remember what was acknowledged when.

A writer sets a new key each time and never the same twice, so what is missing afterwards was lost, whoever answers for
the slot by then.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import RedisClusterException, RedisError
from redis.retry import Retry

from tests.support.namespaces import Network, Side

PAUSE = 0.002  # seconds between two writes, and before a failed one is tried again
READ_BACK = 500


def connect(addresses: Sequence[tuple[str, int]]) -> RedisCluster:
    """redis-py's cluster client, as it comes but for short timeouts: whoever hangs is given up soon."""
    last: Exception | None = None
    for host, port in addresses:
        try:
            return RedisCluster(
                host=host, port=port, socket_timeout=0.5, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 1)
            )
        except (RedisError, RedisClusterException, OSError) as error:
            last = error
    raise AssertionError(f"no node answers: {last}")


@dataclass
class Shard:
    """One shard's writes from one place. ``acknowledged``: (number, when) in order."""

    tag: str
    side: Side = "right"
    acknowledged: list[tuple[int, float]] = field(default_factory=list)
    refused: int = 0

    def key(self, number: int) -> str:
        """The key of a write."""
        return f"{{{self.tag}}}:{self.side}:{number}"

    def longest_pause(self, since: float, until: float) -> float:
        """Seconds of the longest time in which no write was acknowledged."""
        stamps = [when for _, when in self.acknowledged if since <= when <= until]
        edges = [since, *stamps, until]
        return max(later - sooner for sooner, later in itertools.pairwise(edges))


class Load:
    """A writer a shard, from ``with`` to its end; on a ``network`` one more for the first, on the left side."""

    def __init__(
        self, addresses: Sequence[tuple[str, int]], tags: Sequence[str], network: Network | None = None
    ) -> None:
        self.shards = [Shard(tag) for tag in tags]
        if network is not None:
            self.shards.append(Shard(tags[0], "left"))
        self._addresses = list(addresses)
        self._network = network
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
        with self._network.inside(shard.side) if self._network is not None else nullcontext():
            self._write_on(shard)

    def _write_on(self, shard: Shard) -> None:
        client: RedisCluster | None = None
        number = 0
        while not self._stopping.is_set():
            try:
                client = client or connect(self._addresses)
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

    def wrote_on(self, cut_at: float, healed_at: float) -> float:
        """Seconds for which writes on the left side were acknowledged after that was cut off."""
        (left,) = (shard for shard in self.shards if shard.side == "left")
        return max([0.0, *(when - cut_at for _, when in left.acknowledged if cut_at <= when < healed_at)])

    def lost(self) -> dict[str, int]:
        """How many acknowledged writes are not there, by tag. The load must have been stopped."""
        counts = {shard.tag: 0 for shard in self.shards}
        for shard, _ in self.missing():
            counts[shard.tag] += 1
        return counts

    def missing(self) -> list[tuple[Shard, float]]:
        """The acknowledged writes that are not there, with the time of each. The load must have been stopped."""
        missing: list[tuple[Shard, float]] = []
        with connect(self._addresses) as client:
            for shard in self.shards:
                for start in range(0, len(shard.acknowledged), READ_BACK):
                    portion = shard.acknowledged[start : start + READ_BACK]
                    values = client.mget_nonatomic([shard.key(number) for number, _ in portion])
                    missing += [
                        (shard, when)
                        for (number, when), value in zip(portion, values, strict=True)
                        if value != str(number).encode()
                    ]
        return missing
