"""Hashes, as a client sees them."""

from __future__ import annotations

import pytest

from shardkv.commands.hash_fields import expire_fields
from tests.support.engine_client import EngineClient, refused

WRONGTYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


def test_hset_tells_how_many_fields_are_new(kv: EngineClient) -> None:
    assert kv("HSET", "user", "name", "ada", "age", 36) == 2
    assert kv("HSET", "user", "age", 37, "town", "london") == 1
    assert kv("HGETALL", "user") == ["name", "ada", "age", "37", "town", "london"]


def test_hset_refuses_a_field_without_a_value(kv: EngineClient) -> None:
    with refused("ERR wrong number of arguments for 'hset' command"):
        kv("HSET", "user", "name", "ada", "age")
    assert kv("EXISTS", "user") == 0


def test_hsetnx_leaves_a_field_that_is_there(kv: EngineClient) -> None:
    assert kv("HSETNX", "user", "name", "ada") == 1
    assert kv("HSETNX", "user", "name", "bob") == 0
    assert kv("HGET", "user", "name") == "ada"


def test_hmget_answers_null_for_what_is_not_there(kv: EngineClient) -> None:
    kv("HMSET", "user", "name", "ada")
    assert kv("HMGET", "user", "nope", "name") == [None, "ada"]
    assert kv("HMGET", "nobody", "name") == [None]


def test_a_hash_is_gone_once_its_last_field_is_deleted(kv: EngineClient) -> None:
    kv("HSET", "user", "a", 1, "b", 2)
    events = kv.events()
    assert kv("HDEL", "user", "a", "a", "b", "c") == 2
    assert events == [("hdel", "user"), ("del", "user")]
    assert kv("EXISTS", "user") == 0


def test_hincrby_counts_from_zero_and_stays_within_64_bits(kv: EngineClient) -> None:
    assert kv("HINCRBY", "h", "n", 9223372036854775807) == 9223372036854775807
    with refused("ERR increment or decrement would overflow"):
        kv("HINCRBY", "h", "n", 1)
    kv("HSET", "h", "text", "abc")
    with refused("ERR hash value is not an integer"):
        kv("HINCRBY", "h", "text", 1)


def test_hincrbyfloat_propagates_its_result(kv: EngineClient) -> None:
    sent = kv.propagated()
    assert kv("HINCRBYFLOAT", "h", "f", "10.5") == "10.5"
    assert sent == [[b"HSET", b"h", b"f", b"10.5"]]
    with refused("ERR value is NaN or Infinity"):
        kv("HINCRBYFLOAT", "h", "f", "inf")
    with refused("ERR value is not a valid float"):
        kv("HINCRBYFLOAT", "h", "f", "x")


@pytest.mark.parametrize(
    "command", ["HGET", "HSET", "HDEL", "HGETALL", "HINCRBY", "HRANDFIELD", "HSCAN", "HEXPIRE", "HTTL"]
)
def test_hash_commands_refuse_a_key_that_holds_a_string(kv: EngineClient, command: str) -> None:
    kv("SET", "name", "ada")
    rest = {
        "HGET": ("f",),
        "HSET": ("f", "v"),
        "HDEL": ("f",),
        "HINCRBY": ("f", 1),
        "HSCAN": (0,),
        "HEXPIRE": (1, "FIELDS", 1, "f"),
        "HTTL": ("FIELDS", 1, "f"),
    }.get(command, ())
    with refused(WRONGTYPE):
        kv(command, "name", *rest)


def test_hrandfield_returns_different_fields_or_with_a_negative_count_any(kv: EngineClient) -> None:
    kv("HSET", "h", "a", 1, "b", 2, "c", 3)
    assert kv("HRANDFIELD", "h") in ("a", "b", "c")
    assert sorted(kv("HRANDFIELD", "h", 10)) == ["a", "b", "c"]
    assert len(set(kv("HRANDFIELD", "h", 2))) == 2
    assert len(kv("HRANDFIELD", "h", -10)) == 10
    pairs = kv("HRANDFIELD", "h", 3, "WITHVALUES")
    assert dict(zip(pairs[::2], pairs[1::2], strict=True)) == {"a": "1", "b": "2", "c": "3"}


def test_hscan_returns_every_field_with_or_without_values(kv: EngineClient) -> None:
    fields = [f"field:{number}" for number in range(3000)]
    for field in fields:
        kv("HSET", "h", field, "v")
    seen: set[str] = set()
    cursor = "0"
    pages = 0
    while True:
        cursor, page = kv("HSCAN", "h", cursor, "COUNT", 100, "NOVALUES")
        seen.update(page)
        pages += 1
        if cursor == "0":
            break
    assert seen == set(fields)
    assert pages > 5
    assert kv("HSCAN", "h", 0, "MATCH", "nope*", "COUNT", 100_000) == ["0", []]


