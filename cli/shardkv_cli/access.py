"""How the tools talk to nodes: credentials and patience, as a value and as the options that give it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import click

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Access:
    """Credentials (``user`` counts only with a ``password``), the longest wait for one answer, in seconds, and how to
    speak TLS, if at all."""

    password: str | None = None
    user: str | None = None
    timeout: float = 5.0
    tls: ssl.SSLContext | None = None


def access_options(command: Callable[..., R]) -> Callable[..., R]:
    """Adds --password, --user, --timeout and the options of TLS to a click command, which gets them as one ``access:
    Access``."""

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
    @click.option("--tls", is_flag=True, help="Speak TLS; the ports given are those for it.")
    @_file_option("--cacert", "The authorities to trust, in one file; else those of the system.")
    @_file_option("--cert", "The certificate to show, if the nodes want one.")
    @_file_option("--key", "Its key.")
    @wraps(command)
    def with_access(
        *args: Any,
        password: str | None,
        user: str | None,
        timeout: float,
        tls: bool,
        cacert: str | None,
        cert: str | None,
        key: str | None,
        **options: Any,
    ) -> R:
        context = tls_context(cacert, cert, key) if tls else None
        return command(*args, access=Access(password or None, user, timeout, context), **options)

    return with_access


def _file_option(name: str, text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(name, type=click.Path(exists=True, dir_okay=False), metavar="FILE", help=text)


def tls_context(cacert: str | None, cert: str | None, key: str | None) -> ssl.SSLContext:
    """What the files make possible. As with redis-cli the authority counts and not the host's name, for clusters are
    made of addresses. Raises UsageError."""
    try:
        context = ssl.create_default_context(cafile=cacert)
        context.check_hostname = False
        if cert is not None:
            context.load_cert_chain(cert, key)
    except OSError as error:
        raise click.UsageError(f"TLS: {getattr(error, 'reason', None) or error}") from error
    return context


def json_option(command: Callable[..., R]) -> Callable[..., R]:
    """Adds --json, given to the command as ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, for programs.")(
        command
    )
