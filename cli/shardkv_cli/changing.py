"""What all verbs that change a cluster share: their options, the question, the look at the cluster before."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from .access import Access, access_options, json_option
from .address import Address
from .check import Finding, examine
from .exits import Failure
from .render import show
from .survey import NodeReport, Survey, survey

R = TypeVar("R")
#: What makes moving slots unsafe.
UNSAFE = frozenset({"uncovered", "conflict", "unreachable", "failing", "disagreement", "open-slot"})


def changing_options(command: Callable[..., R]) -> Callable[..., R]:
    """Adds --yes, --dry-run, the options of access and --json."""

    @click.option("--yes", is_flag=True, help="Do not ask.")
    @click.option("--dry-run", is_flag=True, help="Show what would be done, change nothing.")
    @access_options
    @json_option
    @wraps(command)
    def with_options(*args: Any, **options: Any) -> R:
        return command(*args, **options)

    return with_options


def confirmed(question: str, *, yes: bool) -> None:
    """Ask, unless told not to. Raises click.Abort for a no."""
    if not yes:
        click.confirm(question, abort=True, err=True)


async def look(address: Address, access: Access, *, sound: bool = True) -> Survey:
    """The cluster as it is. ``sound``: raise Failure if it is in no state to be changed."""
    seen = await survey(address, access)
    if sound:
        refuse_unsound(seen)
    return seen


def refuse_unsound(seen: Survey) -> None:
    """Raises Failure with all that should be mended first."""
    wrong: list[Finding] = [finding for finding in examine(seen) if finding.kind in UNSAFE]
    if wrong:
        listed = "; ".join(finding.text for finding in wrong)
        raise Failure(f"the cluster is not sound: {listed} (nothing was changed; see check and fix)")


def find(seen: Survey, word: str) -> NodeReport:
    """The node that ``word`` names: an address, an id or the beginning of one. Raises Failure."""
    found = [node for node in seen.nodes if str(node.address) == word or node.line.id.startswith(word.lower())]
    if len(found) == 1:
        return found[0]
    raise Failure(f"{word!r} names {'no node' if not found else f'{len(found)} nodes'} of this cluster")


def primaries_of(seen: Survey) -> list[NodeReport]:
    """The primaries that can be reached."""
    return [node for node in seen.nodes if node.line.is_primary and node.line.joined and node.failure is None]


def tell(as_json: bool, *lines: str) -> None:
    """Lines for people: on stderr when stdout belongs to a document."""
    show(*lines, err=as_json)
