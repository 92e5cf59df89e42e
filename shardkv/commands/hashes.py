"""Hash commands. What has to do with the expiry of fields lies in ``hash_expiry`` and ``hash_extended``."""

from __future__ import annotations

from typing import Any, Final

from ..errors import NotAFloat, ReplyError
from ..resp.longdouble import incr_by_float, parse_long_double
from ..resp.numbers import INT64_MAX, INT64_MIN, parse_int
from ..resp.replies import NO_REPLY, OK, Pairs, Simple
from ..values.hashes import HashValue
from .context import Context
from .digest import ZERO, digests, mix, xor
from .element_scan import scan_options
from .flags import CHANGE, READ, Doc, Flags, KeyUse
from .grammar import block, double, flag, integer, key, maybe, pattern, value
from .hash_fields import find_hash, forget_if_empty, is_due, peek_hash, read_hash, without_expired
from .scan import parse_cursor
from .spec import command

_ADDS: Final = Flags.WRITE | Flags.DENYOOM | Flags.FAST
_READS: Final = Flags.READONLY | Flags.FAST
_UPDATED: Final = key("key", KeyUse.RW | KeyUse.UPDATE)
_READ_KEY: Final = key("key", READ)
_PAIRS: Final = block("data", value("field"), value("value"), many=True)
_ANY_ORDER: Final = ("nondeterministic_output_order",)
_HALF: Final = INT64_MAX // 2
#: So often a random field is drawn for each that is wanted, before all that have expired are taken out.
_DRAWS: Final = 16


# ---- writing


def _set(ctx: Context, name: bytes, pairs: tuple[bytes, ...]) -> int:
    if len(pairs) & 1:
        raise ReplyError(f"ERR wrong number of arguments for '{ctx.command.name}' command")
    held = ctx.find(name, HashValue)
    if held is not None and held.times is not None:
        held = without_expired(ctx, name, held, pairs[::2])
    if held is None:
        held = HashValue.of(pairs, ctx.host.config)
        created = len(held)
        ctx.create(name, held)
    else:
        if held.rests:
            ctx.db.newborn.append(name)  # so that it is packed again
        created = held.update(pairs, ctx.host.config)
    ctx.touch(name, "hset", len(pairs) >> 1)
    return created


@command(
    "HSET",
    _UPDATED,
    _PAIRS,
    flags=_ADDS,
    group="hash",
    since="2.0.0",
    complexity="O(N) for N fields that are set",
    history={"4.0.0": "Accepts multiple `field` and `value` arguments."},
)
def hset(ctx: Context, name: bytes, *pairs: bytes) -> int:
    """Sets fields of a hash and tells how many of them are new."""
    return _set(ctx, name, pairs)


@command(
    "HMSET",
    _UPDATED,
    _PAIRS,
    flags=_ADDS,
    group="hash",
    since="2.0.0",
    complexity="O(N) for N fields that are set",
    doc_flags=Doc.DEPRECATED,
    replaced_by="`HSET` with multiple field-value pairs",
    deprecated_since="4.0.0",
)
def hmset(ctx: Context, name: bytes, *pairs: bytes) -> Simple:
    """Sets fields of a hash."""
    _set(ctx, name, pairs)
    return OK


@command(
    "HSETNX",
    key("key", KeyUse.RW | KeyUse.INSERT),
    value("field"),
    value("value"),
    flags=_ADDS,
    group="hash",
    since="2.0.0",
)
def hsetnx(ctx: Context, name: bytes, field: bytes, text: bytes) -> int:
    """Sets a field of a hash if it is not there yet."""
    held = find_hash(ctx, name, (field,))
    if held is None:
        ctx.create(name, HashValue.of((field, text), ctx.host.config))
    elif field in held:
        return 0
    else:
        held.update((field, text), ctx.host.config)
    ctx.touch(name, "hset")
    return 1


@command(
    "HDEL",
    key("key", KeyUse.RW | KeyUse.DELETE),
    value("field", many=True),
    flags=Flags.WRITE | Flags.FAST,
    group="hash",
    since="2.0.0",
    complexity="O(N) for N fields that are deleted",
    history={"2.4.0": "Accepts multiple `field` arguments."},
)
def hdel(ctx: Context, name: bytes, *fields: bytes) -> int:
    """Deletes fields of a hash and tells how many were there; the key goes with the last one."""
    held = find_hash(ctx, name, fields)
    if held is None:
        return 0
    deleted = sum(map(held.delete, fields))
    if deleted:
        ctx.touch(name, "hdel", deleted)
        forget_if_empty(ctx, name, held)
    return deleted


def _put(ctx: Context, name: bytes, held: HashValue | None, field: bytes, text: bytes) -> None:
    """Set one field; it keeps its time if it has one."""
    if held is None:
        ctx.create(name, HashValue.of((field, text), ctx.host.config))
    else:
        held.update((field, text), ctx.host.config, keep_times=True)


