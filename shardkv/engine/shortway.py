"""The short way of a request: a *plain* session on a *calm* node, where no gate could object.

A pipeline of one command goes to its twin for whole runs (``runs.py``). Any other request goes to its command's tuned
twin (``fast.py``), or straight to the command. A run of equal twins is counted and timed once, for reading the clock
costs as much as a tenth of a GET.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..commands.spec import Command, CommandStats
from ..observation.durations import FINE, FINE_SCALE
from ..resp.encoder import NULL2, NULL3, respond
from ..resp.replies import NO_REPLY
from ..values.damage import DamagedValue
from .arriving import restore_asking
from .booked import booked_runs, booked_twins
from .fast import READERS, Twin, string_twins
from .fast_values import value_twins
from .runs import RUN_MIN, STEADY_WRITERS, Run, string_runs, turned, value_runs

if TYPE_CHECKING:
    from ..commands.session import Session
    from .engine import Engine


@dataclass(frozen=True, slots=True, eq=False)
class Shortcut:
    """A twin with what the books need to know of it, and its like for whole runs, if there is one."""

    twin: Twin
    run: Run | None
    name: str
    stats: CommandStats
    fine: list[int]  #: of the histogram of durations
    reads: bool
    steady: bool  #: each request that ``run`` answers is to be propagated, or none is


class ShortWay:
    """Runs requests for as long as session and node stay plain and calm."""

    __slots__ = (
        "_all_runs",
        "_all_twins",
        "_engine",
        "_observer",
        "_runs",
        "_spellings",
        "_stats",
        "_stopwatch",
        "_twins",
        "shortcuts",
    )

    def __init__(self, engine: Engine, stopwatch: Callable[[], float]) -> None:
        self._engine = engine
        self._observer = engine.observer
        self._stats = engine.stats
        self._stopwatch = stopwatch
        self._all_twins = self._twins = {
            **string_twins(engine.config),
            **value_twins(engine.config, engine.rng),
            "restore-asking": restore_asking(engine),
        }
        self._all_runs = self._runs = string_runs() | value_runs(engine.config)
        self.shortcuts: dict[bytes, Shortcut] = {}
        self._spellings: dict[bytes, Command] = {}

    def learn(self, spelling: bytes, command: Command) -> None:
        """A name, as clients send it, of a command that may have a twin."""
        name = command.name
        if name in self._all_twins:
            self._spellings[spelling] = command
        twin = self._twins.get(name)
        if twin is not None:
            reads = name in READERS
            steady = reads or name in STEADY_WRITERS
            fine = command.stats.durations.prepare()
            self.shortcuts[spelling] = Shortcut(twin, self._runs.get(name), name, command.stats, fine, reads, steady)

    def keep_books(self, *, on: bool) -> None:
        """From now on, have twins that keep books of the keyspace, or the plain ones. ``shortcuts`` stays the same
        dict."""
        self._twins = booked_twins(self._all_twins) if on else self._all_twins
        self._runs = booked_runs(self._all_runs) if on else self._all_runs
        self.shortcuts.clear()
        for spelling, command in self._spellings.items():
            self.learn(spelling, command)

    def run(self, session: Session, requests: list[list[bytes]], at: int) -> int:
        """Go on from ``at``; returns where the short way ended."""
        engine = self._engine
        shortcuts = self.shortcuts
        stopwatch = self._stopwatch
        if len(requests) == 1:
            # The commonest of all batches, without what a loop has to set up.
            words = requests[0]
            shortcut = shortcuts.get(words[0])
            if shortcut is not None:
                started = stopwatch()
                db = session.db
                dirty = db.dirty
                try:
                    reply = shortcut.twin(db, words, NULL3 if session.resp3 else NULL2)
                except DamagedValue:
                    reply = None  # the plain command has the words for it
                if reply is not None:
                    session.out.append(reply)
                    ended = self._book(session, shortcut, 1, started)
                    if ended - started >= self._observer.slow:
                        self._observer.took_by_name(session, shortcut.name, words, ended - started)
                    if db.dirty != dirty and engine.sinks:
                        engine.propagation.send(db, words)
                        session.written = engine.replication.history.offset
                    return 1
        elif at == 0 and len(requests) >= RUN_MIN:
            at = self._run_turned(session, requests)
        db = session.db
        dirty = db.dirty
        nil = NULL3 if session.resp3 else NULL2
        out = session.out
        append = out.append
        last: Shortcut | None = None
        count = 0
        started = stopwatch()
        end = len(requests)
        while at < end:
            words = requests[at]
            at += 1
            shortcut = shortcuts.get(words[0])
            if shortcut is not None:
                try:
                    reply = shortcut.twin(db, words, nil)
                except DamagedValue:
                    reply = None
                if reply is not None:
                    append(reply)
                    if shortcut is last:
                        count += 1
                    else:
                        if last is not None:
                            started = self._book(session, last, count, started)
                        last = shortcut
                        count = 1
                    if db.dirty != dirty:
                        dirty = db.dirty
                        if engine.sinks:
                            engine.propagation.send(db, words)
                            session.written = engine.replication.history.offset
                    continue
            if last is not None:
                self._book(session, last, count, started)
                last = None
            command = engine.commands.get(words[0])
            if (
                engine.calm
                and command is not None
                and command.fewest <= len(words) <= command.most
                and (not engine.routing or not command.keys or engine.routes.refusal(session, command, words) is None)
            ):
                answer = engine.call(session, command, words)
                if answer is not NO_REPLY:
                    respond(out, answer, session.resp3)
                if engine.messages.held is not None:
                    engine.messages.replied()
            else:
                engine.perform(session, words)
            if not session.plain or not engine.calm:
                return at
            db = session.db
            dirty = db.dirty
            nil = NULL3 if session.resp3 else NULL2
            started = stopwatch()
        if last is not None:
            self._book(session, last, count, started)
        return at

    def read(self, session: Session, requests: list[list[bytes]], at: int) -> int:
        """The same for reads only, of a session that may be no more than a ``reader``; returns where they ended."""
        if at == 0 and len(requests) >= RUN_MIN and _reads(self.shortcuts.get(requests[0][0])):
            at = self._run_turned(session, requests)
        db = session.db
        nil = NULL3 if session.resp3 else NULL2
        end = len(requests)
        while at < end:
            words = requests[at]
            shortcut = self.shortcuts.get(words[0])
            if shortcut is None or not shortcut.reads:
                break
            started = self._stopwatch()
            try:
                reply = shortcut.twin(db, words, nil)
            except DamagedValue:
                break
            if reply is None:
                break
            session.out.append(reply)
            seconds = self._book(session, shortcut, 1, started) - started
            if seconds >= self._observer.slow:
                self._observer.took_by_name(session, shortcut.name, words, seconds)
            at += 1
        return at

    def _run_turned(self, session: Session, requests: list[list[bytes]]) -> int:
        """Carry out as much of a pipeline as is a run; how many requests that were."""
        shortcut = self.shortcuts.get(requests[0][0])
        if shortcut is None or shortcut.run is None:
            return 0
        sinks = self._engine.sinks
        if sinks and not shortcut.steady:
            return 0
        columns = turned(requests)
        if columns is None:
            return 0
        started = self._stopwatch()
        db = session.db
        dirty = db.dirty
        try:
            replies, count = shortcut.run(db, columns, NULL3 if session.resp3 else NULL2)
            if not count and self._engine.memory.pressed and self._engine.memory.relieve():  # it asked for room
                started = self._stopwatch()
                replies, count = shortcut.run(db, columns, NULL3 if session.resp3 else NULL2)
        except DamagedValue:  # the first request has met it, and nothing is changed: each one answers for itself
            return 0
        if count:
            session.out.append(replies)
            self._book(session, shortcut, count, started)
            if sinks and db.dirty != dirty:
                self._engine.propagation.send_run(db, requests[:count])
                session.written = self._engine.replication.history.offset
        return count

    def _book(self, session: Session, shortcut: Shortcut, count: int, started: float) -> float:
        """Count a run of one twin; returns the time, where the next run starts."""
        if shortcut.reads:
            self._stats.hits += count
        session.last_command = shortcut.name
        session.commands += count
        self._stats.commands += count
        stats = shortcut.stats
        stats.calls += count
        now = self._stopwatch()
        microseconds = (now - started) * 1e6
        stats.microseconds += microseconds
        if self._observer.tracks:
            each = microseconds / count
            place = int(each * FINE_SCALE)
            if place < FINE:
                shortcut.fine[place] += count
            else:
                stats.durations.add(each, count)
        return now


def _reads(shortcut: Shortcut | None) -> bool:
    return shortcut is not None and shortcut.reads
