"""One client connection as the engine knows it: who it is, what it has asked for, and the replies that wait for it.

No socket in here. The rim (``shardkv_node.reactor``) owns one of these beside each connection, hands it requests, and
sends what has gathered in ``out``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ..acl.user import User
    from ..keyspace.database import Database
    from ..pubsub.tracking import Tracking
    from ..replication.primary import Replica
    from .spec import Command

#: What a name costs beside its own bytes that a session watches, listens to or has invalidations for: its places in the
#: tables of both sides.
NAME_BYTES: Final = 400
#: So much for names is part of what every session costs: whoever watches a few keys is not weighed for that.
FEW_NAMES_BYTES: Final = 4096
#: What a session costs beside its buffers, in bytes: about what the object and its containers take.
SESSION_BYTES: Final = 1600


@dataclass(slots=True)
class Blocked:
    """A client that waits. ``attempt`` is tried when one of ``keys`` was touched; a value other than None is its
    reply."""

    keys: tuple[bytes, ...]
    deadline: int | None  #: Unix milliseconds, None: for ever
    attempt: Callable[[Any], Any]
    on_timeout: Any
    db: Database
    command: Command
    words: list[bytes]
    since: int
    propagate: bool = True
    woken_by: bytes = b""  #: the key that was touched last


@dataclass(slots=True, eq=False)
class Session:
    """One client. Times are Unix milliseconds."""

    id: int
    db: Database
    created: int
    address: str = ""
    local_address: str = ""
    fd: int = -1
    name: bytes = b""
    library_name: bytes = b""
    library_version: bytes = b""
    resp3: bool = False
    user: User | None = None  #: None: this node itself, which may do everything
    authenticated: bool = True
    plain: bool = (
        True  #: nothing about this client asks for the gates: all rights, no MULTI, no subscription, replies on ...
    )
    reader: bool = True  #: the same, but for READONLY
    bulky: bool = False  #: a part of a large request has come
    unix_socket: bool = False
    secure: bool = False  #: came by TLS
    # ---- transactions
    queue: list[tuple[Command, list[bytes]]] | None = None
    queue_bytes: int = 0
    queue_broken: bool = False  #: a command was refused while queueing
    watching: dict[tuple[int, bytes], bool] = field(default_factory=dict)  #: (db, key) -> was expired when watched
    watched_bytes: int = 0  #: the memory that those take
    watch_broken: bool = False
    # ---- cluster
    asking: bool = False
    readonly: bool = False
    # ---- switches
    reply_off: bool = False
    reply_skip: int = 0
    no_evict: bool = False
    no_touch: bool = False
    monitoring: bool = False
    script_debug: str = ""  #: how its scripts run under the debugger: YES (in a fork), SYNC, or not at all
    is_replica: bool = False
    is_primary: bool = False
    replica: Replica | None = None  #: what it has told of itself as one (REPLCONF), or is
    written: int = 0  #: the offset of the replication stream behind its last write
    # ---- pub/sub and tracking: ordered sets
    channels: dict[bytes, None] = field(default_factory=dict)
    patterns: dict[bytes, None] = field(default_factory=dict)
    shard_channels: dict[bytes, None] = field(default_factory=dict)
    subscribed_bytes: int = 0  #: the memory that all three take
    tracking: Tracking | None = None
    # ---- waiting
    blocked: Blocked | None = None
    postponed: bool = False  #: held back by CLIENT PAUSE
    waiting: deque[list[bytes]] = field(default_factory=deque)  #: requests behind one that waits
    waiting_bytes: int = 0  #: the memory of those that came while it waited
    # ---- what goes out
    out: list[bytes] = field(default_factory=list)
    unsent: int = 0  #: bytes that the rim holds for a slow reader
    unsent_peak: int = 0
    soft_limit_since: float | None = None
    close_after_reply: bool = False
    closed: bool = False
    # ---- what CLIENT LIST tells
    last_seen: int = 0
    last_command: str = "NULL"
    commands: int = 0
    query_pending: int = 0

    @property
    def subscribed(self) -> int:
        """Channels and patterns (shard channels count as well)."""
        return len(self.channels) + len(self.patterns) + len(self.shard_channels)

    @property
    def names_bytes(self) -> int:
        """The memory for the names that it watches, listens to or has invalidations for; 0 for a few."""
        size = self.watched_bytes + self.subscribed_bytes
        tracking = self.tracking
        if tracking is not None:
            size += NAME_BYTES * len(tracking.prefixes) + tracking.prefixes_bytes
        return size if size > FEW_NAMES_BYTES else 0

    @property
    def held(self) -> bool:
        """Whether further requests have to wait."""
        return self.blocked is not None or self.postponed

    @property
    def kind(self) -> str:
        """normal, pubsub, replica or master: the class of output limits and of CLIENT LIST TYPE."""
        if self.is_primary:
            return "master"
        if self.is_replica and not self.monitoring:
            return "replica"
        if self.subscribed:
            return "pubsub"
        return "normal"

    def refresh(self) -> None:
        """Set ``plain`` and ``reader`` anew after one of the things that they summarise has changed."""
        self.reader = (
            self.authenticated
            and not self.bulky
            and (self.user is None or self.user.unrestricted)
            and self.queue is None
            and not self.reply_off
            and not self.reply_skip
            and not self.monitoring
            and not self.is_replica
            and not self.is_primary
            and not self.asking
            and not self.no_touch
            and self.tracking is None
            and self.blocked is None
            and not self.postponed
            and (self.resp3 or not self.subscribed)
            and not self.close_after_reply
        )
        self.plain = self.reader and not self.readonly
