"""A command inside a script: the checks that stand before it, and the call.

``ScriptCalls`` is the engine's side of the ``redis`` table. Redis's order of checks (scriptCall) is a tuple of small
functions, as for requests; a script of a plain session on a calm node, whose flags forbid nothing, goes past them
(``free``), and the hottest commands to their twins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from ..commands.flags import Flags
from ..commands.session import Session
from ..commands.spec import Command
from ..errors import ReplyError
from ..keyspace.slots import key_slot
from ..resp.encoder import INTEGER, NULL2
from ..resp.replies import Simple
from ..scripting.convert import decoded
from ..scripting.functions import Library
from ..scripting.port import Answered
from ..scripting.shebang import ScriptFlags
from ..values.damage import DamagedValue
from .gates import IN_SCRIPTS, OUT_OF_MEMORY
from .pausing import POSTPONED

if TYPE_CHECKING:
    from ..commands.context import Context
    from .engine import Engine
    from .shortway import Shortcut

_BULK, _INTEGER, _STATUS = b"$:+"
_INTEGERS: Final = {reply: value for value, reply in enumerate(INTEGER)}
_NONE: Final[dict[bytes, Any]] = {}


class Urged(Protocol):
    """An interpreter that is told that its script has taken long."""

    def urge(self) -> None:
        """Look at the clock at once."""


_NOT_NOW: Final = ReplyError("ERR Commands can only be called while a script is running")

_UNKNOWN: Final = ReplyError("ERR Unknown Redis command called from script")
_MISCOUNTED: Final = ReplyError("ERR Wrong number of args calling Redis command from script")
_NOT_HERE: Final = ReplyError("ERR This Redis command is not allowed from script")
_READ_ONLY: Final = ReplyError("ERR Write commands are not allowed from read-only scripts.")
_FOREIGN: Final = ReplyError("ERR Script attempted to access a non local key in a cluster node")
_ON_ITS_WAY: Final = ReplyError("TRYAGAIN Script attempted to write a key that is on its way to another node")
_SCATTERED: Final = ReplyError("ERR Script attempted to access keys that do not hash to the same slot")
_STALE: Final = ReplyError("ERR Can not execute the command on a stale replica")
_DOWN: Final = ReplyError("ERR Script attempted to execute a command while the cluster is down")
_DOWN_READ_ONLY: Final = ReplyError(
    "ERR Script attempted to execute a write command while the cluster is down and readonly"
)


class Running:
    """The script that is running now. There is one for each call, so what is rarely said is said on the class."""

    free = False  #: no check could object to anything it calls
    wrote = False
    slot: int | None = None  #: of its keys, in a cluster
    starved = False  #: memory was out when it began, and it did not say that it would take more all the same
    killed = False
    library: Library | None = None  #: that it is loading
    patient = False  #: however long that takes

    def __init__(
        self, name: str, words: list[bytes], session: Session, started: float, flags: ScriptFlags, read_only: bool
    ) -> None:
        self.name = name  #: the sha, or the function
        self.words = words  #: the request that runs it
        self.session = session
        self.started = started  #: seconds of the stopwatch
        self.flags = flags
        self.read_only = read_only  #: EVAL_RO and its like, or the flag no-writes

    is_function = False


class RunningFunction(Running):
    """The same for a function, or for the library that is loading."""

    is_function = True


Check: TypeAlias = Callable[["Engine", Running, Command, list[bytes]], "ReplyError | None"]


def allowed_here(engine: Engine, run: Running, command: Command, words: list[bytes]) -> ReplyError | None:
    """Some commands make no sense in a script."""
    return _NOT_HERE if command.flags & Flags.NOSCRIPT and not engine.scripts.everything_allowed else None


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


def affordable(engine: Engine, run: Running, command: Command, words: list[bytes]) -> ReplyError | None:
    """A script that began when memory was out may not take more, unless it said that it would. One that has written
    cannot be stopped halfway."""
    if not run.starved or run.wrote or not command.flags & Flags.DENYOOM:
        return None
    return OUT_OF_MEMORY


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
    """In a cluster a script keeps to keys of this node, and unless it says otherwise to those of one slot. What is on
    its way to another node it may not write: a write would be lost, and a script cannot wait."""
    if not engine.routing or run.session.is_primary or not command.keys:
        return None
    refusal = engine.routes.refusal(run.session, command, words)
    if refusal is POSTPONED:
        return _ON_ITS_WAY
    if refusal is not None:
        if refusal.text.startswith("CLUSTERDOWN The cluster is down"):
            return _DOWN_READ_ONLY if "read commands" in refusal.text else _DOWN
        return _FOREIGN
    if engine.cluster is None or run.flags & (ScriptFlags.COMPATIBLE | ScriptFlags.ALLOW_CROSS_SLOT_KEYS):
        return None
    for position in command.key_positions(words):
        slot = key_slot(words[position])
        if run.slot is None:
            run.slot = slot
        elif run.slot != slot:
            return _SCATTERED
    return None


#: The checks that even a script of a plain session on a calm node meets.
ALWAYS: Final[tuple[Check, ...]] = (allowed_here, read_only)
CHECKS: Final[tuple[Check, ...]] = (allowed_here, fresh_enough, permitted, read_only, gated, affordable, local)


class ScriptCalls:
    """What scripts call. ``running`` is None between scripts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._context: Context = engine.context
        self._propagation = engine.propagation
        self._last: Shortcut | None = None
        self._count = 0
        self._usable: dict[bytes, Shortcut] = {}
        self.running: Running | None = None
        self.urged: Urged | None = None  #: the interpreter that is running
        self.last_refusal: ReplyError | None = None  #: what was not run, and why

    def begin(self, run: Running, urged: Urged) -> None:
        """A script begins to run."""
        self.running = run
        self.urged = urged
        if run.free and not run.read_only:
            self._usable = self._engine.short_way.shortcuts

    def speak(self, resp3: bool) -> None:
        """The protocol in which the script is answered; twins speak RESP2."""
        run = self.running
        usable = run is not None and run.free and not run.read_only and not resp3
        self._usable = self._engine.short_way.shortcuts if usable else _NONE

    def end(self) -> None:
        """It is over."""
        self.running = None
        self._usable = _NONE
        if self._last is not None:
            self._book(None)

    def quickened(self, slow: Callable[..., Any], can_hold: Callable[[int], bool]) -> Callable[..., Any]:
        """``slow`` with a short way before it: a command by its tuned twin, where no check could object.

        The short way knows bytes, integers and null; what else a twin answers is an ``OK``, or an array of bytes, and
        is handed to ``slow`` in the form of ``Answered``. It takes half a microsecond, of which each line is a part.
        """
        context = self._context
        sinks, propagation = self._propagation.sinks, self._propagation

        def quick(*words: Any) -> Any:
            try:
                shortcut = self._usable[words[0]]
            except LookupError:
                return slow(*words)
            if len(words) > 2:
                for word in words:
                    if type(word) is not bytes:
                        return slow(*words)
            db = context.db
            dirty = db.dirty
            try:
                request = list(words)
                reply = shortcut.twin(db, request, NULL2)
            except (TypeError, DamagedValue):
                return slow(*words)  # it has the words for a key that is no string, or a value that is none
            if reply is None:
                return slow(*words)
            if shortcut is self._last:
                self._count += 1
            else:
                self._book(shortcut)
            if db.dirty != dirty:
                self.running.wrote = True  # type: ignore[union-attr]  # it runs, else nothing would be usable
                if sinks:
                    propagation.add(db, request)
            sign = reply[0]
            if sign == _INTEGER:
                small = _INTEGERS.get(reply)
                return int(reply[1:-2]) if small is None else small
            if sign == _BULK and reply is not NULL2 and can_hold(len(reply)):
                return reply[reply.index(b"\n") + 1 : -2]
            return slow(Answered(reply))

        return quick

    def _book(self, shortcut: Shortcut | None) -> None:
        """Count the calls of the last twin; another one is next."""
        last, engine = self._last, self._engine
        if last is not None:
            last.stats.calls += self._count
            engine.stats.commands += self._count
            if last.reads:
                engine.stats.hits += self._count
        self._last = shortcut
        self._count = 1

    def _mind_the_time(self) -> None:
        """Commands run outside of Lua, where no hook counts."""
        run, engine = self.running, self._engine
        threshold = engine.config.busy_reply_threshold
        if run is not None and threshold and (engine.stopwatch() - run.started) * 1000 > threshold:
            assert self.urged is not None
            self.urged.urge()

    def answer(self, reply: bytes) -> Any:
        """The reply of a twin as a plain value."""
        sign = reply[0]
        if sign == _BULK:
            return None if reply == NULL2 else reply[reply.index(b"\n") + 1 : -2]
        if sign == _STATUS:
            return Simple(reply[1:-2].decode())
        self._mind_the_time()
        return decoded(reply)

    def call(self, words: list[bytes]) -> Any:
        """Run a command for the running script; its reply, a ReplyError instance for an error."""
        engine = self._engine
        run = self.running
        if run is None:
            return _NOT_NOW
        command = engine.look_up(words)
        if command is None:
            return self._refused(None, _UNKNOWN)
        if not command.fewest <= len(words) <= command.most:
            return self._refused(command, _MISCOUNTED)
        for check in ALWAYS if run.free else CHECKS:
            refusal = check(engine, run, command, words)
            if refusal is not None:
                return self._refused(command, refusal)
        if command.is_write:
            run.wrote = True
        reply = engine.call_inside(command, words)
        self._mind_the_time()
        return reply

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
        self.last_refusal = refusal
        if command is not None:
            command.stats.rejected += 1
        self._engine.stats.error(refusal.code)
        return refusal
