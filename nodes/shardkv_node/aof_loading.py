"""The log on its way in: its files, one after the other, carried out on an engine that obeys.

A file may begin with a snapshot. The last one may end within a command or a transaction, as a crash leaves it: it is
cut there, if ``aof-load-truncated`` allows it. Anything else that is no command refuses to be loaded, and stays as it
is.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from shardkv.engine.engine import Engine
from shardkv.engine.replay import Replay, ReplayFault
from shardkv.persist.aof.manifest import Manifest
from shardkv.persist.aof.reader import AofFault, AofReader, Run
from shardkv.persist.rdb.faults import RdbFault
from shardkv.persist.rdb.loader import RdbLoader

from . import clock
from .disk import Disk
from .loading import STEP_BYTES, LoadFault, database_finder, restore_functions

if TYPE_CHECKING:
    from .aof_files import AofFolder

_MAGICS: Final = (b"REDIS", b"VALKEY")
_MAGIC_BYTES: Final = 6


class AofLoader:
    """Loads one log. Iterate over ``steps()``: after each the engine may serve clients."""

    def __init__(self, engine: Engine, folder: AofFolder, disk: Disk, log: Callable[[str, str], None]) -> None:
        self._engine = engine
        self._folder = folder
        self._disk = disk
        self._log = log
        self.loaded = 0  #: bytes of the files before the one that is being loaded
        self.keys = 0  #: from snapshots

    def steps(self) -> Iterator[int]:
        """Load all files; after each step, the bytes that are loaded. Raises LoadFault."""
        manifest = self._folder.manifest
        for part in manifest.parts:
            started = clock.stopwatch()
            path = self._folder.path(part)
            try:
                file = path.open("rb")
            except OSError as error:
                raise LoadFault(f"The AOF file {path} cannot be read: {error.strerror}") from error
            with file:
                yield from self._load(file, path, last=part is manifest.parts[-1], manifest=manifest)
            self.loaded += self._folder.size(part)
            seconds = clock.stopwatch() - started
            what = "base file" if part is manifest.base else "incr file"
            self._log("notice", f"DB loaded from {what} {part.name}: {seconds:.3f} seconds")

    def _load(self, file: BinaryIO, path: Path, *, last: bool, manifest: Manifest) -> Iterator[int]:
        try:
            beginning = file.read(_MAGIC_BYTES)
            file.seek(0)
            if beginning.startswith(_MAGICS):
                offset, rest = yield from self._load_snapshot(file, path)
            else:
                offset, rest = 0, b""
            yield from _Commands(self, path, offset, last=last, manifest=manifest).steps(file, rest)
        except OSError as error:
            raise LoadFault(f"The AOF file {path} cannot be read: {error.strerror}") from error

    def _load_snapshot(self, file: BinaryIO, path: Path) -> Generator[int, None, tuple[int, bytes]]:
        """Load what comes before the commands. Returns its bytes, and what was read beyond it."""
        engine = self._engine
        find = database_finder(engine.config.databases, engine.databases.open)
        loader = RdbLoader(engine.config, find, clock.unix_ms(), keep_expired=True)
        try:
            while not loader.done:
                chunk = file.read(STEP_BYTES)
                if not chunk:
                    loader.finish()
                loader.feed(chunk)
                yield self.loaded + loader.offset
            restore_functions(engine, loader)
        except RdbFault as fault:
            raise LoadFault(f"The snapshot that the AOF file {path} begins with cannot be loaded: {fault}") from None
        self.keys += loader.keys
        return loader.offset, loader.reader.rest

    # ---- for the commands of one file

    def obey(self) -> Replay:
        """A replay on the engine."""
        self._engine.begin(clock.unix_ms(), obeying=True)
        return Replay(self._engine)

    def carry_out(self, replay: Replay, run: Run) -> int | None:
        """Carry out commands as if nothing had expired yet; see ``Replay.feed``."""
        now = clock.unix_ms()
        self._engine.begin(now, obeying=True)
        try:
            return replay.feed(run.commands)
        finally:
            self._engine.begin(now)

    def cut(self, path: Path, size: int) -> None:
        """Cut a torn tail off, if the options allow it. Raises LoadFault."""
        if not self._engine.config.aof_load_truncated:
            raise LoadFault(
                f"Unexpected end of file reading the append only file {path} (at offset {size}). You can: 1) Make a "
                "backup of your AOF file, then use shardkv-admin check-aof --fix on its manifest. 2) Alternatively you "
                "can set the 'aof-load-truncated' configuration option to yes and restart the server"
            )
        name = path.name
        self._log("warning", f"!!! Warning: short read while loading the AOF file {name}!!!")
        self._log("warning", "AOF loaded anyway because aof-load-truncated is enabled")
        self._log("warning", f"Truncating the AOF {name} at offset {size}")
        try:
            self._disk.truncate(path, size)
        except OSError as error:
            raise LoadFault(f"The AOF file {path} cannot be truncated: {error.strerror}") from error

    def note(self, replay: Replay, path: Path) -> None:
        """Say which commands were refused: the writer of the log had carried them out."""
        for words, text in replay.refused:
            shown = b" ".join(words)[:120].decode("utf-8", "backslashreplace")
            self._log("warning", f"A command of the AOF file {path.name} is refused: {text}: {shown!r}")
        if replay.refusals > len(replay.refused):
            self._log("warning", f"{replay.refusals} commands of the AOF file {path.name} were refused in all")


class _Commands:
    """The commands of one file."""

    def __init__(self, loader: AofLoader, path: Path, offset: int, *, last: bool, manifest: Manifest) -> None:
        self._loader = loader
        self._path = path
        self._last = last
        self._manifest = manifest
        self._reader = AofReader(offset)
        self._replay = loader.obey()
        self._transaction_at: int | None = None  #: where the transaction begins that has not ended

    def steps(self, file: BinaryIO, rest: bytes) -> Iterator[int]:
        """Carry the file out from where it is read. Raises LoadFault."""
        try:
            yield from self._steps(file, rest)
        except AofFault as fault:
            raise LoadFault(
                self._advise(f"Bad file format reading the append only file {self._path}: {fault}")
            ) from None
        self._loader.note(self._replay, self._path)

    def _advise(self, told: str) -> str:
        manifest = self._path.with_name(self._manifest.file_name)
        return f"{told}. Make a backup of your AOF file, then use shardkv-admin check-aof --fix {manifest}"

    def _steps(self, file: BinaryIO, rest: bytes) -> Iterator[int]:
        reader = self._reader
        data = rest or file.read(STEP_BYTES)
        while data:
            self._carry_out(reader.feed(data))
            yield self._loader.loaded + reader.offset
            data = file.read(STEP_BYTES)
        self._carry_out(reader.held_back())
        if reader.finish() and self._transaction_at is None:
            return
        if not self._last:
            raise AofFault(reader.offset, "the file ends within a command, and is not the last one")
        self._loader.cut(self._path, reader.offset if self._transaction_at is None else self._transaction_at)
        self._replay.forget_transaction()

    def _carry_out(self, runs: list[Run]) -> None:
        for run in runs:
            try:
                begun = self._loader.carry_out(self._replay, run)
            except ReplayFault as fault:
                place = run.place(fault.index)
                told = f"{fault.reason} reading the append only file {self._path} (at offset {place})"
                raise LoadFault(self._advise(told)) from None
            if begun is not None:
                self._transaction_at = run.place(begun)
            elif not self._replay.inside_transaction:
                self._transaction_at = None
