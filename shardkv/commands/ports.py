"""The parts of the engine as commands see them, each by the few verbs that a command may need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..acl.log import RefusalLog
    from ..acl.selector import Reason
    from ..acl.user import User
    from ..acl.users import Users
    from ..keyspace.database import Database
    from ..observation.slot_stats import SlotStats
    from ..pubsub.channels import Channels
    from ..pubsub.tracking import InvalidationTable
    from ..replication.history import History
    from ..replication.primary import Primary, Replica
    from ..replication.replica import ReplicaLink
    from ..scripting.functions import Registry
    from .context import Context
    from .session import Blocked, Session
    from .spec import Command


class DatabasesPort(Protocol):
    """The databases by number; None stands for one that nobody has used yet."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Database | None]: ...

    def open(self, index: int) -> Database:
        """The database with this number, made when it is first used. Raises ReplyError out of range."""

    def flushed(self, database: Database | None) -> None:
        """All keys of a database (None: of all) are about to go: break their watches and have caches forget them."""

    def swap(self, first: int, second: int) -> None:
        """Exchange two databases. Raises ReplyError out of range."""


class SlotCounter(Protocol):
    """What counts requests for their slots."""

    @property
    def stats(self) -> SlotStats:
        """What has been counted."""


class ClusterPort(Protocol):
    """The cluster side of the node."""

    @property
    def machine(self) -> Any:
        """The ``ClusterMachine``: its ``view`` and what CLUSTER INFO and LINKS tell."""

    @property
    def view(self) -> Any:
        """The ``ClusterView`` that clients are sent by: the machine's, but not while that takes slots over and is
        still on its way to disk."""

    def order(self, order: Any) -> Any:
        """Carry out a CLUSTER command that changes something; its reply (a ReplyError instance when refused)."""

    @property
    def lasting(self) -> bool:
        """Whether all that binds this node is on disk."""

    def when_lasting(self, told: Callable[[], None]) -> None:
        """Call back once it is."""

    def settle(self) -> None:
        """Make it last now, while all others wait."""

    def migrate_slots(self, groups: list[tuple[int, str]]) -> None:
        """Begin atomic migrations: sets of slots with the nodes that get them. Raises ReplyError, and begins none."""

    def slot_migrations(self) -> list[Any]:
        """The migrations that go on, and those that ended lately (``slot_jobs.SlotJob``)."""

    def cancel_slot_migrations(self) -> bool:
        """Cancel those that go on; whether there were any."""

    def begin_import(self, session: Session, name: str, source: str, slots: int) -> None:
        """Take keys of these slots from a node that will give them. Raises ReplyError."""

    def import_of(self, session: Session) -> Any:
        """The import that a session has begun. Raises ReplyError for none, or one that has failed."""

    def take_slots(self, job: Any) -> None:
        """The end of an import: its slots are this node's. Raises ReplyError."""

    @property
    def hesitates(self) -> bool:
        """Whether this primary, just restarted, still finds out if its replicas hold more, and must not feed them."""

    def lease_over(self) -> None:
        """The engine's lease has run out: renew it, or stop serving."""

    def links(self) -> list[Any]:
        """Records of the bus links for CLUSTER LINKS."""

    def links_exceeded(self) -> int:
        """How many links were closed because too much waited for them."""


class FailoverPort(Protocol):
    """The hand-over to a replica."""

    @property
    def active(self) -> bool:
        """Whether one is going on."""

    def begin(self, target: tuple[str, int] | None, *, force: bool, timeout: int | None) -> None:
        """Begin one; ``timeout`` in milliseconds. Raises ReplyError."""

    def abort(self, reason: str) -> None:
        """Take it back. Raises ReplyError if there is none."""


class SyncPort(Protocol):
    """How replicas come by this node's data."""

    def synchronize(self, session: Session, replication_id: str | None, offset: int) -> Any:
        """PSYNC, or SYNC (None). Raises ReplyError."""


class AcknowledgementPort(Protocol):
    """How far replicas and logs are."""

    def acknowledged(self, session: Session, offset: int, log_offset: int) -> None:
        """A replica tells how far it is."""

    def reached(self, session: Session) -> int:
        """How many replicas have all that a client has written."""

    def logged(self, session: Session) -> tuple[int, int]:
        """In how many logs all that a client has written is safe: this node's (0 or 1), and replicas'."""

    def wait(self, session: Session, count: int, logs: int) -> None:
        """A client that waits for replicas (``logs`` -1) or for logs."""


class ReplicationPort(Protocol):
    """The node's place among primaries and replicas."""

    address: tuple[str, int] | None
    history: History
    primary: Primary
    link: ReplicaLink | None
    feed_in: Any

    @property
    def syncs(self) -> SyncPort:
        """How replicas come by this node's data."""

    @property
    def acks(self) -> AcknowledgementPort:
        """How far they are."""

    @property
    def failover(self) -> FailoverPort:
        """The hand-over to a replica."""

    @property
    def following(self) -> bool:
        """Whether this node is a replica."""

    def follow(self, host: str, port: int) -> None:
        """Become a replica of this node."""

    def lead(self) -> None:
        """Become a primary."""

    def feed(self, database: Database | None, words: list[bytes]) -> None:
        """A command for the backlog and the replicas. None: of no database."""

    def flush(self) -> None:
        """Hand what has gathered to the backlog and the replicas."""

    def introduce(self, session: Session) -> Replica:
        """What a client has told of itself as a replica, or will."""


class StoppingPort(Protocol):
    """The end of the node."""

    def begin(self, *, save: bool | None, now: bool, force: bool) -> bool:
        """Shut down; False: once the replicas have everything. Raises OSError, and then the node goes on."""

    def abort(self) -> None:
        """Take a shutdown back that waits. Raises ReplyError if none does."""


