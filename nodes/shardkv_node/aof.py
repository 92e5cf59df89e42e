"""The node's log of writes (AOF): switched on and off, written anew in a child, loaded at the start.

What is written when is decided by ``shardkv.persist.aof``; this is its hand. The order of things on disk is what makes
a crash at any moment harmless: a file that the manifest names is there before the manifest says so, and nothing is
deleted before a manifest without it is on disk.
"""

from __future__ import annotations

import errno
import gc
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from shardkv.engine.engine import Engine
from shardkv.engine.propagation import Sink
from shardkv.errors import ReplyError
from shardkv.keyspace.database import Database
from shardkv.persist.aof.manifest import Manifest
from shardkv.persist.aof.rewriting import CommandSnapshot
from shardkv.persist.aof.state import REWRITING_CHILD
from shardkv.persist.loading import LoadProgress

from . import clock
from .aof_files import AofFolder
from .aof_loading import AofLoader
from .aof_writer import AofWriter
from .child import Children, Outcome, Report
from .disk import Disk
from .loading import LoadFault
from .snapshot_files import SYNC_BYTES, write_descriptor
from .snapshots import paced

if TYPE_CHECKING:
    from shardkv.persist.rdb.writer import Snapshot

    from .reactor import Reactor
    from .snapshots import Snapshots
    from .world import Shutdown

#: How often is looked for what is to be done in the background.
LOOK_SECONDS: Final = 0.1
_MEBIBYTE: Final = 1 << 20


def leave_process() -> None:
    """End the process at once: no reply that waits may leave."""
    os._exit(1)


