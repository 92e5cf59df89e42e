"""What is written to the log: each command as an array of bulk strings, SELECT where the database changes, and, if
``aof-timestamp-enabled`` asks for it, a line with the time before the first command of a second.

Words are kept as they come and encoded together when they are written, which costs half as much as one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from hiredis import pack_command

if TYPE_CHECKING:
    from ...keyspace.database import Database

TIMESTAMP: Final = b"#TS:"


#: What stands before a word of some length, the end of the line before it included.
_HEADS: Final = [b"\r\n$%d\r\n" % length for length in range(1024)]


def encode(commands: Iterable[list[bytes]]) -> bytes:
    """Commands as they stand in the log.

    Those of two to four short words, which nearly all are, are put together from pieces: that takes less than half as
    long as to ask hiredis.
    """
    out: list[bytes] = []
    extend = out.extend
    heads = _HEADS
    for words in commands:
        count = len(words)
        try:
            if count == 3:
                a, b, c = words
                extend((b"*3", heads[len(a)], a, heads[len(b)], b, heads[len(c)], c, b"\r\n"))
                continue
            if count == 2:
                a, b = words
                extend((b"*2", heads[len(a)], a, heads[len(b)], b, b"\r\n"))
                continue
            if count == 4:
                a, b, c, d = words
                extend((b"*4", heads[len(a)], a, heads[len(b)], b, heads[len(c)], c, heads[len(d)], d, b"\r\n"))
                continue
        except IndexError:
            pass  # a long one
        out.append(pack_command(tuple(words)))  # type: ignore[arg-type]  # its stub knows one word only
    return b"".join(out)


def timestamp(seconds: int) -> bytes:
    """The line that tells when the commands after it were carried out (Unix time)."""
    return b"%b%d\r\n" % (TIMESTAMP, seconds)


class Recorder:
    """Takes what is propagated and gives the bytes to write."""

    __slots__ = ("_commands", "_done", "_selected", "_stamped")

    def __init__(self) -> None:
        self._commands: list[list[bytes]] = []  #: not encoded yet
        self._done: list[bytes] = []  #: encoded, before those
        self._selected = -1  #: the database that a reader of the file stands in; -1: unknown
        self._stamped = 0

    def __bool__(self) -> bool:
        return bool(self._commands or self._done)

    def take(self, database: Database | None, words: list[bytes]) -> None:
        """One command for this database; None: for none. ``words`` must not be changed afterwards."""
        if database is not None and database.index != self._selected:
            self._selected = database.index
            self._commands.append([b"SELECT", b"%d" % database.index])
        self._commands.append(words)

    def take_all(self, database: Database, commands: list[list[bytes]]) -> None:
        """The same for several."""
        if database.index != self._selected:
            self._selected = database.index
            self._commands.append([b"SELECT", b"%d" % database.index])
        self._commands += commands

    def stamp(self, seconds: int) -> None:
        """What comes next is carried out in this second."""
        if seconds > self._stamped:
            self._stamped = seconds
            self._close()
            self._done.append(timestamp(seconds))

    def give(self) -> bytes:
        """The bytes of all that was taken; it is forgotten."""
        commands = self._commands
        if not self._done:
            self._commands = []
            return encode(commands)
        self._close()
        data = b"".join(self._done)
        self._done = []
        return data

    def begin_file(self) -> None:
        """What comes next stands at the beginning of a file."""
        self._selected = -1

    def _close(self) -> None:
        if self._commands:
            self._done.append(encode(self._commands))
            self._commands = []
