"""How far loading is: what INFO tells while clients are answered LOADING."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class LoadProgress:
    """A file or stream that is being loaded. Sizes in bytes, ``started`` in Unix seconds."""

    started: int
    total: int
    used_memory: int = 0  #: what the writer held in memory, if the file says so
    loaded: int = 0

    @property
    def percent(self) -> float:
        """How much of it is loaded."""
        return 100 * self.loaded / (self.total + 1)

    def seconds_left(self, now: int) -> int:
        """An estimate by what was loaded so far; 1 until there is something to go by, as Redis has it."""
        passed = now - self.started
        return passed * (self.total - self.loaded) // (self.loaded + 1) if passed else 1
