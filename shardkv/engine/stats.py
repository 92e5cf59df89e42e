"""Counters of the whole engine, for INFO. Per-command counters sit on each ``Command``."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

#: INFO keeps this many samples of each rate, one every 100 ms, as Redis does.
SAMPLES: Final = 16
#: More different error codes than this are not told apart.
ERROR_CODES_MAX: Final = 128


class Rate:
    """A running rate per second over the last ``SAMPLES`` measurements."""

    __slots__ = ("_at", "_samples", "_value")

    def __init__(self) -> None:
        self._at = 0.0
        self._value = 0
        self._samples: deque[float] = deque(maxlen=SAMPLES)

    def sample(self, now: float, value: int) -> None:
        """Note that the counter stands at ``value`` at ``now`` (seconds)."""
        passed = now - self._at
        if self._at and passed > 0:
            self._samples.append((value - self._value) / passed)
        self._at = now
        self._value = value

    @property
    def per_second(self) -> float:
        """The mean of the samples."""
        return sum(self._samples) / len(self._samples) if self._samples else 0.0


@dataclass(slots=True)
class Stats:
    """What INFO stats tells. Bytes and counts since the start or CONFIG RESETSTAT."""

    hits: int = 0
    misses: int = 0
    commands: int = 0
    connections: int = 0
    rejected_connections: int = 0
    expired: int = 0
    expired_stale_percent: float = 0.0
    expire_cycle_cpu_ms: float = 0.0
    expire_time_cap_reached: int = 0
    evicted: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    protocol_faults: int = 0
    unexpected_errors: int = 0
    error_replies: int = 0
    output_limit_disconnections: int = 0
    query_limit_disconnections: int = 0
    evicted_clients: int = 0
    peak_output: int = 0
    replication_bytes_in: int = 0
    replication_bytes_out: int = 0
    reads: int = 0
    writes: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    commands_rate: Rate = field(default_factory=Rate)
    input_rate: Rate = field(default_factory=Rate)
    output_rate: Rate = field(default_factory=Rate)
    replication_input_rate: Rate = field(default_factory=Rate)
    replication_output_rate: Rate = field(default_factory=Rate)

    def reset(self) -> None:
        """Start counting anew, in place: the data plane holds on to this object."""
        fresh = Stats()
        for name in self.__slots__:
            setattr(self, name, getattr(fresh, name))

    def error(self, code: str) -> None:
        """Count an error reply by its code."""
        self.error_replies += 1
        if code in self.errors or len(self.errors) < ERROR_CODES_MAX:
            self.errors[code] = self.errors.get(code, 0) + 1

    def sample(self, now: float) -> None:
        """Measure the rates."""
        self.commands_rate.sample(now, self.commands)
        self.input_rate.sample(now, self.bytes_in)
        self.output_rate.sample(now, self.bytes_out)
        self.replication_input_rate.sample(now, self.replication_bytes_in)
        self.replication_output_rate.sample(now, self.replication_bytes_out)
