"""What is given up when memory is full: which keys the policies of ``maxmemory-policy`` choose.

LRU, LFU and TTL are approximated as in Redis: ``maxmemory-samples`` keys are looked at for each that goes. Two things
differ, both to the better of the hit rate and the cost: many keys are chosen at once, the worst of all that were looked
at, and what is kept in mind for the next time is judged anew then, so that a key that was used meanwhile is not given
up for what it was.

Where every key may go and its use is known, they are met in a walk through all (``walk``); else they are drawn
(``drawing``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from .drawing import Batch, Drawing
from .walk import Walk

if TYPE_CHECKING:
    from random import Random

    from .database import Database


@dataclass(frozen=True, slots=True)
class Policy:
    """How is chosen. ``order`` is lru, lfu, ttl, random, or empty for noeviction."""

    order: str
    volatile: bool  #: only keys that expire may go

    @classmethod
    def named(cls, name: str) -> Policy:
        """The policy of that name."""
        if name == "noeviction":
            return cls("", volatile=False)
        scope, _, order = name.partition("-")
        return cls(order, scope == "volatile")


class Eviction(Protocol):
    """Chooses keys by one policy."""

    def choose(self, databases: Sequence[Database], samples: int, count: int) -> list[Batch]:
        """About ``count`` keys to give up. One may be there twice, or be gone already. None, if there are none, or by
        chance."""


def eviction(policy: Policy, rng: Random) -> Eviction:
    """What chooses by this policy."""
    if policy.order in ("lru", "lfu") and not policy.volatile:
        return Walk(rng)
    return Drawing(policy.order, rng, volatile=policy.volatile)
