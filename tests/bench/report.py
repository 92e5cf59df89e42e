"""The measurement as a table for people, Markdown for the README, or JSON."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from .budget import geometric_mean
from .measure import CLIENTS, KEYSPACE, Row

HEADINGS = ("test", "depth", "shardkv rps", "redis rps", "ratio", "shardkv us/op", "redis us/op")


def machine() -> dict[str, str | int]:
    """What it was measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = (line.partition(":") for line in cpuinfo.read_text().splitlines())
        model = next((value.strip() for name, _, value in names if name.strip() == "model name"), model)
    version = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "redis": next(word[2:] for word in version.split() if word.startswith("v=")),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def sentence(facts: dict[str, str | int]) -> str:
    """The machine in one line."""
    return (
        f"{facts['date']}, {facts['cpu']}, {facts['cores']} cores, {facts['system']}, {facts['python']}, "
        f"redis-server {facts['redis']}; redis-benchmark with {CLIENTS} clients, {KEYSPACE:,} random keys, "
        "no persistence, medians of runs in turns"
    )


def summaries(rows: Sequence[Row]) -> list[tuple[int, float, Row]]:
    """For each depth: the depth, the geometric mean of its ratios, and its worst row."""
    depths = dict.fromkeys(row.depth for row in rows)
    return [
        (depth, geometric_mean(at_depth), min(at_depth, key=lambda row: row.ratio))
        for depth in depths
        if (at_depth := [row for row in rows if row.depth == depth])
    ]


def as_table(rows: Sequence[Row], skipped: Sequence[str]) -> str:
    """Aligned columns, then means and minima."""
    cells = [HEADINGS, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    lines = [
        "  ".join(cell.ljust(width) if n == 0 else cell.rjust(width) for n, (cell, width) in enumerate(pairs))
        for pairs in (list(zip(line, widths, strict=True)) for line in cells)
    ]
    lines.insert(1, "-" * len(lines[0]))
    lines += ["", *_closing(rows, skipped), sentence(machine())]
    return "\n".join(lines)


def as_markdown(rows: Sequence[Row], skipped: Sequence[str]) -> str:
    """A table for the README."""
    lines = [HEADINGS, ("---", *["---:"] * (len(HEADINGS) - 1)), *map(_cells, rows)]
    table = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join(
        [*table, "", *(f"{line}  " for line in _closing(rows, skipped)), f"Measured {sentence(machine())}."]
    )


def as_json(rows: Sequence[Row], skipped: Sequence[str], complaints: Sequence[str]) -> str:
    """Everything, for programs."""
    return json.dumps(
        {
            "machine": machine(),
            "rows": [asdict(row) | {"ratio": row.ratio} for row in rows],
            "summary": [
                {"depth": depth, "geometric_mean": mean, "minimum": worst.ratio, "minimum_test": worst.test}
                for depth, mean, worst in summaries(rows)
            ],
            "skipped": list(skipped),
            "missed": list(complaints),
        },
        indent=2,
    )


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.test,
        str(row.depth),
        f"{row.ours.rps:,.0f}",
        f"{row.theirs.rps:,.0f}",
        f"{row.ratio:.2f}",
        f"{row.ours.cpu_us:.2f}",
        f"{row.theirs.cpu_us:.2f}",
    )


def _closing(rows: Sequence[Row], skipped: Sequence[str]) -> list[str]:
    lines = [
        f"depth {depth}: geometric mean {mean:.2f}, minimum {worst.ratio:.2f} ({worst.test})"
        for depth, mean, worst in summaries(rows)
    ]
    if skipped:
        lines.append(f"left out, since the node doesn't know the command: {', '.join(skipped)}")
    return lines
