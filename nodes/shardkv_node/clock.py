"""The node's clocks: the only module that reads the time."""

from __future__ import annotations

import time
from collections.abc import Callable
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


def log_stamp() -> str:
    """Local time as it stands in a log line: ``23 Nov 2026 15:04:05.678``."""
    now = time.time()
    return f"{time.strftime('%d %b %Y %H:%M:%S', time.localtime(now))}.{int(now * 1000) % 1000:03d}"


def sleep(seconds: float) -> None:
    """Stop the whole process (DEBUG SLEEP)."""
    time.sleep(seconds)
