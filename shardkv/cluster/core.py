"""The working state of one node's cluster machine, shared by the modules that make it up, and its few verbs.

The rules live elsewhere (``links``, ``gossip``, ``hearing``, ``failure``, ``claims``, ``administration``); here is
what they all need: the present view, the peers beside it, the effects gathered so far, the header that every message
carries.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappush
from typing import TYPE_CHECKING

from .effects import Connect, Disconnect, Effect, Follow, Level, Log, Send
from .messages import COUNTER_NAMES, Header, Message, Pong
from .nodes import HANDSHAKE, MYSELF, PFAIL, Node, NodeId, pack_bitmap
from .peers import Peer
from .standing import Standing
from .view import ClusterView

if TYPE_CHECKING:
    from random import Random

    from .election import Candidacy
    from .settings import Settings

_LONGEST_REDIAL = 1.0
_OPEN_SLOTS_TOLD = 256
"""A header must stay small; nobody moves more slots at once by hand."""


class Core:
    """Everything the machine knows. ``now`` is the time of the event in hand; ``out`` its effects so far."""

    def __init__(self, view: ClusterView, settings: Settings, rng: Random, now: float) -> None:
        self.view = view
        self.settings = settings
        self.rng = rng
        self.now = now
        self.started = now
        self.out: list[Effect] = []
        self.offset = 0
        self.keys = 0
        self.loading = False
        self.mflags = 0
        self.standing = Standing()
        self.candidacy: Candidacy | None = None
        self.election_due = float("inf")
        self.last_vote: tuple[int, NodeId] = (0, "")
        self.complained_at = float("-inf")
        self.takeover_ordered = False
        self.manual_until: float | None = None
        self.manual_target: int | None = None
        self.pausing_for: NodeId | None = None
        self.hesitating = bool(view.me.slots and view.replicas_of(view.myself))
        self.aside_for: NodeId | None = None
        self.insist_at = now
        self.watch_due = now
        self.alerted = False
        self.adopt_due = now
        self.partners: dict[NodeId, None] = {}
        self.partners_of: ClusterView | None = None
        self.voted = view.me.votes
        self.granted_until = float("-inf")
        self.peers: dict[NodeId, Peer] = {}
        self.ids: list[NodeId] = []
        self.suspects: dict[NodeId, None] = {}
        self._deck: list[NodeId] = []
        self.links: dict[int, NodeId] = {}
        self.inbound: dict[int, NodeId] = {}
        self.forgotten: dict[NodeId, float] = {}
        self.agenda: list[tuple[float, int, NodeId]] = []
        self.next_random_ping = now
        self.telling_since, self.told = now, 0
        self.health_due = now
        self.address_confirmed = False
        self.minority_until = -1e18
        self.sent: dict[type, int] = dict.fromkeys(COUNTER_NAMES, 0)
        self.received: dict[type, int] = dict.fromkeys(COUNTER_NAMES, 0)
        self._links_made = 0
        self._entries_made = 0
        self._header: Header | None = None
        self._header_of: tuple[object, ...] = ()
        self._packed: tuple[int, bytes] = (0, pack_bitmap(0))
        for node in view.nodes.values():
            if node.id != view.myself:
                self._attend(node)

    # The table of nodes ---------------------------------------------------------------------------------------------

    def admit(self, nodes: list[Node]) -> None:
        """Take nodes into the view and attend to them at once."""
        self.view = self.view.with_nodes(nodes)
        for node in nodes:
            self._attend(node)

    def _attend(self, node: Node) -> None:
        # pong_received starts at now: a node is not suspected for what it was before we knew it.
        peer = self.peers[node.id] = Peer(node.id, born=self.now, pong_received=self.now, fail_time=self.now)
        self.ids.append(node.id)
        if node.flags & PFAIL:
            self.suspects[node.id] = None
        self.look_after(peer, self.now)

    def expel(self, gone: list[NodeId]) -> None:
        """Drop nodes from the view with their links and all that they said of others."""
        for node in gone:
            peer = self.peers.pop(node)
            for link in (peer.link, peer.inbound):
                if link is not None:
                    self.cut(link)
            self.suspects.pop(node, None)
        self.ids = list(self.peers)
        self._deck.clear()
        for peer in self.peers.values():
            for node in gone:
                peer.reports.pop(node, None)
        self.view = self.view.without(gone)

    def recognise(self, makeshift: NodeId, node: Node) -> Peer:
        """Give a node that was met under a makeshift id its true one."""
        peer = self.peers.pop(makeshift)
        peer.id = node.id
        self.peers[node.id] = peer
        self.ids = list(self.peers)
        self._deck.clear()
        if peer.link is not None:
            self.links[peer.link] = node.id
        self.view = self.view.rename(makeshift, node)
        self.look_after(peer, self.now)
        return peer

    def deal(self, count: int) -> list[NodeId]:
        """The next ``count`` nodes of a shuffled deck: random as a draw is, but all nodes get their turn, and
        cheaper."""
        if len(self._deck) < count:
            random = self.rng.random
            # Sorting by random keys shuffles at a third of the cost of Random.shuffle.
            self._deck = sorted(self.ids, key=lambda _: random())
        dealt = self._deck[-count:] if count else []
        del self._deck[len(self._deck) - count :]
        return dealt

    def handshake_at(self, ip: str, bus_port: int) -> NodeId | None:
        """The node with a makeshift id that is being met at this address, if any."""
        for node in self.view.nodes.values():
            if node.flags & HANDSHAKE and node.ip == ip and node.bus_port == bus_port:
                return node.id
        return None

    def new_id(self) -> NodeId:
        """Forty fresh hexadecimal digits."""
        return f"{self.rng.getrandbits(160):040x}"

    # Links ----------------------------------------------------------------------------------------------------------

    def look_after(self, peer: Peer, when: float) -> None:
        """Have ``links.tend`` look after a peer at this time."""
        peer.due = when
        self._entries_made += 1
        heappush(self.agenda, (when, self._entries_made, peer.id))

    def dial(self, peer: Peer) -> None:
        """Ask for a link to a peer that has none."""
        node = self.view.nodes[peer.id]
        self._links_made += 1
        peer.link, peer.link_up, peer.link_since = self._links_made, False, self.now
        self.links[self._links_made] = peer.id
        self.out.append(Connect(self._links_made, peer.id, node.ip, node.bus_port))

    def cut(self, link: int) -> None:
        """Close a link by our own will; a dialled one is dialled again when its peer is looked after."""
        self.out.append(Disconnect(link))
        self.lose(link)

    def lose(self, link: int) -> None:
        """Note that a link is gone."""
        if link < 0:
            speaker = self.peers.get(self.inbound.pop(link, ""))
            if speaker is not None and speaker.inbound == link:
                speaker.inbound = None
            return
        peer = self.peers.get(self.links.pop(link, ""))
        if peer is None or peer.link != link:
            return
        was_up = peer.link_up
        peer.link, peer.link_up = None, False
        peer.redials = 0 if was_up else peer.redials + 1
        peer.redial_at = self.now + min(0.1 * 2 ** min(peer.redials, 10), _LONGEST_REDIAL)
        if not self.now < peer.due < peer.redial_at:
            # Else it is looked after before: a dial that fails must not put off the suspicion.
            self.look_after(peer, peer.redial_at)

    def send(self, link: int, message: Message) -> None:
        """Queue a message on a link and count it."""
        self.sent[type(message)] += 1
        self.out.append(Send(link, message))

    def broadcast(self, message: Message) -> None:
        """Send to every node there is a link to, strangers excepted."""
        nodes = self.view.nodes
        for peer in self.peers.values():
            if peer.link is not None and peer.link_up and not nodes[peer.id].flags & HANDSHAKE:
                self.send(peer.link, message)

    # Words ----------------------------------------------------------------------------------------------------------

    def log(self, level: Level, text: str) -> None:
        """Say a line."""
        self.out.append(Log(level, text))

    def follow(self, primary: NodeId | None) -> None:
        """Become a replica of a node, or a primary without slots."""
        if primary is None:
            self.view = self.view.promote(self.view.myself)
        else:
            self.view = self.view.follow(self.view.myself, primary)
        self.standing.forget()
        self.out.append(Follow(primary))
        # In a large cluster most nodes would hear of it only much later: gossip does not tell who follows whom.
        self.broadcast(Pong(self.header))

    @property
    def header(self) -> Header:
        """What this node says of itself in every message; the same object while nothing in it changes."""
        view, me, speaks_for = self.view, self.view.me, self.view.my_shard_primary
        key = (
            me,
            speaks_for,
            view.current_epoch,
            view.state,
            view.migrating,
            view.importing,
            self.offset,
            self.keys,
            self.mflags,
            self.settings,
        )
        if self._header is None or key != self._header_of:
            if self._packed[0] != speaks_for.slots:
                self._packed = (speaks_for.slots, pack_bitmap(speaks_for.slots))
            self._header_of = key
            self._header = Header(
                sender=me.id,
                current_epoch=view.current_epoch,
                config_epoch=speaks_for.config_epoch,
                slots=self._packed[1],
                primary=me.primary,
                offset=self.offset,
                ip=self.settings.announce_ip,
                port=me.port,
                tls_port=me.tls_port,
                bus_port=me.bus_port,
                flags=me.flags & ~MYSELF,
                mflags=self.mflags,
                ok=view.state == "ok",
                shard_id=me.shard_id,
                hostname=me.hostname,
                human_nodename=me.human_nodename,
                keys=self.keys,
                migrating=_told(view.migrating) if me.is_primary else (),
                importing=_told(view.importing) if me.is_primary else (),
            )
        return self._header


def _told(moves: Mapping[int, NodeId]) -> tuple[tuple[int, NodeId], ...]:
    return tuple(moves.items())[:_OPEN_SLOTS_TOLD] if moves else ()
