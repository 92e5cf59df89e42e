"""Looking after the peers: dial, ping, redial, suspect, each when it is due.

Redis walks all nodes ten times a second; here every peer has one entry in an agenda ordered by time, the earliest
moment at which one of the rules below could fire. News of a peer only ever moves that moment later, so an entry is
looked at when it comes up and, if nothing is due yet, put back. A thousand idle peers cost nothing.

The rules, in node timeouts T: ping a peer that has not answered anybody for T/2; drop a link older than T on which a
ping is unanswered for T/2, and dial anew; suspect a peer that is silent for T since an unanswered ping; give up a
handshake after max(T, 1 s), greeting again every second until then. Besides, ping one of five random peers every
second.
"""

from __future__ import annotations

from heapq import heappop

from .core import Core
from .failure import suspect
from .gossip import may_tell, ping, ping_lightly, ping_somebody, tell_replicas
from .lease import RENEWAL, partners
from .nodes import FAILING, HANDSHAKE, NOADDR, Node
from .peers import Peer

_PING_EVERY = 1.0
_GREET_EVERY = 1.0
_NEVER = float("inf")
_AGAIN = 0.01
"""No peer is looked at twice within this many seconds: rounding of times must never make the agenda spin."""


def tend(core: Core) -> None:
    """Do what is due."""
    if core.now >= core.next_random_ping:
        core.next_random_ping = core.now + _PING_EVERY
        ping_somebody(core)
    agenda = core.agenda
    while agenda and agenda[0][0] <= core.now:
        due, _, node = heappop(agenda)
        peer = core.peers.get(node)
        if peer is not None and peer.due == due:
            _look(core, peer)


def deadline(core: Core) -> float:
    """When ``tend`` wants to be called next."""
    return min(core.next_random_ping, core.agenda[0][0]) if core.agenda else core.next_random_ping


def link_up(core: Core, peer: Peer) -> None:
    """A dial has succeeded: greet."""
    peer.link_up = True
    if peer.meet or may_tell(core):
        ping(core, peer)
    else:
        ping_lightly(core, peer)
    if core.view.nodes[peer.id].flags & HANDSHAKE:
        core.look_after(peer, core.now + _GREET_EVERY)


def link_lost(core: Core, link: int) -> None:
    """A link has ended by itself: from now on a dialled peer is overdue with an answer."""
    peer = core.peers.get(core.links.get(link, ""))
    if peer is not None and not peer.ping_sent:
        # Failure detection counts from an unanswered ping; one that could not even be sent is one.
        peer.ping_sent = core.now
    core.lose(link)


def _look(core: Core, peer: Peer) -> None:
    node = core.view.nodes[peer.id]
    timeout = core.settings.node_timeout
    if node.flags & HANDSHAKE:
        if core.now >= peer.born + core.settings.handshake_timeout:
            core.expel([peer.id])
            return
        if peer.link_up and core.now >= peer.last_ping + _GREET_EVERY:
            ping(core, peer)
    elif peer.link is not None:
        _check_link(core, peer, timeout)
    if peer.link is None and core.now >= peer.redial_at and not node.flags & NOADDR:
        core.dial(peer)
    if peer.ping_sent and not node.flags & (FAILING | HANDSHAKE) and core.now >= _silent_since(peer) + timeout:
        suspect(core, peer)
        tell_replicas(core, node)
    moment = _next_look(core, core.view.nodes[peer.id], peer, timeout)
    if moment < _NEVER:
        core.look_after(peer, max(moment, core.now + _AGAIN))


def _check_link(core: Core, peer: Peer, timeout: float) -> None:
    """Ping on the link if it is time, or give it up if a ping on it stays unanswered."""
    if not peer.ping_sent:
        if core.now < _ping_due(core, peer, timeout):
            return
        if not peer.link_up:
            peer.ping_sent = core.now
        elif core.now >= peer.last_gossip + timeout / 2 and may_tell(core):
            ping(core, peer)
        else:
            ping_lightly(core, peer)
    elif peer.link is not None and core.now >= _link_stale_at(peer, timeout):
        core.cut(peer.link)
        peer.redial_at = core.now
    elif peer.link_up and core.now >= peer.last_ping + timeout / 2:
        # It speaks on its own link but has not answered on ours: perhaps the question was lost.
        ping_lightly(core, peer)


def _ping_due(core: Core, peer: Peer, timeout: float) -> float:
    """When to ask next. What gossip says of a partner of our lease is not enough: it has to answer us."""
    due = peer.pong_received + timeout / 2
    return min(due, peer.acked + timeout * RENEWAL) if peer.id in partners(core) else due


def _silent_since(peer: Peer) -> float:
    return max(peer.ping_sent, peer.data_received)


def _link_stale_at(peer: Peer, timeout: float) -> float:
    if not peer.link_up:
        return peer.link_since + timeout  # a dial that hangs, whatever the peer says on its own link
    return max(peer.link_since + timeout, _silent_since(peer) + timeout / 2)


def _next_look(core: Core, node: Node, peer: Peer, timeout: float) -> float:
    """The earliest moment at which a rule could fire for this peer."""
    moments = []
    if node.flags & HANDSHAKE:
        moments.append(peer.born + core.settings.handshake_timeout)
        if peer.link_up:
            moments.append(peer.last_ping + _GREET_EVERY)
    elif peer.link is not None:
        if not peer.ping_sent:
            moments.append(_ping_due(core, peer, timeout))
        else:
            moments.append(_link_stale_at(peer, timeout))
            if peer.link_up:
                moments.append(peer.last_ping + timeout / 2)
            if peer.id in partners(core):
                # The answer will make the next question due before that.
                moments.append(max(peer.last_ping, core.now) + timeout * RENEWAL)
    if peer.link is None and not node.flags & NOADDR:
        moments.append(peer.redial_at)
    if peer.ping_sent and not node.flags & (FAILING | HANDSHAKE):
        moments.append(_silent_since(peer) + timeout)
    return min(moments, default=_NEVER)
