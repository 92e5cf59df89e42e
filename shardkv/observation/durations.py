"""How long the calls of a command took: a histogram of durations with two significant digits, as Redis keeps one.

Up to ``FINE_MAX`` microseconds durations are counted in eighths of a microsecond, in a plain list that the hot path
adds to directly; longer ones in 128 classes for each power of two of nanoseconds, up to a second.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

#: Classes of the fine part: ``fine[int(microseconds * FINE_SCALE)]``.
FINE_SCALE: Final = 8
FINE: Final = 256
FINE_MAX: Final = FINE / FINE_SCALE

_EIGHTH: Final = 1000 // FINE_SCALE  #: nanoseconds of a fine class
_LONGEST: Final = 1_000_000_000
_DIGITS: Final = 8  #: bits that are told apart
#: The classes in which LATENCY HISTOGRAM shows them, as nanoseconds: powers of two from a microsecond on.
_SHOWN: Final = tuple(1024 << power for power in range(21))


class Durations:
    """The histogram of one command."""

    __slots__ = ("coarse", "fine")

    def __init__(self) -> None:
        self.fine: list[int] = []  #: empty until the first call
        self.coarse: dict[int, int] = {}

    def prepare(self) -> list[int]:
        """The fine part, ready to be added to."""
        if not self.fine:
            self.fine = [0] * FINE
        return self.fine

    def add(self, microseconds: float, count: int = 1) -> None:
        """So many calls took so long each."""
        if microseconds < FINE_MAX:
            self.prepare()[int(microseconds * FINE_SCALE)] += count
        else:
            place = _highest(min(int(microseconds * 1000), _LONGEST))
            self.coarse[place] = self.coarse.get(place, 0) + count

    def reset(self) -> None:
        """Forget all, in place: the hot path holds on to the list."""
        self.fine[:] = [0] * len(self.fine)
        self.coarse.clear()

    def classes(self) -> Iterator[tuple[int, int]]:
        """The longest duration of each class that is not empty, in nanoseconds, and its count; the shortest first."""
        for place, count in enumerate(self.fine):
            if count:
                yield (place + 1) * _EIGHTH - 1, count
        yield from sorted(self.coarse.items())

    @property
    def calls(self) -> int:
        """How many were counted."""
        return sum(self.fine) + sum(self.coarse.values())

    def percentiles(self, wanted: Sequence[float]) -> list[float]:
        """The durations in microseconds below which these shares (in percent) of the calls lie. There was a call."""
        durations, counts = zip(*self.classes(), strict=True)
        passed = list(accumulate(counts))
        needed = [max(1, int(share / 100 * passed[-1] + 0.5)) for share in wanted]
        return [durations[min(bisect_left(passed, calls), len(passed) - 1)] / 1000 for calls in needed]

    def cumulative(self) -> list[tuple[int, int]]:
        """As LATENCY HISTOGRAM shows it: (microseconds, calls up to that), where the second number grows."""
        classes = list(self.classes())
        shown: list[tuple[int, int]] = []
        for bound in _SHOWN:
            calls = sum(count for duration, count in classes if duration <= _highest(bound))
            if calls > (shown[-1][1] if shown else 0):
                shown.append((_highest(bound) // 1000, calls))
        return shown


def _highest(nanoseconds: int) -> int:
    """The longest duration that is not told apart from this one."""
    below = max(0, nanoseconds.bit_length() - _DIGITS)
    return (nanoseconds >> below << below) + (1 << below) - 1
