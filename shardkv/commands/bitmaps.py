"""Bitmap commands: single bits, counts, searches and bitwise operations. Fields of bits are in ``bitfields``."""

from __future__ import annotations

from typing import Final

from ..errors import NotAnInteger, ReplyError, SyntaxFault
from ..resp.numbers import INT64_MAX, parse_int
from ..values.bits import OPERATIONS, Text, bit_text, combine, count_bits, find_bit, get_bit, grown, set_bit
from .context import Context
from .flags import CHANGE, READ, Flags, KeyUse
from .grammar import block, flag, integer, key, maybe, one_of, value
from .spec import command
from .strings import held_string

_UNIT: Final = one_of("unit", flag("BYTE"), flag("BIT"))
#: Operations that compare the first string with the others.
_AGAINST_FIRST: Final = frozenset({"DIFF", "DIFF1", "ANDOR"})


def bit_offset(ctx: Context, word: bytes, width: int = 0) -> int:
    """The place of a bit; ``#3`` is the fourth field of ``width`` bits (0: there are no such). Raises ReplyError."""
    counted = width > 0 and word.startswith(b"#")
    try:
        offset = parse_int(word[1:] if counted else word)
    except NotAnInteger:
        raise _bad_offset() from None
    if counted:
        offset *= width
    # What the primary has carried out is not judged again.
    if not 0 <= offset <= INT64_MAX or (
        offset >> 3 >= ctx.host.config.proto_max_bulk_len and not ctx.session.is_primary
    ):
        raise _bad_offset()
    return offset


def _bad_offset() -> ReplyError:
    return ReplyError("ERR bit offset is not an integer or out of range")


def readable_bits(ctx: Context, name: bytes) -> Text:
    """The string at a key for a reading command, empty without one. Raises WrongType."""
    held = held_string(ctx, name)
    return b"" if held is None else bit_text(held)


def writable_bits(ctx: Context, name: bytes, last: int) -> tuple[bytearray, bool]:
    """The string at a key, long enough for bit ``last``, and whether it had to grow or to be made. Raises WrongType."""
    held = ctx.find_string(name)
    length = (last >> 3) + 1
    if held is None:
        data = bytearray(length)
        ctx.create(name, data)
        return data, True
    before = len(bit_text(held))
    data = grown(held, length)
    if data is not held:
        ctx.db.put(name, data)
    return data, before < length


@command(
    "SETBIT",
    key("key", CHANGE),
    integer("offset"),
    value("value"),
    flags=Flags.WRITE | Flags.DENYOOM,
    group="bitmap",
    since="2.2.0",
    raw=True,  # the texts of the errors are its own
)
def setbit(ctx: Context, words: list[bytes]) -> int:
    """Sets or clears one bit of the string at a key, and returns the bit before."""
    _, name, place, wanted = words
    offset = bit_offset(ctx, place)
    if wanted not in (b"0", b"1"):
        raise ReplyError("ERR bit is not an integer or out of range")
    bit = wanted == b"1"
    data, longer = writable_bits(ctx, name, offset)
    before = get_bit(data, offset)
    if longer or before != bit:
        set_bit(data, offset, bit)
        ctx.touch(name, "setbit")
    return before


@command(
    "GETBIT",
    key("key", READ),
    integer("offset"),
    flags=Flags.READONLY | Flags.FAST,
    group="bitmap",
    since="2.2.0",
    raw=True,  # the text of the error is its own
)
def getbit(ctx: Context, words: list[bytes]) -> int:
    """Returns one bit of the string at a key, 0 behind its end."""
    offset = bit_offset(ctx, words[2])
    return get_bit(readable_bits(ctx, words[1]), offset)


def _in_bits(word: bytes) -> bool:
    """Whether a unit is BIT and not BYTE."""
    unit = word.upper()
    if unit not in (b"BIT", b"BYTE"):
        raise SyntaxFault
    return unit == b"BIT"


