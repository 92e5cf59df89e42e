"""``python -m tests.compat.machine --minutes 60 --seed N``: the long form."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from functools import partial
from random import SystemRandom

from .play import contest, play
from .profiles import redis_profile, valkey_profile

PROFILES = {"redis": redis_profile, "valkey": valkey_profile}


def main(arguments: Sequence[str] | None = None) -> int:
    """Plays the profiles in turn; returns 1 when a difference was met that is not on the list."""
    parser = argparse.ArgumentParser(prog="python -m tests.compat.machine", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="how long, for all profiles together (1)")
    parser.add_argument("--seed", type=int, help="of the sequences; a new one each time if it is not given")
    parser.add_argument(
        "--first", type=int, default=0, help="the number of the first sequence: repeat one with --most 1"
    )
    parser.add_argument("--most", type=int, help="how many sequences a profile plays at most")
    parser.add_argument("--profile", action="append", choices=sorted(PROFILES), help="only this one")
    parser.add_argument("--process", action="store_true", help="a node's process instead of an engine in this one")
    chosen = parser.parse_args(arguments)
    seed = chosen.seed if chosen.seed is not None else SystemRandom().randrange(1 << 32)
    names = chosen.profile or sorted(PROFILES)
    tell = partial(print, flush=True)
    failed = False
    for name in names:
        profile = PROFILES[name]()
        tell(f"{name}: seed {seed}, {len(profile.commands)} commands")
        with contest(profile, process=chosen.process) as game:
            report = play(
                profile,
                game,
                seed,
                seconds=chosen.minutes * 60 / len(names),
                first=chosen.first,
                most=chosen.most,
                tell=tell,
            )
        tell(f"{name}: {report.summary()}")
        for difference, times in sorted(report.counted.items()):
            if difference.startswith("difference"):
                tell(f"    {times:7} {difference}")
        failed = failed or bool(report.failures)
    return 1 if failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers end as well
    sys.exit(main())