class ExpiringPort(Protocol):
    """The end of keys whose time is over."""

    active: bool  #: they end before somebody asks

    @property
    def suspended(self) -> bool:
        """Whether what has expired stays where it is and is only not shown."""

    def expire(self, database: Database, key: bytes) -> None:
        """Delete a key whose time has passed, with all consequences."""

    def remember(self, database: Database, key: bytes) -> None:
        """A client of a writable replica has given a key a time."""


class PropagationPort(Protocol):
    """What goes out with what the running request becomes, before it."""

    def add(self, database: Database, words: list[bytes]) -> None:
        """To the log and the replicas."""

    def add_message(self, database: Database, words: list[bytes]) -> None:
        """What changes no data: it goes to replicas only."""


class WaitingPort(Protocol):
    """Clients that wait."""

    def add(self, session: Session, blocked: Blocked) -> None:
        """Let a client wait."""

    def end(self, session: Session, reply: Any) -> None:
        """End a wait with a reply; what the client sent meanwhile is carried out next."""


class LeavingPort(Protocol):
    """Keys on their way to another node."""

    def begin(self, database: Database, keys: Sequence[bytes]) -> None:
        """These keys set out: writes to them wait."""

    def end(self, database: Database, keys: Sequence[bytes]) -> None:
        """They have arrived there, or not: the writes go on."""


class TransactionsPort(Protocol):
    """What EXEC runs, and the watches that decide."""

    def watch(self, session: Session, keys: Iterable[bytes]) -> None:
        """Watch keys of the session's database until EXEC, DISCARD or UNWATCH."""

    def unwatch(self, session: Session) -> None:
        """Forget what a session watches."""

    def execute(self, session: Session) -> Any:
        """EXEC: run the queue as one; the replies, or why it did not run. Raises ReplyError."""

    def end(self, session: Session) -> None:
        """Leave MULTI and forget the watches."""


class LimitsPort(Protocol):
    """What clients may take."""

    def admits(self, session: Session, size: int) -> bool:
        """Whether a client may be sent so many bytes at once; if not, it is closed."""

    def weigh(self, session: Session) -> None:
        """What a client takes of the memory has changed."""

    def evict(self) -> None:
        """Close the largest clients while all together take too much memory."""


class MessagePort(Protocol):
    """What clients are sent that is no reply."""

    channels: Channels[Session]
    tracking: InvalidationTable

    def publish(self, channel: bytes, payload: bytes, *, sharded: bool = False) -> int:
        """Send a message to the subscribers on this node; how many there were."""

    def bound_tracking(self) -> None:
        """Forget the keys that are remembered for caches beyond the limit."""


class AccessPort(Protocol):
    """Users, and what they may do."""

    users: Users
    log: RefusalLog

    def greet(self, session: Session) -> None:
        """Make a client what a new one is."""

    def knows(self, session: Session) -> bool:
        """Whether a client needs no password (any more)."""

    def log_in(self, session: Session, name: bytes, password: bytes) -> bool:
        """Let a client in as a user; False, and noted, if name or password are wrong."""

    def refusal(self, user: User, command: Command, words: list[bytes]) -> tuple[Reason, int] | None:
        """Why a user may not carry out a request and the word that is to blame, or None."""

    def refuse(self, session: Session, command: Command, words: list[bytes], script: bool = False) -> Any:
        """The error for a request that a client may not carry out, which is noted; None if it may."""

    def reads_every_key(self, session: Session, command: Command, words: list[bytes]) -> bool:
        """Whether a request may read keys that it does not name (SORT)."""

    def settle(self, planned: User) -> None:
        """Make a new or changed user true."""

    def remove(self, names: Iterable[bytes]) -> int:
        """Delete users and close their clients; how many users there were."""

    def replace(self, users: Iterable[User]) -> None:
        """Have these users instead of those there are."""

    def set_default_password(self, password: bytes) -> None:
        """``requirepass`` was changed."""


class OvertimePort(Protocol):
    """The watch over the running script."""

    def kill(self, *, function: bool) -> None:
        """End it. Raises ReplyError if that can't be."""


class ScriptsPort(Protocol):
    """Scripts and libraries of functions. Each may raise ReplyError, and then nothing is changed."""

    everything_allowed: bool  #: scripts may call what makes no sense in one, too

    @property
    def overtime(self) -> OvertimePort:
        """The watch over the running script."""

    @property
    def registry(self) -> Registry:
        """The libraries that are loaded."""

    @property
    def running(self) -> Any:
        """The script that is running now, or None."""

    def running_seconds(self) -> float:
        """For how long it has been running."""

    def eval(self, ctx: Context, words: list[bytes], *, read_only: bool) -> Any:
        """Run the script in a request; its reply."""

    def eval_sha(self, ctx: Context, words: list[bytes], *, read_only: bool) -> Any:
        """Run the script that a request names; its reply."""

    def load(self, body: bytes) -> bytes:
        """Make a script known; its name."""

    def knows(self, sha: bytes) -> bool:
        """Whether a script is known."""

    def body(self, sha: bytes) -> bytes:
        """The text of a script."""

    def flush_scripts(self) -> None:
        """Forget all scripts."""

    def call_function(self, ctx: Context, words: list[bytes], *, read_only: bool) -> Any:
        """Call the function that a request names; its reply."""

    def load_library(self, code: bytes, *, replace: bool) -> bytes:
        """Load a library; its name."""

    def flush_functions(self) -> None:
        """Forget all libraries."""

    def library_codes(self) -> list[bytes]:
        """The sources of all libraries."""

    def restore_libraries(self, codes: list[bytes], *, flush: bool, replace: bool) -> None:
        """Load several libraries: in place of all, of those with their names, or beside them."""
