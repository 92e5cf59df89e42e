"""EVAL under the debugger.

The script runs in an interpreter of its own, made for the session, whose ``redis.call`` tells what it does. With SCRIPT
DEBUG YES the rim forks for it: the child has this client and a copy of all data, which goes with it; with SYNC the node
stands still for as long as the session lasts, and what the script changes stays.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ..errors import ReplyError
from ..resp.encoder import encode
from ..resp.replies import NO_REPLY, Encoded
from ..scripting.debugger import Conversation, Debugger
from ..scripting.host import Sandbox
from ..scripting.port import ScriptPort

if TYPE_CHECKING:
    from ..commands.context import Context
    from .engine import Engine
    from .script_calls import ScriptCalls
    from .scripts import Scripts

#: Seconds after which a script is stopped even if ``busy-reply-threshold`` is 0, which means never.
PATIENCE: Final = 5.0


class ScriptDebugging:
    """The debugging sessions of one engine."""

    def __init__(self, engine: Engine, scripts: Scripts, calls: ScriptCalls) -> None:
        self._engine, self._scripts, self._calls = engine, scripts, calls

    def eval(self, ctx: Context, words: list[bytes], *, read_only: bool) -> Any:
        """EVAL; nothing is replied where it goes on in a child. Raises ReplyError if no session can begin."""
        if ctx.inside:
            raise ReplyError("ERR A script cannot be debugged inside of a transaction")
        session = ctx.session
        work = partial(self._session, ctx, words, read_only)
        try:
            reply = self._engine.world.debug_script(session, work, forked=session.script_debug == "YES")
        except OSError as error:
            session.script_debug = ""
            raise ReplyError(f"ERR Fork() failed: can't run EVAL in debugging mode: {error.strerror}") from None
        # That the connection ends tells the client that the session has.
        session.close_after_reply = True
        return NO_REPLY if reply is None else Encoded(reply)

    def _session(self, ctx: Context, words: list[bytes], read_only: bool, talk: Conversation) -> bytes:
        """The whole of it; the bytes of EVAL's reply."""
        engine = self._engine
        patience = engine.config.busy_reply_threshold / 1000 or PATIENCE
        debugger = Debugger(words[1], talk, engine.stopwatch, patience)
        port = _DebuggedPort(self._scripts, self._calls, debugger)
        debugger.call = port.call
        limit = engine.config.lua_memory_limit
        sandbox = Sandbox(port, functions=False, limit=limit, versions=self._scripts.versions)
        sandbox.attach(debugger)
        reply: Any
        try:
            reply = self._scripts.run_alone(ctx, words, sandbox, read_only=read_only)
        except ReplyError as error:
            reply = error
        debugger.end()
        return encode(reply, ctx.session.resp3)


class _DebuggedPort:
    """The engine as a script under the debugger sees it: all is told, and nothing is in a hurry."""

    def __init__(self, port: ScriptPort, calls: ScriptCalls, debugger: Debugger) -> None:
        self._port, self._calls, self._debugger = port, calls, debugger
        self._resp3 = False
        self.answer = port.answer
        self.may_call = port.may_call
        self.log = port.log
        self.set_audience = port.set_audience
        self.register = port.register

    def quickened(self, slow: Callable[..., Any], can_hold: Callable[[int], bool]) -> Callable[..., Any]:
        """There is no short way past the debugger."""
        return slow

    def speak(self, resp3: bool) -> None:
        """The script has chosen a protocol."""
        self._resp3 = resp3
        self._port.speak(resp3)

    def call(self, words: list[bytes]) -> Any:
        """Run a command, and tell of it."""
        self._debugger.called(words)
        reply = self._port.call(words)
        refused = isinstance(reply, ReplyError) and reply is self._calls.last_refusal
        self._debugger.answered(reply, self._resp3, refused=refused)
        return reply

    def look(self) -> bytes | None:
        """The debugger has a clock of its own, and nobody else is served meanwhile."""
        return None
