"""What data costs in memory: the growth of the resident memory of both processes for the same data."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import hiredis

from tests.support.oracle import Redis
from tests.support.processes import Node, Server

from .measure import SETTINGS

Words = tuple[bytes, ...]

CHUNK: Final = 500  # requests in one pipeline
#: Seconds until a node has surely packed what lies idle, and that must not matter to Redis.
REST_SECONDS: Final = 5.0
REST_LIMIT: Final = 60.0


@dataclass(frozen=True, slots=True)
class Data:
    """So many elements in all, made by ``requests(scale)``; the node may take ``most`` times the memory of Redis."""

    name: str
    most: float
    elements: int
    requests: Callable[[], Iterator[Words]]


@dataclass(frozen=True, slots=True)
class Growth:
    """Bytes an element, ours and Redis's."""

    name: str
    most: float
    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        """Our memory over Redis's."""
        return self.ours / self.theirs


def _hashes(keys: int) -> Iterator[Words]:
    for number in range(keys):
        pairs = (word for field in range(5) for word in (b"field:%d" % field, b"value:%06d" % (number + field)))
        yield b"HSET", b"hash:%d" % number, *pairs


def _hashes_by_field(keys: int) -> Iterator[Words]:
    for number in range(keys):
        for field in range(5):
            yield b"HSET", b"hash:%d" % number, b"field:%d" % field, b"value:%06d" % (number + field)


def _zsets_by_member(keys: int) -> Iterator[Words]:
    for number in range(keys):
        for place in range(100):
            yield b"ZADD", b"zset:%d" % number, b"%d" % (place * 7 % 1000), b"member:%d" % (number + place)


def _zsets(keys: int) -> Iterator[Words]:
    for number in range(keys):
        pairs = (word for place in range(100) for word in (b"%d" % (place * 7 % 1000), b"member:%d" % (number + place)))
        yield b"ZADD", b"zset:%d" % number, *pairs


def _collections(command: bytes, keys: int) -> Iterator[Words]:
    for number in range(keys):
        yield command, b"%b:%d" % (command, number), *(b"element:%d" % (number + place) for place in range(100))


def _strings(keys: int) -> Iterator[Words]:
    for number in range(keys):
        yield b"SET", b"key:%012d" % number, b"xxx"


def data(scale: float = 1.0) -> list[Data]:
    """What is measured: 100,000 small hashes, 10,000 collections of each other type, a million strings."""
    small, many = int(100_000 * scale), int(10_000 * scale)
    strings = int(1_000_000 * scale)
    return [
        Data("hashes of 5", 2.5, 5 * small, lambda: _hashes(small)),
        Data("hashes by field", 2.5, 5 * small, lambda: _hashes_by_field(small)),
        Data("zsets by member", 2.5, 100 * many, lambda: _zsets_by_member(many)),
        Data("zsets of 100", 2.5, 100 * many, lambda: _zsets(many)),
        Data("lists of 100", 2.5, 100 * many, lambda: _collections(b"RPUSH", many)),
        Data("sets of 100", 2.5, 100 * many, lambda: _collections(b"SADD", many)),
        Data("strings", 2.0, strings, lambda: _strings(strings)),
    ]


def compare(wanted: Sequence[Data], tell: Callable[[str], None]) -> list[Growth]:
    """Fills a fresh process of each kind with each of ``wanted``."""
    rows = []
    for one in wanted:
        tell(f"memory of {one.name}")
        with Node(**SETTINGS) as ours, Redis(**SETTINGS) as theirs:
            costs = [_growth(server, one) for server in (ours, theirs)]
        rows.append(Growth(one.name, one.most, *costs))
    return rows


def missed(rows: Iterable[Growth]) -> list[str]:
    """One sentence for each promise that isn't kept."""
    return [
        f"memory: {row.name} take {row.ratio:.2f} times Redis's, promised {row.most} at most"
        for row in rows
        if row.ratio > row.most
    ]


def as_table(rows: Sequence[Growth]) -> str:
    """Bytes an element, side by side."""
    lines = [f"{'bytes an element':<18}{'shardkv':>10}{'redis':>10}{'ratio':>8}{'most':>6}", "-" * 52]
    lines += [f"{row.name:<18}{row.ours:>10.1f}{row.theirs:>10.1f}{row.ratio:>8.2f}{row.most:>6.1f}" for row in rows]
    return "\n".join(lines)


def _growth(server: Server, one: Data) -> float:
    send(server, [(b"SET", b"first", b"x")])
    time.sleep(0.5)
    before = resident(server.pid)
    send(server, one.requests())
    # Idle collections are packed little by little: wait until that has an end.
    waited, last = REST_SECONDS, 0
    time.sleep(REST_SECONDS)
    while (now := resident(server.pid)) != last and waited < REST_LIMIT:
        last = now
        time.sleep(1.0)
        waited += 1.0
    return (now - before) / one.elements


def resident(pid: int) -> int:
    """The resident memory of a process in bytes."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * 4096


def send(server: Server, requests: Iterable[Words]) -> None:
    """Send requests in pipelines and read all replies. Raises RuntimeError for an error among them."""
    left = iter(requests)
    reader = hiredis.Reader()
    with socket.create_connection((server.host, server.port)) as sock:
        while chunk := list(islice(left, CHUNK)):
            sock.sendall(b"".join(hiredis.pack_command(words) for words in chunk))  # type: ignore[arg-type]  # stub: a tuple of one
            waiting = len(chunk)
            while waiting:
                data = sock.recv(1 << 16)
                if not data:
                    raise RuntimeError("the server has closed the connection")
                reader.feed(data)
                while (reply := reader.gets()) is not False:
                    if isinstance(reply, hiredis.HiredisError):
                        raise RuntimeError(str(reply))
                    waiting -= 1