def test_the_encoding_follows_the_limits_and_never_returns(kv: EngineClient) -> None:
    kv("HSET", "h", "f", "v" * 64)
    assert kv("OBJECT", "ENCODING", "h") == "listpack"
    kv("HSET", "h", "f", "v" * 65)
    assert kv("OBJECT", "ENCODING", "h") == "hashtable"
    kv("HSET", "h", "f", "v")
    assert kv("OBJECT", "ENCODING", "h") == "hashtable"
    for number in range(512):
        kv("HSET", "many", number, "v")
    assert kv("OBJECT", "ENCODING", "many") == "listpack"
    kv("HSET", "many", "one more", "v")
    assert kv("OBJECT", "ENCODING", "many") == "hashtable"


# ---- fields that expire


def test_a_field_vanishes_when_its_time_has_come(kv: EngineClient) -> None:
    kv("HSET", "h", "a", 1, "b", 2)
    assert kv("HEXPIRE", "h", 10, "FIELDS", 2, "a", "nope") == [1, -2]
    assert kv("OBJECT", "ENCODING", "h") == "listpackex"
    assert kv("HTTL", "h", "FIELDS", 3, "a", "b", "nope") == [10, -1, -2]
    kv.wait(10_001)
    events, sent = kv.events(), kv.propagated()
    assert kv("HGET", "h", "a") is None
    assert kv("HGETALL", "h") == ["b", "2"]
    assert events == [("hexpired", "h")]
    assert sent == [[b"HDEL", b"h", b"a"]]


def test_a_hash_is_gone_once_its_last_field_has_expired(kv: EngineClient) -> None:
    kv("HSET", "h", "a", 1)
    kv("HPEXPIRE", "h", 5, "FIELDS", 1, "a")
    kv.wait(6)
    events = kv.events()
    assert kv("HLEN", "h") == 0
    assert events == [("hexpired", "h"), ("del", "h")]
    assert kv("EXISTS", "h") == 0


def test_fields_expire_in_bounded_steps_without_being_asked_for(kv: EngineClient) -> None:
    kv("HSET", "h", *[word for number in range(30) for word in (number, "v")])
    kv("HPEXPIRE", "h", 5, "FIELDS", 25, *range(25))
    kv("HSET", "g", "a", 1)
    kv("HPEXPIRE", "g", 7, "FIELDS", 1, "a")
    kv.wait(100)
    events, sent = kv.events(), kv.propagated()
    assert expire_fields(kv.engine, kv.db, kv.now, 10)
    kv.engine.propagation.leave(together=False)
    assert len(sent[0]) == 2 + 10
    while expire_fields(kv.engine, kv.db, kv.now, 10):
        pass
    assert events[-2:] == [("hexpired", "g"), ("del", "g")]
    assert kv("HLEN", "h") == 5
    assert kv("EXISTS", "g") == 0


def test_setting_a_field_clears_its_time_but_counting_keeps_it(kv: EngineClient) -> None:
    kv("HSET", "h", "a", 1, "b", 2)
    kv("HEXPIRE", "h", 10, "FIELDS", 2, "a", "b")
    kv("HSET", "h", "a", 5)
    kv("HINCRBY", "h", "b", 5)
    assert kv("HTTL", "h", "FIELDS", 2, "a", "b") == [-1, 10]
    sent = kv.propagated()
    kv("HINCRBYFLOAT", "h", "b", "0.5")
    at = str(kv.now + 10_000).encode()
    assert sent[1:3] == [[b"HSET", b"h", b"b", b"7.5"], [b"HPEXPIREAT", b"h", at, b"FIELDS", b"1", b"b"]]


def test_an_expired_field_counts_as_new(kv: EngineClient) -> None:
    kv("HSET", "h", "a", 1, "b", 2)
    kv("HPEXPIRE", "h", 5, "FIELDS", 1, "a")
    kv.wait(6)
    assert kv("HSET", "h", "a", 1) == 1
    assert kv("HINCRBY", "h", "a", 1) == 2
    assert kv("HTTL", "h", "FIELDS", 1, "a") == [-1]


def test_hexpire_conditions_look_at_the_time_that_is_there(kv: EngineClient) -> None:
    kv("HSET", "h", "a", 1, "b", 2)
    assert kv("HEXPIRE", "h", 100, "XX", "FIELDS", 1, "a") == [0]
    assert kv("HEXPIRE", "h", 100, "GT", "FIELDS", 1, "a") == [0]
    assert kv("HEXPIRE", "h", 100, "LT", "FIELDS", 1, "a") == [1]
    assert kv("HEXPIRE", "h", 200, "NX", "FIELDS", 2, "a", "b") == [0, 1]
    assert kv("HEXPIRE", "h", 50, "GT", "FIELDS", 2, "a", "b") == [0, 0]
    assert kv("HEXPIRE", "h", 50, "LT", "FIELDS", 2, "a", "b") == [1, 1]


