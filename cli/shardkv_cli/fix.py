"""``shardkv-admin fix``: closes open slots and gives slots that nobody serves an owner. What it can't decide it leaves.

An open slot that both ends know of is moved to its end. One that only the source knows of is closed where it is; one
that only the target knows of, too, after the keys that got there have been carried back to the owner. A slot without an
owner goes to the primary that holds keys of it, or to the one with the fewest slots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click

from .access import Access
from .address import Address, address_word
from .changing import changing_options, confirmed, primaries_of, tell
from .exits import run
from .members import finish
from .moving import Mover
from .render import Progress, told_as_json
from .survey import NodeReport, Survey, survey
from .view import SLOTS


@dataclass(frozen=True, slots=True)
class Repair:
    """One slot to be mended: ``finish`` the move to ``target``, ``close`` it at ``source``, ``return`` its keys from
    ``target`` to ``source``, or ``assign`` it to whoever has its keys."""

    how: str
    slot: int
    source: NodeReport | None = None
    target: NodeReport | None = None

    def __str__(self) -> str:
        source = self.source.address if self.source is not None else "-"
        target = self.target.address if self.target is not None else "-"
        return {
            "finish": f"slot {self.slot}: finish its move from {source} to {target}",
            "close": f"slot {self.slot}: close it at {source}",
            "return": f"slot {self.slot}: carry what {target} has of it back to {source}",
            "assign": f"slot {self.slot}: give it an owner",
        }[self.how]


def repairs(seen: Survey) -> list[Repair]:
    """What is to be done, from what the nodes say. Pure."""
    heads = primaries_of(seen)
    by_id = {node.line.id: node for node in heads}
    owners = {
        slot: node for node in heads for first, last in (node.own or node.line).slots for slot in range(first, last + 1)
    }
    found: dict[int, Repair] = {}
    for node in heads:
        own = node.own
        for slot, _ in own.importing if own is not None else ():
            owner = owners.get(slot)
            opened = owner is not None and owner.own is not None and dict(owner.own.migrating).get(slot)
            if owner is None:
                continue
            if owner is node:
                found[slot] = Repair("close", slot, node)
            elif opened == node.line.id:
                found[slot] = Repair("finish", slot, owner, node)
            else:
                found[slot] = Repair("return", slot, owner, node)
        for slot, there in own.migrating if own is not None else ():
            target = by_id.get(there)
            importing = target is not None and target.own is not None and slot in dict(target.own.importing)
            if not importing:
                found.setdefault(slot, Repair("close", slot, node))
    claimed = {
        slot for node in seen.nodes for first, last in node.line.slots for slot in range(first, last + 1)
    } | owners.keys()
    found |= {slot: Repair("assign", slot) for slot in range(SLOTS) if slot not in claimed}
    return [found[slot] for slot in sorted(found)]


async def mend(mover: Mover, repair: Repair, heads: Sequence[NodeReport]) -> None:
    """Carry one repair out."""
    slot = repair.slot
    if repair.how == "assign":
        owner = await _best_owner(mover, slot, heads)
        await mover.client(owner).ask("CLUSTER", "ADDSLOTS", slot)
        await mover.client(owner).call("CLUSTER", "BUMPEPOCH")
        await mover.settle(slot, owner)
        return
    assert repair.source is not None
    source = mover.client(repair.source)
    if repair.target is not None:
        target = mover.client(repair.target)
        if repair.how == "finish":
            await mover.carry_keys(slot, repair.source, repair.target)
            await mover.settle(slot, repair.target, first=(target, source))
            return
        # The owner takes its own keys back: for that it needs no open slot, since it serves the slot.
        await mover.carry_keys(slot, repair.target, repair.source, replace=False)
        await target.ask("CLUSTER", "SETSLOT", slot, "STABLE")
    await source.ask("CLUSTER", "SETSLOT", slot, "STABLE")


async def _best_owner(mover: Mover, slot: int, heads: Sequence[NodeReport]) -> NodeReport:
    """The primary with most keys of a slot; with none anywhere the one with the fewest slots."""
    counts = [(await mover.client(node).number("CLUSTER", "COUNTKEYSINSLOT", slot), node) for node in heads]
    return max(counts, key=lambda pair: (pair[0], -pair[1].line.slot_count, pair[1].line.id))[1]


@click.command("fix")
@click.argument("address", type=address_word, metavar="HOST:PORT")
@changing_options
def fix(address: Address, yes: bool, dry_run: bool, access: Access, as_json: bool) -> None:
    """Mend what an interrupted move has left in the cluster of HOST:PORT, and slots without an owner."""
    with told_as_json(as_json, command="fix", result="failed"):
        seen = run(lambda: survey(address, access))
        todo = repairs(seen)
        if not todo:
            finish("fix", "nothing to do", as_json, "Nothing to mend.", repairs=[])
            return
        if not as_json or not (yes or dry_run):
            shown = [f"  {repair}" for repair in todo]
            tell(as_json, f"{len(todo)} slot(s) to mend:", *shown[:40], *(["  ..."] if len(shown) > 40 else []))
        if dry_run:
            finish("fix", "planned", as_json, "Nothing was changed (--dry-run).", repairs=[str(r) for r in todo])
            return
        confirmed("Mend them?", yes=yes)

        async def go() -> None:
            heads = primaries_of(seen)
            with Progress(quiet=as_json) as progress:
                async with Mover(seen.nodes, access) as mover:
                    for done, repair in enumerate(todo, 1):
                        await mend(mover, repair, heads)
                        progress.update("Slots mended", done, len(todo))

        run(go)
    finish("fix", "done", as_json, f"{len(todo)} slot(s) mended.", repairs=[str(repair) for repair in todo])
