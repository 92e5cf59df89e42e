"""Suspicion, failure by majority, recovery; and whether the cluster as a whole may serve.

PFAIL is a private suspicion: a ping unanswered, and nothing else heard, for longer than the node timeout. Gossip
carries it, and a node that suspects another while a majority of the primaries with slots says the same marks it FAIL
and tells everyone, who believe it without asking. The majority is of all primaries with slots, those that fail
included: two halves of a split cluster can never both have one.
"""

from __future__ import annotations

from dataclasses import replace

from .core import Core
from .lease import leased_until
from .messages import Fail
from .nodes import ALL_SLOTS, FAIL, FAILING, NOFAILOVER, PFAIL, Node, NodeId
from .peers import Peer

_LOOK_AGAIN = 0.1
_INTERREGNUM = 0.5
"""Seconds after a primary's failure for which its slots count as covered if a replica may take its place: one that does
takes a few hundredths, and clients that are told of a whole cluster being down wait much longer than that."""
_REPORT_LIFE = 2
"""Node timeouts for which somebody's report that a node fails is worth anything."""


def reports(core: Core, peer: Peer) -> int:
    """How many others say that a node fails, stale reports dropped."""
    horizon = core.now - _REPORT_LIFE * core.settings.node_timeout
    told = peer.reports
    while told and next(iter(told.values())) < horizon:  # the oldest stands first
        del told[next(iter(told))]
    return len(told)


def suspect(core: Core, peer: Peer) -> None:
    """Mark a node PFAIL, and FAIL at once if enough others wait for our word."""
    core.view = core.view.flag(peer.id, on=PFAIL)
    core.suspects[peer.id] = None
    core.log("verbose", f"*** NODE {peer.id} possibly failing")
    condemn_if_agreed(core, peer)


def trust(core: Core, peer: Peer) -> None:
    """A node answered: the suspicion is gone, and FAIL too where that harms nobody."""
    flags = core.view.nodes[peer.id].flags
    if flags & PFAIL:
        core.view = core.view.flag(peer.id, off=PFAIL)
        core.suspects.pop(peer.id, None)
    elif flags & FAIL:
        pardon_if_safe(core, peer)


def condemn_if_agreed(core: Core, peer: Peer) -> None:
    """Mark a suspected node FAIL and tell everyone, if a majority suspects it."""
    node = core.view.nodes[peer.id]
    if not node.flags & PFAIL or node.flags & FAIL:
        return
    if reports(core, peer) + core.view.me.votes < core.view.quorum:
        return
    core.log("notice", f"Marking node {node.id} ({node.human_nodename}) as failing (quorum reached).")
    mark_failed(core, peer)
    core.broadcast(Fail(core.header, node.id))


def mark_failed(core: Core, peer: Peer) -> None:
    """Set FAIL in place of PFAIL."""
    core.view = core.view.flag(peer.id, on=FAIL, off=PFAIL)
    core.suspects.pop(peer.id, None)
    peer.fail_time = core.now


def pardon_if_safe(core: Core, peer: Peer) -> None:
    """Clear FAIL from a node that is reachable again.

    One without slots decides nothing and is pardoned at once. One with slots may be about to lose them to a replica's
    election: only when nobody has taken them for two node timeouts is it the owner again.
    """
    node = core.view.nodes[peer.id]
    named = f"{node.id} ({node.human_nodename})"
    if node.is_replica or not node.slots:
        what = "replica" if node.is_replica else "master without slots"
        core.log("notice", f"Clear FAIL state for node {named}:{what} is reachable again.")
    elif core.now - peer.fail_time > 2 * core.settings.node_timeout:
        core.log(
            "notice",
            f"Clear FAIL state for node {named}: is reachable again and nobody is serving its slots after some time.",
        )
    else:
        return
    core.view = core.view.flag(node.id, off=FAIL)


