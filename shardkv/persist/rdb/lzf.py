"""LZF, the compression of strings in RDB.

A control byte below 32 means that so many bytes and one more follow as they are; any other that bytes are repeated
from up to 8 KiB before. The C extension of ``python-lzf`` does it when it is installed. Without it, decompression is
done here, and only strings that repeat one byte many times over are compressed: the search for anything else would cost
more in Python than writing the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from .faults import Malformed

try:
    import lzf as _c
except ImportError:
    _c = None

#: What three bytes of input can become at most: nothing that claims more is worth an allocation.
EXPANSION_MAX: Final = 264
_WINDOW: Final = 1 << 13
_LONGEST_COPY: Final = 264
_LONGEST_RUN: Final = 32
_SHORTEST_COPY: Final = 3

_REPEATS: Final = re.compile(rb"(.)\1{15}", re.DOTALL)


def decompress_python(data: bytes, length: int) -> bytes:
    """``data`` decompressed to exactly ``length`` bytes. Raises Malformed."""
    out = bytearray()
    at, size = 0, len(data)
    try:
        while at < size:
            control = data[at]
            at += 1
            if control < _LONGEST_RUN:
                end = at + control + 1
                if end > size:
                    raise Malformed("compressed data ends inside a run")
                out += data[at:end]
                at = end
            else:
                count = control >> 5
                if count == 7:
                    count += data[at]
                    at += 1
                count += 2
                start = len(out) - ((control & 31) << 8 | data[at]) - 1
                at += 1
                if start < 0:
                    raise Malformed("compressed data refers to what was before it")
                while count:  # the copy may overlap itself: then it repeats what it has just made
                    piece = out[start : start + count]
                    out += piece
                    count -= len(piece)
            if len(out) > length:
                raise Malformed("compressed data is longer than it says")
    except IndexError:
        raise Malformed("compressed data ends inside a copy") from None
    if len(out) != length:
        raise Malformed("compressed data is shorter than it says")
    return bytes(out)


def compress_python(data: bytes, room: int) -> bytes | None:
    """``data`` compressed to at most ``room`` bytes, or None."""
    out = bytearray()
    seen: dict[bytes, int] = {}
    size = len(data)
    at = start = 0
    while at + _SHORTEST_COPY <= size:
        three = data[at : at + 3]
        before = seen.get(three, -_WINDOW)
        seen[three] = at
        if at - before > _WINDOW or before < 0:
            at += 1
            continue
        count = _SHORTEST_COPY
        most = min(_LONGEST_COPY, size - at)
        while count < most and data[before + count] == data[at + count]:
            count += 1
        _put_run(out, data[start:at])
        back = at - before - 1
        if count - 2 < 7:
            out += bytes(((count - 2) << 5 | back >> 8, back & 0xFF))
        else:
            out += bytes((7 << 5 | back >> 8, count - 9, back & 0xFF))
        if len(out) > room:
            return None
        at += count
        start = at
    _put_run(out, data[start:])
    return bytes(out) if len(out) <= room else None


def _put_run(out: bytearray, run: bytes) -> None:
    for start in range(0, len(run), _LONGEST_RUN):
        piece = run[start : start + _LONGEST_RUN]
        out.append(len(piece) - 1)
        out += piece


def _compress_some(data: bytes, room: int) -> bytes | None:
    return compress_python(data, room) if _REPEATS.search(data) is not None else None


def _decompress_c(data: bytes, length: int) -> bytes:
    try:
        text: bytes | None = _c.decompress(data, length) if length else b""
    except ValueError:
        text = None
    if text is None or len(text) != length:
        raise Malformed("compressed data is damaged")
    return text


compress: Callable[[bytes, int], bytes | None] = _compress_some if _c is None else _c.compress
"""``compress(data, room)``: the data in at most ``room`` bytes, or None when it does not fit."""
_decompress: Callable[[bytes, int], bytes] = decompress_python if _c is None else _decompress_c


def decompress(data: bytes, length: int) -> bytes:
    """``data`` decompressed to exactly ``length`` bytes. Raises Malformed, and before anything else when the length is
    out of all proportion."""
    if length > len(data) * EXPANSION_MAX:
        raise Malformed("compressed data cannot be as long as it says")
    return _decompress(data, length)
