"""nodes.conf on its way to the disk: what is waited for goes at once, the rest soon, each view whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import trio
from shardkv_node import nodes_file
from shardkv_node.disk import write_atomically
from shardkv_node.nodes_file import NodesFile

from shardkv.cluster import nodesconf
from shardkv.cluster.nodes import Node
from shardkv.cluster.view import ClusterView


class Attending:
    """As much of a reactor as calls when there is something to be read."""

    def __init__(self) -> None:
        self.fd = -1
        self.readable: Callable[[], object] = int

    def attend(self, fd: int, readable: Callable[[], None]) -> None:
        """See Reactor."""
        self.fd, self.readable = fd, readable

    def dismiss(self, fd: int) -> None:
        """See Reactor."""
        assert fd == self.fd
        self.fd = -1

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await trio.lowlevel.wait_readable(self.fd)
            self.readable()


def view_of(epoch: int) -> ClusterView:
    """One that can be told from others."""
    return ClusterView.alone(Node("a" * 40, "127.0.0.1", 7000, 17000)).in_epoch(epoch)


def written(path: Path) -> int:
    """The epoch of the view on disk."""
    view = nodesconf.load(path.read_text())
    assert view is not None
    return view.current_epoch


def refuse(level: str, text: str) -> None:
    """Nothing is to be said."""
    raise AssertionError(text)


def scenario(path: Path, story: Callable[[NodesFile, list[int]], Any]) -> NodesFile:
    """Run a story beside the file; it is given what was on disk whenever it was told that something is."""
    reactor, told = Attending(), list[int]()
    file = NodesFile(path, refuse, lambda: told.append(file.written), reactor)  # type: ignore[arg-type]  # enough of one

    async def main() -> None:
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                await nursery.start(file.run)
                nursery.start_soon(reactor.run)
                await story(file, told)
                nursery.cancel_scope.cancel()

    trio.run(main)
    return file


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it."""
    while not condition():  # noqa: ASYNC110  # what is on disk announces itself to none but the file
        await trio.sleep(0.001)


def test_what_is_waited_for_goes_at_once_and_what_comes_meanwhile_goes_in_one(tmp_path: Path) -> None:
    path = tmp_path / "nodes.conf"

    async def story(file: NodesFile, told: list[int]) -> None:
        for epoch in range(1, 51):
            assert file.write(view_of(epoch), urgent=True) == epoch
        assert file.written == 0  # nobody has waited
        await until(lambda: file.written == 50)
        assert told == [1, 50]
        assert written(path) == 50

    scenario(path, story)
    assert written(path) == 50
    assert list(tmp_path.iterdir()) == [path]


def test_what_nobody_waits_for_is_written_soon(tmp_path: Path) -> None:
    """Alone, beside what is waited for, and after it."""
    path = tmp_path / "nodes.conf"

    async def story(file: NodesFile, told: list[int]) -> None:
        file.write(view_of(1), urgent=False)
        file.write(view_of(2), urgent=False)
        await until(lambda: file.written == 2)
        file.write(view_of(3), urgent=True)
        file.write(view_of(4), urgent=False)
        await until(lambda: file.written == 4)
        file.write(view_of(5), urgent=False)
        file.write(view_of(6), urgent=True)
        await until(lambda: file.written == 6)
        assert told == [2, 3, 4, 6]
        assert written(path) == 6

    scenario(path, story)


def test_whose_time_comes_while_the_thread_is_busy_goes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, slow = tmp_path / "nodes.conf", Event()

    def write_slowly(path: Path, data: bytes) -> None:
        assert slow.wait(20)
        write_atomically(path, data)

    monkeypatch.setattr(nodes_file, "write_atomically", write_slowly)
    monkeypatch.setattr(nodes_file, "SOON_SECONDS", 0)

    async def story(file: NodesFile, told: list[int]) -> None:
        file.write(view_of(1), urgent=True)
        file.write(view_of(2), urgent=False)
        for _ in range(20):
            await trio.lowlevel.checkpoint()
        assert told == []
        slow.set()
        await until(lambda: file.written == 2)
        assert told == [1, 2]
        assert written(path) == 2

    scenario(path, story)


def test_whoever_cannot_wait_writes_himself(tmp_path: Path) -> None:
    """Before it runs, while the thread has an older view in hand, and after it was cancelled."""
    path = tmp_path / "nodes.conf"
    early = NodesFile(path, refuse, lambda: None, Attending())  # type: ignore[arg-type]  # enough of one
    early.write(view_of(7), urgent=False)
    assert (early.written, written(path)) == (1, 7)

    async def story(file: NodesFile, told: list[int]) -> None:
        file.write(view_of(8), urgent=True)
        file.write(view_of(9), urgent=False)
        file.settle()
        assert (file.written, written(path)) == (2, 9)
        file.write(view_of(10), urgent=True)
        await until(lambda: file.written == 3)
        assert written(path) == 10
        file.write(view_of(11), urgent=False)

    file = scenario(path, story)
    assert written(path) == 10
    file.write(view_of(12), urgent=False)
    assert written(path) == 12
