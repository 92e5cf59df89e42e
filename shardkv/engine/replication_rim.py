"""What replication asks of the world: sockets, files, a forked child. The node's replication manager gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..replication.primary import Replica, Snapshot


class Rim(Protocol):
    """What replication needs of the world."""

    def follow(self) -> None:
        """``Replication.link`` is another one, or None: end the old connection, and serve the new link."""

    def tell(self, data: bytes) -> None:
        """Send this to the primary."""

    def break_link(self) -> None:
        """End the connection to the primary: it is lost, and dialled again."""

    def go_on(self) -> None:
        """A pause has ended: apply what has come of the primary's stream meanwhile."""

    def snapshot(self, order: Snapshot) -> None:
        """Make a snapshot."""

    def attached(self, replica: Replica) -> None:
        """A connection is a replica's from now on."""

    def forget(self, replica: Replica) -> None:
        """A replica is gone: nothing has to be sent to it any more."""

    def logged_offset(self) -> int | None:
        """Up to which offset of the stream everything is safe in the log, None without one."""


class NoRim:
    """There is no world."""

    def follow(self) -> None:
        """Nobody dials."""

    def tell(self, data: bytes) -> None:
        """Nobody is told."""

    def break_link(self) -> None:
        """There is none."""

    def go_on(self) -> None:
        """Nothing has come."""

    def snapshot(self, order: Snapshot) -> None:
        """Nobody makes one."""

    def attached(self, replica: Replica) -> None:
        """It has no socket."""

    def forget(self, replica: Replica) -> None:
        """Nothing was sent."""

    def logged_offset(self) -> int | None:
        """There is no log."""
        return None
