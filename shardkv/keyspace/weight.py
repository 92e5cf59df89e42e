"""How much memory a key takes, as an estimate: the objects that Python keeps for it, with their share of a dict."""

from __future__ import annotations

from sys import getsizeof
from typing import Any, Final

from .database import STRINGS

#: An entry of a dict (hash, key, value), at the usual fill.
ENTRY: Final = 40
#: Beside it an entry of the dict of expiry times, and the time.
EXPIRY: Final = ENTRY + 32


def weight(key: bytes, value: Any, *, expires: bool, samples: int | None) -> int:
    """Bytes of a key and its value. Of a large collection so many elements are looked at (None: all)."""
    held = getsizeof(value) if type(value) in STRINGS else value.memory(samples)
    return ENTRY + getsizeof(key) + int(held) + (EXPIRY if expires else 0)
