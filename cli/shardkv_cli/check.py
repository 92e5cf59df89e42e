"""``shardkv-admin check``: is the cluster whole, and do all its nodes see it alike? Finds, and changes nothing."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from .access import Access, access_options, json_option
from .address import Address, address_word
from .exits import OK, PROBLEM, run
from .render import emit, node_document, nodes_table, show, told_as_json
from .survey import NodeReport, Survey, survey
from .view import SLOTS, NodeLine, show_ranges, signature, to_ranges


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to know about a cluster. ``kind`` is for programs; one that is not ``serious`` is only a warning."""

    kind: str
    text: str
    nodes: tuple[str, ...] = ()
    serious: bool = True


def examine(seen: Survey) -> list[Finding]:
    """Everything that is wrong or worth a warning, the worst first. Pure."""
    return [
        *coverage(seen),
        *unhealthy(seen),
        *disagreements(seen),
        *open_slots(seen),
        *thin_shards(seen),
    ]


def coverage(seen: Survey) -> Iterator[Finding]:
    """Slots served by nobody or by several; a node that cannot be asked is taken as the first node sees it."""
    owners: dict[int, list[NodeReport]] = {}
    for node in seen.nodes:
        line = node.own or node.line
        for first, last in line.slots:
            for slot in range(first, last + 1):
                owners.setdefault(slot, []).append(node)
    missing = to_ranges(slot for slot in range(SLOTS) if slot not in owners)
    if missing:
        count = SLOTS - len(owners)
        yield Finding("uncovered", f"{count} of {SLOTS} slots are served by nobody: {show_ranges(missing)}")
    fights: dict[tuple[str, ...], list[int]] = {}
    for slot, claimants in owners.items():
        if len(claimants) > 1:
            fights.setdefault(tuple(str(node.address) for node in claimants), []).append(slot)
    for addresses, slots in fights.items():
        text = f"slots {show_ranges(to_ranges(slots))} are claimed by {' and '.join(addresses)}"
        yield Finding("conflict", text, addresses)


def unhealthy(seen: Survey) -> Iterator[Finding]:
    """Nodes that cannot be asked, that others hold for failed, or that say the cluster is down."""
    for node in seen.nodes:
        place = (str(node.address),)
        if node.failure is not None:
            text = node.failure if str(node.address) in node.failure else f"{node.address} {node.failure}"
            yield Finding("unreachable", text, place)
        if "fail" in node.line.flags:
            yield Finding("failing", f"{node.address} is marked as failed", place)
        elif "fail?" in node.line.flags:
            yield Finding("failing", f"{seen.asked} suspects that {node.address} has failed", place)
        if node.cluster_state not in (None, "ok"):
            yield Finding("state", f"{node.address} says that the cluster's state is {node.cluster_state}", place)


def disagreements(seen: Survey) -> Iterator[Finding]:
    """Nodes whose members, roles or slots are not what most nodes see."""
    views = {str(node.address): signature(node.view) for node in seen.nodes if node.view is not None}
    if len(set(views.values())) < 2:
        return
    common = Counter(views.values()).most_common(1)[0][0]
    odd = tuple(address for address, view in views.items() if view != common)
    yield Finding(
        "disagreement", f"{len(odd)} of {len(views)} nodes see other members, roles or slots: {', '.join(odd)}", odd
    )


def open_slots(seen: Survey) -> Iterator[Finding]:
    """Slots on their way from one node to another."""
    for node in seen.nodes:
        own = node.own
        if own is None:
            continue
        for word, moves in (("migrating", own.migrating), ("importing", own.importing)):
            if moves:
                slots = show_ranges(to_ranges(slot for slot, _ in moves))
                yield Finding("open-slot", f"{node.address} has open slots, {word}: {slots}", (str(node.address),))


def thin_shards(seen: Survey) -> Iterator[Finding]:
    """A primary without a replica where others have some: its slots go down with it."""
    copies = replicas_of(seen)
    bare = tuple(str(n.address) for n in seen.nodes if n.line.slots and not copies[n.line.id])
    if bare and any(copies.values()):
        yield Finding("no-replica", f"primaries without a replica: {', '.join(bare)}", bare, serious=False)


def replicas_of(seen: Survey) -> Counter[str]:
    """How many healthy replicas follow each primary id."""
    return Counter(
        node.line.primary
        for node in seen.nodes
        if node.line.primary is not None and node.failure is None and not failed(node.line)
    )


def failed(line: NodeLine) -> bool:
    """Whether the line's node is held for failed or suspected."""
    return "fail" in line.flags or "fail?" in line.flags


def document(seen: Survey, findings: list[Finding]) -> dict[str, Any]:
    """The result of a check for programs."""
    copies = replicas_of(seen)

    def told(serious: bool) -> list[dict[str, Any]]:
        return [
            {"kind": finding.kind, "text": finding.text, "nodes": list(finding.nodes)}
            for finding in findings
            if finding.serious is serious
        ]

    return {
        "command": "check",
        "address": str(seen.asked),
        "ok": not any(finding.serious for finding in findings),
        "problems": told(True),
        "warnings": told(False),
        "nodes": [{**node_document(node), "replicas": copies[node.line.id]} for node in seen.nodes],
    }


@click.command("check")
@click.argument("address", type=address_word, metavar="HOST:PORT")
@access_options
@json_option
@click.option("--dry-run", is_flag=True, help="Accepted for uniformity: a check never changes anything.")
def check(address: Address, access: Access, as_json: bool, dry_run: bool) -> None:
    """Verify that the cluster of HOST:PORT is whole and that its nodes agree.

    Every slot served by exactly one primary, all nodes reachable and of one mind, no slot half moved. Exit code 0: all
    well; 1: problems found, or the node cannot be asked.
    """
    if dry_run and not as_json:
        click.echo("A check changes nothing, with or without --dry-run.", err=True)
    with told_as_json(as_json, command="check", address=str(address), ok=False):
        seen = run(lambda: survey(address, access))
    findings = examine(seen)
    problems = sum(finding.serious for finding in findings)
    if as_json:
        emit(document(seen, findings))
    else:
        show(nodes_table(seen.nodes))
        for finding in findings:
            show(f"{'PROBLEM' if finding.serious else 'warning'}: {finding.text}")
        show(summary(seen, problems))
    sys.exit(PROBLEM if problems else OK)


def summary(seen: Survey, problems: int) -> str:
    """The last line for people."""
    primaries = [node for node in seen.nodes if node.line.is_primary]
    counts = replicas_of(seen)
    spread = sorted({counts[node.line.id] for node in primaries if node.line.slots}) or [0]
    replicas = str(spread[0]) if len(spread) == 1 else f"{spread[0]} to {spread[-1]}"
    if problems:
        return f"{problems} problem(s) found."
    return (
        f"All well: {SLOTS} slots served by {len(primaries)} primaries with {replicas} replica(s) each, "
        f"and all {len(seen.nodes)} nodes agree."
    )
