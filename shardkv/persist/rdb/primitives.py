"""Lengths, strings and the check sum: what everything in RDB is made of.

Reading works on a ``bytes`` and a position and gives back the position behind what was read. Bytes that are missing
raise ``Short`` or IndexError (a slice that is cut off shows when the next byte is asked for), bytes that are wrong
raise ``Malformed``.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from anycrc import Model

from ...values.damage import Malformed
from . import opcodes
from .faults import Short
from .lzf import compress, decompress

crc64: Final[Callable[..., int]] = Model("CRC64-REDIS").calc
"""``crc64(data, so_far=0)``: Jones' CRC-64, begun at zero."""

_from_bytes: Final = int.from_bytes
_UINT32_BE: Final = Struct(">BI").pack
_UINT64_BE: Final = Struct(">BQ").pack
_INT8: Final = Struct("<Bb").pack
_INT16: Final = Struct("<Bh").pack
_INT32: Final = Struct("<Bi").pack

#: The first bytes of short strings, by length.
SHORT_HEADS: Final = [bytes((length,)) for length in range(64)]
#: Strings longer than this are worth compressing.
COMPRESS_MIN: Final = 20
#: Compression must save so many bytes.
_SAVING: Final = 4
_INTEGER_DIGITS: Final = 11

# ---- reading


def read_length(data: bytes, at: int) -> tuple[int, int]:
    """A length and the position behind it."""
    first = data[at]
    if first < opcodes.LENGTH_14:
        return first, at + 1
    if first < opcodes.LENGTH_32:
        return (first & 0x3F) << 8 | data[at + 1], at + 2
    if first == opcodes.LENGTH_32:
        end = at + 5
    elif first == opcodes.LENGTH_64:
        end = at + 9
    else:
        raise Malformed(f"no length begins with {first:#04x}")
    if end > len(data):
        raise Short(end)
    return _from_bytes(data[at + 1 : end]), end


def read_string(data: bytes, at: int) -> tuple[bytes, int]:
    """A string and the position behind it."""
    first = data[at]
    if first < opcodes.LENGTH_14:
        start = at + 1
        end = start + first
    elif first < opcodes.SPECIAL:
        length, start = read_length(data, at)
        end = start + length
    elif first == opcodes.LZF:
        return _read_compressed(data, at + 1)
    elif first <= opcodes.INT32:
        end = at + 1 + (1 << (first - opcodes.INT8))
        if end > len(data):
            raise Short(end)
        return b"%d" % _from_bytes(data[at + 1 : end], "little", signed=True), end
    else:
        raise Malformed(f"no string begins with {first:#04x}")
    if end > len(data):
        raise Short(end)
    return data[start:end], end


def _read_compressed(data: bytes, at: int) -> tuple[bytes, int]:
    held = data[at]  # the lengths that are common are read here: there are many such strings
    if held < opcodes.LENGTH_14:
        at += 1
    elif held < opcodes.LENGTH_32:
        held = (held & 0x3F) << 8 | data[at + 1]
        at += 2
    else:
        held, at = read_length(data, at)
    length = data[at]
    if length < opcodes.LENGTH_14:
        at += 1
    elif length < opcodes.LENGTH_32:
        length = (length & 0x3F) << 8 | data[at + 1]
        at += 2
    else:
        length, at = read_length(data, at)
    end = at + held
    if end > len(data):
        raise Short(end)
    return decompress(data[at:end], length), end


def read_fixed(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    """So many raw bytes and the position behind them."""
    end = at + size
    if end > len(data):
        raise Short(end)
    return data[at:end], end


def read_uint64(data: bytes, at: int) -> tuple[int, int]:
    """Eight bytes, little-endian, unsigned."""
    end = at + 8
    if end > len(data):
        raise Short(end)
    return _from_bytes(data[at:end], "little"), end


def read_time(data: bytes, at: int) -> tuple[int, int]:
    """A Unix time in milliseconds: eight bytes, little-endian, signed."""
    end = at + 8
    if end > len(data):
        raise Short(end)
    return _from_bytes(data[at:end], "little", signed=True), end


# ---- writing


def length_bytes(length: int) -> bytes:
    """A length."""
    if length < 1 << 6:
        return SHORT_HEADS[length]
    if length < 1 << 14:
        return (opcodes.LENGTH_14 << 8 | length).to_bytes(2)
    if length < 1 << 32:
        return _UINT32_BE(opcodes.LENGTH_32, length)
    return _UINT64_BE(opcodes.LENGTH_64, length)


def _integer_bytes(text: bytes) -> bytes | None:
    """A text of at most 11 bytes as an integer of 1, 2 or 4 bytes, if it is one in its canonical form."""
    try:
        number = int(text)
    except ValueError:
        return None
    if b"%d" % number != text:
        return None
    if -0x80 <= number < 0x80:
        return _INT8(opcodes.INT8, number)
    if -0x8000 <= number < 0x8000:
        return _INT16(opcodes.INT16, number)
    if -0x80000000 <= number < 0x80000000:
        return _INT32(opcodes.INT32, number)
    return None


def plain_string(text: bytes) -> bytes:
    """A string, never compressed."""
    length = len(text)
    if length <= _INTEGER_DIGITS and (text.isdigit() or text[:1] == b"-"):
        number = _integer_bytes(text)
        if number is not None:
            return number
    if length < 64:
        return SHORT_HEADS[length] + text
    return length_bytes(length) + text


def short_string(text: bytes) -> bytes:
    """A string, compressed if it is long enough and that makes it smaller."""
    length = len(text)
    if length > COMPRESS_MIN:
        return compressed_blob(text)
    if length <= _INTEGER_DIGITS and (text.isdigit() or text[:1] == b"-"):
        number = _integer_bytes(text)
        if number is not None:
            return number
    return SHORT_HEADS[length] + text


def plain_blob(blob: bytes) -> bytes:
    """A string of packed elements as it is."""
    return length_bytes(len(blob)) + blob


def compressed_blob(blob: bytes) -> bytes:
    """A string of packed elements, compressed if that makes it smaller."""
    length = len(blob)
    if length > COMPRESS_MIN:
        small = compress(blob, length - _SAVING)
        if small is not None:
            return b"\xc3" + length_bytes(len(small)) + length_bytes(length) + small
    return length_bytes(length) + blob
