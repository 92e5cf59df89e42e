"""The saving child: what it may do, what it tells, and how it ends."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import trio.testing
from shardkv_node.child import Children, Outcome, Report
from shardkv_node.snapshot_files import temporary_path, write_descriptor, write_file

Work = Callable[[Report], None]


class Told:
    """What children came to, and what was logged."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.children = Children(lambda level, text: None)
        self.ended = trio.Event()

    def done(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.ended.set()


def outcome_of(work: Work, meanwhile: Callable[[Told], None] = lambda told: None) -> Outcome:
    """Runs one child under trio; how it ended."""
    told = Told()

    async def main() -> None:
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(told.children.run)
                told.children.start("rdb", work, told.done, total=3)
                meanwhile(told)
                await told.ended.wait()
                nursery.cancel_scope.cancel()

    trio.run(main)
    assert told.children.running is None
    [outcome] = told.outcomes
    return outcome


def for_ever(report: Report) -> None:
    """Work that ends by a signal only."""
    while True:
        signal.pause()


def test_work_that_returns_is_done() -> None:
    outcome = outcome_of(lambda report: report(3))
    assert (outcome.kind, outcome.ok, outcome.aborted, outcome.reason) == ("rdb", True, False, "")
    assert outcome.seconds > 0
    assert outcome.copied > 0 or not os.path.exists("/proc/self/smaps_rollup")


def test_what_the_work_raises_is_the_reason() -> None:
    def full(report: Report) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def broken(report: Report) -> None:
        raise KeyError("two\nlines")

    assert outcome_of(full).reason == "No space left on device"
    outcome = outcome_of(broken)
    assert (outcome.ok, outcome.aborted) == (False, False)
    assert outcome.reason == "KeyError: 'two\\nlines'"


def test_a_child_that_is_killed_by_a_stranger_has_failed() -> None:
    outcome = outcome_of(lambda report: os.kill(os.getpid(), signal.SIGKILL))
    assert (outcome.ok, outcome.aborted, outcome.reason) == (False, False, "it was ended by signal 9")


def test_a_child_that_is_told_to_end_has_not() -> None:
    for way in (Children.kill, Children.end):
        outcome = outcome_of(for_ever, lambda told, way=way: way(told.children))  # type: ignore[misc]  # mypy knows no default of a lambda
        assert (outcome.ok, outcome.aborted) == (False, True)


def test_the_end_of_the_node_is_the_end_of_the_child() -> None:
    told = Told()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(told.children.run)
            told.children.start("rdb", for_ever, told.done)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert [outcome.aborted for outcome in told.outcomes] == [True]


def test_there_is_one_child_at_a_time() -> None:
    def second(told: Told) -> None:
        with pytest.raises(OSError, match="active already") as refusal:
            told.children.start("aof", for_ever, told.done)
        assert refusal.value.errno == errno.EBUSY
        facts = told.children.facts()
        assert facts is not None
        assert (facts["kind"], facts["keys_total"]) == ("rdb", 3)
        told.children.end()

    outcome_of(for_ever, second)


def test_a_child_holds_no_descriptor_but_its_own() -> None:
    reading, writing = os.pipe()
    other = os.open(os.devnull, os.O_RDONLY)
    told = Told()

    def work(report: Report) -> None:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(other)
        write_descriptor(writing, [b"a snap", b"shot"])

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(told.children.run)
            told.children.start("replication", work, told.done, keep=(writing,))
            os.close(writing)
            await told.ended.wait()
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert told.outcomes[0].ok, told.outcomes[0].reason
    assert os.read(reading, 100) == b"a snapshot"
    os.close(reading)
    os.close(other)


def test_a_file_is_replaced_by_the_whole_new_one(tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    path.write_bytes(b"old")
    assert write_file(path, [b"new", b"er"]) == 5
    assert path.read_bytes() == b"newer"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    path.write_bytes(b"old")

    def chunks() -> object:
        yield b"half"
        assert temporary_path(path, os.getpid()).exists()
        raise OSError(errno.ENOSPC, "No space left on device")

    def orphaned() -> None:
        raise OSError(errno.ESRCH, "the node has ended")

    with pytest.raises(OSError, match="No space"):
        write_file(path, chunks())  # type: ignore[arg-type]  # a generator is iterable enough
    with pytest.raises(OSError, match="the node has ended"):
        write_file(path, [b"new"], check=orphaned)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
