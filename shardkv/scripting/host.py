"""A Lua interpreter and the sandbox in it: compiles scripts and runs them, whatever they do.

``sandbox.lua`` (with ``patterns.lua``) is what scripts live in; this module owns the interpreter, gives it what it
needs, and takes results out again. Three dangers are held here rather than in Lua:

- Memory is counted by the interpreter's allocator and ends at ``lua-memory-limit``. A failed allocation is an error
  inside of Lua's protected calls, and the end of the process outside of them; so nothing is pushed into Lua unless
  there is room (``has_room``), and ``REFERENCES`` slots of Lua's registry are made beforehand, for a table that is
  passed to a Python function takes one.
- No Python object reaches a script, but if one did, all its attributes are refused.
- What a script leaves behind is garbage when it ends, and is collected when it is much.
"""

from __future__ import annotations

from typing import Any, Final

from lupa.lua51 import LuaError, LuaRuntime

from ..errors import ReplyError
from .api import CONSTANTS, EVAL_ONLY, NAMES, Api
from .debugger import Debugger
from .failure import ScriptError
from .libraries import install
from .port import ScriptPort
from .sources import source

#: Left free for what Lua and its border need between two checks.
RESERVE: Final = 256 * 1024
#: More words of one call come in portions of this many (Lua's C stack holds 8000).
PORTION: Final = 200
#: One call of Lua into Python has fewer arguments than this.
REFERENCES: Final = 8192
#: Garbage under this is left to Lua's own collector.
COLLECT_ABOVE: Final = 16 * 1024 * 1024
#: Places of the stack that nested tables in a reply may take (Lua's C stack, less what one more value needs).
DEPTH_MAX: Final = 7996

_INT64: Final = 2**63
_CHUNK: Final = b"=sandbox"


def do_nothing() -> None:
    """In place of ``Sandbox.urge``."""


def no_attributes(obj: object, name: object, is_setting: bool) -> object:
    """The filter of attributes that Lua may see of Python objects: none."""
    raise AttributeError("not from Lua")


