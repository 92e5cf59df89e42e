"""What the latency monitor hears of the log of writes on a slow disk, each event by its name in Redis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from shardkv_node import clock
from shardkv_node.disk import Disk

from tests.unit.test_aof_crashes import Logged


class SlowDisk(Disk):
    """Every step takes a number of seconds, by a clock that nothing else moves."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.each = 0.0

    def __call__(self) -> float:
        return self.seconds

    def write(self, descriptor: int, data: bytes) -> int:
        self.seconds += self.each
        return super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self.seconds += self.each
        super().sync(descriptor)

    def size(self, descriptor: int) -> int:
        self.seconds += self.each
        return super().size(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        self.seconds += self.each
        super().rename(old, new)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SlowDisk:
    """The disk, whose clock is that of the node."""
    slow = SlowDisk()
    monkeypatch.setattr(clock, "stopwatch", slow)
    return slow


def latest(logged: Logged) -> dict[str, int]:
    """Milliseconds of the last moment of each event."""
    events: list[Any] = logged.kv("LATENCY", "LATEST")
    return {event[0]: event[2] for event in events}


def test_a_slow_write_and_a_slow_sync(tmp_path: Path, disk: SlowDisk) -> None:
    logged = Logged(tmp_path, disk)
    logged.kv("CONFIG", "SET", "latency-monitor-threshold", 10)
    logged.do("SET", "a", 1)
    assert latest(logged) == {}
    disk.each = 0.02
    logged.do("SET", "a", 2)
    assert latest(logged) == {"aof-write": 20, "aof-write-alone": 20, "aof-fsync-always": 20}


def test_what_may_be_to_blame_is_told(tmp_path: Path, disk: SlowDisk) -> None:
    logged = Logged(tmp_path, disk, policy="everysec")
    logged.kv("CONFIG", "SET", "latency-monitor-threshold", 10)
    disk.each = 0.03
    logged.log.state.syncing = True
    logged.do("SET", "a", 1)
    assert latest(logged) == {"aof-write": 30, "aof-write-pending-fsync": 30}
    logged.log.state.syncing = False
    logged.kv("LATENCY", "RESET")
    logged.log.rewrite()
    assert latest(logged) == {"aof-fstat": 30}
    logged.do("SET", "a", 2)
    assert latest(logged) == {"aof-fstat": 30, "aof-write": 30, "aof-write-active-child": 30}
    logged.children.finish()
    assert latest(logged)["aof-rename"] == 30
