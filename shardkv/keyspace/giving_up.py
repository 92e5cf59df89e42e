"""Many keys deleted in one go, because there is no room for them.

What is done to one key after the other elsewhere is done here step by step to all of them: short loops over things that
are not in the cache wait for many at a time, where a long loop waits for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from .database import LARGE_SLOT
from .freeing import LONG
from .rooms import fitted
from .slots import key_slots
from .weight import BLOCKS, ENTRY, EXPIRY, TEXT

if TYPE_CHECKING:
    from .books import Books
    from .database import Database

#: Dicts with no more keys are not worth a look at their size.
_FEW: Final = 2


def give_up(database: Database, books: Books, keys: Sequence[bytes]) -> Sequence[bytes]:
    """Delete keys for good: those that were there. All that there is must be in the books."""
    slots = key_slots(keys)
    held_in = [database.values[slot] for slot in slots]
    values: list[Any]
    if database.filled <= LARGE_SLOT:
        values = list(map(dict.pop, held_in, keys, repeat(None)))  # type: ignore[arg-type]  # there are but dicts
    else:
        values = [held.pop(key, None) for held, key in zip(held_in, keys, strict=True)]
    if None in values:  # a candidate of old, or twice the same
        there = [place for place, value in enumerate(values) if value is not None]
        keys, slots = [keys[place] for place in there], [slots[place] for place in there]
        held_in, values = [held_in[place] for place in there], [values[place] for place in there]
    if database.usage is not None:
        rooms = database.usage.slots
        for slot, key in zip(slots, keys, strict=True):
            rooms[slot].pop(key, None)
    database.size -= len(keys)
    books.used -= _weight(database, books, keys, values)
    if database.expiring:
        _forget_times(database, books, slots, keys)
    if database.size > _FEW * len(database.live):
        for slot, held in zip(slots, held_in, strict=True):
            if len(held) > _FEW and type(held) is dict:
                database.values[slot] = fitted(held)
    database.emptied({slot: None for slot, held in zip(slots, held_in, strict=True) if not held})
    return keys


def _weight(database: Database, books: Books, keys: Iterable[bytes], values: list[Any]) -> int:
    """What the keys weighed; what is large is freed in the background."""
    if set(map(type, values)) == {bytes} and max(map(len, values)) <= LONG:
        weight = sum([(len(key) + TEXT) & BLOCKS for key in keys]) + ENTRY * len(values)
        return weight + sum([(len(value) + TEXT) & BLOCKS for value in values])
    weight = 0
    for key, value in zip(keys, values, strict=True):
        weight += books.closed(database, key, value)
        database.freeing.give(value)
    return weight


def _forget_times(database: Database, books: Books, slots: Iterable[int], keys: Iterable[bytes]) -> None:
    """The same for the times when they would have expired."""
    expires = database.expires
    for slot, key in zip(slots, keys, strict=True):
        times = expires[slot]
        if times is not None and times.pop(key, None) is not None:
            books.used -= EXPIRY
            database.expiring -= 1
            expires[slot] = times or None
