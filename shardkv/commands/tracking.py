"""CLIENT TRACKING and its siblings: a client that caches what it reads is told when that has changed."""

from __future__ import annotations

from ..errors import ReplyError, SyntaxFault
from ..pubsub.tracking import Tracking
from ..resp.numbers import parse_int
from ..resp.replies import OK, Reply, SetReply, Simple
from . import client as client  # declares the container CLIENT
from .context import Context
from .flags import Flags
from .grammar import flag, integer, maybe, one_of, value
from .spec import command

_FLAGS = Flags.NOSCRIPT | Flags.LOADING | Flags.STALE


@command(
    "CLIENT TRACKING",
    one_of("status", flag("ON"), flag("OFF")),
    maybe(integer("client-id", token="REDIRECT")),
    maybe(value("prefix", token="PREFIX", many=True, each_token=True)),
    maybe(flag("BCAST")),
    maybe(flag("OPTIN")),
    maybe(flag("OPTOUT")),
    maybe(flag("NOLOOP")),
    flags=_FLAGS,
    group="connection",
    since="6.0.0",
    complexity="O(1). Some options may introduce additional complexity.",
    raw=True,  # the options are read, and refused, before ON or OFF is
)
def client_tracking(ctx: Context, words: list[bytes]) -> Simple:
    """Switches on or off that this connection is told when keys that it has read are changed."""
    wish, prefixes = _wish(ctx, words)
    status = words[2].upper()
    session = ctx.session
    table = ctx.host.messages.tracking
    if status == b"ON":
        session.tracking = table.turn_on(session.id, wish, prefixes)
    elif status == b"OFF":
        table.turn_off(session.id)
        session.tracking = None
    else:
        raise SyntaxFault
    session.refresh()
    ctx.host.limits.weigh(session)
    ctx.host.refresh_calm()
    return OK


def _wish(ctx: Context, words: list[bytes]) -> tuple[Tracking, list[bytes]]:
    """The options behind ON or OFF. Raises ReplyError."""
    wish = Tracking()
    prefixes: list[bytes] = []
    options = iter(words[3:])
    for option in map(bytes.upper, options):
        if option == b"BCAST":
            wish.broadcast = True
        elif option == b"OPTIN":
            wish.optin = True
        elif option == b"OPTOUT":
            wish.optout = True
        elif option == b"NOLOOP":
            wish.noloop = True
        else:
            given = next(options, None)
            if given is None or option not in (b"REDIRECT", b"PREFIX"):
                raise SyntaxFault
            if option == b"PREFIX":
                prefixes.append(given)
            else:
                wish.redirect = _redirect(ctx, given, wish.redirect)
    return wish, prefixes


def _redirect(ctx: Context, given: bytes, before: int) -> int:
    if before:
        raise ReplyError("ERR A client can only redirect to a single other client")
    client_id = parse_int(given)
    if client_id not in ctx.host.sessions:
        raise ReplyError("ERR The client ID you want redirect to does not exist")
    return client_id


@command(
    "CLIENT CACHING", one_of("mode", flag("YES"), flag("NO")), flags=_FLAGS, group="connection", since="6.0.0", raw=True
)
def client_caching(ctx: Context, words: list[bytes]) -> Simple:
    """Says whether what the next command reads will be cached."""
    tracking = ctx.session.tracking
    if tracking is None:
        raise ReplyError(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode "
            "enabled"
        )
    mode = words[2].upper()
    if mode == b"YES":
        if not tracking.optin:
            raise ReplyError("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
    elif mode == b"NO":
        if not tracking.optout:
            raise ReplyError("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
    else:
        raise SyntaxFault
    tracking.caching = True
    return OK


@command("CLIENT GETREDIR", flags=_FLAGS, group="connection", since="6.0.0")
def client_getredir(ctx: Context) -> int:
    """Returns which connection gets the messages about cached keys: 0 for this one, -1 when there is no tracking."""
    tracking = ctx.session.tracking
    return -1 if tracking is None else tracking.redirect


@command("CLIENT TRACKINGINFO", flags=_FLAGS, group="connection", since="6.2.0")
def client_trackinginfo(ctx: Context) -> Reply:
    """Returns how this connection is tracked."""
    tracking = ctx.session.tracking
    return {
        b"flags": SetReply([b"off"] if tracking is None else tracking.flags),
        b"redirect": -1 if tracking is None else tracking.redirect,
        b"prefixes": [] if tracking is None else sorted(tracking.prefixes),
    }
