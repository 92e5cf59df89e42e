"""The checks before a command runs, in Redis's order (processCommand).

Each gate is a small function that lets a request pass (None) or answers it: with a ``ReplyError``, or with
``POSTPONED`` or ``QUEUED``. The order is the truth; ``Engine.run`` may skip the whole tuple only for a *plain* session
on a *calm* node, which is to say: where none of them could fire. Gates that ask about the command alone are left out of
a command's own tuple when they can never apply to it (``gates_of``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..commands.flags import Flags
from ..commands.protection import refusal_of
from ..commands.session import Session
from ..commands.spec import Command
from ..errors import Loading, ReplyError
from ..resp.replies import QUEUED
from .pausing import POSTPONED

if TYPE_CHECKING:
    from .engine import Engine

Gate: TypeAlias = Callable[["Engine", Session, Command, list[bytes]], Any]

OUT_OF_MEMORY: Final = ReplyError("OOM command not allowed when used memory > 'maxmemory'.")


def protected(engine: Engine, session: Session, command: Command, words: list[bytes]) -> Any:
    """DEBUG and MODULE need an option: they can take the node down."""
    return refusal_of(command.name.partition("|")[0], engine.config, session)


def authenticated(engine: Engine, session: Session, command: Command, words: list[bytes]) -> Any:
    """A password comes before everything that could tell a stranger something."""
    if session.authenticated or engine.access.knows(session):
        return None
    return ReplyError("NOAUTH Authentication required.")


def outside_transactions(engine: Engine, session: Session, command: Command, words: list[bytes]) -> Any:
    """Some commands make no sense to queue."""
    if session.queue is None:
        return None
    return ReplyError("ERR Command not allowed inside a transaction")


def permitted(engine: Engine, session: Session, command: Command, words: list[bytes]) -> Any:
    """What the client's user may not do is refused before the cluster tells where the keys are."""
    if session.user is None or session.user.unrestricted:
        return None
    return engine.access.refuse(session, command, words)


def routed(engine: Engine, session: Session, command: Command, words: list[bytes]) -> Any:
    """MOVED, ASK, CROSSSLOT, CLUSTERDOWN: the keys have to be served here."""
    if not engine.routing or session.is_primary:
        return None
    return engine.routes.admit(session, command, words)


def affordable(engine: Engine, session: Session, command: Command, words: list[bytes]) -> Any:
    """Where memory is limited keys are given up first, whatever the command; if none can be, nothing is taken in, and
    that includes what would wait for EXEC."""
    if not engine.memory.pressed or engine.memory.relieve() or session.is_primary:
        return None
    if takes_memory(engine, session, command, words) or (session.queue is not None and command.name not in _ENDS_QUEUE):
        return OUT_OF_MEMORY
    return None


def takes_memory(engine: Engine, session: Session, command: Command, words: list[bytes]) -> bool:
    """Whether a request may take memory, or for EXEC: one of those queued. Of a script its flags tell."""
    if command.name == "exec":
        return any(takes_memory(engine, session, queued, request) for queued, request in session.queue or ())
    if command.runs_script:
        return engine.scripts.takes_memory(command, words)
    return bool(command.flags & Flags.DENYOOM)


def durable(engine: Engine, session: Session, command: Command, words: list[bytes]) -> Any:
    """While what is written cannot be made to last, nothing is written; PING tells so, for those who watch the node."""
    if engine.disk_fault is None or session.is_primary:
        return None
    if command.name != "ping" and not writes(engine, session, command, words):
        return None
    return ReplyError(engine.disk_fault)


def enough_replicas(engine: Engine, session: Session, command: Command, words: list[bytes]) -> Any:
    """``min-replicas-to-write``: what too few replicas would have is not accepted."""
    if (
        engine.replication.enough
        or engine.following
        or session.is_primary
        or not writes(engine, session, command, words)
    ):
        return None
    return ReplyError("NOREPLICAS Not enough good replicas to write.")


def writable_here(engine: Engine, session: Session, command: Command, words: list[bytes]) -> Any:
    """A replica takes writes from its primary only, unless ``replica-read-only no``."""
    if not engine.following or session.is_primary or not engine.config.replica_read_only:
        return None
    if not writes(engine, session, command, words):
        return None
    return ReplyError("READONLY You can't write against a read only replica.")


def fresh_enough(engine: Engine, session: Session, command: Command, words: list[bytes]) -> Any:
    """A replica that has lost its primary may know old things only: ``replica-serve-stale-data`` says whether they
    are told."""
    if not engine.following or engine.config.replica_serve_stale_data or not engine.replication.stale:
        return None
    stale = command.flags & Flags.STALE and not (
        command.name == "exec" and any(not queued.flags & Flags.STALE for queued, _ in session.queue or ())
    )
    if stale or session.is_primary:
        return None
    return ReplyError("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.")


