"""What a message does: who speaks, from where, in which role; then its epochs, its slots, its gossip.

The order matters and is Redis's: epochs first, so that claims are judged by them; then identity and address; then the
role; then claims; gossip last. Pings and meets are answered on the link they came on, also to strangers, but a
stranger changes nothing here except by ``Meet``.
"""

from __future__ import annotations

from dataclasses import replace

from .claims import hear_claims, hear_update, learn_epochs, settle_collision
from .core import Core
from .effects import Deliver, Follow
from .election import hear_request, hear_vote
from .events import Received
from .failure import hear_verdict, trust
from .gossip import absorb, compose, forget_too, forgotten, ping
from .manual import hear_mfstart, hear_paused, hear_step_aside
from .messages import (
    FORCEACK,
    Alert,
    AuthAck,
    AuthRequest,
    Fail,
    Header,
    Meet,
    MfStart,
    Ping,
    Pong,
    Publish,
    PublishShard,
    StepAside,
    Update,
)
from .nodes import FAILING, HANDSHAKE, MASTER, NOADDR, NOFAILOVER, SLAVE, Node
from .peers import Peer
from .sound import sound_address, sound_header
from .watch import hear_alert

_NUDGE_EVERY = 1.0
"""A failing node that is heard of again is pinged at once, but no oftener than this many seconds."""


def hear(core: Core, event: Received) -> None:
    """Take one message in."""
    link, message = event.link, event.message
    header = message.header
    if link > 0 and link not in core.links:
        return  # a link that was given up while this was under way
    peer = core.peers.get(header.sender)
    known = peer is not None or header.sender == core.view.myself
    if not (peer is not None and header is peer.heard) and not sound_header(header):
        core.log("warning", f"Bus message that makes no sense from {event.peer_ip}, closing the link")
        core.cut(link)
        return
    core.received[type(message)] += 1
    if peer is not None:
        _note_speaker(core, peer, link, header)
    if isinstance(message, Ping | Meet | Pong):
        _hear_pulse(core, event, message, known)
    elif peer is None:
        return  # news and requests count from known nodes only
    elif isinstance(message, Fail):
        hear_verdict(core, header.sender, message.node)
    elif isinstance(message, Update):
        hear_update(core, message)
    elif isinstance(message, AuthRequest):
        _learn(core, peer, header, link)
        hear_request(core, peer, header, bool(header.mflags & FORCEACK), link)
    elif isinstance(message, AuthAck):
        hear_vote(core, peer, header)
    elif isinstance(message, MfStart):
        hear_mfstart(core, peer)
    elif isinstance(message, Alert):
        hear_alert(core, peer)
    elif isinstance(message, StepAside):
        hear_step_aside(core, peer.id)
    elif isinstance(message, Publish | PublishShard):
        core.out.append(Deliver(message.channel, message.payload, isinstance(message, PublishShard)))


def _note_speaker(core: Core, peer: Peer, link: int, header: Header) -> None:
    peer.data_received = core.now
    peer.offset = header.offset
    peer.keys = header.keys
    if peer.id == core.view.me.primary:
        core.standing.told(core.now, header.offset, core.offset)
        hear_paused(core, header)
    if link < 0 and peer.inbound != link:
        peer.inbound = link
        core.inbound[link] = peer.id
    node = core.view.nodes[peer.id]
    if header.current_epoch > core.view.current_epoch or header.config_epoch > node.config_epoch:
        learn_epochs(core, node, header)


