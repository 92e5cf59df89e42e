"""The vocabulary of the cluster bus.

Every message is a frozen value of plain fields (int, str, bytes, float, bool, None, tuples, nested values); how it
becomes bytes is the codec's affair (``wire.py``), which finds the types by their small codes in ``MESSAGES``. The
meaning of the fields is that of Redis Cluster's header, so whoever knows one bus knows the other.

Each message carries the whole ``Header`` of its sender: whoever hears anything from a node learns its epochs, role,
slots and address. The same ``Header`` object is reused until something in it changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

PAUSED: Final = 1
"""Header.mflags: the sender is a primary that has paused its writes for a manual failover."""
FORCEACK: Final = 2
"""Header.mflags: vote for the sender even though its primary is not failing (a manual failover)."""


@dataclass(frozen=True, slots=True)
class Header:
    """Who speaks, and what it stands for.

    ``slots`` has one bit a slot (slot ``n`` is bit ``n & 7`` of byte ``n >> 3``, 2048 bytes). A replica speaks with its
    primary's slots and ``config_epoch``. ``ip`` is empty unless announced by configuration: the receiver then takes the
    address the connection comes from. ``flags`` are those of ``nodes.py``; ``ok`` says that the sender serves clients.
    """

    sender: str
    current_epoch: int
    config_epoch: int
    slots: bytes
    primary: str | None
    offset: int
    ip: str
    port: int
    tls_port: int
    bus_port: int
    flags: int
    mflags: int
    ok: bool
    shard_id: str
    hostname: str
    human_nodename: str
    keys: int = 0
    """How many keys it holds."""
    migrating: tuple[tuple[int, str], ...] = ()
    """A primary's open slots, with the other side of each: its replicas keep them, in case one takes over."""
    importing: tuple[tuple[int, str], ...] = ()


@dataclass(slots=True)
class GossipEntry:
    """What the sender thinks of a third node. ``pong_received`` is in seconds since the epoch.

    Not frozen only because a busy node makes thousands a second and a frozen one costs three times as much; never
    changed.
    """

    id: str
    ip: str
    port: int
    tls_port: int
    bus_port: int
    flags: int
    pong_received: float


@dataclass(frozen=True, slots=True)
class Ping:
    """I am here; answer with a ``Pong``. ``forgotten`` are pairs (node id, seconds for which it must not come back)."""

    header: Header
    gossip: tuple[GossipEntry, ...] = ()
    forgotten: tuple[tuple[str, float], ...] = ()
    briefly: bool = False
    """A sign of life is all that is asked for: no gossip, please. (One who knows nobody else has none to tell, but is
    all the more eager to hear some.)"""


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a ``Ping`` or ``Meet``, or a broadcast of news. ``recognised``: the one addressed is in my node
    table."""

    header: Header
    gossip: tuple[GossipEntry, ...] = ()
    forgotten: tuple[tuple[str, float], ...] = ()
    recognised: bool = True


@dataclass(frozen=True, slots=True)
class Meet:
    """A ``Ping`` that asks a stranger to add the sender to its node table."""

    header: Header
    gossip: tuple[GossipEntry, ...] = ()
    forgotten: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Fail:
    """A majority has lost ``node``: mark it FAIL at once."""

    header: Header
    node: str


@dataclass(frozen=True, slots=True)
class Publish:
    """PUBLISH, for the subscribers of every node."""

    header: Header
    channel: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class PublishShard:
    """SPUBLISH, for the subscribers of the sender's shard."""

    header: Header
    channel: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Update:
    """Your claim is stale: ``node`` owns ``slots`` (a bitmap as in ``Header``) since ``config_epoch``."""

    header: Header
    node: str
    config_epoch: int
    slots: bytes


@dataclass(frozen=True, slots=True)
class AuthRequest:
    """Vote for me to take my failed primary's place in ``header.current_epoch``."""

    header: Header


@dataclass(frozen=True, slots=True)
class AuthAck:
    """My vote for you in ``header.current_epoch``."""

    header: Header


@dataclass(frozen=True, slots=True)
class MfStart:
    """Pause your writes: I, your replica, take over by order of the operator."""

    header: Header


@dataclass(frozen=True, slots=True)
class Alert:
    """My primary does not answer me: ping it at once, so that you know as soon as I do."""

    header: Header


@dataclass(frozen=True, slots=True)
class StepAside:
    """You, my replica, hold more than I could restore after my restart: take my place."""

    header: Header


Message: TypeAlias = (
    Ping | Pong | Meet | Fail | Publish | AuthRequest | AuthAck | Update | MfStart | PublishShard | Alert | StepAside
)

MESSAGES: Final[dict[int, type[Message]]] = {
    0: Ping,
    1: Pong,
    2: Meet,
    3: Fail,
    4: Publish,
    5: AuthRequest,
    6: AuthAck,
    7: Update,
    8: MfStart,
    10: PublishShard,
    64: Alert,
    65: StepAside,
}
"""Types by code. Up to 10 the codes are Redis's (9, MODULE, is not used here); none ever changes its meaning."""

CODES: Final[dict[type, int]] = {kind: code for code, kind in MESSAGES.items()}

COUNTER_NAMES: Final[dict[type, str]] = {
    Ping: "ping",
    Pong: "pong",
    Meet: "meet",
    Fail: "fail",
    Publish: "publish",
    AuthRequest: "auth-req",
    AuthAck: "auth-ack",
    Update: "update",
    MfStart: "mfstart",
    PublishShard: "publishshard",
    Alert: "alert",
    StepAside: "step-aside",
}
"""The names under which CLUSTER INFO counts messages, in its order."""
