"""The ``redis`` table: what a script may call that is not Lua.

Each method here becomes a C function in Lua. Two rules hold for all of them. An error is raised by ``_raise``: always
the same exception, whose text waits in ``_raised`` until the sandbox fetches it, so that no Python object is left in
a script's hands. And nothing is given to Lua without room for it: running out of memory outside of Lua's own protected
calls would end the process (``Room``).
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha1
from typing import Any, Final, NoReturn, Protocol

from ..errors import ReplyError
from ..resp.numbers import format_double
from .bytecode import keep_frames
from .convert import Converter, MakeTable, error_bytes, number_word, weight
from .port import Answered, ScriptPort

CONSTANTS: Final[dict[bytes, int]] = {
    b"LOG_DEBUG": 0,
    b"LOG_VERBOSE": 1,
    b"LOG_NOTICE": 2,
    b"LOG_WARNING": 3,
    b"REPL_NONE": 0,
    b"REPL_AOF": 1,
    b"REPL_SLAVE": 2,
    b"REPL_REPLICA": 2,
    b"REPL_ALL": 3,
}

#: The names in the table for EVAL, and those of them that functions have not.
NAMES: Final = (
    b"call", b"pcall", b"error_reply", b"status_reply", b"sha1hex", b"log", b"setresp", b"set_repl",
    b"replicate_commands", b"breakpoint", b"debug", b"acl_check_cmd",
)  # fmt: skip
EVAL_ONLY: Final = (b"replicate_commands", b"breakpoint", b"debug")

#: Functions of Lua's own libraries that are written in Lua here.
GUARDED: Final = frozenset(
    b"pcall xpcall next pairs rawget rawset getmetatable setmetatable collectgarbage loadstring load create resume "
    b"wrap rep reverse lower upper find match gmatch gfind gsub insert remove sort foreach maxn".split()
)

#: A string up to this is always affordable (``host.RESERVE``).
_SMALL: Final = 16384

_NOT_WORDS: Final = ReplyError("ERR Lua redis lib command arguments must be strings or integers")
_NO_WORDS: Final = ReplyError("ERR Please specify at least one argument for this redis lib call")
_NO_MEMORY: Final = ReplyError("ERR not enough memory: the script needs more than lua-memory-limit allows")


class Raised(Exception):
    """What every error of the API is to Lua; there is one instance for each interpreter."""


class Room(Protocol):
    """How much more Lua may hold."""

    def has_room(self, size: int) -> bool:
        """Whether so many bytes can be given to Lua. Collects garbage before it says no."""


class Api:
    """The functions of one interpreter. ``port`` is the node; ``resp3`` what the script has set."""

    def __init__(self, port: ScriptPort, table: MakeTable, room: Room, used: Callable[[], int]) -> None:
        self.port = port
        self.resp3 = False
        self.raised = Raised()
        self._convert = Converter(table).to_lua
        self._table = table
        self._room = room
        self._used = used
        self.ceiling = 0  #: while Lua holds fewer bytes than this there is room for small things
        self._text = b""
        self._call = port.call

    # ---- errors

    def _raise(self, error: ReplyError) -> NoReturn:
        self._text = error_bytes(error)
        self.raised.__traceback__ = None
        raise self.raised

    def no_memory(self) -> NoReturn:
        """The script has filled its memory."""
        self._raise(_NO_MEMORY)

    def take(self) -> bytes:
        """The text of what was raised last."""
        return self._text

    # ---- commands

    def call(self, *words: Any) -> Any:
        """redis.call: an error is raised."""
        if self._used() > self.ceiling and not self._room.has_room(0):
            self._raise(_NO_MEMORY)
        reply = self._perform(words)
        kind = type(reply)
        if kind is int:
            return reply
        if kind is bytes:
            if len(reply) > _SMALL and not self._room.has_room(len(reply)):
                self._raise(_NO_MEMORY)
            return reply
        if reply is None:
            return None if self.resp3 else False
        if isinstance(reply, ReplyError):
            self._raise(reply)
        return self._given(reply)

    def pcall(self, *words: Any) -> Any:
        """redis.pcall: an error is a table."""
        if self._used() > self.ceiling and not self._room.has_room(0):
            self._raise(_NO_MEMORY)
        reply = self._perform(words)
        if type(reply) is int:
            return reply
        return self._given(reply)

    def _given(self, reply: Any) -> Any:
        if not self._room.has_room(weight(reply)):
            self._raise(_NO_MEMORY)
        return self._convert(reply, self.resp3)

    def _perform(self, words: tuple[Any, ...]) -> Any:
        for word in words:
            if type(word) is not bytes:
                if type(word) is Answered:
                    return self.port.answer(word)
                fixed = self._words(words)
                return fixed if isinstance(fixed, ReplyError) else self._call(fixed)
        if not words:
            return _NO_WORDS
        return self._call(list(words))

    def _can_hold(self, size: int) -> bool:
        """Whether a string can be given to Lua without further questions."""
        return size <= _SMALL and self._used() <= self.ceiling

    def _words(self, words: tuple[Any, ...]) -> list[bytes] | ReplyError:
        """The words of a command, with numbers written out."""
        fixed: list[bytes] = []
        for word in words:
            if isinstance(word, bytes):
                fixed.append(word)
            elif isinstance(word, int | float) and not isinstance(word, bool):
                fixed.append(number_word(word))
            else:
                return _NOT_WORDS
        return fixed

    def acl_check_cmd(self, *words: Any) -> bool:
        """redis.acl_check_cmd: whether the caller may run this."""
        if not words:
            self._raise(_NO_WORDS)
        fixed = self._words(words)
        if isinstance(fixed, ReplyError):
            self._raise(fixed)
        try:
            return self.port.may_call(fixed)
        except ReplyError as error:
            self._raise(error)

    # ---- replies

    def error_reply(self, *texts: Any) -> Any:
        """redis.error_reply: a table that becomes an error."""
        if len(texts) != 1 or not isinstance(texts[0], bytes):
            return self._table({b"err": b"ERR wrong number or type of arguments"})
        text = texts[0].removesuffix(b"\r\n")
        if b" " not in text:
            # A single word is no code: it is the message.
            return self._table({b"err": b"ERR " + text.removeprefix(b"-")})
        return self._table({b"err": text.removeprefix(b"-")})

    def status_reply(self, *texts: Any) -> Any:
        """redis.status_reply: a table that becomes a status."""
        if len(texts) != 1 or not isinstance(texts[0], bytes):
            return self._table({b"err": b"ERR wrong number or type of arguments"})
        return self._table({b"ok": texts[0]})

    def setresp(self, *versions: Any) -> None:
        """redis.setresp: the protocol in which replies come to the script."""
        if len(versions) != 1:
            self._raise(ReplyError("ERR redis.setresp() requires one argument."))
        version = _integer(versions[0])
        if version not in (2, 3):
            self._raise(ReplyError("ERR RESP version must be 2 or 3."))
        self.resp3 = version == 3
        self.port.speak(self.resp3)

    # ---- the rest

    def sha1hex(self, *texts: Any) -> bytes:
        """redis.sha1hex: 40 hexadecimal digits."""
        if len(texts) != 1:
            self._raise(ReplyError("ERR wrong number of arguments"))
        text = texts[0]
        if isinstance(text, int | float) and not isinstance(text, bool):
            text = lua_text(text)
        return sha1(text if isinstance(text, bytes) else b"").hexdigest().encode()

    def log(self, *parts: Any) -> None:
        """redis.log: a line in the node's log."""
        if len(parts) < 2:
            self._raise(ReplyError("ERR redis.log() requires two arguments or more."))
        level, *rest = parts
        if not isinstance(level, int | float) or isinstance(level, bool):
            self._raise(ReplyError("ERR First argument must be a number (log level)."))
        if not 0 <= int(level) <= 3:
            self._raise(ReplyError("ERR Invalid debug level."))
        words = [part if isinstance(part, bytes) else lua_text(part) for part in rest if _is_text(part)]
        self.port.log(int(level), b" ".join(words))

    def set_repl(self, *flags: Any) -> None:
        """redis.set_repl: who gets what follows."""
        if len(flags) != 1:
            self._raise(ReplyError("ERR redis.set_repl() requires two arguments."))
        value = _integer(flags[0])
        if value & ~3:
            self._raise(ReplyError("ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE."))
        self.port.set_audience(value)

    def replicate_commands(self, *ignored: Any) -> bool:
        """redis.replicate_commands: so it is, always."""
        return True

    def breakpoint(self, *ignored: Any) -> bool:
        """redis.breakpoint: whether there was a debugger to stop at."""
        return False

    def debug(self, *values: Any) -> None:
        """redis.debug: words for the debugger, when there is one."""

    def register_function(self, *given: Any) -> None:
        """redis.register_function(name, callback), or one table of named arguments."""
        try:
            if len(given) == 1:
                self.port.register(*_named_arguments(given[0]))
            else:
                self.port.register(*_positional_arguments(given))
        except ReplyError as error:
            self._raise(error)

    # ---- what the sandbox itself needs

    def poll(self) -> bytes | None:
        """Whether the script may go on."""
        return self.port.look()

    def speaks_resp3(self) -> bool:
        """Whether the script has chosen RESP3."""
        return self.resp3

    def format_double(self, number: float) -> bytes:
        """A double as replies show it."""
        return format_double(float(number))

    def memfind(self, text: bytes, wanted: bytes, begin: int) -> int | None:
        """Where ``wanted`` begins in ``text`` at or after ``begin`` (from 1): in linear time, which C's is not."""
        at = text.find(wanted, begin - 1)
        return at + 1 if at >= 0 else None

    def keep_frames(self, dump: bytes) -> bytes | None:
        """What was compiled, with the frames of those calls kept that errors need."""
        return keep_frames(dump, GUARDED)

    def functions(self) -> dict[bytes, Callable[..., Any]]:
        """Everything that the sandbox wants, by name."""
        own = (b"take", b"poll", b"speaks_resp3", b"format_double", b"memfind", b"keep_frames", b"register_function")
        made = {name: getattr(self, name.decode()) for name in (*NAMES, *own)}
        for name in (b"call", b"pcall"):
            made[name] = self.port.quickened(made[name], self._can_hold)
        return made


