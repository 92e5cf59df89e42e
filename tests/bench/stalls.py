"""How long another client waits for its reply while very much is deleted or ends: never longer than a moment.

A thread asks PING over and over on a connection of its own, and keeps the longest wait, while a real node frees a
collection of ten million elements, or a million keys end in the same second. A busy machine makes a client wait by
itself, as is seen in a while before, in which nothing happens; so what counts is how long the node was on a processor
during one wait. Where it is allowed, both have the machine to themselves meanwhile (real-time priority).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.processes import Node, Server
from tests.support.wire_replies import Reply

from .measure import SETTINGS
from .memory import Words, send

#: Elements of a collection that is deleted, and keys that end together.
ELEMENTS: Final = 10_000_000
KEYS: Final = 1_000_000
#: The longest that a client may wait, in milliseconds.
MOST_MS: Final = 10.0
QUIET_SECONDS: Final = 2.0
#: Between two requests of the other client: at real-time priority a processor that is never idle is taken away.
PAUSE_SECONDS: Final = 0.0005
LIMIT_SECONDS: Final = 300.0
AT_ONCE: Final = 1000  # elements in one request


@dataclass(frozen=True, slots=True)
class Stall:
    """The longest waits of the other client, in milliseconds: before, and meanwhile; the most that the node worked
    during one of those; and the seconds until all was freed."""

    name: str
    quiet_ms: float
    during_ms: float
    work_ms: float
    seconds: float


class Pinger(threading.Thread):
    """The other client."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._ended = threading.Event()
        self._worst = (0.0, 0.0)

    def run(self) -> None:
        """Ask and ask."""
        with self._server.client() as client:
            while not self._ended.is_set():
                worked = worked_seconds(self._server.pid)
                asked = time.perf_counter()
                client.must("PING")
                waited = time.perf_counter() - asked
                self._worst = (
                    max(self._worst[0], waited),
                    max(self._worst[1], worked_seconds(self._server.pid) - worked),
                )
                time.sleep(PAUSE_SECONDS)

    def worst_ms(self) -> tuple[float, float]:
        """The longest wait since the last call, and the most that the node worked during one."""
        (waited, worked), self._worst = self._worst, (0.0, 0.0)
        return waited * 1000, worked * 1000

    def end(self) -> None:
        """Stop asking."""
        self._ended.set()
        self.join()


@dataclass(frozen=True, slots=True)
class Case:
    """Data, a request with which they begin to go, and what tells that they are gone."""

    name: str
    data: Callable[[int], Iterator[Words]]
    end: Words
    gone: Callable[[Callable[..., Reply]], bool]
    scale: int


def _freed(ask: Callable[..., Reply]) -> bool:
    text = ask("INFO", "memory")
    assert isinstance(text, bytes)
    return b"lazyfree_pending_objects:0\r\n" in text and ask("DBSIZE") == 0


def _empty(ask: Callable[..., Reply]) -> bool:
    return ask("DBSIZE") == 0 and _freed(ask)


def _set(count: int) -> Iterator[Words]:
    for start in range(0, count, AT_ONCE):
        yield b"SADD", b"big", *(b"element:%d" % number for number in range(start, start + AT_ONCE))


def _list(count: int) -> Iterator[Words]:
    for start in range(0, count, AT_ONCE):
        yield b"RPUSH", b"big", *(b"element:%d" % number for number in range(start, start + AT_ONCE))


def _hash(count: int) -> Iterator[Words]:
    for start in range(0, count, AT_ONCE):
        numbers = range(start, start + AT_ONCE)
        yield b"HSET", b"big", *(word for number in numbers for word in (b"field:%d" % number, b"x"))


def _zset(count: int) -> Iterator[Words]:
    for start in range(0, count, AT_ONCE):
        numbers = range(start, start + AT_ONCE)
        yield b"ZADD", b"big", *(word for number in numbers for word in (b"%d" % number, b"member:%d" % number))


