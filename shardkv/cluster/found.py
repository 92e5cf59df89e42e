"""What a node does about slots of which it found keys on its disk and that are not its own, as Redis does: those of
nobody become its own, those of others it is importing. Strays are known for what they are, and left out."""

from __future__ import annotations

from collections.abc import Iterable

from .orders import AddSlots, Order, SetSlotImporting
from .view import ClusterView


def claims_of(view: ClusterView, filled: Iterable[int]) -> tuple[list[Order], list[str]]:
    """The orders to carry out for slots that hold keys, and what to say of each in the log."""
    if not view.me.is_primary:
        return [], []  # the keys are its primary's
    filled = [slot for slot in filled if not view.strays >> slot & 1]
    free: list[int] = []
    orders: list[Order] = []
    said: list[str] = []
    for slot in sorted(filled):
        owner = view.owners[slot]
        if owner is None:
            free.append(slot)
            said.append(f"I have keys for unassigned slot {slot}. Taking responsibility for it.")
        elif owner != view.myself and slot not in view.importing:
            orders.append(SetSlotImporting(slot, owner))
            said.append(
                f"I have keys for slot {slot}, but the slot is assigned to another node. Setting it to importing state."
            )
    if free:
        orders.insert(0, AddSlots(tuple((slot, slot) for slot in free)))
    return orders, said
