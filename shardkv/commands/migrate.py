"""MIGRATE: keys go to another node, in one piece each, and are gone here once they are there.

The command reads the values and hands a ``Shipment`` to the world; the client waits (inside a transaction or script the
node does). Until the target has answered, writes to these keys wait as well (``engine.leaving``). What comes back is
``Outcome``, one answer for each key.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from ..errors import ReplyError, SyntaxFault
from ..persist.rdb.packing import Packing
from ..persist.rdb.payload import dump_packed
from ..resp.numbers import parse_int
from ..resp.replies import OK, Reply, Simple
from .context import Context
from .flags import AtIndex, AtKeyword, Flags, KeySpec, KeyUse, Range
from .grammar import block, flag, integer, key, maybe, one_of, value
from .session import Blocked
from .spec import command

_USE: Final = KeyUse.RW | KeyUse.ACCESS | KeyUse.DELETE
_DEFAULT_TIMEOUT: Final = 1000  # ms, for 0 and less
_REPLIED: Final = "ERR Target instance replied with error: "


@dataclass(frozen=True, slots=True)
class Shipment:
    """What is to be sent where. ``timeout`` in seconds, for each step; ``login``: the words of AUTH, or none.

    ``requests`` are RESTORE commands, one for each of ``keys``, for database ``database`` of the target.
    """

    host: bytes
    port: int
    database: int
    timeout: float
    login: tuple[bytes, ...]
    keys: tuple[bytes, ...]
    requests: tuple[tuple[bytes, ...], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went: ``fault`` says why nothing more can be known of the target (None: all is known); ``errors`` holds
    an answer for each key that was answered, in order: None for OK, or the target's error. ``refused``: what it said
    to AUTH or SELECT."""

    fault: str | None = None
    refused: str | None = None
    errors: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class _Wish:
    keys: tuple[bytes, ...]
    copy: bool
    replace: bool
    login: tuple[bytes, ...]


def _wish(words: list[bytes]) -> _Wish:
    """The options. Raises ReplyError."""
    keys: tuple[bytes, ...] = (words[3],)
    copy = replacing = False
    login: tuple[bytes, ...] = ()
    at = 6
    while at < len(words):
        word, left = words[at].upper(), len(words) - at - 1
        if word == b"COPY":
            copy = True
        elif word == b"REPLACE":
            replacing = True
        elif word == b"AUTH" and left >= 1:
            login = (b"AUTH", words[at + 1])
            at += 1
        elif word == b"AUTH2" and left >= 2:
            login = (b"AUTH", words[at + 1], words[at + 2])
            at += 2
        elif word == b"KEYS":
            if words[3]:
                raise ReplyError("ERR When using MIGRATE KEYS option, the key argument must be set to the empty string")
            keys = tuple(words[at + 1 :])
            break
        else:
            raise SyntaxFault
        at += 1
    return _Wish(tuple(dict.fromkeys(keys)), copy, replacing, login)


def _key_positions(words: list[bytes]) -> list[int]:
    """The keys behind KEYS if the one in its usual place is empty, as Redis finds them; else that one."""
    if not words[3]:
        at = 6
        while at < len(words):
            word = words[at].upper()
            if word == b"KEYS":
                return list(range(at + 1, len(words)))
            at += {b"AUTH": 2, b"AUTH2": 3}.get(word, 1)
    return [3]


