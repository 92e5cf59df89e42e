"""What a node keeps about each other node beside the view: the link to it and when it was last heard.

All of it is gone with the process, and changes with every packet; that is why it is no part of the view.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .messages import GossipEntry, Header
from .nodes import Node, NodeId


@dataclass(slots=True)
class Peer:
    """One other node, seen from here. Times are seconds since the epoch, 0 for never."""

    id: NodeId
    born: float
    """When it got into the table; a handshake that lasts too long is given up."""
    link: int | None = None
    """The link dialled from here, up or not."""
    link_up: bool = False
    link_since: float = 0.0
    inbound: int | None = None
    """The latest link on which it speaks to us."""
    redial_at: float = 0.0
    redials: int = 0
    """Failed dials since anything was heard; they make the next one later."""
    meet: bool = False
    """Greet it with MEET instead of PING, until it says that it knows us."""
    ping_sent: float = 0.0
    """When the oldest unanswered ping left; 0: none is unanswered."""
    last_ping: float = 0.0
    last_gossip: float = 0.0
    """When it was last pinged with gossip."""
    pong_received: float = 0.0
    """When it last answered, us or somebody whose gossip we trust."""
    data_received: float = 0.0
    acked: float = 0.0
    """When the last ping that it has answered left: it could hear us then."""
    seen_alive: float = 0.0
    """When it last answered somebody, by gossip, also of those who hold it for dead by now."""
    offset: int = 0
    keys: int = 0
    orphaned_at: float = 0.0
    """Since when this primary is known to have no replica that works; 0: it has one."""
    voted_at: float = 0.0
    """When we last voted for a replica of this primary, and for which."""
    voted_for: NodeId = ""
    fail_time: float = 0.0
    reports: dict[NodeId, float] = field(default_factory=dict)
    """Who says that it fails, and when that was heard last; the latest stands last."""
    unclaimed: int = 0
    """Slots that the view gives it but its own last header does not: the next claimant may have them."""
    due: float = 0.0
    """When to look after it next (``links.py``)."""
    entry: GossipEntry | None = None
    entry_node: Node | None = None
    """The gossip about it as last written, and the node it was written from."""
    heard: Header | None = None
    heard_in: object = None
    """A header that held no news for the view with this token: as long as both stay, there is none."""


@dataclass(frozen=True, slots=True)
class Liveness:
    """A peer for those who describe the cluster (CLUSTER NODES, SLOTS ...). Times as in ``Peer``."""

    ping_sent: float = 0.0
    pong_received: float = 0.0
    offset: int = 0
    connected: bool = True
