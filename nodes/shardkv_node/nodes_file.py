"""nodes.conf on disk: written whole, synced, and not waited for by anybody who serves clients.

A sync can take a fifth of a second on a busy disk. So a thread does it, one write at a time; what changes meanwhile
goes with the next, all of it in one. What nobody waits for may wait a little itself, for company.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import trio

from shardkv.cluster import nodesconf
from shardkv.cluster.view import ClusterView

from .disk import write_atomically

SOON_SECONDS = 0.1


class NodesFile:
    """Implements ``driver.Records``. Views are numbered in the order in which they are to be written."""

    def __init__(self, path: Path, log: Callable[[str, str], None], lasts: Callable[[], None]) -> None:
        """``lasts`` is called whenever ``written`` has grown."""
        self._path = path
        self._log = log
        self._lasts = lasts
        self._asked = 0
        self._view: ClusterView
        self._running = False
        self._changed = trio.Event()
        self._urgent = trio.Event()
        self._writing = Lock()
        self._stored = 0  #: guarded by the lock
        self.written = 0

    def write(self, view: ClusterView, *, urgent: bool) -> int:
        """Write a view soon, as soon as can be if it is ``urgent``, before it returns while ``run`` does not; its
        number."""
        self._asked, self._view = self._asked + 1, view
        if not self._running:
            self.settle()
        self._changed.set()
        if urgent:
            self._urgent.set()
        return self._asked

    def settle(self) -> None:
        """Write at once what is to be written. Not for use from within an effect."""
        if self.written < self._asked:
            self._store(self._asked, self._view)
            self._note(self._asked)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write in the background until cancelled; one that is cancelled leaves nothing half done."""
        self._running = True
        task_status.started()
        try:
            while True:
                await self._changed.wait()
                with trio.move_on_after(SOON_SECONDS):
                    await self._urgent.wait()
                self._changed, self._urgent = trio.Event(), trio.Event()
                number = self._asked
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(self._store, number, self._view)
                await trio.lowlevel.checkpoint_if_cancelled()  # the world that it was held back from is gone
                self._note(number)
        finally:
            self._running = False

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
