"""List commands on one key. What moves elements between keys is in ``list_moves``, what waits in ``list_blocking``."""

from __future__ import annotations

from typing import Any, Final

from ..errors import OutOfRange, ReplyError, SyntaxFault
from ..resp.numbers import INT64_MAX, parse_int
from ..resp.replies import OK, NullArray, Simple
from ..values.lists import ListValue
from .context import Context
from .digest import digests, mix
from .flags import READ, Flags, KeyUse
from .grammar import flag, integer, key, maybe, one_of, value
from .spec import command

_INSERT: Final = KeyUse.RW | KeyUse.INSERT
TAKE: Final = KeyUse.RW | KeyUse.ACCESS | KeyUse.DELETE
_MANY: Final = {"2.4.0": "Takes several elements."}
_POP_COUNT: Final = {"6.2.0": "Takes a `count`."}


def fill_of(ctx: Context) -> int:
    """The limit of a list's node, as it stands now."""
    fill: int = ctx.host.config.list_max_listpack_size
    return fill


def taken(ctx: Context, name: bytes, held: ListValue, event: str, count: int = 1) -> None:
    """Touch a list that elements were taken from; an empty one is deleted."""
    ctx.touch(name, event, count)
    if not len(held):
        ctx.db.remove(name)
        ctx.touch(name, "del", 0)


@digests(ListValue, 1)
def _digest(digest: bytes, held: ListValue) -> bytes:
    for element in held.digest_items():
        digest = mix(digest, element)
    return digest


# ---- adding


def _pushed(ctx: Context, name: bytes, held: ListValue, event: str, count: int) -> int:
    """What follows from ``count`` elements more; the length."""
    size = len(held)
    if size == count > 1:
        held.rest()  # packed at once, what is made leaves no memory behind that is full of holes
    ctx.touch(name, event, count)
    return size


@command(
    "LPUSH",
    key("key", _INSERT),
    value("element", many=True),
    flags=Flags.WRITE | Flags.DENYOOM | Flags.FAST,
    group="list",
    since="1.0.0",
    complexity="O(1) for each element",
    history=_MANY,
)
def lpush(ctx: Context, name: bytes, *elements: bytes) -> int:
    """Puts elements before the first of a list, one after the other. Makes the list if there is none."""
    held = ctx.write(name, ListValue, ListValue)
    held.push_left(elements, ctx.host.config.list_max_listpack_size)
    return _pushed(ctx, name, held, "lpush", len(elements))


@command(
    "RPUSH",
    key("key", _INSERT),
    value("element", many=True),
    flags=Flags.WRITE | Flags.DENYOOM | Flags.FAST,
    group="list",
    since="1.0.0",
    complexity="O(1) for each element",
    history=_MANY,
)
def rpush(ctx: Context, name: bytes, *elements: bytes) -> int:
    """Puts elements behind the last of a list. Makes the list if there is none."""
    held = ctx.write(name, ListValue, ListValue)
    held.push_right(elements, ctx.host.config.list_max_listpack_size)
    return _pushed(ctx, name, held, "rpush", len(elements))


@command(
    "LPUSHX",
    key("key", _INSERT),
    value("element", many=True),
    flags=Flags.WRITE | Flags.DENYOOM | Flags.FAST,
    group="list",
    since="2.2.0",
    complexity="O(1) for each element",
    history={"4.0.0": "Takes several elements."},
)
def lpushx(ctx: Context, name: bytes, *elements: bytes) -> int:
    """Puts elements before the first of a list that exists."""
    held = ctx.find(name, ListValue)
    if held is None:
        return 0
    held.push_left(elements, fill_of(ctx))
    ctx.touch(name, "lpush", len(elements))
    return len(held)


@command(
    "RPUSHX",
    key("key", _INSERT),
    value("element", many=True),
    flags=Flags.WRITE | Flags.DENYOOM | Flags.FAST,
    group="list",
    since="2.2.0",
    complexity="O(1) for each element",
    history={"4.0.0": "Takes several elements."},
)
def rpushx(ctx: Context, name: bytes, *elements: bytes) -> int:
    """Puts elements behind the last of a list that exists."""
    held = ctx.find(name, ListValue)
    if held is None:
        return 0
    held.push_right(elements, fill_of(ctx))
    ctx.touch(name, "rpush", len(elements))
    return len(held)


