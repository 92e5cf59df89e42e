"""The log: where its lines go. How they look is ``log_lines``'s.

The file is opened for each line, as Redis does, so that it can be rotated under the node; without ``logfile`` lines go
to standard output.
"""

from __future__ import annotations

import os
import sys
import syslog
from collections.abc import Callable
from typing import Final

from .clock import log_stamp
from .log_lines import FORMATS, Record, plain_lines

LEVELS: Final = ("debug", "verbose", "notice", "warning")
_PRIORITIES: Final = {
    "debug": syslog.LOG_DEBUG,
    "verbose": syslog.LOG_INFO,
    "notice": syslog.LOG_NOTICE,
    "warning": syslog.LOG_WARNING,
}


class Log:
    """Where lines go, in which form, and from which level on.

    ``format`` and ``stamp`` are the options ``log-format`` and ``log-timestamp-format``.
    """

    def __init__(self, path: str = "", level: str = "notice", format: str = "legacy", stamp: str = "legacy") -> None:
        self.path = path
        self.format = format
        self.stamp = stamp
        self._from = 0
        self._to_syslog = False
        self._serving: int | None = None
        self._is_replica: Callable[[], bool] = lambda: False
        self.level = level

    @property
    def level(self) -> str:
        """The least level that is written."""
        return LEVELS[self._from] if self._from < len(LEVELS) else "nothing"

    @level.setter
    def level(self, name: str) -> None:
        self._from = LEVELS.index(name) if name in LEVELS else len(LEVELS)

    def node_is_here(self, is_replica: Callable[[], bool]) -> None:
        """This process is the node from now on; what it forks are its children. ``is_replica``: as what it speaks."""
        self._serving = os.getpid()
        self._is_replica = is_replica

    def _role(self) -> str:
        if self._serving is None:
            return "starting"
        if self._serving != os.getpid():
            return "child"
        return "replica" if self._is_replica() else "primary"

    def __call__(self, level: str, text: str) -> None:
        """Write an event, if its level is asked for. In the legacy form each line of ``text`` is one of the log."""
        if LEVELS.index(level) < self._from:
            return
        record = Record(os.getpid(), self._role(), log_stamp(self.stamp), level, text)
        self._write(FORMATS[self.format](record))
        if self._to_syslog:
            for line in plain_lines(text):
                syslog.syslog(_PRIORITIES[level], line.encode("utf-8", "backslashreplace").decode().replace("\0", "?"))

    def banner(self, text: str, in_short: str) -> None:
        """Write text as it is; where lines have a form, ``in_short`` as one of them."""
        if self.format == "legacy":
            self._write(text)
        else:
            self("notice", in_short)

    def also_to_syslog(self, ident: str, facility: str) -> None:
        """Send every line to the system's log as well, as a program called ``ident``; ``facility``: user, local0 ..."""
        options = syslog.LOG_PID | syslog.LOG_NDELAY | syslog.LOG_NOWAIT
        syslog.openlog(ident, options, getattr(syslog, f"LOG_{facility.upper()}"))
        self._to_syslog = True

    def probe(self) -> None:
        """Raise OSError if the file cannot be written to."""
        if self.path:
            os.close(os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644))

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "backslashreplace")
        if not self.path:
            try:
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()
            except (OSError, ValueError):
                pass  # nobody reads our standard output any more; the node goes on
            return
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError:
            return  # a full or vanished disk must not stop the node
        try:
            os.write(handle, data)
        except OSError:
            pass
        finally:
            os.close(handle)
