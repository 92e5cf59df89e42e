"""An RDB file, read from its beginning to its end by the tools: every value is taken apart, nothing is kept."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from shardkv.config import Config
from shardkv.persist.rdb.events import Event
from shardkv.persist.rdb.faults import RdbFault
from shardkv.persist.rdb.reader import RdbReader

from .exits import Failure
from .render import console

CHUNK: Final = 1 << 18


class Walk:
    """The events of a file, with a bar on a terminal's stderr. Raises Failure where the file cannot be opened or read,
    RdbFault where it is no RDB file."""

    def __init__(self, path: Path, *, quiet: bool = False) -> None:
        self._path = path
        self._quiet = quiet
        self.reader = RdbReader(Config())
        self.size = 0  #: of the file, in bytes

    def __iter__(self) -> Iterator[Event]:
        err = console(sys.stderr)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        try:
            with (
                self._path.open("rb") as file,
                Progress(*columns, console=err, transient=True, disable=self._quiet or not err.is_terminal) as progress,
            ):
                self.size = file.seek(0, 2)
                file.seek(0)
                bar = progress.add_task(self._path.name, total=self.size)
                while chunk := file.read(CHUNK):
                    yield from self.reader.feed(chunk)
                    progress.update(bar, completed=self.reader.offset)
                yield from self.reader.finish()
        except OSError as error:
            raise Failure(f"{self._path}: {error.strerror or error}") from error
        if self.reader.rest:
            raise RdbFault(self.reader.offset, f"{len(self.reader.rest)} bytes behind the end of the file")


def readable(text: bytes) -> str:
    """A key for a person, or for one line: what is no printable text is escaped."""
    shown = text.decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in shown)
