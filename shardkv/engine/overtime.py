"""A script that runs too long: others are served in between, are told that the node is busy, and may end it.

The sandbox asks ``look`` every few milliseconds. Once the script has run for ``busy-reply-threshold``, each look lets
the rim serve whoever has sent something; the gates refuse all but the few commands that may end the script.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..errors import ReplyError

if TYPE_CHECKING:
    from .engine import Engine
    from .script_calls import Running, ScriptCalls

BUSY_EVAL: Final = ReplyError("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.")
BUSY_FUNCTION: Final = ReplyError(
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
)
_NOT_BUSY: Final = ReplyError("NOTBUSY No scripts in execution right now.")
_UNKILLABLE: Final = ReplyError(
    "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script "
    "termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
)
_FROM_PRIMARY: Final = ReplyError(
    "UNKILLABLE The busy script was sent by a master instance in the context of replication and cannot be killed."
)
_LOAD_TIMEOUT: Final = b"ERR FUNCTION LOAD timeout"
#: How long the code of a library may run when it is loaded.
LOAD_SECONDS: Final = 0.5


class Overtime:
    """Watches over the running script."""

    def __init__(self, engine: Engine, calls: ScriptCalls) -> None:
        self._engine = engine
        self._calls = calls
        self.refusal: ReplyError | None = None  #: what others are told while a script runs too long

    def look(self) -> bytes | None:
        """The script goes on (None), or ends with this error."""
        run = self._calls.running
        engine = self._engine
        if run is None:
            return None
        seconds = engine.stopwatch() - run.started
        if run.library is not None:
            return _LOAD_TIMEOUT if seconds > LOAD_SECONDS and not run.patient else None
        if self.refusal is None:
            threshold = engine.config.busy_reply_threshold
            if not threshold or seconds * 1000 < threshold:
                return None
            self._begin(run, seconds)
        self._serve_others()
        if run.killed:
            kind = "FUNCTION" if run.is_function else "SCRIPT"
            return f"ERR Script killed by user with {kind} KILL...".encode()
        return None

    def _begin(self, run: Running, seconds: float) -> None:
        self.refusal = BUSY_FUNCTION if run.is_function else BUSY_EVAL
        self._engine.refresh_calm()
        kind = "FUNCTION" if run.is_function else "SCRIPT"
        self._engine.world.log(
            "warning",
            f"Slow script detected: still in execution after {seconds * 1000:.0f} milliseconds. You can try killing "
            f"the script using the {kind} KILL command. Script name is: {run.name}.",
        )

    def end(self) -> None:
        """The script is over."""
        if self.refusal is not None:
            self.refusal = None
            self._engine.refresh_calm()

    def _serve_others(self) -> None:
        """Let the rim serve other clients; of all that they do nothing touches the script that waits."""
        engine = self._engine
        ctx = engine.context
        kept = (ctx.session, ctx.db, ctx.dirty, ctx.effects, ctx.inside, ctx.command, ctx.words, ctx.now)
        now, running = engine.now, engine.messages.running
        pending, engine.propagation.pending = engine.propagation.pending, []
        ready, engine.waiting.ready = engine.waiting.ready, {}
        try:
            engine.world.serve_others()
        finally:
            (ctx.session, ctx.db, ctx.dirty, ctx.effects, ctx.inside, ctx.command, ctx.words, ctx.now) = kept
            engine.propagation.pending = pending + engine.propagation.pending
            engine.waiting.ready = ready | engine.waiting.ready
            engine.begin(now)
            engine.messages.running = running

    def kill(self, *, function: bool) -> None:
        """SCRIPT KILL and FUNCTION KILL: end the script at its next look. Raises ReplyError if that can't be."""
        run = self._calls.running
        if run is None:
            raise _NOT_BUSY
        if run.session.is_primary:
            raise _FROM_PRIMARY
        if run.wrote:
            raise _UNKILLABLE
        if function is not run.is_function:
            raise BUSY_FUNCTION if run.is_function else BUSY_EVAL
        run.killed = True

    def abandon(self) -> None:
        """The node ends: whatever the script has done, it ends too."""
        if self._calls.running is not None:
            self._calls.running.killed = True
