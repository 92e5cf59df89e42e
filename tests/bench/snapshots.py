"""What snapshots cost: CPU time of saving and loading beside redis-server's on the same keys, and what clients feel of
a snapshot in the background."""

from __future__ import annotations

import random
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tests.support.oracle import Redis
from tests.support.processes import Node, Server, wait_for
from tests.support.wire import Client, Word
from tests.support.wire_replies import Verbatim

from .measure import SETTINGS

#: Saving and loading take at most so many times redis-server's CPU time.
MOST_RATIO: Final = 4.0
#: 999 of 1000 requests during a snapshot in the background take at most so long, in milliseconds.
MOST_MS: Final = 10.0
KEYS: Final = 500_000
KEYS_IN_BACKGROUND: Final = 1_000_000
_BATCH: Final = 1000
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_DUMP: Final = "dump.rdb"


@dataclass(frozen=True, slots=True)
class Work:
    """CPU seconds for the same work, ours and Redis's."""

    name: str
    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        """How many times Redis's."""
        return self.ours / self.theirs


@dataclass(frozen=True, slots=True)
class Felt:
    """Milliseconds that requests took, at rest and while a child was saving."""

    quiet: list[float]
    saving: list[float]


def mixed(count: int, seed: int = 7) -> Iterator[list[Word]]:
    """Commands that make so many keys: half of them strings, the rest small collections of every type."""
    rng = random.Random(seed)

    def word(length: int) -> str:
        return "".join(rng.choices(_LETTERS, k=length))

    for number in range(count):
        match number % 10:
            case 0 | 1 | 2:
                yield ["SET", f"user:{number}:name", word(rng.randrange(4, 40))]
            case 3:
                yield ["SET", f"counter:{number}", rng.randrange(10**9)]
            case 4:
                yield ["SET", f"session:{number}", word(32), "PX", 10**9 + number]
            case 5:
                yield [
                    "HSET",
                    f"user:{number}",
                    "name",
                    word(8),
                    "email",
                    f"{word(12)}@example.com",
                    "age",
                    number % 100,
                ]
            case 6:
                yield ["RPUSH", f"queue:{number}", *(f"job:{word(6)}:{place}" for place in range(8))]
            case 7:
                yield ["SADD", f"tags:{number}", *(word(7) for _ in range(8))]
            case 8:
                scores = [rng.randrange(10_000) if number % 20 == 8 else round(rng.random(), 3) for _ in range(8)]
                yield ["ZADD", f"board:{number}", *(part for score in scores for part in (score, f"player:{word(5)}"))]
            case _ if number % 20 == 19:
                for entry in range(4):
                    yield ["XADD", f"events:{number}", f"{number + 1}-{entry}", "kind", word(5), "at", entry]
            case _:
                yield ["SADD", f"ids:{number}", *(rng.randrange(100_000) for _ in range(10))]


def compare(count: int, rounds: int, tell: Callable[[str], None]) -> list[Work]:
    """Let both servers save and load the same keys; the medians."""
    with Redis(**SETTINGS) as theirs, Node(**SETTINGS) as ours:
        saved: dict[Server, float] = {}
        for server in (theirs, ours):
            tell(f"{count} mixed keys into {type(server).__name__.lower()}")
            with server.client(timeout=120) as client:
                batch: list[list[Word]] = []
                for words in mixed(count):
                    batch.append(words)
                    if len(batch) == _BATCH:
                        client.pipeline(batch)
                        batch.clear()
                client.pipeline(batch or [["PING"]])
            tell("saving")
            saved[server] = statistics.median(_save(server) for _ in range(rounds))
        # Redis's file is what both load: its keys come in no order of slots.
        shutil.copy(theirs.directory / _DUMP, ours.directory / _DUMP)
        loaded = {server: statistics.median(_load(server, tell) for _ in range(rounds)) for server in (theirs, ours)}
        again = statistics.median(_save(ours) for _ in range(rounds))
        return [
            Work("save what was written", saved[ours], saved[theirs]),
            Work("load", loaded[ours], loaded[theirs]),
            Work("save what was loaded", again, saved[theirs]),
        ]


def _save(server: Server) -> float:
    with server.client(timeout=120) as client:
        before = server.cpu_seconds()
        client.must("SAVE")
        return server.cpu_seconds() - before


def _load(server: Server, tell: Callable[[str], None]) -> float:
    """CPU seconds of a start with the file, less those of one without."""
    tell(f"{type(server).__name__.lower()} loads")
    file, aside = server.directory / _DUMP, server.directory / "aside"
    server.kill()
    file.rename(aside)
    server.start()
    empty = server.cpu_seconds()
    server.kill()
    aside.rename(file)
    server.start()
    with server.client(timeout=120) as client:
        wait_for(lambda: client("PING") == "PONG", 120)
        return server.cpu_seconds() - empty


def feel(count: int, tell: Callable[[str], None]) -> Felt:
    """Ask a node of so many keys one thing after the other, at rest and while it saves in the background."""
    with Node(**(SETTINGS | {"enable_debug_command": "yes"})) as node, node.client(timeout=120) as client:
        tell(f"{count} keys, and a snapshot of them in the background")
        client.must("DEBUG", "POPULATE", count)
        rng = random.Random(1)
        quiet = _times(client, rng, count, lambda asked: asked < 20_000)
        client.must("BGSAVE")
        saving = _times(client, rng, count, lambda asked: asked % 200 != 0 or asked == 0 or _is_saving(client))
        return Felt(quiet, saving)


def _times(client: Client, rng: random.Random, count: int, more: Callable[[int], bool]) -> list[float]:
    times: list[float] = []
    while more(len(times)):
        key = f"key:{rng.randrange(count)}"
        words: list[Word] = ["SET", key, "another value"] if len(times) % 2 else ["GET", key]
        began = time.perf_counter()
        client(*words)
        times.append(1000 * (time.perf_counter() - began))
    return times


def _is_saving(client: Client) -> bool:
    reply = client.must("INFO", "persistence")
    text = reply.text if isinstance(reply, Verbatim) else reply
    assert isinstance(text, bytes)
    return b"rdb_bgsave_in_progress:1" in text


def percentile(times: list[float], per_mille: int) -> float:
    """The time that so many of a thousand requests did not exceed."""
    return sorted(times)[min(len(times) - 1, len(times) * per_mille // 1000)]


def as_table(works: list[Work], felt: Felt) -> str:
    """Both for a terminal."""
    lines = [f"{'snapshots':<24} {'shardkv, s':>11} {'redis, s':>9} {'ratio':>6}"]
    lines += [f"{work.name:<24} {work.ours:>11.2f} {work.theirs:>9.2f} {work.ratio:>6.2f}" for work in works]
    for name, times in (("at rest", felt.quiet), ("during BGSAVE", felt.saving)):
        shown = [f"p{mille / 10:g} {percentile(times, mille):.2f}" for mille in (500, 990, 999)]
        lines.append(f"requests {name}, ms: {', '.join(shown)}, worst {max(times):.2f} of {len(times)}")
    return "\n".join(lines)


def missed(works: list[Work], felt: Felt) -> list[str]:
    """One sentence for each promise that isn't kept."""
    complaints = [
        f"snapshots: to {work.name} takes {work.ratio:.2f} times Redis's CPU time, promised {MOST_RATIO:g} at most"
        for work in works
        if work.ratio > MOST_RATIO
    ]
    if (slow := percentile(felt.saving, 999)) > MOST_MS:
        complaints.append(f"snapshots: during BGSAVE p99.9 is {slow:.1f} ms, promised {MOST_MS:g} at most")
    return complaints
