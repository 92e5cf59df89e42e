"""Plans that change a cluster: which slots go from whom to whom, and why that is enough. No sockets.

A ``Move`` is one slot on its way; a plan is a tuple of them, in the order in which they are made. All plans are made
from what the nodes say now, so one that was interrupted is simply made again: it then has fewer moves in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .survey import NodeReport
from .view import SLOTS


class MoveError(ValueError):
    """What was asked for can't be done; the text says why."""


@dataclass(frozen=True, slots=True)
class Move:
    """One slot goes from one primary to another."""

    slot: int
    source: NodeReport
    target: NodeReport


def slots_of(node: NodeReport) -> list[int]:
    """The slots of a node, ascending."""
    return [slot for first, last in node.line.slots for slot in range(first, last + 1)]


def reshard(sources: Sequence[NodeReport], target: NodeReport, count: int) -> tuple[Move, ...]:
    """``count`` slots from these primaries to ``target``, each giving in proportion to what it has. Raises
    MoveError."""
    held = {source.line.id: slots_of(source) for source in sources}
    total = sum(map(len, held.values()))
    if target.line.id in held:
        raise MoveError("a node cannot give slots to itself")
    if not 0 < count <= total:
        raise MoveError(f"{count} slots are wanted of nodes that have {total}")
    shares = shares_of({source.line.id: float(len(held[source.line.id])) for source in sources}, count)
    return tuple(
        Move(slot, source, target) for source in sources for slot in held[source.line.id][: shares[source.line.id]]
    )


def empty_out(source: NodeReport, others: Sequence[NodeReport]) -> tuple[Move, ...]:
    """All slots of a primary to the others, the emptiest of them first. Raises MoveError."""
    slots = slots_of(source)
    if slots and not others:
        raise MoveError(f"there is nobody to take the slots of {source.address}")
    counts = {node.line.id: node.line.slot_count for node in others}
    shares = dict.fromkeys(counts, 0)
    for _ in slots:
        taker = min(counts, key=lambda node: (counts[node], node))
        counts[taker] += 1
        shares[taker] += 1
    takers = (node for node in others for _ in range(shares[node.line.id]))  # each gets a run, not every third slot
    return tuple(Move(slot, source, taker) for slot, taker in zip(slots, takers, strict=True))


def shares_of(weights: Mapping[str, float], total: int) -> dict[str, int]:
    """``total`` in whole parts by weight, the remainders going to those who lose most by rounding."""
    weight = sum(weights.values())
    if weight <= 0:
        raise MoveError("nobody has a weight above zero")
    exact = {node: total * part / weight for node, part in weights.items()}
    shares = {node: int(part) for node, part in exact.items()}
    for node in sorted(exact, key=lambda node: (shares[node] - exact[node], node))[: total - sum(shares.values())]:
        shares[node] += 1
    return shares


def rebalance(
    primaries: Sequence[NodeReport], weights: Mapping[str, float], costs: Mapping[int, float], threshold: float
) -> tuple[Move, ...]:
    """The moves after which every primary carries its share of the ``costs`` of the slots (1 each: slots are counted).

    Nobody is touched as long as all are within ``threshold`` percent of their shares. Slots go from the one that
    carries most above its share to the one most below, as long as that brings both nearer to it. Raises MoveError.
    """
    by_id = {node.line.id: node for node in primaries}
    held = {node.line.id: slots_of(node) for node in primaries}
    load = {node: sum(costs.get(slot, 0.0) for slot in slots) for node, slots in held.items()}
    total, weight = sum(load.values()), sum(weights.values())
    if weight <= 0:
        raise MoveError("nobody has a weight above zero")
    goal = {node: total * weights[node] / weight for node in by_id}
    if all(abs(load[node] - goal[node]) <= max(goal[node], 1.0) * threshold / 100 for node in by_id):
        return ()
    queues = {node: sorted(slots, key=lambda slot: (costs.get(slot, 0.0), -slot)) for node, slots in held.items()}
    moves: list[Move] = []
    # Each move brings two nodes nearer to their goals, so there are never more than there are slots.
    for _ in range(SLOTS):
        giver = max(by_id, key=lambda node: (load[node] - goal[node], node))
        taker = min(by_id, key=lambda node: (load[node] - goal[node], node))
        gap = min(load[giver] - goal[giver], goal[taker] - load[taker])
        slot = _fitting(queues[giver], costs, gap, forced=weights[giver] == 0)
        if slot is None or giver == taker:
            break
        queues[giver].remove(slot)
        load[giver] -= costs.get(slot, 0.0)
        load[taker] += costs.get(slot, 0.0)
        moves.append(Move(slot, by_id[giver], by_id[taker]))
    return tuple(moves)


def _fitting(queue: list[int], costs: Mapping[int, float], gap: float, *, forced: bool) -> int | None:
    """The dearest slot that fits into the gap; half of one too large is near enough. None: none brings us nearer."""
    for slot in reversed(queue):
        cost = costs.get(slot, 0.0)
        if 0 < cost < 2 * gap - 1e-9 or (forced and cost > 0):
            return slot
    return queue[-1] if forced and queue else None


def summary(moves: Iterable[Move]) -> dict[tuple[str, str], list[int]]:
    """The moves by (source, target) address."""
    found: dict[tuple[str, str], list[int]] = {}
    for move in moves:
        found.setdefault((str(move.source.address), str(move.target.address)), []).append(move.slot)
    return found
