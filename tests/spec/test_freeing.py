"""Large values are freed in steps, and what is freed is gone at once for everybody who asks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shardkv.keyspace.freeing import PIECE, SMALL
from tests.support.engine_client import EngineClient, Word

MANY = 3 * SMALL


def always() -> bool:
    """A step that has no time: it does one portion."""
    return True


def never() -> bool:
    """A step that has all the time."""
    return False


def fill_list(kv: EngineClient) -> None:
    """A large list at ``big``."""
    kv("RPUSH", "big", *range(MANY))


def fill_hash(kv: EngineClient) -> None:
    """A large hash whose fields expire."""
    kv("HSET", "big", *(word for number in range(MANY) for word in (number, number)))
    kv("HPEXPIRE", "big", 10_000, "FIELDS", MANY, *range(MANY))


def fill_set(kv: EngineClient) -> None:
    """A large set."""
    kv("SADD", "big", *range(MANY))


def fill_zset(kv: EngineClient) -> None:
    """A large sorted set."""
    kv("ZADD", "big", *(word for number in range(MANY) for word in (number, number)))


def fill_stream(kv: EngineClient) -> None:
    """A large stream, all of it pending."""
    for number in range(1, SMALL + 200):
        kv("XADD", "big", number, "field", number)
    kv("XGROUP", "CREATE", "big", "group", 0)
    kv("XREADGROUP", "GROUP", "group", "me", "STREAMS", "big", ">")


FILL = pytest.mark.parametrize("fill", [fill_list, fill_hash, fill_set, fill_zset, fill_stream])


def steps_to_free(kv: EngineClient) -> int:
    """How many portions it takes."""
    steps = 1
    while kv.db.freeing.step(always):
        steps += 1
    return steps


@FILL
def test_a_large_value_that_was_deleted_goes_part_by_part(
    kv: EngineClient, fill: Callable[[EngineClient], None]
) -> None:
    fill(kv)
    assert kv("DEL", "big") == 1
    assert kv("EXISTS", "big") == 0
    assert kv.db.freeing.pending == 1
    fill(kv)  # the name is free at once
    assert steps_to_free(kv) > 3
    assert (kv.db.freeing.pending, kv.db.freeing.freed) == (0, 1)
    assert kv("EXISTS", "big") == 1


@FILL
def test_an_overwritten_value_is_freed_too(kv: EngineClient, fill: Callable[[EngineClient], None]) -> None:
    fill(kv)
    kv("SET", "big", "small")
    assert kv.db.freeing.pending == 1
    kv.db.freeing.step(never)
    assert kv("GET", "big") == "small"
    assert kv.db.freeing.freed == 1


#: Every way to put something in the place of a value, or to take it away. ``other`` is a string, ``few`` a set.
OVER: tuple[tuple[Word, ...], ...] = (
    ("DEL", "big"),
    ("UNLINK", "big"),
    ("SET", "big", "x"),
    ("SETEX", "big", 100, "x"),
    ("PSETEX", "big", 100_000, "x"),
    ("MSET", "a", "x", "big", "x"),
    ("RENAME", "other", "big"),
    ("COPY", "other", "big", "REPLACE"),
    ("BITOP", "NOT", "big", "other"),
    ("SUNIONSTORE", "big", "none"),
    ("SUNIONSTORE", "big", "few"),
    ("SINTERSTORE", "big", "few"),
    ("SDIFFSTORE", "big", "few"),
    ("ZUNIONSTORE", "big", 1, "few"),
    ("ZINTERSTORE", "big", 1, "few"),
    ("ZDIFFSTORE", "big", 1, "few"),
    ("ZRANGESTORE", "big", "ranked", 0, -1),
    ("GEOSEARCHSTORE", "big", "places", "FROMLONLAT", 15, 37, "BYRADIUS", 500, "km"),
    ("SORT", "few", "ALPHA", "STORE", "big"),
    ("EXPIREAT", "big", 1),
    ("FLUSHALL",),
    ("FLUSHALL", "SYNC"),
    ("FLUSHDB", "ASYNC"),
)


@FILL
@pytest.mark.parametrize("words", OVER, ids=lambda words: "_".join(map(str, words)))
def test_every_way_to_replace_or_delete_a_value_leaves_it_to_be_freed_in_steps(
    kv: EngineClient, fill: Callable[[EngineClient], None], words: tuple[Word, ...]
) -> None:
    kv("SET", "other", "x")
    kv("SADD", "few", "a", "b")
    kv("ZADD", "ranked", 1, "a")
    kv("GEOADD", "places", 13.361389, 38.115556, "a")
    fill(kv)
    kv(*words)
    assert kv.db.freeing.pending >= 1
    assert steps_to_free(kv) > 3


def test_a_group_of_many_pending_entries_goes_part_by_part(kv: EngineClient) -> None:
    fill_stream(kv)
    assert kv("XGROUP", "DESTROY", "big", "group") == 1
    assert kv.db.freeing.pending == 1
    kv("XGROUP", "CREATE", "big", "group", 0)
    assert steps_to_free(kv) > 3
    assert kv("XPENDING", "big", "group")[0] == 0
    assert kv("XLEN", "big") == SMALL + 199


@FILL
def test_a_restored_value_leaves_what_was_there_to_be_freed_in_steps(
    kv: EngineClient, fill: Callable[[EngineClient], None]
) -> None:
    kv("SET", "other", "x")
    dumped = kv.raw("DUMP", "other").partition(b"\r\n")[2][:-2]
    fill(kv)
    kv("RESTORE", "big", 0, dumped, "REPLACE")
    assert kv.db.freeing.pending == 1
    assert steps_to_free(kv) > 3


@pytest.mark.parametrize(
    "words", [("DEL", "long"), ("SET", "long", "x", "PX", 100_000), ("GETDEL", "long"), ("FLUSHALL",)]
)
def test_a_string_of_many_megabytes_goes_piece_by_piece(kv: EngineClient, words: tuple[Word, ...]) -> None:
    kv("SET", "long", b"x" * (5 * PIECE + 1))
    kv.raw(*words)
    assert kv.db.freeing.pending == 1
    assert steps_to_free(kv) >= 5
    assert kv.db.freeing.freed == 1


def test_a_string_that_somebody_is_being_sent_stays_whole(kv: EngineClient) -> None:
    kv("SET", "long", b"x" * (5 * PIECE + 1))
    sent = kv.db.get(b"long")
    kv("DEL", "long")
    kv.db.freeing.step(never)
    assert sent == b"x" * (5 * PIECE + 1)


def test_a_small_value_goes_at_once(kv: EngineClient) -> None:
    kv("SADD", "small", *range(100))
    kv("DEL", "small")
    assert kv.db.freeing.pending == 0


def test_an_expired_value_is_freed_in_steps(kv: EngineClient) -> None:
    fill_set(kv)
    kv("PEXPIRE", "big", 5)
    kv.wait(10)
    assert kv("EXISTS", "big") == 0
    assert kv.db.freeing.pending == 1


def test_a_renamed_value_lives_on_and_what_it_replaces_goes(kv: EngineClient) -> None:
    fill_set(kv)
    kv("RENAME", "big", "new")
    fill_zset(kv)
    kv("RENAME", "new", "big")
    assert kv.db.freeing.pending == 1
    kv.db.freeing.step(never)
    assert kv("SCARD", "big") == MANY
    assert kv("SISMEMBER", "big", 7) == 1


def test_a_value_stored_over_its_own_source_lives_on(kv: EngineClient) -> None:
    fill_set(kv)
    kv("SADD", "few", 1, 2, "x")
    kv("SUNIONSTORE", "big", "big", "few")
    kv.db.freeing.step(never)
    assert kv("SCARD", "big") == MANY + 1


def test_a_flushed_database_is_freed_in_steps_and_told_by_info(kv: EngineClient) -> None:
    fill_list(kv)
    for number in range(MANY):
        kv("SET", number, "x")
    kv("FLUSHALL")
    assert kv("DBSIZE") == 0
    assert "lazyfree_pending_objects:3073" in kv("INFO", "memory")
    kv("SET", "new", "x")
    assert steps_to_free(kv) > 10
    assert "lazyfree_pending_objects:0" in kv("INFO", "memory")
    assert "lazyfreed_objects:3073" in kv("INFO", "memory")
    assert kv("DBSIZE") == 1
    kv.db.check()


def test_expired_keys_are_told_as_unlink_if_the_option_says_so(kv: EngineClient) -> None:
    sent = kv.propagated()
    for yes, word in (("no", b"DEL"), ("yes", b"UNLINK")):
        kv("CONFIG", "SET", "lazyfree-lazy-expire", yes)
        kv("SET", "name", "ada", "PX", 5)
        kv.wait(10)
        kv("GET", "name")
        assert sent[-1] == [word, b"name"]


def test_a_flush_of_few_keys_leaves_nothing_for_later_but_the_large(kv: EngineClient) -> None:
    kv("SET", "small", "x")
    kv("FLUSHALL")
    assert not kv.db.freeing
    fill_list(kv)
    kv("FLUSHALL")
    assert kv.db.freeing.pending == 1
    kv.db.freeing.step(never)
    assert not kv.db.freeing
