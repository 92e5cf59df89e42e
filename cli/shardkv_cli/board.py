"""The status of a launcher's nodes: a live table on a terminal, otherwise one line (or one JSON object) a change."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import click
from rich.live import Live
from rich.table import Table

from .render import console


@dataclass(slots=True)
class NodeStatus:
    """One node as its launcher sees it. ``since`` is when its present run began (seconds, the caller's clock)."""

    port: int
    state: str = "waiting"
    pid: int | None = None
    restarts: int = 0
    since: float | None = None
    note: str = ""

    def line(self) -> str:
        """For a log: ``port 7000: ready (pid 12)``."""
        facts = [f"pid {self.pid}"] if self.pid is not None else []
        facts += [f"restarts {self.restarts}"] if self.restarts else []
        facts += [self.note] if self.note else []
        return f"port {self.port}: {self.state}" + (f" ({', '.join(facts)})" if facts else "")


class Board:
    """Shows ``nodes``; a context manager, for a live table must be put away in the end."""

    def __init__(self, nodes: Sequence[NodeStatus], as_json: bool) -> None:
        self._nodes = nodes
        self._as_json = as_json
        self._console = console(sys.stdout)
        self._live: Live | None = None

    @property
    def live(self) -> bool:
        """Whether uptimes are on show, so that it wants a ``refresh`` now and then."""
        return self._console.is_terminal and not self._as_json

    def __enter__(self) -> Board:
        if self.live:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._live is not None:
            self._live.stop()

    def changed(self, node: NodeStatus, now: float) -> None:
        """Tells that ``node`` has changed."""
        if self._as_json:
            facts = {"port": node.port, "state": node.state, "pid": node.pid, "restarts": node.restarts}
            click.echo(json.dumps({**facts, "note": node.note}))
        elif self._live is None:
            click.echo(node.line())
        self.refresh(now)

    def say(self, line: str) -> None:
        """One line about all of them, for people."""
        if not self._as_json:
            self._console.print(line, markup=False)

    def refresh(self, now: float) -> None:
        """Draws the live table again, if there is one."""
        if self._live is not None:
            self._live.update(self._table(now), refresh=True)

    def _table(self, now: float) -> Table:
        table = Table()
        for name in ("port", "pid", "state", "uptime", "restarts", "note"):
            table.add_column(name)
        for node in self._nodes:
            uptime = "" if node.since is None else str(timedelta(seconds=int(now - node.since)))
            pid = "" if node.pid is None else str(node.pid)
            table.add_row(str(node.port), pid, node.state, uptime, str(node.restarts), node.note)
        return table