_NOT_FOR_REPLICAS: Final = Flags.WRITE | Flags.READONLY | Flags.MAY_REPLICATE | Flags.BLOCKING | Flags.PUBSUB


def not_from_replicas(engine: Engine, session: Session, command: Command, words: list[bytes]) -> Any:
    """What a replica's connection asks for must not touch keys, nor have answers that come later: these would stand in
    its stream."""
    if not session.is_replica or not command.flags & _NOT_FOR_REPLICAS:
        return None
    return ReplyError("ERR Replica can't interact with the keyspace")


def writes(engine: Engine, session: Session, command: Command, words: list[bytes]) -> bool:
    """Whether a request has the flag write, or for EXEC: one of those queued. Of a script its flags tell."""
    if command.name == "exec":
        return any(writes(engine, session, queued, request) for queued, request in session.queue or ())
    return engine.scripts.writes(command, words) if command.runs_script else command.is_write


def in_subscriber_mode(engine: Engine, session: Session, command: Command, words: list[bytes]) -> Any:
    """A RESP2 connection with subscriptions cannot tell replies from messages, so few commands are left to it."""
    if session.resp3 or not session.subscribed or command.name in _SUBSCRIBER_COMMANDS:
        return None
    name = command.name
    return ReplyError(
        f"ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
        "are allowed in this context"
    )


_SUBSCRIBER_COMMANDS: Final = frozenset(
    {"subscribe", "ssubscribe", "psubscribe", "unsubscribe", "sunsubscribe", "punsubscribe", "ping", "quit", "reset"}
)


def loaded(engine: Engine, session: Session, command: Command, words: list[bytes]) -> Any:
    """While the data set is loading there is nothing true to answer."""
    if not engine.loading or command.flags & Flags.LOADING:
        return None
    return Loading()


def not_busy(engine: Engine, session: Session, command: Command, words: list[bytes]) -> Any:
    """While a script runs too long, others are told so; what may end it gets through."""
    if command.flags & Flags.ALLOW_BUSY:
        return None
    return engine.scripts.overtime.refusal


def not_only_looking(engine: Engine, session: Session, command: Command, words: list[bytes]) -> Any:
    """Who looks on (MONITOR) or follows leaves the keys alone: its connection is one way."""
    if session.monitoring and command.flags & (Flags.READONLY | Flags.WRITE | Flags.MAY_REPLICATE):
        return ReplyError("ERR Replica can't interact with the keyspace")
    return None


def not_paused(engine: Engine, session: Session, command: Command, words: list[bytes]) -> Any:
    """CLIENT PAUSE holds requests back, CLIENT UNPAUSE among them; with WRITE only those that may change something."""
    if not engine.pausing.covers(engine, session, command, words):
        return None
    engine.pausing.hold(session, words)
    return POSTPONED


def queued(engine: Engine, session: Session, command: Command, words: list[bytes]) -> Any:
    """Inside MULTI everything but what ends or guards the transaction waits for EXEC."""
    if session.queue is None or command.name in _NOT_QUEUED:
        return None
    if not (session.queue_broken or session.watch_broken):
        # Else it can't run any more, and its keys have no say in where EXEC is routed.
        session.queue.append((command, words))
        session.queue_bytes += sum(map(len, words))
        engine.limits.bound_input(session)
    return QUEUED


_ENDS_QUEUE: Final = frozenset({"exec", "discard", "quit", "reset"})
_NOT_QUEUED: Final = frozenset({"exec", "discard", "multi", "watch", "quit", "reset"})

GATES: Final[tuple[Gate, ...]] = (
    protected,  # before authentication, as Redis has it
    authenticated,
    outside_transactions,
    permitted,
    routed,
    affordable,
    durable,
    enough_replicas,
    writable_here,
    in_subscriber_mode,
    fresh_enough,
    loaded,
    not_busy,
    not_from_replicas,
    not_only_looking,
    not_paused,
    queued,
)

#: The gates that what writes meets inside of a script, too.
IN_SCRIPTS: Final[tuple[Gate, ...]] = (writable_here, durable, enough_replicas)


def gates_of(command: Command) -> tuple[Gate, ...]:
    """The gates that can ever apply to a command, in their order."""
    without: set[Gate] = set()
    if not command.flags & Flags.PROTECTED:
        without.add(protected)
    if command.flags & Flags.NO_AUTH:
        without |= {authenticated, permitted}
    if not command.flags & Flags.NO_MULTI:
        without.add(outside_transactions)
    if not command.keys and command.name != "exec":
        without.add(routed)
    may_write = command.is_write or command.runs_script or command.name == "exec"
    if not may_write and command.name != "ping":
        without.add(durable)
    if not may_write:
        without |= {enough_replicas, writable_here}
    if command.flags & Flags.STALE and command.name != "exec":
        without.add(fresh_enough)
    return tuple(gate for gate in GATES if gate not in without)
