"""Where a request belongs in the cluster: the engine's side of ``shardkv.cluster.routing``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..cluster.routing import Asker, refuse_waiting, route
from ..commands.session import Blocked, Session
from ..commands.spec import Command
from ..errors import ReplyError
from ..keyspace.slots import key_slot
from .gates import writes
from .pausing import POSTPONED, may_write

if TYPE_CHECKING:
    from .engine import Engine


class Routes:
    """Whether a request is served here."""

    __slots__ = ("_engine",)

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def admit(self, session: Session, command: Command, words: list[bytes]) -> Any:
        """``refusal`` for a request that is about to run: one that is postponed is held back."""
        refusal = self.refusal(session, command, words)
        if refusal is POSTPONED:
            self._engine.leaving.hold(session, words)
        return refusal

    def refusal(self, session: Session, command: Command, words: list[bytes]) -> Any:
        """None if all keys are served here, the redirection, or POSTPONED for a write to keys on their way to another
        node. EXEC is asked for all that it would run."""
        keys = _keys_of(session, command, words)
        if not keys:
            return None
        engine = self._engine
        slot = key_slot(keys[0])
        if engine.served[slot] and not session.asking:
            if engine.cluster is not None:
                for key in keys:
                    if key_slot(key) != slot:
                        return ReplyError("CROSSSLOT Keys in request don't hash to the same slot")
                return None
            if not engine.leaving:
                return None
        slots = [slot] if len(keys) == 1 else list(map(key_slot, keys))
        exports = slot in engine.exported and command.name == "migrate" and not engine.leaving
        if exports and slots.count(slot) == len(slots):
            return None
        refusal = None if engine.cluster is None else self._redirect(session, command, keys, slots, words)
        if refusal is not None or not engine.leaving or (session.queue is not None and command.name != "exec"):
            return refusal
        return (
            POSTPONED
            if may_write(engine, session, command, words) and engine.leaving.touched_by(session, keys)
            else None
        )

    def _redirect(
        self, session: Session, command: Command, keys: list[bytes], slots: list[int], words: list[bytes]
    ) -> ReplyError | None:
        """The full decision for keys whose slot the served table does not settle."""
        assert self._engine.cluster is not None
        cluster = self._engine.cluster
        database = session.db

        def missing(key: bytes) -> bool:
            slot = slots[0]  # it is asked only where all keys have one
            return database.values[slot].get(key) is None or database.expired(key, slot)

        asker = Asker(
            write=writes(self._engine, session, command, words),
            readonly=session.readonly,
            asking=session.asking or command.asks,
            migrate=command.name == "migrate",
            across=command.name == "move"
            or (command.name == "copy" and any(word.upper() == b"DB" for word in words[3:])),
            shard_channels=command.name in ("ssubscribe", "sunsubscribe", "spublish"),
            tls=session.secure,
        )
        return route(cluster.view, cluster.machine.settings, slots, keys, asker, missing)


def _keys_of(session: Session, command: Command, words: list[bytes]) -> list[bytes]:
    if command.name == "exec":
        return [
            request[position] for queued, request in session.queue or () for position in queued.key_positions(request)
        ]
    return [words[position] for position in command.key_positions(words)]


def waiting_refusal(engine: Engine, session: Session, blocked: Blocked) -> ReplyError | None:
    """None if a client may go on waiting for its keys, which have one slot; or why not."""
    assert engine.cluster is not None
    cluster = engine.cluster
    asker = Asker(write=blocked.command.is_write, readonly=session.readonly, tls=session.secure)
    return refuse_waiting(cluster.view, cluster.machine.settings, key_slot(next(iter(blocked.keys))), asker)
