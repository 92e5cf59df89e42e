"""How much memory a key takes, as an estimate: the objects that Python keeps for it, with their share of a dict.

The allocator gives memory out in blocks of 16 bytes, and from half a kilobyte on with a head before it. ``TEXT`` is
what a ``bytes`` object takes beside its text with all of that: it is added before the sum is cut to whole blocks
(``(len(text) + TEXT) & BLOCKS``), which is how the tuned commands compute it.
"""

from __future__ import annotations

from sys import getsizeof
from typing import Any, Final

from .database import STRINGS

#: An entry of a dict (hash, key, value), at the usual fill.
ENTRY: Final = 40
#: Beside it an entry of the dict of expiry times, and the time.
EXPIRY: Final = ENTRY + 32
#: Bytes of a string object beside its text, and what cuts to whole blocks.
TEXT: Final = 56
BLOCKS: Final = -16
#: An integer that is not one of those that Python keeps anyway; as an element of a value it counts the same.
NUMBER: Final = 32


def string_weight(value: bytes | int | bytearray) -> int:
    """Bytes of a string, in whichever form it is held."""
    if type(value) is bytes:
        return (len(value) + TEXT) & BLOCKS
    return NUMBER if type(value) is int else (getsizeof(value) + TEXT) & BLOCKS


def weight(key: bytes, value: Any, *, expires: bool, samples: int | None) -> int:
    """Bytes of a key and its value. Of a large collection so many elements are looked at (None: all)."""
    held = string_weight(value) if type(value) in STRINGS else int(value.memory(samples))
    return ENTRY + ((len(key) + TEXT) & BLOCKS) + held + (EXPIRY if expires else 0)
