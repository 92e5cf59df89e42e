"""The readiness of many sockets behind one descriptor that trio can wait for: epoll where there is one, else kqueue.

Both kinds of kernel queue can be waited for themselves, which is what lets one trio task own all client sockets.
"""

from __future__ import annotations

import select
import sys
from typing import Protocol

READ = 1
WRITE = 4
#: Descriptors of one round: more make the clients wait for the server and it for them, fewer cost more system calls.
ROUND_MAX = 32


class Poller(Protocol):
    """Register descriptors with READ and WRITE bits."""

    def fileno(self) -> int:
        """The descriptor that is readable while anything is ready."""

    def register(self, fd: int, interest: int) -> None:
        """Begin to watch."""

    def modify(self, fd: int, interest: int) -> None:
        """Change what is watched for."""

    def unregister(self, fd: int) -> None:
        """Stop watching."""

    def poll(self, seconds: float) -> list[tuple[int, int]]:
        """What is ready within ``seconds``: (descriptor, bits); a bit that is neither READ nor WRITE is an error or a
        hang-up."""

    def close(self) -> None:
        """Give the descriptor back."""


if sys.platform == "linux":
    assert select.EPOLLIN == READ
    assert select.EPOLLOUT == WRITE

    class EpollPoller:
        """epoll: its bits for reading and writing are ours."""

        __slots__ = ("_epoll", "modify", "register", "unregister")

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self.register = self._epoll.register
            self.modify = self._epoll.modify
            self.unregister = self._epoll.unregister

        def fileno(self) -> int:
            """See Poller."""
            return self._epoll.fileno()

        def poll(self, seconds: float) -> list[tuple[int, int]]:
            """See Poller."""
            return self._epoll.poll(seconds, ROUND_MAX)

        def close(self) -> None:
            """See Poller."""
            self._epoll.close()

    def make_poller() -> Poller:
        """The poller of this system."""
        return EpollPoller()

else:  # pragma: no cover - macOS and the BSDs

    class KqueuePoller:
        """kqueue: reading and writing are two filters."""

        def __init__(self) -> None:
            self._queue = select.kqueue()
            self._interest: dict[int, int] = {}

        def fileno(self) -> int:
            """See Poller."""
            return self._queue.fileno()

        def register(self, fd: int, interest: int) -> None:
            """See Poller."""
            self._interest[fd] = 0
            self.modify(fd, interest)

        def modify(self, fd: int, interest: int) -> None:
            """See Poller."""
            held = self._interest[fd]
            changes = []
            for bit, kind in ((READ, select.KQ_FILTER_READ), (WRITE, select.KQ_FILTER_WRITE)):
                if interest & bit and not held & bit:
                    changes.append(select.kevent(fd, kind, select.KQ_EV_ADD))
                elif held & bit and not interest & bit:
                    changes.append(select.kevent(fd, kind, select.KQ_EV_DELETE))
            self._interest[fd] = interest
            if changes:
                self._queue.control(changes, 0, 0)

        def unregister(self, fd: int) -> None:
            """See Poller."""
            self.modify(fd, 0)
            del self._interest[fd]

        def poll(self, seconds: float) -> list[tuple[int, int]]:
            """See Poller."""
            bits = {select.KQ_FILTER_READ: READ, select.KQ_FILTER_WRITE: WRITE}
            return [(int(event.ident), bits[event.filter]) for event in self._queue.control(None, ROUND_MAX, seconds)]

        def close(self) -> None:
            """See Poller."""
            self._queue.close()

    def make_poller() -> Poller:
        """The poller of this system."""
        return KqueuePoller()
