"""The log on a faulty disk: whatever step the node ends at, and whatever the disk refuses, nothing is lost that was
promised."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final, cast

import pytest
import trio
from shardkv_node.aof import AppendOnly
from shardkv_node.aof_loading import AofLoader
from shardkv_node.child import Outcome
from shardkv_node.disk import Disk
from shardkv_node.snapshots import Snapshots

from shardkv.config import Config
from shardkv.errors import ReplyError
from tests.support.engine_client import EngineClient
from tests.support.faulty_disk import Crash, FaultyDisk


class NoFork:
    """A saving child that has done its work at once, as the data set stood, and tells of it when asked to."""

    def __init__(self) -> None:
        self.running: Any = None
        self.broken = False
        self._done: Callable[[Outcome], None] | None = None

    def start(self, kind: str, work: Callable[[Any], None], done: Any, *, total: int = 0, keep: Any = ()) -> Any:
        """See Children."""
        work(_Silent())
        self._done = done
        self.running = _Running(kind)
        return self.running

    def end(self) -> None:
        """It is told to end."""
        self.finish(ok=False, aborted=True)

    def finish(self, *, ok: bool = True, aborted: bool = False) -> None:
        """It has ended."""
        self.running = None
        if self._done is not None:
            done, self._done = self._done, None
            done(Outcome("aof", _pid(), ok and not self.broken, aborted, "it was broken", 0.1, 0))


class _Running:
    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.pid = _pid()


class _Silent:
    def __call__(self, keys: int) -> None:
        """Nobody listens."""


def _pid() -> int:
    return os.getpid()


class Logged:
    """An engine with a log in a folder, on a disk of the test's choice."""

    def __init__(self, folder: Path, disk: Disk, policy: str = "always", preamble: bool = True) -> None:
        config = Config()
        config.assign(Config.dir, str(folder))
        config.assign(Config.appendonly, True)
        config.assign(Config.appendfsync, policy)
        config.assign(Config.aof_use_rdb_preamble, preamble)
        self.kv = EngineClient(config=config)
        self.config = config
        self.told: list[str] = []
        self.gone = False
        self.children = cast(Any, NoFork())
        engine = self.kv.engine
        snapshots = Snapshots(engine, self.children, self._log)
        self.log = AppendOnly(engine, snapshots, self.children, self._log, disk, self._give_up)
        self.log.open()
        for _ in AofLoader(engine, self.log.folder, disk, self._log).steps():
            pass
        if engine.loading:
            engine.end_loading()
        self.log.start()

    def _log(self, level: str, text: str) -> None:
        self.told.append(text)

    def _give_up(self) -> None:
        self.gone = True
        raise Crash

    def do(self, *words: bytes | str | float) -> Any:
        """One request, with what a round does before its reply leaves."""
        reply = self.kv(*words)
        self.log.writer.commit()
        return reply

    def digest(self) -> bytes:
        """Of all data."""
        return self.kv.raw("DEBUG", "DIGEST")


def _recovered(folder: Path, preamble: bool) -> Logged:
    return Logged(folder, Disk(), preamble=preamble)


