"""Replica migration: a primary that has lost its last replica gets one from a primary with several.

Redis's rule, evaluated by every replica for itself once a second: some primary with slots had replicas and has had
none that works for ``_PATIENCE``; ours has as many working ones as any other primary, at least two, and keeps
``cluster-migration-barrier`` without us; and of all replicas of primaries with that many our id is the smallest.
"""

from __future__ import annotations

from .core import Core
from .nodes import FAIL, FAILING, HANDSHAKE, MIGRATE_TO, Node, NodeId

_EVERY = 1.0
_PATIENCE = 5.0


def adopt(core: Core) -> None:
    """Go to a primary without replicas if it is our turn to."""
    if core.now < core.adopt_due:
        return
    core.adopt_due = core.now + _EVERY
    view = core.view
    me = view.me
    if me.primary is None or not core.settings.allow_replica_migration or core.manual_until is not None:
        return
    working = _working_replicas(core)
    orphan = _longest_orphaned(core, working)
    if orphan is None or view.state != "ok":
        return
    most = max(len(replicas) for replicas in working.values())
    ours = working.get(me.primary, [])
    if most < 2 or len(ours) < most or len(ours) <= core.settings.migration_barrier:
        return
    if me.id != min(node for replicas in working.values() if len(replicas) == most for node in replicas):
        return
    core.log("notice", f"Migrating to orphaned master {orphan}")
    core.follow(orphan)


def _working_replicas(core: Core) -> dict[NodeId, list[NodeId]]:
    """The replicas in working order of every primary that has not failed."""
    nodes = core.view.nodes
    working: dict[NodeId, list[NodeId]] = {
        node.id: [] for node in nodes.values() if node.is_primary and not node.flags & (FAIL | HANDSHAKE)
    }
    for node in nodes.values():
        if node.primary in working and not node.flags & FAILING:
            working[node.primary].append(node.id)
    return working


def _longest_orphaned(core: Core, working: dict[NodeId, list[NodeId]]) -> NodeId | None:
    """A primary that has been without replicas for long enough; notes who is since when."""
    found: tuple[float, NodeId] | None = None
    for primary, replicas in working.items():
        peer = core.peers.get(primary)
        if peer is None:
            continue
        if replicas or not _wants_replicas(core.view.nodes[primary]):
            peer.orphaned_at = 0.0
        elif not peer.orphaned_at:
            peer.orphaned_at = core.now
        elif core.now >= peer.orphaned_at + _PATIENCE and (found is None or peer.orphaned_at < found[0]):
            found = (peer.orphaned_at, primary)
    return found[1] if found is not None else None


def _wants_replicas(primary: Node) -> bool:
    return bool(primary.slots and primary.flags & MIGRATE_TO)
