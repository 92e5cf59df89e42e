"""How long to wait before a crashed process is started again. A small machine: the clock is an argument."""

from __future__ import annotations

SHORTEST = 1.0
LONGEST = 30.0
HEALTHY_AFTER = 60.0


class Backoff:
    """Doubles the wait, from ``shortest`` to ``longest`` seconds; a run of ``healthy_after`` seconds starts anew."""

    def __init__(
        self, shortest: float = SHORTEST, longest: float = LONGEST, healthy_after: float = HEALTHY_AFTER
    ) -> None:
        self.shortest = shortest
        self.longest = longest
        self.healthy_after = healthy_after
        self._next = shortest
        self._started: float | None = None

    def started(self, now: float) -> None:
        """A run begins."""
        self._started = now

    def crashed(self, now: float) -> float:
        """A run has ended by itself; gives the seconds to wait before the next one."""
        if self._started is not None and now - self._started >= self.healthy_after:
            self._next = self.shortest
        wait = self._next
        self._next = min(self.longest, wait * 2)
        self._started = None
        return wait