@command(
    "HINCRBY",
    key("key", CHANGE),
    value("field"),
    integer("increment"),
    flags=_ADDS,
    group="hash",
    since="2.0.0",
    raw=True,  # three plain words: cheaper than the parser
)
def hincrby(ctx: Context, words: list[bytes]) -> int:
    """Adds an integer to the one in a field of a hash, 0 without the field."""
    _, name, field, word = words
    by = parse_int(word)
    held = find_hash(ctx, name, (field,))
    old = None if held is None else held.get(field)
    total = by
    if old is not None:
        try:
            total += parse_int(old)
        except ReplyError:
            raise ReplyError("ERR hash value is not an integer") from None
    if not INT64_MIN <= total <= INT64_MAX:
        raise ReplyError("ERR increment or decrement would overflow")
    _put(ctx, name, held, field, b"%d" % total)
    ctx.touch(name, "hincrby")
    return total


@command(
    "HINCRBYFLOAT",
    key("key", CHANGE),
    value("field"),
    double("increment"),
    flags=_ADDS,
    group="hash",
    since="2.6.0",
    raw=True,  # the increment is an 80-bit number
)
def hincrbyfloat(ctx: Context, words: list[bytes]) -> bytes:
    """Adds a floating point number to the one in a field of a hash, 0 without the field."""
    _, name, field, by = words
    if parse_long_double(by) is None:
        raise ReplyError("ERR value is NaN or Infinity")
    held = find_hash(ctx, name, (field,))
    old = None if held is None else held.get(field)
    try:
        total = incr_by_float(b"0" if old is None else old, by)
    except NotAFloat:
        raise ReplyError("ERR hash value is not a float") from None
    _put(ctx, name, held, field, total)
    ctx.touch(name, "hincrbyfloat")
    # What the sum is depends on the arithmetic, so the result is what travels; HSET clears the field's time, so that
    # follows.
    ctx.replicate(b"HSET", name, field, total)
    at = None if held is None else held.expiry(field)
    if at is not None:
        ctx.replicate(b"HPEXPIREAT", name, b"%d" % at, b"FIELDS", b"1", field)
    return total


# ---- asking for fields


@command("HGET", _READ_KEY, value("field"), flags=_READS, group="hash", since="2.0.0")
def hget(ctx: Context, name: bytes, field: bytes) -> bytes | None:
    """Returns the value of a field of a hash."""
    held = read_hash(ctx, name, (field,))
    return None if held is None else held.get(field)


@command(
    "HMGET",
    _READ_KEY,
    value("field", many=True),
    flags=_READS,
    group="hash",
    since="2.0.0",
    complexity="O(N) for N fields",
)
def hmget(ctx: Context, name: bytes, *fields: bytes) -> list[bytes | None]:
    """Returns the values of fields of a hash."""
    held = read_hash(ctx, name, fields)
    if held is None:
        return [None] * len(fields)
    return held.get_many(fields)


@command("HEXISTS", key("key", KeyUse.RO), value("field"), flags=_READS, group="hash", since="2.0.0")
def hexists(ctx: Context, name: bytes, field: bytes) -> int:
    """Tells whether a hash has a field."""
    held = read_hash(ctx, name, (field,))
    return int(held is not None and field in held)


@command("HSTRLEN", key("key", KeyUse.RO), value("field"), flags=_READS, group="hash", since="3.2.0")
def hstrlen(ctx: Context, name: bytes, field: bytes) -> int:
    """Tells the length in bytes of the value of a field of a hash."""
    held = read_hash(ctx, name, (field,))
    text = None if held is None else held.get(field)
    return 0 if text is None else len(text)


@command("HLEN", key("key", KeyUse.RO), flags=_READS, group="hash", since="2.0.0")
def hlen(ctx: Context, name: bytes) -> int:
    """Tells how many fields a hash has. Of very many that expire together some are counted until they are gone."""
    held = peek_hash(ctx, name)
    return 0 if held is None else len(held)


# ---- asking for all of it


@command(
    "HGETALL",
    _READ_KEY,
    flags=Flags.READONLY,
    group="hash",
    since="2.0.0",
    complexity="O(N) for N fields of the hash",
    tips=_ANY_ORDER,
)
def hgetall(ctx: Context, name: bytes) -> dict[bytes, bytes]:
    """Returns all fields of a hash with their values."""
    held = read_hash(ctx, name)
    return {} if held is None else held.as_dict()


@command(
    "HKEYS",
    _READ_KEY,
    flags=Flags.READONLY,
    group="hash",
    since="2.0.0",
    complexity="O(N) for N fields of the hash",
    tips=_ANY_ORDER,
)
def hkeys(ctx: Context, name: bytes) -> list[bytes]:
    """Returns all fields of a hash."""
    held = read_hash(ctx, name)
    return [] if held is None else list(held.as_dict())


