"""Scripts and functions of one engine: EVAL and its kin, FCALL, SCRIPT, FUNCTION.

There are two interpreters, as in Redis, each made when it is first used: one of EVAL's scripts, and one of libraries.
Scripts leave nothing behind in them, so SCRIPT FLUSH and FUNCTION FLUSH only have to drop what was compiled. What a
script changes is propagated as what it did, never as the script.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..commands.session import Session
from ..commands.versions import REDIS_VERSION
from ..errors import NotAnInteger, ReplyError
from ..keyspace.slots import key_slot
from ..resp.numbers import parse_int
from ..resp.replies import Encoded
from ..scripting.cache import Script, ScriptCache, sha_of
from ..scripting.functions import Function, Library, Registry
from ..scripting.host import Sandbox
from ..scripting.shebang import ScriptFlags, checked_name, library_name, named_flags, script_flags
from .overtime import Overtime
from .propagation import EVERYBODY
from .script_calls import Running, RunningFunction, ScriptCalls, is_stale
from .script_debugging import ScriptDebugging

if TYPE_CHECKING:
    from ..commands.context import Context
    from ..commands.spec import Command
    from .engine import Engine

_NO_SCRIPT: Final = ReplyError("NOSCRIPT No matching script. Please use EVAL.")
_MASTER_DOWN: Final = ReplyError("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.")
_OUT_OF_MEMORY: Final = ReplyError(
    "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'"
)
_UNCOMPILED: Final = "ERR Error compiling script (new function): "
_LEVELS: Final = ("debug", "verbose", "notice", "warning")
_SHA_LENGTH: Final = 40
_FEW: Final = {b"%d" % count: count for count in range(10)}


class Scripts:
    """Implements ``shardkv.commands.ports.ScriptsPort`` and ``shardkv.scripting.port.ScriptPort``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._calls = ScriptCalls(engine)
        self.overtime = Overtime(engine, self._calls)
        self.call = self._calls.call
        self.quickened = self._calls.quickened
        self.answer = self._calls.answer
        self.speak = self._calls.speak
        self.may_call = self._calls.may_call
        self.look = self.overtime.look
        self.debugging = ScriptDebugging(engine, self, self._calls)
        self.cache = ScriptCache()
        self.registry = Registry()
        self.everything_allowed = False  #: also what makes no sense in a script (DEBUG SET-DISABLE-DENY-SCRIPTS)
        self._for_eval: Sandbox | None = None
        self._for_functions: Sandbox | None = None

    @property
    def versions(self) -> dict[bytes, bytes | int]:
        """What scripts see of this node's version."""
        major, minor, patch = (int(part) for part in REDIS_VERSION.split("."))
        return {
            b"REDIS_VERSION": REDIS_VERSION.encode(),
            b"REDIS_VERSION_NUM": major << 16 | minor << 8 | patch,
        }

    @property
    def running(self) -> Running | None:
        """The script that is running now."""
        return self._calls.running

    def running_seconds(self) -> float:
        """For how long it has been running."""
        return 0.0 if self.running is None else self._engine.stopwatch() - self.running.started

    def _sandbox(self, *, functions: bool) -> Sandbox:
        limit = self._engine.config.lua_memory_limit
        return Sandbox(self, functions=functions, limit=limit, versions=self.versions)

    @property
    def _evaluating(self) -> Sandbox:
        if self._for_eval is None:
            self._for_eval = self._sandbox(functions=False)
        return self._for_eval

    @property
    def _functional(self) -> Sandbox:
        if self._for_functions is None:
            self._for_functions = self._sandbox(functions=True)
        return self._for_functions

    # ---- what a running script asks for

    def log(self, level: int, text: bytes) -> None:
        """redis.log."""
        self._engine.world.log(_LEVELS[level], text.decode("utf-8", "surrogateescape"))

    def set_audience(self, flags: int) -> None:
        """redis.set_repl."""
        self._engine.propagation.audience = flags

    def register(self, name: bytes, callback: Any, description: bytes | None, flags: list[bytes]) -> None:
        """redis.register_function."""
        run = self.running
        if run is None or run.library is None:
            raise ReplyError("ERR redis.register_function can only be called on FUNCTION LOAD command")
        checked_name(name.decode("utf-8", "surrogateescape"))
        try:
            named = named_flags(flags, "")
        except ReplyError:
            raise ReplyError("ERR unknown flag given") from None
        run.library.offer(Function(name, callback, description, named))

    # ---- EVAL

    def eval(self, ctx: Context, words: list[bytes], *, read_only: bool) -> Any:
        """EVAL and EVAL_RO."""
        if ctx.session.script_debug:
            return self.debugging.eval(ctx, words, read_only=read_only)
        keys = _key_count(words)
        script = self.cache.by_body(words[1])
        if script is None:
            script = self._add(words[1], kept=False)
        return self._run_script(ctx, script, words, keys, read_only)

    def eval_sha(self, ctx: Context, words: list[bytes], *, read_only: bool) -> Any:
        """EVALSHA and EVALSHA_RO."""
        if len(words[1]) != _SHA_LENGTH:
            raise _NO_SCRIPT
        if ctx.session.script_debug:
            raise ReplyError("ERR Please use EVAL instead of EVALSHA for debugging")
        keys = _key_count(words)
        script = self.cache.by_sha(words[1])
        if script is None:
            raise _NO_SCRIPT
        return self._run_script(ctx, script, words, keys, read_only)

    def _add(self, body: bytes, *, kept: bool) -> Script:
        """Compile a script that is not known yet. Raises ReplyError."""
        flags, code = script_flags(body)
        function = self._evaluating.compile(code, b"@user_script", _UNCOMPILED)
        script = Script(sha_of(body), body, flags, function, kept)
        self.cache.add(script)
        return script

    def _run_script(self, ctx: Context, script: Script, words: list[bytes], keys: int, read_only: bool) -> Any:
        run = Running(script.name, words, ctx.session, self._engine.stopwatch(), script.flags, read_only)
        if not script.compatible or self._engine.following:
            self._prepare(run)
        return self._run(ctx, run, self._for_eval or self._evaluating, script.function, keys)

    def run_alone(self, ctx: Context, words: list[bytes], sandbox: Sandbox, *, read_only: bool) -> Any:
        """The script in a request in an interpreter of its own; nothing is kept of it."""
        keys = _key_count(words)
        flags, code = script_flags(words[1])
        function = sandbox.compile(code, b"@user_script", _UNCOMPILED)
        run = Running(sha_of(words[1]).decode(), words, ctx.session, self._engine.stopwatch(), flags, read_only)
        self._prepare(run)
        return self._run(ctx, run, sandbox, function, keys)

    def load(self, body: bytes) -> bytes:
        """SCRIPT LOAD; the name. Raises ReplyError."""
        script = self.cache.by_body(body)
        if script is None:
            script = self._add(body, kept=True)
        else:
            self.cache.keep(script)
        return script.sha

    def knows(self, sha: bytes) -> bool:
        """SCRIPT EXISTS."""
        return self.cache.by_sha(sha) is not None

    def body(self, sha: bytes) -> bytes:
        """SCRIPT SHOW. Raises ReplyError."""
        script = self.cache.by_sha(sha)
        if script is None:
            raise _NO_SCRIPT
        return script.body

    def flush_scripts(self) -> None:
        """SCRIPT FLUSH: the scripts go, and what was compiled of them."""
        self.cache.clear()
        if self._for_eval is not None:
            self._for_eval.collect()

    def takes_memory(self, command: Command, words: list[bytes]) -> bool:
        """Whether the script or function that a request names is one that says what it does, and may take memory."""
        flags = self._declared(command, words)
        return not flags & (ScriptFlags.COMPATIBLE | ScriptFlags.NO_WRITES | ScriptFlags.ALLOW_OOM)

    def writes(self, command: Command, words: list[bytes]) -> bool:
        """Whether the script or function that a request names is one that says what it does, and may write."""
        return not self._declared(command, words) & (ScriptFlags.COMPATIBLE | ScriptFlags.NO_WRITES)

    def forgoes_writes(self, command: Command, words: list[bytes]) -> bool:
        """Whether the script or function that a request names is one that says that it writes nothing."""
        return bool(self._declared(command, words) & ScriptFlags.NO_WRITES)

    def _declared(self, command: Command, words: list[bytes]) -> ScriptFlags:
        """What the script or function that a request names says of itself; ``COMPATIBLE`` if it says nothing."""
        if command.name.startswith("fcall"):
            function = self.registry.functions.get(words[1].lower())
            return ScriptFlags.COMPATIBLE if function is None else function.flags
        by_name = command.name.startswith("evalsha")
        script = self.cache.by_sha(words[1]) if by_name else self.cache.by_body(words[1])
        if script is not None:
            return script.flags
        try:
            return script_flags(b"" if by_name else words[1])[0]
        except ReplyError:
            return ScriptFlags.COMPATIBLE  # it is told what is wrong with its first line

    # ---- running

    def _run(self, ctx: Context, run: Running, sandbox: Sandbox, function: Any, keys: int) -> Any:
        """Run a script or function; its reply. Raises ReplyError for what it may not even begin with."""
        engine = self._engine
        session, db = ctx.session, ctx.db
        if engine.cluster is not None and keys:
            run.slot = key_slot(run.words[3])
        if sandbox.limit != engine.config.lua_memory_limit:
            sandbox.set_limit(engine.config.lua_memory_limit)
        run.free = session.plain and engine.calm and not engine.routing
        run.starved = engine.memory.starved and not session.is_primary and not run.flags & ScriptFlags.ALLOW_OOM
        ctx.effects = []
        self._calls.begin(run, sandbox)
        try:
            reply = sandbox.run(function, run.name, run.words[3:], keys, session.resp3)
        finally:
            self._calls.end()
            if self.overtime.refusal is not None:
                self.overtime.end()
            engine.propagation.audience = EVERYBODY
            if ctx.db is not db:
                ctx.db = session.db = db  # SELECT was the script's own
        if type(reply) is tuple:
            _, data, codes = reply
            if codes is not None:
                self._count_errors(ctx.command, codes.decode("utf-8", "surrogateescape"))
            return Encoded(data)
        return reply

    def _count_errors(self, command: Command, codes: str) -> None:
        """A script has ended well, and answers with errors."""
        command.stats.failed += 1
        for code in codes.split(" "):
            if code:
                self._engine.stats.error(code)

    def _prepare(self, run: Running) -> None:
        """What is asked before a script begins, by its flags. Raises ReplyError."""
        flags, engine = run.flags, self._engine
        if is_stale(engine) and not run.session.is_primary and not flags & ScriptFlags.ALLOW_STALE:
            raise _MASTER_DOWN
        if flags & ScriptFlags.COMPATIBLE:
            return
        if flags & ScriptFlags.NO_CLUSTER and engine.cluster is not None:
            raise ReplyError("ERR Can not run script on cluster, 'no-cluster' flag is set.")
        if flags & ScriptFlags.NO_WRITES:
            run.read_only = True
            return
        if not run.session.is_primary:
            self._refuse_writes()
        if run.read_only:
            raise ReplyError("ERR Can not execute a script with write flag using *_ro command.")
        if engine.memory.starved and not run.session.is_primary and not flags & ScriptFlags.ALLOW_OOM:
            raise _OUT_OF_MEMORY

    def _refuse_writes(self) -> None:
        """A script that may write is refused where a write would be. Raises ReplyError."""
        engine = self._engine
        if engine.disk_fault is not None:
            raise ReplyError(engine.disk_fault)
        if not (engine.replication.enough or engine.following):
            raise ReplyError("NOREPLICAS Not enough good replicas to write.")
        if engine.following and engine.config.replica_read_only:
            raise ReplyError("READONLY You can't write against a read only replica.")

    # ---- functions

    def call_function(self, ctx: Context, words: list[bytes], *, read_only: bool) -> Any:
        """FCALL and FCALL_RO."""
        function = self.registry.functions.get(words[1].lower())
        if function is None:
            raise ReplyError("ERR Function not found")
        try:
            keys = parse_int(words[2])
        except NotAnInteger:
            raise ReplyError("ERR Bad number of keys provided") from None
        _check_keys(keys, words)
        name = function.name.decode("utf-8", "surrogateescape")
        run = RunningFunction(name, words, ctx.session, self._engine.stopwatch(), function.flags, read_only)
        self._prepare(run)
        return self._run(ctx, run, self._functional, function.callback, keys)

    def load_library(
        self, code: bytes, *, replace: bool, registry: Registry | None = None, patient: bool = False
    ) -> bytes:
        """FUNCTION LOAD; the library's name. Raises ReplyError, and then nothing is changed. ``registry``: into this
        one instead. ``patient``: however long its code runs."""
        name, text = library_name(code)
        target = self.registry if registry is None else registry
        if not replace and name.encode() in target.libraries:
            shown = f"'{name}'" if registry is None else name  # Redis has a text of its own for FUNCTION RESTORE
            raise ReplyError(f"ERR Library {shown} already exists")
        library = Library(name.encode(), code)
        sandbox = self._functional
        function = sandbox.compile(text, b"@user_function", "ERR Error compiling function: ")
        engine = self._engine
        session: Session = engine.context.session
        run = RunningFunction(name, [], session, engine.stopwatch(), ScriptFlags.NONE, read_only=True)
        run.library = library
        run.patient = patient
        self._calls.begin(run, sandbox)
        try:
            sandbox.load_library(function)
        finally:
            self._calls.end()
        if not library.functions:
            raise ReplyError("ERR No functions registered")
        target.add(library, replace=replace)
        return library.name

    def flush_functions(self) -> None:
        """FUNCTION FLUSH: the libraries go, and what was compiled of them."""
        self.registry.clear()
        if self._for_functions is not None:
            self._for_functions.collect()

    def library_codes(self) -> list[bytes]:
        """The sources of all libraries, for snapshots and FUNCTION DUMP."""
        return [library.code for library in self.registry.libraries.values()]

    def restore_libraries(self, codes: list[bytes], *, flush: bool, replace: bool, patient: bool = False) -> None:
        """Load several libraries, all or none: in place of all there are (``flush``), of those with their names
        (``replace``), or beside them. Raises ReplyError."""
        planned = Registry() if flush else self.registry.copy()
        for code in codes:
            self.load_library(code, replace=replace, registry=planned, patient=patient)
        self.registry = planned

    # ---- what INFO tells

    @property
    def eval_memory(self) -> int:
        """Bytes of EVAL's interpreter."""
        return 0 if self._for_eval is None else self._for_eval.memory

    @property
    def function_memory(self) -> int:
        """Bytes of the libraries' interpreter."""
        return 0 if self._for_functions is None else self._for_functions.memory


def _key_count(words: list[bytes]) -> int:
    """The number of keys in a request. Raises ReplyError."""
    keys = _FEW.get(words[2])
    if keys is None:
        keys = parse_int(words[2])
    if not 0 <= keys <= len(words) - 3:
        _check_keys(keys, words)
    return keys


def _check_keys(keys: int, words: list[bytes]) -> None:
    if keys > len(words) - 3:
        raise ReplyError("ERR Number of keys can't be greater than number of args")
    if keys < 0:
        raise ReplyError("ERR Number of keys can't be negative")
