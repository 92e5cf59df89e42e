"""``shardkv-admin check-rdb``: is this file a whole and sound snapshot? Tells where it is not, and changes nothing."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from shardkv.persist.rdb.events import Aux, Ended, Event, Library, Opened, Select
from shardkv.persist.rdb.faults import RdbFault
from shardkv.values.kinds import type_name

from .access import json_option
from .exits import OK, PROBLEM
from .rdb_walk import Walk, readable
from .render import emit


@dataclass(slots=True)
class Findings:
    """What a file holds, as far as it could be read. ``now``: Unix milliseconds, for what has expired already."""

    now: int
    version: str = ""
    checked: bool = False
    whole: bool = False
    remarks: dict[str, str] = field(default_factory=dict)
    libraries: int = 0
    database: int = 0
    keys: Counter[int] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    expiring: int = 0
    expired: int = 0
    last: bytes | None = None  #: the key that was read last
    _seen: set[bytes] = field(default_factory=set)

    def take(self, event: Event) -> None:
        """Take in what was read. Raises ValueError for a key that is there twice."""
        if isinstance(event, tuple):
            key, value, expires_at, _, _ = event
            self.last = key
            if key in self._seen:
                raise ValueError(f"the key '{readable(key[:64])}' is there twice in database {self.database}")
            self._seen.add(key)
            self.keys[self.database] += 1
            self.types[type_name(value)] += 1
            self.expiring += expires_at is not None
            self.expired += expires_at is not None and expires_at < self.now
            return
        match event:
            case Opened(version, valkey):
                self.version = f"{version}{' of Valkey' if valkey else ''}"
            case Aux(name, text):
                self.remarks[readable(name)] = readable(text)
            case Select(index):
                self.database = index
                self._seen = set()
            case Library():
                self.libraries += 1
            case Ended(checked):
                self.whole, self.checked = True, checked
            case _:
                pass

    def document(self) -> dict[str, Any]:
        """All of it, for programs."""
        return {
            "version": self.version,
            "remarks": self.remarks,
            "functions": self.libraries,
            "keys": sum(self.keys.values()),
            "databases": {str(index): count for index, count in sorted(self.keys.items())},
            "types": dict(sorted(self.types.items())),
            "expiring": self.expiring,
            "expired": self.expired,
            "check_sum": "right" if self.checked else "none" if self.whole else "not reached",
        }

    def lines(self) -> list[str]:
        """The same for people."""
        document = self.document()
        told = [f"RDB version {self.version}, check sum: {document['check_sum']}"] if self.version else []
        told += [f"  {name}: {text}" for name, text in self.remarks.items()]
        if self.libraries:
            told.append(f"{self.libraries} libraries of functions")
        told += [f"database {index}: {count} keys" for index, count in sorted(self.keys.items())]
        told += [f"  {count} of type {name}" for name, count in sorted(self.types.items())]
        return [*told, f"{self.expiring} keys expire, {self.expired} of them have already"]


@click.command("check-rdb")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@json_option
def check_rdb(file: Path, as_json: bool) -> None:
    """Read an RDB file to its end, take every value apart, and tell what it holds, or where it is damaged and how."""
    found = Findings(time.time_ns() // 1_000_000)
    walk = Walk(file, quiet=as_json)
    fault: RdbFault | None = None
    try:
        for event in walk:
            found.take(event)
    except RdbFault as raised:
        fault = raised
    except ValueError as twice:
        fault = RdbFault(walk.reader.offset, str(twice))
    if as_json:
        error = None if fault is None else {"offset": fault.offset, "reason": fault.reason}
        last = None if found.last is None else readable(found.last)
        emit({"command": "check-rdb", "file": str(file), **found.document(), "last_key": last, "error": error})
    else:
        click.echo("\n".join(found.lines()))
        if fault is None:
            click.echo(f"{file} is sound.")
        else:
            after = "" if found.last is None else f", after the key '{readable(found.last[:64])}'"
            click.echo(f"{file} is damaged at byte {fault.offset}{after}: {fault.reason}", err=True)
    sys.exit(OK if fault is None else PROBLEM)
