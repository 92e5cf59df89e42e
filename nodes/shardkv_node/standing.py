"""How the kernel treats the node and its saving children: whom it kills first when memory is short (``oom-score-adj``),
on which processors they run (the ``-cpulist`` options), and with pages of which size (``disable-thp``). Linux only;
elsewhere the options do nothing."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from shardkv.config import Config
from shardkv.errors import ReplyError

_SCORE: Final = Path("/proc/self/oom_score_adj")
_HUGE_PAGES: Final = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_PR_SET_THP_DISABLE: Final = 41
_LEAST, _MOST = -1000, 1000
_OPTIONS: Final = ("oom-score-adj", "oom-score-adj-values")
_CHILD: Final = 2


class Standing:
    """The score and the processors of one node. ``is_replica``: as what it stands."""

    def __init__(self, config: Config, is_replica: Callable[[], bool], log: Callable[[str, str], None]) -> None:
        self._config = config
        self._is_replica = is_replica
        self._log = log
        self._given: int | None = None  #: what it had, by somebody else's will, before it took one of its own

    def take(self) -> None:
        """At the start: what cannot be had is logged, and the node goes on."""
        if self._config.disable_thp and huge_pages_are_always_on():
            self._refuse_huge_pages()
        self._pin("server-cpulist", self._config.server_cpulist)
        self.role_changed()

    def role_changed(self) -> None:
        """It may be a replica now, or none any more."""
        try:
            self._score(int(self._is_replica()))
        except OSError as error:
            self._log("warning", f"Unable to write oom_score_adj: {error.strerror}")

    def options_changed(self, changed: frozenset[str]) -> None:
        """Obey the options as they are now. Raises ReplyError, and then the score is what it was."""
        for option in _OPTIONS:
            if option in changed:
                try:
                    self._score(int(self._is_replica()))
                except OSError as error:
                    self._log("warning", f"Unable to write oom_score_adj: {error.strerror}")
                    reason = "Failed to set current oom_score_adj. Check server logs."
                    raise ReplyError(
                        f"ERR CONFIG SET failed (possibly related to argument '{option}') - {reason}"
                    ) from error
                return

    def born(self, kind: str) -> None:
        """In a child that was forked for something."""
        try:
            self._score(_CHILD)
        except OSError:
            pass  # it keeps that of the node
        if kind == "rdb":
            self._pin("bgsave-cpulist", self._config.bgsave_cpulist)
        elif kind == "aof":
            self._pin("aof-rewrite-cpulist", self._config.aof_rewrite_cpulist)

    def _score(self, place: int) -> None:
        """Have the score for a place in ``oom-score-adj-values``. Raises OSError."""
        mode = self._config.oom_score_adj
        if mode == "no":
            if self._given is not None:
                _SCORE.write_text(str(self._given))
                self._given = None
            return
        given = _read_score() if self._given is None else self._given
        if given is None:
            return
        wanted = self._config.oom_score_adj_values[place] + (0 if mode == "absolute" else given)
        _SCORE.write_text(str(min(max(wanted, _LEAST), _MOST)))
        self._given = given

    def _refuse_huge_pages(self) -> None:
        """The process is given small pages only, from now on."""
        try:
            refused = ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_THP_DISABLE, 1, 0, 0, 0)
        except (OSError, AttributeError):
            refused = -1
        if refused:
            self._log("warning", "Huge pages are always on here, and cannot be switched off for this process.")

    def _pin(self, option: str, text: str) -> None:
        """Run on these processors only, if any are named."""
        if not text:
            return
        try:
            os.sched_setaffinity(0, processors(text))
        except (ValueError, OSError, AttributeError) as error:
            self._log("warning", f"{option} '{text}' cannot be had: {error}")


def huge_pages_are_always_on(switch: Path = _HUGE_PAGES) -> bool:
    """Whether the host gives every process huge pages."""
    try:
        return "[always]" in switch.read_text()
    except OSError:
        return False


def _read_score() -> int | None:
    try:
        return int(_SCORE.read_text())
    except (OSError, ValueError):
        return None


def processors(text: str) -> set[int]:
    """The processors of a list such as ``0,2-5`` or ``0-10:2`` (every second one). Raises ValueError."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, stride = part.partition(":")
        first, dash, last = span.partition("-")
        start, end, step = int(first), int(last) if dash else int(first), int(stride or 1)
        if start < 0 or end < start or step < 1:
            raise ValueError(f"{part!r} is no range of processors")
        found.update(range(start, end + 1, step))
    return found