@command(
    "HVALS",
    _READ_KEY,
    flags=Flags.READONLY,
    group="hash",
    since="2.0.0",
    complexity="O(N) for N fields of the hash",
    tips=_ANY_ORDER,
)
def hvals(ctx: Context, name: bytes) -> list[bytes]:
    """Returns all values of a hash."""
    held = read_hash(ctx, name)
    return [] if held is None else list(held.as_dict().values())


@command(
    "HRANDFIELD",
    _READ_KEY,
    maybe(block("options", integer("count"), maybe(flag("WITHVALUES")))),
    flags=Flags.READONLY,
    group="hash",
    since="6.2.0",
    complexity="O(N) for N fields that are returned",
    tips=("nondeterministic_output",),
    raw=True,  # the count is judged before the number of words
)
def hrandfield(ctx: Context, words: list[bytes]) -> Any:
    """Returns random fields of a hash: different ones, or just as many as are asked for if the count is negative."""
    if len(words) == 2:
        held = peek_hash(ctx, words[1])
        if held is not None and is_due(ctx, held):
            drawn = _drawn(ctx, words[1], held, 1, different=True)
            return drawn[0] if drawn else None
        return None if held is None else held.pick(ctx.host.rng)
    count = _signed_count(words[2])
    with_values = len(words) == 4 and words[3].upper() == b"WITHVALUES"
    if len(words) > 3 and not with_values:
        raise ReplyError("ERR syntax error")
    if with_values and abs(count) > _HALF:
        raise ReplyError("ERR value is out of range")  # the reply would have more elements than can be counted
    held = peek_hash(ctx, words[1])
    if held is not None and count < 0 and not ctx.admits(-count):
        return NO_REPLY
    if held is None or not count:
        fields = []
    elif is_due(ctx, held):
        fields = _drawn(ctx, words[1], held, abs(count), different=count > 0)
    elif count < 0:
        fields = [held.pick(ctx.host.rng) for _ in range(-count)]
    elif count >= len(held):
        fields = list(held.as_dict())
    else:
        fields = held.sample(ctx.host.rng, count)
    if not with_values or held is None:
        return fields
    return Pairs(list(zip(fields, held.get_many(fields), strict=True)))


def _drawn(ctx: Context, name: bytes, held: HashValue, count: int, *, different: bool) -> list[bytes]:
    """Random fields of a large hash of which some have expired: such are drawn again, as long as that is cheap."""
    rng = ctx.host.rng
    wanted = min(count, len(held)) if different else count
    if not different or wanted * _DRAWS < len(held):
        found: list[bytes] = []
        seen: set[bytes] = set()
        for _ in range(wanted * _DRAWS):
            field = held.pick(rng)
            if is_due(ctx, held, field) or (different and field in seen):
                continue
            seen.add(field)
            found.append(field)
            if len(found) == wanted:
                return found
    whole = read_hash(ctx, name)
    if whole is None:
        return []
    if not different:
        return [whole.pick(rng) for _ in range(count)]
    return whole.sample(rng, min(count, len(whole)))


def _signed_count(word: bytes) -> int:
    count = parse_int(word)
    if count == INT64_MIN:
        raise ReplyError(f"ERR value is out of range, value must between {-INT64_MAX} and {INT64_MAX}")
    return count


@command(
    "HSCAN",
    _READ_KEY,
    value("cursor"),
    maybe(pattern("pattern", token="MATCH")),
    maybe(integer("count", token="COUNT")),
    maybe(flag("NOVALUES")),
    flags=Flags.READONLY,
    group="hash",
    since="2.8.0",
    complexity="O(1) for every call, O(N) for a whole walk over N fields",
    history={"7.4.0": "Added the `NOVALUES` option."},
    tips=("nondeterministic_output",),
    raw=True,  # the cursor is judged before the key, the options after it
)
def hscan(ctx: Context, words: list[bytes]) -> list[Any]:
    """Walks over the fields of a hash, some at a time."""
    cursor = parse_cursor(words[2])
    held = peek_hash(ctx, words[1])
    if held is None:
        return [b"0", []]
    options = scan_options(words, of_hash=True)
    after, found = held.scan(cursor, options.count)
    matches = options.matches
    some_due = is_due(ctx, held)
    page: list[bytes] = []
    for field, text in found.items():
        if (matches is None or matches(field)) and not (some_due and is_due(ctx, held, field)):
            page.append(field)
            if not options.no_values:
                page.append(text)
    return [b"%d" % after, page]


@digests(HashValue, 4)
def _digest(digest: bytes, held: HashValue) -> bytes:
    for field, text in held.as_dict().items():
        pair = mix(mix(ZERO, field), text)
        digest = xor(digest, pair if held.expiry(field) is None else xor(pair, b"!!hexpire!!"))
    return digest