def _hear_pulse(core: Core, event: Received, message: Ping | Meet | Pong, known: bool) -> None:
    link, header = event.link, message.header
    if not isinstance(message, Pong):
        # Besides a MEET, the first question of a friend counts: the machine may have moved while this node was down.
        if isinstance(message, Meet) or not core.view.me.ip or (known and not core.address_confirmed):
            _learn_own_address(core, event.local_ip)
        if isinstance(message, Meet) and not known:
            _greet(core, event, header)
            absorb(core, None, message.gossip)
        news = () if isinstance(message, Ping) and message.briefly else compose(core, header.sender)
        core.send(link, Pong(core.header, news, forgotten(core), recognised=known))
    if link > 0 and not _identify(core, event, header):
        return
    peer = core.peers.get(header.sender)
    if peer is None:
        return
    if isinstance(message, Ping):
        _update_address(core, peer, event, header)
        if peer.link_up and core.view.nodes[peer.id].flags & FAILING and core.now >= peer.last_ping + _NUDGE_EVERY:
            ping(core, peer)
    elif isinstance(message, Pong) and link > 0:
        _answered(core, peer, message)
    if header is not peer.heard or core.view.token is not peer.heard_in:
        _learn(core, peer, header, link)
    absorb(core, core.view.nodes[peer.id], message.gossip)
    if message.forgotten:
        forget_too(core, message.forgotten)


def _answered(core: Core, peer: Peer, pong: Pong) -> None:
    peer.pong_received = core.now
    peer.acked = peer.ping_sent or peer.acked
    peer.ping_sent = 0.0
    peer.redials = 0
    if pong.recognised:
        peer.meet = False
    if core.view.nodes[peer.id].flags & FAILING:
        trust(core, peer)


def _learn(core: Core, peer: Peer, header: Header, link: int) -> None:
    """Learn role, names and slots from a header, and remember it once nothing in it is news."""
    if peer.heard is not None and header == peer.heard and core.view.token is peer.heard_in:
        return
    view = core.view
    _learn_role(core, peer, header)
    _learn_names(core, core.view.nodes[peer.id], header)
    settled = hear_claims(core, peer.id, header, link)
    _learn_moves(core, peer, header)
    settle_collision(core, peer.id, header.config_epoch)
    if settled and core.view is view and core.view.nodes[peer.id].primary == header.primary:
        peer.heard, peer.heard_in = header, view.token


def _learn_moves(core: Core, peer: Peer, header: Header) -> None:
    """A replica keeps its primary's open slots; whoever moves slots with a node goes on with the one that took its
    place."""
    view = core.view
    nodes = view.nodes
    if peer.id == view.me.primary:
        migrating = {slot: there for slot, there in header.migrating if there in nodes}
        importing = {slot: there for slot, there in header.importing if there in nodes}
    elif (
        header.primary is not None
        and header.primary in nodes
        and (view.migrating or view.importing)
        and view.me.is_primary
    ):
        heir = {peer.id: nodes[header.primary].id}
        migrating = {slot: heir.get(there, there) for slot, there in view.migrating.items()}
        importing = {slot: heir.get(there, there) for slot, there in view.importing.items()}
    else:
        return
    if (migrating, importing) != (view.migrating, view.importing):
        core.view = replace(view, migrating=migrating, importing=importing)


# Identity -----------------------------------------------------------------------------------------------------------


def _learn_own_address(core: Core, local_ip: str) -> None:
    """Whoever reaches us knows an address of ours: the one the connection came in on."""
    core.address_confirmed = True
    if core.settings.announce_ip or not local_ip or core.view.me.ip == local_ip:
        return
    core.view = core.view.amend(core.view.myself, ip=local_ip)
    core.log("warning", f"IP address for this node updated to {local_ip}")


def _greet(core: Core, event: Received, header: Header) -> None:
    """A stranger asks to be met: dial it back, under a makeshift id until it has told its own on that link."""
    ip = header.ip or event.peer_ip
    if not ip or core.handshake_at(ip, header.bus_port) is not None:
        return
    if not sound_address(ip, header.port, header.tls_port, header.bus_port):
        return
    makeshift = core.new_id()
    node = Node(makeshift, ip=ip, port=header.port, tls_port=header.tls_port, bus_port=header.bus_port, flags=HANDSHAKE)
    core.admit([node])
    # Should its own handshake with us fail after all, it is for us to insist.
    core.peers[makeshift].meet = True


