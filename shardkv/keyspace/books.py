"""The books of the keyspace: how much memory all keys take, kept up to date with every change.

They are kept only while somebody needs the number (``maxmemory``). ``Database.books`` is None otherwise, and no change
costs more than a look at that. When the keeping begins, what is there already is counted slot by slot in steps; a
change in a slot that has not been counted yet is none of the books' business.

A string's weight follows from its length. That of a collection stands in its ``account``: it grows with what is
written, shrinks with what is removed, and is weighed anew whenever so much has been written that the sum could be off
by more than an eighth, or when the collection was packed or unpacked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any, Final

from ..values.account import Account
from .database import STRINGS, Database
from .slots import SLOT_COUNT
from .weight import BLOCKS, ENTRY, EXPIRY, TEXT, string_weight

#: Collections with no more elements are weighed element by element, of others so many are looked at.
EXACT: Final = 256
#: What an element is taken to add beside its bytes until the collection is weighed.
_ELEMENT: Final = 48
#: What a command may have written without saying so (pending entries of a stream).
_UNSAID: Final = 64
#: A sum that could be off by more than one part in so many is not good enough.
_PARTS: Final = 8
#: Slots that are counted between two looks at the clock.
_SLOTS_A_LOOK: Final = 32
#: A database with no more keys is counted in one go: to look for them among all slots takes longer.
_FEW_KEYS: Final = 256


class Books:
    """The books of all databases of an engine. ``used`` and ``limit`` are bytes.

    ``alarm()`` is called when a change has brought ``used`` above ``limit``.
    """

    __slots__ = ("_buffers", "_databases", "_uncounted", "alarm", "brim", "limit", "used")

    def __init__(self, databases: Sequence[Database], alarm: Callable[[], None]) -> None:
        self._databases = databases
        self.alarm = alarm
        self.limit: float = inf
        self.brim: float = inf  #: a little less, where room is made before many keys come at once
        self.used = 0
        self._buffers: dict[tuple[Database, bytes], int] = {}  #: strings that are changed in place
        self._uncounted: dict[Database, int] = {}  #: databases that are not counted to the end, each with its next slot
        self.recount()

    # ---- counting

    @property
    def complete(self) -> bool:
        """Whether everything is counted."""
        return not self._uncounted

    def recount(self) -> None:
        """Forget the sum; ``count`` begins anew."""
        self.used = 0
        self._buffers.clear()
        self._uncounted = {database: 0 for database in self._databases if database.size}

    def count(self, spent: Callable[[], bool]) -> bool:
        """Count slots until all are or ``spent()``. True if there are more."""
        uncounted = self._uncounted
        while uncounted:
            database, slot = next(iter(uncounted.items()))
            if not slot and database.size <= _FEW_KEYS:
                self.used += sum(self._slot(database, held) for held in database.live)
                del uncounted[database]
                continue
            while slot < SLOT_COUNT:
                for _ in range(_SLOTS_A_LOOK):
                    if database.values[slot]:
                        self.used += self._slot(database, slot)
                    slot += 1
                uncounted[database] = slot
                if spent():
                    break
            if slot < SLOT_COUNT:
                return True
            del uncounted[database]
        return False

    def _slot(self, database: Database, slot: int) -> int:
        held = database.values[slot]
        times = database.expires[slot]
        if database.usage is not None:
            database.usage.fill(slot, held, database.access[slot])
        total = ENTRY * len(held) + (0 if times is None else EXPIRY * len(times))
        for key, value in held.items():
            total += (len(key) + TEXT) & BLOCKS
            total += (len(value) + TEXT) & BLOCKS if type(value) is bytes else self._open(database, key, value)
        return total

    def _skips(self, database: Database, slot: int) -> bool:
        return slot >= self._uncounted.get(database, SLOT_COUNT)

    # ---- keys

    def put(self, database: Database, slot: int, key: bytes, old: Any, value: Any) -> None:
        """``value`` has taken the place of ``old`` (None: of nothing)."""
        if self._uncounted and self._skips(database, slot):
            return
        if old is None:
            self.used += ENTRY + ((len(key) + TEXT) & BLOCKS)
        elif old is not value:
            self.used -= self._close(database, key, old)
        else:
            self.changed(database, slot, key, 0)
            return
        self.used += self._open(database, key, value)
        if self.used > self.limit:
            self.alarm()

    def gone(self, database: Database, slot: int, key: bytes, value: Any) -> None:
        """A key has been removed."""
        if type(value) is bytes and not self._uncounted:
            self.used -= ENTRY + ((len(key) + TEXT) & BLOCKS) + ((len(value) + TEXT) & BLOCKS)
        elif not (self._uncounted and self._skips(database, slot)):
            self.used -= self.closed(database, key, value)

    def closed(self, database: Database, key: bytes, value: Any) -> int:
        """What a key that is counted and has been removed weighed: for those who take the sum of many."""
        return ENTRY + ((len(key) + TEXT) & BLOCKS) + self._close(database, key, value)

    def timed(self, database: Database, slot: int, count: int) -> None:
        """So many expiry times have come (or gone: less than none)."""
        if count and not (self._uncounted and self._skips(database, slot)):
            self.used += EXPIRY * count

    def cleared(self) -> None:
        """A database has been emptied at once. What the others hold is counted anew, if they hold anything."""
        self.recount()

    def dropped(self, database: Database, slot: int) -> None:
        """All keys of a slot are about to go."""
        if not (self._uncounted and self._skips(database, slot)):
            times = database.expires[slot]
            held = database.values[slot]
            self.used -= ENTRY * len(held) + (0 if times is None else EXPIRY * len(times))
            for key, value in held.items():
                self.used -= ((len(key) + TEXT) & BLOCKS) + self._close(database, key, value)

    def _open(self, database: Database, key: bytes, value: Any) -> int:
        """The weight of a value that is new to the books."""
        if type(value) not in STRINGS:
            account = value.account = Account(_weigh(value), len(value), value.rests)
            return account.weight
        weight = string_weight(value)
        if type(value) is bytearray:
            self._buffers[database, key] = weight
        return weight

    def _close(self, database: Database, key: bytes, value: Any) -> int:
        """What the books hold of a value that goes."""
        if type(value) not in STRINGS:
            account: Account | None = getattr(value, "account", None)
            return 0 if account is None else account.weight
        if type(value) is bytearray:
            return self._buffers.pop((database, key), 0)
        return string_weight(value)

    # ---- values that change in place

    def changed(self, database: Database, slot: int, key: bytes, written: int) -> None:
        """The value at a key may have changed by a request of so many bytes."""
        if self._uncounted and self._skips(database, slot):
            return
        value = database.values[slot].get(key)
        if type(value) not in STRINGS:
            if value is not None:
                self._settle(value, written)
        elif type(value) is bytearray:
            weight = string_weight(value)
            self.used += weight - self._buffers.get((database, key), 0)
            self._buffers[database, key] = weight
        if self.used > self.limit:
            self.alarm()

    def _settle(self, value: Any, written: int) -> None:
        account: Account | None = getattr(value, "account", None)
        if account is None:
            return  # it is on its way in, and is booked then
        length = len(value)
        more = length - account.length
        if more:
            change = written + more * _ELEMENT if more > 0 else account.weight * more // account.length
            account.loose += abs(change)
            account.weight += change
            account.length = length
            self.used += change
        account.loose += written
        if account.loose * _PARTS > account.weight or account.packed is not value.rests:
            self.reweigh(value)

    def reweigh(self, value: Any) -> None:
        """Weigh a collection anew."""
        account: Account | None = getattr(value, "account", None)
        if account is not None:
            weight = _weigh(value)
            self.used += weight - account.weight
            account.weight = weight
            account.length = len(value)
            account.packed = value.rests
            account.loose = 0

    def looked_at(self, database: Database, slot: int, value: Any, *, writes: bool) -> None:
        """A collection has been found for a command: the last one may have unpacked it, or written into it unsaid."""
        if self._uncounted and self._skips(database, slot):
            return
        account: Account | None = getattr(value, "account", None)
        if account is not None:
            if writes:
                account.loose += _UNSAID
            if account.packed is not value.rests or account.loose * _PARTS > account.weight:
                self.reweigh(value)


def _weigh(value: Any) -> int:
    return int(value.memory(None if len(value) <= EXACT else EXACT))
