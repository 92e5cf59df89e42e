"""Set commands on one set, and SMOVE. Those that combine sets lie in ``set_algebra``."""

from __future__ import annotations

from typing import Any, Final

from ..errors import NotAnInteger, OutOfRange, ReplyError, SyntaxFault
from ..resp.numbers import INT64_MAX, INT64_MIN, parse_int
from ..resp.replies import NO_REPLY, SetReply
from ..values.sets import SetValue
from .context import Context
from .digest import digests, xor
from .element_scan import scan_options
from .flags import READ, Flags, KeyUse
from .grammar import integer, key, maybe, pattern, value
from .scan import parse_cursor
from .spec import command

_READS: Final = Flags.READONLY | Flags.FAST
_READ_KEY: Final = key("key", READ)
_RANDOM: Final = ("nondeterministic_output",)

#: Where fewer than one member in so many stays, SPOP makes a new set of them instead of taking out all others.
_MOVE: Final = 5
#: Members named in one propagated SREM.
_BATCH: Final = 1024


# ---- writing


@command(
    "SADD",
    key("key", KeyUse.RW | KeyUse.INSERT),
    value("member", many=True),
    flags=Flags.WRITE | Flags.DENYOOM | Flags.FAST,
    group="set",
    since="1.0.0",
    complexity="O(N) for N members that are added",
    history={"2.4.0": "Accepts multiple `member` arguments."},
)
def sadd(ctx: Context, name: bytes, *members: bytes) -> int:
    """Adds members to a set and tells how many are new."""
    held = ctx.find(name, SetValue)
    limits = ctx.host.config
    if held is None:
        held = SetValue.of(members, limits)
        ctx.create(name, held)
        count = len(held)
    elif len(members) == 1:
        count = int(held.add(members[0], limits))
    else:
        held.expect(len(members), limits)
        count = sum(held.add(member, limits) for member in members)
    if count:
        ctx.touch(name, "sadd", count)
    return count


@command(
    "SREM",
    key("key", KeyUse.RW | KeyUse.DELETE),
    value("member", many=True),
    flags=Flags.WRITE | Flags.FAST,
    group="set",
    since="1.0.0",
    complexity="O(N) for N members that are removed",
    history={"2.4.0": "Accepts multiple `member` arguments."},
)
def srem(ctx: Context, name: bytes, *members: bytes) -> int:
    """Removes members from a set and tells how many there were; the key goes with the last one."""
    held = ctx.find(name, SetValue)
    if held is None:
        return 0
    count = sum(map(held.remove, members))
    if count:
        ctx.touch(name, "srem", count)
        _forget_if_empty(ctx, name, held)
    return count


def _forget_if_empty(ctx: Context, name: bytes, held: SetValue) -> None:
    if not len(held):
        ctx.db.remove(name)
        ctx.touch(name, "del", 0)


@command(
    "SMOVE",
    key("source", KeyUse.RW | KeyUse.ACCESS | KeyUse.DELETE),
    key("destination", KeyUse.RW | KeyUse.INSERT),
    value("member"),
    flags=Flags.WRITE | Flags.FAST,
    group="set",
    since="1.0.0",
)
def smove(ctx: Context, source: bytes, destination: bytes, member: bytes) -> int:
    """Moves a member from one set to another."""
    if ctx.peek(source) is None:
        return 0  # whatever the destination holds
    held = ctx.find(source, SetValue)
    target = ctx.find(destination, SetValue)
    assert held is not None
    if held is target:
        return int(member in held)
    if not held.remove(member):
        return 0
    ctx.touch(source, "srem")
    _forget_if_empty(ctx, source, held)
    if target is None:
        ctx.create(destination, SetValue.of((member,), ctx.host.config))
    elif not target.add(member, ctx.host.config):
        return 1
    ctx.touch(destination, "sadd")
    return 1


@command(
    "SPOP",
    key("key", KeyUse.RW | KeyUse.ACCESS | KeyUse.DELETE),
    maybe(integer("count")),
    flags=Flags.WRITE | Flags.FAST,
    group="set",
    since="1.0.0",
    complexity="O(N) for N members that are removed",
    history={"3.2.0": "Added the `count` argument."},
    tips=_RANDOM,
    raw=True,  # the common form needs no parser
)
def spop(ctx: Context, words: list[bytes]) -> Any:
    """Removes random members from a set and returns them; the key goes with the last one."""
    name = words[1]
    if len(words) > 2:
        if len(words) > 3:
            raise SyntaxFault
        return SetReply(_pop_many(ctx, name, words[2]))
    held = ctx.find(name, SetValue)
    if held is None:
        return None
    member = held.pop(ctx.host.rng)
    ctx.touch(name, "spop")
    _forget_if_empty(ctx, name, held)
    ctx.replicate(b"SREM", name, member)
    return member


