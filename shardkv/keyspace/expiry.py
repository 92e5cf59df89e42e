"""The active expire cycle: finds keys whose time has passed before anybody asks for them.

Redis samples keys at random; here the unit of sampling is a slot, since the expiry times of a slot are one small dict.
The cycle walks the slots with a cursor of its own and may stop after any of them, so its cost is bounded by the
caller's budget, checked every few slots. A slot with very many expiry times is looked at in portions.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Final

from .database import Database
from .slots import SLOT_COUNT, SLOT_MASK

#: At most this many expiry times of one slot are looked at in one go.
PORTION: Final = 512
#: Between two looks at the clock: so many slots, or keys that expire.
SLOTS_A_LOOK: Final = 64
KEYS_A_LOOK: Final = 128


class ExpireCycle:
    """Where the walk of one database stands, and what it found on the way."""

    __slots__ = ("average_ttl", "cursor", "database", "stale", "walked")

    def __init__(self, database: Database) -> None:
        self.database = database
        self.cursor = 0
        self.walked = 0
        self.stale = 0
        self.average_ttl = 0.0  #: milliseconds, a running mean for INFO keyspace

    def step(self, now: int, expire: Callable[[Database, bytes], None], spent: Callable[[], bool]) -> bool:
        """Expire what has passed at ``now`` until one round is done or ``spent()``. True if a whole round was walked.

        ``expire(database, key)`` deletes the key with all consequences (propagation, events).
        """
        database = self.database
        if not database.expiring:
            return True
        expires = database.expires
        slot = self.cursor
        expired = 0  # since the last look at the clock
        for walked in range(1, SLOT_COUNT + 1):
            times = expires[slot]
            if times:
                if len(times) <= PORTION:
                    due = [key for key, at in times.items() if at < now]
                    looked = len(times)
                    portion_full = False
                else:
                    due = [key for key, at in islice(times.items(), PORTION) if at < now]
                    looked = PORTION
                    # What is still alive moves to the end of the dict, so that the next look meets others.
                    portion_full = len(due) == PORTION
                    for key, at in list(islice(times.items(), PORTION)):
                        if at >= now:
                            del times[key]
                            times[key] = at
                if not due:
                    self._learn(times, now)
                for key in due:
                    expire(database, key)
                self.walked += looked
                self.stale += len(due)
                expired += len(due)
                if portion_full and not spent():
                    continue
            slot = (slot + 1) & SLOT_MASK
            if walked % SLOTS_A_LOOK == 0 or expired >= KEYS_A_LOOK:
                expired = 0
                if spent():
                    self.cursor = slot
                    return False
        self.cursor = slot
        return True

    def _learn(self, times: dict[bytes, int], now: int) -> None:
        left = next(iter(times.values())) - now
        self.average_ttl = left if self.average_ttl == 0 else self.average_ttl * 0.98 + left * 0.02
