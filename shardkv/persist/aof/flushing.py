"""When the log is written and when it is brought to disk (``appendfsync``).

What is recorded is written once a round, before the replies of that round leave. Under ``always`` it is on disk before
they do. Under ``everysec`` another thread brings it there once a second; while that thread is at it a write may have to
wait for the disk, so it is put off, but for two seconds at most. All times are seconds of one clock that only grows;
positions are bytes of the file that is appended to.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

ALWAYS: Final = "always"
EVERYSEC: Final = "everysec"

#: Under everysec a write waits no longer than this for the thread.
PATIENCE: Final = 2.0
#: Under everysec so much time lies between two times that the file is brought to disk.
INTERVAL: Final = 1.0
#: A write that fails is complained of, and tried again, so often.
COMPLAIN_SECONDS: Final = 30.0
RETRY_SECONDS: Final = 1.0


class Sync(Enum):
    """Whether what is written has to be brought to disk."""

    NO = auto()
    NOW = auto()  #: before any reply leaves
    ASIDE = auto()  #: in another thread


@dataclass(slots=True)
class Flushing:
    """What is written and what is on disk, of one file."""

    size: int = 0  #: written
    synced: int = 0  #: on disk
    syncing: bool = False  #: the other thread is at it
    delayed: int = 0  #: writes that could not wait any longer
    _aim: int = 0  #: what that thread brings to disk
    _last: float = 0.0  #: when it was begun
    _postponed: float | None = None  #: since when a write waits
    _complained: float | None = None
    _retry: float = 0.0

    def may_write(self, policy: str, now: float) -> bool:
        """Whether to write now. False: not yet, try again soon."""
        if policy != EVERYSEC or not self.syncing:
            self._postponed = None
            return True
        if self._postponed is None:
            self._postponed = now
            return False
        if now - self._postponed < PATIENCE:
            return False
        self._postponed = None
        self.delayed += 1
        return True

    def recovered(self) -> None:
        """Writing works again."""
        self._complained = None

    def sync(self, policy: str, now: float, *, paused: bool) -> Sync:
        """Whether what is written has to be brought to disk. ``paused``: not while a child works
        (``no-appendfsync-on-rewrite``)."""
        if self.synced == self.size or paused:
            return Sync.NO
        if policy == ALWAYS:
            return Sync.NOW
        if policy == EVERYSEC and not self.syncing and now - self._last >= INTERVAL:
            return Sync.ASIDE
        return Sync.NO

    def began(self, now: float) -> None:
        """The other thread begins to bring what is written by now to disk."""
        self.syncing = True
        self._aim = self.size
        self._last = now

    def ended(self, *, ok: bool) -> None:
        """It is done, or has failed: then the next time is for all of it again."""
        self.syncing = False
        if ok:
            self.synced = max(self.synced, self._aim)

    def synced_all(self, now: float) -> None:
        """Everything that is written is on disk."""
        self.synced = self.size
        self._last = now

    def open(self, size: int) -> None:
        """Another file is appended to, which holds so many bytes that are on disk."""
        self.size = self.synced = self._aim = size
        self.syncing = False
        self._postponed = None

    def complains(self, now: float) -> bool:
        """A write has failed: whether to say so again. The next try is a while away."""
        self._retry = now + RETRY_SECONDS
        if self._complained is not None and now - self._complained < COMPLAIN_SECONDS:
            return False
        self._complained = now
        return True

    def may_retry(self, now: float) -> bool:
        """Whether a write that has failed may be tried again."""
        return now >= self._retry
