"""What was taken out of the keyspace and is too large to be freed at once: it is taken apart in steps.

A value of millions of elements costs a second to free, during which nobody would be served. So whoever deletes,
overwrites or flushes hands over what is gone, at the price of a look at its length, and a background step gives the
memory back in portions. Nobody may use afterwards what was handed over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from sys import getrefcount
from typing import Any, Final

#: A collection with no more elements is freed on the spot.
SMALL: Final = 1024
#: So is a string with no more bytes: the system takes a tenth of a millisecond for each megabyte that it gets back.
LONG: Final = 1 << 23
#: Bytes of a longer one that are given back in one go.
PIECE: Final = 1 << 22
#: Keys of a flushed database that are freed between two looks at the clock.
PORTION: Final = 64


class Freeing:
    """Large values and whole databases that wait to be freed. ``pending`` and ``freed`` count keys."""

    __slots__ = ("_jobs", "freed", "pending")

    def __init__(self) -> None:
        self._jobs: deque[Iterator[int]] = deque()
        self.pending = 0
        self.freed = 0

    def __bool__(self) -> bool:
        """Whether there is anything to free."""
        return bool(self._jobs)

    def give(self, value: Any) -> None:
        """Take over a value. A small one is left to whoever holds it last."""
        parts = _parts(value)
        if parts is not None:
            self.give_parts(parts)

    def give_parts(self, parts: Iterable[object]) -> None:
        """Take over what is freed as one thing as these parts are asked for."""
        self.pending += 1
        self._jobs.append(_whole(parts))

    def give_all(self, slots: Iterable[Any], times: Iterable[dict[bytes, int] | None], count: int) -> None:
        """Take over the slots of a database, which have ``count`` keys, and the expiry times beside them. Empty slots
        among them cost little. Few keys are freed on the spot, but for the large ones among them."""
        if count <= SMALL:
            for slot in slots:
                for value in slot.values() if slot else ():
                    if type(value) is not bytes or len(value) > LONG:
                        self.give(value)
        else:
            self.pending += count
            self._jobs.append(_database(list(slots)))
            self._jobs.append(_unseen(list(times)))

    def step(self, spent: Callable[[], bool]) -> bool:
        """Free portions until nothing is left or ``spent()``. True if there is more."""
        jobs = self._jobs
        while jobs:
            gone = next(jobs[0], None)
            if gone is None:
                jobs.popleft()
                continue
            self.pending -= gone
            self.freed += gone
            if spent():
                return bool(jobs)
        return False


def _parts(value: Any) -> Iterator[object] | None:
    """What frees a value part by part, or None for a small one."""
    if type(value) is bytes:
        return _pieces([value]) if len(value) > LONG else None
    take_apart: Callable[[], Iterator[object]] | None = getattr(value, "take_apart", None)
    return None if take_apart is None or len(value) <= SMALL else take_apart()


def _pieces(held: list[bytes]) -> Iterator[None]:
    """Gives the memory of the only string in ``held`` back from its end.

    A BytesIO that is the only one to hold its bytes cuts them where they are. Others hold them while they are being
    sent to a client: then whoever is last frees them whole.
    """
    text = held.pop()
    if getrefcount(text) > 2:  # here, and as an argument
        return
    left = len(text)
    buffer = BytesIO(text)
    del text
    while left > PIECE:
        left -= PIECE
        buffer.truncate(left)
        buffer.getvalue()  # gives up what is behind the end
        yield


def _unseen(dicts: list[dict[bytes, int] | None]) -> Iterator[int]:
    """What nobody counts."""
    while dicts:
        times = dicts.pop()
        while times:
            for _ in range(min(len(times), PORTION)):
                times.popitem()
            yield 0


def _whole(parts: Iterable[object]) -> Iterator[int]:
    """One value: it counts when the last part is gone."""
    for _ in parts:
        yield 0
    yield 1


def _database(slots: list[Any]) -> Iterator[int]:
    """Slots with all their keys; a large value among them goes part by part."""
    gone = 0
    while slots:
        slot = slots.pop()
        for held in slot.take_apart() if not isinstance(slot, dict) else (slot,):
            while held:
                _, value = held.popitem()
                gone += 1
                if type(value) is not bytes or len(value) > LONG:
                    parts = _parts(value)
                    del value  # else the parts would not be the only ones to hold it
                    for _ in parts or ():
                        yield 0
                if gone == PORTION:
                    yield gone
                    gone = 0
    yield gone
