"""From a failing sequence to one in which every step is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def shrunk(items: Sequence[T], fails: Callable[[Sequence[T]], bool]) -> list[T]:
    """The items that are left when no chunk can be taken away without ``fails`` becoming false."""
    kept = list(items)
    size = max(1, len(kept) // 2)
    while True:
        smaller = _without_chunks(kept, size, fails)
        if len(smaller) < len(kept):
            kept = smaller
            size = max(1, min(size, len(kept) // 2))
        elif size > 1:
            size //= 2
        else:
            return kept


def _without_chunks(kept: list[T], size: int, fails: Callable[[Sequence[T]], bool]) -> list[T]:
    """One pass from the end, each chunk left out if the rest still fails."""
    end = len(kept)
    while end > 0:
        start = max(0, end - size)
        attempt = kept[:start] + kept[end:]
        if fails(attempt):
            kept = attempt
        end = start
    return kept
