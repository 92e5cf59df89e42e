"""Random picks and walks that the keyed values share: over a plain dict while it is small, else over ``Buckets``."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from .buckets import Buckets, portion

if TYPE_CHECKING:
    from random import Random

V = TypeVar("V")
Keyed: TypeAlias = "dict[bytes, V] | Buckets[V]"

#: A dict with more keys becomes ``Buckets``: it is to be walked in steps, and picked from without counting far.
LARGE: Final = 1024
#: A collection of no more keys is walked in one step.
FEW: Final = 128
#: Where more than one key in so many is wanted, all are listed and some are drawn; else they are drawn one by one.
_SPARSE: Final = 3


def pick(held: Keyed[V], rng: Random) -> bytes:
    """A random key of a mapping that is not empty, each about as likely."""
    if type(held) is dict:
        return next(islice(held, int(rng.random() * len(held)), None))
    assert isinstance(held, Buckets)
    return held.choose(rng)


def sample(held: Keyed[V], rng: Random, count: int) -> list[bytes]:
    """``count`` different random keys; ``count`` is at most the length."""
    size = len(held)
    if count == 1:
        return [pick(held, rng)]
    if size <= LARGE or count * _SPARSE > size:
        keys = list(held)
        return [keys[place] for place in sorted(rng.sample(range(size), count))]
    found: dict[bytes, None] = {}
    while len(found) < count:
        found[pick(held, rng)] = None
    return list(found)


def walk(held: Keyed[V], cursor: int, count: int) -> tuple[int, dict[bytes, V]]:
    """From ``cursor`` (0: the beginning) on until ``count`` pairs were met: the next cursor (0: the end) and the pairs.

    The pairs are to read only. A collection of few comes whole, whatever the cursor, as Redis's packed ones do.
    """
    if type(held) is dict:
        return (0, held) if len(held) <= FEW else portion(held, cursor, count)
    assert isinstance(held, Buckets)
    found: dict[bytes, V] = {}
    while True:
        cursor, bucket = held.step(cursor)
        found.update(bucket)
        if not cursor or len(found) >= count:
            return cursor, found
