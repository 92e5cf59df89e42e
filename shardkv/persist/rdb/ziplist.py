"""Ziplists: what listpacks were before Redis 7.0. They are only read."""

from __future__ import annotations

from struct import Struct
from typing import Final

from ...values.damage import Malformed

_HEAD: Final = Struct("<IIH")
_UNCOUNTED: Final = 0xFFFF
_LONG: Final = 0xFE
_WIDTHS: Final = {0xC0: 2, 0xD0: 4, 0xE0: 8, 0xF0: 3, 0xFE: 1}
_from_bytes: Final = int.from_bytes


def decode(blob: bytes) -> list[bytes]:
    """The elements of a ziplist, integers as their texts. Raises Malformed for anything that is not whole."""
    size = len(blob)
    end = size - 1
    if size <= _HEAD.size:
        raise Malformed("a ziplist without a header")
    total, tail, count = _HEAD.unpack_from(blob)
    if total != size or blob[end] != 0xFF:
        raise Malformed("a ziplist of another size than it says")
    found: list[bytes] = []
    at = last = _HEAD.size
    before = 0
    try:
        while at < end:
            last = at
            if blob[at] < _LONG:
                said = blob[at]
                at += 1
            elif blob[at] == _LONG:
                said = _from_bytes(blob[at + 1 : at + 5], "little")
                at += 5
            else:
                raise Malformed("an element of a ziplist without a beginning")
            if said != before:
                raise Malformed("an element of a ziplist has another size before it")
            element, at = _element(blob, at)
            found.append(element)
            before = at - last
    except IndexError:
        raise Malformed("an element of a ziplist passes its end") from None
    if at != end or tail != last:
        raise Malformed("an element of a ziplist passes its end")
    if count != len(found) and count != _UNCOUNTED:
        raise Malformed("a ziplist with another number of elements than it says")
    return found


def _element(blob: bytes, at: int) -> tuple[bytes, int]:
    head = blob[at]
    if head < 0xC0:
        if head < 0x40:
            start = at + 1
            length = head
        elif head < 0x80:
            start = at + 2
            length = (head & 0x3F) << 8 | blob[at + 1]
        else:
            start = at + 5
            length = _from_bytes(blob[at + 1 : start])
        return blob[start : start + length], start + length
    width = _WIDTHS.get(head)
    if width is not None:
        start = at + 1
        return b"%d" % _from_bytes(blob[start : start + width], "little", signed=True), start + width
    if 0xF1 <= head <= 0xFD:
        return b"%d" % (head - 0xF1), at + 1
    raise Malformed(f"no element of a ziplist has the form {head:#04x}")
