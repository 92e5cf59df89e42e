"""CLIENT LIST, INFO and KILL: the connections of the node, shown and chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from ..config.quoting import to_text
from ..errors import NotAnInteger, ReplyError, SyntaxFault
from ..resp.numbers import parse_int
from ..resp.replies import OK, Reply, Verbatim
from .context import Context
from .flags import Flags
from .grammar import flag, integer, maybe, one_of, value
from .session import SESSION_BYTES, Session
from .spec import command

_FLAGS = Flags.NOSCRIPT | Flags.LOADING | Flags.STALE
_ADMIN = _FLAGS | Flags.ADMIN

Filter: TypeAlias = Callable[[Session], bool]

#: Types of CLIENT LIST and KILL by the words for them, with the older one for a replica.
_TYPES: Final = {
    b"NORMAL": "normal",
    b"MASTER": "master",
    b"REPLICA": "replica",
    b"SLAVE": "replica",
    b"PUBSUB": "pubsub",
}


def _flags(session: Session) -> str:
    """The letters of ``flags=``, in Redis's order."""
    tracking = session.tracking
    letters = (
        ("O", session.is_replica and session.monitoring),
        ("S", session.is_replica and not session.monitoring),
        ("M", session.is_primary),
        ("P", session.subscribed),
        ("x", session.queue is not None),
        ("b", session.held),
        ("t", tracking is not None),
        ("R", tracking is not None and tracking.broken),
        ("B", tracking is not None and tracking.broadcast),
        ("d", session.watch_broken),
        ("c", session.close_after_reply),
        ("U", session.unix_socket),
        ("r", session.readonly),
        ("e", session.no_evict),
        ("T", session.no_touch),
    )
    return "".join(letter for letter, applies in letters if applies) or "N"


def _size(words: Iterable[bytes]) -> int:
    return sum(len(word) for word in words)


