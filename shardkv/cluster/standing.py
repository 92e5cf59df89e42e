"""How good a replica's copy is: until when does it hold what its primary wrote?

Two witnesses. A byte of the replication stream says that the copy is of now, unless the primary has told on the bus of
an offset that the copy has not reached. And a header of the primary with an offset that the copy has reached says the
same even while nothing is written. Against that stands how long the primary has lived: the last time anybody heard it.
The difference, ``staleness``, is how long clients may have written what the copy lacks.
"""

from __future__ import annotations

from collections import deque

_MARKS = 64
_NEVER = float("-inf")


class Standing:
    """One replica's copy of one primary. Times are the machine's."""

    __slots__ = ("_marks", "covered", "linked", "whole")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Another primary, or none: nothing is known of the copy."""
        self.covered = _NEVER  #: until when all that the primary wrote is known to be here
        self.whole = False  #: there is a whole copy at all
        self.linked = False
        self._marks: deque[tuple[float, int]] = deque()  # (when, offset) of the primary, as far as not reached yet

    def told(self, now: float, theirs: int, ours: int) -> None:
        """The primary says on the bus that its offset is ``theirs``."""
        if theirs <= ours and not self._marks:
            if self.whole:
                self.covered = max(self.covered, now)
        elif theirs > ours and (not self._marks or theirs > self._marks[-1][1]):
            if len(self._marks) == _MARKS:
                self._marks.pop()  # the oldest say from when on we lack something: those are kept
            self._marks.append((now, theirs))

    def progressed(self, now: float, ours: int, silence: float | None, linked: bool) -> None:
        """The copy has come as far as ``ours``; the last byte came ``silence`` seconds ago (None: no whole copy)."""
        self.linked = linked
        self.whole = silence is not None
        if silence is None:
            self.covered = _NEVER
            return
        while self._marks and self._marks[0][1] <= ours:
            self.covered = max(self.covered, self._marks.popleft()[0])
        if not self._marks:
            self.covered = max(self.covered, now - silence)

    def staleness(self, alive: float) -> float:
        """Seconds of the primary's life that the copy lacks, if it was last ``alive`` then. Infinite without a copy."""
        return max(0.0, alive - self.covered) if self.whole else float("inf")
