"""A client under the debugger of scripts: its line, and the fork that it is left to.

The child has no other descriptor than that client's (and the pipe by which the node learns that it has ended), and a
copy of all data; it never touches trio, and leaves by ``os._exit``. Redis does the same.
"""

from __future__ import annotations

import gc
import os
import select
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import trio

from .child import close_all_but, fork, shed_signals

if TYPE_CHECKING:
    from shardkv.scripting.debugger import Conversation

    from .connection import Connection

RECEIVE: Final = 65536
#: A client that takes nothing for so long is not waited for.
SEND_PATIENCE_MS: Final = 5000


class Line:
    """The connection of one client, waited for: a ``Conversation``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def descriptor(self) -> int:
        """Of the socket."""
        return self._connection.sock.fileno()

    def send(self, data: bytes) -> None:
        """Send all of it, or give up."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._connection.send(rest) :]
            except BlockingIOError:
                if not self._wait(select.POLLOUT, SEND_PATIENCE_MS):
                    return
            except OSError:
                return  # it is gone; that is learned from the next receive()

    def receive(self) -> bytes:
        """Wait for what comes; empty at the end."""
        while True:
            try:
                return self._connection.receive(RECEIVE)
            except BlockingIOError:
                self._wait(select.POLLIN, None)
            except OSError:
                return b""

    def _wait(self, events: int, milliseconds: int | None) -> bool:
        poll = select.poll()
        poll.register(self.descriptor, events)
        return bool(poll.poll(milliseconds))


def debug_in_a_fork(line: Line, work: Callable[[Conversation], bytes], log: Callable[[str, str], None]) -> None:
    """Leave the client to a child, which carries out ``work`` and sends what it returns. Raises OSError."""
    hearing, telling = os.pipe()
    try:
        pid = fork()
    except OSError:
        os.close(hearing)
        os.close(telling)
        raise
    if pid == 0:
        _be_child(line, work, telling, log)
    os.close(telling)
    log("notice", f"Redis forked for debugging eval: {pid}")
    trio.lowlevel.spawn_system_task(_bury, pid, hearing)


def _be_child(line: Line, work: Callable[[Conversation], bytes], telling: int, log: Callable[[str, str], None]) -> None:
    """The child's whole life. Does not return."""
    try:
        gc.disable()
        shed_signals()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends with its client, or with the node
        close_all_but({line.descriptor, telling})
        line.send(work(line))
    except BaseException as error:  # whatever it is, this process must not run on as a second node
        log("warning", f"The debugging session has failed: {type(error).__name__}: {error}")
    finally:
        os._exit(0)


async def _bury(pid: int, hearing: int) -> None:
    """Wait until the child has ended; end it if the node ends before."""
    try:
        await trio.lowlevel.wait_readable(hearing)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        os.close(hearing)
        _reap(pid)


def _reap(pid: int) -> None:
    """Its pipe is closed, or it was killed: this does not wait."""
    os.waitpid(pid, 0)
