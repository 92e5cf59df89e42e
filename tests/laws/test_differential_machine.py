"""The differential machine with new sequences: minutes of random commands on both servers at once."""

from __future__ import annotations

import pytest

from tests.compat.machine.play import contest, play
from tests.compat.machine.profiles import Profile, redis_profile, valkey_profile

SECONDS = 150.0


@pytest.mark.long
@pytest.mark.parametrize(
    ("profile", "process"),
    [(redis_profile(), False), (valkey_profile(), False), (redis_profile(), True)],
    ids=["redis", "valkey", "redis-and-a-node"],
)
def test_new_random_commands_are_answered_as_by_the_oracle(profile: Profile, process: bool, seed: int) -> None:
    with contest(profile, process=process) as game:
        report = play(profile, game, seed, seconds=SECONDS)
    assert not report.failures, "\n\n".join(report.failures)
