"""DEBUG: tools for tests and for those who look inside. The option ``enable-debug-command`` opens it.

DEBUG is one command, not a container, so its subcommands have a small table of their own; other areas add theirs
with ``debug``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from ..config.kinds import memory
from ..errors import NotAnInteger, OutOfRange, ReplyError
from ..keyspace.slots import key_slot
from ..resp.encoder import encode
from ..resp.numbers import parse_float, parse_int
from ..resp.replies import OK, BigNumber, Encoded, Push, Reply, SetReply, Simple, Verbatim
from ..values.kinds import encoding
from ..values.strings import string_bytes
from .context import Context
from .digest import ZERO, digest_all, digest_value
from .flags import Doc, Flags
from .protection import refusal_of
from .spec import command

Verb: TypeAlias = Callable[..., Reply]

_LEADING_NUMBER: Final = re.compile(rb"\s*([+-]?[0-9]+)")
_LRU_MASK: Final = 2**24 - 1


@dataclass(frozen=True, slots=True)
class Subcommand:
    """A subcommand of DEBUG: its words, how many there may be (``most`` None: any number), and what runs it."""

    syntax: str
    doc: str
    least: int
    most: int | None
    body: Verb


_SUBCOMMANDS: Final[dict[bytes, Subcommand]] = {}


def debug(name: str, syntax: str, least: int, most: int | None) -> Callable[[Verb], Verb]:
    """Declare a subcommand of DEBUG. The body takes ``(ctx, *words)``; its docstring is the help text."""

    def declare(body: Verb) -> Verb:
        doc = " ".join((body.__doc__ or "").split())
        _SUBCOMMANDS[name.encode()] = Subcommand(syntax, doc, least, most, body)
        return body

    return declare


@command(
    "DEBUG",
    flags=Flags.ADMIN | Flags.NOSCRIPT | Flags.LOADING | Flags.STALE | Flags.PROTECTED,
    group="server",
    since="1.0.0",
    complexity="Depends on subcommand.",
    doc_flags=Doc.SYSCMD,
    arity=-2,  # no container: what follows is looked up here
    raw=True,
)
def debug_(ctx: Context, words: list[bytes]) -> Reply:
    """A container for tools that look inside the node."""
    refusal = refusal_of("debug", ctx.host.config, ctx.session)  # the gate before this is passed by on the fast way
    if refusal is not None:
        raise refusal
    found = _SUBCOMMANDS.get(words[1].upper())
    given = len(words) - 2
    if found is None or given < found.least or (found.most is not None and given > found.most):
        shown = words[1][:128].decode("utf-8", "surrogateescape")
        raise ReplyError(f"ERR unknown subcommand or wrong number of arguments for '{shown}'. Try DEBUG HELP.")
    return found.body(ctx, *words[2:])


@debug("HELP", "", 0, 0)
def help_(ctx: Context) -> Reply:
    """Print this help."""
    lines = ["DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    for name, subcommand in sorted(_SUBCOMMANDS.items()):
        if name != b"HELP":
            lines += [f"{name.decode()} {subcommand.syntax}".rstrip(), f"    {subcommand.doc}"]
    return [Simple(line) for line in [*lines, "HELP", "    Print this help."]]


# ---- time


@debug("SLEEP", "<seconds>", 1, 1)
def sleep(ctx: Context, word: bytes) -> Simple:
    """Stop the whole node for <seconds>. Decimals allowed."""
    try:
        seconds = parse_float(word)
    except ReplyError:
        seconds = 0.0  # as strtod has it
    if seconds > 0:
        ctx.host.world.sleep(seconds)
    return OK


@debug("SET-ACTIVE-EXPIRE", "<0|1>", 1, 1)
def set_active_expire(ctx: Context, word: bytes) -> Simple:
    """Setting it to 0 keeps expired keys until somebody asks for them; 1 looks for them in the background again."""
    number = _LEADING_NUMBER.match(word)
    ctx.host.expiring.active = number is not None and int(number[1]) != 0
    return OK


# ---- data


@debug("OBJECT", "<key>", 1, 1)
def object_(ctx: Context, key: bytes) -> Simple:
    """Show how the value at <key> is held, even if it has expired. The length is that of a string saved without
    compression."""
    value = ctx.db.get(key)
    if value is None:
        raise ReplyError("ERR no such key")
    idle = ctx.db.idle_seconds(key, ctx.now // 1000)
    length = f" serializedlength:{_saved_length(value)}" if isinstance(value, bytes | int | bytearray) else ""
    return Simple(
        f"Value at:{id(value):#x} refcount:1 encoding:{encoding(value)}{length} "
        f"lru:{ctx.now // 1000 - idle & _LRU_MASK} lru_seconds_idle:{idle}"
    )


def _saved_length(value: bytes | int | bytearray) -> int:
    """The bytes of a string in an RDB file: integers in 1, 2 or 4 bytes, others as they are, with the length before."""
    text = string_bytes(value)
    try:
        number = parse_int(text)
    except NotAnInteger:
        number = None
    if number is not None:
        for width in (1, 2, 4):
            if -(1 << (8 * width - 1)) <= number < 1 << (8 * width - 1):
                return 1 + width
    size = len(text)
    return size + (1 if size < 64 else 2 if size < 16384 else 5 if size < 2**32 else 9)


@debug("DIGEST", "", 0, 0)
def digest(ctx: Context) -> Simple:
    """Output a hex signature of all data: equal to that of any server with equal data."""
    return Simple(digest_all(ctx.host.databases).hex())


@debug("DIGEST-VALUE", "<key> [<key> ...]", 0, None)
def digest_values(ctx: Context, *keys: bytes) -> list[Simple]:
    """Output a hex signature of the value at each of the keys, zeros for a key that does not exist."""
    found = [(key, ctx.db.get(key)) for key in keys]
    return [Simple((ZERO if value is None else digest_value(ctx.db, key, value)).hex()) for key, value in found]


@debug("QUICKLIST-PACKED-THRESHOLD", "<size>", 1, 1)
def quicklist_packed_threshold(ctx: Context, size: bytes) -> Simple:
    """Accepted for tests that choose from what <size> on an element has a node of its own: lists have no nodes here."""
    count = memory(size.decode("latin-1"))
    if count is None or count >= 1 << 32:
        raise ReplyError("ERR argument must be a memory value bigger than 1 and smaller than 4gb")
    return OK


@debug("POPULATE", "<count> [<prefix>] [<size>]", 1, 3)
def populate(ctx: Context, count: bytes, prefix: bytes = b"key", size: bytes = b"0") -> Simple:
    """Create <count> strings named <prefix>:<number> where there are none, of <size> bytes if given.
    Nothing is propagated, and slots that other nodes serve get keys as well."""
    keys, length = _positive(count), _positive(size)
    db = ctx.db
    for number in range(keys):
        key = b"%b:%d" % (prefix, number)
        if ctx.peek(key) is None:
            text = b"value:%d" % number
            db.put(key, text[:length].ljust(length, b"\0") if length else text)
            db.access[key_slot(key)] = ctx.now // 1000
    return OK


def _positive(word: bytes) -> int:
    try:
        number = parse_int(word)
    except NotAnInteger:
        number = -1
    if number < 0:
        raise OutOfRange("ERR value is out of range, must be positive")
    return number


# ---- talking


@debug("ERROR", "<string>", 1, 1)
def error(ctx: Context, text: bytes) -> Reply:
    """Answer with <string> as an error. Good for the tests of clients."""
    raise ReplyError(text.decode("utf-8", "surrogateescape"))


@debug("LOG", "<message>", 1, 1)
def log(ctx: Context, message: bytes) -> Simple:
    """Write <message> to the log."""
    ctx.host.world.log("warning", f"DEBUG LOG: {message.decode('utf-8', 'backslashreplace')}")
    return OK


_PROTOCOL: Final[dict[bytes, Reply]] = {
    b"string": b"Hello World",
    b"integer": 12345,
    b"double": 3.141,
    b"bignum": BigNumber(b"1234567999999999999999999999999999999"),
    b"null": None,
    b"array": [0, 1, 2],
    b"set": SetReply([0, 1, 2]),
    b"map": {0: False, 1: True, 2: False},
    b"verbatim": Verbatim(b"This is a verbatim\nstring"),
    b"true": True,
    b"false": False,
}


@debug("PROTOCOL", "<type>", 1, 1)
def protocol(ctx: Context, word: bytes) -> Reply:
    """Answer with a value of <type>: string, integer, double, bignum, null, array, set, map, attrib, push,
    verbatim, true or false."""
    kind = word.lower()
    if kind in _PROTOCOL:
        return _PROTOCOL[kind]
    resp3 = ctx.session.resp3
    if kind == b"attrib":
        reply = encode(b"Some real reply following the attribute", resp3)
        # No command of Redis has attributes, so the encoder has no kind for them.
        return (
            Encoded(b"|1\r\n" + encode(b"key-popularity", True) + encode([b"key:123", 90], True) + reply)
            if resp3
            else Encoded(reply)
        )
    if kind == b"push":
        if not resp3:
            raise ReplyError("ERR RESP2 is not supported by this command")
        return Encoded(
            encode(Push([b"server-cpu-usage", 42]), True) + encode(b"Some real reply following the push reply", True)
        )
    raise ReplyError(
        "ERR Wrong protocol type name. Please use one of the following: "
        "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"
    )