def _is_text(value: Any) -> bool:
    return isinstance(value, bytes | int | float) and not isinstance(value, bool)


def _integer(value: Any) -> int:
    """A Lua value as C's integer: what is no number is 0."""
    if isinstance(value, bytes):
        try:
            value = float(value)
        except ValueError:
            return 0
    if isinstance(value, int | float) and value == value and abs(value) < 2**63:
        return int(value)
    return 0


def lua_text(number: float) -> bytes:
    """A number as Lua's tostring gives it."""
    return b"%.14g" % number


def _name(value: Any) -> bytes | None:
    """A value that may stand for a text."""
    if isinstance(value, bytes):
        return value
    return lua_text(value) if _is_text(value) else None


def _positional_arguments(given: tuple[Any, ...]) -> tuple[bytes, Any, None, list[bytes]]:
    if len(given) != 2:
        raise ReplyError("ERR wrong number of arguments to redis.register_function")
    name = _name(given[0])
    if name is None:
        raise ReplyError("ERR first argument to redis.register_function must be a string")
    if not is_function(given[1]):
        raise ReplyError("ERR second argument to redis.register_function must be a function")
    return name, given[1], None, []


def _named_arguments(table: Any) -> tuple[bytes, Any, bytes | None, list[bytes]]:
    if not hasattr(table, "items"):
        raise ReplyError(
            "ERR calling redis.register_function with a single argument is only applicable to Lua table "
            "(representing named arguments)."
        )
    name = callback = description = None
    flags: list[bytes] = []
    for key, value in table.items():
        if key == b"function_name":
            name = _name(value)
            if name is None:
                raise ReplyError("ERR function_name argument given to redis.register_function must be a string")
        elif key == b"description":
            description = _name(value)
            if description is None:
                raise ReplyError("ERR description argument given to redis.register_function must be a string")
        elif key == b"callback":
            if not is_function(value):
                raise ReplyError("ERR callback argument given to redis.register_function must be a function")
            callback = value
        elif key == b"flags":
            if not hasattr(value, "items"):
                raise ReplyError(
                    "ERR flags argument to redis.register_function must be a table representing function flags"
                )
            flags = [flag if isinstance(flag, bytes) else b"" for flag in value.values()]
        else:
            raise ReplyError("ERR unknown argument given to redis.register_function")
    if name is None:
        raise ReplyError("ERR redis.register_function must get a function name argument")
    if callback is None:
        raise ReplyError("ERR redis.register_function must get a callback argument")
    return name, callback, description, flags


def is_function(value: Any) -> bool:
    """Whether a value that came from Lua is a function."""
    return callable(value) and not hasattr(value, "items") and not isinstance(value, bytes | int | float)
