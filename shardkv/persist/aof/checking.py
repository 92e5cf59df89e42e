"""Is a file of the log whole and sound? What it holds, up to where it can be trusted, and what is wrong there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...config import Config
from ..rdb.faults import RdbFault
from ..rdb.reader import RdbReader
from .reader import AofFault, AofReader, Run

_MAGICS = (b"REDIS", b"VALKEY")
#: So much of a file must be there to know whether it begins with a snapshot.
_MAGIC_BYTES = 6


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with a file. ``torn``: it only ends too early, as a crash leaves it; what is whole is before
    ``offset``."""

    offset: int
    reason: str
    torn: bool


class FileCheck:
    """Checks one file in chunks. ``refuses`` says why a command cannot be carried out, or None."""

    def __init__(self, refuses: Callable[[list[bytes]], str | None] = lambda words: None) -> None:
        self.size = 0  #: bytes that were fed
        self.sound = 0  #: all before this is whole: commands, and transactions as a whole
        self.keys = 0  #: in the snapshot that the file begins with
        self.commands = 0
        self.snapshot = False
        self.damage: Damage | None = None
        self._refuses = refuses
        self._first = b""
        self._rdb: RdbReader | None = None
        self._aof: AofReader | None = None
        self._transaction_at: int | None = None

    def feed(self, chunk: bytes) -> None:
        """Look at what comes next."""
        self.size += len(chunk)
        if self.damage is not None:
            return
        if self._rdb is None and self._aof is None:
            self._first += chunk
            if len(self._first) < _MAGIC_BYTES:
                return
            chunk, self._first = self._first, b""
            self._begin(chunk)
        self._take(chunk)

    def finish(self) -> None:
        """No more will come: what is left, and whether the file may end there."""
        if self.damage is not None:
            return
        if self._rdb is None and self._aof is None:
            chunk, self._first = self._first, b""
            self._begin(chunk)
            self._take(chunk)
        if self._rdb is not None:
            try:
                for event in self._rdb.finish():
                    self.keys += isinstance(event, tuple)
            except RdbFault as fault:
                self.damage = Damage(fault.offset, f"the snapshot: {fault.reason}", torn=False)
                return
        if self._aof is None or self.damage is not None:
            return
        try:
            self._take_runs(self._aof.held_back())
            whole = self.damage is not None or self._aof.finish()
        except AofFault as fault:
            self._damaged(fault)
        if self.damage is not None:
            return
        if not whole:
            self.damage = Damage(self.sound, "the file ends within a command", torn=True)
        elif self._transaction_at is not None:
            self.damage = Damage(self.sound, "the file ends within a transaction", torn=True)

    def _begin(self, data: bytes) -> None:
        if data.startswith(_MAGICS):
            self.snapshot = True
            self._rdb = RdbReader(Config())
        else:
            self._aof = AofReader()

    def _take(self, chunk: bytes) -> None:
        rdb = self._rdb
        if rdb is not None:
            try:
                for event in rdb.feed(chunk):
                    self.keys += isinstance(event, tuple)
            except RdbFault as fault:
                self.damage = Damage(fault.offset, f"the snapshot: {fault.reason}", torn=False)
                return
            if not rdb.done:
                return
            self.sound = rdb.offset
            self._rdb, self._aof, chunk = None, AofReader(rdb.offset), rdb.rest
        assert self._aof is not None
        try:
            self._take_runs(self._aof.feed(chunk))
        except AofFault as fault:
            self._damaged(fault)

    def _damaged(self, fault: AofFault) -> None:
        self.damage = Damage(fault.offset, fault.reason, torn=False)

    def _take_runs(self, runs: list[Run]) -> None:
        for run in runs:
            for index, words in enumerate(run.commands):
                reason = self._refuses(words)
                if reason is not None:
                    self._settle(run.place(index))
                    self.damage = Damage(run.place(index), reason, torn=False)
                    return
                self.commands += 1
                name = words[0].upper() if len(words) == 1 else b""
                if name == b"MULTI" and self._transaction_at is None:
                    self._transaction_at = run.place(index)
                elif name == b"EXEC":
                    self._transaction_at = None
            self._settle(run.place(len(run.commands)) if run.commands else run.offset)

    def _settle(self, offset: int) -> None:
        """All before ``offset`` was read; whole is what is before a transaction that has not ended."""
        self.sound = offset if self._transaction_at is None else self._transaction_at
