"""Numbers drawn with letters: a column each, four rows high, below it the number's label from top to bottom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

ROWS: Final = 4
#: From low to high within a row, and what stands in the rows below.
_LEVELS: Final = "_o#"
_BELOW: Final = "|"


@dataclass(frozen=True, slots=True)
class Sample:
    """One column."""

    value: int
    label: str


def sparkline(samples: Sequence[Sample]) -> str:
    """The drawing, each row ended by a line feed. There is at least one sample."""
    values = [sample.value for sample in samples]
    low = min(values)
    span = (max(values) - low) or 1
    steps = len(_LEVELS) * ROWS
    heights = [min(steps - 1, (value - low) * steps // span) for value in values]
    rows = ["".join(_letter(height, row) for height in heights) for row in range(ROWS - 1, -1, -1)]
    depth = max(len(sample.label) for sample in samples)
    labels = ["".join(sample.label.ljust(depth)[place] for sample in samples) for place in range(depth)]
    return "".join(f"{row}\n" for row in [*rows, " " * len(samples), *labels])


def _letter(height: int, row: int) -> str:
    level = height - row * len(_LEVELS)
    if level < 0:
        return " "
    return _LEVELS[level] if level < len(_LEVELS) else _BELOW
