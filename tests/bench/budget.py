"""What shardkv promises beside redis-server, and whether a measurement keeps it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from .measure import Row

MEAN = {1: 0.8, 16: 0.5}  # ratio of throughput by depth: the geometric mean, and SET and GET each
LEAST = 0.3  # of any test
HELD_EACH = ("set", "get")


def geometric_mean(rows: Sequence[Row]) -> float:
    """Of the ratios; there is at least one row."""
    return statistics.geometric_mean(row.ratio for row in rows)


def missed(rows: Sequence[Row]) -> list[str]:
    """One sentence for each promise that isn't kept, none if all are."""
    complaints = []
    for depth, least in MEAN.items():
        at_depth = [row for row in rows if row.depth == depth]
        if not at_depth:
            continue
        if (mean := geometric_mean(at_depth)) < least:
            complaints.append(f"depth {depth}: the geometric mean is {mean:.2f}, promised {least}")
        complaints += [
            f"depth {depth}: {row.test} is at {row.ratio:.2f}, promised {least}"
            for row in at_depth
            if row.test in HELD_EACH and row.ratio < least
        ]
    complaints += [
        f"depth {row.depth}: {row.test} is at {row.ratio:.2f}, promised {LEAST} of every test"
        for row in rows
        if row.ratio < LEAST
    ]
    return complaints
