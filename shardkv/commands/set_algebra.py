"""Sets combined: intersection, union, difference, as a reply, as a count, or stored under a key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..errors import ReplyError, SyntaxFault
from ..resp.numbers import parse_int
from ..resp.replies import SetReply
from ..values.intset import holds
from ..values.sets import SetValue
from .context import Context
from .flags import READ, Flags, KeyUse
from .grammar import integer, key, maybe
from .spec import command

_KEYS: Final = key("key", READ, many=True)
_DESTINATION: Final = key("destination", KeyUse.OW | KeyUse.UPDATE)
_STORES: Final = Flags.WRITE | Flags.DENYOOM
_ANY_ORDER: Final = ("nondeterministic_output_order",)
_MEETS: Final = "O(N*M) for N members of the smallest of M sets"
_ALL: Final = "O(N) for N members of all sets"


def _operands(ctx: Context, names: Sequence[bytes]) -> list[SetValue | None]:
    """The sets, None for each that is not there. Raises WrongType."""
    return [ctx.read(name, SetValue) for name in names]


# ---- the algebra


def intersection(sets: Sequence[SetValue | None], limit: int = 0) -> list[bytes]:
    """The members that all sets have, at most ``limit`` unless that is 0."""
    present = [held for held in sets if held is not None]
    if len(present) < len(sets):
        return []
    first, *others = sorted(present, key=len)
    if limit:
        return _first_common(first, others, limit)
    numbers = first.numbers
    if numbers is not None:
        arrays = [other.numbers for other in others]
        whole = [array for array in arrays if array is not None]
        if len(whole) == len(arrays):
            return [b"%d" % number for number in numbers if all(holds(array, number) for array in whole)]
    probes = [other.probe() for other in others]
    if len(probes) == 1:
        probe = probes[0]
        return [member for member in first if member in probe]
    return [member for member in first if all(member in probe for probe in probes)]


def _first_common(first: SetValue, others: Sequence[SetValue], limit: int) -> list[bytes]:
    probes = [other.probe() for other in others]
    found: list[bytes] = []
    for member in first:
        if all(member in probe for probe in probes):
            found.append(member)
            if len(found) == limit:
                break
    return found


def union(sets: Sequence[SetValue | None]) -> list[bytes]:
    """The members that any set has, each once."""
    found: dict[bytes, None] = {}
    for held in sets:
        if held is not None:
            found.update(dict.fromkeys(held))
    return list(found)


def difference(sets: Sequence[SetValue | None]) -> list[bytes]:
    """The members of the first set that no other has."""
    first = sets[0]
    if first is None:
        return []
    others = [held for held in sets[1:] if held is not None]
    if len(first) * len(others) // 2 <= len(first) + sum(map(len, others)):
        probes = [other.probe() for other in others]
        return [member for member in first if not any(member in probe for probe in probes)]
    left = dict.fromkeys(first)
    for other in others:
        for member in other:
            left.pop(member, None)
        if not left:
            break
    return list(left)


# ---- as a reply


@command("SINTER", _KEYS, flags=Flags.READONLY, group="set", since="1.0.0", complexity=_MEETS, tips=_ANY_ORDER)
def sinter(ctx: Context, *names: bytes) -> SetReply:
    """Returns the members that all sets have."""
    return SetReply(intersection(_operands(ctx, names)))


@command("SUNION", _KEYS, flags=Flags.READONLY, group="set", since="1.0.0", complexity=_ALL, tips=_ANY_ORDER)
def sunion(ctx: Context, *names: bytes) -> SetReply:
    """Returns the members that any of the sets has."""
    return SetReply(union(_operands(ctx, names)))


@command("SDIFF", _KEYS, flags=Flags.READONLY, group="set", since="1.0.0", complexity=_ALL, tips=_ANY_ORDER)
def sdiff(ctx: Context, *names: bytes) -> SetReply:
    """Returns the members of the first set that no other has."""
    return SetReply(difference(_operands(ctx, names)))


@command(
    "SINTERCARD",
    integer("numkeys"),
    _KEYS,
    maybe(integer("limit", token="LIMIT")),
    flags=Flags.READONLY,
    group="set",
    since="7.0.0",
    complexity=_MEETS,
    raw=True,  # how many keys there are is judged before the words behind them
)
def sintercard(ctx: Context, words: list[bytes]) -> int:
    """Counts the members that all sets have."""
    count = _number(words[1], 1, "ERR numkeys should be greater than 0")
    if count > len(words) - 2:
        raise ReplyError("ERR Number of keys can't be greater than number of args")
    limit = 0
    at, end = 2 + count, len(words)
    while at < end:
        if words[at].upper() != b"LIMIT" or at + 1 == end:
            raise SyntaxFault
        limit = _number(words[at + 1], 0, "ERR LIMIT can't be negative")
        at += 2
    return len(intersection(_operands(ctx, words[2 : 2 + count]), limit))


def _number(word: bytes, least: int, otherwise: str) -> int:
    try:
        number = parse_int(word)
    except ReplyError:
        raise ReplyError(otherwise) from None
    if number < least:
        raise ReplyError(otherwise)
    return number


# ---- stored


def _store(ctx: Context, destination: bytes, result: SetValue | None, event: str) -> int:
    """Put a result under a key, or delete the key when there is none."""
    if result is None:
        ctx.drop(destination)
        return 0
    ctx.store(destination, result)
    ctx.touch(destination, event)
    return len(result)


@command(
    "SINTERSTORE",
    key("destination", KeyUse.RW | KeyUse.UPDATE),  # its siblings overwrite (OW); the table of Redis has it so
    _KEYS,
    flags=_STORES,
    group="set",
    since="1.0.0",
    complexity=_MEETS,
)
def sinterstore(ctx: Context, destination: bytes, *names: bytes) -> int:
    """Stores the members that all sets have and tells how many there are."""
    found = intersection(_operands(ctx, names))
    return _store(ctx, destination, SetValue.compact(found, ctx.host.config) if found else None, "sinterstore")


@command("SUNIONSTORE", _DESTINATION, _KEYS, flags=_STORES, group="set", since="1.0.0", complexity=_ALL)
def sunionstore(ctx: Context, destination: bytes, *names: bytes) -> int:
    """Stores the members that any of the sets has and tells how many there are."""
    found = union(_operands(ctx, names))
    return _store(ctx, destination, SetValue.collected(found, ctx.host.config) if found else None, "sunionstore")


@command("SDIFFSTORE", _DESTINATION, _KEYS, flags=_STORES, group="set", since="1.0.0", complexity=_ALL)
def sdiffstore(ctx: Context, destination: bytes, *names: bytes) -> int:
    """Stores the members of the first set that no other has and tells how many there are."""
    found = difference(_operands(ctx, names))
    return _store(ctx, destination, SetValue.collected(found, ctx.host.config) if found else None, "sdiffstore")
