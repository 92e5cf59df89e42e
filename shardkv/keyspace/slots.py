"""From a key to its hash slot.

CRC16/XMODEM of the key, or of its hash tag: the bytes between the first ``{`` and the first ``}`` after it, if there
are any.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Sequence
from itertools import repeat
from typing import Final

SLOT_COUNT: Final = 16384
SLOT_MASK: Final = SLOT_COUNT - 1


def hash_tag(key: bytes) -> bytes:
    """The part of ``key`` that is hashed."""
    start = key.find(b"{")
    if start < 0:
        return key
    end = key.find(b"}", start + 1)
    if end <= start + 1:
        return key
    return key[start + 1 : end]


def key_slot(key: bytes) -> int:
    """The slot (0 to 16383) of ``key``."""
    if 123 in key:  # "{": as an integer the search is three times cheaper than as bytes
        start = key.find(b"{") + 1  # what hash_tag does, without the price of a call
        end = key.find(b"}", start)
        if end > start:
            return crc_hqx(key[start:end], 0) & SLOT_MASK
    return crc_hqx(key, 0) & SLOT_MASK


def key_slots(keys: Sequence[bytes]) -> list[int]:
    """The slots of many keys."""
    if 123 in b"".join(keys):  # one of them may have a hash tag
        return list(map(key_slot, keys))
    return [crc & SLOT_MASK for crc in map(crc_hqx, keys, repeat(0))]
