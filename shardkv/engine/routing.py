"""Where a request belongs in the cluster: the engine's side of ``shardkv.cluster.routing``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..cluster.routing import Asker, route
from ..commands.flags import Flags
from ..commands.session import Session
from ..commands.spec import Command
from ..errors import ReplyError
from ..keyspace.slots import key_slot
from .pausing import may_write

if TYPE_CHECKING:
    from .engine import Engine


def redirect(engine: Engine, session: Session, command: Command, keys: list[bytes]) -> ReplyError | None:
    """The full decision for keys whose slot the served table does not settle."""
    assert engine.cluster is not None
    machine = engine.cluster.machine
    database = session.db

    def missing(key: bytes) -> bool:
        return database.get(key) is None or database.expired(key, key_slot(key))

    asker = Asker(
        write=may_write(session, command),
        readonly=session.readonly,
        asking=session.asking or bool(command.flags & Flags.ASKING),
        migrate=command.name == "migrate",
        shard_channels=command.name in ("ssubscribe", "sunsubscribe", "spublish"),
    )
    return route(machine.view, machine.settings, [key_slot(key) for key in keys], keys, asker, missing)
