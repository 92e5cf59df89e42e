"""DUMP and RESTORE, as a client sees them."""

from __future__ import annotations

import pytest

from shardkv.persist.rdb.payload import sealed
from shardkv.resp.numbers import INT64_MAX
from tests.support.engine_client import EngineClient, refused

CHECKSUM = "ERR DUMP payload version or checksum are wrong"


def dumped(kv: EngineClient, key: str) -> bytes:
    """The payload of a key, which is not always text."""
    reply = kv.raw("DUMP", key)
    return reply.split(b"\r\n", 1)[1][:-2]


@pytest.fixture
def payload(kv: EngineClient) -> bytes:
    """The payload of a string."""
    kv("SET", "source", "hello")
    return dumped(kv, "source")


def test_dump_gives_the_type_the_value_the_version_and_a_check_sum(payload: bytes) -> None:
    assert payload[:-8] == b"\x00\x05hello\n\x00"


def test_dump_without_a_key_is_null(kv: EngineClient) -> None:
    assert kv("DUMP", "nothing") is None


def test_restore_makes_the_key_again(kv: EngineClient, payload: bytes) -> None:
    assert kv("RESTORE", "copy", 0, payload) == "OK"
    assert kv("GET", "copy") == "hello"
    assert kv("TTL", "copy") == -1


@pytest.mark.parametrize(
    "setup",
    [
        ("SET", "k", "x" * 1000),
        ("SET", "k", "-12345"),
        ("RPUSH", "k", *range(300)),
        ("RPUSH", "k", "a", "x" * 20000),
        ("SADD", "k", 3, 1, 2),
        ("SADD", "k", "a", "b", 1),
        ("SADD", "k", *(f"member:{number}" for number in range(300))),
        ("ZADD", "k", "inf", "a", "-0", "b", 1.5, "c"),
        ("ZADD", "k", *(word for number in range(300) for word in (number / 3, number))),
        ("HSET", "k", "f", "v", "g", 7),
        ("HSET", "k", *range(2000)),
        ("XADD", "k", "1-1", "f", "v", "g", "w"),
    ],
)
def test_a_value_of_any_type_comes_back(kv: EngineClient, setup: tuple[str | int | float, ...]) -> None:
    kv.engine.config.enable_debug_command = "yes"
    kv(*setup)
    kv("RESTORE", "copy", 0, dumped(kv, "k"))
    assert kv("OBJECT", "ENCODING", "copy") == kv("OBJECT", "ENCODING", "k")
    before, after = kv("DEBUG", "DIGEST-VALUE", "k", "copy")
    assert before == after


def test_fields_keep_their_times_in_a_payload_of_the_version_that_has_them(kv: EngineClient) -> None:
    kv("HSET", "h", "f", "v", "g", "w")
    kv("HPEXPIRE", "h", 5000, "FIELDS", 1, "f")
    payload = dumped(kv, "h")
    assert payload[-10:-8] == b"\x0c\x00"
    kv("RESTORE", "copy", 0, payload)
    assert kv("HPTTL", "copy", "FIELDS", 2, "f", "g") == [5000, -1]
    kv.wait(5001)
    assert kv("HGETALL", "copy") == ["g", "w"]


def test_the_time_to_live_counts_from_now(kv: EngineClient, payload: bytes) -> None:
    kv("RESTORE", "copy", 5000, payload)
    assert kv("PTTL", "copy") == 5000


def test_with_absttl_it_is_a_point_in_time(kv: EngineClient, payload: bytes) -> None:
    kv("RESTORE", "copy", kv.now + 5000, payload, "ABSTTL")
    assert kv("PTTL", "copy") == 5000


def test_a_time_that_has_passed_makes_no_key(kv: EngineClient, payload: bytes) -> None:
    assert kv("RESTORE", "copy", kv.now, payload, "ABSTTL") == "OK"
    assert kv("RESTORE", "copy", INT64_MAX, payload) == "OK"  # the sum with the present overflows, as in Redis
    assert kv("EXISTS", "copy") == 0


def test_a_time_that_has_passed_deletes_the_key_that_was_to_be_replaced(kv: EngineClient, payload: bytes) -> None:
    kv("SET", "copy", "old")
    sent = kv.propagated()
    assert kv("RESTORE", "copy", 1, payload, "ABSTTL", "REPLACE") == "OK"
    assert kv("EXISTS", "copy") == 0
    assert sent == [[b"DEL", b"copy"]]


