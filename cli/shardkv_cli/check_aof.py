"""``shardkv-admin check-aof``: is this log of writes whole and sound? Tells where it is not; repairs it if told to."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from shardkv.commands.spec import TABLE
from shardkv.persist.aof import manifest as manifests
from shardkv.persist.aof.checking import Damage, FileCheck
from shardkv.persist.aof.manifest import ManifestFault

from .access import json_option
from .changing import confirmed
from .exits import OK, PROBLEM, Failure
from .render import emit

CHUNK: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in one file. ``last``: it may be cut; nothing comes after it."""

    path: Path
    size: int
    sound: int
    keys: int
    commands: int
    snapshot: bool
    damage: Damage | None
    last: bool

    def document(self) -> dict[str, Any]:
        """All of it, for programs."""
        return {
            "file": str(self.path),
            "size": self.size,
            "sound_up_to": self.sound,
            "keys": self.keys,
            "commands": self.commands,
            "error": None
            if self.damage is None
            else {"offset": self.damage.offset, "reason": self.damage.reason, "torn": self.damage.torn},
        }

    def line(self) -> str:
        """The same for people."""
        holds = f"{self.keys} keys in a snapshot, " if self.snapshot else ""
        text = f"{self.path}: {self.size} bytes, {holds}{self.commands} commands"
        if self.damage is None:
            return f"{text}: sound"
        return (
            f"{text}, sound up to byte {self.sound} ({self.size - self.sound} bytes behind it); "
            f"at byte {self.damage.offset}: {self.damage.reason}"
        )


def refuses(words: list[bytes]) -> str | None:
    """Why no node would carry out a command, as far as its name tells."""
    if words[0].decode("latin-1").lower() in TABLE:
        return None
    return f"there is no command '{words[0][:64].decode('utf-8', 'backslashreplace')}'"


def files_of(path: Path) -> list[Path]:
    """The files that are meant: those that a manifest names in order, or the file itself. Raises Failure."""
    if not path.name.endswith(".manifest"):
        return [path]
    try:
        manifest = manifests.read(path.read_bytes(), path.name.removesuffix(".manifest"))
    except OSError as error:
        raise Failure(f"{path}: {error.strerror or error}") from error
    except ManifestFault as fault:
        raise Failure(f"{path} is no manifest: {fault}") from None
    return [path.parent / part.name for part in manifest.parts]


def examine(path: Path, *, last: bool) -> Report:
    """Read a file to its end. Raises Failure."""
    check = FileCheck(refuses)
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                check.feed(chunk)
    except OSError as error:
        raise Failure(f"{path}: {error.strerror or error}") from error
    check.finish()
    return Report(path, check.size, check.sound, check.keys, check.commands, check.snapshot, check.damage, last)


def backup_of(path: Path) -> Path:
    """A name for the copy of a file, beside it, that nobody has yet."""
    number = 0
    while (copy := path.with_name(f"{path.name}.backup{f'-{number}' if number else ''}")).exists():
        number += 1
    return copy


def cut(report: Report) -> Path:
    """Cut a file where it is sound no longer; the copy that was made of it before. Raises Failure."""
    copy = backup_of(report.path)
    try:
        shutil.copy2(report.path, copy)
        with report.path.open("r+b") as file:
            file.truncate(report.sound)
            os.fsync(file.fileno())
    except OSError as error:
        raise Failure(f"{report.path}: {error.strerror or error}") from error
    return copy


def repair(reports: Sequence[Report], *, yes: bool, quiet: bool) -> None:
    """Cut the last file, the only one that may be. Raises Failure if that does not help."""
    for report in reports:
        if report.damage is None:
            continue
        if not report.last:
            raise Failure(f"{report.path} can't be repaired: it is not the last file, and what follows relies on it")
        if report.snapshot and not report.sound:
            raise Failure(f"{report.path} can't be repaired: the snapshot that it begins with is damaged")
        lost = report.size - report.sound
        confirmed(f"Cut {report.path} from {report.size} to {report.sound} bytes ({lost} are lost)?", yes=yes)
        copy = cut(report)
        if not quiet:
            click.echo(f"{report.path} was cut to {report.sound} bytes; what it was is in {copy}")


@click.command("check-aof")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--fix", is_flag=True, help="Cut the last file where it is sound no longer, and keep a copy of it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def check_aof(file: Path, fix: bool, yes: bool, as_json: bool) -> None:
    """Read the log of writes (AOF) to its end and tell what it holds, or where it is damaged and how.

    FILE is a manifest (all its files are read), a single log file, or a base.
    """
    paths = files_of(file)
    reports = [examine(path, last=path == paths[-1]) for path in paths]
    damaged = any(report.damage is not None for report in reports)
    if not as_json:
        for report in reports:
            click.echo(report.line(), err=report.damage is not None)
    if damaged and fix:
        repair(reports, yes=yes, quiet=as_json)
    if as_json:
        emit({"command": "check-aof", "files": [report.document() for report in reports], "fixed": damaged and fix})
    elif not damaged:
        click.echo(f"{file} is sound.")
    elif not fix and all(report.damage is None or report.last for report in reports):
        click.echo("--fix cuts it there, and keeps a copy.", err=True)
    sys.exit(PROBLEM if damaged and not fix else OK)
