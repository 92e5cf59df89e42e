"""How a command ends: its exit codes, its one clear line on stderr, and the root of the async part.

0: done and all well. 1: refused, failed, or problems found. 2: the command line itself was wrong (click's usage error).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import click
import trio

OK = 0
PROBLEM = 1

T = TypeVar("T")


class Failure(click.ClickException):
    """What a person must be told; click prints ``Error: <message>`` on stderr and exits 1, without a traceback."""

    exit_code = PROBLEM


def run(main: Callable[[], Awaitable[T]]) -> T:
    """Runs ``main`` under trio and gives its result.

    A ``Failure`` or Ctrl-C that was raised inside nurseries comes out bare, so that the caller sees one clear line: of
    several failures at once the first is told, for the others are nearly always the same news again.
    """
    try:
        return trio.run(main)
    except BaseExceptionGroup as group:
        for kind in (KeyboardInterrupt, Failure):
            found = first_of(group, kind)
            if found is not None:
                raise found from None
        raise


def first_of(group: BaseExceptionGroup[BaseException], kind: type[BaseException]) -> BaseException | None:
    """The first leaf of ``group`` that is a ``kind``, if no leaf is anything else than a failure or Ctrl-C."""
    _, strange = group.split((KeyboardInterrupt, Failure))
    matched = group.subgroup(kind)
    if strange is not None or matched is None:
        return None
    found: BaseException = matched
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
