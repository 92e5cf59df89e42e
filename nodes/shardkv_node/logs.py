"""The log: one line an event, in Redis's format (``PID:ROLE DD Mon YYYY HH:MM:SS.mmm LEVEL text``).

The file is opened for each line, as Redis does, so that it can be rotated under the node; without ``logfile`` lines go
to standard output.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from .clock import log_stamp

LEVELS: Final = ("debug", "verbose", "notice", "warning")
_MARKS: Final = {"debug": ".", "verbose": "-", "notice": "*", "warning": "#"}


class Log:
    """Where lines go, and from which level on. ``role``: M primary, S replica, C child or still starting."""

    def __init__(self, path: str = "", level: str = "notice", role: str = "M") -> None:
        self.path = path
        self.role = role
        self._from = 0
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
        self.raw("".join(f"{head}{line}\n" for line in text.split("\n")))

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