def hear_report(core: Core, reporter: Node, peer: Peer, flags: int) -> None:
    """A primary with slots told in gossip how it sees a node."""
    if flags & FAILING:
        if peer.reports.pop(reporter.id, None) is None:
            core.log("verbose", f"Node {reporter.id} reported node {peer.id} as not reachable.")
        peer.reports[reporter.id] = core.now
        condemn_if_agreed(core, peer)
    elif peer.reports.pop(reporter.id, None) is not None:
        core.log("verbose", f"Node {reporter.id} reported node {peer.id} is back online.")


def hear_verdict(core: Core, reporter: NodeId, accused: NodeId) -> None:
    """A known node says that a majority has marked another FAIL."""
    node = core.view.nodes.get(accused)
    if node is None or accused == core.view.myself or node.flags & FAIL:
        return
    core.log("notice", f"FAIL message received from {reporter} about {accused}")
    mark_failed(core, core.peers[accused])


def assess(core: Core) -> None:
    """Decide whether this node may serve clients, and when to think again (``core.health_due``)."""
    view, settings, now = core.view, core.settings, core.now
    core.health_due = float("inf")
    if view.me.votes and not core.voted:
        # Just made a primary by vote or order: that is a lease, too.
        core.granted_until = now + settings.node_timeout
    core.voted = view.me.votes
    waiting_from_start = core.started + settings.writable_delay
    if view.me.is_primary and view.state == "fail" and (now < waiting_from_start or core.hesitating):
        core.health_due = max(waiting_from_start, now + _LOOK_AGAIN)
        return
    if _in_minority(core):
        healthy = False
        # Only a change of the view or of time brings us here again: until then we are in a minority.
        core.minority_until = float("inf")
    else:
        healthy = not settings.require_full_coverage or _covered(core) == ALL_SLOTS
        if core.minority_until > now:
            core.minority_until = now
    state = "ok" if healthy else "fail"
    if state == view.state:
        return
    if healthy and view.me.votes and now < core.minority_until + settings.rejoin_delay:
        core.health_due = min(core.health_due, core.minority_until + settings.rejoin_delay)
        return
    core.log("warning", f"Cluster state changed: {state}")
    core.view = replace(view, state="ok" if healthy else "fail")


def _in_minority(core: Core) -> bool:
    """Whether most primaries with slots are out of reach, or may hold us for dead. Sets when to ask again."""
    view, now = core.view, core.now
    reachable = sum(1 for node in view.nodes.values() if node.votes and not node.flags & FAILING)
    if not view.me.votes:
        return reachable < view.quorum
    until = max(leased_until(core), core.granted_until)
    core.health_due = until if now < until else now + _LOOK_AGAIN
    if now >= until and view.state == "ok":
        ages = [now - core.peers[node.id].acked for node in view.nodes.values() if node.votes and node.id in core.peers]
        core.log(
            "warning",
            "No majority of primaries has answered within the node timeout (the last pings that they answered left "
            f"{', '.join(f'{age:.1f}' for age in sorted(ages))} s ago): no more writes.",
        )
    return reachable < view.quorum or now >= until


def _covered(core: Core) -> int:
    """The slots whose owner has not failed, or only just, while an heir is there. Sets when to ask again."""
    covered = 0
    for node in core.view.nodes.values():
        if node.votes and (not node.failing or _has_heir(core, node)):
            covered |= node.slots
    return covered


def _has_heir(core: Core, primary: Node) -> bool:
    """Whether somebody is about to take the place of a primary, and nobody has found the cluster down yet."""
    peer = core.peers.get(primary.id)
    if peer is None or core.view.state != "ok":
        return False
    until = peer.fail_time + _INTERREGNUM
    heirs = (node for node in core.view.replicas_of(primary.id) if not node.flags & (FAIL | NOFAILOVER))
    if core.now >= until or next(heirs, None) is None:
        return False
    core.health_due = min(core.health_due, until)
    return True