@command(
    "LINSERT",
    key("key", _INSERT),
    one_of("where", flag("BEFORE"), flag("AFTER")),
    value("pivot"),
    value("element"),
    flags=Flags.WRITE | Flags.DENYOOM,
    group="list",
    since="2.2.0",
    complexity="O(N) for N elements up to the pivot",
    raw=True,
)
def linsert(ctx: Context, words: list[bytes]) -> int:
    """Puts an element before or behind the first that equals a given one; -1 if none does."""
    _, name, where, pivot, element = words
    where = where.upper()
    if where not in (b"BEFORE", b"AFTER"):
        raise SyntaxFault
    held = ctx.find(name, ListValue)
    if held is None:
        return 0
    held.make_room((element,), fill_of(ctx))
    place = next(held.find(pivot), None)
    if place is None:
        return -1
    held.insert(place + (where == b"AFTER"), element, fill_of(ctx))
    ctx.touch(name, "linsert")
    return len(held)


@command(
    "LSET",
    key("key", KeyUse.RW | KeyUse.UPDATE),
    integer("index"),
    value("element"),
    flags=Flags.WRITE | Flags.DENYOOM,
    group="list",
    since="1.0.0",
    complexity="O(N) for N elements up to the index, O(1) at the ends",
    raw=True,  # the key is looked for before the index is read
)
def lset(ctx: Context, words: list[bytes]) -> Simple:
    """Replaces the element at an index."""
    _, name, index, element = words
    held = ctx.find(name, ListValue)
    if held is None:
        raise ReplyError("ERR no such key")
    place = parse_int(index)
    held.make_room((element,), fill_of(ctx))  # as Redis does, before it looks whether there is such an index
    size = len(held)
    if place < 0:
        place += size
    if not 0 <= place < size:
        raise OutOfRange("ERR index out of range")
    held.replace(place, element, fill_of(ctx))
    ctx.touch(name, "lset")
    return OK


# ---- taking


def count_of(word: bytes) -> int:
    """The count of a pop. Raises OutOfRange."""
    try:
        count = parse_int(word)
    except ReplyError:
        count = -1
    if count < 0:
        raise OutOfRange("ERR value is out of range, must be positive")
    return count


def _pop(ctx: Context, words: list[bytes], *, left: bool) -> Any:
    if len(words) == 2:
        held = ctx.find(words[1], ListValue)
        if held is None:
            return None
        fill = ctx.host.config.list_max_listpack_size
        element = held.pop_left(fill) if left else held.pop_right(fill)
        taken(ctx, words[1], held, "lpop" if left else "rpop")
        return element
    if len(words) > 3:
        raise ReplyError(f"ERR wrong number of arguments for '{ctx.command.name}' command")
    count = count_of(words[2])
    held = ctx.find(words[1], ListValue)
    if held is None:
        return NullArray
    if not count:
        return []
    elements = held.pop(count, fill_of(ctx), left=left)
    taken(ctx, words[1], held, "lpop" if left else "rpop", len(elements))
    return elements


@command(
    "LPOP",
    key("key", TAKE),
    maybe(integer("count")),
    flags=Flags.WRITE | Flags.FAST,
    group="list",
    since="1.0.0",
    complexity="O(N) for N elements taken",
    history=_POP_COUNT,
    raw=True,  # the count has an error text of its own
)
def lpop(ctx: Context, words: list[bytes]) -> Any:
    """Takes the first elements of a list. An empty list is deleted."""
    return _pop(ctx, words, left=True)


@command(
    "RPOP",
    key("key", TAKE),
    maybe(integer("count")),
    flags=Flags.WRITE | Flags.FAST,
    group="list",
    since="1.0.0",
    complexity="O(N) for N elements taken",
    history=_POP_COUNT,
    raw=True,  # the count has an error text of its own
)
def rpop(ctx: Context, words: list[bytes]) -> Any:
    """Takes the last elements of a list. An empty list is deleted."""
    return _pop(ctx, words, left=False)


@command(
    "LREM",
    key("key", KeyUse.RW | KeyUse.DELETE),
    integer("count"),
    value("element"),
    flags=Flags.WRITE,
    group="list",
    since="1.0.0",
    complexity="O(N+M) for N elements of which M go",
    raw=True,
)
def lrem(ctx: Context, words: list[bytes]) -> int:
    """Takes out equal elements: the first so many, the last so many (a negative count), or (0) all."""
    _, name, word, element = words
    count = parse_int(word)
    held = ctx.find(name, ListValue)
    if held is None:
        return 0
    removed = held.remove(element, count, fill_of(ctx))
    if removed:
        taken(ctx, name, held, "lrem", removed)
    return removed


