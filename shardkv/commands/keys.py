"""Generic key commands: what a key is, where it lies, and that it goes.

Expiry times are in ``expiry``, walks over the keys in ``scan``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import ReplyError, SyntaxFault
from ..keyspace.slots import key_slot
from ..resp.numbers import parse_int
from ..resp.replies import OK, Simple
from ..values.kinds import copied, type_name
from .connection import has_one_database
from .context import Context
from .flags import CHANGE, READ, Flags, KeyUse
from .grammar import flag, integer, key, maybe
from .spec import command

if TYPE_CHECKING:
    from ..keyspace.database import Database

_SUM = ("request_policy:multi_shard", "response_policy:agg_sum")
_INT32 = 2**31
#: On a replica RANDOMKEY gives up looking for a key that has not expired after so many.
_RANDOM_TRIES = 100


def glance(ctx: Context, name: bytes) -> Any:
    """The live value of any type, without counting as a use of the key."""
    access, usage = ctx.db.access, ctx.db.usage
    slot = key_slot(name)
    kept = access[slot]
    kept_use = None if usage is None else usage.kept(slot, name)
    held = ctx.look(name)
    access[slot] = kept
    if usage is not None:
        usage.keep(slot, name, kept_use)
    return held


@contextmanager
def elsewhere(ctx: Context, database: Database) -> Iterator[None]:
    """Let the context's verbs work on another database for a while."""
    kept = ctx.db
    ctx.db = database
    try:
        yield
    finally:
        ctx.db = kept


def _int32(word: bytes) -> int:
    number = parse_int(word)
    if not -_INT32 <= number < _INT32:
        raise ReplyError(f"ERR value is out of range, value must between {-_INT32} and {_INT32 - 1}")
    return number


# ---- there or not


@command(
    "EXISTS",
    key("key", KeyUse.RO, many=True),
    flags=Flags.READONLY | Flags.FAST,
    group="generic",
    since="1.0.0",
    complexity="O(N) for N keys",
    history={"3.0.3": "Accepts multiple `key` arguments."},
    tips=_SUM,
)
def exists(ctx: Context, *names: bytes) -> int:
    """Counts how many of the keys exist; a key named twice counts twice."""
    return sum(glance(ctx, name) is not None for name in names)


@command("TYPE", key("key", KeyUse.RO), flags=Flags.READONLY | Flags.FAST, group="generic", since="1.0.0")
def type_(ctx: Context, name: bytes) -> Simple:
    """Tells the type of the value at a key, none without a key."""
    held = glance(ctx, name)
    return Simple("none" if held is None else type_name(held))


@command(
    "TOUCH",
    key("key", KeyUse.RO, many=True),
    flags=Flags.READONLY | Flags.FAST,
    group="generic",
    since="3.2.1",
    complexity="O(N) for N keys",
    tips=_SUM,
)
def touch(ctx: Context, *names: bytes) -> int:
    """Marks keys as just used and counts how many of them exist."""
    count = 0
    for name in names:
        if ctx.look(name) is not None:
            # Also for a client that said NO-TOUCH: it asks for it here.
            slot = key_slot(name)
            ctx.db.access[slot] = ctx.now // 1000
            if ctx.session.no_touch and ctx.db.usage is not None:
                ctx.db.usage.used(slot, name)
            count += 1
    return count


@command(
    "DEL",
    key("key", KeyUse.RM | KeyUse.DELETE, many=True),
    flags=Flags.WRITE,
    group="generic",
    since="1.0.0",
    complexity="O(N) for N keys",
    tips=_SUM,
)
def del_(ctx: Context, *names: bytes) -> int:
    """Deletes keys and counts how many of them existed."""
    return sum(map(ctx.delete, names))


@command(
    "UNLINK",
    key("key", KeyUse.RM | KeyUse.DELETE, many=True),
    flags=Flags.WRITE | Flags.FAST,
    group="generic",
    since="4.0.0",
    complexity="O(1) for each key; large values are freed in the background",
    tips=_SUM,
)
def unlink(ctx: Context, *names: bytes) -> int:
    """Deletes keys without waiting for their memory to be freed, and counts how many of them existed."""
    return sum(map(ctx.delete, names))


@command(
    "RANDOMKEY",
    flags=Flags.READONLY | Flags.ROAMING,
    group="generic",
    since="1.0.0",
    tips=("request_policy:all_shards", "nondeterministic_output"),
)
def randomkey(ctx: Context) -> bytes | None:
    """Returns a random key, or null when there are none."""
    tries = _RANDOM_TRIES if ctx.host.expiring.suspended else 0
    while (name := ctx.db.choose(ctx.host.rng)) is not None:
        tries -= 1
        if ctx.peek(name) is not None or tries == 0:
            return (
                name  # what has expired is gone after the look, if that is not suspended: then it may be all there is
            )
    return None


