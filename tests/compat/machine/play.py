"""Many sequences against one server; failures shrunk, each kind told once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tests.support.oracle import SETTINGS
from tests.support.processes import Node

from .contest import Contest, Failure
from .profiles import Profile
from .sequences import DEFAULTS, Drawn, draw
from .shrink import shrunk
from .sides import InProcess, Process

LENGTH = 100


@dataclass
class Report:
    """What a run has met."""

    sequences: int = 0
    seconds: float = 0.0
    counted: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """One line."""
        commands = self.counted["commands"]
        rate = commands / self.seconds if self.seconds else 0.0
        return (
            f"{self.sequences} sequences, {commands} commands ({self.counted['errors']} errors) in "
            f"{self.seconds:.0f} s, {rate:.0f} a second; {len(self.failures)} kinds of failure"
        )


@contextmanager
def contest(profile: Profile, *, process: bool = False) -> Iterator[Contest]:
    """The two sides of a profile: our engine in this process, or a node's process."""
    with profile.server(**SETTINGS) as server:
        theirs = Process(server)
        if not process:
            yield Contest(InProcess(), theirs, profile.differences)
            theirs.close()
            return
        with Node(**SETTINGS) as node:
            ours = Process(node)
            yield Contest(ours, theirs, profile.differences)
            ours.close()
            theirs.close()


def play(
    profile: Profile,
    game: Contest,
    seed: int,
    *,
    seconds: float,
    first: int = 0,
    most: int | None = None,
    tell: Callable[[str], None] = print,
) -> Report:
    """Sequences number ``first`` and on of this seed, until the time is over or ``most`` are played."""
    report = Report(counted=game.counted)
    started = told = time.monotonic()
    known: set[tuple[str, str, str]] = set()
    number = first
    while time.monotonic() - started < seconds and (most is None or number < first + most):
        drawn = draw(profile, f"{profile.name}:{seed}:{number}", LENGTH)
        failure = game.run(drawn)
        report.sequences += 1
        number += 1
        report.seconds = time.monotonic() - started
        if failure is not None and failure.signature not in known:
            known.add(failure.signature)
            report.failures.append(explain(game, drawn, failure))
            tell(report.failures[-1])
        if time.monotonic() - told > 60:
            told = time.monotonic()
            tell(f"{profile.name}: {report.summary()}")
    return report


def explain(game: Contest, drawn: Drawn, failure: Failure) -> str:
    """The failure with the shortest sequence that shows it."""

    def fails(steps: Sequence[Any]) -> bool:
        again = game.run(replace(drawn, steps=tuple(steps)))
        return again is not None and again.signature == failure.signature

    steps = shrunk(drawn.steps[: failure.at + 1], fails)
    last = game.run(replace(drawn, steps=tuple(steps))) or failure
    setup = " ".join(f"{name}={value}" for name, value in drawn.setup.options.items() if DEFAULTS.get(name) != value)
    lines = [f"seed {drawn.seed} RESP{3 if drawn.setup.resp3 else 2} {setup}"]
    return "\n".join([*lines, *(f"  {step}" for step in steps), f"  {last}"])