class Story:
    """Writes, rewrites and switches, and what of it must be there after a crash."""

    def __init__(self, folder: Path, disk: FaultyDisk, policy: str, preamble: bool) -> None:
        self.history: list[bytes] = []  #: digests, one after each write; the first is that of no data
        self.promised = 0  #: the first of these that may be met after a crash
        self._number = 0
        self._power = policy != "always" and disk.power
        kv = EngineClient()
        self.history.append(kv.raw("DEBUG", "DIGEST"))
        self._place = (folder, disk, policy, preamble)

    def play(self) -> None:
        """All of it."""
        logged = Logged(*self._place)
        self._write(logged, 3)
        logged.log.rewrite()
        self._write(logged, 3)
        logged.children.finish()
        self._write(logged, 2)
        logged.log.rewrite()
        logged.children.broken = True
        self._write(logged, 1)
        logged.children.finish()
        logged.children.broken = False
        self._write(logged, 1)
        logged.log.rewrite()
        logged.children.finish()
        self._write(logged, 1)
        self._switch(logged, "no")
        self._switch(logged, "yes")
        self._write(logged, 2, promised=False)
        logged.children.finish()
        self.promised = len(self.history) - 1 if not self._power else self.promised
        self._write(logged, 2)
        logged.log.close()

    def _switch(self, logged: Logged, to: str) -> None:
        logged.config.assign(Config.appendonly, to == "yes")
        logged.log.options_changed(frozenset({"appendonly"}))

    def _write(self, logged: Logged, count: int, *, promised: bool = True) -> None:
        for _ in range(count):
            self._number += 1
            if self._number % 3 == 0:
                logged.kv("MULTI")
                logged.kv("SELECT", self._number % 2)
                logged.kv("INCR", "counter")
                logged.kv("RPUSH", "list", self._number)
                logged.kv("EXEC")
            else:
                logged.kv("RPUSH", "list", self._number)
            self.history.append(logged.digest())
            logged.log.writer.commit()
            if promised and not self._power:
                self.promised = len(self.history) - 1


def _steps(folder: Path, policy: str, preamble: bool) -> int:
    disk = FaultyDisk(Random(0))
    story = Story(folder, disk, policy, preamble)
    story.play()
    assert _recovered(folder, preamble).digest() == story.history[-1]
    return disk.steps


POLICIES: Final = [("always", False), ("always", True), ("everysec", False), ("everysec", True), ("no", False)]


@pytest.mark.parametrize(("policy", "power"), POLICIES)
def test_a_crash_at_some_step_loses_nothing_that_was_promised(
    tmp_path: Path, policy: str, power: bool, seed: int
) -> None:
    _crash_at_steps(tmp_path, policy, power, seed % 2 == 0, seed % 9, 9)


@pytest.mark.long
@pytest.mark.parametrize("preamble", [True, False], ids=["snapshot", "commands"])
@pytest.mark.parametrize(("policy", "power"), POLICIES)
def test_a_crash_at_any_step_loses_nothing_that_was_promised(
    tmp_path: Path, policy: str, power: bool, preamble: bool
) -> None:
    _crash_at_steps(tmp_path, policy, power, preamble, 0, 1)


def _crash_at_steps(tmp_path: Path, policy: str, power: bool, preamble: bool, first: int, stride: int) -> None:
    (tmp_path / "whole").mkdir()
    steps = _steps(tmp_path / "whole", policy, preamble)
    assert steps > 60
    for step in range(1 + first, steps + 1, stride):
        folder = tmp_path / str(step)
        folder.mkdir()
        disk = FaultyDisk(Random(step), step, power=power)
        story = Story(folder, disk, policy, preamble)
        with pytest.raises(Crash):
            story.play()
        found = _recovered(folder, preamble)
        assert found.digest() in story.history[story.promised :], f"step {step}"
        # It goes on from there, and what is left behind does no harm.
        found.do("SET", "after", "the crash")
        found.log.rewrite()
        found.children.finish()
        found.log.close()
        assert _recovered(folder, preamble).kv("GET", "after") == "the crash"
        assert len(list((folder / "appendonlydir").iterdir())) == 3


# ---- a disk that is full


