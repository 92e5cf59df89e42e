"""Snapshots on their way out: into a file that is whole after any crash, or down a descriptor.

Both take the chunks of a ``shardkv.persist.rdb.writer.Snapshot`` and know nothing of forks; the same functions serve
SAVE in the node itself and BGSAVE in its child.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from .disk import sync_folder

#: With ``rdb-save-incremental-fsync``, so many bytes at a time are brought to disk, and not all of them at the end.
SYNC_BYTES: Final = 4 * 1024 * 1024


def temporary_path(path: Path, pid: int) -> Path:
    """Where the process ``pid`` writes what is to become ``path``."""
    return path.with_name(f"temp-{pid}.rdb")


def write_file(
    path: Path, chunks: Iterable[bytes], *, incremental: bool = True, check: Callable[[], None] = lambda: None
) -> int:
    """Replace ``path`` by what the chunks make; the bytes written. After a crash at any moment it is the old file or
    the new one. ``check`` is called before the new one takes the old one's place, and may raise. Raises OSError;
    nothing is left behind then.
    """
    beside = temporary_path(path, os.getpid())
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            size = write_descriptor(handle, chunks, sync_every=SYNC_BYTES if incremental else 0)
            os.fsync(handle)
        finally:
            os.close(handle)
        check()
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return size


def write_descriptor(descriptor: int, chunks: Iterable[bytes], *, sync_every: int = 0) -> int:
    """Write the chunks to a file, a pipe or a socket that blocks; the bytes written. ``sync_every``: bring so many
    bytes to disk at a time (0: leave it to the caller). Raises OSError."""
    size = unsynced = 0
    for chunk in chunks:
        view = memoryview(chunk)
        while view:
            view = view[os.write(descriptor, view) :]
        size += len(chunk)
        unsynced += len(chunk)
        if sync_every and unsynced >= sync_every:
            os.fsync(descriptor)
            unsynced = 0
    return size
