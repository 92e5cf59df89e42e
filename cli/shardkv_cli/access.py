"""How the tools talk to nodes: credentials and patience, as a value and as the options that give it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import click

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Access:
    """Credentials (``user`` counts only with a ``password``) and the longest wait for one answer, in seconds."""

    password: str | None = None
    user: str | None = None
    timeout: float = 5.0


def access_options(command: Callable[..., R]) -> Callable[..., R]:
    """Adds --password, --user and --timeout to a click command, which gets them as one ``access: Access``."""

    @click.option(
        "-a",
        "--password",
        envvar=["REDISCLI_AUTH", "SHARDKV_PASSWORD"],
        show_envvar=True,
        metavar="TEXT",
        help="Password of the nodes; by the environment it stays out of the process list.",
    )
    @click.option("--user", envvar="SHARDKV_USER", metavar="NAME", help="User that the password belongs to.")
    @click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=5.0,
        show_default=True,
        metavar="SECONDS",
        help="Longest wait for one answer of one node.",
    )
    @wraps(command)
    def with_access(*args: Any, password: str | None, user: str | None, timeout: float, **options: Any) -> R:
        return command(*args, access=Access(password or None, user, timeout), **options)

    return with_access


def json_option(command: Callable[..., R]) -> Callable[..., R]:
    """Adds --json, given to the command as ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, for programs.")(
        command
    )
