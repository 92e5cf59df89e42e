"""Which keys are chosen to be given up, how their use is kept, and what their tables take."""

from __future__ import annotations

from random import Random
from sys import getsizeof

import pytest

from shardkv.config import Config
from shardkv.keyspace.books import Books
from shardkv.keyspace.database import Database
from shardkv.keyspace.eviction import Eviction, Policy, eviction
from shardkv.keyspace.giving_up import give_up
from shardkv.keyspace.rooms import fitted
from shardkv.keyspace.slots import SLOT_COUNT, key_slot
from shardkv.keyspace.usage import ROOMS, Frequency, Recency, Usage
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
    database.books = Books([database], lambda: None)
    return database


def put(database: Database, key: bytes, at: int | None = None) -> None:
    database.put(key, b"v")
    if at is not None:
        database.expire_at(key, at)


def choosing(name: str) -> Eviction:
    return eviction(Policy.named(name), Random(1))


def chosen(eviction: Eviction, databases: list[Database], count: int, samples: int = 5) -> list[bytes]:
    """So many keys are given up, one after the other, and returned in that order."""
    gone: list[bytes] = []
    for _ in range(100 * count):
        for database, keys in eviction.choose(databases, samples, 8):
            for key in keys:
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
    gone = chosen(choosing("allkeys-lru"), [database], 500, samples=10)
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
    gone = chosen(choosing("allkeys-lru"), [database], 500, samples=10)
    assert sum(int(key[6:]) for key in gone) / 500 < 700


def test_keys_of_one_large_slot_are_drawn_as_often_as_others() -> None:
    database = a_database()
    for number in range(5000):
        put(database, b"{tag}:%d" % number)
        put(database, b"key:%d" % number)
    gone = chosen(choosing("allkeys-random"), [database], 2000)
    tagged = sum(key.startswith(b"{") for key in gone)
    assert 700 < tagged < 1300


def test_only_keys_with_a_time_are_chosen_and_the_next_goes_first() -> None:
    database = a_database()
    for number in range(1000):
        put(database, b"stays:%d" % number)
        put(database, b"key:%d" % number, NOW + 1000 + number)
    eviction = choosing("volatile-ttl")
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
    chosen(choosing("allkeys-random"), databases, 300)
    assert all(150 < database.size < 250 for database in databases)


def test_a_use_after_the_draw_is_seen() -> None:
    clock = Now()
    usage = Recency(clock)
    database = a_database(usage)
    for number in range(200):
        put(database, b"key:%d" % number, NOW + 1_000_000)
        clock.now += 1000
    policy = choosing("volatile-lru")
    policy.choose([database], 5, 1)  # more than the one is kept in mind
    for number in range(100):
        usage.used(key_slot(b"key:%d" % number), b"key:%d" % number)
    gone = chosen(policy, [database], 50, samples=10)
    assert sum(int(key[4:]) >= 100 for key in gone) > 45


def test_a_key_whose_time_was_taken_back_is_not_given_up() -> None:
    database = a_database()
    for number in range(40):
        put(database, b"key:%d" % number, NOW + 1000 + number)
    policy = choosing("volatile-ttl")
    policy.choose([database], 5, 1)
    for number in range(20):
        database.expire_at(b"key:%d" % number, None)
    assert len(chosen(policy, [database], 20)) == 20
    assert database.size == 20
    assert policy.choose([database], 5, 8) == []


def test_no_more_are_chosen_than_asked_for_where_all_are_worth_the_same() -> None:
    databases = [a_database(Recency(Now()), number) for number in range(2)]
    for database in databases:
        for number in range(1000):
            put(database, b"key:%d" % number)
    policy = choosing("allkeys-lru")
    for count in (1, 2, 50):
        assert sum(len(keys) for _, keys in policy.choose(databases, 5, count)) == count


def test_the_walk_comes_by_every_key_once_a_round() -> None:
    usage = Recency(Now())
    database = a_database(usage)
    for number in range(5000):
        put(database, b"{tag}:%d" % number)
        put(database, b"key:%d" % number)
    met: list[bytes] = []
    slot = inner = 0
    while True:
        room, slot, inner = usage.walk(slot, inner)
        met += room
        if not slot and not inner:
            break
    assert len(met) == 10_000
    assert set(met) == set(database)


# ---- giving up


@pytest.mark.parametrize("tag", [b"", b"{tag}"])
def test_what_is_given_up_leaves_nothing_behind(tag: bytes) -> None:
    usage = Recency(Now())
    database = a_database(usage)
    books = database.books
    assert books is not None
    for number in range(3000):
        key = tag + b"key:%d" % number
        put(database, key, NOW + number if number % 3 == 0 else None)
        if number % 5 == 0:
            database.put(key, number if number % 2 else bytearray(b"buffer"))
    keys = list(database)
    gone = give_up(database, books, [b"nobody", *keys[:1500], keys[0]])
    assert gone == keys[:1500]
    database.check()
    assert set(database) == set(keys[1500:])
    used = books.used
    books.recount()
    books.count(lambda: False)
    assert books.used == used
    give_up(database, books, keys[1500:])
    assert database.size == database.expiring == books.used == 0
    assert not any(usage.slots)


def test_a_large_value_that_is_given_up_is_freed_in_the_background() -> None:
    database = a_database()
    books = database.books
    assert books is not None
    database.put(b"large", bytes(9 << 20))
    assert give_up(database, books, [b"large"]) == [b"large"]
    assert database.freeing.pending == 1
    assert books.used == 0


# ---- uses


def test_keys_of_a_room_that_is_divided_stay_known() -> None:
    clock = Now()
    usage = Recency(clock)
    assert len({id(room) for room in usage.slots}) == ROOMS
    keys = [b"key:%d" % number for number in range(100_000)]
    for key in keys[:50_000]:
        usage.slots[key_slot(key)][key] = usage.fresh()
    clock.now += 60_000
    for key in keys[50_000:]:
        usage.new(key_slot(key), key)
    tagged = key_slot(b"{tag}")
    usage.fill(tagged, [b"{tag}%d" % number for number in range(100_000)], NOW // 1000)
    assert isinstance(usage.slots[tagged], Buckets)
    assert len({id(room) for room in usage.slots}) > ROOMS
    for slot, width in enumerate(usage.widths):
        first = slot & -width
        assert all(usage.slots[place] is usage.slots[slot] for place in range(first, first + width))
    assert [usage.idle_seconds(key_slot(key), key) for key in keys] == [60] * 50_000 + [0] * 50_000
    assert usage.idle_seconds(tagged, b"{tag}5") == 60


def test_a_slot_that_is_dropped_takes_no_neighbour_with_it() -> None:
    usage = Recency(Now())
    usage.new(7, b"gone")
    usage.new(8, b"stays")
    usage.drop(7, [b"gone"])
    assert usage.idle_seconds(7, b"gone") is None
    assert usage.idle_seconds(8, b"stays") == 0


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
