"""Keys of slots that have become another node's: out of sight at once, deleted a few at a time between requests.

Nobody is served from a slot that is not this node's, but a walk over all keys or their number would still tell of
them, so the slots are hidden until they are empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import trio

from shardkv.engine.engine import Engine

#: Keys that are deleted before others get their turn.
PORTION = 200


class Dropping:
    """The slots that are still to be emptied."""

    def __init__(self, engine: Engine, changed: Callable[[], None]) -> None:
        """``changed`` is called when ``slots`` has."""
        self._engine = engine
        self._changed = changed
        self._wake = trio.Event()
        self.slots: dict[int, None] = {}

    def begin(self, slots: Iterable[int]) -> None:
        """Empty these slots soon."""
        filled = [slot for slot in slots if self._engine.databases.holds(slot)]
        if filled:
            self.slots.update(dict.fromkeys(filled))
            self._changed()
            self._wake.set()

    def finish(self, slots: Iterable[int]) -> None:
        """Empty those of these slots that are still to be emptied now: they are about to be used again."""
        left = [slot for slot in slots if slot in self.slots]
        if left:
            self._engine.databases.drop_slots(left)
            self._forget(left)

    def give_up(self) -> None:
        """Leave everything as it is."""
        if self.slots:
            self._forget(list(self.slots))

    def _forget(self, slots: Iterable[int]) -> None:
        for slot in slots:
            self.slots.pop(slot, None)
        self._changed()

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while self.slots:
                slot = next(iter(self.slots))
                self._engine.databases.drop_slots((slot,), PORTION)
                if not self._engine.databases.holds(slot):
                    self._forget((slot,))
                await trio.lowlevel.checkpoint()
