"""What a node knows of its snapshots, and when it wants the next one. All times are Unix seconds.

Changes are counted by the databases and never reset; what matters here is how many there were when a snapshot was
begun, for only those are safe when it is on disk.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from ..config import Config

#: After a snapshot has failed the next one is not tried before so many seconds have passed.
RETRY_SECONDS: Final = 5

#: The kinds of children that write a snapshot: to a file, or straight to replicas.
SNAPSHOT_CHILDREN: Final = frozenset({"rdb", "replication"})

MISCONF: Final = (
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that "
    "may modify the data set are disabled, because this instance is configured to report errors during writes if RDB "
    "snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB "
    "error."
)

#: (seconds, changes): a snapshot is wanted after so many of both.
Rule: TypeAlias = "tuple[int, int]"


@dataclass(slots=True)
class SnapshotState:
    """The node's snapshots so far. Whoever carries them out says ``began`` and then how it ended."""

    last_save: int = 0  #: when the last one came to be on disk, or when the node was started
    last_try: int = 0
    ok: bool = True  #: the last one in the background did not fail
    last_seconds: int = -1  #: the last one in the background took so long
    saves: int = 0  #: asked for
    last_copied: int = 0  #: bytes copied on write by the last one
    settled: int = 0  #: so many changes are on disk
    scheduled: bool = False  #: one is wanted as soon as no other child is active
    loaded_keys: int = 0  #: by the last file that was loaded
    expired_keys: int = 0  #: left out of it, since their time had passed
    _changes: int = 0  #: there were so many when the one that runs was begun

    def began(self, now: int, changes: int) -> None:
        """A snapshot in the background was begun."""
        self.scheduled = False
        self.last_try = now
        self._changes = changes

    def ended(self, now: int, seconds: float, copied: int, *, ok: bool, aborted: bool = False) -> None:
        """The one in the background has ended; to abort it is no failure."""
        self.last_seconds = int(seconds)
        self.last_copied = copied
        if ok:
            self.stored(now, self._changes)
        elif not aborted:
            self.ok = False

    def stored(self, now: int, changes: int) -> None:
        """A snapshot of so many changes is on disk."""
        self.ok = True
        self.last_save = now
        self.settled = changes

    def wanted(self, now: int, changes: int, rules: Iterable[Rule]) -> Rule | None:
        """The first rule that asks for a snapshot now."""
        if not self._may_try(now):
            return None
        unsaved, passed = changes - self.settled, now - self.last_save
        return next((rule for rule in rules if unsaved >= rule[1] and passed > rule[0]), None)

    def due(self, now: int) -> bool:
        """Whether one that was scheduled may be begun, if no child is active."""
        return self.scheduled and self._may_try(now)

    def _may_try(self, now: int) -> bool:
        return self.ok or now - self.last_try > RETRY_SECONDS

    def refusal(self, config: Config) -> str | None:
        """The error that writes are answered with while snapshots fail, or None."""
        if self.ok or not config.stop_writes_on_bgsave_error or not config.save:
            return None
        return MISCONF
