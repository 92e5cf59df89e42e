"""The reference of all options as Markdown: ``python -m shardkv.config.reference > shardkv/config/OPTIONS.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from .options import Config
from .schema import Option

_HEAD = """\
# Options of a node

Generated from the table of options (`shardkv/config/options/`) by `python -m shardkv.config.reference`.

An option stands in a file as `name value ...`, on the command line as `--name value ...`, and CONFIG GET and
CONFIG SET take the same names. *Changed* says when: at any time by CONFIG SET, or only at start-up. Options that do
nothing say so, with the reason. `include PATH` in a file puts other files in its place; the path may be a glob.
"""


def markdown() -> str:
    """The text of OPTIONS.md."""
    config = Config()
    return _HEAD + "".join(_table(title, rows, config) for title, rows in groups())


def groups() -> list[tuple[str, list[Option[Any]]]]:
    """The groups with their options, both in the order of declaration."""
    return [(title, list(rows)) for title, rows in groupby(Config.options.values(), key=lambda option: option.group)]


def _table(title: str, rows: Iterable[Option[Any]], config: Config) -> str:
    lines = [
        f"\n## {title[0].upper()}{title[1:]}\n",
        "| option | takes | default | changed | what it does |",
        "|---|---|---|---|---|",
    ]
    for option in rows:
        names = f"`{option.name}`" + "".join(f"<br>also `{alias}`" for alias in option.aliases)
        default = config.shown(option)
        what = option.doc + (f" *{option.effect[0].upper()}{option.effect[1:]}.*" if option.effect else "")
        if option.hidden:
            what += " CONFIG GET shows it only by its full name."
        cells = (names, option.kind.label, f"`{default}`" if default else "", option.mutable.value, what)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
