"""What a stream remembers beside its entries, and what follows from it about how far a group has read.

The counters are Redis's: where entries were deleted in the middle nobody knows how many lie between two ids without a
walk, and then the answer is UNKNOWN, in exactly the cases in which Redis gives up.
"""

from __future__ import annotations

from .account import Accounted
from .stream_groups import UNKNOWN, Group


class Progress(Accounted):
    """The counters of a stream. Ids are integers (see ``stream_ids``), 0 where there is none."""

    __slots__ = ("entries_added", "first_id", "last_id", "length", "max_deleted_id")

    def __init__(self) -> None:
        self.length = 0
        self.last_id = 0  #: generated last, whether the entry is still there or not
        self.first_id = 0  #: of the first entry
        self.max_deleted_id = 0  #: the largest that XDEL has deleted
        self.entries_added = 0  #: ever

    def delivered(self, group: Group, id: int) -> None:
        """Note that a group was delivered the entry ``id``, the next after its last."""
        known = group.entries_read != UNKNOWN and group.last_id >= self.first_id
        if known and not self.has_gap_after(group.last_id):
            group.entries_read += 1
        elif self.entries_added:
            group.entries_read = self.entries_up_to(id)
        group.last_id = id

    def has_gap_after(self, id: int) -> bool:
        """Whether an entry at or behind ``id`` was deleted, so that counting on from there would go wrong."""
        return bool(self.length and self.max_deleted_id) and id <= self.max_deleted_id

    def entries_up_to(self, id: int) -> int:
        """How many entries were ever added up to ``id``, or UNKNOWN where only a walk could tell."""
        added, first, deleted = self.entries_added, self.first_id, self.max_deleted_id
        if not added:
            return 0
        if not self.length and id <= self.last_id:
            return added
        if id and id < deleted:
            return UNKNOWN
        if id >= self.last_id:
            return added if id == self.last_id else UNKNOWN
        if not deleted or deleted < first:
            if id < first:
                return added - self.length
            if id == first:
                return added - self.length + 1
        return UNKNOWN

    def lag(self, group: Group) -> int | None:
        """How many entries a group has still to read, or None where only a walk could tell."""
        if not self.entries_added or not self.length:
            return 0
        if group.last_id < self.first_id and self.max_deleted_id < self.first_id:
            return self.length
        read = group.entries_read
        if read == UNKNOWN or self.has_gap_after(group.last_id):
            read = self.entries_up_to(group.last_id)
        return None if read == UNKNOWN else self.entries_added - read
