"""CLIENT LIST, INFO and KILL: the connections of the node, shown and chosen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..config.quoting import to_text
from ..errors import NotAnInteger, ReplyError
from ..resp.numbers import parse_int
from ..resp.replies import OK, Reply, Verbatim
from ..resp.sizes import request_size
from .client_filters import chosen, flags_of, is_option
from .context import Context
from .flags import Flags
from .grammar import flag, integer, maybe, one_of, value
from .session import SESSION_BYTES, Session
from .spec import command

_FLAGS = Flags.NOSCRIPT | Flags.LOADING | Flags.STALE
_ADMIN = _FLAGS | Flags.ADMIN
_YES_NO: Final = (flag("YES"), flag("NO"))
#: Filters that Valkey 8.1 and 9 have added to both, and the same with NOT- in front.
_LATER: Final = (
    maybe(integer("idle", token="IDLE")),
    maybe(value("flags", token="FLAGS")),
    maybe(value("client-name", token="NAME")),
    maybe(value("lib-name", token="LIB-NAME")),
    maybe(value("lib-ver", token="LIB-VER")),
    maybe(integer("db-id", token="DB")),
    maybe(value("capa", token="CAPA")),
    maybe(value("ip", token="IP")),
)


def _size(words: Iterable[bytes]) -> int:
    return sum(len(word) for word in words)


def client_line(ctx: Context, session: Session) -> bytes:
    """One line of CLIENT LIST, without its line end."""
    queue = session.queue
    queued = sum(_size(words) for _, words in queue or ())
    asks = session is ctx.session
    running = _size(ctx.words) if asks else 0
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
        ("flags", flags_of(session)),
        ("db", session.db.index),
        ("sub", len(session.channels)),
        ("psub", len(session.patterns)),
        ("ssub", len(session.shard_channels)),
        ("multi", -1 if queue is None else len(queue)),
        ("watch", len(session.watching)),
        ("qbuf", session.query_pending + (request_size(ctx.words) if asks else 0)),
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
            SESSION_BYTES
            + session.query_pending
            + session.waiting_bytes
            + session.names_bytes
            + running
            + queued
            + waiting
            + session.unsent,
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


@command("CLIENT INFO", flags=_FLAGS, group="connection", since="6.2.0", tips=("nondeterministic_output",))
def client_info(ctx: Context) -> Verbatim:
    """Returns what is known of this connection, as a line of CLIENT LIST."""
    return _lines(ctx, [ctx.session])


@command(
    "CLIENT LIST",
    maybe(one_of("client-type", flag("NORMAL"), flag("MASTER"), flag("REPLICA"), flag("PUBSUB"), token="TYPE")),
    maybe(integer("client-id", many=True, token="ID")),
    maybe(value("username", token="USER")),
    maybe(value("addr", token="ADDR")),
    maybe(value("laddr", token="LADDR")),
    maybe(one_of("skipme", *_YES_NO, token="SKIPME")),
    maybe(integer("maxage", token="MAXAGE")),
    *_LATER,
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
    raw=True,  # filters in any order, each with a text of its own for its faults
)
def client_list(ctx: Context, words: list[bytes]) -> Verbatim:
    """Returns the connections, one a line, oldest first; or those that pass all filters. Most filters may have NOT- in
    front."""
    sessions = ctx.host.sessions
    filters = words[2:]
    if not filters:
        return _lines(ctx, sessions.values())
    ids = _ids_alone(filters)
    if ids is not None:
        return _lines(ctx, [sessions[number] for number in ids if number in sessions])
    choice = chosen(ctx, filters)
    others = [session for session in sessions.values() if not (choice.skip_me and session is ctx.session)]
    return _lines(ctx, filter(choice.passes, others))


def _ids_alone(filters: list[bytes]) -> list[int] | None:
    """The ids of a list that asks for nothing else, as Redis has it. Raises ReplyError for what is none."""
    if filters[0].upper() != b"ID" or len(filters) < 2:
        return None
    try:
        return [parse_int(word) for word in filters[1:]]
    except NotAnInteger:
        if any(is_option(word) for word in filters[2:]):
            return None
        raise ReplyError("ERR Invalid client ID") from None


@command(
    "CLIENT KILL",
    one_of(
        "filter",
        value("old-format"),
        one_of(
            "new-format",
            maybe(integer("client-id", token="ID", many=True)),
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
            maybe(one_of("skipme", *_YES_NO, token="SKIPME")),
            maybe(integer("maxage", token="MAXAGE")),
            *_LATER,
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
    choice = chosen(ctx, words[2:])
    killed = 0
    for session in list(ctx.host.sessions.values()):
        if (choice.skip_me is not False and session is ctx.session) or not choice.passes(session):
            continue
        ctx.host.kill(session)
        killed += 1
    return killed
