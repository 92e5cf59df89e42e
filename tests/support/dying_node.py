"""A ``shardkv-node`` that dies at a chosen step of its work on files, as in a power cut.

Run as a script: ``dying_node.py STEP SEED WORD...``, the words being those of ``shardkv-node``. A step is a write to
a file, an fsync of a file or folder, or a rename. At the chosen one the machine is taken to lose power: the node and
its child end by SIGKILL, what was not brought to disk is lost or not, and a rename whose folder was not synced may
not have happened; the seed decides.
"""

from __future__ import annotations

import os
import random
import signal
import stat
import sys
from pathlib import Path
from typing import Any

from shardkv_cli.node import main


class PowerCut:
    """Stands between the node and ``os``, and knows what is on disk for certain."""

    def __init__(self, step: int, seed: int) -> None:
        self._steps_left = step
        self._rng = random.Random(seed)
        self._node = os.getpid()
        self._paths: dict[int, str] = {}  #: of descriptors that are open for writing
        self._safe: dict[str, int] = {}  #: bytes of a file that are on disk
        self._renames: list[tuple[str, bytes | None]] = []  #: not on disk yet: the name, and what it stood for before
        self._open, self._write, self._fsync, self._replace = os.open, os.write, os.fsync, os.replace

    def install(self) -> None:
        """Take the place of the functions of ``os`` that change files."""
        for name in ("open", "write", "fsync", "replace"):
            setattr(os, name, getattr(self, name))

    def open(self, path: Any, flags: int, *more: Any, **others: Any) -> int:
        """Open a file, and remember which one it is."""
        descriptor = self._open(path, flags, *more, **others)
        if flags & (os.O_WRONLY | os.O_RDWR) and stat.S_ISREG(os.fstat(descriptor).st_mode):
            name = str(Path(path).absolute())
            self._paths[descriptor] = name
            self._safe.setdefault(name, 0 if flags & os.O_TRUNC else os.fstat(descriptor).st_size)
        else:
            self._paths.pop(descriptor, None)
        return descriptor

    def write(self, descriptor: int, data: Any) -> int:
        """Write, if there is still power."""
        if self._is_file(descriptor):
            self._step()
        return self._write(descriptor, data)

    def fsync(self, descriptor: Any) -> None:
        """Bring a file or folder to disk, if there is still power."""
        self._step()
        self._fsync(descriptor)
        if self._is_file(descriptor):
            self._safe[self._paths[descriptor]] = os.fstat(descriptor).st_size
        elif stat.S_ISDIR(os.fstat(descriptor).st_mode):
            self._renames.clear()

    def replace(self, old: Any, new: Any, **others: Any) -> None:
        """Rename, if there is still power."""
        self._step()
        name, target = str(Path(old).absolute()), str(Path(new).absolute())
        before = Path(target).read_bytes() if Path(target).exists() else None
        self._replace(old, new, **others)
        self._renames.append((target, before))
        self._safe[target] = self._safe.pop(name, Path(target).stat().st_size)

    def _is_file(self, descriptor: int) -> bool:
        return descriptor in self._paths and stat.S_ISREG(os.fstat(descriptor).st_mode)

    def _step(self) -> None:
        self._steps_left -= 1
        if self._steps_left == 0:
            self._cut()

    def _cut(self) -> None:
        if os.getpid() != self._node:
            os.kill(self._node, signal.SIGKILL)
        for name, safe in self._safe.items():
            path = Path(name)
            if path.exists() and path.stat().st_size > safe:
                os.truncate(path, self._rng.randint(safe, path.stat().st_size))
        for target, before in reversed(self._renames):
            if self._rng.random() < 0.5:
                if before is None:
                    Path(target).unlink()
                else:
                    Path(target).write_bytes(before)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    PowerCut(int(sys.argv[1]), int(sys.argv[2])).install()
    main(sys.argv[3:])
