"""CLIENT: what a connection says of itself, and how it wants to be treated; ``client_list`` lists and kills."""

from __future__ import annotations

from typing import Final

from ..errors import NotAnInteger, ReplyError
from ..resp.numbers import INT64_MAX, parse_int
from ..resp.replies import NO_REPLY, OK, Reply, Simple
from .connection import check_name
from .context import Context
from .flags import Flags
from .grammar import flag, integer, maybe, one_of, value
from .spec import command, container

_FLAGS = Flags.NOSCRIPT | Flags.LOADING | Flags.STALE
_ADMIN = _FLAGS | Flags.ADMIN

#: CLIENT REPLY SKIP silences itself and one command after it.
_SKIPPED: Final = 2

container("CLIENT", group="connection", since="2.4.0", doc="A container for client connection commands.")


def _too_many(words: list[bytes], most: int) -> None:
    """Refuse more words than a subcommand with optional ones takes, as CLIENT does."""
    if len(words) > most:
        shown = words[1][:128].decode("utf-8", "surrogateescape")
        raise ReplyError(f"ERR unknown subcommand or wrong number of arguments for '{shown}'. Try CLIENT HELP.")


@command("CLIENT ID", flags=_FLAGS, group="connection", since="5.0.0")
def client_id(ctx: Context) -> int:
    """Returns the connection's id: numbers only grow and are never used twice."""
    return ctx.session.id


@command("CLIENT GETNAME", flags=_FLAGS, group="connection", since="2.6.9")
def client_getname(ctx: Context) -> bytes | None:
    """Returns the connection's name, nil if it has none."""
    return ctx.session.name or None


@command("CLIENT SETNAME", value("connection-name"), flags=_FLAGS, group="connection", since="2.6.9")
def client_setname(ctx: Context, name: bytes) -> Simple:
    """Names the connection; an empty name takes the name away."""
    check_name(name)
    ctx.session.name = name
    return OK


@command(
    "CLIENT SETINFO",
    one_of("attr", value("libname", token="LIB-NAME"), value("libver", token="LIB-VER")),
    flags=_FLAGS,
    group="connection",
    since="7.2.0",
    raw=True,  # an unknown attribute has a text of its own
)
def client_setinfo(ctx: Context, words: list[bytes]) -> Simple:
    """Notes the name or version of the client's library, for CLIENT LIST."""
    attribute, given = words[2], words[3]
    shown = attribute.decode("utf-8", "surrogateescape")
    name = attribute.lower()
    if name not in (b"lib-name", b"lib-ver"):
        raise ReplyError(f"ERR Unrecognized option '{shown}'")
    check_name(given, shown)
    if name == b"lib-name":
        ctx.session.library_name = given
    else:
        ctx.session.library_version = given
    return OK


@command(
    "CLIENT REPLY",
    one_of("on_off_skip", flag("ON"), flag("OFF"), flag("SKIP")),
    flags=_FLAGS,
    group="connection",
    since="3.2.0",
)
def client_reply(ctx: Context, on_off_skip: str) -> Reply:
    """Switches replies on or off, or leaves out the next one."""
    session = ctx.session
    if on_off_skip == "ON":
        session.reply_off = False
        session.reply_skip = 0
    elif on_off_skip == "OFF":
        session.reply_off = True
    elif not session.reply_off:
        session.reply_skip = _SKIPPED
    session.refresh()
    return OK if on_off_skip == "ON" else NO_REPLY


@command("CLIENT NO-EVICT", one_of("enabled", flag("ON"), flag("OFF")), flags=_ADMIN, group="connection", since="7.0.0")
def client_no_evict(ctx: Context, enabled: str) -> Simple:
    """Keeps the connection from being closed when clients' buffers take too much memory."""
    ctx.session.no_evict = enabled == "ON"
    return OK


@command("CLIENT NO-TOUCH", one_of("enabled", flag("ON"), flag("OFF")), flags=_FLAGS, group="connection", since="7.2.0")
def client_no_touch(ctx: Context, enabled: str) -> Simple:
    """Lets the connection's reads leave no trace in the keys' access times."""
    ctx.session.no_touch = enabled == "ON"
    ctx.session.refresh()
    return OK


@command(
    "CLIENT PAUSE",
    integer("timeout"),
    maybe(one_of("mode", flag("WRITE"), flag("ALL"))),
    flags=_ADMIN,
    group="connection",
    since="2.9.50",
    history={"6.2.0": "`CLIENT PAUSE WRITE` mode added along with the `mode` option."},
    raw=True,  # each fault has a text of its own
)
def client_pause(ctx: Context, words: list[bytes]) -> Simple:
    """Holds all commands, or those that may write, back for a number of milliseconds."""
    _too_many(words, 4)
    mode = words[3].upper() if len(words) == 4 else b"ALL"
    if mode not in (b"WRITE", b"ALL"):
        raise ReplyError("ERR CLIENT PAUSE mode must be WRITE or ALL")
    try:
        timeout = parse_int(words[2])
    except NotAnInteger:
        raise ReplyError("ERR timeout is not an integer or out of range") from None
    if timeout < 0:
        raise ReplyError("ERR timeout is negative")
    if timeout > INT64_MAX - ctx.now:
        raise ReplyError("ERR timeout is out of range")
    if timeout:
        ctx.host.pause(ctx.now + timeout, mode == b"WRITE")
    return OK


@command(
    "CLIENT UNPAUSE",
    flags=_ADMIN,
    group="connection",
    since="6.2.0",
    complexity="O(N) Where N is the number of paused clients",
)
def client_unpause(ctx: Context) -> Simple:
    """Ends a pause: what was held back goes on."""
    ctx.host.unpause()
    return OK


@command(
    "CLIENT UNBLOCK",
    integer("client-id"),
    maybe(one_of("timeout_error", flag("TIMEOUT"), flag("ERROR"))),
    flags=_ADMIN,
    group="connection",
    since="5.0.0",
    complexity="O(log N) where N is the number of client connections",
    raw=True,  # an unknown way to end has a text of its own
)
def client_unblock(ctx: Context, words: list[bytes]) -> int:
    """Ends the wait of a blocked client as its timeout would, or with an error; returns whether it waited."""
    _too_many(words, 4)
    way = words[3].upper() if len(words) == 4 else b"TIMEOUT"
    if way not in (b"TIMEOUT", b"ERROR"):
        raise ReplyError("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
    session = ctx.host.sessions.get(parse_int(words[2]))
    if session is None or session.blocked is None:
        return 0
    error = ReplyError("UNBLOCKED client unblocked via CLIENT UNBLOCK")
    ctx.host.waiting.end(session, error if way == b"ERROR" else session.blocked.on_timeout)
    return 1