def _pop_many(ctx: Context, name: bytes, word: bytes) -> list[bytes]:
    try:
        count = parse_int(word)
    except NotAnInteger:
        count = -1
    if count < 0:
        raise OutOfRange("ERR value is out of range, must be positive")
    held = ctx.find(name, SetValue)
    if held is None or not count:
        return []
    left = len(held) - count
    if left <= 0:
        members = list(held)
        ctx.touch(name, "spop", len(members))
        ctx.db.remove(name)
        ctx.touch(name, "del", 0)
        ctx.replicate(b"DEL", name)
        return members
    if left * _MOVE > count:
        members = held.sample(ctx.host.rng, count)
        for member in members:
            held.remove(member)
    else:
        members = _keep_few(ctx, name, held, left)
    ctx.touch(name, "spop", count)
    for start in range(0, count, _BATCH):
        ctx.replicate(b"SREM", name, *members[start : start + _BATCH])
    return members


def _keep_few(ctx: Context, name: bytes, held: SetValue, left: int) -> list[bytes]:
    """Put a new set of ``left`` random members in place of the old one; those that are not in it."""
    kept = dict.fromkeys(held.sample(ctx.host.rng, left))
    members = [member for member in held if member not in kept]
    make = SetValue.packed if held.numbers is None else SetValue.collected
    ctx.db.put(name, make(kept, ctx.host.config))
    return members


# ---- asking


@command("SCARD", key("key", KeyUse.RO), flags=_READS, group="set", since="1.0.0")
def scard(ctx: Context, name: bytes) -> int:
    """Tells how many members a set has."""
    held = ctx.read(name, SetValue)
    return 0 if held is None else len(held)


@command("SISMEMBER", key("key", KeyUse.RO), value("member"), flags=_READS, group="set", since="1.0.0")
def sismember(ctx: Context, name: bytes, member: bytes) -> int:
    """Tells whether something is a member of a set."""
    held = ctx.read(name, SetValue)
    return int(held is not None and member in held)


@command(
    "SMISMEMBER",
    _READ_KEY,
    value("member", many=True),
    flags=_READS,
    group="set",
    since="6.2.0",
    complexity="O(N) for N members that are asked for",
)
def smismember(ctx: Context, name: bytes, *members: bytes) -> list[int]:
    """Tells for several things whether they are members of a set."""
    held = ctx.read(name, SetValue)
    if held is None:
        return [0] * len(members)
    return [int(member in held) for member in members]


@command(
    "SMEMBERS",
    _READ_KEY,
    flags=Flags.READONLY,
    group="set",
    since="1.0.0",
    complexity="O(N) for N members of the set",
    tips=("nondeterministic_output_order",),
)
def smembers(ctx: Context, name: bytes) -> SetReply:
    """Returns all members of a set."""
    held = ctx.read(name, SetValue)
    return SetReply([] if held is None else list(held))


@command(
    "SRANDMEMBER",
    _READ_KEY,
    maybe(integer("count")),
    flags=Flags.READONLY,
    group="set",
    since="1.0.0",
    complexity="O(N) for N members that are returned",
    history={"2.6.0": "Added the optional `count` argument."},
    tips=_RANDOM,
    raw=True,  # the common form needs no parser
)
def srandmember(ctx: Context, words: list[bytes]) -> Any:
    """Returns random members of a set: different ones, or just as many as are asked for if the count is negative."""
    rng = ctx.host.rng
    if len(words) == 2:
        held = ctx.read(words[1], SetValue)
        return None if held is None else held.pick(rng)
    if len(words) > 3:
        raise SyntaxFault
    count = parse_int(words[2])
    if count == INT64_MIN:
        raise ReplyError(f"ERR value is out of range, value must between {-INT64_MAX} and {INT64_MAX}")
    held = ctx.read(words[1], SetValue)
    if held is None or not count:
        return []
    if count < 0:
        return [held.pick(rng) for _ in range(-count)] if ctx.admits(-count) else NO_REPLY
    if count >= len(held):
        return list(held)
    return held.sample(rng, count)


@command(
    "SSCAN",
    _READ_KEY,
    value("cursor"),
    maybe(pattern("pattern", token="MATCH")),
    maybe(integer("count", token="COUNT")),
    flags=Flags.READONLY,
    group="set",
    since="2.8.0",
    complexity="O(1) for every call, O(N) for a whole walk over N members",
    tips=_RANDOM,
    raw=True,  # the cursor is judged before the key, the options after it
)
def sscan(ctx: Context, words: list[bytes]) -> list[Any]:
    """Walks over the members of a set, some at a time."""
    cursor = parse_cursor(words[2])
    held = ctx.read(words[1], SetValue)
    if held is None:
        return [b"0", []]
    options = scan_options(words)
    after, found = held.scan(cursor, options.count)
    matches = options.matches
    return [b"%d" % after, [member for member in found if matches is None or matches(member)]]


@digests(SetValue, 2)
def _digest(digest: bytes, held: SetValue) -> bytes:
    for member in held:
        digest = xor(digest, member)
    return digest
