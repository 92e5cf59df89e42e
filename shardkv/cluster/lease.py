"""A primary's right to accept writes: a majority could hear it within the last node timeout.

Redis lets a primary that is cut off write on until it has noticed that the others are silent, up to one and a half
node timeouts, and what it acknowledges after they have elected another is lost. Here the right to write is a lease:
each answered ping extends it to a node timeout after the ping *left*. Nobody who answered suspects us before that, and
no majority marks us FAIL without one of a majority that answered, so while the lease runs there is no other primary.

The lease is renewed by pings to *partners*, as many of the other primaries with slots as make a majority with us and
some to spare; they are pinged every quarter of a node timeout whatever gossip says, so that a node that is held up for
half of one does not lose its lease.
"""

from __future__ import annotations

from .core import Core
from .nodes import FAILING, MYSELF, Node, NodeId

RENEWAL = 0.25
"""Of a node timeout: how often a partner is pinged."""
_SPARE = 4
"""A quarter more partners than needed, so that one that fails does not end the lease."""


def partners(core: Core) -> dict[NodeId, None]:
    """Whom a primary with slots pings for its lease: those that follow it in the order of ids. Empty for others."""
    view, before = core.view, core.partners_of
    if before is not None and view.nodes is before.nodes:
        return core.partners
    core.partners_of = view
    if before is not None and all(_stands(old) == _stands(new) for old, new in view.changes_since(before)):
        return core.partners
    core.partners = {}
    if view.me.votes:
        voters = sorted(node.id for node in view.nodes.values() if node.votes and not node.flags & FAILING)
        start = next((index for index, node in enumerate(voters) if node > view.myself), 0)
        ring = [node for node in voters[start:] + voters[:start] if node != view.myself]
        needed = view.quorum - 1
        core.partners = dict.fromkeys(ring[: needed + needed // _SPARE + 1])
    return core.partners


def _stands(node: Node | None) -> tuple[str, bool] | None:
    """What of a node decides whether it may be a partner; None: it may not."""
    return (
        (node.id, bool(node.flags & MYSELF)) if node is not None and node.votes and not node.flags & FAILING else None
    )


def leased_until(core: Core) -> float:
    """Until when this primary may accept writes, unless more pings are answered. For ever if it is a majority alone."""
    view, peers = core.view, core.peers
    needed = view.quorum - view.me.votes
    if needed <= 0:
        return float("inf")
    acked = sorted(
        (peers[node.id].acked for node in view.nodes.values() if node.votes and node.id in peers), reverse=True
    )
    return acked[needed - 1] + core.settings.node_timeout if len(acked) >= needed else 0.0
