"""What a node believes about the cluster: an immutable value. A change makes the next view.

The view holds what is agreed on or persisted: who there is, who owns which slot by which epoch, which slots are on the
move. When a node was last heard changes by the second and is kept beside it (``peers.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import compress, islice
from operator import is_not
from typing import Any, Literal, TypeAlias

from .nodes import (
    ALL_SLOTS,
    HANDSHAKE,
    MASTER,
    MIGRATE_TO,
    MYSELF,
    PFAIL,
    SLAVE,
    SLOTS,
    Node,
    NodeId,
    ranges_of,
    slots_of,
)

State: TypeAlias = Literal["ok", "fail"]

_MANY = 100
"""Nodes among which it takes longer to look for a slot than to list the owners of all."""


@dataclass(frozen=True)
class ClusterView:
    """``nodes`` has the own node too, always. ``migrating`` and ``importing`` name the other side by slot. ``strays``:
    the slots of which this node holds keys that are not its own, for they arrive as a whole, or are being deleted.
    ``taken``: the slots that this node was ordered to take, by the node which had them and has not been heard to have
    given them up since; its claims to them count for nothing (``claims.py``)."""

    myself: NodeId
    nodes: Mapping[NodeId, Node]
    current_epoch: int = 0
    last_vote_epoch: int = 0
    migrating: Mapping[int, NodeId] = field(default_factory=dict)
    importing: Mapping[int, NodeId] = field(default_factory=dict)
    state: State = "fail"
    strays: int = 0
    taken: Mapping[NodeId, int] = field(default_factory=dict)

    @classmethod
    def alone(cls, node: Node) -> ClusterView:
        """The view of a node that has just been born: it knows itself."""
        return cls(node.id, {node.id: replace(node, flags=node.flags | MYSELF)})

    # What it says ---------------------------------------------------------------------------------------------------

    @cached_property
    def me(self) -> Node:
        """The own node."""
        return self.nodes[self.myself]

    @cached_property
    def my_shard_primary(self) -> Node:
        """The primary whose slots and epoch this node speaks for: itself, or the one it follows (itself while
        unknown)."""
        return self.nodes.get(self.me.primary or self.myself, self.me)

    @cached_property
    def owners(self) -> tuple[NodeId | None, ...]:
        """The owner by slot. Built once a view, on first use."""
        owners: list[NodeId | None] = [None] * SLOTS
        for node in self.nodes.values():
            for start, end in ranges_of(node.slots):
                owners[start : end + 1] = [node.id] * (end + 1 - start)
        return tuple(owners)

    @cached_property
    def token(self) -> object:
        """What stands for this very view where keeping it would keep a whole table of nodes."""
        return object()

    @cached_property
    def assigned(self) -> int:
        """The set of slots that have an owner."""
        assigned = 0
        for node in self.nodes.values():
            assigned |= node.slots
        return assigned

    @cached_property
    def size(self) -> int:
        """How many primaries own slots, those that fail included."""
        return sum(1 for node in self.nodes.values() if node.slots)

    @property
    def quorum(self) -> int:
        """How many primaries with slots make a majority of them all, those that fail included."""
        return self.size // 2 + 1

    @property
    def max_epoch(self) -> int:
        """The greatest epoch that this node has heard of."""
        return max(self.current_epoch, *(node.config_epoch for node in self.nodes.values()))

    def owner_of(self, slot: int) -> Node | None:
        """The node that owns ``slot``, or None."""
        owner = self.owners[slot]
        return None if owner is None else self.nodes[owner]

    def holder(self, slot: int) -> NodeId | None:
        """The id of the same, for who asks a view but once: without ``owners``, which takes longer to build in all but
        large clusters."""
        if "owners" in self.__dict__ or len(self.nodes) > _MANY:
            return self.owners[slot]
        return next((node.id for node in self.nodes.values() if node.slots >> slot & 1), None)

    def replicas_of(self, primary: NodeId) -> list[Node]:
        """The replicas of a primary, in the order in which they were met."""
        return [node for node in self.nodes.values() if node.primary == primary]

    def taken_from(self, claimant: NodeId) -> int:
        """The slots that were taken from ``claimant`` by order, or from another node of its shard."""
        shard = self.nodes[claimant].shard_id
        taken = 0
        for node, slots in self.taken.items():
            if node == claimant or (shard and self.nodes[node].shard_id == shard):
                taken |= slots
        return taken

    def endpoint_epoch(self, node: Node) -> int:
        """The config epoch a node speaks with: a replica's is its primary's."""
        return self.nodes[node.primary].config_epoch if node.primary is not None else node.config_epoch

    # What it becomes ------------------------------------------------------------------------------------------------

    def with_nodes(self, nodes: Iterable[Node]) -> ClusterView:
        """With these nodes added, or put in the place of their former selves."""
        fresh = {node.id: node for node in nodes}
        view = replace(self, nodes={**self.nodes, **fresh})
        if any(node.slots or node.id in self.nodes for node in fresh.values()):
            return view
        return view._knowing(self.assigned, self.size)

    def in_epoch(self, current: int) -> ClusterView:
        """With this current epoch."""
        return replace(self, current_epoch=current)._knowing(self.assigned, self.size)

    def amend(self, node: NodeId, **changes: Any) -> ClusterView:
        """With fields of one node changed; the same view if they were so already."""
        old = self.nodes[node]
        new = replace(old, **changes)
        if new == old:
            return self
        view = replace(self, nodes={**self.nodes, node: new})
        return view._knowing(self.assigned, self.size) if new.slots == old.slots else view

    def _knowing(self, assigned: int, size: int) -> ClusterView:
        """With what need not be found out again: in a large cluster that takes longer than to change the view."""
        self.__dict__.update(assigned=assigned, size=size)
        return self

    def flag(self, node: NodeId, on: int = 0, off: int = 0) -> ClusterView:
        """With flags of one node set and cleared."""
        return self.amend(node, flags=self.nodes[node].flags & ~off | on)

    def without(self, gone: Iterable[NodeId]) -> ClusterView:
        """Without these nodes: their slots are nobody's, their replicas follow nobody, moves with them are off."""
        leaving = dict.fromkeys(gone)
        nodes = {
            node.id: replace(node, primary=None) if node.primary in leaving else node
            for node in self.nodes.values()
            if node.id not in leaving
        }
        return replace(
            self,
            nodes=nodes,
            migrating={slot: node for slot, node in self.migrating.items() if node not in leaving},
            importing={slot: node for slot, node in self.importing.items() if node not in leaving},
            taken={node: slots for node, slots in self.taken.items() if node not in leaving},
        )

    def rename(self, old: NodeId, new: Node) -> ClusterView:
        """With a node that was known under a makeshift id under its true one, at its former place."""
        view = replace(self, nodes={n.id: n for n in (new if i == old else n for i, n in self.nodes.items())})
        return view._knowing(self.assigned, self.size) if new.slots == self.nodes[old].slots else view

    def assign(self, node: NodeId, slots: int) -> ClusterView:
        """With this set of slots owned by ``node``, whoever owned them. A slot that is not mine neither migrates away
        nor has been taken."""
        nodes = dict(self.nodes)
        assigned, size = self.assigned, self.size
        for other in self.nodes.values() if assigned & slots else ():
            if other.slots & slots:
                nodes[other.id] = replace(other, slots=other.slots & ~slots)
                size -= not nodes[other.id].slots
        had = nodes[node].slots
        size += bool(slots) and not had
        nodes[node] = replace(nodes[node], slots=had | slots if had else slots)
        return replace(self, nodes=nodes)._knowing(assigned | slots, size)._settled()

    def unassign(self, slots: int) -> ClusterView:
        """With this set of slots owned by nobody."""
        nodes = {n.id: replace(n, slots=n.slots & ~slots) if n.slots & slots else n for n in self.nodes.values()}
        return replace(self, nodes=nodes)._settled()

    def _settled(self) -> ClusterView:
        mine = self.my_shard_primary.slots
        migrating = {slot: to for slot, to in self.migrating.items() if mine >> slot & 1}
        view = self
        if len(migrating) != len(self.migrating):
            view = replace(self, migrating=migrating)._knowing(self.assigned, self.size)
        return view.for_good(~self.me.slots)

    def take(self, slots: int, previous: Iterable[NodeId]) -> ClusterView:
        """With this set of slots owned by this node, by order, which the ``previous`` ones still claim, perhaps."""
        taken = {**self.taken, **{node: self.taken.get(node, 0) | slots for node in previous}}
        return replace(self.assign(self.myself, slots), taken=taken)

    def given_up(self, node: NodeId, claimed: int) -> ClusterView:
        """With those of the slots that were taken from a primary's shard this node's for good that it does not
        claim."""
        return self.for_good(self.taken_from(node) & ~claimed)

    def for_good(self, slots: int) -> ClusterView:
        """With these slots this node's, or another's, by epoch alone."""
        taken = {node: had & ~slots for node, had in self.taken.items() if had & ~slots}
        return self if taken == self.taken else replace(self, taken=taken)._knowing(self.assigned, self.size)

    def promote(self, node: NodeId) -> ClusterView:
        """With a node that followed another turned into a primary, without slots. It had siblings, perhaps: it wants
        replicas."""
        old = self.nodes[node]
        wants = MIGRATE_TO if old.primary is not None and node != self.myself else 0
        return self.amend(node, flags=old.flags & ~SLAVE | MASTER | wants, primary=None)

    def follow(self, node: NodeId, primary: NodeId | None) -> ClusterView:
        """With a node turned into a replica of ``primary`` (None: one not known yet). Slots it had are nobody's."""
        old = self.nodes[node]
        shard = self.nodes[primary].shard_id if primary is not None else old.shard_id
        # A replica has no epoch of its own: it speaks with its primary's, or wins one in an election.
        view = self.amend(
            node, flags=old.flags & ~MASTER | SLAVE, primary=primary, slots=0, config_epoch=0, shard_id=shard
        )
        if primary is not None:
            view = view.flag(primary, on=MIGRATE_TO)
        if node == self.myself:
            return replace(view, migrating={}, importing={}, taken={})
        if node in self.taken:
            # It claims nothing any more; whom it follows now may have its claims, unless that is this node.
            taken = {other: slots for other, slots in self.taken.items() if other != node}
            if primary not in (None, self.myself):
                taken[primary] = taken.get(primary, 0) | self.taken[node]
            view = replace(view, taken=taken)
        return view

    def bump(self) -> ClusterView:
        """With the own config epoch above all others, without asking anybody."""
        epoch = self.max_epoch + 1
        return replace(self, current_epoch=epoch).amend(self.myself, config_epoch=epoch)

    # What it must hold ----------------------------------------------------------------------------------------------

    def differs_durably(self, other: ClusterView) -> bool:
        """Whether nodes.conf would be another. Strangers and private suspicions (PFAIL) are not in it."""
        if (self.current_epoch, self.last_vote_epoch) != (other.current_epoch, other.last_vote_epoch):
            return True
        if self.migrating != other.migrating or self.importing != other.importing or self.myself != other.myself:
            return True
        if self.strays != other.strays or self.taken != other.taken:
            return True
        if self.nodes is other.nodes:
            return False
        for before, node in self.changes_since(other):
            if (before is None or before.flags & HANDSHAKE) and (node is None or node.flags & HANDSHAKE):
                continue
            if before is None or node is None or _sure(before) != _sure(node):
                return True
        return False

    def changes_since(self, other: ClusterView) -> list[tuple[Node | None, Node | None]]:
        """The nodes that are not the very same as in another view, as pairs (there, here), None for one that is
        missing. A handful of calls into C where the same nodes stand at the same places, as nearly always."""
        if self.nodes is other.nodes:
            return []
        here, there = self.nodes.values(), other.nodes.values()
        pairs = list(compress(zip(there, here, strict=False), map(is_not, there, here)))
        if len(self.nodes) >= len(other.nodes) and all(before.id == node.id for before, node in pairs):
            return [*pairs, *((None, node) for node in islice(here, len(other.nodes), None))]
        return [
            *((other.nodes.get(node.id), node) for node in here if other.nodes.get(node.id) is not node),
            *((node, None) for node in there if node.id not in self.nodes),
        ]

    def promises_beyond(self, other: ClusterView) -> bool:
        """Whether it binds this node to something that ``other`` does not: a vote, an epoch, slots, a role, keys on
        their way. The rest is hearsay, or a loss, and others know better if a crash makes us forget it."""
        me, before = self.me, other.me
        return (
            self.last_vote_epoch != other.last_vote_epoch
            or (me.id, me.primary, me.config_epoch) != (before.id, before.primary, before.config_epoch)
            or bool(me.slots & ~before.slots or self.strays & ~other.strays)
            or any(other.migrating.get(slot) != node for slot, node in self.migrating.items())
        )

    def check(self) -> None:
        """Assert what must hold of every view."""
        seen = 0
        for key, node in self.nodes.items():
            assert key == node.id
            # A slot has one owner.
            assert not seen & node.slots
            assert 0 <= node.slots <= ALL_SLOTS
            seen |= node.slots
            # A node has one role, and only a primary owns slots.
            assert bool(node.flags & MASTER) != bool(node.flags & SLAVE) or node.flags & HANDSHAKE
            assert not (node.flags & SLAVE and node.slots)
            # Only a replica follows, and somebody who is there.
            assert node.primary is None or (node.flags & SLAVE and node.primary in self.nodes and node.primary != key)
            assert bool(node.flags & MYSELF) == (key == self.myself)
            assert node.config_epoch <= self.current_epoch or node.flags & HANDSHAKE
        # What was carried over from view to view is what would be found out anew.
        assert (self.assigned, self.size) == (seen, sum(1 for node in self.nodes.values() if node.slots))
        # A slot that migrates away is mine, or my primary's.
        assert all(self.my_shard_primary.slots >> slot & 1 for slot in self.migrating)
        assert all(0 <= slot < SLOTS for slot in self.importing)
        # What was taken is mine, and was somebody's who is there.
        assert all(slots and not slots & ~self.me.slots for slots in self.taken.values())
        assert all(node in self.nodes and node != self.myself for node in self.taken)
        assert slots_of(seen) == tuple(slot for slot, owner in enumerate(self.owners) if owner is not None)


def _sure(node: Node) -> Node:
    """The node without private suspicion, and without the flag that follows from its replicas."""
    private = PFAIL | MIGRATE_TO
    return replace(node, flags=node.flags & ~private) if node.flags & private else node
