"""The watchdog (``watchdog-period``): when the node has done one thing for longer than that, the log is told what, as a
stack. A thread in C looks at it, so that also what never lets go of Python's lock is seen; the log has it as soon as
the node is back."""

from __future__ import annotations

import faulthandler
import os
import tempfile
from collections.abc import Callable
from math import inf
from typing import IO, Final

import trio

from shardkv.config import Config

#: The thread is told this often in a period that all is well.
_SIGNS: Final = 4
_TICKS_LEAST: Final = 2


class Watchdog:
    """Runs while there is a period."""

    def __init__(self, config: Config, log: Callable[[str, str], None]) -> None:
        self._config = config
        self._log = log
        self._changed = trio.Event()
        self._stacks: IO[bytes] | None = None
        self._heed_least()

    def options_changed(self, changed: frozenset[str]) -> None:
        """Obey the options as they are now, and at once: what is asked of the node next may take long."""
        if "watchdog-period" in changed:
            self._heed_least()
            self._all_is_well()
            self._changed.set()

    def _heed_least(self) -> None:
        """As in Redis a period is two turns of the timers at least."""
        period, least = self._config.watchdog_period, _TICKS_LEAST * 1000 // self._config.hz
        if 0 < period < least:
            self._config.assign(Config.watchdog_period, least)

    async def run(self) -> None:
        """Watch until cancelled."""
        self._all_is_well()
        try:
            while True:
                period = self._config.watchdog_period / 1000 or inf
                with trio.move_on_after(period / _SIGNS):
                    await self._changed.wait()
                    self._changed = trio.Event()
                self._report()
                self._all_is_well()
        finally:
            faulthandler.cancel_dump_traceback_later()
            if self._stacks is not None:
                self._stacks.close()

    def _all_is_well(self) -> None:
        """Have the thread wait for another period, if there is one."""
        period = self._config.watchdog_period / 1000
        if not period:
            faulthandler.cancel_dump_traceback_later()
            return
        if self._stacks is None:
            self._stacks = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as the watchdog
        faulthandler.dump_traceback_later(period, file=self._stacks)

    def _report(self) -> None:
        """Log what the thread has seen, if anything."""
        if self._stacks is None:
            return
        descriptor = self._stacks.fileno()
        size = os.fstat(descriptor).st_size
        if size:
            text = os.pread(descriptor, size, 0).decode("utf-8", "backslashreplace").rstrip()
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            self._log("warning", f"--- WATCHDOG TIMER EXPIRED ---\n{text}\n--------")
