"""Connection commands: who the client is, which protocol it speaks, which database it uses."""

from __future__ import annotations

from typing import Any, Final

from ..acl.users import DEFAULT
from ..errors import NotAnInteger, OutOfRange, ReplyError, SyntaxFault
from ..resp.numbers import parse_int
from ..resp.replies import OK, PONG, Reply, Simple
from .context import Context
from .flags import Flags
from .grammar import block, integer, maybe, value
from .host import Host
from .session import Session
from .spec import command
from .versions import REDIS_VERSION

_OPEN = Flags.NO_AUTH | Flags.NOSCRIPT | Flags.LOADING | Flags.STALE | Flags.FAST | Flags.ALLOW_BUSY
_INT_MAX: Final = 2**31 - 1

WRONG_PASSWORD: Final = "WRONGPASS invalid username-password pair or user is disabled."
_NO_PASSWORD_SET: Final = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
_HELLO_NEEDS_AUTH: Final = (
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> "
    "option can be used to authenticate the client and select the RESP protocol version at the same time"
)


# ---- what others of this family use as well


def check_name(name: bytes, what: str = "Client names") -> None:
    """Raise ReplyError unless every byte is printable and no blank: the name has to stay one word of CLIENT LIST."""
    if any(not 33 <= byte <= 126 for byte in name):
        raise ReplyError(f"ERR {what} cannot contain spaces, newlines or special characters.")


def database_index(word: bytes) -> int:
    """A database's number. Raises ReplyError for what does not fit a C int."""
    index = parse_int(word)
    if not -_INT_MAX - 1 <= index <= _INT_MAX:
        raise OutOfRange("ERR value is out of range, value must between -2147483648 and 2147483647")
    return index


def mode_of(host: Host) -> str:
    """``standalone`` or ``cluster``, for HELLO and INFO."""
    return "standalone" if host.cluster is None else "cluster"


def has_one_database(host: Host) -> bool:
    """Whether this is a node of a cluster as Redis's are: with more databases (``cluster-databases``) a node speaks of
    those that it has not as a server alone does."""
    return host.cluster is not None and host.config.cluster_databases == 1


def _authenticate(ctx: Context, name: bytes, password: bytes) -> None:
    """Let the client in as ``name``. Raises ReplyError."""
    if not ctx.host.access.log_in(ctx.session, name, password):
        raise ReplyError(WRONG_PASSWORD)


# ---- commands


@command(
    "PING",
    maybe(value("message")),
    flags=Flags.FAST,
    group="connection",
    since="1.0.0",
    tips=("request_policy:all_shards", "response_policy:all_succeeded"),
)
def ping(ctx: Context, *message: bytes) -> Reply:
    """Answers PONG, or the message: shows that the connection and the node are alive."""
    if len(message) > 1:
        raise ReplyError("ERR wrong number of arguments for 'ping' command")
    if ctx.session.subscribed and not ctx.session.resp3:
        return [b"pong", *(message or (b"",))]  # looks like a message, since nothing else may arrive in that mode
    return message[0] if message else PONG


@command("ECHO", value("message"), flags=Flags.LOADING | Flags.STALE | Flags.FAST, group="connection", since="1.0.0")
def echo(ctx: Context, message: bytes) -> bytes:
    """Answers the message."""
    return message


@command(
    "AUTH",
    maybe(value("username")),
    value("password"),
    flags=_OPEN,
    group="connection",
    since="1.0.0",
    complexity="O(N) where N is the number of passwords defined for the user",
    history={"6.0.0": "Added ACL style (username and password)."},
)
def auth(ctx: Context, *words: bytes) -> Simple:
    """Authenticates the connection with a password, as the default user or as another one."""
    if len(words) > 2:
        raise SyntaxFault
    if len(words) == 1 and ctx.host.access.users.default.needs_no_password:
        raise ReplyError(_NO_PASSWORD_SET)
    _authenticate(ctx, words[0] if len(words) == 2 else DEFAULT, words[-1])
    return OK