@command(
    "LTRIM",
    key("key", KeyUse.RW | KeyUse.DELETE),
    integer("start"),
    integer("stop"),
    flags=Flags.WRITE,
    group="list",
    since="1.0.0",
    complexity="O(N) for N elements that go",
    raw=True,
)
def ltrim(ctx: Context, words: list[bytes]) -> Simple:
    """Keeps only a range of a list."""
    _, name, first, last = words
    start, stop = parse_int(first), parse_int(last)
    held = ctx.find(name, ListValue)
    if held is not None:
        start, end = span(start, stop, len(held))
        # As in Redis this counts as a change even when nothing goes.
        gone = held.trim(start, end, fill_of(ctx))
        taken(ctx, name, held, "ltrim", gone)
    return OK


# ---- looking


def span(start: int, stop: int, size: int) -> tuple[int, int]:
    """A range of indexes, both ends included and negative ones from the end, as a half-open range inside ``size``."""
    if start < 0:
        start = max(0, start + size)
    if stop < 0:
        stop += size
    if start > stop or start >= size:
        return size, size
    return start, min(stop + 1, size)


@command("LLEN", key("key", KeyUse.RO), flags=Flags.READONLY | Flags.FAST, group="list", since="1.0.0")
def llen(ctx: Context, name: bytes) -> int:
    """Returns how many elements a list has."""
    held = ctx.read(name, ListValue)
    return 0 if held is None else len(held)


@command(
    "LINDEX",
    key("key", READ),
    integer("index"),
    flags=Flags.READONLY,
    group="list",
    since="1.0.0",
    complexity="O(N) for N elements up to the index, O(1) at the ends",
    raw=True,  # the key is looked for before the index is read
)
def lindex(ctx: Context, words: list[bytes]) -> bytes | None:
    """Returns the element at an index."""
    held = ctx.read(words[1], ListValue)
    if held is None:
        return None
    place = parse_int(words[2])
    size = len(held)
    if place < 0:
        place += size
    return held.get(place) if 0 <= place < size else None


@command(
    "LRANGE",
    key("key", READ),
    integer("start"),
    integer("stop"),
    flags=Flags.READONLY,
    group="list",
    since="1.0.0",
    complexity="O(S+N) for an offset of S from the nearer end and N elements returned",
    raw=True,
)
def lrange(ctx: Context, words: list[bytes]) -> list[bytes]:
    """Returns a range of a list."""
    _, name, first, last = words
    start, stop = parse_int(first), parse_int(last)
    held = ctx.read(name, ListValue)
    if held is None:
        return []
    start, end = span(start, stop, len(held))
    return held.slice(start, end)


@command(
    "LPOS",
    key("key", READ),
    value("element"),
    maybe(integer("rank", token="RANK")),
    maybe(integer("num-matches", token="COUNT")),
    maybe(integer("len", token="MAXLEN")),
    flags=Flags.READONLY,
    group="list",
    since="6.0.6",
    complexity="O(N) for N elements looked at",
    raw=True,  # each option has error texts of its own
)
def lpos(ctx: Context, words: list[bytes]) -> Any:
    """Returns the indexes of elements that equal a given one."""
    rank, count, limit = _lpos_options(words)
    held = ctx.read(words[1], ListValue)
    if held is None:
        return None if count is None else []
    found: list[int] = []
    skip = abs(rank) - 1
    for place in held.find(words[2], backwards=rank < 0, limit=limit):
        if skip:
            skip -= 1
            continue
        if count is None:
            return place
        found.append(place)
        if len(found) == count:
            break
    return None if count is None else found


def _lpos_options(words: list[bytes]) -> tuple[int, int | None, int]:
    rank, count, limit = 1, None, 0
    for at in range(3, len(words), 2):
        token = words[at].upper()
        if token not in (b"RANK", b"COUNT", b"MAXLEN") or at + 1 == len(words):
            raise SyntaxFault
        if token == b"RANK":
            rank = parse_int(words[at + 1])
            if rank < -INT64_MAX:
                raise OutOfRange(f"ERR value is out of range, value must between {-INT64_MAX} and {INT64_MAX}")
            if not rank:
                raise ReplyError(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
                    "or use negative to start from the end of the list"
                )
        elif token == b"COUNT":
            count = _at_least_zero(words[at + 1], "COUNT")
        else:
            limit = _at_least_zero(words[at + 1], "MAXLEN")
    return rank, count, limit


def _at_least_zero(word: bytes, option: str) -> int:
    """A number that must not be negative; what is no number at all is told so as well."""
    try:
        number = parse_int(word)
    except ReplyError:
        number = -1
    if number < 0:
        raise ReplyError(f"ERR {option} can't be negative")
    return number
