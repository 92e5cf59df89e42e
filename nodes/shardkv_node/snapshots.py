"""The node's snapshots: saved by hand, in the background and by the save points; loaded at the start.

What was saved when, and whether it is time, is known by ``shardkv.persist.snapshots.SnapshotState``; this is its hand.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, TypeAlias

import trio

from shardkv.commands.versions import REDIS_VERSION
from shardkv.engine.engine import Engine
from shardkv.keyspace.database import Database
from shardkv.persist.aof.rewriting import CommandSnapshot
from shardkv.persist.loading import LoadProgress
from shardkv.persist.rdb.faults import RdbFault
from shardkv.persist.rdb.loader import RdbLoader
from shardkv.persist.rdb.writer import Snapshot

from . import clock, process
from .child import Children, Outcome, Report
from .loading import (
    STEP_BYTES,
    LoadFault,
    database_finder,
    load_aside,
    load_steps,
    open_snapshot,
    restore_functions,
    size_of,
)
from .snapshot_files import temporary_path, write_file

if TYPE_CHECKING:
    from .world import Shutdown

#: How often is looked whether a snapshot is wanted.
LOOK_SECONDS: Final = 0.1
_MEBIBYTE: Final = 1 << 20

Remarks: TypeAlias = "Iterable[tuple[bytes, bytes]]"


def nothing_to_add() -> Remarks:
    """No remark."""
    return ()


class Snapshots:
    """Saves and loads the databases of one engine. ``log(level, text)`` writes a line."""

    def __init__(self, engine: Engine, children: Children, log: Callable[[str, str], None]) -> None:
        self._engine = engine
        self._config = engine.config
        self._children = children
        self._log = log
        self.state = engine.snapshots
        self.replication_remarks: Callable[[], Remarks] = nothing_to_add
        """What a snapshot says of the replication history it belongs to (``repl-id`` ...)."""
        self.remarks: dict[bytes, bytes] = {}  #: of the file that was loaded last
        self.left_out: list[tuple[int, bytes]] = []  #: the keys of it whose time was over (``RdbLoader.left_out``)
        self._file: BinaryIO | None = None

    # ---- saving

    @property
    def path(self) -> Path:
        """The file on disk."""
        return Path(self._config.dir, self._config.dbfilename)

    def snapshot(
        self, *, for_log: bool = False, without_data: bool = False, without_functions: bool = False
    ) -> Snapshot:
        """All databases as they are now, to be written at once or in a child. ``for_log``: as the base of the AOF. A
        part may be left out, for clients that ask for it."""
        config = self._config
        remarks = [
            (b"redis-ver", REDIS_VERSION.encode()),
            (b"redis-bits", b"64"),
            (b"ctime", b"%d" % (clock.unix_ms() // 1000)),
            (b"used-mem", b"%d" % process.resident_bytes()),
            *self.replication_remarks(),
            (b"aof-base", b"%d" % for_log),
        ]
        databases = [] if without_data else self._engine.databases
        libraries = [] if without_functions else self._engine.scripts.library_codes()
        stepwise = config.rdb_key_save_delay != 0
        return Snapshot(databases, config, clock.unix_ms(), remarks, libraries, stepwise=stepwise)

    def save(self) -> None:
        """Write the file while everybody waits. Raises OSError."""
        changes = self._engine.databases.changes
        try:
            self._write(self.snapshot(), self.path)
        except OSError as error:
            self._complain(error)
            raise
        self.state.stored(clock.unix_ms() // 1000, changes)
        self._engine.refresh_calm()
        self._log("notice", "DB saved on disk")

    def save_in_background(self, done: Callable[[Outcome], None] | None = None) -> None:
        """Begin to write the file in a child; ``done`` hears how that ended, after it was booked here. Raises
        OSError."""
        now = clock.unix_ms() // 1000
        self.state.began(now, self._engine.databases.changes)
        self.state.saves += 1
        snapshot, path = self.snapshot(), self.path
        try:
            child = self._children.start(
                "rdb",
                lambda report: self._write(snapshot, path, report),
                partial(self._ended, path, done),
                total=snapshot.total,
            )
        except OSError as error:
            self.state.ended(now, 0, 0, ok=False)
            self._engine.refresh_calm()
            self._log("warning", f"Can't save in background: fork: {error.strerror}")
            raise
        self._log("notice", f"Background saving started by pid {child.pid}")

    def _write(self, snapshot: Snapshot, path: Path, report: Report | None = None) -> None:
        chunks = paced(snapshot, self._config.rdb_key_save_delay, report)
        incremental = self._config.rdb_save_incremental_fsync
        if report is None:
            write_file(path, chunks, incremental=incremental)
        else:
            write_file(path, chunks, incremental=incremental, check=report.check_parent)

    def _ended(self, path: Path, done: Callable[[Outcome], None] | None, outcome: Outcome) -> None:
        now = clock.unix_ms() // 1000
        self.state.ended(now, outcome.seconds, outcome.copied, ok=outcome.ok, aborted=outcome.aborted)
        self._engine.refresh_calm()
        if outcome.ok:
            copied = outcome.copied // _MEBIBYTE
            self._log("notice", f"Fork CoW for RDB: current {copied} MB, peak {copied} MB, average {copied} MB")
            self._log("notice", "Background saving terminated with success")
        else:
            with clock.measured(self._engine.observer.held_up, "rdb-unlink-temp-file"):
                temporary_path(path, outcome.pid).unlink(missing_ok=True)
            self._log("warning", f"Background saving error: {outcome.reason}")
        if done is not None:
            done(outcome)

    def _complain(self, error: OSError) -> None:
        self._log("warning", f"Failed saving the DB to {self.path}: {error.strerror or error}")

    def emptied(self) -> bool:
        """See ``shardkv.commands.world.World``."""
        if self._children.running is not None and self._children.running.kind == "rdb":
            self._children.end()
        if not self._config.save:
            return False
        try:
            self.save()
        except OSError:
            return False  # the log has it
        return True

    async def run(self) -> None:
        """Save when a save point or BGSAVE SCHEDULE asks for it, until cancelled."""
        while True:
            await trio.sleep(LOOK_SECONDS)
            if self._children.running is None:
                self._look()

    def _look(self) -> None:
        now = clock.unix_ms() // 1000
        rule = self.state.wanted(now, self._engine.databases.changes, self._config.save)
        if rule is not None:
            seconds, changes = rule
            self._log("notice", f"{changes} changes in {seconds} seconds. Saving...")
        elif not self.state.due(now):
            return
        try:
            self.save_in_background()
        except OSError:
            pass  # it is in the log and in INFO, and will be tried again

    def say_farewell(self, order: Shutdown) -> None:
        """The last snapshot, if there is to be one. Raises OSError."""
        child = self._children.running
        if child is not None:
            self._log("warning", f"There is a child saving ({child.kind}). Killing it!")
            self._children.end()
        save = bool(self._config.save) if order.save is None else order.save
        if not save or self._engine.loading:
            return
        self._log("notice", "Saving the final RDB snapshot before exiting.")
        try:
            with process.insistence(heard=self._engine.stopping.by_signal):
                self.save()
        except process.Insisted:
            self._log("warning", "You insist... exiting now.")
            os._exit(1)
        except OSError:
            if not order.force:
                self._log("warning", "Error trying to save the DB, can't exit.")
                raise
            self._log("warning", "Error trying to save the DB. Exit anyway.")

    # ---- loading

    def open(self) -> None:
        """Open the file, if there is one; from then on, and until ``load`` has ended, clients are answered LOADING.
        Raises LoadFault."""
        self._file = open_snapshot(self.path) if self._config.dbfilename else None
        if self._file is not None:
            self._engine.begin_loading(LoadProgress(clock.unix_ms() // 1000, size_of(self._file)))

    async def load(self) -> None:
        """Load the file that was opened into the empty databases of the engine. Raises LoadFault."""
        file, engine = self._file, self._engine
        if file is None:
            return
        started = clock.stopwatch()
        with file:
            gc.disable()  # all that is made now is meant to stay
            try:
                loader = await self._load_slowly(file)
            finally:
                gc.enable()
                gc.freeze()
        engine.end_loading()
        self._loaded(loader)
        self._log("notice", f"DB loaded from disk: {clock.stopwatch() - started:.3f} seconds")

    async def _load_slowly(self, file: BinaryIO) -> RdbLoader:
        """Load in steps between which clients are served."""
        engine, config, progress = self._engine, self._config, self._engine.progress
        assert progress is not None
        find = database_finder(config.databases, engine.databases.open)
        # Replicas may go on where the snapshot was taken if they are told what is left out of it, as far as the
        # backlog has room for that.
        remembered = config.repl_backlog_size
        loader = RdbLoader(
            config,
            find,
            clock.unix_ms(),
            keep_expired=self.is_replica(),
            size=progress.total,
            remembered_max=remembered,
        )
        keys = 0
        step = min(STEP_BYTES, config.loading_process_events_interval_bytes)
        for offset in load_steps(file, loader, self.path, step):
            progress.loaded = offset
            progress.used_memory = number(loader.remarks.get(b"used-mem")) or 0
            await trio.sleep(pause(config.key_load_delay, loader.keys - keys))
            keys = loader.keys
        self._restore_functions(loader)
        return loader

    def is_replica(self) -> bool:
        """Whether what is loaded is a copy: its primary says what has expired, and may have given it more time."""
        engine = self._engine
        if engine.cluster is not None:
            return bool(engine.cluster.view.me.is_replica)
        return engine.replication.address is not None or self._config.replicaof is not None

    def _restore_functions(self, loader: RdbLoader, *, flush: bool = True, replace: bool = False) -> None:
        try:
            restore_functions(self._engine, loader, flush=flush, replace=replace)
        except RdbFault as fault:
            raise LoadFault(f"The snapshot {self.path} cannot be loaded: {fault}") from None

    def reload(self, *, flush: bool, merge: bool) -> None:
        """See ``shardkv.commands.world.World``. Raises LoadFault."""
        engine = self._engine
        loader, found = load_aside(self.path, self._config, engine.now, engine.served)
        if not flush and not merge:
            self._refuse_known(found)
        self._restore_functions(loader, flush=flush, replace=merge)
        engine.databases.flushed(None)
        if flush:
            for database in engine.databases.opened:
                database.clear()
        for index, database in found.items():
            target = engine.databases.open(index)
            if flush:
                target.take_over(database)
            else:
                target.merge(database)
        self._loaded(loader)

    def _refuse_known(self, found: dict[int, Database]) -> None:
        for index, database in found.items():
            known = self._engine.databases.open(index)
            for key in database:
                if known.get(key) is not None:
                    raise LoadFault(f"The key {key[:64]!r} of the snapshot {self.path} is in database {index} already")

    def _loaded(self, loader: RdbLoader) -> None:
        state, remarks = self.state, loader.remarks
        state.loaded_keys, state.expired_keys = loader.keys, loader.expired
        state.settled = self._engine.databases.changes
        self.remarks = remarks
        self.left_out = loader.left_out
        version = remarks.get(b"redis-ver", b"?").decode("utf-8", "backslashreplace")
        self._log("notice", f"Loading RDB produced by version {version}")
        if (made := number(remarks.get(b"ctime"))) is not None:
            self._log("notice", f"RDB age {max(0, clock.unix_ms() // 1000 - made)} seconds")
        if (used := number(remarks.get(b"used-mem"))) is not None:
            self._log("notice", f"RDB memory usage when created {used / _MEBIBYTE:.2f} Mb")
        self._log("notice", f"Done loading RDB, keys loaded: {loader.keys}, keys expired: {loader.expired}.")


def number(text: bytes | None) -> int | None:
    """A remark that is a number; None if it is none."""
    return int(text) if text is not None and text.isdigit() and len(text) < 20 else None


def pause(delay: int, keys: int) -> float:
    """Seconds to wait after so many keys by ``key-load-delay`` or ``rdb-key-save-delay``: microseconds for each key or,
    if negative, one microsecond for so many keys."""
    return keys * delay / 1e6 if delay >= 0 else keys / -delay / 1e6


def paced(snapshot: Snapshot | CommandSnapshot, delay: int, report: Report | None) -> Iterable[bytes]:
    """The chunks of a snapshot, told of and slowed down as it is written."""
    keys = 0
    for chunk in snapshot:
        yield chunk
        if delay:
            clock.sleep(pause(delay, snapshot.keys - keys))
            keys = snapshot.keys
        if report is not None:
            report(snapshot.keys)
