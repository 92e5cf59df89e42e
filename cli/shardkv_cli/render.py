"""What people and programs see: rich tables on stdout, progress on stderr, and JSON documents. Decides nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from .exits import Failure
from .plan import Plan, Step
from .survey import NodeReport
from .view import SLOTS, count_slots, show_ranges

# rich would fold tables to 80 columns when nobody looks; a log file has no right margin.
WIDTH_WITHOUT_TERMINAL = 140
BAR_CELLS = 24


def console(stream: IO[str]) -> Console:
    """A rich console for ``stream``; it obeys NO_COLOR by itself."""
    return Console(
        file=stream, highlight=False, soft_wrap=False, width=None if stream.isatty() else WIDTH_WITHOUT_TERMINAL
    )


def show(*things: Any, err: bool = False) -> None:
    """Prints tables and lines for people."""
    target = console(sys.stderr if err else sys.stdout)
    for thing in things:
        target.print(thing, markup=False) if isinstance(thing, str) else target.print(thing)


def emit(document: dict[str, Any]) -> None:
    """Prints the one JSON document of a command on stdout."""
    click.echo(json.dumps(document, indent=2))


@contextmanager
def told_as_json(wanted: bool, **heading: Any) -> Iterator[None]:
    """With --json, a Failure or a "no" becomes a document too: ``heading`` and ``error``. It is raised all the same."""
    try:
        yield
    except Failure as failure:
        if wanted:
            emit({**heading, "error": failure.message})
        raise
    except click.Abort:
        if wanted:
            emit({**heading, "error": "not confirmed; nothing was changed"})
        raise


class Progress:
    """The phases of long work on stderr: bars on a terminal, otherwise one line for each phase that is done."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = console(sys.stderr)
        self._bars: Bars | None = None
        self._tasks: dict[str, Any] = {}
        self._told: set[str] = set()

    def __enter__(self) -> Progress:
        if self._console.is_terminal and not self._quiet:
            self._bars = Bars(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=self._console,
            )
            self._bars.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def update(self, phase: str, done: int, total: int) -> None:
        """Says how far ``phase`` has come."""
        if self._bars is not None:
            if phase not in self._tasks:
                self._tasks[phase] = self._bars.add_task(phase, total=total)
            self._bars.update(self._tasks[phase], completed=done, total=total)
        elif done == total and phase not in self._told and not self._quiet:
            self._told.add(phase)
            self._console.print(f"{phase}: {done}/{total}", markup=False)


def plan_table(plan: Plan) -> Table:
    """The plan of a new cluster, a primary with its replicas below it."""
    table = Table(title="The new cluster", title_justify="left")
    for name in ("node", "role", "slots", "number"):
        table.add_column(name, justify="right" if name == "number" else "left")
    for primary in plan.primaries:
        table.add_row(
            str(primary.member.address),
            "primary",
            f"{primary.first}-{primary.last}",
            str(primary.last - primary.first + 1),
        )
        for replica in primary.replicas:
            beside = " (same host)" if replica.host == primary.member.host else ""
            table.add_row(f"  {replica.address}", f"replica of {primary.member.address}{beside}", "", "")
    return table


def plan_warnings(plan: Plan) -> list[str]:
    """What somebody should know before saying yes."""
    if not plan.conflicts:
        return []
    return [
        f"Note: {len(plan.conflicts)} of {len(plan.members) - len(plan.primaries)} replicas stand on the host of their "
        "primary; the hosts given do not allow better."
    ]


def plan_document(plan: Plan) -> dict[str, Any]:
    """The plan for programs."""
    return {
        "primaries": [
            {
                "address": str(primary.member.address),
                "id": primary.member.id,
                "slots": [[primary.first, primary.last]],
                "epoch": primary.epoch,
                "replicas": [
                    {
                        "address": str(replica.address),
                        "id": replica.id,
                        "same_host": replica.host == primary.member.host,
                    }
                    for replica in primary.replicas
                ],
            }
            for primary in plan.primaries
        ],
        "steps": [step_document(step) for step in plan.steps],
    }


def step_document(step: Step) -> dict[str, Any]:
    """One command of a plan for programs."""
    return {"address": str(step.member.address), "command": list(step.words)}


def slot_bar(ranges: Sequence[tuple[int, int]], cells: int = BAR_CELLS) -> str:
    """The slots as ``cells`` characters: full where all slots of a cell are in ``ranges``, half where some are."""
    bar = []
    for cell in range(cells):
        low, high = cell * SLOTS // cells, (cell + 1) * SLOTS // cells - 1
        inside = count_slots((max(low, a), min(high, b)) for a, b in ranges if a <= high and b >= low)
        bar.append("█" if inside == high - low + 1 else "▌" if inside else "·")
    return "".join(bar)


RIGHT = frozenset({"keys", "memory", "ops/s", "lag"})
RANGES_SHOWN = 4


def nodes_table(nodes: Sequence[NodeReport], title: str | None = None) -> Table:
    """One row a node, replicas below their primary."""
    table = Table(title=title, title_justify="left")
    for name in ("node", "id", "role", "slots", "keys", "memory", "ops/s", "lag", "flags", "state"):
        table.add_column(name, justify="right" if name in RIGHT else "left", no_wrap=name != "slots")
    offsets = {node.line.id: node.offset for node in nodes}
    for node in nodes:
        line = node.line
        table.add_row(
            f"{'' if line.is_primary else '  '}{node.address}",
            line.id[:8],
            "primary" if line.is_primary else "replica",
            f"{slot_bar(line.slots)} {shown_slots(line.slots)}" if line.is_primary else "",
            "" if node.keys is None else str(node.keys),
            "" if node.memory is None else show_bytes(node.memory),
            "" if node.operations is None else str(node.operations),
            lag_of(node, offsets.get(line.primary or "")),
            ",".join(flag for flag in line.flags if flag not in ("master", "slave", "myself")),
            node.state,
        )
    return table


def shown_slots(ranges: Sequence[tuple[int, int]]) -> str:
    """The first few ranges, and how many slots there are when these are not all."""
    shown = show_ranges(ranges[:RANGES_SHOWN])
    return shown if len(ranges) <= RANGES_SHOWN else f"{shown} ... ({count_slots(ranges)})"


def show_bytes(count: float) -> str:
    """``1.5M``."""
    for unit in ("B", "K", "M", "G"):
        if count < 1024 or unit == "G":
            return f"{count:.0f}{unit}" if unit == "B" else f"{count:.1f}{unit}"
        count /= 1024
    raise AssertionError(count)


def lag_of(node: NodeReport, offset: int | None) -> str:
    """How far a replica is behind its primary; both were asked at about the same moment."""
    if node.line.is_primary or node.offset is None:
        return ""
    if not node.linked:
        return "link down"
    return "" if offset is None else show_bytes(max(0, offset - node.offset))


def node_document(node: NodeReport) -> dict[str, Any]:
    """One node for programs."""
    line = node.line
    return {
        "address": str(node.address),
        "id": line.id,
        "role": "primary" if line.is_primary else "replica",
        "primary": line.primary,
        "slots": [list(pair) for pair in line.slots],
        "slot_count": line.slot_count,
        "epoch": line.epoch,
        "flags": list(line.flags),
        "keys": node.keys,
        "memory": node.memory,
        "ops_per_second": node.operations,
        "offset": node.offset,
        "link_up": node.linked,
        "state": node.state,
        "error": node.failure,
    }
