"""When a snapshot is wanted, and what is known of those before it."""

from __future__ import annotations

from shardkv.config import Config
from shardkv.persist.loading import LoadProgress
from shardkv.persist.snapshots import MISCONF, RETRY_SECONDS, SnapshotState

RULES = ((3600, 1), (60, 100))


def test_a_rule_asks_for_so_many_changes_after_so_many_seconds() -> None:
    state = SnapshotState(last_save=1000)
    assert state.wanted(1061, 99, RULES) is None
    assert state.wanted(1060, 100, RULES) is None
    assert state.wanted(1061, 100, RULES) == (60, 100)
    assert state.wanted(4601, 1, RULES) == (3600, 1)
    assert state.wanted(4601, 1, ()) is None


def test_only_what_was_there_at_the_beginning_is_safe() -> None:
    state = SnapshotState(last_save=1000)
    state.began(1100, changes=100)
    state.ended(1103, 3.7, 4096, ok=True)
    assert (state.last_save, state.last_seconds, state.last_copied) == (1103, 3, 4096)
    assert state.settled == 100
    assert state.wanted(1164, 199, RULES) is None
    assert state.wanted(1164, 200, RULES) == (60, 100)


def test_after_a_failure_the_next_try_waits_a_little_and_writes_are_refused() -> None:
    config = Config()
    state = SnapshotState(last_save=1000)
    assert state.refusal(config) is None
    state.began(1100, changes=100)
    state.ended(1100, 0.1, 0, ok=False)
    assert (state.settled, state.last_save) == (0, 1000)
    assert state.refusal(config) == MISCONF
    assert state.wanted(1100 + RETRY_SECONDS, 100, RULES) is None
    assert state.wanted(1101 + RETRY_SECONDS, 100, RULES) == (60, 100)
    config.set([(b"stop-writes-on-bgsave-error", b"no")])
    assert state.refusal(config) is None
    config.set([(b"stop-writes-on-bgsave-error", b"yes"), (b"save", b"")])
    assert state.refusal(config) is None
    config.set([(b"save", b"60 1")])
    state.stored(1110, changes=110)
    assert state.refusal(config) is None
    assert state.settled == 110


def test_to_be_aborted_is_no_failure() -> None:
    state = SnapshotState(last_save=1000)
    state.began(1100, changes=100)
    state.ended(1101, 1.0, 0, ok=False, aborted=True)
    assert state.ok
    assert state.settled == 0


def test_a_scheduled_one_is_due_until_one_begins() -> None:
    state = SnapshotState(last_save=1000)
    assert not state.due(1001)
    state.scheduled = True
    assert state.due(1001)
    state.began(1001, changes=0)
    assert not state.due(1002)


def test_the_time_that_loading_will_take_is_estimated_by_what_is_loaded() -> None:
    progress = LoadProgress(started=1000, total=999)
    assert progress.seconds_left(1000) == 1
    progress.loaded = 249
    assert progress.seconds_left(1010) == 30
    assert f"{progress.percent:.2f}" == "24.90"
