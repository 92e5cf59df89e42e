"""Whom to ping at random, what to tell about others, and what to believe of it.

A packet tells about a tenth of the nodes, at least three, picked at random, and about every node under suspicion, so
that reports of a failure reach a majority within a node timeout however large the cluster is.
"""

from __future__ import annotations

from .core import Core
from .failure import hear_report
from .messages import GossipEntry, Meet, Ping, Pong
from .nodes import FAILING, HANDSHAKE, MASTER, MYSELF, NOADDR, PFAIL, SLAVE, UNKNOWN_YET, Node, NodeId
from .peers import Peer
from .sound import sound_entry, sound_id

_SKEW = 0.5
"""Seconds by which another's clock may run ahead before its stamps are not believed."""
_TOLD_MAX = 32
"""How many nodes a second are told gossip, so that what a node has to do with it has a bound however many there are."""
_SILENT = PFAIL | UNKNOWN_YET


def ping(core: Core, peer: Peer) -> None:
    """Ping a peer on its link, which is up. An older unanswered ping keeps its time: it is from then on that it is
    silent."""
    assert peer.link is not None
    kind = Meet if peer.meet else Ping
    core.send(peer.link, kind(core.header, compose(core, peer.id), forgotten(core)))
    peer.last_ping = peer.last_gossip = core.now
    if not peer.ping_sent:
        peer.ping_sent = core.now


def ping_lightly(core: Core, peer: Peer) -> None:
    """Ask a peer whether it is there, without gossip, and get none back."""
    assert peer.link is not None
    core.send(peer.link, Ping(core.header, briefly=True))
    peer.last_ping = core.now
    if not peer.ping_sent:
        peer.ping_sent = core.now


def may_tell(core: Core) -> bool:
    """Whether the next question may carry gossip: the first few of a second. Else a node that finds itself among a
    thousand is busy for seconds with telling and hearing the same a thousand times."""
    if core.now >= core.telling_since + 1.0:
        core.telling_since, core.told = core.now, 0
    core.told += 1
    return core.told <= _TOLD_MAX


def tell_replicas(core: Core, primary: Node) -> None:
    """Tell the replicas of a primary that we suspect it, at once: it is for them to act when a majority does."""
    if not (core.view.me.votes and primary.slots):
        return
    news = Pong(core.header, (_entry(core.view.nodes[primary.id], core.peers[primary.id]),))
    for replica in core.view.replicas_of(primary.id):
        peer = core.peers.get(replica.id)
        if peer is not None and peer.link is not None and peer.link_up:
            core.send(peer.link, news)


def ping_somebody(core: Core) -> None:
    """Of five nodes picked at random ping the one that has not answered for the longest."""
    oldest: Peer | None = None
    for _ in range(5 if core.ids else 0):
        peer = core.peers[core.ids[int(core.rng.random() * len(core.ids))]]
        if not peer.link_up or peer.ping_sent or core.view.nodes[peer.id].flags & HANDSHAKE:
            continue
        if oldest is None or peer.pong_received < oldest.pong_received:
            oldest = peer
    if oldest is not None:
        ping(core, oldest)


def compose(core: Core, to: NodeId) -> tuple[GossipEntry, ...]:
    """What to tell ``to`` about others: the next few of a shuffled deck of all nodes, and all that are under
    suspicion."""
    nodes, peers = core.view.nodes, core.peers
    wanted = min(max(3, (len(peers) + 1) // 10), len(peers))
    entries = []
    for about in core.deal(wanted):
        node, peer = nodes[about], peers[about]
        if about != to and not node.flags & _SILENT and (peer.link is not None or node.slots):
            entry = peer.entry
            if entry is None or peer.entry_node is not node or entry.pong_received != peer.pong_received:
                entry = _entry(node, peer)
            entries.append(entry)
    for about in core.suspects:
        if about != to and not nodes[about].flags & HANDSHAKE:
            entries.append(_entry(nodes[about], peers[about]))
    return tuple(entries)


def _entry(node: Node, peer: Peer) -> GossipEntry:
    peer.entry_node = node
    peer.entry = entry = GossipEntry(
        node.id, node.ip, node.port, node.tls_port, node.bus_port, node.flags & ~MYSELF, peer.pong_received
    )
    return entry


def absorb(core: Core, sender: Node | None, entries: tuple[GossipEntry, ...]) -> None:
    """Learn from gossip. ``sender`` is None for a stranger's MEET, whose word on who there is we take, but no
    reports."""
    peers, myself, latest = core.peers, core.view.myself, core.now + _SKEW
    votes = sender is not None and sender.votes
    strangers: dict[NodeId, Node] = {}
    for entry in entries:
        peer = peers.get(entry.id)
        if peer is None:
            if entry.id != myself:
                _note_stranger(core, entry, strangers)
            continue
        failing = entry.flags & FAILING
        if peer.seen_alive < entry.pong_received <= latest:
            peer.seen_alive = entry.pong_received
        if (failing or peer.reports) and votes and sender is not None and peer.id != sender.id:
            hear_report(core, sender, peer, entry.flags)
        if failing:
            continue
        if not peer.ping_sent and not peer.reports and peer.pong_received < entry.pong_received <= latest:
            peer.pong_received = entry.pong_received
        if not peer.link_up:
            node = core.view.nodes[entry.id]
            if node.flags & (FAILING | NOADDR) and not entry.flags & NOADDR:
                _relocate(core, node, peer, entry)
    if strangers:
        core.admit(list(strangers.values()))


def _note_stranger(core: Core, entry: GossipEntry, strangers: dict[NodeId, Node]) -> None:
    if entry.flags & UNKNOWN_YET or core.forgotten.get(entry.id, 0.0) > core.now or not sound_entry(entry):
        return
    strangers[entry.id] = Node(
        entry.id,
        ip=entry.ip,
        port=entry.port,
        bus_port=entry.bus_port,
        tls_port=entry.tls_port,
        flags=SLAVE if entry.flags & SLAVE else MASTER,
        shard_id=entry.id,
    )


def _relocate(core: Core, node: Node, peer: Peer, entry: GossipEntry) -> None:
    """Others reach a node that we do not: if they know another address, that is why."""
    there = (entry.ip, entry.port, entry.tls_port, entry.bus_port)
    if there == (node.ip, node.port, node.tls_port, node.bus_port) or not sound_entry(entry):
        return
    if peer.link is not None:
        core.cut(peer.link)
    core.view = core.view.amend(
        node.id,
        ip=entry.ip,
        port=entry.port,
        tls_port=entry.tls_port,
        bus_port=entry.bus_port,
        flags=node.flags & ~NOADDR,
    )
    peer.redial_at = core.now
    core.look_after(peer, core.now)


def forgotten(core: Core) -> tuple[tuple[NodeId, float], ...]:
    """Who was forgotten here and for how much longer, for the others to do likewise."""
    if not core.forgotten:
        return ()
    core.forgotten = {node: until for node, until in core.forgotten.items() if until > core.now}
    return tuple((node, until - core.now) for node, until in core.forgotten.items())


def forget_too(core: Core, pairs: tuple[tuple[NodeId, float], ...]) -> None:
    """A known node has forgotten others: so do we, but neither ourselves nor the primary we follow."""
    for node, seconds in pairs:
        if node in core.peers and node != core.view.me.primary and sound_id(node) and 0 < seconds <= 3600:
            core.forgotten[node] = core.now + seconds
            core.log("notice", f"Forgetting node {node} as another node did")
            core.expel([node])
