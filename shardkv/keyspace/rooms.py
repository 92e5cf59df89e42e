"""Dicts that have no more room than they need.

A dict in which keys come and go is made anew by Python now and then, with room for up to three times what it holds, and
deletions alone never make it smaller. Where memory is limited that room is better used for keys.
"""

from __future__ import annotations

from sys import getsizeof
from typing import Final, TypeVar

V = TypeVar("V")

#: Bytes of a dict up to which it isn't worth the while: so many, and so many for each key. At less than 41 a key there
#: would be no room for the next one.
_LEAST: Final = 224
_BASE: Final = 60
_EACH: Final = 66


def fitted(held: dict[bytes, V]) -> dict[bytes, V]:
    """The dict itself, or one like it with less room."""
    size = getsizeof(held)
    if size > _BASE + _EACH * len(held) and (size > _LEAST or not held):
        return {**held}
    return held
