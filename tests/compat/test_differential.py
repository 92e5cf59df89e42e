"""The differential machine in the form that every commit is held to: few sequences, the same each time.

``python -m tests.compat.machine`` searches with new ones.
"""

from __future__ import annotations

import pytest

from shardkv.commands.spec import TABLE
from tests.compat.machine.cases import Case, Difference
from tests.compat.machine.differences import OURS, REDIS
from tests.compat.machine.play import contest, play
from tests.compat.machine.profiles import LEFT_OUT, Profile, drawn, redis_profile, valkey_profile
from tests.compat.machine.sequences import draw
from tests.compat.machine.shrink import shrunk
from tests.compat.machine.valkey import VALKEY

SEED = 7
SECONDS = 60.0  # more than the sequences need; a slow machine plays fewer


@pytest.mark.parametrize(
    ("profile", "process", "most"),
    [(redis_profile(), False, 250), (valkey_profile(), False, 150), (redis_profile(), True, 70)],
    ids=["redis", "valkey", "redis-and-a-node"],
)
def test_random_commands_are_answered_as_by_the_oracle(profile: Profile, process: bool, most: int) -> None:
    with contest(profile, process=process) as game:
        report = play(profile, game, SEED, seconds=SECONDS, most=most, tell=lambda text: None)
    assert not report.failures, "\n\n".join(report.failures)
    assert report.counted["commands"] > 20 * report.sequences


def test_what_is_left_out_is_named_rightly() -> None:
    assert LEFT_OUT.keys() <= TABLE.keys()
    assert {command.name for command in drawn()}.isdisjoint(LEFT_OUT)


def test_every_difference_has_a_reason_and_a_name_of_its_own() -> None:
    for differences in ((*REDIS, *OURS), (*VALKEY, *OURS)):
        assert all(len(difference.reason) > 5 for difference in differences)
        assert len({difference.name for difference in differences}) == len(differences)


def test_a_difference_that_is_not_meant_is_found_and_made_small() -> None:
    with contest(redis_profile()) as game:
        game.differences = [difference for difference in REDIS if difference.name != "list listpack"]
        report = play(redis_profile(), game, SEED, seconds=SECONDS, most=20, tell=lambda text: None)
    told = next(failure for failure in report.failures if "quicklist" in failure)
    assert len(told.splitlines()) <= 6  # the seed, two steps at most, and what differs


def test_what_fails_without_half_of_it_is_halved() -> None:
    assert shrunk(range(100), lambda items: 3 in items and 77 in items) == [3, 77]
    assert shrunk(range(7), lambda items: len(items) > 4) == [1, 2, 3, 4, 5]


def test_a_seed_stands_for_one_sequence() -> None:
    profile = valkey_profile()
    assert draw(profile, "a", 50) == draw(profile, "a", 50)
    assert draw(profile, "a", 50) != draw(profile, "b", 50)


def test_a_difference_does_not_cover_its_neighbours() -> None:
    def covered(differences: tuple[Difference, ...], *case: object) -> bool:
        name, words, ours, theirs = case
        assert isinstance(name, str)
        assert isinstance(words, tuple)
        return any(difference.fits(Case(name, words, ours, theirs)) for difference in differences)

    assert covered(REDIS, "ZSCORE", (b"ZSCORE", b"z", b"a"), b"3.1", b"3.1000000000000001")
    assert not covered(REDIS, "ZSCORE", (b"ZSCORE", b"z", b"a"), b"3.1", b"3.2")
    assert not covered(REDIS, "ZSCORE", (b"ZSCORE", b"z", b"a"), b"3", None)
    assert not covered(REDIS, "GET", (b"GET", b"z"), b"3.1", b"3.1000000000000001")
    assert covered(REDIS, "OBJECT|ENCODING", (b"t",), b"listpack", b"hashtable")
    assert not covered(REDIS, "OBJECT|ENCODING", (b"t",), b"hashtable", b"listpack")
