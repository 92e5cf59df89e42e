"""Where a request belongs in the cluster: the engine's side of ``shardkv.cluster.routing``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..cluster.routing import Asker, refuse_waiting, route
from ..commands.flags import Flags
from ..commands.session import Blocked, Session
from ..commands.spec import Command
from ..errors import ReplyError
from ..keyspace.slots import key_slot

if TYPE_CHECKING:
    from .engine import Engine


def redirect(
    engine: Engine, session: Session, command: Command, keys: list[bytes], words: Sequence[bytes] = ()
) -> ReplyError | None:
    """The full decision for keys whose slot the served table does not settle."""
    assert engine.cluster is not None
    machine = engine.cluster.machine
    database = session.db

    def missing(key: bytes) -> bool:
        return database.get(key) is None or database.expired(key, key_slot(key))

    asker = Asker(
        write=_writes(session, command),
        readonly=session.readonly,
        asking=session.asking or bool(command.flags & Flags.ASKING),
        migrate=command.name == "migrate",
        across=command.name == "move" or (command.name == "copy" and any(word.upper() == b"DB" for word in words[3:])),
        shard_channels=command.name in ("ssubscribe", "sunsubscribe", "spublish"),
        tls=session.secure,
    )
    return route(machine.view, machine.settings, [key_slot(key) for key in keys], keys, asker, missing)


def waiting_refusal(engine: Engine, session: Session, blocked: Blocked) -> ReplyError | None:
    """None if a client may go on waiting for its keys, which have one slot; or why not."""
    assert engine.cluster is not None
    machine = engine.cluster.machine
    asker = Asker(write=blocked.command.is_write, readonly=session.readonly, tls=session.secure)
    return refuse_waiting(machine.view, machine.settings, key_slot(next(iter(blocked.keys))), asker)


def _writes(session: Session, command: Command) -> bool:
    """Whether a request has the flag write, or for EXEC: one of those queued. PFCOUNT, which only may, has not."""
    if command.name == "exec":
        return any(queued.is_write for queued, _ in session.queue or ())
    return command.is_write