class Sandbox:
    """One interpreter. ``functions``: it is the one of libraries, else that of EVAL. ``limit``: bytes, 0 for none."""

    def __init__(self, port: ScriptPort, *, functions: bool, limit: int, versions: dict[bytes, bytes | int]) -> None:
        self._lua = LuaRuntime(
            encoding=None,
            attribute_filter=no_attributes,
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            max_memory=0,
        )
        self._used = self._lua.get_memory_used
        self.limit = 0  #: as it was set
        self._limit = 0  #: as it is enforced
        self._collect_above = COLLECT_ABOVE
        self.api = Api(port, self._lua.table_from, self, self._lua.get_memory_used)
        self._as_function = functions
        names = [name for name in NAMES if not (functions and name in EVAL_ONLY)]
        options = self._lua.table_from(
            {
                b"depth": DEPTH_MAX,
                b"functions": functions,
                b"constants": self._lua.table_from(CONSTANTS | versions),
                b"api": self._lua.table_from(names),
                b"patterns": self._load("patterns.lua"),
                b"libraries": install(self._lua, self.api.no_memory),
            }
        )
        parts = self._load("sandbox.lua")(self._lua.table_from(self.api.functions()), self.api.raised, options)
        self._compile, self._run, self._feed, self._load_library, self._urge, self._attach = parts
        self._prepare_references()
        self._lua.gccollect()
        self.set_limit(limit)

    def _load(self, name: str) -> Any:
        return self._lua.compile(source(name), name=_CHUNK)

    def _prepare_references(self) -> None:
        """Make the slots that tables and functions take while Python holds them, and give them back."""
        held = [self._lua.table_from([]) for _ in range(REFERENCES)]
        held.clear()

    def attach(self, debugger: Debugger) -> None:
        """From now on this interpreter belongs to a debugging session."""
        self._attach(self._load("debugger.lua"), self._lua.table_from(debugger.functions()))
        self.urge = do_nothing  # type: ignore[method-assign]  # nobody else waits, and the hook is the debugger's

    # ---- memory

    def set_limit(self, limit: int) -> None:
        """``lua-memory-limit``: bytes beside the interpreter's own, 0 for no limit."""
        self.limit = limit
        self._limit = max(limit, 4 * RESERVE) if limit else 0
        self._lua.set_max_memory(self._limit)
        self.api.ceiling = self._limit - RESERVE if self._limit else 1 << 62

    @property
    def memory(self) -> int:
        """Bytes that the interpreter holds."""
        return self._lua.get_memory_used(total=True) or 0

    def has_room(self, size: int) -> bool:
        """Whether so many bytes can be given to Lua. Collects garbage before it says no."""
        limit = self._limit
        if not limit or self._lua.get_memory_used() + size + RESERVE <= limit:
            return True
        self._lua.gccollect()
        return bool(self._lua.get_memory_used() + size + RESERVE <= limit)

    def collect(self) -> None:
        """What was compiled and is held by nobody any more goes."""
        self._lua.gccollect()
        self._collect_above = max(COLLECT_ABOVE, 2 * self._lua.get_memory_used())

    def _tidy(self) -> None:
        """Between two scripts: collect when there is much to collect."""
        if self._lua.get_memory_used() > self._collect_above:
            self.collect()

    # ---- code

    def compile(self, code: bytes, name: bytes, complaint: str) -> Any:
        """A function of a text. ``name``: what errors call it, with Lua's mark in front. Raises ReplyError:
        the complaint and Lua's message."""
        if not self.has_room(20 * len(code)):
            raise ReplyError("ERR not enough memory to compile the script")
        try:
            result = self._compile(code, name)
        except LuaError as error:
            self._lua.gccollect()
            raise ReplyError(f"{complaint}{error}") from None
        if isinstance(result, tuple):
            raise ReplyError(complaint + result[1].decode("utf-8", "surrogateescape"))
        return result

    def load_library(self, function: Any) -> None:
        """Run a library's code. Raises ReplyError with what it has raised."""
        try:
            message = self._load_library(function)
        except LuaError as error:
            message = str(error).encode("utf-8", "surrogateescape")
        if message is not None:
            self._tidy()
            raise ReplyError("ERR Error registering functions: " + message.decode("utf-8", "surrogateescape"))

    def run(self, function: Any, name: str, words: list[bytes], keys: int, resp3: bool) -> Any:
        """Run a function with keys and arguments; its reply.

        Plain values come as they are (bytes, int, None), tables as ``(True, bytes of the reply, codes)``: those of the
        errors in it, with spaces between them, empty for an error that is counted already; None if there are no
        errors. What ends a script is a ``ScriptError`` that is returned. ``resp3``: what the client speaks.
        """
        self.api.resp3 = False
        self._lua.set_max_memory(self._limit)  # a library may have lent the last script some of the reserve
        count = len(words)
        size = 2 * sum(map(len, words)) + 64 * count
        if self._used() + size > self.api.ceiling and not self.has_room(size):
            return ScriptError("ERR not enough memory for the keys and arguments of the script")
        try:
            if count > PORTION:
                words = self._feed_portions(words, keys)
                keys = count = 0
            result = self._run(function, self._as_function, resp3, keys, count, *words)
        except LuaError as error:
            self._lua.gccollect()
            return ScriptError(f"ERR {error}")
        kind = type(result)
        if kind is bytes or kind is int or result is None:
            return result
        self._tidy()
        if kind is float:
            return truncated(result)
        if result[1] is not None:
            return result
        return _failure(name, result[2:])

    def urge(self) -> None:
        """The running script has taken long in something that no hook sees: it looks at the clock at once.

        As a chunk, for that runs on the coroutine that is running now, and hooks belong to coroutines.
        """
        self._lua.execute(b"local urge = ... urge()", self._urge)

    def _feed_portions(self, words: list[bytes], keys: int) -> list[bytes]:
        """Many words go in beforehand."""
        for into_keys, portion in ((True, words[:keys]), (False, words[keys:])):
            for at in range(0, len(portion), PORTION):
                self._feed(into_keys, *portion[at : at + PORTION])
        return []


def truncated(number: float) -> int:
    """A number as an integer reply: cut towards zero; what has no place in 64 bits is the smallest."""
    return int(number) if -_INT64 <= number < _INT64 else -_INT64


def _failure(name: str, facts: tuple[Any, ...]) -> ScriptError:
    """What has ended a script, with the place where it did."""
    text, source, line, counted = (*facts, None, None, None, None)[:4]
    shown = text.decode("utf-8", "surrogateescape")
    if isinstance(source, bytes) and isinstance(line, bytes):
        shown += f" script: {name}, on {source.decode('utf-8', 'surrogateescape')}:{line.decode()}."
    return ScriptError(shown, counted=bool(counted))
