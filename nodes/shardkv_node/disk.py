"""Files that must be whole after any crash: written beside, synced, renamed, and the folder synced as well."""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace ``path`` by ``data``: after a power cut it holds the old content or the new, never a part. Raises
    OSError."""
    beside = path.with_name(f"{path.name}.tmp-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(beside, path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Disk:
    """What the log of writes asks of the file system, in one place, so that a test can let any of it fail. Each may
    raise OSError."""

    def open_to_append(self, path: Path) -> int:
        """A descriptor for a file that is made if it is not there."""
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def write(self, descriptor: int, data: bytes) -> int:
        """Write as much as the disk takes; how much that was."""
        return os.write(descriptor, data)

    def size(self, descriptor: int) -> int:
        """How many bytes a file has."""
        return os.fstat(descriptor).st_size

    def sync(self, descriptor: int) -> None:
        """Bring what is written to disk."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close a descriptor."""
        os.close(descriptor)

    def cut(self, descriptor: int, size: int) -> None:
        """Cut off what was written beyond ``size``."""
        os.ftruncate(descriptor, size)

    def truncate(self, path: Path, size: int) -> None:
        """Cut a file off, for good."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def make_folder(self, path: Path) -> None:
        """Make a folder if it is not there."""
        if not path.is_dir():
            path.mkdir(mode=0o755)
            sync_folder(path.parent)

    def rename(self, old: Path, new: Path) -> None:
        """Move a file, for good."""
        os.replace(old, new)
        sync_folder(new.parent)
        if old.parent != new.parent:
            sync_folder(old.parent)

    def delete(self, path: Path) -> None:
        """Delete a file, if it is there."""
        path.unlink(missing_ok=True)

    def replace(self, path: Path, data: bytes) -> None:
        """Put new content in a file's place; after a crash it is the old or the new."""
        write_atomically(path, data)


class FileLock:
    """An exclusive lock beside a file, held as long as the process lives, so that two nodes cannot share a nodes.conf.

    The lock is on a file of its own since the guarded one is replaced by renames.
    """

    __slots__ = ("_handle",)

    def __init__(self, path: Path) -> None:
        """Raises BlockingIOError if another process holds it."""
        self._handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._handle)
            raise

    def release(self) -> None:
        """Let go of the lock."""
        os.close(self._handle)
