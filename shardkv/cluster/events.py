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
    """This node's replication offset is now ``offset`` (told as often as convenient, about once a second)."""

    offset: int


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """CONFIG SET changed an option of the cluster."""

    settings: Settings


Event: TypeAlias = Tick | Received | LinkUp | LinkLost | Ordered | Progress | Reconfigured