def test_hexpire_propagates_absolute_times_of_the_fields_that_got_one(kv: EngineClient) -> None:
    kv("HSET", "h", "a", 1, "b", 2)
    sent = kv.propagated()
    kv("HEXPIRE", "h", 10, "FIELDS", 3, "a", "nope", "b")
    at = str(kv.now + 10_000).encode()
    assert sent == [[b"HPEXPIREAT", b"h", at, b"FIELDS", b"2", b"a", b"b"]]


def test_a_time_in_the_past_deletes_the_field(kv: EngineClient) -> None:
    kv("HSET", "h", "a", 1)
    events, sent = kv.events(), kv.propagated()
    assert kv("HEXPIREAT", "h", 1, "FIELDS", 2, "a", "nope") == [2, -2]
    assert events == [("hdel", "h"), ("del", "h")]
    assert sent == [[b"HDEL", b"h", b"a"]]
    assert kv("EXISTS", "h") == 0


def test_hpersist_takes_the_time_away(kv: EngineClient) -> None:
    kv("HSET", "h", "a", 1, "b", 2)
    kv("HEXPIREAT", "h", 4_000_000_000, "FIELDS", 1, "a")
    assert kv("HEXPIRETIME", "h", "FIELDS", 1, "a") == [4_000_000_000]
    assert kv("HPEXPIRETIME", "h", "FIELDS", 1, "a") == [4_000_000_000_000]
    events = kv.events()
    assert kv("HPERSIST", "h", "FIELDS", 3, "a", "b", "nope") == [1, -1, -2]
    assert kv("HPTTL", "h", "FIELDS", 1, "a") == [-1]
    assert events == [("hpersist", "h")]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("HEXPIRE", "h", -1, "FIELDS", 1, "a"), "invalid expire time, must be >= 0"),
        (("HEXPIRE", "h", "x", "FIELDS", 1, "a"), "value is not an integer or out of range"),
        (("HPEXPIREAT", "h", 2**46, "FIELDS", 1, "a"), "invalid expire time in 'hpexpireat' command"),
        (("HEXPIRE", "h", 1, "FIELDS", 0, "a"), "Parameter `numFields` should be greater than 0"),
        (("HTTL", "h", "FIELDS", 0, "a"), "Number of fields must be a positive integer"),
        (("HTTL", "h", "FIELDS", 2, "a"), "The `numfields` parameter must match the number of arguments"),
        (("HPERSIST", "h", "NX", 1, "a"), "Mandatory argument FIELDS is missing or not at the right position"),
        (("HSETEX", "h", "EX", 1, "KEEPTTL", "FIELDS", 1, "a", 1),
         "Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"),
        (("HSETEX", "h", "FXX", "FNX", "FIELDS", 1, "a", 1), "Only one of FXX or FNX arguments can be specified"),
        (("HSETEX", "h", "FIELDS", 2, "a", 1), "wrong number of arguments for 'hsetex' command"),
        (("HSETEX", "h", "WHAT", "FIELDS", 1, "a", 1), "unknown argument: WHAT"),
    ],
)  # fmt: skip
def test_what_the_field_expiry_commands_refuse(kv: EngineClient, words: tuple[str | int, ...], text: str) -> None:
    kv("HSET", "h", "a", "kept")
    with refused(f"ERR {text}"):
        kv(*words)
    assert kv("HGETALL", "h") == ["a", "kept"]
    assert kv("HTTL", "h", "FIELDS", 1, "a") == [-1]


# ---- HGETEX, HSETEX, HGETDEL


def test_hgetdel_returns_and_deletes(kv: EngineClient) -> None:
    kv("HSET", "h", "a", 1, "b", 2)
    sent = kv.propagated()
    assert kv("HGETDEL", "h", "FIELDS", 3, "a", "a", "nope") == ["1", None, None]
    assert kv("HGETDEL", "h", "FIELDS", 1, "b") == ["2"]
    assert kv("EXISTS", "h") == 0
    assert sent == [[b"HDEL", b"h", b"a"], [b"HDEL", b"h", b"b"]]


def test_hgetex_returns_and_sets_or_clears_the_time(kv: EngineClient) -> None:
    kv("HSET", "h", "a", 1)
    assert kv("HGETEX", "h", "FIELDS", 1, "a") == ["1"]
    assert kv("HGETEX", "h", "EX", 10, "FIELDS", 2, "a", "nope") == ["1", None]
    assert kv("HTTL", "h", "FIELDS", 1, "a") == [10]
    sent = kv.propagated()
    assert kv("HGETEX", "h", "PERSIST", "FIELDS", 1, "a") == ["1"]
    assert kv("HTTL", "h", "FIELDS", 1, "a") == [-1]
    assert sent == [[b"HPERSIST", b"h", b"FIELDS", b"1", b"a"]]