def _stream(count: int) -> Iterator[Words]:
    for number in range(count // 10):
        yield b"XADD", b"big", b"%d-1" % (number + 1), b"field", b"value"


def _read_stream(count: int) -> Iterator[Words]:
    """A stream whose entries all wait to be acknowledged."""
    yield b"XGROUP", b"CREATE", b"big", b"group", b"0", b"MKSTREAM"
    yield from _stream(count)
    for _ in range(0, count // 10, AT_ONCE):
        yield b"XREADGROUP", b"GROUP", b"group", b"me", b"COUNT", b"%d" % AT_ONCE, b"STREAMS", b"big", b">"


def _ending_hash(count: int) -> Iterator[Words]:
    """A hash whose fields all have a time."""
    for start in range(0, count // 10, AT_ONCE):
        numbers = [b"field:%d" % number for number in range(start, start + AT_ONCE)]
        yield b"HSET", b"big", *(word for field in numbers for word in (field, b"x"))
        yield b"HPEXPIRE", b"big", b"100000000", b"FIELDS", b"%d" % AT_ONCE, *numbers


def _ending_fields(count: int) -> Iterator[Words]:
    """Fields of one hash whose time is over when the last of them has come, or soon after."""
    yield b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0"
    at = b"%d" % (int(time.time() * 1000) + int(count * 0.03) + 5000)
    for start in range(0, count, AT_ONCE):
        fields = [b"field:%d" % number for number in range(start, start + AT_ONCE)]
        yield b"HSET", b"big", *(word for field in fields for word in (field, b"x"))
        yield b"HPEXPIREAT", b"big", at, b"FIELDS", b"%d" % AT_ONCE, *fields


def _long_string(count: int) -> Iterator[Words]:
    yield b"SET", b"big", b"x" * (count * 50)


def _keys(count: int) -> Iterator[Words]:
    for start in range(0, count, AT_ONCE):
        yield b"MSET", *(word for number in range(start, start + AT_ONCE) for word in (b"key:%d" % number, b"x"))


def _ending_keys(count: int) -> Iterator[Words]:
    """Keys whose time is over when the last of them has come, or soon after."""
    yield b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0"
    at = b"%d" % (int(time.time() * 1000) + int(count * 0.03) + 5000)
    for number in range(count):
        yield b"SET", b"key:%d" % number, b"x", b"PXAT", at


def cases(elements: int = ELEMENTS, keys: int = KEYS) -> list[Case]:
    """What is deleted or ends."""
    over: Words = (b"SET", b"big", b"x", b"PX", b"50")
    return [
        Case("UNLINK a set", _set, (b"UNLINK", b"big"), _freed, elements),
        Case("DEL a set", _set, (b"DEL", b"big"), _freed, elements),
        Case("SINTERSTORE over a set", _set, (b"SINTERSTORE", b"big", b"none"), _freed, elements),
        Case("a hash expires", _hash, (b"PEXPIRE", b"big", b"50"), _empty, elements),
        Case("DEL a hash of fields with times", _ending_hash, (b"DEL", b"big"), _freed, elements),
        Case("DEL a sorted set", _zset, (b"DEL", b"big"), _freed, elements),
        Case("SET over a list", _list, over, _empty, elements),
        Case("DEL a stream", _stream, (b"DEL", b"big"), _freed, elements),
        Case("SET over a stream that was read", _read_stream, over, _empty, elements),
        Case("DEL a string of 500 MB", _long_string, (b"DEL", b"big"), _freed, elements),
        Case("FLUSHALL", _keys, (b"FLUSHALL",), _freed, keys),
        Case("FLUSHALL ASYNC with a large set", _set, (b"FLUSHALL", b"ASYNC"), _freed, elements),
        Case("fields that end together", _ending_fields, (b"DEBUG", b"SET-ACTIVE-EXPIRE", b"1"), _empty, keys),
        Case("keys that end together", _ending_keys, (b"DEBUG", b"SET-ACTIVE-EXPIRE", b"1"), _empty, keys),
    ]


def measure(wanted: Sequence[Case], tell: Callable[[str], None]) -> list[Stall]:
    """Each case on a fresh node."""
    rows = []
    for case in wanted:
        tell(f"stalls: {case.name}")
        with Node(**SETTINGS, enable_debug_command="yes") as node:
            send(node, case.data(case.scale))
            with undisturbed(node.pid):
                rows.append(_watched(node, case))
    return rows


@contextmanager
def undisturbed(*pids: int) -> Iterator[None]:
    """Real-time priority for these processes and this one, where the system allows it; as it was, afterwards."""
    before = {pid: (os.sched_getscheduler(pid), os.sched_getparam(pid)) for pid in (0, *pids)}
    try:
        for pid in before:
            os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        pass  # then others may be in the way, and are seen in the columns of the clock
    try:
        yield
    finally:
        for pid, (policy, param) in before.items():
            if os.sched_getscheduler(pid) != policy:
                os.sched_setscheduler(pid, policy, param)


def _watched(node: Node, case: Case) -> Stall:
    pinger = Pinger(node)
    pinger.start()
    time.sleep(0.2)
    pinger.worst_ms()
    time.sleep(QUIET_SECONDS)
    quiet, _ = pinger.worst_ms()
    begun = time.perf_counter()
    with node.client() as client:
        client.must(*case.end)
        while not case.gone(client.must):
            if time.perf_counter() - begun > LIMIT_SECONDS:
                raise TimeoutError(f"{case.name}: not over after {LIMIT_SECONDS:.0f} s")
            time.sleep(0.05)
    seconds = time.perf_counter() - begun
    waited, worked = pinger.worst_ms()
    pinger.end()
    return Stall(case.name, quiet, waited, worked, seconds)


def worked_seconds(pid: int) -> float:
    """How long a process's main thread has been on a processor, to the nanosecond."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def missed(rows: Sequence[Stall]) -> list[str]:
    """One sentence for each case in which the node works on something else for too long while a client waits."""
    return [
        f"stalls: {row.name} makes others wait {row.work_ms:.1f} ms, promised {MOST_MS:.0f} at most"
        for row in rows
        if row.work_ms > MOST_MS
    ]


def as_table(rows: Sequence[Stall]) -> str:
    """The longest waits."""
    head = f"{'longest wait of others, ms':<33}{'before':>8}{'during':>8}{'for the node':>14}{'s until freed':>15}"
    lines = [head, "-" * len(head)]
    lines += [
        f"{row.name:<33}{row.quiet_ms:>8.1f}{row.during_ms:>8.1f}{row.work_ms:>14.1f}{row.seconds:>15.1f}"
        for row in rows
    ]
    return "\n".join(lines)
