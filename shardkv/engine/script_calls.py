"""A command inside a script: the checks that stand before it, and the call.

``ScriptCalls`` is the engine's side of the ``redis`` table. Redis's order of checks (scriptCall) is a tuple of small
functions, as for requests; a script of a plain session on a calm node, whose flags forbid nothing, goes past them
(``free``), and the hottest commands to their twins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..commands.flags import Flags
from ..commands.session import Session
from ..commands.spec import Command
from ..errors import ReplyError
from ..keyspace.slots import key_slot
from ..resp.encoder import NULL2
from ..resp.replies import Simple
from ..scripting.convert import decoded
from ..scripting.functions import Library
from ..scripting.shebang import ScriptFlags
from .gates import IN_SCRIPTS

if TYPE_CHECKING:
    from .engine import Engine
    from .shortway import Shortcut

_DECLINED: Final = object()
_BULK, _INTEGER, _STATUS = b"$:+"

_UNKNOWN: Final = ReplyError("ERR Unknown Redis command called from script")
_MISCOUNTED: Final = ReplyError("ERR Wrong number of args calling Redis command from script")
_NOT_HERE: Final = ReplyError("ERR This Redis command is not allowed from script")
_READ_ONLY: Final = ReplyError("ERR Write commands are not allowed from read-only scripts.")
_FOREIGN: Final = ReplyError("ERR Script attempted to access a non local key in a cluster node")
_SCATTERED: Final = ReplyError("ERR Script attempted to access keys that do not hash to the same slot")
_STALE: Final = ReplyError("ERR Can not execute the command on a stale replica")
_DOWN: Final = ReplyError("ERR Script attempted to execute a command while the cluster is down")
_DOWN_READ_ONLY: Final = ReplyError(
    "ERR Script attempted to execute a write command while the cluster is down and readonly"
)


@dataclass(slots=True, eq=False)
class Running:
    """The script that is running now."""

    name: str  #: the sha, or the function
    words: list[bytes]  #: the request that runs it
    session: Session
    started: float  #: seconds of the stopwatch
    is_function: bool
    flags: ScriptFlags
    read_only: bool  #: EVAL_RO and its like, or the flag no-writes
    free: bool = False  #: no check could object to anything it calls
    wrote: bool = False
    slot: int | None = None  #: of its keys, in a cluster
    busy: bool = False  #: others are told that it takes long
    killed: bool = False
    library: Library | None = None  #: that it is loading


Check: TypeAlias = Callable[["Engine", Running, Command, list[bytes]], "ReplyError | None"]


def allowed_here(engine: Engine, run: Running, command: Command, words: list[bytes]) -> ReplyError | None:
    """Some commands make no sense in a script."""
    return _NOT_HERE if command.flags & Flags.NOSCRIPT else None


def read_only(engine: Engine, run: Running, command: Command, words: list[bytes]) -> ReplyError | None:
    """A script that promised not to write keeps its promise."""
    if run.read_only and command.flags & (Flags.WRITE | Flags.MAY_REPLICATE):
        return _READ_ONLY
    return None


def gated(engine: Engine, run: Running, command: Command, words: list[bytes]) -> ReplyError | None:
    """What writes meets the gates of requests inside of scripts too: the disk, the replicas."""
    if engine.calm or not command.is_write:
        return None
    for gate in IN_SCRIPTS:
        refusal = gate(engine, run.session, command, words)
        if isinstance(refusal, ReplyError):
            return refusal
    return None


def permitted(engine: Engine, run: Running, command: Command, words: list[bytes]) -> ReplyError | None:
    """The rights of the caller are those of the script."""
    user = run.session.user
    if user is None or user.unrestricted:
        return None
    refusal: ReplyError | None = engine.access.refuse(run.session, command, words, script=True)
    return refusal


def fresh_enough(engine: Engine, run: Running, command: Command, words: list[bytes]) -> ReplyError | None:
    """A script that was let in with stale data keeps to commands that may see it."""
    if command.flags & Flags.STALE or run.session.is_primary or not is_stale(engine):
        return None
    return _STALE


def is_stale(engine: Engine) -> bool:
    """Whether this is a replica that has lost its primary and may not tell old things."""
    return bool(engine.following and not engine.config.replica_serve_stale_data and engine.replication.stale)


def local(engine: Engine, run: Running, command: Command, words: list[bytes]) -> ReplyError | None:
    """In a cluster a script keeps to keys of this node, and unless it says otherwise to those of one slot."""
    if engine.cluster is None or run.session.is_primary or not command.keys:
        return None
    refusal = engine.route_keys(run.session, command, words)
    if refusal is not None:
        if refusal.code == "CLUSTERDOWN":
            return _DOWN_READ_ONLY if "read commands" in refusal.text else _DOWN
        return _FOREIGN
    if run.flags & (ScriptFlags.COMPATIBLE | ScriptFlags.ALLOW_CROSS_SLOT_KEYS):
        return None
    for position in command.key_positions(words):
        slot = key_slot(words[position])
        if run.slot is None:
            run.slot = slot
        elif run.slot != slot:
            return _SCATTERED
    return None


CHECKS: Final[tuple[Check, ...]] = (allowed_here, fresh_enough, permitted, read_only, gated, local)


class ScriptCalls:
    """What scripts call. ``running`` is None between scripts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.running: Running | None = None

    def call(self, words: list[bytes]) -> Any:
        """Run a command for the running script; its reply, a ReplyError instance for an error."""
        engine = self._engine
        run = self.running
        assert run is not None
        if run.free:
            shortcut = engine.short_way.shortcuts.get(words[0])
            if shortcut is not None and (shortcut.reads or not run.read_only):
                reply = self._shortcut(run, shortcut, words)
                if reply is not _DECLINED:
                    return reply
        command = engine.look_up(words)
        if command is None:
            return self._refused(None, _UNKNOWN)
        if not command.fewest <= len(words) <= command.most:
            return self._refused(command, _MISCOUNTED)
        for check in CHECKS:
            refusal = check(engine, run, command, words)
            if refusal is not None:
                return self._refused(command, refusal)
        if command.is_write:
            run.wrote = True
        return engine.call_inside(command, words)

    def _shortcut(self, run: Running, shortcut: Shortcut, words: list[bytes]) -> Any:
        """The reply of a tuned twin, taken apart; ``_DECLINED`` if it declines."""
        engine = self._engine
        db = engine.context.db
        dirty = db.dirty
        reply = shortcut.twin(db, words, NULL2)
        if reply is None:
            return _DECLINED
        shortcut.stats.calls += 1
        engine.stats.commands += 1
        if shortcut.reads:
            engine.stats.hits += 1
        if db.dirty != dirty:
            run.wrote = True
            engine.propagation.add(db, words)
        sign = reply[0]
        if sign == _BULK:
            return None if reply is NULL2 else reply[reply.index(b"\n") + 1 : -2]
        if sign == _INTEGER:
            return int(reply[1:-2])
        if sign == _STATUS:
            return Simple(reply[1:-2].decode())
        return decoded(reply)

    def may_call(self, words: list[bytes]) -> bool:
        """Whether the rights of the script's caller allow a command. Raises ReplyError for what is none."""
        run = self.running
        assert run is not None
        command = self._engine.look_up(words)
        if command is None:
            raise ReplyError("ERR Invalid command passed to redis.acl_check_cmd()")
        user = run.session.user
        return user is None or self._engine.access.refusal(user, command, words) is None

    def _refused(self, command: Command | None, refusal: ReplyError) -> ReplyError:
        """Count what is not run."""
        if command is not None:
            command.stats.rejected += 1
        self._engine.stats.error(refusal.code)
        return refusal
