"""A disk on which anything can go wrong: it ends the node at any of its steps, loses what was not brought to disk, is
full, or cannot sync."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from random import Random

from shardkv_node.disk import Disk


class Crash(BaseException):
    """The node is gone at this very moment: nothing that follows in it happens, not even its handling of errors."""


class FaultyDisk(Disk):
    """Counts its steps, and ends the node at step ``crash_at``, half of it done. ``power``: what was not synced may be
    lost then; the kernel keeps it otherwise."""

    def __init__(self, rng: Random, crash_at: int | None = None, *, power: bool = False) -> None:
        self.steps = 0
        self.full = False
        self.unsyncable = False
        self._rng = rng
        self._crash_at = crash_at
        self.power = power
        self._synced: dict[Path, int] = {}
        self._paths: dict[int, Path] = {}

    def _step(self) -> bool:
        """One more step; whether it is the last."""
        self.steps += 1
        return self.steps == self._crash_at

    def _crash(self) -> None:
        if self.power:
            for path, synced in self._synced.items():
                if path.exists() and path.stat().st_size > synced:
                    os.truncate(path, self._rng.randint(synced, path.stat().st_size))
        for descriptor in list(self._paths):
            self.close(descriptor)
        raise Crash

    def close(self, descriptor: int) -> None:
        """See Disk. After the end everything is closed."""
        if self._paths.pop(descriptor, None) is not None:
            super().close(descriptor)

    def open_to_append(self, path: Path) -> int:
        """See Disk."""
        if self._step():
            self._crash()
        descriptor = super().open_to_append(path)
        self._paths[descriptor] = path
        self._synced.setdefault(path, path.stat().st_size)
        return descriptor

    def write(self, descriptor: int, data: bytes) -> int:
        """See Disk. A disk that is full takes half of it."""
        if self._step():
            super().write(descriptor, data[: self._rng.randint(0, len(data))])
            self._crash()
        if self.full:
            if len(data) > 1:
                return super().write(descriptor, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        """See Disk."""
        if self._step():
            self._crash()
        if self.unsyncable:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync(descriptor)
        path = self._paths.get(descriptor) or Path(os.readlink(f"/proc/self/fd/{descriptor}"))  # it may be a duplicate
        self._synced[path] = os.fstat(descriptor).st_size

    def rename(self, old: Path, new: Path) -> None:
        """See Disk."""
        if self._step():
            if self._rng.random() < 0.5:
                os.replace(old, new)
                self._synced[new] = self._synced.pop(old, 0)
            self._crash()
        super().rename(old, new)
        self._synced[new] = self._synced.pop(old, 0)
        self._paths = {descriptor: new if path == old else path for descriptor, path in self._paths.items()}

    def delete(self, path: Path) -> None:
        """See Disk."""
        if self._step():
            self._crash()
        super().delete(path)
        self._synced.pop(path, None)

    def replace(self, path: Path, data: bytes) -> None:
        """See Disk: it may end before the new content is whole, before it is in place, and behind that."""
        beside = path.with_name(f"{path.name}.tmp-crash")
        if self._step():
            beside.write_bytes(data[: self._rng.randint(0, len(data))])
            self._crash()
        if self._step():
            beside.write_bytes(data)
            self._crash()
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().replace(path, data)
        if self._step():
            self._crash()
