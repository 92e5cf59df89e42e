"""Names with a time each, and which comes next: fields of a hash that expire, hashes of a database that have such."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Final

#: Entries that are freed in one go.
_PORTION: Final = 512


class Deadlines:
    """A time, in Unix milliseconds, for each of some names.

    The order is a heap whose entries are not taken out when a time changes: one that no longer agrees with the dict is
    skipped when it comes up, and the heap is made anew when most are of that kind.
    """

    __slots__ = ("_at", "_heap")

    def __init__(self, times: dict[bytes, int] | None = None) -> None:
        self._at: dict[bytes, int] = times if times is not None else {}
        self._heap = [(at, name) for name, at in self._at.items()]
        heapify(self._heap)

    def __len__(self) -> int:
        return len(self._at)

    def get(self, name: bytes) -> int | None:
        """A name's time, or None."""
        return self._at.get(name)

    def set(self, name: bytes, at: int) -> None:
        """Set or change a name's time."""
        self._at[name] = at
        if len(self._heap) > 2 * len(self._at) + 16:
            self._heap = [(at, name) for name, at in self._at.items()]
            heapify(self._heap)
        else:
            heappush(self._heap, (at, name))

    def drop(self, name: bytes) -> bool:
        """Forget a name's time; whether it had one."""
        return self._at.pop(name, None) is not None

    @property
    def next(self) -> int | None:
        """The earliest time, or None when no name has one."""
        heap, times = self._heap, self._at
        while heap:
            at, name = heap[0]
            if times.get(name) == at:
                return at
            heappop(heap)
        return None

    def due(self, now: int, limit: int) -> list[bytes]:
        """Up to ``limit`` names whose time is before ``now``, earliest first. Their times are forgotten."""
        found: list[bytes] = []
        while len(found) < limit:
            at = self.next
            if at is None or at >= now:
                break
            _, name = heappop(self._heap)
            del self._at[name]
            found.append(name)
        return found

    def take_apart(self) -> Iterator[None]:
        """Free all of it part by part, each time a part is asked for. Nothing may use it any more."""
        while self._heap or self._at:
            del self._heap[-_PORTION:]
            for _ in range(min(_PORTION, len(self._at))):
                self._at.popitem()
            yield

    def items(self) -> list[tuple[bytes, int]]:
        """All names with their times."""
        return list(self._at.items())

    def copy(self) -> Deadlines:
        """An independent copy."""
        return Deadlines(dict(self._at))

    def memory(self) -> int:
        """About how many bytes this holds beside the names themselves."""
        return 200 + 64 * len(self._at) + 72 * len(self._heap)

    def check(self) -> None:
        """Assert the invariants."""
        entries = set(self._heap)
        assert all((at, name) in entries for name, at in self._at.items())
