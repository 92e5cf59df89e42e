"""The reference of all commands, written from their declarations: ``python -m shardkv.engine.reference`` prints it."""

from __future__ import annotations

from typing import Final

from .. import commands as _all_commands
from ..commands.flags import Doc
from ..commands.spec import GROUP_CATEGORY, TABLE, Command
from ..commands.versions import REDIS_VERSION

_TITLES: Final = {
    "string": "Strings",
    "list": "Lists",
    "set": "Sets",
    "sorted-set": "Sorted sets",
    "hash": "Hashes",
    "bitmap": "Bitmaps",
    "hyperloglog": "HyperLogLog",
    "geo": "Geo",
    "stream": "Streams",
    "generic": "Keys",
    "connection": "Connection",
    "pubsub": "Pub/sub",
    "transactions": "Transactions",
    "scripting": "Scripting",
    "server": "Server",
    "cluster": "Cluster",
}
_TOP: Final = f"""# Commands

Written by `make docs` from the declarations in this folder; not to be edited. The commands behave as those of Redis
{REDIS_VERSION}; *since* is the version of Redis that brought them. `COMMAND DOCS` tells clients the same.
"""


def _entry(command: Command) -> list[str]:
    usage = f"{command.word.upper()} {command.syntax}".rstrip()
    lines = ["", f"`{usage}`", "", command.doc]
    notes = [f"Since {command.since}.", f"{command.complexity.rstrip('.')}."]
    if command.doc_flags & Doc.DEPRECATED:
        instead = f": use {command.replaced_by}" if command.replaced_by else ""
        notes.append(f"Deprecated since {command.deprecated_since}{instead}.")
    return [*lines, "", " ".join(notes)]


def text() -> str:
    """The whole reference, in Markdown."""
    lines = [_TOP.rstrip()]
    for group in GROUP_CATEGORY:
        found = sorted(
            (
                command
                for command in TABLE.values()
                if command.group == group and (not command.subcommands or command.arity == -1)
            ),
            key=lambda command: command.name,
        )
        if found:
            lines += ["", f"## {_TITLES[group]}"]
            for command in found:
                lines += _entry(command)
    return "\n".join(lines) + "\n"


__all__ = ["_all_commands", "text"]


if __name__ == "__main__":
    print(text(), end="")