def _span(start: int, end: int, length: int, *, in_bits: bool) -> tuple[int, int]:
    """The first and the last bit of a range of bits or bytes in ``length`` bytes; last before first if it is empty."""
    size = length * 8 if in_bits else length
    start = max(0, start + size if start < 0 else start)
    end = min(size - 1, max(0, end + size if end < 0 else end))
    if start > end:
        return 0, -1
    return (start, end) if in_bits else (start * 8, end * 8 + 7)


@command(
    "BITCOUNT",
    key("key", READ),
    maybe(block("range", integer("start"), integer("end"), maybe(_UNIT))),
    flags=Flags.READONLY,
    group="bitmap",
    since="2.6.0",
    complexity="O(N) for N bytes counted",
    history={"7.0.0": "Added the `BYTE|BIT` option."},
    raw=True,  # words that come together or not at all
)
def bitcount(ctx: Context, words: list[bytes]) -> int:
    """Counts the bits that are set in the string at a key, or in a range of its bytes or bits."""
    start, end, in_bits = 0, -1, False
    if len(words) in (4, 5):
        start, end = parse_int(words[2]), parse_int(words[3])
        in_bits = len(words) == 5 and _in_bits(words[4])
    elif len(words) != 2:
        raise SyntaxFault
    text = readable_bits(ctx, words[1])
    if start < 0 and end < 0 and start > end:
        return 0
    first, last = _span(start, end, len(text), in_bits=in_bits)
    return count_bits(text, first, last) if first <= last else 0


@command(
    "BITPOS",
    key("key", READ),
    integer("bit"),
    maybe(block("range", integer("start"), maybe(block("end-unit-block", integer("end"), maybe(_UNIT))))),
    flags=Flags.READONLY,
    group="bitmap",
    since="2.8.7",
    complexity="O(N) for N bytes looked at",
    history={"7.0.0": "Added the `BYTE|BIT` option."},
    raw=True,  # the unit is judged before the end
)
def bitpos(ctx: Context, words: list[bytes]) -> int:
    """Finds the first bit that is 1, or 0, in the string at a key or in a range of it."""
    bit = parse_int(words[2])
    if bit not in (0, 1):
        raise ReplyError("ERR The bit argument must be 1 or 0.")
    count = len(words)
    if count > 6:
        raise SyntaxFault
    start = parse_int(words[3]) if count > 3 else 0
    in_bits = count == 6 and _in_bits(words[5])
    end = parse_int(words[4]) if count > 4 else -1
    held = held_string(ctx, words[1])
    if held is None:
        return -1 if bit else 0
    text = bit_text(held)
    first, last = _span(start, end, len(text), in_bits=in_bits)
    if first > last:
        return -1
    found = find_bit(text, bit, first, last)
    if found is not None:
        return found
    # Without an end the string is followed by zeros.
    return len(text) * 8 if bit == 0 and count < 5 else -1


@command(
    "BITOP",
    value("operation"),
    key("destkey", KeyUse.OW | KeyUse.UPDATE),
    key("key", READ, many=True),
    flags=Flags.WRITE | Flags.DENYOOM,
    group="bitmap",
    since="2.6.0",
    complexity="O(N) for N bytes of all the strings",
)
def bitop(ctx: Context, operation: bytes, target: bytes, *names: bytes) -> int:
    """Combines strings bit by bit, keeps the result at another key, and returns its length."""
    verb = operation.decode("latin-1").upper()
    if verb not in OPERATIONS:
        raise SyntaxFault
    if verb == "NOT" and len(names) != 1:
        raise ReplyError("ERR BITOP NOT must be called with a single source key.")
    if verb in _AGAINST_FIRST and len(names) < 2:
        raise ReplyError(f"ERR BITOP {verb} must be called with at least two source keys.")
    texts = [readable_bits(ctx, name) for name in names]
    made = combine(verb, texts)
    if made:
        ctx.store(target, made)
        ctx.touch(target, "set")
    else:
        ctx.drop(target)
    return len(made)