class AppendOnly:
    """The log of one engine. ``log(level, text)`` writes a line."""

    def __init__(
        self,
        engine: Engine,
        snapshots: Snapshots,
        children: Children,
        log: Callable[[str, str], None],
        disk: Disk | None = None,
        give_up: Callable[[], None] = leave_process,
    ) -> None:
        self._engine = engine
        self._config = engine.config
        self._snapshots = snapshots
        self._children = children
        self._log = log
        self._disk = disk or Disk()
        self.state = engine.aof
        self.reactor: Reactor | None = None  #: whose replies wait for what is written
        self.folder = self._make_folder()
        self._held_up = engine.observer.held_up
        self.writer = AofWriter(self._config, self.state, self._disk, log, engine.refresh_calm, give_up, self._held_up)
        self.writer.child_is_working = lambda: children.running is not None
        self._sink: Sink | None = None

    def _make_folder(self) -> AofFolder:
        config = self._config
        return AofFolder(Path(config.dir, config.appenddirname), config.appendfilename, self._disk, self._log)

    # ---- at the start

    def open(self) -> None:
        """Find out what is to be loaded; from then on, and until ``load`` has ended, clients are answered LOADING.
        Raises LoadFault."""
        self.folder.read()
        self.folder.tidy()
        if self.folder.manifest.parts:
            self._engine.begin_loading(LoadProgress(clock.unix_ms() // 1000, self.folder.total_size))
        elif self._snapshots.path.is_file():
            self._log(
                "warning",
                f"appendonly is on and there is no log yet: the snapshot {self._snapshots.path} is not loaded. To keep "
                "its keys start without appendonly and switch it on by CONFIG SET.",
            )

    async def load(self) -> None:
        """Load the log into the empty databases of the engine. Raises LoadFault."""
        engine = self._engine
        progress = engine.progress
        if not engine.loading or progress is None:
            return
        started = clock.stopwatch()
        gc.disable()  # all that is made now is meant to stay
        try:
            for offset in AofLoader(engine, self.folder, self._disk, self._log).steps():
                progress.loaded = offset
                await trio.lowlevel.checkpoint()
        finally:
            gc.enable()
            gc.freeze()
        engine.snapshots.settled = engine.databases.changes
        engine.end_loading()
        self._log("notice", f"DB loaded from append only file: {clock.stopwatch() - started:.3f} seconds")

    def start(self) -> None:
        """Append to the log from now on. Raises LoadFault."""
        try:
            self._start()
        except OSError as error:
            raise LoadFault(f"The AOF in {self.folder.folder} cannot be opened: {error.strerror or error}") from error

    def _start(self) -> None:
        folder = self.folder
        self._disk.make_folder(folder.folder)
        manifest = folder.manifest
        if not manifest.parts:
            manifest = manifest.with_base(preamble=self._config.aof_use_rdb_preamble)
            assert manifest.base is not None
            self._log("notice", f"Creating AOF base file {manifest.base.name} on server start")
            self._write_base(folder.path(manifest.base), self._base())
        fresh = manifest.current is None
        manifest = manifest.with_increment() if fresh else manifest
        assert manifest.current is not None
        self._log(
            "notice", f"{'Creating' if fresh else 'Opening'} AOF incr file {manifest.current.name} on server start"
        )
        self.writer.open(folder.path(manifest.current))
        if manifest != folder.manifest:
            folder.store(manifest)
        self._drop_history()
        self.state.size = self.state.base_size = folder.total_size
        self.state.enabled = True
        self._record()

    def _record(self) -> None:
        """Record what is propagated from now on, and let replies wait for it."""
        self._stop_recording()
        engine, recorder = self._engine, self.writer.recorder
        if self._config.aof_timestamp_enabled:
            self._sink = self._take_stamped
        else:
            self._sink = recorder.take
            engine.propagation.in_one_go[self._sink] = recorder.take_all
        engine.sinks.append(self._sink)
        if self.reactor is not None:
            self.reactor.hold_replies(self.writer.commit)

    def _take_stamped(self, database: Database | None, words: list[bytes]) -> None:
        self.writer.recorder.stamp(self._engine.now // 1000)
        self.writer.recorder.take(database, words)

    def _stop_recording(self) -> None:
        if self._sink is not None:
            self._engine.sinks.remove(self._sink)
            self._engine.propagation.in_one_go.pop(self._sink, None)
            self._sink = None
        if self.reactor is not None:
            self.reactor.hold_replies(None)

    # ---- on and off

    def options_changed(self, names: frozenset[str]) -> None:
        """CONFIG SET has changed options. Raises ReplyError."""
        config, state = self._config, self.state
        if "appendonly" in names and config.appendonly != state.enabled:
            if config.appendonly:
                self._switch_on()
            else:
                self._switch_off()
        elif "dir" in names and state.enabled:
            # The log moves with the node: it is written anew at the new place.
            self._switch_off()
            self._switch_on()
        elif "appendfsync" in names and state.enabled:
            self.writer.sync_now()
        if "aof-timestamp-enabled" in names and self._sink is not None:
            self._record()
        if "aof-disable-auto-gc" in names and state.enabled and not state.awaiting_base:
            self._drop_history()

    def _switch_on(self) -> None:
        """Begin a log: it counts as soon as its first base is written. Raises ReplyError."""
        state = self.state
        self.folder = self._make_folder()
        self.folder.read()
        state.enabled = state.awaiting_base = True
        running = self._children.running
        if running is not None and running.kind != REWRITING_CHILD:
            state.scheduled = True
            self._log(
                "warning",
                "AOF was enabled but there is already another background operation. An AOF background was scheduled to "
                "start when possible.",
            )
            return
        if running is not None:
            # A base that was begun without the log says nothing of what comes after it.
            self._log(
                "warning",
                "AOF was enabled but there is already an AOF rewriting in background. Stopping background AOF and "
                "starting a rewrite now.",
            )
            self._children.end()
        try:
            self.rewrite()
        except OSError as error:
            state.enabled = state.awaiting_base = False
            self._log(
                "warning",
                "Redis needs to enable the AOF but can't trigger a background AOF rewrite operation. Check the above "
                "logs for more info about the error.",
            )
            raise ReplyError(
                "ERR CONFIG SET failed (possibly related to argument 'appendonly') - Unable to turn on AOF. Check "
                "server logs."
            ) from error

    def _switch_off(self) -> None:
        """End the log: what was recorded is brought to disk."""
        self._stop_recording()
        self._end_child()
        state = self.state
        if state.awaiting_base:
            self._give_temporary_up()
        else:
            self.writer.close()
        state.enabled = state.awaiting_base = state.scheduled = False

    def begin_anew(self) -> None:
        """All data were replaced by others (a replica's full synchronisation): the log begins with them, as soon as
        there can be a child."""
        if self.state.enabled:
            self._switch_off()
            self.state.enabled = self.state.awaiting_base = self.state.scheduled = True

    def _end_child(self) -> None:
        running = self._children.running
        if running is not None and running.kind == REWRITING_CHILD:
            self._children.end()

    def _give_temporary_up(self) -> None:
        self.writer.abandon()
        path = self.folder.path(self.folder.manifest.temporary_increment)
        self._log("notice", f"Removing the temp incr aof file {path.name}")
        self._try_delete(path)

    # ---- writing it anew

    def rewrite(self) -> None:
        """Begin to write the log anew in a child. Raises OSError; the log has it."""
        self.state.began()
        preamble = self._config.aof_use_rdb_preamble
        try:
            self._disk.make_folder(self.folder.folder)
            if self.state.enabled:
                self._begin_increment()
            base = self._base()
            child = self._children.start(
                REWRITING_CHILD,
                partial(self._write_in_child, base),
                partial(self._ended, preamble),
                total=base.total,
            )
        except OSError as error:
            self.state.failed()
            if self.state.awaiting_base:
                self._stop_recording()
                self._give_temporary_up()
            self._log("warning", f"Can't rewrite append only file in background: {error.strerror or error}")
            raise
        self._log("notice", f"Background append only file rewriting started by pid {child.pid}")

    def _begin_increment(self) -> None:
        """Append to a new file from now on, which begins where the new base will end. Raises OSError."""
        folder = self.folder
        if self.state.awaiting_base:
            path = folder.path(folder.manifest.temporary_increment)
            self._disk.delete(path)
            self.writer.open(path)
            self._log("notice", f"Creating AOF incr file {path.name} on background rewrite")
            self._record()
            return
        manifest = folder.manifest.with_increment()
        assert manifest.current is not None
        path = folder.path(manifest.current)
        # What comes in the next file must not be on disk without what comes before it.
        if not self.writer.sync_now():
            raise OSError(errno.EIO, f"the log cannot be written: {self.state.write_fault or self.state.sync_fault}")
        self._disk.close(self._disk.open_to_append(path))
        try:
            folder.store(manifest)
        except OSError:
            self._try_delete(path)
            raise
        self.writer.open(path)
        self._log("notice", f"Creating AOF incr file {path.name} on background rewrite")

    def _base(self) -> Snapshot | CommandSnapshot:
        """All databases as they are now."""
        config = self._config
        if config.aof_use_rdb_preamble:
            return self._snapshots.snapshot(for_log=True)
        seconds = clock.unix_ms() // 1000 if config.aof_timestamp_enabled else None
        return CommandSnapshot(self._engine.databases, self._engine.scripts.library_codes(), seconds)

    def _write_base(self, path: Path, base: Snapshot | CommandSnapshot, report: Report | None = None) -> None:
        """Write a base file. Raises OSError; nothing is left behind then."""
        descriptor = self._disk.open_to_append(path)
        try:
            try:
                os.ftruncate(descriptor, 0)
                chunks = paced(base, self._config.rdb_key_save_delay, report)
                incremental = self._config.aof_rewrite_incremental_fsync
                write_descriptor(descriptor, chunks, sync_every=SYNC_BYTES if incremental else 0)
                self._disk.sync(descriptor)
            finally:
                self._disk.close(descriptor)
        except OSError:
            self._try_delete(path)
            raise

    def _temporary_base(self, pid: int) -> Path:
        return self.folder.path(f"temp-rewriteaof-bg-{pid}.aof")

    def _write_in_child(self, base: Snapshot | CommandSnapshot, report: Report) -> None:
        self._write_base(self._temporary_base(os.getpid()), base, report)

    def _ended(self, preamble: bool, outcome: Outcome) -> None:
        """The child has ended: what it wrote becomes the base, or is thrown away."""
        state = self.state
        temporary = self._temporary_base(outcome.pid)
        ok, reason = outcome.ok, outcome.reason
        if ok:
            self._log("notice", "Background AOF rewrite terminated with success")
            try:
                self._take_over(temporary, preamble)
            except OSError as error:
                ok, reason = False, error.strerror or str(error)
        if ok:
            state.base_size = state.size = self.folder.total_size
            state.awaiting_base = False
        else:
            self._try_delete(temporary)
            if state.awaiting_base:
                self._stop_recording()
                self._give_temporary_up()
            self._log("warning", f"Background AOF rewrite terminated with error: {reason}")
        state.ended(outcome.seconds, outcome.copied, ok=ok, aborted=outcome.aborted)
        if ok:
            self._drop_history()
            self._log("notice", "Background AOF rewrite finished successfully")

    def _take_over(self, temporary: Path, preamble: bool) -> None:
        """Make what the child has written the base of the log. Raises OSError, and then the log is what it was."""
        folder, state = self.folder, self.state
        manifest = folder.manifest
        if state.awaiting_base:
            manifest = manifest.with_increment()
        manifest = manifest.rewritten(preamble=preamble, appending=state.enabled)
        assert manifest.base is not None
        base = folder.path(manifest.base)
        with clock.measured(self._held_up, "aof-rename"):
            self._disk.rename(temporary, base)
        self._log(
            "notice", f"Successfully renamed the temporary AOF base file {temporary.name} into {manifest.base.name}"
        )
        try:
            if state.awaiting_base:
                self._name_increment(manifest)
            if manifest.current is None:
                folder.keep_base_only(manifest)
            else:
                folder.store(manifest)
        except OSError:
            self._try_delete(base)
            raise

    def _name_increment(self, manifest: Manifest) -> None:
        assert manifest.current is not None
        temporary = manifest.temporary_increment
        with clock.measured(self._held_up, "aof-rename"):
            self._disk.rename(self.folder.path(temporary), self.folder.path(manifest.current))
        self._log(
            "notice", f"Successfully renamed the temporary AOF incr file {temporary} into {manifest.current.name}"
        )

    def _drop_history(self) -> None:
        if not self._config.aof_disable_auto_gc:
            self.folder.drop_history()

    def _try_delete(self, path: Path) -> None:
        try:
            self._disk.delete(path)
        except OSError as error:
            self._log("warning", f"Could not remove {path}: {error.strerror}")

    # ---- in the background

    async def run(self) -> None:
        """Bring the log to disk, and write it anew when that is wanted, until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                await trio.sleep(LOOK_SECONDS)
                if self.writer.is_open:
                    self.writer.commit()
                    if not self.state.syncing:
                        nursery.start_soon(self.writer.sync_aside)
                self._consider_rewriting()

    def _consider_rewriting(self) -> None:
        state, config = self.state, self._config
        if self._children.running is not None:
            return
        growth = state.grown(config.auto_aof_rewrite_percentage, config.auto_aof_rewrite_min_size)
        if not state.scheduled and growth is None:
            return
        was_waiting = state.minutes_to_wait
        if state.limited(clock.unix_ms() // 1000):
            if state.minutes_to_wait != was_waiting:
                self._log(
                    "warning",
                    "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in "
                    f"{state.minutes_to_wait} minutes",
                )
            return
        if not state.scheduled:
            self._log("notice", f"Starting automatic rewriting of AOF on {growth}% growth")
        try:
            self.rewrite()
        except OSError:
            pass  # it is in the log and in INFO, and will be tried again

    # ---- by hand

    def reload(self) -> None:
        """Empty the databases and load the log (DEBUG LOADAOF). Raises LoadFault; what was loaded before it stays."""
        engine = self._engine
        if engine.loading:
            raise LoadFault("The log cannot be loaded while the data set is loading")
        now = engine.now
        if self.writer.is_open:
            self.writer.sync_now()
        sinks, engine.sinks[:] = engine.sinks[:], []
        try:
            engine.databases.flushed(None)
            for database in engine.databases.opened:
                database.clear()
            self.folder.read()
            progress = LoadProgress(now // 1000, self.folder.total_size)
            engine.begin_loading(progress)
            for progress.loaded in AofLoader(engine, self.folder, self._disk, self._log).steps():
                pass
        finally:
            engine.end_loading()
            engine.sinks[:] = sinks
            engine.begin(now)
        engine.snapshots.settled = engine.databases.changes

    def say_farewell(self, order: Shutdown) -> None:
        """Bring everything to disk. Raises OSError if the node must not end now."""
        state = self.state
        running = self._children.running
        if running is not None and running.kind == REWRITING_CHILD:
            if state.awaiting_base and not order.force:
                self._log("warning", "Writing initial AOF, can't exit.")
                raise OSError(errno.EBUSY, "the first base of the log is being written")
            if state.awaiting_base:
                self._log("warning", "Writing initial AOF. Exit anyway.")
            self._log("warning", "There is a child rewriting the AOF. Killing it!")
            self._children.end()
        if state.enabled and self.writer.is_open:
            self._log("notice", "Calling fsync() on the AOF file.")
            self.writer.sync_now()

    def close(self) -> None:
        """The node ends: the last that was recorded."""
        self.writer.close()
