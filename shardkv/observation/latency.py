"""The latency monitor: for each kind of event that can hold a node up, the moments when it took long.

The events are Redis's: command, fast-command and command-unblocking; fork; expire-cycle; those of giving keys up
(eviction-cycle, eviction-del); aof-write (with aof-write-pending-fsync, -active-child or -alone, whichever it was),
aof-fsync-always, aof-fstat, aof-rename; rdb-unlink-temp-file. Some of Redis's can hold nobody up here and never occur:
active-defrag-cycle (nothing is defragmented), expire-del and eviction-lazyfree (large values are always freed in small
steps), while-blocked-cron (timers are tasks of their own) and module-acquire-GIL (there are no modules).

Times are Unix seconds, durations milliseconds. Of each event the last ``SAMPLES`` moments are kept, one a second at
most: within a second the longest counts.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from .sparkline import Sample, sparkline

SAMPLES: Final = 160
#: A graph shows this many of the latest moments.
GRAPH_COLUMNS: Final = 80

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


class Moments:
    """The slow moments of one event."""

    __slots__ = ("longest", "samples")

    def __init__(self) -> None:
        self.samples: deque[tuple[int, int]] = deque(maxlen=SAMPLES)  #: (when, how long), the oldest first
        self.longest = 0  #: of all time, that is since the last reset

    def add(self, at: int, duration: int) -> None:
        """Note a moment."""
        self.longest = max(self.longest, duration)
        if self.samples and self.samples[-1][0] == at:
            duration = max(duration, self.samples.pop()[1])
        self.samples.append((at, duration))


class LatencyMonitor:
    """All events by name, in the order in which they first occurred."""

    __slots__ = ("events",)

    def __init__(self) -> None:
        self.events: dict[str, Moments] = {}

    def add(self, event: str, at: int, duration: int) -> None:
        """An event took ``duration`` milliseconds, which is long."""
        self.events.setdefault(event, Moments()).add(at, duration)

    def latest(self) -> list[tuple[str, int, int, int]]:
        """Each event with the time and duration of its last moment, and its longest duration."""
        return [(event, *moments.samples[-1], moments.longest) for event, moments in self.events.items()]

    def history(self, event: str) -> list[tuple[int, int]]:
        """The moments of an event, the oldest first; none for an event that never took long."""
        moments = self.events.get(event)
        return [] if moments is None else list(moments.samples)

    def reset(self, *events: str) -> int:
        """Forget these events, or all; how many there were."""
        gone = [event for event in events or list(self.events) if self.events.pop(event, None) is not None]
        return len(gone)

    def graph(self, event: str, now: int) -> str | None:
        """The moments of an event drawn with letters, each labelled with its age; None if there are none."""
        moments = self.events.get(event)
        if moments is None:
            return None
        shown = list(moments.samples)[-GRAPH_COLUMNS:]
        durations = [duration for _, duration in moments.samples]
        header = (
            f"{event} - high {max(durations)} ms, low {min(durations)} ms (all time high {moments.longest} ms)\n"
            f"{'-' * GRAPH_COLUMNS}\n"
        )
        return header + sparkline([Sample(duration, age(now - at)) for at, duration in shown])

    def report(self, threshold: int) -> str:
        """What a person may want to know: which events took long, how often and how much, and what helps."""
        if not threshold:
            return (
                "Latency monitoring is off on this node. Turn it on with CONFIG SET latency-monitor-threshold "
                "<milliseconds>, and ask again when it has seen some load.\n"
            )
        if not self.events:
            return f"No event has taken {threshold} ms or more since the monitor was turned on or reset.\n"
        lines = [f"Events that took {threshold} ms or more, of each at most the last {SAMPLES}:\n"]
        for place, (event, moments) in enumerate(self.events.items(), 1):
            durations = [duration for _, duration in moments.samples]
            mean = sum(durations) / len(durations)
            spread = sum(abs(duration - mean) for duration in durations) / len(durations)
            first, last = moments.samples[0][0], moments.samples[-1][0]
            period = (last - first) / (len(durations) - 1) if len(durations) > 1 else 0.0
            lines.append(
                f"{place}. {event}: {len(durations)} times (mean {mean:.0f} ms, mean deviation {spread:.0f} ms, "
                f"one in {period:.0f} s). Longest of all: {moments.longest} ms."
            )
        advice = dict.fromkeys(text for event in self.events for name, text in _ADVICE if event.startswith(name))
        if advice:
            lines.append("\nWhat may help:\n")
            lines += [f"- {text}" for text in advice]
        return "\n".join(lines) + "\n"


#: By the beginning of an event's name.
_ADVICE: Final = (
    ("command", "SLOWLOG GET tells which commands are slow; avoid those that walk all of a large key."),
    ("fast-command", "Commands in constant time were slow: the machine, or its other processes, held this one up."),
    ("fork", "A snapshot's fork copies page tables: smaller nodes, more of them, make it shorter."),
    ("aof", "The disk is slow: appendfsync everysec or no asks less of it, no-appendfsync-on-rewrite during rewrites."),
    ("expire", "Very many keys expire together: spread their times."),
    ("eviction", "Memory is full all the time: raise maxmemory, or lower maxmemory-eviction-tenacity."),
)


def age(seconds: int) -> str:
    """A time span in its largest unit: ``12s``, ``5m``, ``3h``, ``2d``."""
    if seconds < _MINUTE:
        return f"{seconds}s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE}m"
    if seconds < _DAY:
        return f"{seconds // _HOUR}h"
    return f"{seconds // _DAY}d"
