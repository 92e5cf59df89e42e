"""MurmurHash64A, by which a HyperLogLog spreads its elements."""

from __future__ import annotations

from struct import unpack_from
from typing import Final

_MASK: Final = (1 << 64) - 1
_FACTOR: Final = 0xC6A4A7935BD1E995
_SHIFT: Final = 47


def murmur64(data: bytes, seed: int) -> int:
    """The 64-bit hash of ``data`` as a little-endian machine computes it."""
    length = len(data)
    whole = length >> 3
    mixed = (seed ^ (length * _FACTOR)) & _MASK
    for word in unpack_from(f"<{whole}Q", data):
        word = word * _FACTOR & _MASK
        word = (word ^ word >> _SHIFT) * _FACTOR & _MASK
        mixed = (mixed ^ word) * _FACTOR & _MASK
    if length & 7:
        mixed = (mixed ^ int.from_bytes(data[whole * 8 :], "little")) * _FACTOR & _MASK
    mixed = (mixed ^ mixed >> _SHIFT) * _FACTOR & _MASK
    return mixed ^ mixed >> _SHIFT
