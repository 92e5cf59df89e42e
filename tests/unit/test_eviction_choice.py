"""Which keys are chosen to be given up, how their use is kept, and what their tables take."""

from __future__ import annotations

from random import Random
from sys import getsizeof

import pytest

from shardkv.config import Config
from shardkv.keyspace.database import Database
from shardkv.keyspace.eviction import Eviction, Policy
from shardkv.keyspace.rooms import fitted
from shardkv.keyspace.slots import SLOT_COUNT, key_slot
from shardkv.keyspace.usage import Frequency, Recency, Usage
from shardkv.values.buckets import Buckets

NOW = 1_700_000_000_000


class Now:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = NOW


def a_database(usage: Usage | None = None, index: int = 0) -> Database:
    database = Database(index, bytearray(b"\x01" * SLOT_COUNT))
    database.now = NOW
    database.usage = usage
    return database


def put(database: Database, key: bytes, at: int | None = None) -> None:
    database.put(key, b"v")
    if database.usage is not None:
        database.usage.new(key_slot(key), key)
    if at is not None:
        database.expire_at(key, at)


def chosen(eviction: Eviction, databases: list[Database], count: int, samples: int = 5) -> list[bytes]:
    """So many keys are given up, one after the other, and returned in that order."""
    gone: list[bytes] = []
    for _ in range(100 * count):
        for database, key in reversed(eviction.choose(databases, samples, 8)):
            if len(gone) < count and database.remove(key) is not None:
                gone.append(key)
        if len(gone) == count:
            break
    return gone


@pytest.mark.parametrize(
    ("name", "order", "volatile"),
    [("noeviction", "", False), ("allkeys-lru", "lru", False), ("volatile-ttl", "ttl", True)],
)
def test_a_name_says_how_and_among_which(name: str, order: str, volatile: bool) -> None:
    assert Policy.named(name) == Policy(order, volatile)


def test_the_longest_unused_goes_first_among_keys_that_are_spread() -> None:
    clock = Now()
    database = a_database(Recency(clock))
    for number in range(2000):
        put(database, b"key:%d" % number)
        clock.now += 100
    gone = chosen(Eviction(Policy.named("allkeys-lru"), Random(1)), [database], 500, samples=10)
    assert len(gone) == 500
    assert sum(int(key[4:]) for key in gone) / 500 < 400  # at random it were 1000


def test_the_longest_unused_goes_first_in_one_large_slot() -> None:
    clock = Now()
    usage = Recency(clock)
    database = a_database(usage)
    for number in range(3000):
        put(database, b"{tag}:%d" % number)
        clock.now += 100
    slot = key_slot(b"{tag}")
    assert isinstance(usage.slots[slot], Buckets)
    gone = chosen(Eviction(Policy.named("allkeys-lru"), Random(1)), [database], 500, samples=10)
    assert sum(int(key[6:]) for key in gone) / 500 < 700


def test_keys_of_one_large_slot_are_drawn_as_often_as_others() -> None:
    database = a_database()
    for number in range(5000):
        put(database, b"{tag}:%d" % number)
        put(database, b"key:%d" % number)
    gone = chosen(Eviction(Policy.named("allkeys-random"), Random(1)), [database], 2000)
    tagged = sum(key.startswith(b"{") for key in gone)
    assert 700 < tagged < 1300


def test_only_keys_with_a_time_are_chosen_and_the_next_goes_first() -> None:
    database = a_database()
    for number in range(1000):
        put(database, b"stays:%d" % number)
        put(database, b"key:%d" % number, NOW + 1000 + number)
    eviction = Eviction(Policy.named("volatile-ttl"), Random(1))
    gone = chosen(eviction, [database], 300, samples=10)
    assert all(key.startswith(b"key:") for key in gone)
    assert sum(int(key[4:]) for key in gone) / 300 < 250
    assert len(chosen(eviction, [database], 700)) == 700
    assert eviction.choose([database], 5, 8) == []


def test_all_databases_give_up_keys() -> None:
    databases = [a_database(index=number) for number in range(3)]
    for database in databases:
        for number in range(300):
            put(database, b"key:%d" % number)
    chosen(Eviction(Policy.named("allkeys-random"), Random(1)), databases, 300)
    assert all(150 < database.size < 250 for database in databases)


def test_what_was_chosen_and_not_needed_comes_again() -> None:
    clock = Now()
    database = a_database(Recency(clock))
    put(database, b"old")
    clock.now += 1000
    for number in range(100):
        put(database, b"key:%d" % number)
    eviction = Eviction(Policy.named("allkeys-lru"), Random(1))
    eviction.take_back([(database, b"old")])
    assert eviction.choose([database], 5, 1)[-1] == (database, b"old")


def test_a_use_after_the_draw_is_seen() -> None:
    clock = Now()
    usage = Recency(clock)
    database = a_database(usage)
    put(database, b"old")
    clock.now += 1000
    for number in range(100):
        put(database, b"key:%d" % number)
    eviction = Eviction(Policy.named("allkeys-lru"), Random(1))
    eviction.take_back([(database, b"old")])
    clock.now += 1000
    usage.used(key_slot(b"old"), b"old")
    assert (database, b"old") not in eviction.choose([database], 5, 1)


def test_a_last_use_is_told_in_seconds() -> None:
    clock = Now()
    usage = Recency(clock)
    usage.new(7, b"k")
    clock.now += 5_500
    assert usage.idle_seconds(7, b"k") == 5
    usage.set_idle(7, b"k", 100)
    assert usage.idle_seconds(7, b"k") == 100
    assert usage.idle_seconds(7, b"other") is None


def test_a_counter_rises_fades_and_ends_at_its_most() -> None:
    clock, config = Now(), Config()
    usage = Frequency(clock, config, Random(1))
    usage.new(7, b"k")
    assert usage.count(7, b"k") == 5
    usage.used(7, b"k")
    assert usage.count(7, b"k") == 6  # the first use always counts
    config.set([(b"lfu-log-factor", b"0")])
    for _ in range(300):
        usage.used(7, b"k")
    assert usage.count(7, b"k") == 255
    clock.now += 10 * 60_000
    assert usage.count(7, b"k") == 245
    config.set([(b"lfu-decay-time", b"5")])
    assert usage.count(7, b"k") == 253
    clock.now += 10_000 * 60_000
    assert usage.count(7, b"k") == 0


def test_keys_that_nothing_is_known_of_take_the_time_of_their_slot() -> None:
    clock = Now()
    usage = Recency(clock)
    usage.new(7, b"known")
    usage.fill(7, [b"known", b"other"], NOW // 1000 - 60)
    assert usage.idle_seconds(7, b"known") == 0
    assert usage.idle_seconds(7, b"other") == 60


def test_a_dict_in_which_keys_came_and_went_is_made_smaller_and_no_other() -> None:
    held = {b"%d" % number: number for number in range(7)}
    for number in range(1000):
        held[b"x%d" % number] = number
        del held[next(iter(held))]
    smaller = fitted(held)
    assert smaller == held
    assert getsizeof(smaller) < getsizeof(held)
    assert fitted(smaller) is smaller
    for count in range(200):
        fresh = {b"%d" % number: number for number in range(count)}
        assert getsizeof(fitted(fresh)) == getsizeof(fresh)
