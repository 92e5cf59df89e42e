"""nodes.conf on disk: written whole, synced, and not waited for by anybody who serves clients.

A sync can take a fifth of a second on a busy disk. So a thread does it, one write at a time; what changes meanwhile
goes with the next, all of it in one. What nobody waits for may wait a little itself, for company; what somebody waits
for goes to the thread at once, and its end is noticed like a client's request: two turns of trio's scheduler for each
would cost as much as the disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING

import trio

from shardkv.cluster import nodesconf
from shardkv.cluster.view import ClusterView

from .disk import write_atomically

if TYPE_CHECKING:
    from .reactor import Reactor

SOON_SECONDS = 0.1


class NodesFile:
    """Implements ``driver.Records``. Views are numbered in the order in which they are to be written."""

    def __init__(
        self, path: Path, log: Callable[[str, str], None], lasts: Callable[[], None], reactor: Reactor
    ) -> None:
        """``lasts`` is called whenever ``written`` has grown."""
        self._path = path
        self._log = log
        self._lasts = lasts
        self._reactor = reactor
        self._asked = 0
        self._view: ClusterView
        self._due = 0  #: the number of the last view that is to wait no more
        self._running = False
        self._changed = trio.Event()
        self._jobs: SimpleQueue[tuple[int, ClusterView] | None] = SimpleQueue()
        self._given = 0  #: the number of the view that the thread has, while it has one
        self._writing = Lock()
        self._stored = 0  #: guarded by the lock
        self.written = 0

    def write(self, view: ClusterView, *, urgent: bool) -> int:
        """Write a view soon, as soon as can be if it is ``urgent``, before it returns while ``run`` does not; its
        number."""
        self._asked, self._view = self._asked + 1, view
        if not self._running:
            self.settle()
        elif urgent:
            self._hurry()
        else:
            self._changed.set()
        return self._asked

    def settle(self) -> None:
        """Write at once what is to be written. Not for use from within an effect."""
        if self.written < self._asked:
            self._store(self._asked, self._view)
            self._note(self._asked)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write in the background until cancelled; one that is cancelled leaves nothing half done."""
        ends, tells = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
        thread = Thread(target=self._work, args=(tells,), name="nodes.conf", daemon=True)
        thread.start()
        self._reactor.attend(ends, lambda: self._ended(ends))
        self._running = True
        task_status.started()
        try:
            while True:
                await self._changed.wait()
                await trio.sleep(SOON_SECONDS)
                self._changed = trio.Event()
                self._hurry()
        finally:
            self._running = False
            self._reactor.dismiss(ends)  # the world that effects were held back from is gone
            self._jobs.put(None)
            thread.join()
            os.close(ends)
            os.close(tells)

    def _hurry(self) -> None:
        """The latest view is to be written as soon as the thread is free."""
        self._due = self._asked
        if not self._given and self.written < self._due:
            self._give()

    def _give(self) -> None:
        self._given = self._asked
        self._jobs.put((self._asked, self._view))

    def _work(self, tells: int) -> None:
        """The thread."""
        while (job := self._jobs.get()) is not None:
            self._store(*job)
            os.write(tells, b"\0")

    def _ended(self, ends: int) -> None:
        """The thread has done what it was given."""
        with suppress(BlockingIOError):
            os.read(ends, 64)
        number, self._given = self._given, 0
        self._note(number)
        if not self._given and self.written < self._due:
            self._give()

    def _note(self, number: int) -> None:
        if number > self.written:
            self.written = number
            self._lasts()

    def _store(self, number: int, view: ClusterView) -> None:
        """A node that cannot keep a promise must not go on: ends the process if the disk refuses."""
        with self._writing:
            if number <= self._stored:
                return  # a later view is there already
            try:
                write_atomically(self._path, nodesconf.dump(view).encode("utf-8", "surrogateescape"))
            except OSError as error:
                self._log("warning", f"Fatal: can't update cluster config file {self._path}: {error.strerror}")
                os._exit(1)
            self._stored = number
