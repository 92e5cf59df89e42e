"""How a function written in Python looks to Lua like one written in C.

lupa calls Python well, but three things that come with it no script may ever see:

- An exception arrives in Lua as a Python object. So none is raised there: the error is *armed*, the Python function
  returns, and a hook on returns raises it as a plain Lua value out of the frame of that very function, as
  ``luaL_error`` does. Message, position and the function's name are those of C, even behind ``return f(x)``, where a
  wrapper written in Lua would have lost its caller's frame to the tail call. It costs nothing until there is an error.
- Lua answers an allocation beyond its limit with a ``longjmp``. One that leaps over frames of Python leaves the
  interpreter's lock taken, and the process hangs. So there must be room before anything is handed to Lua:
  every call proves a reserve, and what may be larger than that is announced with ``Crossing.afford``.
- An object that has no form in Lua is wrapped and gives access to all of Python. So a function returns nothing but
  None, booleans, numbers, bytes, Lua's own objects, and tuples of those for several results.

The runtime must have been made with ``encoding=None`` and ``unpack_returned_tuples=True``; the crossing is made while
``debug`` and ``python`` are still among its globals.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, NoReturn

from lupa.lua51 import LuaError, LuaRuntime

#: Bytes that must be free when a Python function is entered: enough for whatever lupa allocates by itself.
RESERVE: Final = 256 * 1024

_SMALL: Final = RESERVE // 4

#: What Lua says when its allocator refuses.
OUT_OF_MEMORY: Final = b"not enough memory"

# The hook fires for every return; of the frames that end between arming and the function itself all are Lua's but
# that of sethook. Whatever hook was set before (the clock of a long script) is set again.
_ARM: Final = rb"""
local as_function = ...
local sethook, gethook, getinfo, error, sub = debug.sethook, debug.gethook, debug.getinfo, error, string.sub
local arm, fault, number, here, lasting, hook, mask, count

-- The functions of the house go on, so that the next script finds its hooks set anew.
local function refuse()
    if sub(getinfo(2, "S").source, 1, 5) == "@user" then
        error(fault, 0)
    end
end

local function where()
    local caller = getinfo(4, "Sl")
    return caller and caller.currentline > 0 and caller.short_src .. ":" .. caller.currentline .. ": " or ""
end

local function bad_argument()
    local called = getinfo(3, "n")
    local nth = number
    if called.namewhat == "method" then
        nth = nth - 1
        if nth == 0 then
            return "calling '" .. called.name .. "' on bad self (" .. fault .. ")"
        end
    end
    return "bad argument #" .. nth .. " to '" .. (called.name or "?") .. "' (" .. fault .. ")"
end

local function raise()
    local ending = getinfo(2, "Sf")
    if ending.what ~= "C" or ending.func == sethook then
        return
    end
    if lasting then
        sethook(refuse, "l")
        error(fault, 0)
    end
    sethook(hook, mask, count)
    if number then
        fault = bad_argument()
    end
    local value = here and where() .. fault or fault
    fault = nil
    error(value, 0)
end

local function arm(value, nth, with_position, for_ever)
    fault, number, here, lasting = value, nth, with_position, for_ever
    hook, mask, count = gethook()
    sethook(raise, "r")
end

local function define(into, name, call)
    into[name] = as_function(call)
end