def _identify(core: Core, event: Received, header: Header) -> bool:
    """Whoever answers on a link dialled from here: is it the node we meant? Returns whether to go on with the
    message."""
    link = event.link
    about = core.links[link]
    node = core.view.nodes[about]
    if node.flags & HANDSHAKE:
        peer = core.peers.get(header.sender)
        if peer is not None or header.sender == core.view.myself:
            # An old acquaintance (or ourselves) under this address. The handshake has served its purpose.
            if peer is not None:
                _relocate(core, peer, node)
            core.expel([about])
            return False
        role = header.flags & (MASTER | SLAVE | NOFAILOVER)
        shard = header.shard_id or header.sender
        met = replace(node, id=header.sender, flags=role, shard_id=shard, config_epoch=0)
        peer = core.recognise(about, met)
        core.log("verbose", f"Handshake with node {header.sender} completed.")
        peer.data_received = core.now
        peer.offset = header.offset
        learn_epochs(core, core.view.nodes[header.sender], header)
        return True
    if about == header.sender:
        return True
    # Somebody else lives there now. Without an address it is not dialled until gossip or itself tells a new one, and it
    # is as silent as a dead one.
    lost = core.peers[about]
    lost.ping_sent = lost.ping_sent or core.now
    core.log("notice", f"PONG contains mismatching sender ID. About node {about} ({node.address}): {header.sender}")
    core.view = core.view.amend(about, flags=node.flags | NOADDR, ip="", port=0, tls_port=0, bus_port=0)
    core.cut(link)
    return False


def _update_address(core: Core, peer: Peer, event: Received, header: Header) -> None:
    """A ping on a link that the node dialled shows where it lives now."""
    if event.link > 0:
        return
    ip = header.ip or event.peer_ip
    node = core.view.nodes[peer.id]
    there = (ip, header.port, header.tls_port, header.bus_port)
    if not ip or there == (node.ip, node.port, node.tls_port, node.bus_port) or not sound_address(*there):
        return
    _relocate(
        core,
        peer,
        replace(node, ip=ip, port=header.port, tls_port=header.tls_port, bus_port=header.bus_port),
    )


def _relocate(core: Core, peer: Peer, there: Node) -> None:
    """Note that a known node has the address of ``there``, and dial it anew."""
    old = core.view.nodes[peer.id]
    core.view = core.view.amend(
        peer.id,
        ip=there.ip,
        port=there.port or old.port,
        tls_port=there.tls_port,
        bus_port=there.bus_port,
        flags=old.flags & ~NOADDR,
    )
    new = core.view.nodes[peer.id]
    if new is old or new == old:
        return
    if peer.link is not None:
        core.cut(peer.link)
    peer.redial_at = core.now
    core.look_after(peer, core.now)
    core.log("notice", f"Address updated for node {peer.id} ({new.human_nodename}), now {new.ip}:{new.port}")
    if core.view.me.primary == peer.id:
        core.out.append(Follow(peer.id))


# Role ---------------------------------------------------------------------------------------------------------------


def _learn_role(core: Core, peer: Peer, header: Header) -> None:
    node = core.view.nodes[peer.id]
    if header.flags & MASTER:
        if node.is_replica:
            core.view = core.view.promote(peer.id)
            learn_epochs(core, core.view.nodes[peer.id], header)
    else:
        primary = header.primary if header.primary in core.view.nodes else None
        if node.is_primary or node.primary != primary:
            core.view = core.view.follow(peer.id, primary)
            peer.unclaimed = 0
    no_failover = header.flags & NOFAILOVER
    if no_failover != core.view.nodes[peer.id].flags & NOFAILOVER:
        core.view = core.view.flag(peer.id, on=no_failover, off=NOFAILOVER)


def _learn_names(core: Core, node: Node, header: Header) -> None:
    shard = header.shard_id or node.shard_id
    if (node.hostname, node.human_nodename, node.shard_id) != (header.hostname, header.human_nodename, shard):
        core.view = core.view.amend(
            node.id, hostname=header.hostname, human_nodename=header.human_nodename, shard_id=shard
        )
    me = core.view.me
    if me.primary == node.id and me.shard_id != shard:
        core.view = core.view.amend(me.id, shard_id=shard)