# ---- other names and places


@command(
    "RENAME",
    key("key", KeyUse.RW | KeyUse.ACCESS | KeyUse.DELETE),
    key("newkey", KeyUse.OW | KeyUse.UPDATE),
    flags=Flags.WRITE,
    group="generic",
    since="1.0.0",
    history={"3.2.0": "No longer an error when both names are the same."},
)
def rename(ctx: Context, name: bytes, new: bytes) -> Any:
    """Gives a key another name, in place of whatever has it."""
    _rename(ctx, name, new, replace=True)
    return OK


@command(
    "RENAMENX",
    key("key", KeyUse.RW | KeyUse.ACCESS | KeyUse.DELETE),
    key("newkey", KeyUse.OW | KeyUse.INSERT),
    flags=Flags.WRITE | Flags.FAST,
    group="generic",
    since="1.0.0",
    history={"3.2.0": "No longer an error when both names are the same."},
)
def renamenx(ctx: Context, name: bytes, new: bytes) -> int:
    """Gives a key another name, if no key has it."""
    return int(_rename(ctx, name, new, replace=False))


def _rename(ctx: Context, name: bytes, new: bytes, *, replace: bool) -> bool:
    """Whether the key has moved. Raises ReplyError without a key."""
    held = ctx.peek(name)
    if held is None:
        raise ReplyError("ERR no such key")
    if name == new:
        return False
    if ctx.peek(new) is not None:
        if not replace:
            return False
        ctx.db.discard(new)
    _settle(ctx, new, held, ctx.db.expiry(name))
    ctx.db.remove(name)
    ctx.touch(name, "rename_from")
    ctx.touch(new, "rename_to", changes=0)
    return True


def _settle(ctx: Context, name: bytes, held: Any, expires_at: int | None) -> None:
    """Store a value from somewhere else under a key that does not exist."""
    ctx.create(name, held)
    if expires_at is not None:
        ctx.expire_at(name, expires_at)


@command(
    "COPY",
    key("source", READ),
    key("destination", KeyUse.OW | KeyUse.UPDATE),
    maybe(integer("destination-db", token="DB")),
    maybe(flag("REPLACE")),
    flags=Flags.WRITE | Flags.DENYOOM,
    group="generic",
    since="6.2.0",
    complexity="O(N) for a collection of N elements",
    raw=True,  # a wrong number is told before a wrong word behind it
)
def copy(ctx: Context, words: list[bytes]) -> int:
    """Copies the value at a key, with its expiry, to another key."""
    source, destination = words[1:3]
    target, replace = _copy_options(ctx, words)
    here = ctx.db
    if target is here and source == destination:
        raise _same()
    held = ctx.look(source)
    if held is None:
        return 0
    expires_at = here.expiry(source)
    with elsewhere(ctx, target):
        if ctx.peek(destination) is not None:
            if not replace:
                return 0
            target.discard(destination)
        _settle(ctx, destination, copied(held), expires_at)
        ctx.touch(destination, "copy_to")
    return 1


def _copy_options(ctx: Context, words: list[bytes]) -> tuple[Database, bool]:
    target = ctx.db
    replace = False
    at, end = 3, len(words)
    while at < end:
        token = words[at].upper()
        if token == b"REPLACE":
            replace = True
        elif token == b"DB" and at + 1 < end:
            at += 1
            index = _int32(words[at])
            if has_one_database(ctx.host) and 0 < index < ctx.host.config.databases:
                raise ReplyError("ERR Copying to another database is not allowed in cluster mode")
            target = ctx.database(index)
        else:
            raise SyntaxFault
        at += 1
    return target, replace


@command(
    "MOVE",
    key("key", CHANGE),
    integer("db"),
    flags=Flags.WRITE | Flags.FAST,
    group="generic",
    since="1.0.0",
    raw=True,  # a cluster of one database refuses it whatever the number is
)
def move(ctx: Context, words: list[bytes]) -> int:
    """Moves a key to another database, unless it has such a key already."""
    _, name, number = words
    if has_one_database(ctx.host):
        raise ReplyError("ERR MOVE is not allowed in cluster mode")
    here = ctx.db
    target = ctx.database(_int32(number))
    if target is here:
        raise _same()
    held = ctx.peek(name)
    if held is None:
        return 0
    with elsewhere(ctx, target):
        if ctx.peek(name) is not None:
            return 0
        _settle(ctx, name, held, here.expiry(name))
    here.remove(name)
    ctx.touch(name, "move_from")
    with elsewhere(ctx, target):
        ctx.touch(name, "move_to", changes=0)
    return 1


def _same() -> ReplyError:
    return ReplyError("ERR source and destination objects are the same")
