"""When the log is written, brought to disk and written anew."""

from __future__ import annotations

import pytest

from shardkv.persist.aof.flushing import ALWAYS, EVERYSEC, INTERVAL, PATIENCE, Flushing, Sync
from shardkv.persist.aof.state import FAILURES_MAX, AofState


def test_always_brings_what_is_written_to_disk_at_once() -> None:
    flushing = Flushing()
    assert flushing.sync(ALWAYS, 10.0, paused=False) is Sync.NO
    flushing.size += 5
    assert flushing.sync(ALWAYS, 10.0, paused=False) is Sync.NOW
    flushing.synced_all(10.0)
    assert flushing.sync(ALWAYS, 10.0, paused=False) is Sync.NO


def test_everysec_does_so_aside_once_a_second() -> None:
    flushing = Flushing()
    flushing.size += 5
    assert flushing.sync(EVERYSEC, 10.0, paused=False) is Sync.ASIDE
    flushing.began(10.0)
    flushing.size += 5
    assert flushing.sync(EVERYSEC, 10.5, paused=False) is Sync.NO
    flushing.ended(ok=True)
    assert flushing.synced == 5
    assert flushing.sync(EVERYSEC, 10.5, paused=False) is Sync.NO
    assert flushing.sync(EVERYSEC, 10.0 + INTERVAL, paused=False) is Sync.ASIDE


def test_what_could_not_be_brought_to_disk_is_tried_again_without_new_writes() -> None:
    flushing = Flushing()
    flushing.size += 5
    flushing.began(10.0)
    flushing.ended(ok=False)
    assert flushing.synced == 0
    assert flushing.sync(EVERYSEC, 11.0, paused=False) is Sync.ASIDE


def test_no_leaves_it_to_the_kernel() -> None:
    flushing = Flushing()
    flushing.size += 5
    assert flushing.sync("no", 10.0, paused=False) is Sync.NO


@pytest.mark.parametrize("policy", [ALWAYS, EVERYSEC])
def test_nothing_is_brought_to_disk_while_that_is_paused(policy: str) -> None:
    flushing = Flushing()
    flushing.size += 5
    assert flushing.sync(policy, 10.0, paused=True) is Sync.NO


def test_a_write_waits_for_the_thread_for_two_seconds_and_no_longer() -> None:
    flushing = Flushing()
    assert flushing.may_write(EVERYSEC, 10.0)
    flushing.size += 5
    flushing.began(10.0)
    assert not flushing.may_write(EVERYSEC, 10.1)
    assert not flushing.may_write(EVERYSEC, 10.1 + PATIENCE - 0.01)
    assert flushing.delayed == 0
    assert flushing.may_write(EVERYSEC, 10.1 + PATIENCE)
    assert flushing.delayed == 1
    assert not flushing.may_write(EVERYSEC, 12.2)
    flushing.ended(ok=True)
    assert flushing.may_write(EVERYSEC, 12.3)


@pytest.mark.parametrize("policy", [ALWAYS, "no"])
def test_the_other_policies_never_wait(policy: str) -> None:
    flushing = Flushing()
    flushing.began(10.0)
    assert flushing.may_write(policy, 10.1)


def test_another_file_begins_on_disk() -> None:
    flushing = Flushing()
    flushing.size += 5
    flushing.began(10.0)
    flushing.open(70)
    assert flushing.may_write(EVERYSEC, 10.1)
    flushing.ended(ok=True)
    assert (flushing.size, flushing.synced) == (70, 70)


def test_a_write_that_fails_is_complained_of_now_and_then_and_tried_once_a_second() -> None:
    flushing = Flushing()
    assert flushing.complains(10.0)
    assert not flushing.may_retry(10.9)
    assert flushing.may_retry(11.0)
    assert not flushing.complains(39.0)
    assert flushing.complains(41.0)
    flushing.recovered()
    assert flushing.complains(42.0)


# ---- writing anew


def _enabled(**fields: int) -> AofState:
    state = AofState(enabled=True)
    for name, value in fields.items():
        setattr(state, name, value)
    return state


def test_growth_is_a_reason_to_write_the_log_anew() -> None:
    assert _enabled(size=2000, base_size=1000).grown(100, 64) == 100
    assert _enabled(size=1999, base_size=1000).grown(100, 64) is None
    assert _enabled(size=2000, base_size=1000).grown(0, 64) is None
    assert _enabled(size=60, base_size=10).grown(100, 64) is None
    assert _enabled(size=500, base_size=0).grown(100, 64) == 49900
    assert AofState(size=2000, base_size=1000).grown(100, 64) is None


def test_rewrites_that_keep_failing_are_tried_less_and_less() -> None:
    state = _enabled()
    for _ in range(FAILURES_MAX):
        assert not state.limited(1000)
        state.began()
        state.ended(1.0, 0, ok=False)
    assert not state.rewrite_ok
    assert state.limited(1000)
    assert state.minutes_to_wait == 1
    assert state.limited(1059)
    assert not state.limited(1060)
    state.ended(1.0, 0, ok=False)
    assert state.limited(1060)
    assert state.minutes_to_wait == 2
    state.ended(1.0, 0, ok=True)
    assert not state.limited(1061)
    assert (state.failures, state.rewrite_ok) == (0, True)


def test_to_end_a_rewrite_on_purpose_is_no_failure() -> None:
    state = _enabled()
    state.ended(1.0, 0, ok=False, aborted=True)
    assert (state.failures, state.rewrite_ok, state.scheduled) == (0, True, False)


def test_a_log_that_has_no_base_yet_tries_until_it_has() -> None:
    state = AofState(enabled=True, awaiting_base=True)
    state.began()
    state.ended(1.0, 0, ok=False)
    assert state.scheduled


def test_writes_are_refused_while_the_log_cannot_be_written() -> None:
    state = _enabled()
    assert state.refusal is None
    state.write_fault = "No space left on device"
    assert state.refusal == "MISCONF Errors writing to the AOF file: No space left on device"
    state.enabled = False
    assert state.refusal is None
