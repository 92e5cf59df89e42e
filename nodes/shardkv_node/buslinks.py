"""The bus's values: what peers are allowed, what is counted, and one connection's state."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import trio

from shardkv.cluster.events import LinkId
from shardkv.cluster.handshake import Sealer
from shardkv.cluster.wire import FrameReader

# Bytes, where cluster-link-sendbuf-limit 0 says that there is no limit: a node may not die of one peer.
SENDBUF_CEILING = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class BusLimits:
    """What peers may make this node do. Sizes in bytes, times in seconds."""

    links: int = 4096
    """Inbound links that are set up: one for each other node, and as many again while they reconnect."""
    strangers: int = 128
    """Inbound links whose set-up isn't over. One more, and the oldest goes: a node of ours needs milliseconds for
    it."""
    setup_timeout: float = 5.0
    """From the first packet of a dial, or from the accept, to a link that is ready."""
    sendbuf: int = 0
    """cluster-link-sendbuf-limit: what may wait for a slow peer. 0: ``SENDBUF_CEILING``."""


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """One link as CLUSTER LINKS shows it. ``create_time`` in ms since the epoch; ``node`` is empty until it has
    spoken."""

    link: LinkId
    direction: str
    node: str
    create_time: int
    events: str
    send_buffer_allocated: int
    send_buffer_used: int


def by_peer(record: LinkRecord) -> tuple[str, bool, LinkId]:
    """Where a link stands in CLUSTER LINKS: beside the other one of its peer, the one to it before the one from it."""
    return record.node, record.direction == "from", record.link


@dataclass(frozen=True, slots=True)
class BusStatistics:
    """Counters since the start, and the links that are ready now, peer by peer. ``sent`` and ``received`` go by message
    name."""

    sent: dict[str, int]
    received: dict[str, int]
    bytes_sent: int
    bytes_received: int
    links_refused: int
    """Inbound: beyond a limit, too slow to set up, or without the right secret."""
    garbage: int
    """Links closed because what came on them was no frame of ours."""
    sendbuf_exceeded: int
    """total_cluster_links_buffer_limit_exceeded."""
    skipped: int
    """Frames of a type that only a newer version knows."""
    oversized: int
    """Messages that were not sent because no frame may be that large."""
    strangers: int
    """Inbound links being set up now."""
    links: tuple[LinkRecord, ...]


@dataclass(slots=True, eq=False)
class Link:
    """One connection, from its dial or accept until it is closed."""

    number: LinkId
    node: str
    created: float
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    ready: bool = False
    dropped: bool = False  # the machine let it go: no LinkLost
    sealer: Sealer | None = None
    queue: deque[bytes] = field(default_factory=deque)
    queued: int = 0  # bytes in the queue and in the send under way
    wake: trio.Event = field(default_factory=trio.Event)
    reader: FrameReader | None = None
    early: bytes = b""  # what came right behind the set-up
    peer_ip: str = ""
    local_ip: str = ""

    def record(self) -> LinkRecord:
        """What CLUSTER LINKS says of it now."""
        return LinkRecord(
            link=self.number,
            direction="to" if self.number > 0 else "from",
            node=self.node,
            create_time=int(self.created * 1000),
            events="rw" if self.queued else "r",
            send_buffer_allocated=self.queued,
            send_buffer_used=self.queued,
        )