@pytest.mark.parametrize("policy", ["everysec", "no"])
def test_on_a_full_disk_writes_are_refused_and_none_is_lost(tmp_path: Path, policy: str) -> None:
    disk = FaultyDisk(Random(0))
    logged = Logged(tmp_path, disk, policy)
    logged.do("SET", "a", 1)
    disk.full = True
    logged.do("SET", "b", 2)
    state = logged.kv.engine.aof
    assert state.write_fault == "No space left on device"
    assert state.buffered > 0
    with pytest.raises(ReplyError, match="MISCONF Errors writing to the AOF file: No space left"):
        logged.do("SET", "c", 3)
    assert logged.do("GET", "b") == "2"
    # A crash now loses what could not be written, and leaves no part of a command.
    assert _recovered_elsewhere(tmp_path, tmp_path / "copy").kv("KEYS", "*") == ["a"]
    with pytest.raises(OSError, match="cannot be written"):
        logged.log.rewrite()
    disk.full = False
    logged.log.writer.commit(force=True)
    assert state.write_fault == ""
    assert "AOF write error looks solved. The server can write again." in logged.told
    assert logged.do("SET", "c", 3) == "OK"
    assert sorted(_recovered_elsewhere(tmp_path, tmp_path / "copy2").kv("KEYS", "*")) == ["a", "b", "c"]


def _recovered_elsewhere(folder: Path, copy: Path) -> Logged:
    shutil.copytree(folder / "appendonlydir", copy / "appendonlydir")
    return Logged(copy, Disk())


def test_under_always_a_full_disk_ends_the_node_before_a_reply_leaves(tmp_path: Path) -> None:
    disk = FaultyDisk(Random(0))
    logged = Logged(tmp_path, disk, "always")
    logged.do("SET", "a", 1)
    disk.full = True
    with pytest.raises(Crash):
        logged.do("SET", "b", 2)
    assert logged.gone
    assert "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting..." in logged.told
    assert _recovered(tmp_path, True).kv("KEYS", "*") == ["a"]


def test_under_always_a_sync_that_fails_ends_the_node_before_a_reply_leaves(tmp_path: Path) -> None:
    disk = FaultyDisk(Random(0))
    logged = Logged(tmp_path, disk, "always")
    disk.unsyncable = True
    with pytest.raises(Crash):
        logged.do("SET", "b", 2)
    assert any(line.startswith("Can't persist AOF for fsync error") for line in logged.told)


def test_a_rewrite_that_finds_no_room_leaves_the_log_as_it_is(tmp_path: Path) -> None:
    disk = FaultyDisk(Random(0))
    logged = Logged(tmp_path, disk, "everysec")
    logged.do("SET", "a", 1)
    disk.full = True
    with pytest.raises(OSError, match="No space left"):
        logged.log.rewrite()
    assert not logged.kv.engine.aof.rewrite_ok
    disk.full = False
    logged.do("SET", "b", 2)
    assert sorted(_recovered(tmp_path, True).kv("KEYS", "*")) == ["a", "b"]


def test_a_rewrite_whose_manifest_cannot_be_written_is_thrown_away(tmp_path: Path) -> None:
    disk = FaultyDisk(Random(0))
    logged = Logged(tmp_path, disk, "everysec")
    logged.do("SET", "a", 1)
    logged.log.rewrite()
    disk.full = True
    logged.children.finish()
    disk.full = False
    assert not logged.kv.engine.aof.rewrite_ok
    logged.do("SET", "b", 2)
    names = {path.name for path in (tmp_path / "appendonlydir").iterdir()}
    assert "appendonly.aof.2.base.rdb" not in names
    assert sorted(_recovered(tmp_path, True).kv("KEYS", "*")) == ["a", "b"]


async def _sync(logged: Logged) -> None:
    await logged.log.writer.sync_aside()


def test_under_everysec_a_sync_that_fails_refuses_writes_until_it_works_and_the_log_is_written_anew(
    tmp_path: Path,
) -> None:
    disk = FaultyDisk(Random(0))
    logged = Logged(tmp_path, disk, "everysec")
    logged.do("SET", "a", 1)
    disk.unsyncable = True
    trio.run(_sync, logged)
    with pytest.raises(ReplyError, match="MISCONF Errors writing to the AOF file: Input"):
        logged.do("SET", "b", 2)
    disk.unsyncable = False
    logged.log.writer.flushing._last = 0.0  # a second later
    trio.run(_sync, logged)
    assert logged.do("SET", "b", 2) == "OK"
    assert logged.kv.engine.aof.scheduled
