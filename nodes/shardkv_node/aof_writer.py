"""The file that the log grows in: what is recorded is written once a round and brought to disk as ``appendfsync``
says."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from shardkv.persist.aof.flushing import ALWAYS, EVERYSEC, Flushing, Sync
from shardkv.persist.aof.records import Recorder
from shardkv.persist.aof.state import AofState

from . import clock
from .disk import Disk

if TYPE_CHECKING:
    from shardkv.config import Config


class AofWriter:
    """Writes one log. ``changed`` is called when writes have to be refused from now on, or need not be any more;
    ``give_up`` ends the process, since under ``always`` nothing may be promised that is not on disk; ``held_up`` is
    told of events that clients had to wait for, and their seconds."""

    def __init__(
        self,
        config: Config,
        state: AofState,
        disk: Disk,
        log: Callable[[str, str], None],
        changed: Callable[[], None],
        give_up: Callable[[], None],
        held_up: Callable[[str, float], None],
    ) -> None:
        self.recorder = Recorder()
        self.flushing = Flushing()
        self.child_is_working: Callable[[], bool] = lambda: False
        self._config = config
        self._state = state
        self._disk = disk
        self._log = log
        self._changed = changed
        self._give_up = give_up
        self._held_up = held_up
        self._descriptor: int | None = None
        self._unwritten = b""
        self._retired: list[int] = []  #: files that are to be brought to disk once more and closed

    # ---- files

    @property
    def is_open(self) -> bool:
        """Whether there is a file to write to."""
        return self._descriptor is not None

    def open(self, path: Path) -> None:
        """From now on append to this file; what was recorded before belongs to the one before. Raises OSError, and then
        nothing is changed."""
        self.commit(force=True)
        if self._unwritten:
            raise OSError(errno.EIO, "the log cannot be written")
        descriptor = self._disk.open_to_append(path)
        if self._descriptor is not None:
            self._retired.append(self._descriptor)
        self._descriptor = descriptor
        self.recorder.begin_file()
        with clock.measured(self._held_up, "aof-fstat"):
            size = self._disk.size(descriptor)
        self.flushing.open(size)

    def close(self) -> None:
        """Write and bring to disk what there is, and write no more."""
        if self._descriptor is None:
            return
        self.sync_now()
        self._disk.close(self._descriptor)
        self._descriptor = None
        self._forget()

    def abandon(self) -> None:
        """The file is not worth keeping: write no more, and forget what was not written."""
        if self._descriptor is not None:
            self._disk.close(self._descriptor)
            self._descriptor = None
        self._forget()

    def _forget(self) -> None:
        self.recorder = Recorder()
        self._unwritten = b""
        state = self._state
        state.buffered = 0
        if state.write_fault or state.sync_fault:
            state.write_fault = state.sync_fault = ""
            self._changed()

    # ---- once a round

    def commit(self, *, force: bool = False) -> None:
        """Write what was recorded, before the replies of the round leave. ``force``: however long the disk takes, and
        even if the last try has failed just now."""
        recorder = self.recorder
        if not recorder and not self._unwritten:
            return
        descriptor = self._descriptor
        if descriptor is None:
            return
        now = clock.stopwatch()
        policy = self._config.appendfsync
        flushing = self.flushing
        if not force:
            if self._state.write_fault and not flushing.may_retry(now):
                return
            if not flushing.may_write(policy, now):
                return
            if flushing.delayed != self._state.delayed:
                self._delayed()
        data = self._unwritten + recorder.give() if self._unwritten else recorder.give()
        written, error = self._write(descriptor, data)
        self._wrote(clock.stopwatch() - now)
        flushing.size += written
        self._state.size += written
        self._unwritten = data[written:]
        self._state.buffered = len(self._unwritten)
        if error is not None:
            self._failed(error, written, len(data), now)
        elif self._state.write_fault:
            self._state.write_fault = ""
            flushing.recovered()
            self._log("warning", "AOF write error looks solved. The server can write again.")
            self._changed()
        if flushing.sync(policy, now, paused=self._paused) is Sync.NOW:
            self._sync_before_replies(descriptor, now)

    def _write(self, descriptor: int, data: bytes) -> tuple[int, OSError | None]:
        """How much of ``data`` is in the file now, and why not all of it."""
        written = 0
        try:
            while written < len(data):
                written += self._disk.write(descriptor, data[written:] if written else data)
        except OSError as error:
            if written:
                # A part of a command must not stay: what comes next would be appended to it.
                try:
                    self._disk.cut(descriptor, self.flushing.size)
                    written = 0
                except OSError:
                    pass  # the rest follows it when there is room again
            return written, error
        return written, None

    def _wrote(self, seconds: float) -> None:
        """A write has taken so long: what may be to blame, and that there was one."""
        if self._state.syncing:
            self._held_up("aof-write-pending-fsync", seconds)
        elif self.child_is_working():
            self._held_up("aof-write-active-child", seconds)
        else:
            self._held_up("aof-write-alone", seconds)
        self._held_up("aof-write", seconds)

    def _failed(self, error: OSError, written: int, wanted: int, now: float) -> None:
        reason = error.strerror or str(error)
        if self.flushing.complains(now):
            self._log("warning", f"Error writing to the AOF file: {reason} (written: {written} of {wanted} bytes)")
        if self._config.appendfsync == ALWAYS:
            self._log(
                "warning",
                "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...",
            )
            self._give_up()
        if self._state.write_fault != reason:
            self._state.write_fault = reason
            self._changed()

    def _delayed(self) -> None:
        self._state.delayed = self.flushing.delayed
        self._log(
            "notice",
            "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting for "
            "fsync to complete, this may slow down Redis.",
        )

    # ---- to the disk

    @property
    def _paused(self) -> bool:
        return self._config.no_appendfsync_on_rewrite and self.child_is_working()

    def _sync_before_replies(self, descriptor: int, now: float) -> None:
        try:
            with clock.measured(self._held_up, "aof-fsync-always"):
                self._disk.sync(descriptor)
        except OSError as error:
            self._log(
                "warning",
                f"Can't persist AOF for fsync error when the AOF fsync policy is 'always': {error.strerror}. "
                "Exiting...",
            )
            self._give_up()
            return
        self.flushing.synced_all(now)

    def sync_now(self) -> bool:
        """Write everything and bring it to disk; whether that was possible (the log has it if not)."""
        self.commit(force=True)
        if self._descriptor is None:
            return True
        try:
            self._disk.sync(self._descriptor)
        except OSError as error:
            self._log("warning", f"Fail to fsync the AOF file: {error.strerror}.")
            return False
        self.flushing.synced_all(clock.stopwatch())
        return not self._unwritten

    async def sync_aside(self) -> None:
        """Bring what is written to disk in another thread, if it is time; and close the files that were left."""
        retired, self._retired = self._retired, []
        for left in retired:
            fault = await trio.to_thread.run_sync(self._retire, left)
            if fault:
                self._synced(fault)
        flushing = self.flushing
        now = clock.stopwatch()
        policy = self._config.appendfsync
        descriptor = self._descriptor
        if (
            descriptor is None
            or policy != EVERYSEC
            or flushing.sync(policy, now, paused=self._paused) is not Sync.ASIDE
        ):
            return
        flushing.began(now)
        self._state.syncing = True
        # The file may be closed meanwhile, and its number given to another.
        own = os.dup(descriptor)
        try:
            fault = await trio.to_thread.run_sync(self._try_sync, own)
        finally:
            os.close(own)
            self._state.syncing = False
        if flushing is self.flushing:
            flushing.ended(ok=not fault)
            self._synced(fault)

    def _try_sync(self, descriptor: int) -> str:
        try:
            self._disk.sync(descriptor)
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def _synced(self, fault: str) -> None:
        """It is on disk, or why not."""
        state = self._state
        if fault == state.sync_fault:
            return
        if fault:
            self._log("warning", f"Fail to fsync the AOF file: {fault}")
        else:
            # What the kernel could not bring to disk it may have thrown away, and not say so again.
            self._log("warning", "AOF fsync works again. The log is written anew, for the old one may have a gap.")
            state.scheduled = True
        state.sync_fault = fault
        self._changed()

    def _retire(self, descriptor: int) -> str:
        fault = self._try_sync(descriptor)
        self._disk.close(descriptor)
        return fault