def test_hsetex_sets_all_fields_or_none(kv: EngineClient) -> None:
    assert kv("HSETEX", "h", "FXX", "FIELDS", 1, "a", 1) == 0
    assert kv("EXISTS", "h") == 0
    assert kv("HSETEX", "h", "FNX", "EX", 10, "FIELDS", 2, "a", 1, "b", 2) == 1
    assert kv("HSETEX", "h", "FNX", "FIELDS", 2, "b", 3, "c", 3) == 0
    assert kv("HMGET", "h", "a", "b", "c") == ["1", "2", None]
    assert kv("HTTL", "h", "FIELDS", 2, "a", "b") == [10, 10]


def test_hsetex_keepttl_keeps_the_time_on_replicas_too(kv: EngineClient) -> None:
    kv("HSETEX", "h", "PXAT", 4_000_000_000_000, "FIELDS", 1, "a", 1)
    sent = kv.propagated()
    kv("HSETEX", "h", "KEEPTTL", "FIELDS", 1, "a", 2)
    assert kv("HPEXPIRETIME", "h", "FIELDS", 1, "a") == [4_000_000_000_000]
    assert sent[1:3] == [
        [b"HSET", b"h", b"a", b"2"],
        [b"HPEXPIREAT", b"h", b"4000000000000", b"FIELDS", b"1", b"a"],
    ]


# ---- very many fields that expire together

MANY = 5000


def expire_many(kv: EngineClient, alive: int) -> None:
    """A hash of so many fields that live, and very many whose time has passed."""
    for start in range(0, MANY, 1000):
        fields = [f"due:{number}" for number in range(start, start + 1000)]
        kv("HSET", "h", *(word for field in fields for word in (field, "x")))
        kv("HPEXPIRE", "h", 5, "FIELDS", len(fields), *fields)
    kv("HSET", "h", *(word for number in range(alive) for word in (f"live:{number}", number)))
    kv.wait(10)


def test_no_command_takes_out_very_many_expired_fields_at_once(kv: EngineClient) -> None:
    expire_many(kv, 3000)
    sent = kv.propagated()
    for words in (("HLEN", "h"), ("HSCAN", "h", 0), ("HRANDFIELD", "h")):
        sent.clear()
        kv(*words)
        assert sum(len(told) - 2 for told in sent) <= 1024


def test_expired_fields_that_are_still_there_are_only_counted(kv: EngineClient) -> None:
    expire_many(kv, 3000)
    assert 3000 < kv("HLEN", "h") < MANY + 3000
    assert all(field.startswith("live:") for field in kv("HRANDFIELD", "h", -200))
    assert str(kv("HRANDFIELD", "h")).startswith("live:")
    drawn = kv("HRANDFIELD", "h", 50, "WITHVALUES")
    assert len(set(drawn[::2])) == 50
    assert all(field == f"live:{value}" for field, value in zip(drawn[::2], drawn[1::2], strict=True))
    seen: list[str] = []
    cursor = "0"
    while True:
        cursor, page = kv("HSCAN", "h", cursor, "COUNT", 100)
        seen += page[::2]
        if cursor == "0":
            break
    assert set(seen) == {f"live:{number}" for number in range(3000)}
    assert kv("HLEN", "h") == 3000
    assert len(kv("HRANDFIELD", "h", 9000)) == 3000


def test_a_hash_of_nothing_but_expired_fields_has_no_random_one(kv: EngineClient) -> None:
    expire_many(kv, 1)
    kv("HDEL", "h", "live:0")
    assert kv("HRANDFIELD", "h") is None
    assert kv("EXISTS", "h") == 0


def test_a_replica_that_reads_some_fields_passes_over_those_whose_time_has_come(kv: EngineClient) -> None:
    expire_many(kv, 3)
    kv("HPEXPIRE", "h", 100_000, "FIELDS", 1, "live:1")
    kv("REPLICAOF", "127.0.0.1", 1)
    sent = kv.propagated()
    assert kv("HMGET", "h", "due:1", "live:0", "live:1", "none") == [None, "0", "1", None]
    assert kv("HEXISTS", "h", "due:1") == 0
    assert kv("HSTRLEN", "h", "live:2") == 1
    assert kv("HTTL", "h", "FIELDS", 4, "due:1", "live:0", "live:1", "none") == [-2, -1, 100, -2]
    assert kv("HLEN", "h") == MANY + 3
    assert all(field.startswith("live:") for field in kv("HRANDFIELD", "h", 2))
    assert sorted(kv("HKEYS", "h")) == ["live:0", "live:1", "live:2"]
    assert sent == []
