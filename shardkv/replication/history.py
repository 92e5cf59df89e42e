"""A node's place in a replication history: whose stream it has, how far, and what of it is still at hand.

A history is a stream of bytes with a name, the *replication id*. A primary makes one, its replicas follow it byte by
byte, so two nodes with the same id and offset hold the same data. When a replica becomes a primary it begins a new
history under a new id, and remembers the old one as its second id, valid up to the offset at which the two part: other
replicas of the old primary go on with it without a full synchronisation (PSYNC2).
"""

from __future__ import annotations

from typing import Final

from .backlog import Backlog
from .stream import Stream

NO_ID: Final = "0" * 40


class History:
    """Ids, offset and backlog. ``offset`` is that of the last byte of the stream, 0 before the first."""

    __slots__ = ("backlog", "id", "id2", "known", "offset", "second_offset", "stream")

    def __init__(self, replication_id: str) -> None:
        self.id = replication_id
        self.id2 = NO_ID
        self.second_offset = -1  #: of the first byte that is not the second id's history
        self.offset = 0
        self.known = False  #: this node's data are those of ``id`` at ``offset``: it may ask to go on there
        self.backlog: Backlog | None = None
        self.stream = Stream()

    # ---- the stream

    def gather(self) -> bytes:
        """Put what the stream has taken in since the last call into the backlog; the bytes."""
        data = self.stream.take()
        if self.backlog is not None:
            self.backlog.append(data)
        return data

    def append(self, data: bytes) -> None:
        """The primary's own bytes, as they came."""
        self.offset += len(data)
        if self.backlog is not None:
            self.backlog.append(data)

    # ---- the backlog

    def keep(self, size: int) -> None:
        """Have a backlog from now on."""
        if self.backlog is None:
            self.backlog = Backlog(size, self.offset)

    def begin(self, replication_id: str, size: int) -> None:
        """A primary gets its first replica: nothing before this is known to anybody, so the history has a new name."""
        self.id = replication_id
        self.forget_second()
        self.backlog = None
        self.stream.restart()
        self.keep(size)

    def end(self, replication_id: str) -> None:
        """Give the backlog up. Writes are not counted any more, so the offset means nothing under the old name."""
        self.backlog = None
        self.id = replication_id
        self.forget_second()

    # ---- changes of role

    def forget_second(self) -> None:
        """The second id is of no use any more."""
        self.id2 = NO_ID
        self.second_offset = -1

    def branch(self, replication_id: str) -> None:
        """A replica becomes a primary: a new history that others may enter from the old one."""
        self._second(self.id)
        self.id = replication_id
        self.stream.restart()

    def renamed(self, replication_id: str) -> bool:
        """The primary goes on under another id (it was promoted). False if it is the one known already."""
        if replication_id == self.id:
            return False
        self._second(self.id)
        self.id = replication_id
        return True

    def _second(self, replication_id: str) -> None:
        self.id2 = replication_id
        self.second_offset = self.offset + 1

    def replace(self, replication_id: str, offset: int, size: int) -> None:
        """All data are new, from another history."""
        self.id = replication_id
        self.offset = offset
        self.known = True
        self.forget_second()
        self.backlog = None
        self.stream.pieces.clear()
        self.keep(size)

    # ---- who may go on

    def since(self, replication_id: str, offset: int) -> bytes | None:
        """What a replica lacks that asks to go on from ``offset`` of a history; None if it needs everything anew."""
        if self.backlog is None:
            return None
        if replication_id != self.id and (replication_id != self.id2 or offset > self.second_offset):
            return None
        return self.backlog.since(offset)
