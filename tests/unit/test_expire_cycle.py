"""The active expire cycle: finds what has passed, touches nothing else, stops when its time is over."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from shardkv.keyspace.database import Database
from shardkv.keyspace.expiry import PORTION, SLOTS_A_LOOK, ExpireCycle
from shardkv.keyspace.slots import SLOT_COUNT, key_slot

NOW = 10_000


def filled(times: dict[bytes, int | None]) -> Database:
    """A database of these keys and their expiry times."""
    database = Database(0, bytearray(b"\x01" * SLOT_COUNT))
    for name, at in times.items():
        database.put(name, b"v")
        database.expire_at(name, at)
    return database


def remove(database: Database, name: bytes) -> None:
    """What the engine does, less its consequences."""
    assert database.remove(name) is not None


def budget(looks: int) -> Callable[[], bool]:
    """A budget that is spent after so many looks at the clock."""
    left = [looks]

    def spent() -> bool:
        left[0] -= 1
        return left[0] < 0

    return spent


def never() -> bool:
    """All the time of the world."""
    return False


TIMES = st.dictionaries(
    st.one_of(st.integers(0, 500).map(lambda n: b"k%d" % n), st.integers(0, 50).map(lambda n: b"{tag}%d" % n)),
    st.one_of(st.none(), st.integers(NOW - 5, NOW + 5)),
    max_size=80,
)


@given(times=TIMES)
def test_one_round_deletes_what_has_passed_and_nothing_else(times: dict[bytes, int | None]) -> None:
    database = filled(times)
    assert ExpireCycle(database).step(NOW, remove, never)
    database.check()
    assert set(database) == {name for name, at in times.items() if at is None or at >= NOW}


@settings(max_examples=10)
@given(times=TIMES, looks=st.integers(0, 20))
def test_rounds_that_are_cut_short_go_on_where_they_stopped(times: dict[bytes, int | None], looks: int) -> None:
    database = filled(times)
    cycle = ExpireCycle(database)
    for _ in range(SLOT_COUNT // SLOTS_A_LOOK + 2):
        if cycle.step(NOW, remove, budget(looks)):
            break
    database.check()
    assert set(database) == {name for name, at in times.items() if at is None or at >= NOW}


def test_a_slot_with_very_many_expiry_times_is_looked_at_in_portions() -> None:
    count = 5 * PORTION
    database = filled({b"{tag}%d" % number: NOW - 1 for number in range(count)})
    cycle = ExpireCycle(database)
    deleted: list[bytes] = []

    def note(held: Database, name: bytes) -> None:
        deleted.append(name)
        remove(held, name)

    cycle.cursor = key_slot(b"tag")
    cycle.step(NOW, note, budget(0))
    assert len(deleted) == PORTION
    while database.expiring:
        cycle.step(NOW, note, never)
    assert len(deleted) == count
    database.check()


def test_live_keys_of_a_large_slot_do_not_hide_the_dead_ones() -> None:
    times: dict[bytes, int | None] = {b"{tag}live%d" % number: NOW + 1000 for number in range(3 * PORTION)}
    times |= {b"{tag}dead%d" % number: NOW - 1 for number in range(100)}
    database = filled(times)
    cycle = ExpireCycle(database)
    for _ in range(10):
        cycle.step(NOW, remove, never)
    assert database.expiring == 3 * PORTION
    database.check()


def test_nothing_that_expires_costs_nothing() -> None:
    assert ExpireCycle(filled({b"a": None})).step(NOW, remove, budget(0))


def test_the_mean_time_left_is_learnt() -> None:
    cycle = ExpireCycle(filled({b"a": NOW + 500}))
    cycle.step(NOW, remove, never)
    assert cycle.average_ttl == 500
