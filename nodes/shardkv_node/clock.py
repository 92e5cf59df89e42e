"""The node's clocks: the only module that reads the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

#: Seconds that only grow, for durations.
stopwatch: Final[Callable[[], float]] = time.perf_counter


def unix_ms() -> int:
    """Unix time in milliseconds, as the machine has it (expiry times are compared with this)."""
    return time.time_ns() // 1_000_000


def unix_us() -> int:
    """Unix time in microseconds."""
    return time.time_ns() // 1_000


class SteadyClock:
    """Unix time in seconds that does not jump when somebody sets the machine's clock: anchored once, then counted."""

    __slots__ = ("_anchor",)

    def __init__(self) -> None:
        self._anchor = time.time() - time.monotonic()

    def __call__(self) -> float:
        """Seconds since 1970."""
        return self._anchor + time.monotonic()


def log_stamp(style: str = "legacy") -> str:
    """The time as it stands in a log line, in a style of ``log-timestamp-format``. ``legacy``: local time, such as ``23
    Nov 2026 15:04:05.678``; ``iso8601``: ``2026-11-23T15:04:05.678+01:00``; ``milliseconds``: since 1970."""
    now = time.time_ns() // 1_000_000
    if style == "milliseconds":
        return str(now)
    local = time.localtime(now // 1000)
    if style == "legacy":
        return f"{time.strftime('%d %b %Y %H:%M:%S', local)}.{now % 1000:03d}"
    zone = time.strftime("%z", local)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}.{now % 1000:03d}{zone[:3]}:{zone[3:]}"


@contextmanager
def measured(told: Callable[[str, float], None], event: str) -> Iterator[None]:
    """Tell how many seconds this took, as an event of the latency monitor."""
    started = stopwatch()
    yield
    told(event, stopwatch() - started)


def sleep(seconds: float) -> None:
    """Stop the whole process (DEBUG SLEEP)."""
    time.sleep(seconds)
