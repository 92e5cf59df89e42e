"""List commands on several keys: elements go from one list to another, or come from the first that has any."""

from __future__ import annotations

from typing import Any, Final

from ..errors import ReplyError, SyntaxFault
from ..resp.numbers import parse_int
from ..resp.replies import NullArray
from ..values.lists import ListValue
from .context import Context
from .flags import Doc, Flags, KeyUse
from .grammar import Arg, flag, integer, key, maybe, one_of
from .lists import TAKE, fill_of, taken
from .spec import command

SOURCE: Final = key("source", TAKE)
DESTINATION: Final = key("destination", KeyUse.RW | KeyUse.INSERT)
COUNT: Final = maybe(integer("count", token="COUNT"))


def side(name: str) -> Arg:
    """The argument that names an end of a list."""
    return one_of(name, flag("LEFT"), flag("RIGHT"))


def is_left(word: bytes) -> bool:
    """Which end a word names. Raises SyntaxFault."""
    where = word.upper()
    if where == b"LEFT":
        return True
    if where == b"RIGHT":
        return False
    raise SyntaxFault


def move(ctx: Context, source: bytes, destination: bytes, *, from_left: bool, to_left: bool) -> bytes | None:
    """Take an element from one list and add it to another, or the same; the element, or None if there was none."""
    held = ctx.find(source, ListValue)
    if held is None:
        return None
    ctx.find(destination, ListValue)  # another type is refused before anything is taken
    fill = fill_of(ctx)
    if source == destination:
        element = held.rotate(fill, from_left=from_left, to_left=to_left)
    else:
        element = held.pop_left(fill) if from_left else held.pop_right(fill)
        target = ctx.write(destination, ListValue, ListValue)
        if to_left:
            target.push_left((element,), fill)
        else:
            target.push_right((element,), fill)
    ctx.touch(destination, "lpush" if to_left else "rpush")
    taken(ctx, source, held, "lpop" if from_left else "rpop")
    return element


@command(
    "LMOVE",
    SOURCE,
    DESTINATION,
    side("wherefrom"),
    side("whereto"),
    flags=Flags.WRITE | Flags.DENYOOM,
    group="list",
    since="6.2.0",
    raw=True,
)
def lmove(ctx: Context, words: list[bytes]) -> bytes | None:
    """Takes an element from one end of a list, adds it to an end of another, and returns it."""
    from_left, to_left = is_left(words[3]), is_left(words[4])
    return move(ctx, words[1], words[2], from_left=from_left, to_left=to_left)


@command(
    "RPOPLPUSH",
    SOURCE,
    DESTINATION,
    flags=Flags.WRITE | Flags.DENYOOM,
    group="list",
    since="1.2.0",
    doc_flags=Doc.DEPRECATED,
    replaced_by="`LMOVE` with the `RIGHT` and `LEFT` arguments",
    deprecated_since="6.2.0",
)
def rpoplpush(ctx: Context, source: bytes, destination: bytes) -> bytes | None:
    """Takes the last element of a list, puts it before the first of another, and returns it."""
    return move(ctx, source, destination, from_left=False, to_left=True)


def at_least_one(word: bytes, what: str) -> int:
    """A number that must be positive; ``what`` names it. Raises ReplyError."""
    try:
        number = parse_int(word)
    except ReplyError:
        number = 0
    if number < 1:
        raise ReplyError(f"ERR {what} should be greater than 0")
    return number


def pop_request(words: list[bytes], at: int, first: bytes, last: bytes) -> tuple[list[bytes], bool, int]:
    """The request ``numkeys key [key ...] <first | last> [COUNT count]`` from word ``at``: keys, whether first, count.

    Raises ReplyError.
    """
    after = at + 1 + at_least_one(words[at], "numkeys")
    if after >= len(words):
        raise SyntaxFault
    where = words[after].upper()
    if where not in (first, last):
        raise SyntaxFault
    rest = words[after + 1 :]
    if not rest:
        return words[at + 1 : after], where == first, 1
    if rest[0].upper() != b"COUNT" or len(rest) == 1:
        raise SyntaxFault
    count = at_least_one(rest[1], "count")
    if len(rest) > 2:
        raise SyntaxFault
    return words[at + 1 : after], where == first, count


def pop_first(ctx: Context, names: list[bytes], count: int, *, left: bool) -> list[Any] | None:
    """Take from the first list that exists; its key and the elements, or None if none does."""
    for name in names:
        held = ctx.find(name, ListValue)
        if held is not None:
            elements = held.pop(count, fill_of(ctx), left=left)
            taken(ctx, name, held, "lpop" if left else "rpop", len(elements))
            ctx.replicate(b"LPOP" if left else b"RPOP", name, b"%d" % len(elements))
            return [name, elements]
    return None


@command(
    "LMPOP",
    integer("numkeys"),
    key("key", TAKE, many=True),
    side("where"),
    COUNT,
    flags=Flags.WRITE,
    group="list",
    since="7.0.0",
    complexity="O(N+M) for N keys and M elements taken",
    raw=True,
)
def lmpop(ctx: Context, words: list[bytes]) -> Any:
    """Takes elements from the first list that exists."""
    names, left, count = pop_request(words, 1, b"LEFT", b"RIGHT")
    found = pop_first(ctx, names, count, left=left)
    return NullArray if found is None else found
