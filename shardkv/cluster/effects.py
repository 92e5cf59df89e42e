"""What the caller of ``ClusterMachine.handle`` must do, in the order given.

How the bus performs each
-------------------------
A *link* is one TCP connection. Positive numbers are links that the machine asked for with ``Connect``; negative numbers
are connections that others opened to this node, and the bus numbers them itself (-1, -2, ...). No number is used twice,
so an event about a link that is gone harms nothing. Both kinds carry messages both ways: an answer travels on the link
on which the question came, and only the node that dialled a link sends questions on it.

``Connect``
    Start dialling and return at once. When messages can be sent: event ``LinkUp(link)``; when the dial fails, or the
    link ends later by itself: event ``LinkLost(link)``, once. Never redial: the machine does, at its own pace.
``Disconnect``
    Close the link, or give up its dial. What was queued before still goes out if it can; no ``LinkLost`` need follow.
``Send``
    Queue the message on the link and never wait for it. A link that is gone drops it; one whose queue is full is closed
    and reported by ``LinkLost``. The same message object may go to many links in a row (a broadcast): encode it once.
``Persist``
    Write nodes.conf (``nodesconf.dump(view)``) atomically, with fsync. If ``awaited``, what follows relies on it: it is
    on disk before anything else leaves this node, be it by a later event; routes that take nothing over, logs, pauses
    and deletions alone may go before. Otherwise it is hearsay, which a crash may make us forget: soon is enough.
``Route``
    Serve clients by this view from now on.
``Follow``
    Become a replica of this node (its address: ``machine.view.nodes[primary]``); None: become a primary. Repeated when
    the primary's address changes: reconnect then.
``PauseWrites``
    Hold clients' writes back (reads go on) for at most ``seconds``, then say at once by ``Progress`` what the offset
    is: nothing may be written after it. 0: the pause is over.
``DropSlots``
    These slots belong to others now: delete their keys, if there are any.
``Answer``
    The reply to an ``Ordered``.
``Deliver``
    PUBLISH or SPUBLISH from another node: hand it to the local subscribers.
``Log``
    One line, at this level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from shardkv.resp.replies import Reply

from .events import LinkId
from .messages import Message
from .nodes import NodeId
from .view import ClusterView

Level: TypeAlias = Literal["debug", "verbose", "notice", "warning"]


@dataclass(frozen=True, slots=True)
class Persist:
    """To disk; before any effect that follows if ``awaited``."""

    view: ClusterView
    awaited: bool = True


@dataclass(frozen=True, slots=True)
class Connect:
    """Dial this address as link number ``link``. ``port`` is the bus port."""

    link: LinkId
    node: NodeId
    ip: str
    port: int


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close this link, dialled or accepted."""

    link: LinkId


@dataclass(frozen=True, slots=True)
class Send:
    """May be lost; the machine never minds."""

    link: LinkId
    message: Message


@dataclass(frozen=True, slots=True)
class Route:
    """Serve clients by this view from now on."""

    view: ClusterView


@dataclass(frozen=True, slots=True)
class Follow:
    """Become a replica of this node; None: become a primary."""

    primary: NodeId | None


@dataclass(frozen=True, slots=True)
class PauseWrites:
    """Hold writes back for at most so long, for a replica that is about to take over; 0: go on."""

    seconds: float


@dataclass(frozen=True, slots=True)
class DropSlots:
    """Delete the keys of these slots (ascending)."""

    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply to an ``Ordered``: ``OK``, another plain reply, or a ``ReplyError`` instance."""

    ticket: int
    reply: Reply


@dataclass(frozen=True, slots=True)
class Deliver:
    """A message from another node for subscribers here. ``sharded``: it came by SPUBLISH."""

    channel: bytes
    payload: bytes
    sharded: bool


@dataclass(frozen=True, slots=True)
class Log:
    """One line for the node's log."""

    level: Level
    text: str


Effect: TypeAlias = (
    Persist | Connect | Disconnect | Send | Route | Follow | PauseWrites | DropSlots | Answer | Deliver | Log
)