return arm, define
"""

# A chunk is run on the thread that is running now, a function of Lua's on the one that it was made on: hooks belong to
# threads, so the way to arm leads through a chunk.
_RUN: Final = b"local arm, value, nth, here, lasting = ... arm(value, nth, here, lasting)"


class LuaFault(Exception):
    """An error to be raised in Lua. ``here``: with the position of the caller before it, as ``luaL_error`` does;
    without, ``value`` (bytes, or a table) is the error as it is."""

    def __init__(self, value: Any, *, here: bool = True) -> None:
        super().__init__(value)
        self.value = value
        self.here = here


def failure(value: Any) -> LuaFault:
    """The error of a function of Lua's that ran under pcall. A string is an error of its own, told with the caller's
    position; what is raised from elsewhere, by the clock of a long script or by the allocator, goes on as it is."""
    return LuaFault(value, here=type(value) is bytes and value != OUT_OF_MEMORY)


def outcome(result: tuple[bool, Any]) -> Any:
    """What pcall has returned: the value, or the error raised."""
    ok, value = result
    if not ok:
        raise failure(value)
    return value


class ArgumentFault(Exception):
    """Argument ``number`` (counted from 1) is not what it must be, as ``luaL_argerror`` says it."""

    def __init__(self, number: int, complaint: bytes) -> None:
        super().__init__(number, complaint)
        self.number = number
        self.complaint = complaint


class Crossing:
    """Puts Python functions into one runtime, and raises their errors there."""

    def __init__(self, runtime: LuaRuntime, exhausted: Callable[[], NoReturn] | None = None) -> None:
        """``exhausted`` raises when a script has filled its memory; it is for a host that has other means than arming,
        for which Lua needs memory."""
        self._runtime = runtime
        self._refuse = exhausted
        as_function = runtime.eval(b"python.as_function")
        self._arm, self._define = runtime.execute(_ARM, as_function, name=b"=crossing")
        self._used, self._limit = runtime.get_memory_used, runtime.get_max_memory
        self._bounded = runtime.get_max_memory() is not None

    def define(self, table: Any, name: bytes, call: Callable[..., Any]) -> None:
        """Make ``call`` the function ``name`` of a Lua table. It may raise ``LuaFault`` and ``ArgumentFault``."""

        def entry(*arguments: Any) -> Any:
            if self._bounded and self._used() > self._limit() - RESERVE:
                return self._scarce(call, arguments)
            result = self._perform(call, *arguments)
            if type(result) is bytes and len(result) > _SMALL and not self.afford(len(result)):
                return self._perform(self._made_room, result)
            return result

        self._define(table, name, entry)

    def define_small(
        self, table: Any, name: bytes, call: Callable[..., Any], quick: Callable[..., Any] | None = None
    ) -> None:
        """The same for one that returns numbers, for which Lua needs no memory. ``quick`` is ``call`` for the usual
        arguments: it raises nothing, and where it declines, with None, ``call`` has the word."""
        if quick is None:
            self._define(table, name, partial(self._perform, call))
            return

        def entry(*arguments: Any) -> Any:
            result = quick(*arguments)
            return self._perform(call, *arguments) if result is None else result

        self._define(table, name, entry)

    def afford(self, size: int) -> bool:
        """Whether Lua has room for values of ``size`` bytes. For those of a few kilobytes nobody needs to ask."""
        return not self._bounded or self._used() + size < self._limit() - RESERVE

    def must_afford(self, size: int) -> None:
        """Raise Lua's own complaint unless there is room; garbage is collected before."""
        if not self.afford(size):
            self._runtime.gccollect()
            if not self.afford(size):
                raise LuaFault(OUT_OF_MEMORY, here=False)

    def _perform(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except LuaFault as fault:
            return self._fail(fault.value, here=fault.here)
        except ArgumentFault as fault:
            return self._fail(fault.complaint, number=fault.number)
        except LuaError as error:
            # One without a text was raised by the clock of a long script, and will be again on the script's next line.
            text = str(error).encode("latin-1")
            return self._fail(text, here=False) if text else None

    def _made_room(self, result: bytes) -> bytes:
        self.must_afford(len(result))
        return result

    def _scarce(self, call: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Less than the reserve is left."""
        self._runtime.gccollect()
        return self._perform(call, *arguments) if self.afford(0) else self._exhausted()

    def _fail(self, value: Any, *, number: int | None = None, here: bool = True) -> None:
        """Have ``value`` raised when the running function, which must return now, returns."""
        if not self.afford(0):
            return self._exhausted()
        self._arm_it(value, number, here, False)

    def _exhausted(self) -> None:
        """It is not garbage that fills the memory. The script gets the reserve, so that its error can be raised, but no
        second chance to fill that too: where it catches the error it meets it again on the next line."""
        if self._refuse is not None:
            self._refuse()
        self._runtime.set_max_memory(self._limit() + RESERVE)
        self._arm_it(OUT_OF_MEMORY, None, False, True)

    def _arm_it(self, *what: Any) -> None:
        try:
            self._runtime.execute(_RUN, self._arm, *what)
        except LuaError:
            pass  # the script's time is over, and the clock raises on every line
