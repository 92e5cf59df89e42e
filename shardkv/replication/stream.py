"""What a write becomes on the wire: an array of bulk strings, behind a SELECT where the database is another one.

Each command is encoded once. The pieces gather until somebody takes them, so that a round of many commands costs the
backlog one append and each replica one send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..resp.requests import pack_request

if TYPE_CHECKING:
    from ..keyspace.database import Database

PING: Final = pack_request((b"ping",))
GETACK: Final = pack_request((b"REPLCONF", b"GETACK", b"*"))
#: Heads of short words: of the first in a request, and of those behind it, with the line end of the word before.
_FIRST: Final = [b"$%d\r\n" % size for size in range(512)]
_NEXT: Final = [b"\r\n$%d\r\n" % size for size in range(512)]
_SELECTS: Final = [pack_request((b"SELECT", b"%d" % index)) for index in range(16)]


def select(index: int) -> bytes:
    """The SELECT of a database."""
    return _SELECTS[index] if index < len(_SELECTS) else pack_request((b"SELECT", b"%d" % index))


def packed_size(words: list[bytes]) -> int:
    """How many bytes a request takes in its canonical form."""
    return len(pack_request(tuple(words)))


class Stream:
    """Turns commands into the pieces of a stream. ``database`` is the one that the stream has selected, -1: none."""

    __slots__ = ("database", "pieces")

    def __init__(self) -> None:
        self.database = -1
        self.pieces: list[bytes] = []

    def feed(self, database: Database | None, words: list[bytes]) -> int:
        """A command that ran in a database, None for MULTI and EXEC, which belong to none; how many bytes it adds."""
        try:
            # By far the most have three short words: written out this takes a third of the time.
            first, second, third = words
            data = b"*3\r\n%b%b%b%b%b%b\r\n" % (
                _FIRST[len(first)], first, _NEXT[len(second)], second, _NEXT[len(third)], third
            )  # fmt: skip
        except (ValueError, IndexError):
            data = pack_request(tuple(words))
        if database is not None and database.index != self.database:
            self.database = database.index
            data = select(database.index) + data
        self.pieces.append(data)
        return len(data)

    def feed_run(self, database: Database, requests: list[list[bytes]]) -> int:
        """The same for several that ran in one database, each standing for itself."""
        try:
            data = b"".join(
                [
                    b"*3\r\n%b%b%b%b%b%b\r\n"
                    % (_FIRST[len(first)], first, _NEXT[len(second)], second, _NEXT[len(third)], third)
                    for first, second, third in requests
                ]
            )
        except (ValueError, IndexError):
            return sum([self.feed(database, words) for words in requests])
        if database.index != self.database:
            self.database = database.index
            data = select(database.index) + data
        self.pieces.append(data)
        return len(data)

    def add(self, data: bytes) -> int:
        """Bytes as they are (PING, GETACK); how many they are."""
        self.pieces.append(data)
        return len(data)

    def take(self) -> bytes:
        """What has gathered since the last call."""
        data = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        self.pieces.clear()
        return data

    def restart(self) -> None:
        """Whoever listens next does not know the selected database."""
        self.database = -1