@command(
    "HELLO",
    maybe(
        block(
            "arguments",
            integer("protover"),
            maybe(block("auth", value("username"), value("password"), token="AUTH")),
            maybe(value("clientname", token="SETNAME")),
        )
    ),
    flags=_OPEN,
    group="connection",
    since="6.0.0",
    history={
        "6.2.0": "`protover` made optional; when called without arguments the command reports the current "
        "connection's context."
    },
    raw=True,  # each fault has a text of its own
)
def hello(ctx: Context, words: list[bytes]) -> dict[bytes, Any]:
    """Chooses the protocol and says who the server is. Changes nothing if it fails."""
    session = ctx.session
    resp3 = session.resp3 if len(words) < 2 else _protocol(words[1])
    credentials: tuple[bytes, bytes] | None = None
    name: bytes | None = None
    at = 2
    while at < len(words):
        option, left = words[at].upper(), len(words) - 1 - at
        if option == b"AUTH" and left >= 2:
            credentials = (words[at + 1], words[at + 2])
            at += 3
        elif option == b"SETNAME" and left >= 1:
            name = words[at + 1]
            check_name(name)
            at += 2
        else:
            shown = words[at].decode("utf-8", "surrogateescape")
            raise ReplyError(f"ERR Syntax error in HELLO option '{shown}'")
    if credentials is not None:
        _authenticate(ctx, *credentials)
    elif not ctx.host.access.knows(session):
        raise ReplyError(_HELLO_NEEDS_AUTH)
    if name is not None:
        session.name = name
    session.resp3 = resp3
    session.refresh()
    return {
        b"server": b"redis",
        b"version": REDIS_VERSION.encode(),
        b"proto": 3 if resp3 else 2,
        b"id": session.id,
        b"mode": mode_of(ctx.host).encode(),
        b"role": b"master",
        b"modules": [],
    }


def _protocol(word: bytes) -> bool:
    """Whether the protocol asked for is RESP3. Raises ReplyError."""
    try:
        version = parse_int(word)
    except NotAnInteger:
        raise ReplyError("ERR Protocol version is not an integer or out of range") from None
    if version not in (2, 3):
        raise ReplyError("NOPROTO unsupported protocol version")
    return version == 3


@command("SELECT", value("index"), flags=Flags.LOADING | Flags.STALE | Flags.FAST, group="connection", since="1.0.0")
def select(ctx: Context, word: bytes) -> Simple:
    """Changes the database that the connection uses."""
    index = database_index(word)
    if has_one_database(ctx.host) and index != 0:
        raise ReplyError("ERR SELECT is not allowed in cluster mode")
    ctx.session.db = ctx.db = ctx.database(index)
    return OK


@command("QUIT", flags=_OPEN, group="connection", since="1.0.0", arity=-1)  # further words were always ignored
def quit_(ctx: Context, *words: bytes) -> Simple:
    """Closes the connection after a last reply."""
    ctx.session.close_after_reply = True
    ctx.session.refresh()
    return OK


@command("RESET", flags=_OPEN, group="connection", since="6.2.0")
def reset(ctx: Context) -> Simple:
    """Puts the connection back into the state of a new one."""
    session = ctx.session
    if session.is_replica or session.is_primary:
        raise ReplyError("ERR can only reset normal client connections")
    ctx.host.transactions.end(session)
    session.db = ctx.db = ctx.database(0)
    ctx.host.forget_messages(session)
    ctx.host.hide_requests(session)
    _forget(session)
    ctx.host.access.greet(session)
    return Simple("RESET")


def _forget(session: Session) -> None:
    """Everything that a client has switched on, but for its library's name, which stays true."""
    session.resp3 = False
    session.name = b""
    session.asking = session.readonly = False
    session.reply_off = False
    session.reply_skip = 0
    session.no_evict = session.no_touch = session.monitoring = False
