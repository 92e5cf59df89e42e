"""``shardkv-admin reshard`` and ``rebalance``: slots from primary to primary, while clients go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from .access import Access
from .address import Address, address_word
from .changing import changing_options, confirmed, find, look, primaries_of, tell
from .client import Client, connect
from .exits import Failure, run
from .moves import Move, MoveError, rebalance, reshard, slots_of, summary
from .moving import Mover
from .render import Progress, emit, told_as_json
from .survey import NodeReport, Survey
from .view import parse_info, show_ranges, to_ranges


def planned(make: Callable[[], tuple[Move, ...]]) -> tuple[Move, ...]:
    """A plan, its refusal being a Failure."""
    try:
        return make()
    except MoveError as error:
        raise Failure(f"{error} (nothing was changed)") from None


def lines_of(moves: Sequence[Move]) -> list[str]:
    """A plan for people."""
    return [
        f"  {source} -> {target}: {len(slots)} slot(s) {show_ranges(to_ranges(slots))}"
        for (source, target), slots in summary(moves).items()
    ]


def document(verb: str, result: str, moves: Sequence[Move], **more: Any) -> dict[str, Any]:
    """A plan for programs."""
    return {
        "command": verb,
        "result": result,
        "moves": [
            {"from": source, "to": target, "slots": [list(pair) for pair in to_ranges(slots)]}
            for (source, target), slots in summary(moves).items()
        ],
        **more,
    }


def carry_out(
    verb: str, seen: Survey, moves: Sequence[Move], access: Access, *, yes: bool, dry_run: bool, as_json: bool
) -> None:
    """Show the moves, ask, make them."""
    if not moves:
        if as_json:
            emit(document(verb, "nothing to do", moves))
        else:
            tell(as_json, "Nothing to do.")
        return
    if not as_json or not (yes or dry_run):
        tell(as_json, f"{len(moves)} slot(s) to move:", *lines_of(moves))
    if dry_run:
        if as_json:
            emit(document(verb, "planned", moves))
        else:
            tell(as_json, "Nothing was changed (--dry-run).")
        return
    confirmed("Move them?", yes=yes)

    async def go() -> Mover:
        with Progress(quiet=as_json) as progress:
            async with Mover(seen.nodes, access) as mover:
                await mover.carry_out(moves, progress)
                return mover

    mover = run(go)
    if as_json:
        emit(document(verb, "done", moves, keys=mover.keys))
    else:
        tell(as_json, f"{mover.moved} slot(s) with {mover.keys} key(s) moved.")


@click.command("reshard")
@click.argument("address", type=address_word, metavar="HOST:PORT")
@click.option("--to", "target", required=True, metavar="NODE", help="Who gets the slots: HOST:PORT or an id.")
@click.option("--from", "sources", multiple=True, metavar="NODE", help="Who gives them; all others if left out.")
@click.option("--slots", "count", type=click.IntRange(min=1), required=True, help="How many.")
@changing_options
def reshard_command(
    address: Address,
    target: str,
    sources: tuple[str, ...],
    count: int,
    yes: bool,
    dry_run: bool,
    access: Access,
    as_json: bool,
) -> None:
    """Move a number of slots to one primary of the cluster of HOST:PORT."""
    with told_as_json(as_json, command="reshard", result="failed"):
        seen = run(lambda: look(address, access))
        taker = find(seen, target)
        givers = [find(seen, word) for word in sources] or [
            node for node in primaries_of(seen) if node is not taker and node.line.slots
        ]
        for node in [taker, *givers]:
            if not node.line.is_primary:
                raise Failure(f"{node.address} is a replica (nothing was changed)")
        moves = planned(lambda: reshard(givers, taker, count))
        carry_out("reshard", seen, moves, access, yes=yes, dry_run=dry_run, as_json=as_json)


async def costs_of(primaries: Sequence[NodeReport], by: str, access: Access) -> dict[int, float]:
    """What each slot weighs: 1, its keys, or its share of the node's memory by its keys."""
    costs: dict[int, float] = {}
    for node in primaries:
        slots = slots_of(node)
        if by == "slots":
            costs.update(dict.fromkeys(slots, 1.0))
            continue
        async with connect(node.address, access) as client:
            counts = await client.many([("CLUSTER", "COUNTKEYSINSLOT", slot) for slot in slots])
            unit = await memory_per_key(client) if by == "memory" else 1.0
        costs.update({slot: unit * count for slot, count in zip(slots, counts, strict=True) if isinstance(count, int)})
    return costs


async def memory_per_key(client: Client) -> float:
    """Bytes that a key of this node takes on average."""
    info = parse_info(await client.text("INFO", "memory"))
    keys = await client.number("DBSIZE")
    return float(info.get("used_memory_dataset", "0")) / keys if keys else 1.0


def weights_of(
    seen: Survey, primaries: Sequence[NodeReport], words: Sequence[str], use_empty: bool
) -> dict[str, float]:
    """How much each primary is to carry. Raises Failure for a word that is no NODE=WEIGHT."""
    weights = {node.line.id: 1.0 if node.line.slots or use_empty else 0.0 for node in primaries}
    for word in words:
        name, equals, number = word.rpartition("=")
        node = find(seen, name)
        try:
            weight = float(number)
        except ValueError:
            weight = -1.0
        if not equals or not 0 <= weight < float("inf") or node.line.id not in weights:
            raise Failure(f"{word!r} is not NODE=WEIGHT with a primary and a number from 0 on (nothing was changed)")
        weights[node.line.id] = weight
    return weights


@click.command("rebalance")
@click.argument("address", type=address_word, metavar="HOST:PORT")
@click.option(
    "--by",
    type=click.Choice(["slots", "keys", "memory"]),
    default="slots",
    show_default=True,
    help="What is to be spread evenly.",
)
@click.option("--weight", "words", multiple=True, metavar="NODE=WEIGHT", help="How much a primary is to carry (1).")
@click.option("--use-empty", is_flag=True, help="Give slots to primaries that have none.")
@click.option(
    "--threshold",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    metavar="PERCENT",
    help="Nothing is done while everybody is this near to its share.",
)
@changing_options
def rebalance_command(
    address: Address,
    by: str,
    words: tuple[str, ...],
    use_empty: bool,
    threshold: float,
    yes: bool,
    dry_run: bool,
    access: Access,
    as_json: bool,
) -> None:
    """Spread slots, keys or memory evenly over the primaries of the cluster of HOST:PORT."""
    with told_as_json(as_json, command="rebalance", result="failed"):
        seen = run(lambda: look(address, access))
        primaries = primaries_of(seen)
        weights = weights_of(seen, primaries, words, use_empty)
        costs = run(lambda: costs_of(primaries, by, access))
        carrying = [node for node in primaries if weights[node.line.id] or node.line.slots]
        moves = planned(lambda: rebalance(carrying, weights, costs, threshold))
        carry_out("rebalance", seen, moves, access, yes=yes, dry_run=dry_run, as_json=as_json)
