"""Walks over the keys: KEYS all at once, SCAN in steps."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from ..errors import ReplyError, SyntaxFault
from ..keyspace.database import Database, glob_keys
from ..keyspace.slots import SLOT_MASK, key_slot
from ..resp.numbers import parse_int
from ..values.globs import glob, is_glob
from ..values.kinds import type_name
from .context import Context
from .flags import Flags
from .grammar import integer, maybe, pattern, value
from .spec import command

_PAGE: Final = 10
_CURSOR: Final = re.compile(rb"[+-]?[0-9]+")
_CURSOR_LIMIT: Final = 2**64
_CURSOR_DIGITS: Final = 20


def pattern_slot(text: bytes) -> int | None:
    """The only slot in which a key can match: that of a hash tag that stands before any wildcard. None: all of them."""
    start = text.find(b"{")
    end = text.find(b"}", start + 1)
    if start < 0 or end <= start + 1 or is_glob(text[:end]):
        return None
    return key_slot(text[: end + 1])


def _filter(text: bytes) -> Callable[[bytes], bool] | None:
    """The predicate of a pattern; None for a lone star, which takes even the empty key."""
    return None if text == b"*" else glob(text)


@command(
    "KEYS",
    pattern("pattern"),
    flags=Flags.READONLY,
    group="generic",
    since="1.0.0",
    complexity="O(N) for N keys in the database",
    acl=("dangerous",),  # it holds everybody else up
    tips=("request_policy:all_shards", "nondeterministic_output_order"),
)
def keys(ctx: Context, text: bytes) -> list[bytes]:
    """Returns all keys that match a pattern."""
    matches = _filter(text)
    db = ctx.db
    slot = pattern_slot(text)
    if slot is None:
        return glob_keys(db, matches or _any)
    names = [] if slot in db.hidden else db.keys_in_slot(slot, db.count_in_slot(slot))
    return [name for name in names if (matches is None or matches(name)) and not db.expired(name, slot)]


def _any(name: bytes) -> bool:
    return True


@command(
    "SCAN",
    value("cursor"),
    maybe(pattern("pattern", token="MATCH")),
    maybe(integer("count", token="COUNT")),
    maybe(value("type", token="TYPE")),
    flags=Flags.READONLY | Flags.ROAMING,
    group="generic",
    since="2.8.0",
    complexity="O(1) for every call, O(N) for a whole walk over N keys",
    history={"6.0.0": "Added the `TYPE` option."},
    tips=("nondeterministic_output", "request_policy:special"),
    raw=True,  # the cursor is judged first, then each option in its turn
)
def scan(ctx: Context, words: list[bytes]) -> list[Any]:
    """Walks over the keys of a database, some at a time."""
    cursor = parse_cursor(words[1])
    text, count, kind = _options(words)
    slot = None if text is None else pattern_slot(text)
    if slot is None:
        after, found = ctx.db.scan(cursor, count)
    else:
        after, found = _scan_slot(ctx.db, slot, cursor, count)
    matches = None if text is None else _filter(text)
    if matches is not None:
        found = [name for name in found if matches(name)]
    # Those that have expired are deleted on the way, of whatever type they are.
    held = [(name, value) for name in found if (value := ctx.peek(name)) is not None]
    return [b"%d" % after, [name for name, value in held if kind is None or type_name(value) == kind]]


def _scan_slot(db: Database, slot: int, cursor: int, count: int) -> tuple[int, list[bytes]]:
    """The walk over one slot; cursors are those of the whole walk."""
    if cursor & SLOT_MASK < slot:
        cursor = slot
    if cursor & SLOT_MASK > slot or not db.count_in_slot(slot):
        return 0, []
    found: list[bytes] = []
    while True:
        cursor, part = db.scan(cursor, 1)
        found.extend(part)
        # Only a cursor with an inner part goes on in this slot; one without is the begin of another, or the end.
        if cursor & SLOT_MASK != slot or not cursor >> 14:
            return 0, found
        if len(found) >= count:
            return cursor, found


def parse_cursor(word: bytes) -> int:
    """A cursor as C's strtoul reads it: empty is 0, a minus wraps around. Raises ReplyError."""
    if not word:
        return 0
    if _CURSOR.fullmatch(word) is None or len(word) > _CURSOR_DIGITS + 1:
        raise ReplyError("ERR invalid cursor")
    cursor = int(word)
    if abs(cursor) >= _CURSOR_LIMIT:
        raise ReplyError("ERR invalid cursor")
    return cursor % _CURSOR_LIMIT


def _options(words: list[bytes]) -> tuple[bytes | None, int, str | None]:
    text: bytes | None = None
    count = _PAGE
    kind: str | None = None
    at, end = 2, len(words)
    while at < end:
        token = words[at].upper()
        at += 1
        if at == end:
            raise SyntaxFault
        if token == b"MATCH":
            text = words[at]
        elif token == b"COUNT":
            count = parse_int(words[at])
            if count < 1:
                raise SyntaxFault
        elif token == b"TYPE":
            kind = words[at].decode("latin-1").lower()
        else:
            raise SyntaxFault
        at += 1
    return text, count, kind
