"""Which processes are ours: a pid together with the time of its start, for pids are used again.

Everything that ends a process by a pid read from a file goes through ``Identity``, so that nothing else is ever hit.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RECORD = "launch.json"


@dataclass(frozen=True, slots=True)
class Identity:
    """One process for as long as the machine is up. ``started`` is the system's own text; only equality matters."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return identify(self.pid) == self

    def send(self, number: signal.Signals) -> bool:
        """Sends a signal if the process still runs; False if it is gone."""
        if not self.alive:
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True


def identify(pid: int) -> Identity | None:
    """The running process with this pid; None when there is none, or only its zombie."""
    if Path("/proc/self/stat").exists():
        try:
            # The name in brackets may hold anything; what follows the last bracket begins with field 3.
            fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] == "Z" else Identity(pid, fields[19])
    shown = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(None, 1)
    return None if len(shown) < 2 or shown[0].startswith("Z") else Identity(pid, shown[1].strip())


@dataclass(frozen=True, slots=True)
class Record:
    """What a launcher leaves in its folder: itself and its nodes (port, process)."""

    launcher: Identity
    nodes: tuple[tuple[int, Identity], ...]

    @property
    def ports(self) -> list[int]:
        """The ports of the nodes that it runs."""
        return [port for port, _ in self.nodes]

    @property
    def living(self) -> list[Identity]:
        """Those of its processes that still run, the launcher first."""
        return [one for one in (self.launcher, *(identity for _, identity in self.nodes)) if one.alive]


def write_record(folder: Path, nodes: Sequence[tuple[int, int]]) -> None:
    """Writes down this process as launcher of ``nodes``: (port, pid) pairs."""
    launcher = identify(os.getpid())
    assert launcher is not None  # we run
    document = {
        "pid": launcher.pid,
        "started": launcher.started,
        "nodes": [
            {"port": port, "pid": found.pid, "started": found.started}
            for port, pid in nodes
            if (found := identify(pid)) is not None
        ],
    }
    fresh = folder / f"{RECORD}.new"
    fresh.write_text(json.dumps(document, indent=2) + "\n")
    fresh.replace(folder / RECORD)


def read_record(folder: Path) -> Record | None:
    """What the last launcher left in ``folder``; None when nothing readable is there."""
    try:
        document = json.loads((folder / RECORD).read_text())
        return Record(
            Identity(int(document["pid"]), str(document["started"])),
            tuple((int(node["port"]), Identity(int(node["pid"]), str(node["started"]))) for node in document["nodes"]),
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def remove_record(folder: Path) -> None:
    """Forgets the launcher of ``folder``, which has ended."""
    (folder / RECORD).unlink(missing_ok=True)
