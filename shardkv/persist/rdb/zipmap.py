"""Zipmaps: what small hashes were before Redis 2.6. They are only read."""

from __future__ import annotations

from typing import Final

from ...values.damage import Malformed

_LONG: Final = 0xFE
_END: Final = 0xFF


def decode(blob: bytes) -> list[bytes]:
    """Fields and values in turn. Raises Malformed for anything that is not whole."""
    found: list[bytes] = []
    at = 1
    end = len(blob) - 1
    if end < 1 or blob[end] != _END:
        raise Malformed("a zipmap without an end")
    try:
        while at < end:
            length, at = _length(blob, at)
            found.append(blob[at : at + length])
            at += length
            length, at = _length(blob, at)
            free = blob[at]
            at += 1
            found.append(blob[at : at + length])
            at += length + free
    except IndexError:
        raise Malformed("an element of a zipmap passes its end") from None
    if at != end:
        raise Malformed("an element of a zipmap passes its end")
    if blob[0] < _LONG and blob[0] * 2 != len(found):
        raise Malformed("a zipmap with another number of fields than it says")
    return found


def _length(blob: bytes, at: int) -> tuple[int, int]:
    first = blob[at]
    if first < _LONG:
        return first, at + 1
    if first == _LONG:
        return int.from_bytes(blob[at + 1 : at + 5], "little"), at + 5
    raise Malformed("an element of a zipmap without a length")
