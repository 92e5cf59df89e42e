"""Small collections as one bytes object, written and read by msgpack in C.

A packed hash is a msgpack map, a packed set an array. Elements are msgpack's *raw* strings, whose header is a
single byte for up to 31 bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgpack import Packer, unpackb

#: Up to so many elements (pairs of a hash) a packed collection is read without unpacking it for good.
TINY: Final = 8

_FIX_MAP: Final = 0x80
_FIX_ARRAY: Final = 0x90
_FIX_END: Final = 0xA0

# One packer for all: making one costs more than packing with it, for each brings a buffer of its own.
_PACKER: Final = Packer(use_bin_type=False)

pack_map: Final[Callable[[dict[bytes, bytes]], bytes]] = _PACKER.pack
"""A dict, packed."""
pack_list: Final[Callable[[list[bytes]], bytes]] = _PACKER.pack
"""A list, packed."""


def unpack_map(data: bytes) -> dict[bytes, bytes]:
    """A new dict from what ``pack_map`` made."""
    return unpackb(data, raw=True)  # type: ignore[no-any-return]  # msgpack says Any


def unpack_list(data: bytes) -> list[bytes]:
    """A new list from what ``pack_list`` made."""
    return unpackb(data, raw=True)  # type: ignore[no-any-return]  # msgpack says Any


def packed_length(data: bytes) -> int:
    """How many elements (pairs of a map) are packed, from the header alone."""
    head = data[0]
    if _FIX_MAP <= head < _FIX_END:
        return head & 0x0F
    # 16 bits behind 0xDC and 0xDE, 32 bits behind 0xDD and 0xDF
    return int.from_bytes(data[1 : 5 if head & 1 else 3])
