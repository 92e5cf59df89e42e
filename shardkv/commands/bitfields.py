"""BITFIELD: numbers of any width up to 64 bits at any bit of a string."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..errors import ReplyError, SyntaxFault
from ..resp.numbers import parse_int
from ..values.bits import Overflow, as_unsigned, fitted, get_field, saturating, set_field
from .bitmaps import bit_offset, readable_bits, writable_bits
from .context import Context
from .flags import CHANGE, READ, Flags, KeyUse
from .grammar import block, flag, integer, key, maybe, one_of, value
from .spec import command

_GET: Final = block("get-block", value("encoding"), integer("offset"), token="GET")
_OVERFLOW: Final = maybe(one_of("overflow-block", flag("WRAP"), flag("SAT"), flag("FAIL"), token="OVERFLOW"))
_CHANGE: Final = one_of(
    "write-operation",
    block("set-block", value("encoding"), integer("offset"), integer("value"), token="SET"),
    block("incrby-block", value("encoding"), integer("offset"), integer("increment"), token="INCRBY"),
)
#: How many words follow a verb.
_WORDS: Final = {b"GET": 2, b"SET": 3, b"INCRBY": 3, b"OVERFLOW": 1}


@dataclass(frozen=True, slots=True)
class _Step:
    """One operation on one field."""

    verb: bytes  #: GET, SET or INCRBY
    signed: bool
    width: int
    offset: int
    number: int = 0
    overflow: Overflow = Overflow.WRAP


def _field_type(word: bytes) -> tuple[bool, int]:
    """Whether a type such as ``u8`` or ``i16`` is signed, and its width in bits."""
    try:
        width = parse_int(word[1:])
    except ReplyError:
        width = 0
    signed = word[:1] == b"i"
    if word[:1] not in (b"i", b"u") or not 1 <= width <= (64 if signed else 63):
        raise ReplyError(
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
        )
    return signed, width


def _steps(ctx: Context, words: list[bytes]) -> list[_Step]:
    """The operations behind the key, each checked whole before the next, as Redis does."""
    steps: list[_Step] = []
    overflow = Overflow.WRAP
    at = 2
    while at < len(words):
        verb = words[at].upper()
        count = _WORDS.get(verb)
        if count is None or at + count >= len(words):
            raise SyntaxFault
        if verb == b"OVERFLOW":
            name = words[at + 1].decode("latin-1").upper()
            if name not in Overflow.__members__:
                raise ReplyError("ERR Invalid OVERFLOW type specified")
            overflow = Overflow[name]
        else:
            signed, width = _field_type(words[at + 1])
            offset = bit_offset(ctx, words[at + 2], width)
            number = parse_int(words[at + 3]) if count == 3 else 0
            steps.append(_Step(verb, signed, width, offset, number, overflow))
        at += count + 1
    return steps


@command(
    "BITFIELD",
    key("key", CHANGE | KeyUse.VARIABLE_FLAGS),
    maybe(one_of("operation", _GET, block("write", _OVERFLOW, _CHANGE), many=True)),
    flags=Flags.WRITE | Flags.DENYOOM,
    group="bitmap",
    since="3.2.0",
    complexity="O(1) for each operation",
    raw=True,  # operations in an order that matters
)
def bitfield(ctx: Context, words: list[bytes]) -> list[int | None]:
    """Reads, sets and increments numbers of any width inside the string at a key."""
    steps = _steps(ctx, words)
    last = max((step.offset + step.width - 1 for step in steps if step.verb != b"GET"), default=None)
    if last is None:
        return _read(ctx, words[1], steps)
    name = words[1]
    data, longer = writable_bits(ctx, name, last)
    changes = 0
    replies: list[int | None] = []
    for step in steps:
        before = get_field(data, step.offset, step.width, signed=step.signed)
        if step.verb == b"GET":
            replies.append(before)
            continue
        after = _after(step, before)
        if after is None:
            replies.append(None)
            continue
        set_field(data, step.offset, step.width, after)
        replies.append(before if step.verb == b"SET" else after)
        if longer or after != before:
            changes += 1
    # A string that grew has changed even if every operation failed: replicas must have it too.
    if changes or longer:
        ctx.touch(name, "setbit", max(1, changes))
    return replies


def _after(step: _Step, before: int) -> int | None:
    """What a writing operation leaves in its field, or None if it fails."""
    if step.verb == b"INCRBY":
        number = before + step.number
    else:
        number = step.number if step.signed else as_unsigned(step.number)
        if step.signed and step.overflow is Overflow.SAT:
            number = saturating(number, step.width)
    return fitted(number, step.width, step.overflow, signed=step.signed)


def _read(ctx: Context, name: bytes, steps: list[_Step]) -> list[int | None]:
    text = readable_bits(ctx, name)
    return [get_field(text, step.offset, step.width, signed=step.signed) for step in steps]


@command(
    "BITFIELD_RO",
    key("key", READ),
    maybe(block("get-block", value("encoding"), integer("offset"), token="GET", many=True, each_token=True)),
    flags=Flags.READONLY | Flags.FAST,
    group="bitmap",
    since="6.0.0",
    complexity="O(1) for each operation",
    raw=True,  # the same operations as BITFIELD, some to be refused
)
def bitfield_ro(ctx: Context, words: list[bytes]) -> list[int | None]:
    """Reads numbers of any width inside the string at a key."""
    steps = _steps(ctx, words)
    if any(step.verb != b"GET" for step in steps):
        raise ReplyError("ERR BITFIELD_RO only supports the GET subcommand")
    return _read(ctx, words[1], steps)
