"""What is left of a crash (``crash-log-enabled``): when code that is not Python brings the process down, the stacks of
Python are written to where the log goes."""

from __future__ import annotations

import faulthandler
import os
import sys
from typing import IO

from shardkv.config import Config

from .logs import Log


class Crashes:
    """Whether crashes are told of, and where."""

    def __init__(self, config: Config, log: Log) -> None:
        self._config = config
        self._log = log
        self._file: IO[str] | None = None

    def watch(self) -> None:
        """Obey the options as they are now."""
        if not self._config.crash_log_enabled:
            faulthandler.disable()
            return
        if self._file is None:
            self._file = self._open()
        faulthandler.enable(self._file)

    def options_changed(self, changed: frozenset[str]) -> None:
        """Obey the options as they are now."""
        if "crash-log-enabled" in changed:
            self.watch()

    def _open(self) -> IO[str]:
        """The log for writing, which stays open, for there may be no time to open it."""
        if not self._log.path:
            return sys.stderr
        try:
            return os.fdopen(os.open(self._log.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644), "w")
        except OSError:
            return sys.stderr
