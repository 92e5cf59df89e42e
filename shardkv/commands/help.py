"""HELP of every container, read off the table.

This module is imported after all others of the package: it gives a HELP to whatever containers it finds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ..resp.replies import Simple
from .flags import Flags
from .spec import TABLE, Command, register

#: When Redis gave each container its HELP; for those of our own, or later ones, the container's own date counts.
_SINCE: Final = {
    "acl": "6.0.0",
    "client": "5.0.0",
    "cluster": "5.0.0",
    "command": "5.0.0",
    "config": "5.0.0",
    "function": "7.0.0",
    "latency": "2.8.13",
    "memory": "4.0.0",
    "module": "5.0.0",
    "object": "6.2.0",
    "pubsub": "6.2.0",
    "script": "5.0.0",
    "slowlog": "6.2.0",
    "xgroup": "5.0.0",
    "xinfo": "5.0.0",
}


def help_lines(container: Command) -> list[str]:
    """The lines of a container's HELP: a header, then each subcommand with its words and, below it, what it does."""
    name = container.name.upper()
    lines = [f"{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    if container.arity == -1:
        lines += ["(no subcommand)", f"    {container.doc}"]
    for word, command in sorted(container.subcommands.items()):
        if word != b"help":
            lines += [f"{word.decode().upper()} {command.syntax}".rstrip(), f"    {command.doc}"]
    return [*lines, "HELP", "    Print this help."]


def _body_for(container: Command) -> Callable[[Any], list[Simple]]:
    def body(ctx: Any) -> list[Simple]:
        return [Simple(line) for line in help_lines(container)]

    body.__doc__ = "Returns helpful text about the subcommands."
    return body


def declare() -> None:
    """Give every container of the table that has none its HELP."""
    for container in [command for command in TABLE.values() if command.subcommands]:
        if b"help" not in container.subcommands:
            register(
                f"{container.name} help",
                _body_for(container),
                flags=Flags.LOADING | Flags.STALE,
                group=container.group,
                since=_SINCE.get(container.name, container.since),
                acl=("connection",) if container.name == "command" else (),
                drop_acl=("pubsub",),  # PUBSUB HELP publishes nothing
            )


declare()
