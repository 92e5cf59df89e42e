"""Fields that have expired: they go when a command meets them, and in bounded steps when none does.

A command that asks for some fields takes those out that have expired; one that asks for all of a hash takes out every
one. Either way the deletion is propagated as HDEL before whatever the command itself does. What should cost the same
however large the hash is takes out a step's worth at most, and passes over the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ..values.hashes import HashValue
from .context import Context
from .host import Host

if TYPE_CHECKING:
    from ..keyspace.database import Database

#: Fields named in one HDEL.
BATCH: Final = 1024


def read_hash(ctx: Context, name: bytes, fields: Sequence[bytes] | None = None) -> HashValue | None:
    """The hash for a reading command that wants ``fields`` (None: everything), without what has expired.

    Raises WrongType.
    """
    held = ctx.read(name, HashValue)
    if held is not None and held.times is not None:
        return without_expired(ctx, name, held, fields)
    return held


def find_hash(ctx: Context, name: bytes, fields: Sequence[bytes] | None = None) -> HashValue | None:
    """The same for a writing command that makes no key."""
    held = ctx.find(name, HashValue)
    if held is not None and held.times is not None:
        return without_expired(ctx, name, held, fields)
    return held


def peek_hash(ctx: Context, name: bytes) -> HashValue | None:
    """The hash for a reading command that looks at a few fields of its own choice, or only at how many there are. Of
    very many some that have expired may still be in it (``is_due``). Raises WrongType."""
    held = ctx.read(name, HashValue)
    if held is None or held.times is None:
        return held
    if len(held) <= BATCH:
        return without_expired(ctx, name, held, None)
    now = ctx.db.now
    first = held.next_expiry
    if first is not None and first < now and not ctx.host.expiring.suspended:
        announce(ctx.host, ctx.db, name, held, held.expire_fields(now, BATCH))
    return held if len(held) else None


def is_due(ctx: Context, held: HashValue, field: bytes | None = None) -> bool:
    """Whether the time of a field, or of any, has passed."""
    at = held.next_expiry if field is None else held.expiry(field)
    return at is not None and at < ctx.db.now


def without_expired(ctx: Context, name: bytes, held: HashValue, fields: Sequence[bytes] | None) -> HashValue | None:
    """The hash with those of ``fields`` (None: all) taken out that have expired; None if that was the last of it."""
    now = ctx.db.now
    first = held.next_expiry
    if first is None or first >= now:
        return held
    if ctx.host.expiring.suspended and not ctx.command.is_write:
        # As nothing is deleted, the reader gets a hash of its own.
        if fields is not None:
            return held.among(now, fields)
        held = held.copy()
        while held.expire_fields(now, BATCH):
            pass
        return held if len(held) else None
    if fields is not None:
        gone = held.expire_among(now, fields)
        if gone:
            announce(ctx.host, ctx.db, name, held, gone)
    else:
        while gone := held.expire_fields(now, BATCH):
            announce(ctx.host, ctx.db, name, held, gone)
    return held if len(held) else None


def announce(host: Host, db: Database, name: bytes, held: HashValue, gone: Sequence[bytes]) -> None:
    """Bring about what follows from expired fields being gone. The key goes with its last field."""
    emptied = not len(held)
    if emptied:
        db.remove(name)
    db.dirty += len(gone)
    if host.attentive:
        host.attend(db, name, "hexpired")
        if emptied:
            host.attend(db, name, "del")
    host.propagation.add(db, [b"HDEL", name, *gone])


def note_expiry(db: Database, name: bytes, held: HashValue) -> None:
    """Let the active step know of a hash with fields that expire: whenever one is stored or given a time."""
    first = held.next_expiry
    if first is not None:
        db.note_fields(name, first)


def expire_fields(host: Host, db: Database, now: int, limit: int) -> bool:
    """Take out up to ``limit`` fields of the database whose time is before ``now``. True if more are due.

    A hash that was noted may be gone or have lost its fields' times: it is passed over, and counts as one field.
    """
    left = limit
    while left > 0:
        names = db.hash_times.due(now, 1)
        if not names:
            return False
        left -= 1
        held = db.get(names[0])
        if type(held) is not HashValue:
            continue
        gone = held.expire_fields(now, min(BATCH, left + 1))
        left -= len(gone)
        if gone:
            announce(host, db, names[0], held, gone)
        if len(held):
            note_expiry(db, names[0], held)
    first = db.hash_times.next
    return first is not None and first < now


def forget_if_empty(ctx: Context, name: bytes, held: HashValue) -> None:
    """Take a hash that lost its last field out of the keyspace."""
    if not len(held):
        ctx.db.remove(name)
        ctx.touch(name, "del", 0)
