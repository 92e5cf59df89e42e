"""A primary's snapshot on its way into this node: through a file, or straight into databases that stand aside.

Through a file (``repl-diskless-load disabled``) the old data stay until the whole snapshot is here and its check sum is
right; then they go, and the file is loaded. Straight in, the snapshot is loaded as it comes: into databases aside that
take the place of the old ones at the end (``swapdb``), or where there are no old ones (``on-empty-db``). Either way a
transfer that breaks off leaves the node with what it had.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from shardkv.engine.engine import Engine
from shardkv.keyspace.database import Database
from shardkv.persist.loading import LoadProgress
from shardkv.persist.rdb.faults import RdbFault
from shardkv.persist.rdb.loader import RdbLoader
from shardkv.persist.rdb.primitives import crc64

from . import clock
from .disk import sync_folder
from .loading import STEP_BYTES, database_finder, restore_functions

#: A snapshot ends with so many bytes of check sum, since version 5 of the format.
_SUM: Final = 8
_SUM_SINCE: Final = 5


class IntakeFault(Exception):
    """The snapshot cannot be used; ``str()`` is the reason."""


class DirectIntake:
    """Loads a snapshot as it arrives, into databases aside. ``serving``: clients are served from the old data
    meanwhile, which belong to the same history."""

    def __init__(self, engine: Engine, size: int | None, *, serving: bool) -> None:
        self._engine = engine
        self._found: dict[int, Database] = {}
        find = database_finder(engine.config.databases, self._database)
        self.loader = RdbLoader(engine.config, find, clock.unix_ms(), keep_expired=True, size=size)
        self._serving = serving
        self._progress = LoadProgress(clock.unix_ms() // 1000, size or 0)
        if serving:
            engine.loading_aside = True
        else:
            engine.begin_loading(self._progress)

    def _database(self, index: int) -> Database:
        if index not in self._found:
            self._found[index] = Database(index, self._engine.served)
        return self._found[index]

    def take(self, data: bytes) -> None:
        """A piece. Raises IntakeFault."""
        try:
            self.loader.feed(data)
        except RdbFault as fault:
            raise IntakeFault(f"the snapshot cannot be loaded: {fault}") from None
        self._progress.loaded = self.loader.offset

    def steps(self) -> Iterator[None]:
        """All pieces are here: make them this node's data. Raises IntakeFault."""
        try:
            self.loader.finish()
            restore_functions(self._engine, self.loader)
        except RdbFault as fault:
            raise IntakeFault(f"the snapshot cannot be loaded: {fault}") from None
        engine = self._engine
        engine.databases.empty()
        for index, database in self._found.items():
            engine.databases.open(index).take_over(database)
        yield None

    def close(self) -> None:
        """It is over, one way or the other."""
        if self._serving:
            self._engine.loading_aside = False
        else:
            self._engine.end_loading()


class FileIntake:
    """Keeps a snapshot in a file beside ``path`` until it is whole, then loads it. ``path`` None: the file goes."""

    def __init__(self, engine: Engine, size: int | None, path: Path | None) -> None:
        """Raises OSError."""
        self._engine = engine
        self._size = size
        self._path = path
        folder = Path(engine.config.dir) if path is None else path.parent
        self._beside = folder / f"temp-{clock.unix_ms() // 1000}.{os.getpid()}.rdb"
        self._file = self._beside.open("w+b")
        self._head = b""
        self._tail = b""  #: the last bytes so far, which the check sum is not made of
        self._crc = 0
        self._loading = False
        self.loader = self._new_loader()

    def _new_loader(self) -> RdbLoader:
        engine = self._engine
        find = database_finder(engine.config.databases, engine.databases.open)
        return RdbLoader(engine.config, find, clock.unix_ms(), keep_expired=True, size=self._size)

    def take(self, data: bytes) -> None:
        """A piece. Raises IntakeFault."""
        try:
            self._file.write(data)
        except OSError as error:
            raise IntakeFault(f"the snapshot cannot be written to {self._beside}: {error.strerror}") from error
        if len(self._head) < 9:
            self._head = (self._head + data)[:9]
        whole = self._tail + data
        self._crc = crc64(whole[:-_SUM], self._crc)
        self._tail = whole[-_SUM:]

    def steps(self) -> Iterator[None]:
        """All pieces are here: drop the old data and load them, in steps. Raises IntakeFault: before anything was
        dropped if the file is not what its check sum says."""
        self._verify()
        engine = self._engine
        file = self._file
        try:
            file.flush()
            size = file.tell()
            file.seek(0)
            if self._path is not None:
                os.fsync(file.fileno())
                os.replace(self._beside, self._path)
                sync_folder(self._path.parent)
        except OSError as error:
            raise IntakeFault(f"the snapshot cannot be kept: {error.strerror}") from error
        progress = LoadProgress(clock.unix_ms() // 1000, size)
        self._loading = True
        engine.databases.empty()
        engine.begin_loading(progress)
        loader = self.loader
        try:
            while not loader.done:
                chunk = file.read(STEP_BYTES)
                if not chunk:
                    loader.finish()
                loader.feed(chunk)
                progress.loaded = loader.offset
                yield None
            restore_functions(engine, loader)
        except (RdbFault, OSError) as fault:
            engine.databases.empty()  # a part of a data set is worse than none
            raise IntakeFault(f"the snapshot cannot be loaded: {fault}") from None

    def _verify(self) -> None:
        if self._head[:5] != b"REDIS" or not self._head[5:].isdigit():
            return  # the loader knows other beginnings, and says what is wrong with this one
        told = int.from_bytes(self._tail, "little")
        if int(self._head[5:]) >= _SUM_SINCE and told and told != self._crc:
            raise IntakeFault("the snapshot's check sum is wrong")

    def close(self) -> None:
        """It is over, one way or the other."""
        self._file.close()
        self._beside.unlink(missing_ok=True)
        if self._loading:
            self._engine.end_loading()


Intake = DirectIntake | FileIntake


def intake_for(
    engine: Engine, size: int | None, *, same_history: bool, log: Callable[[str, str], None]
) -> DirectIntake | FileIntake:
    """Take a snapshot in as ``repl-diskless-load`` says. Raises OSError."""
    config = engine.config
    empty = not any(database.size for database in engine.databases.opened)
    if config.repl_diskless_load == "swapdb" or (config.repl_diskless_load == "on-empty-db" and empty):
        log("notice", "MASTER <-> REPLICA sync: Loading DB in memory")
        return DirectIntake(engine, size, serving=same_history and config.repl_diskless_load == "swapdb")
    persists = bool(config.save) or config.appendonly
    keep = bool(config.dbfilename) and (persists or not config.rdb_del_sync_files)
    return FileIntake(engine, size, Path(config.dir, config.dbfilename) if keep else None)