@command(
    "MIGRATE",
    value("host"),
    integer("port"),
    replace(key("key", _USE), shown='<key|"">'),
    integer("destination-db"),
    integer("timeout"),
    maybe(flag("COPY")),
    maybe(flag("REPLACE")),
    maybe(
        one_of(
            "authentication",
            maybe(value("auth", token="AUTH", shown="password")),
            maybe(block("auth2", value("username"), value("password"), token="AUTH2")),
        )
    ),
    maybe(key("key", _USE, token="KEYS", many=True)),
    flags=Flags.WRITE,
    group="generic",
    since="2.6.0",
    complexity="O(N) for the N keys and what they hold",
    acl=("dangerous",),
    tips=("nondeterministic_output",),
    history={
        "3.0.0": "Added the `COPY` and `REPLACE` options.",
        "3.0.6": "Added the `KEYS` option.",
        "4.0.7": "Added the `AUTH` option.",
        "6.0.0": "Added the `AUTH2` option.",
    },
    # the keys stand in the third word, or behind KEYS
    keys=(
        KeySpec(_USE, AtIndex(3), Range(0)),
        KeySpec(_USE | KeyUse.INCOMPLETE, AtKeyword("KEYS", -2), Range(-1)),
    ),
    find_keys=_key_positions,
    raw=True,  # KEYS ends the options
)
def migrate(ctx: Context, words: list[bytes]) -> Reply:
    """Moves keys to another node, or copies them there."""
    wish = _wish(words)
    timeout = parse_int(words[5])
    database = parse_int(words[4])
    port = parse_int(words[2])
    verb = b"RESTORE-ASKING" if ctx.host.cluster is not None else b"RESTORE"
    tail = (b"REPLACE",) if wish.replace else ()
    keys: list[bytes] = []
    requests: list[tuple[bytes, ...]] = []
    packing = Packing.of(ctx.host.config)
    db = ctx.db
    for name in wish.keys:
        held = ctx.peek(name) if db.expiring else db.get(name)
        if held is not None:
            expires_at = db.expiry(name) if db.expiring else None
            ttl = b"0" if expires_at is None else b"%d" % max(1, expires_at - ctx.now)
            keys.append(name)
            requests.append((verb, name, ttl, dump_packed(held, packing), *tail))
    if not keys:
        return Simple("NOKEY")
    if not 0 < port < 65536:
        raise ReplyError("IOERR error or timeout connecting to the client")
    shipment = Shipment(
        words[1],
        port,
        database,
        (timeout if timeout > 0 else _DEFAULT_TIMEOUT) / 1000,
        wish.login,
        tuple(keys),
        tuple(requests),
    )
    return _carry_now(ctx, shipment, wish) if ctx.inside else _send_off(ctx, shipment, wish)


def _carry_now(ctx: Context, shipment: Shipment, wish: _Wish) -> Reply:
    """Inside a transaction or script nobody may see the middle: the whole node stands still, as Redis always does."""
    if ctx.host.cluster is not None:
        ctx.host.cluster.settle()  # that the slot is open must be on disk before a key goes
    reply = _settle(ctx, shipment, wish, ctx.host.world.ship_now(shipment))
    if isinstance(reply, ReplyError):
        raise reply
    return reply


def _send_off(ctx: Context, shipment: Shipment, wish: _Wish) -> Reply:
    """Let the client wait for the shipment to arrive."""
    db, session, words = ctx.db, ctx.session, ctx.words
    reply = ctx.block((), None, lambda ctx: None, ReplyError("IOERR error or timeout reading from target instance"))
    blocked: Blocked | None = session.blocked

    def landed(outcome: Outcome) -> None:
        port = ctx.host.cluster
        if port is not None and not port.lasting:
            # That the slot is open must be on disk, for without the mark the keys would seem never to have been.
            port.when_lasting(lambda: landed(outcome))
            return
        ctx.host.leaving.end(db, shipment.keys)
        answer = ctx.host.apart(db, words, lambda ctx: _settle(ctx, shipment, wish, outcome))
        if session.blocked is blocked and blocked is not None:
            ctx.host.waiting.end(session, answer)

    ctx.host.leaving.begin(db, shipment.keys)
    ctx.host.world.ship(shipment, landed)
    return reply


def _settle(ctx: Context, shipment: Shipment, wish: _Wish, outcome: Outcome) -> Any:
    """Delete what has arrived; the client's reply."""
    arrived = [name for name, error in zip(shipment.keys, outcome.errors, strict=False) if error is None]
    gone: list[bytes] = []
    if not wish.copy and outcome.refused is None:
        gone = [name for name in arrived if ctx.delete(name)]
    if gone:
        ctx.replicate(b"DEL", *gone)
    if outcome.refused is not None:
        return ReplyError(_REPLIED + outcome.refused)
    error = next((error for error in outcome.errors if error is not None), None)
    if error is not None:
        return ReplyError(_REPLIED + error)
    if outcome.fault is not None:
        return ReplyError(f"IOERR error or timeout {outcome.fault}")
    return OK
