"""The log: one line an event, in Redis's format (``PID:ROLE DD Mon YYYY HH:MM:SS.mmm LEVEL text``).

The file is opened for each line, as Redis does, so that it can be rotated under the node; without ``logfile`` lines go
to standard output.
"""

from __future__ import annotations

import os
import sys
import syslog
from typing import Final

from .clock import log_stamp

LEVELS: Final = ("debug", "verbose", "notice", "warning")
_PRIORITIES: Final = {
    "debug": syslog.LOG_DEBUG,
    "verbose": syslog.LOG_INFO,
    "notice": syslog.LOG_NOTICE,
    "warning": syslog.LOG_WARNING,
}
_MARKS: Final = {"debug": ".", "verbose": "-", "notice": "*", "warning": "#"}


class Log:
    """Where lines go, and from which level on. ``role``: M primary, S replica, C child or still starting."""

    def __init__(self, path: str = "", level: str = "notice", role: str = "M") -> None:
        self.path = path
        self.role = role
        self._from = 0
        self._to_syslog = False
        self.level = level

    @property
    def level(self) -> str:
        """The least level that is written."""
        return LEVELS[self._from] if self._from < len(LEVELS) else "nothing"

    @level.setter
    def level(self, name: str) -> None:
        self._from = LEVELS.index(name) if name in LEVELS else len(LEVELS)

    def __call__(self, level: str, text: str) -> None:
        """Write a line, if its level is asked for. Line breaks in ``text`` become further lines."""
        if LEVELS.index(level) < self._from:
            return
        mark = _MARKS[level]
        head = f"{os.getpid()}:{self.role} {log_stamp()} {mark} "
        lines = text.split("\n")
        self.raw("".join(f"{head}{line}\n" for line in lines))
        if self._to_syslog:
            for line in lines:
                syslog.syslog(_PRIORITIES[level], line.encode("utf-8", "backslashreplace").decode().replace("\0", "?"))

    def also_to_syslog(self, ident: str, facility: str) -> None:
        """Send every line to the system's log as well, as a program called ``ident``; ``facility``: user, local0 ..."""
        options = syslog.LOG_PID | syslog.LOG_NDELAY | syslog.LOG_NOWAIT
        syslog.openlog(ident, options, getattr(syslog, f"LOG_{facility.upper()}"))
        self._to_syslog = True

    def probe(self) -> None:
        """Raise OSError if the file cannot be written to."""
        if self.path:
            os.close(os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644))

    def raw(self, text: str) -> None:
        """Write text as it is."""
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
