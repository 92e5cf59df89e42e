"""Keys on their way to another node (MIGRATE).

Redis stands still while it migrates; here other clients are served meanwhile. What is on the way is still here and is
read as ever, but a write to it would be lost, so it waits until the key has arrived there (and is gone here) or has
not. Only requests for a slot with such keys meet this check: the slot counts as not served, as an open one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..commands.session import Session
from ..keyspace.slots import SLOT_COUNT, key_slot

if TYPE_CHECKING:
    from ..keyspace.database import Database
    from .engine import Engine


class Leaving:
    """Which keys of which database are on the way, and who waits to write to them."""

    __slots__ = ("_engine", "_held", "_keys", "_routed", "_shut", "_slots")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._keys: dict[tuple[int, bytes], int] = {}
        self._slots: dict[int, int] = {}
        self._shut: dict[int, None] = {}
        self._held: dict[Session, None] = {}
        self._routed = bytes(b"\x01" * SLOT_COUNT)

    def __len__(self) -> int:
        return len(self._keys) + len(self._shut)

    def route(self, served: bytes) -> None:
        """Other slots are served here from now on: 1 by slot. The very same table as before is no news."""
        if served is self._routed:
            return
        self._routed = served
        self._engine.served[:] = served
        for slot in (*self._slots, *self._shut):
            self._engine.served[slot] = 0

    def begin(self, database: Database, keys: Sequence[bytes]) -> None:
        """These keys are on their way to another node: writes to them wait."""
        index, served = database.index, self._engine.served
        for key, slot in zip(keys, map(key_slot, keys), strict=True):
            place = (index, key)
            self._keys[place] = self._keys.get(place, 0) + 1
            self._slots[slot] = self._slots.get(slot, 0) + 1
            served[slot] = 0
        self._changed()

    def end(self, database: Database, keys: Sequence[bytes]) -> None:
        """They have arrived there, or not: the writes go on."""
        index = database.index
        for key, slot in zip(keys, map(key_slot, keys), strict=True):
            place = (index, key)
            count = self._keys.pop(place) - 1
            if count:
                self._keys[place] = count
            self._slots[slot] -= 1
            if not self._slots[slot]:
                del self._slots[slot]
                self._engine.served[slot] = self._routed[slot]
        self._changed()
        self._release()

    def _changed(self) -> None:
        if self._engine.cluster is None:  # a node of a cluster routes anyway
            self._engine.refresh_calm()

    def shut(self, slots: Sequence[int]) -> None:
        """Writes to these slots wait: the slots are about to go to another node as a whole."""
        self._shut.update(dict.fromkeys(slots))
        for slot in slots:
            self._engine.served[slot] = 0

    def open(self, slots: Sequence[int]) -> None:
        """They have gone, or stay: the writes go on."""
        for slot in slots:
            self._shut.pop(slot, None)
            if slot not in self._slots:
                self._engine.served[slot] = self._routed[slot]
        self._release()

    def _release(self) -> None:
        held, self._held = self._held, {}
        for session in held:
            session.postponed = False
            session.refresh()
            self._engine.world.wake(session)

    def touched_by(self, session: Session, keys: Sequence[bytes]) -> bool:
        """Whether one of these keys of the session's database is on the way, or its slot is shut."""
        index = session.db.index
        if any((index, key) in self._keys for key in keys):
            return True
        return bool(self._shut) and any(key_slot(key) in self._shut for key in keys)

    def hold(self, session: Session, words: list[bytes]) -> None:
        """Hold a request back; it is the first to be carried out afterwards."""
        session.waiting.appendleft(words)
        session.postponed = True
        session.refresh()
        self._held[session] = None

    def forget(self, session: Session) -> None:
        """A client is gone."""
        self._held.pop(session, None)
