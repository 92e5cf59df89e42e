"""LZF, the compression of strings in RDB: liblzf's, with its answers checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lzf import compress as _compress
from lzf import decompress as _decompress

from ...values.damage import Malformed

#: What three bytes of input can become at most: nothing that claims more is worth an allocation.
EXPANSION_MAX: Final = 264

compress: Final[Callable[[bytes, int], bytes | None]] = _compress
"""``compress(data, room)``: the data in at most ``room`` bytes, or None when it does not fit."""


def decompress(data: bytes, length: int) -> bytes:
    """``data`` decompressed to exactly ``length`` bytes. Raises Malformed, and before anything else when the length is
    out of all proportion."""
    if length > len(data) * EXPANSION_MAX:
        raise Malformed("compressed data cannot be as long as it says")
    try:
        text: bytes | None = _decompress(data, length) if length else b""
    except ValueError:
        text = None
    if text is None or len(text) != length:
        raise Malformed("compressed data is damaged")
    return text
