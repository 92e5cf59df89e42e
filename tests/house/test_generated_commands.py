"""The reference of commands is that of the table."""

from __future__ import annotations

from pathlib import Path

import shardkv.commands
from shardkv.commands.spec import TABLE
from shardkv.commands.versions import SHARDKV_VERSION
from shardkv.engine.reference import text

ROOT = Path(__file__).resolve().parents[2]


def test_the_reference_is_current() -> None:
    path = Path(shardkv.commands.__file__).with_name("COMMANDS.md")
    assert path.read_text() == text(), "run: make docs"


def test_the_reference_has_every_command() -> None:
    lines = text().splitlines()
    for command in TABLE.values():
        if not command.subcommands:
            assert any(line.startswith(f"`{command.word.upper()}") for line in lines), command.name


def test_the_version_is_that_of_the_package() -> None:
    assert f'\nversion = "{SHARDKV_VERSION}"\n' in (ROOT / "pyproject.toml").read_text()
