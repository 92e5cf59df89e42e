"""SORT, as a client sees it."""

from __future__ import annotations

from typing import Any

from shardkv.commands.sort import pattern_slot
from shardkv.keyspace.slots import key_slot
from tests.support.engine_client import EngineClient, refused


def test_elements_are_sorted_as_numbers(kv: EngineClient) -> None:
    kv("RPUSH", "l", 10, 9, -1.5, 100)
    assert kv("SORT", "l") == ["-1.5", "9", "10", "100"]
    assert kv("SORT_RO", "l", "DESC") == ["100", "10", "9", "-1.5"]


def test_texts_need_alpha(kv: EngineClient) -> None:
    kv("SADD", "s", "pear", "apple")
    with refused("ERR One or more scores can't be converted into double"):
        kv("SORT", "s")
    assert kv("SORT", "s", "ALPHA") == ["apple", "pear"]


def test_equal_numbers_are_sorted_as_texts(kv: EngineClient) -> None:
    kv("RPUSH", "l", "1.0", "1", "01")
    assert kv("SORT", "l") == ["01", "1", "1.0"]


def test_limit_takes_a_piece(kv: EngineClient) -> None:
    kv("RPUSH", "l", *range(10))
    assert kv("SORT", "l", "LIMIT", 2, 3) == ["2", "3", "4"]
    assert kv("SORT", "l", "LIMIT", 8, -1) == ["8", "9"]
    assert kv("SORT", "l", "LIMIT", 20, 3) == []


def test_by_looks_at_other_keys_and_fields(kv: EngineClient) -> None:
    kv("RPUSH", "l", "a", "b", "c")
    kv("MSET", "weight_a", 3, "weight_b", 1)
    assert kv("SORT", "l", "BY", "weight_*") == ["c", "b", "a"]
    kv("HSET", "info_c", "age", 9)
    assert kv("SORT", "l", "BY", "info_*->age") == ["a", "b", "c"]


def test_get_tells_what_other_keys_hold(kv: EngineClient) -> None:
    kv("RPUSH", "l", 2, 1)
    kv("SET", "name_1", "one")
    kv("HSET", "info_2", "name", "two")
    got = kv("SORT", "l", "GET", "#", "GET", "name_*", "GET", "info_*->name", "GET", "constant")
    assert got == ["1", "one", None, None, "2", None, "two", None]


def test_by_a_constant_keeps_the_order_that_there_is(kv: EngineClient) -> None:
    kv("RPUSH", "l", 3, 1, 2)
    assert kv("SORT", "l", "BY", "nosort") == ["3", "1", "2"]
    assert kv("SORT", "l", "BY", "nosort", "DESC", "LIMIT", 0, 2) == ["2", "1"]
    kv("ZADD", "z", 1, "b", 2, "a")
    assert kv("SORT", "z", "BY", "nosort", "DESC") == ["a", "b"]


def test_a_set_that_is_stored_unsorted_is_sorted_all_the_same(kv: EngineClient) -> None:
    kv("SADD", "s", "c", "a", "b")
    assert kv("SORT", "s", "BY", "nosort", "STORE", "d") == 3
    assert kv("LRANGE", "d", 0, -1) == ["a", "b", "c"]


def test_store_makes_a_list(kv: EngineClient) -> None:
    kv("RPUSH", "l", 3, 1, 2)
    kv("SET", "d", "x", "EX", 100)
    events, sent = kv.events(), kv.propagated()
    assert kv("SORT", "l", "STORE", "d", "GET", "#", "GET", "none_*") == 6
    assert kv("LRANGE", "d", 0, -1) == ["1", "", "2", "", "3", ""]
    assert kv("TTL", "d") == -1
    assert ("sortstore", "d") in events
    assert sent == [[b"SORT", b"l", b"STORE", b"d", b"GET", b"#", b"GET", b"none_*"]]


def test_store_of_nothing_deletes_the_target(kv: EngineClient) -> None:
    kv("SET", "d", "x")
    assert kv("SORT", "nobody", "STORE", "d") == 0
    assert kv("EXISTS", "d") == 0


def test_a_sorted_set_that_was_sorted_is_no_listpack_any_more(kv: EngineClient) -> None:
    kv("ZADD", "z", 2, 1, 1, 2)
    assert kv("SORT", "z") == ["1", "2"]
    assert kv("OBJECT", "ENCODING", "z") == "skiplist"


def test_only_some_types_can_be_sorted(kv: EngineClient) -> None:
    kv("SET", "s", "x")
    with refused("WRONGTYPE Operation against a key holding the wrong kind of value"):
        kv("SORT", "s")
    with refused("ERR syntax error"):
        kv("SORT_RO", "l", "STORE", "d")


def test_in_a_cluster_patterns_stay_in_the_slot_of_the_key(kv: EngineClient) -> None:
    kv("RPUSH", "{x}l", 1)
    kv.engine.cluster = _Anything()
    denied = "option of SORT denied in cluster mode when keys formed by the pattern may be in different slots."
    with refused(f"ERR BY {denied}"):
        kv("SORT", "{x}l", "BY", "w_*")
    with refused(f"ERR GET {denied}"):
        kv("SORT", "{x}l", "GET", "{y}*")
    assert kv("SORT", "{x}l", "BY", "{x}w_*", "GET", "#", "GET", "{x}*", "GET", "{x}h*->f") == ["1", None, None]


def test_the_slot_of_a_pattern() -> None:
    assert pattern_slot(b"{tag}*") == key_slot(b"tag")
    assert pattern_slot(b"plain") == key_slot(b"plain")
    assert pattern_slot(b"*{tag}") is None
    assert pattern_slot(b"{}*") is None
    assert pattern_slot(b"{}a}*") is None


class _Anything:
    """A cluster side that nobody asks anything."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


def test_texts_compare_by_the_locale_unless_they_are_stored(kv: EngineClient) -> None:
    kv.engine.collation = lambda text: text.lower().decode()
    kv("RPUSH", "list", "b", "A", "c", "B")
    assert kv("SORT", "list", "ALPHA") == ["A", "b", "B", "c"]
    assert kv("SORT", "list", "ALPHA", "DESC") == ["c", "b", "B", "A"]
    kv("SORT", "list", "ALPHA", "STORE", "stored")
    assert kv("LRANGE", "stored", 0, -1) == ["A", "B", "b", "c"]