def client_line(ctx: Context, session: Session) -> bytes:
    """One line of CLIENT LIST, without its line end."""
    queue = session.queue
    queued = sum(_size(words) for _, words in queue or ())
    running = _size(ctx.words) if session is ctx.session else 0
    waiting = _size(piece for piece in session.out)
    tracking = session.tracking
    fields: list[tuple[str, object]] = [
        ("id", session.id),
        ("addr", session.address),
        ("laddr", session.local_address),
        ("fd", session.fd),
        ("name", session.name.decode()),
        ("age", (ctx.now - session.created) // 1000),
        ("idle", (ctx.now - session.last_seen) // 1000),
        ("flags", _flags(session)),
        ("db", session.db.index),
        ("sub", len(session.channels)),
        ("psub", len(session.patterns)),
        ("ssub", len(session.shard_channels)),
        ("multi", -1 if queue is None else len(queue)),
        ("watch", len(session.watching)),
        ("qbuf", session.query_pending),
        ("qbuf-free", 0),  # the parser grows its buffer as it needs
        ("argv-mem", running),
        ("multi-mem", queued),
        ("rbs", waiting),
        ("rbp", max(session.unsent_peak, waiting)),
        ("obl", waiting),
        ("oll", int(session.unsent > 0)),  # what is not taken waits as one piece
        ("omem", session.unsent),
        (
            "tot-mem",
            SESSION_BYTES + session.query_pending + session.waiting_bytes + running + queued + waiting + session.unsent,
        ),
        ("events", "rw" if session.unsent else "r"),
        ("cmd", session.last_command),
        ("user", "(superuser)" if session.user is None else to_text(session.user.name)),
        ("redir", -1 if tracking is None else tracking.redirect),
        ("resp", 3 if session.resp3 else 2),
        ("lib-name", session.library_name.decode()),
        ("lib-ver", session.library_version.decode()),
    ]
    return " ".join(f"{name}={shown}" for name, shown in fields).encode("utf-8", "surrogateescape")


def _lines(ctx: Context, sessions: Iterable[Session]) -> Verbatim:
    return Verbatim(b"".join(client_line(ctx, session) + b"\n" for session in sessions))


def client_type(word: bytes) -> str:
    """A client's type from its name in either case. Raises ReplyError."""
    kind = _TYPES.get(word.upper())
    if kind is None:
        shown = word[:128].decode("utf-8", "surrogateescape")
        raise ReplyError(f"ERR Unknown client type '{shown}'")
    return kind


@command("CLIENT INFO", flags=_FLAGS, group="connection", since="6.2.0", tips=("nondeterministic_output",))
def client_info(ctx: Context) -> Verbatim:
    """Returns what is known of this connection, as a line of CLIENT LIST."""
    return _lines(ctx, [ctx.session])


@command(
    "CLIENT LIST",
    maybe(one_of("client-type", flag("NORMAL"), flag("MASTER"), flag("REPLICA"), flag("PUBSUB"), token="TYPE")),
    maybe(integer("client-id", many=True, token="ID")),
    flags=_ADMIN,
    group="connection",
    since="2.4.0",
    complexity="O(N) where N is the number of client connections",
    history={
        "2.8.12": "Added unique client `id` field.",
        "5.0.0": "Added optional `TYPE` filter.",
        "6.0.0": "Added `user` field.",
        "6.2.0": "Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` filter.",
        "7.0.0": "Added `resp`, `multi-mem`, `rbs` and `rbp` fields.",
        "7.0.3": "Added `ssub` field.",
        "7.2.0": "Added `lib-name` and `lib-ver` fields.",
        "7.4.0": "Added `watch` field.",
    },
    tips=("nondeterministic_output",),
    raw=True,  # one filter or the other, each with a text of its own for its faults
)
def client_list(ctx: Context, words: list[bytes]) -> Verbatim:
    """Returns the connections, one a line, oldest first; or those of a type, or with the given ids."""
    sessions = ctx.host.sessions
    filters = words[2:]
    if not filters:
        return _lines(ctx, sessions.values())
    option = filters[0].upper()
    if option == b"TYPE" and len(filters) == 2:
        kind = client_type(filters[1])
        return _lines(ctx, [session for session in sessions.values() if session.kind == kind])
    if option == b"ID" and len(filters) > 1:
        try:
            ids = [parse_int(word) for word in filters[1:]]
        except NotAnInteger:
            raise ReplyError("ERR Invalid client ID") from None
        return _lines(ctx, [sessions[number] for number in ids if number in sessions])
    raise SyntaxFault


@command(
    "CLIENT KILL",
    one_of(
        "filter",
        value("old-format"),
        one_of(
            "new-format",
            maybe(integer("client-id", token="ID")),
            maybe(
                one_of(
                    "client-type",
                    flag("NORMAL"),
                    flag("MASTER"),
                    flag("SLAVE"),
                    flag("REPLICA"),
                    flag("PUBSUB"),
                    token="TYPE",
                )
            ),
            maybe(value("username", token="USER")),
            maybe(value("addr", token="ADDR")),
            maybe(value("laddr", token="LADDR")),
            maybe(one_of("skipme", flag("YES"), flag("NO"), token="SKIPME")),
            maybe(integer("maxage", token="MAXAGE")),
            many=True,
        ),
    ),
    flags=_ADMIN,
    group="connection",
    since="2.4.0",
    complexity="O(N) where N is the number of client connections",
    history={
        "2.8.12": "Added new filter format and the `ID` option.",
        "3.2.0": "Added `master` type in for `TYPE` option.",
        "5.0.0": "Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward compatibility.",
        "6.2.0": "`LADDR` option.",
        "7.4.0": "`MAXAGE` option.",
    },
    arity=-3,  # every filter may be left out, but not all of them
    raw=True,  # an address, or pairs of filters, each with a text of its own for its faults
)
def client_kill(ctx: Context, words: list[bytes]) -> Reply:
    """Closes connections: the one from an address, or those that pass all filters, and then returns how many."""
    if len(words) == 3:
        for session in list(ctx.host.sessions.values()):
            if session.address.encode() == words[2]:
                ctx.host.kill(session)
                return OK
        raise ReplyError("ERR No such client")
    filters, skip_me = _filters(ctx, words[2:])
    killed = 0
    for session in list(ctx.host.sessions.values()):
        if (skip_me and session is ctx.session) or not all(passes(session) for passes in filters):
            continue
        ctx.host.kill(session)
        killed += 1
    return killed


def _filters(ctx: Context, words: list[bytes]) -> tuple[list[Filter], bool]:
    """Predicates from pairs of words, a later one in place of an earlier one, and SKIPME. Raises ReplyError."""
    filters: dict[bytes, Filter] = {}
    skip_me = True
    if len(words) % 2:
        words, odd = words[:-1], True
    else:
        odd = False
    for option, word in zip(words[::2], words[1::2], strict=True):
        name = option.upper()
        if name == b"SKIPME":
            if word.upper() not in (b"YES", b"NO"):
                raise SyntaxFault
            skip_me = word.upper() == b"YES"
            continue
        make = _FILTERS.get(name)
        if make is None:
            raise SyntaxFault
        filters[name] = make(ctx, word)
    if odd:
        raise SyntaxFault
    return list(filters.values()), skip_me


def _by_id(ctx: Context, word: bytes) -> Filter:
    try:
        number = parse_int(word)
    except NotAnInteger:
        number = 0
    if number < 1:
        raise ReplyError("ERR client-id should be greater than 0")
    return lambda session: session.id == number


def _by_type(ctx: Context, word: bytes) -> Filter:
    kind = client_type(word)
    return lambda session: session.kind == kind


def _by_user(ctx: Context, word: bytes) -> Filter:
    user = ctx.host.access.users.get(word)
    if user is None:
        raise ReplyError(f"ERR No such user '{to_text(word)}'")
    return lambda session: session.user is user


def _by_address(ctx: Context, word: bytes) -> Filter:
    return lambda session: session.address.encode() == word


def _by_local_address(ctx: Context, word: bytes) -> Filter:
    return lambda session: session.local_address.encode() == word


def _by_age(ctx: Context, word: bytes) -> Filter:
    try:
        seconds = parse_int(word)
    except NotAnInteger:
        raise ReplyError("ERR maxage is not an integer or out of range") from None
    if seconds < 1:
        raise ReplyError("ERR maxage should be greater than 0")
    now = ctx.now
    return lambda session: now // 1000 - session.created // 1000 >= seconds


_FILTERS: Final[dict[bytes, Callable[[Context, bytes], Filter]]] = {
    b"ID": _by_id,
    b"TYPE": _by_type,
    b"USER": _by_user,
    b"ADDR": _by_address,
    b"LADDR": _by_local_address,
    b"MAXAGE": _by_age,
}
