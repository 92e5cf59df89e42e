"""Snapshots on their way in: a file into databases, in steps, so that clients can be told how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from shardkv.config import Config
from shardkv.engine.engine import Engine
from shardkv.errors import ReplyError
from shardkv.keyspace.database import Database
from shardkv.persist.rdb.faults import RdbFault
from shardkv.persist.rdb.loader import RdbLoader

#: So many bytes are loaded in a step: some ten milliseconds.
STEP_BYTES: Final = 1 << 18


class LoadFault(Exception):
    """A file cannot be loaded; ``str()`` is one line that says which, where, and why."""


def open_snapshot(path: Path) -> BinaryIO | None:
    """The snapshot at ``path``, or None if there is none. Raises LoadFault if it cannot be read."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LoadFault(f"The snapshot {path} cannot be read: {error.strerror}") from error


def size_of(file: BinaryIO) -> int:
    """How many bytes a file has; the position is at its beginning afterwards."""
    size = file.seek(0, 2)
    file.seek(0)
    return size


def load_steps(file: BinaryIO, loader: RdbLoader, path: Path, step: int = STEP_BYTES) -> Iterator[int]:
    """Load a file; after each step, the bytes that are loaded. Raises LoadFault; the file is left as it is."""
    try:
        while not loader.done:
            chunk = file.read(step)
            if not chunk:
                loader.finish()
            loader.feed(chunk)
            yield loader.offset
    except RdbFault as fault:
        raise LoadFault(f"The snapshot {path} cannot be loaded: {fault}") from None
    except OSError as error:
        raise LoadFault(f"The snapshot {path} cannot be read: {error.strerror}") from error


def restore_functions(engine: Engine, loader: RdbLoader, *, flush: bool = True, replace: bool = False) -> None:
    """Make the functions of a snapshot those of the engine (``flush``), or add them, in place of those of their names
    only with ``replace``. Raises RdbFault, and then nothing is changed."""
    try:
        engine.scripts.restore_libraries(loader.libraries, flush=flush, replace=replace, patient=True)
    except ReplyError as error:
        reason = error.text.removeprefix("ERR ")
        raise RdbFault(loader.offset, f"a library of functions in it cannot be loaded: {reason}") from None


def load_aside(path: Path, config: Config, now: int, served: bytearray) -> tuple[RdbLoader, dict[int, Database]]:
    """Load a file into databases of its own, at once. Raises LoadFault."""
    found: dict[int, Database] = {}

    def database(index: int) -> Database:
        if not 0 <= index < config.databases:
            raise LookupError(index)
        if index not in found:
            found[index] = Database(index, served)
        return found[index]

    file = open_snapshot(path)
    if file is None:
        raise LoadFault(f"The snapshot {path} cannot be read: it is not there")
    with file:
        loader = RdbLoader(config, database, now, size=size_of(file))
        for _ in load_steps(file, loader, path):
            pass
    return loader, found


def database_finder(count: int, database: Callable[[int], Database]) -> Callable[[int], Database]:
    """``database`` with the LookupError that the loader wants where there is none."""

    def find(index: int) -> Database:
        if not 0 <= index < count:
            raise LookupError(index)
        return database(index)

    return find
