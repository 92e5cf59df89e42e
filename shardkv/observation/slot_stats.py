"""What each slot of a node has cost since it came here: processor time, and bytes from and to clients."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from typing import Final

#: By the names of CLUSTER SLOT-STATS, in its order.
METRICS: Final = (b"cpu-usec", b"network-bytes-in", b"network-bytes-out")


class SlotStats:
    """Three counters for each of ``slots`` slots; 400 KB for those of a cluster."""

    __slots__ = ("_columns", "_used")

    def __init__(self, slots: int) -> None:
        self._columns = [array("d", bytes(8 * slots)) for _ in METRICS]
        self._used: dict[int, None] = {}  #: slots that something was counted for

    def add(self, slot: int, seconds: float, received: int, sent: int) -> None:
        """Something was done for a slot, with so many bytes of requests and replies."""
        self._used[slot] = None
        busy, into, out = self._columns
        busy[slot] += seconds * 1e6
        into[slot] += received
        out[slot] += sent

    def of(self, slot: int) -> Iterator[tuple[bytes, int]]:
        """A slot's counters by name."""
        return ((name, int(column[slot])) for name, column in zip(METRICS, self._columns, strict=True))

    def counter(self, metric: bytes) -> Callable[[int], float]:
        """One counter, as a function of the slot."""
        return self._columns[METRICS.index(metric)].__getitem__

    def keep(self, wanted: Callable[[int], bool]) -> None:
        """Forget what was counted for other slots."""
        for slot in [slot for slot in self._used if not wanted(slot)]:
            del self._used[slot]
            for column in self._columns:
                column[slot] = 0.0

    def reset(self) -> None:
        """Forget all."""
        self.keep(lambda slot: False)
