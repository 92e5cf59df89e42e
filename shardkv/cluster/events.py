"""What can happen to a node of a cluster: everything that ``ClusterMachine.handle`` takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from .messages import Message
from .orders import Order
from .settings import Settings

LinkId: TypeAlias = int
"""A connection of the bus. Positive: dialled here, numbered by the machine (``Connect``). Negative: accepted here,
numbered by the bus with -1, -2, ... A number is never used twice."""


@dataclass(frozen=True, slots=True)
class Tick:
    """The deadline that the machine asked for has come (coming early or often does no harm)."""


@dataclass(frozen=True, slots=True)
class Received:
    """A whole message came in on a link. ``peer_ip`` and ``local_ip`` are the connection's two addresses, without
    ports."""

    link: LinkId
    message: Message
    peer_ip: str
    local_ip: str


@dataclass(frozen=True, slots=True)
class LinkUp:
    """A dialled link is ready for messages (connected, and authenticated where the bus asks for that)."""

    link: LinkId


@dataclass(frozen=True, slots=True)
class LinkLost:
    """A link has ended, or a dial has failed, and not by ``Disconnect``."""

    link: LinkId


@dataclass(frozen=True, slots=True)
class Ordered:
    """A CLUSTER command that changes something, already parsed. Exactly one ``Answer`` with this ticket comes back."""

    order: Order
    ticket: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How this node's data stand; told ten times a second, and at once after ``PauseWrites`` and while
    ``machine.hurried``.

    ``offset`` is the replication offset: of a primary, what it has written; of a replica, what it has applied; of a
    node that has just started, that of the snapshot it loaded (0: unknown). ``keys``: how many keys it holds.
    ``silence``: for a replica, the seconds since the last byte of its primary's stream; None as long as it has no
    whole copy of its primary's data (never synchronised in this life, or a full synchronisation is under way).
    ``linked``: the replication link is up and the stream flows.
    """

    offset: int
    keys: int = 0
    silence: float | None = None
    linked: bool = False
    loading: bool = False
    """What it has on disk is still being loaded."""


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """CONFIG SET changed an option of the cluster."""

    settings: Settings


@dataclass(frozen=True, slots=True)
class Strayed:
    """These slots (a set of bits) hold keys here that are not this node's own: they are on their way to it as a whole,
    or still to be deleted. Whatever happens to the process, they are no claim."""

    slots: int


Event: TypeAlias = Tick | Received | LinkUp | LinkLost | Ordered | Progress | Reconfigured | Strayed
