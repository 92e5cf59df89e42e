"""What a node knows of its log, for INFO and for the decision when to write it anew. Times are Unix seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: After so many rewrites that failed one after the other the next waits: a minute, then twice as long each time.
FAILURES_MAX: Final = 3
WAIT_MAX_MINUTES: Final = 60
#: The kind of child that writes the log anew.
REWRITING_CHILD: Final = "aof"


@dataclass(slots=True)
class AofState:
    """The log of one node. Whoever carries things out says ``began`` and then how it ended."""

    enabled: bool = False  #: writes are recorded
    awaiting_base: bool = False  #: it was switched on, and counts when its first base is written
    scheduled: bool = False  #: a rewrite is wanted as soon as no other child is active
    last_seconds: int = -1  #: the last rewrite took so long
    rewrites: int = 0
    rewrite_ok: bool = True
    failures: int = 0  #: rewrites that failed, one after the other
    last_copied: int = 0  #: bytes copied on write by the last one
    size: int = 0  #: of all its files
    base_size: int = 0  #: what that was after the last rewrite
    buffered: int = 0  #: bytes that could not be written yet
    syncing: bool = False
    delayed: int = 0  #: writes that had to wait for the disk
    write_fault: str = ""  #: why the last write failed
    sync_fault: str = ""  #: why the last attempt to bring it to disk failed
    _wait_minutes: int = 0
    _wait_until: int = 0

    @property
    def refusal(self) -> str | None:
        """The error that writes are answered with while the log cannot be written, or None."""
        fault = self.write_fault or self.sync_fault
        return f"MISCONF Errors writing to the AOF file: {fault}" if self.enabled and fault else None

    # ---- rewriting

    def began(self) -> None:
        """A rewrite was begun."""
        self.rewrites += 1
        self.scheduled = False

    def ended(self, seconds: float, copied: int, *, ok: bool, aborted: bool = False) -> None:
        """It has ended; to abort it is no failure."""
        self.last_seconds = int(seconds)
        self.last_copied = copied
        if ok:
            self.rewrite_ok = True
            self.failures = 0
        elif not aborted:
            self.failed()
        if self.awaiting_base and not ok:
            self.scheduled = True

    def failed(self) -> None:
        """A rewrite has failed, or could not be begun."""
        self.rewrite_ok = False
        self.failures += 1

    def grown(self, percentage: int, least: int) -> int | None:
        """By how many percent the log has grown, if that is a reason to write it anew."""
        if not self.enabled or self.awaiting_base or not percentage or self.size <= least:
            return None
        growth = self.size * 100 // (self.base_size or 1) - 100
        return growth if growth >= percentage else None

    def limited(self, now: int) -> bool:
        """Whether rewrites have failed too often to try the next one already."""
        if self.failures < FAILURES_MAX:
            self._wait_minutes = self._wait_until = 0
            return False
        if self._wait_until:
            if now < self._wait_until:
                return True
            self._wait_until = 0
            return False
        self._wait_minutes = min(WAIT_MAX_MINUTES, self._wait_minutes * 2 or 1)
        self._wait_until = now + self._wait_minutes * 60
        return True

    @property
    def minutes_to_wait(self) -> int:
        """How long the next rewrite waits after those that failed."""
        return self._wait_minutes
