"""The log of refusals (ACL LOG): the newest first, equal ones counted together."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from .selector import Reason

#: Equal refusals within this time of each other are one entry, in milliseconds.
GROUPED: Final = 60_000
#: How many of the newest entries are looked through for an equal one.
LOOKED_AT: Final = 10


@dataclass(slots=True)
class Entry:
    """One kind of refusal. Times are Unix milliseconds."""

    number: int
    reason: Reason
    context: str  #: toplevel, multi or lua
    object: bytes  #: the command, the key or the channel
    user: bytes
    client: bytes  #: the last client's line of CLIENT LIST
    created: int
    updated: int
    count: int = 1

    def _is_like(self, reason: Reason, context: str, object: bytes, user: bytes, now: int) -> bool:
        return (
            abs(now - self.updated) <= GROUPED
            and (self.reason, self.context) == (reason, context)
            and (self.object, self.user) == (object, user)
        )


class RefusalLog:
    """The newest refusals. ``numbers`` go on after ``clear``."""

    __slots__ = ("_entries", "_next")

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._next = 0

    def add(
        self, reason: Reason, context: str, object: bytes, user: bytes, client: bytes, now: int, longest: int
    ) -> None:
        """Note a refusal at ``now`` (Unix milliseconds); at most ``longest`` entries are kept."""
        for entry in islice(self._entries, LOOKED_AT):
            if entry._is_like(reason, context, object, user, now):
                self._entries.remove(entry)
                self._entries.appendleft(entry)
                entry.client, entry.updated = client, now
                entry.count += 1
                break
        else:
            self._entries.appendleft(Entry(self._next, reason, context, object, user, client, now, now))
            self._next += 1
        while len(self._entries) > longest:
            self._entries.pop()

    def newest(self, most: int) -> Iterator[Entry]:
        """Up to ``most`` entries."""
        return islice(self._entries, most)

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)