def test_a_key_that_exists_is_not_touched_without_replace(kv: EngineClient, payload: bytes) -> None:
    kv("SET", "copy", "old", "PX", 900)
    with refused("BUSYKEY Target key name already exists."):
        kv("RESTORE", "copy", 0, payload)
    kv("RESTORE", "copy", 0, payload, "replace")
    assert kv("GET", "copy") == "hello"
    assert kv("TTL", "copy") == -1


def test_replace_works_across_types(kv: EngineClient, payload: bytes) -> None:
    kv("RPUSH", "copy", "a")
    kv("RESTORE", "copy", 0, payload, "REPLACE")
    assert kv("GET", "copy") == "hello"


def test_an_error_changes_nothing(kv: EngineClient, payload: bytes) -> None:
    kv("SET", "copy", "old", "PX", 900)
    sent = kv.propagated()
    for words, text in (
        ((0, payload[:-1] + b"x", "REPLACE"), CHECKSUM),
        ((0, b"", "REPLACE"), CHECKSUM),
        ((0, sealed(b"\x00\x05hello", 13), "REPLACE"), CHECKSUM),
        ((0, sealed(b"\x00\x06hello"), "REPLACE"), "ERR Bad data format"),
        ((0, sealed(b"\x00\x05hello?"), "REPLACE"), "ERR Bad data format"),
        ((0, sealed(b""), "REPLACE"), "ERR Bad data format"),
        ((0, sealed(b"\x07\x05hello"), "REPLACE"), "ERR Bad data format"),
        ((0, sealed(b"\x02\x00"), "REPLACE"), "ERR Bad data format"),
        ((0, sealed(b"\x02\x02\x01a\x01a"), "REPLACE"), "ERR Bad data format"),
        ((-1, payload, "REPLACE"), "ERR Invalid TTL value, must be >= 0"),
        (("x", payload, "REPLACE"), "ERR value is not an integer or out of range"),
        ((0, payload, "REPLACE", "IDLETIME", -1), "ERR Invalid IDLETIME value, must be >= 0"),
        ((0, payload, "REPLACE", "FREQ", 256), "ERR Invalid FREQ value, must be >= 0 and <= 255"),
        ((0, payload, "REPLACE", "FREQ"), "ERR syntax error"),
        ((0, payload, "REPLACE", "FREQ", 1, "IDLETIME", 1), "ERR syntax error"),
        ((0, payload, "REPLACE", "AGAIN"), "ERR syntax error"),
    ):
        with refused(text):
            kv("RESTORE", "copy", *words)
    assert kv("GET", "copy") == "old"
    assert kv("PTTL", "copy") == 900
    assert sent == []


def test_idletime_says_when_the_key_was_used_last(kv: EngineClient, payload: bytes) -> None:
    kv("RESTORE", "copy", 0, payload, "IDLETIME", 1000)
    assert kv("OBJECT", "IDLETIME", "copy") == 1000


def test_freq_counts_under_an_lfu_policy(kv: EngineClient, payload: bytes) -> None:
    kv("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
    kv("RESTORE", "copy", 0, payload, "FREQ", 3)
    assert kv("OBJECT", "FREQ", "copy") == 3


def test_what_is_propagated_has_the_point_in_time(kv: EngineClient, payload: bytes) -> None:
    sent = kv.propagated()
    kv("RESTORE", "one", 0, payload)
    kv("RESTORE", "two", 5000, payload, "REPLACE")
    kv("RESTORE", "three", kv.now + 1, payload, "ABSTTL")
    at = b"%d" % (kv.now + 5000)
    assert sent == [
        [b"RESTORE", b"one", b"0", payload],
        [b"RESTORE", b"two", at, payload, b"REPLACE", b"ABSTTL"],
        [b"RESTORE", b"three", b"%d" % (kv.now + 1), payload, b"ABSTTL"],
    ]


def test_restore_makes_the_events_of_a_new_key(kv: EngineClient, payload: bytes) -> None:
    told = kv.events()
    kv("RESTORE", "copy", 5000, payload)
    assert told == [("new", "copy"), ("restore", "copy")]


def test_restore_asking_does_the_same(kv: EngineClient, payload: bytes) -> None:
    sent = kv.propagated()
    assert kv("RESTORE-ASKING", "copy", 0, payload) == "OK"
    assert kv("GET", "copy") == "hello"
    assert sent == [[b"RESTORE-ASKING", b"copy", b"0", payload]]
