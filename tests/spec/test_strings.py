"""Strings, as a client sees them."""

from __future__ import annotations

import pytest

from shardkv.config import Config
from tests.support.engine_client import BEGIN, EngineClient, refused

WRONGTYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NO_INTEGER = "ERR value is not an integer or out of range"


def test_a_string_is_read_as_it_was_set(kv: EngineClient) -> None:
    assert kv("SET", "name", "ada") == "OK"
    assert kv("GET", "name") == "ada"


def test_any_bytes_make_a_string(kv: EngineClient) -> None:
    every = bytes(range(256))
    kv("SET", every, every)
    assert kv.raw("GET", every) == b"$256\r\n" + every + b"\r\n"


def test_a_key_that_is_not_there_is_null(kv: EngineClient) -> None:
    assert kv.raw("GET", "nobody") == b"$-1\r\n"
    assert kv.other(resp3=True).raw("GET", "nobody") == b"_\r\n"


def test_set_forgets_the_expiry_unless_told_to_keep_it(kv: EngineClient) -> None:
    kv("SET", "k", "v", "EX", 100)
    kv("SET", "k", "w", "KEEPTTL")
    assert kv("TTL", "k") == 100
    kv("SET", "k", "x")
    assert kv("TTL", "k") == -1


def test_set_nx_sets_only_what_is_not_there(kv: EngineClient) -> None:
    assert kv("SET", "k", "first", "NX") == "OK"
    assert kv("SET", "k", "second", "NX") is None
    assert kv("GET", "k") == "first"


def test_set_xx_sets_only_what_is_there(kv: EngineClient) -> None:
    assert kv("SET", "k", "v", "XX") is None
    assert kv("EXISTS", "k") == 0


def test_set_get_answers_with_the_value_before(kv: EngineClient) -> None:
    assert kv("SET", "k", "one", "GET") is None
    assert kv("SET", "k", "two", "GET") == "one"
    assert kv("SET", "k", "three", "NX", "GET") == "two"
    assert kv("GET", "k") == "two"


def test_set_ifeq_compares_before_it_sets(kv: EngineClient) -> None:
    kv("SET", "k", "old")
    assert kv("SET", "k", "new", "IFEQ", "other") is None
    assert kv("SET", "k", "new", "IFEQ", "old") == "OK"
    assert kv("SET", "nobody", "new", "IFEQ", "") is None


def test_delifeq_compares_before_it_deletes(kv: EngineClient) -> None:
    kv("SET", "lock", "mine")
    assert kv("DELIFEQ", "lock", "theirs") == 0
    assert kv("DELIFEQ", "lock", "mine") == 1
    assert kv("EXISTS", "lock") == 0


def test_a_string_with_an_expiry_is_gone_after_it(kv: EngineClient) -> None:
    kv("SETEX", "k", 10, "v")
    kv("PSETEX", "p", 1500, "v")
    kv.wait(1500)
    assert kv("MGET", "k", "p") == ["v", "v"]
    kv.wait(1)
    assert kv("MGET", "k", "p") == ["v", None]
    kv.wait(8500)
    assert kv("GET", "k") is None


@pytest.mark.parametrize("words", [("EX", 0), ("PX", -1), ("EX", 2**63 - 1), ("PXAT", 0)])
def test_an_expiry_must_lie_within_reason(kv: EngineClient, words: tuple[str, int]) -> None:
    with refused("ERR invalid expire time in 'set' command"):
        kv("SET", "k", "v", *words)
    assert kv("EXISTS", "k") == 0


def test_getex_sets_and_clears_the_expiry(kv: EngineClient) -> None:
    kv("SET", "k", "v")
    assert kv("GETEX", "k", "PX", 500) == "v"
    assert kv("PTTL", "k") == 500
    assert kv("GETEX", "k", "PERSIST") == "v"
    assert kv("PTTL", "k") == -1
    assert kv("GETEX", "k", "PXAT", BEGIN) == "v"
    assert kv("EXISTS", "k") == 0


def test_getdel_and_getset_answer_with_the_value_before(kv: EngineClient) -> None:
    assert kv("GETSET", "k", "v") is None
    assert kv("GETSET", "k", "w") == "v"
    assert kv("GETDEL", "k") == "w"
    assert kv("GETDEL", "k") is None


def test_mset_sets_all_and_msetnx_all_or_nothing(kv: EngineClient) -> None:
    kv("MSET", "a", 1, "b", 2)
    assert kv("MSETNX", "b", 3, "c", 3) == 0
    assert kv("MSETNX", "c", 3, "d", 4) == 1
    assert kv("MGET", "a", "b", "c", "d", "e") == ["1", "2", "3", "4", None]
    with refused("ERR wrong number of arguments for 'mset' command"):
        kv("MSET", "a", 1, "b")


def test_append_builds_a_string_piece_by_piece(kv: EngineClient) -> None:
    assert kv("APPEND", "log", "a") == 1
    assert kv("APPEND", "log", "bc") == 3
    assert kv("GET", "log") == "abc"
    assert kv("STRLEN", "log") == 3


def test_appending_to_a_large_string_does_not_copy_it(kv: EngineClient) -> None:
    kv("SET", "log", b"x" * 100_000)
    kv("APPEND", "log", "y")
    held = kv.db.get(b"log")
    kv("APPEND", "log", "z")
    kv("SETRANGE", "log", 5, "w")
    assert kv.db.get(b"log") is held


def test_what_was_read_in_a_transaction_is_not_changed_by_what_follows_in_it(kv: EngineClient) -> None:
    kv("APPEND", "k", "a")
    kv("APPEND", "k", "b")
    assert kv.pipeline(["GET", "k"], ["APPEND", "k", "c"]) == b"$2\r\nab\r\n:3\r\n"


def test_setrange_fills_a_gap_with_zero_bytes(kv: EngineClient) -> None:
    assert kv("SETRANGE", "k", 3, "abc") == 6
    assert kv("GET", "k") == "\0\0\0abc"
    assert kv("SETRANGE", "nobody", 3, "") == 0
    assert kv("EXISTS", "nobody") == 0


def test_a_string_cannot_outgrow_the_largest_bulk() -> None:
    config = Config()
    config.proto_max_bulk_len = 1024 * 1024
    kv = EngineClient(config=config)
    text = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
    with refused(text):
        kv("SETRANGE", "k", 1024 * 1024, "x")
    kv("SETRANGE", "k", 1024 * 1024 - 1, "x")
    with refused(text):
        kv("APPEND", "k", "x")
    assert kv("STRLEN", "k") == 1024 * 1024


def test_getrange_counts_from_both_ends(kv: EngineClient) -> None:
    kv("SET", "k", "This is a string")
    assert kv("GETRANGE", "k", 0, 3) == "This"
    assert kv("GETRANGE", "k", -6, -1) == "string"
    assert kv("GETRANGE", "k", 10, 9) == ""
    assert kv("SUBSTR", "k", 5, 6) == "is"


def test_counting_starts_from_zero(kv: EngineClient) -> None:
    assert kv("INCR", "n") == 1
    assert kv("INCRBY", "n", 41) == 42
    assert kv("DECR", "n") == 41
    assert kv("DECRBY", "n", 42) == -1
    assert kv("GET", "n") == "-1"


def test_a_counter_stays_within_64_bits(kv: EngineClient) -> None:
    kv("SET", "n", 2**63 - 1)
    with refused("ERR increment or decrement would overflow"):
        kv("INCR", "n")
    with refused("ERR decrement would overflow"):
        kv("DECRBY", "n", -(2**63))
    assert kv("GET", "n") == str(2**63 - 1)


@pytest.mark.parametrize("text", ["", " 1", "1 ", "01", "+1", "1.0", "x", str(2**63)])
def test_only_an_integer_in_its_plain_form_can_be_counted(kv: EngineClient, text: str) -> None:
    kv("SET", "n", text)
    with refused(NO_INTEGER):
        kv("INCR", "n")
    assert kv("GET", "n") == text


def test_incrbyfloat_adds_without_noise(kv: EngineClient) -> None:
    assert kv("INCRBYFLOAT", "x", "10.5") == "10.5"
    assert kv("INCRBYFLOAT", "x", "0.1") == "10.6"
    assert kv("INCRBYFLOAT", "x", "-10.6") == "0"
    with refused("ERR increment would produce NaN or Infinity"):
        kv("INCRBYFLOAT", "x", "inf")


def test_lcs_finds_what_two_strings_have_in_common(kv: EngineClient) -> None:
    kv("MSET", "a", "ohmytext", "b", "mynewtext")
    assert kv("LCS", "a", "b") == "mytext"
    assert kv("LCS", "a", "b", "LEN") == 6
    assert kv("LCS", "a", "b", "IDX", "MINMATCHLEN", 4) == ["matches", [[[4, 7], [5, 8]]], "len", 6]
    assert kv.other(resp3=True)("LCS", "a", "b", "IDX", "WITHMATCHLEN", "MINMATCHLEN", 4) == {
        "matches": [[[4, 7], [5, 8], 4]],
        "len": 6,
    }


def test_lcs_refuses_a_table_that_would_not_fit() -> None:
    config = Config()
    config.proto_max_bulk_len = 1024 * 1024
    kv = EngineClient(config=config)
    kv("MSET", "a", "a" * 4096, "b", "b" * 4096)
    with refused("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"):
        kv("LCS", "a", "b")


class NoString:
    """A value of some other type."""

    type_name = "thing"
    encoding = "odd"

    def copy(self) -> NoString:
        """Another one."""
        return NoString()


@pytest.mark.parametrize(
    "request_",
    [
        "GET k",
        "STRLEN k",
        "GETRANGE k 0 1",
        "SET k v GET",
        "SET k v IFEQ v",
        "GETSET k v",
        "GETDEL k",
        "GETEX k PERSIST",
        "DELIFEQ k v",
        "APPEND k v",
        "SETRANGE k 0 v",
        "INCR k",
        "INCRBYFLOAT k 1",
    ],
)
def test_a_key_of_another_type_is_refused_and_left_alone(kv: EngineClient, request_: str) -> None:
    held = NoString()
    kv.db.put(b"k", held)
    with refused(WRONGTYPE):
        kv(*request_.split())
    assert kv.db.get(b"k") is held


def test_what_overwrites_takes_any_type(kv: EngineClient) -> None:
    kv.db.put(b"k", NoString())
    assert kv("MGET", "k") == [None]
    with refused("ERR The specified keys must contain string values"):
        kv("LCS", "k", "k")
    assert kv("SET", "k", "v") == "OK"
    assert kv("GET", "k") == "v"


@pytest.mark.parametrize(
    ("before", "request_", "events", "sent"),
    [
        ("", "SET k v", "new set", "SET k v"),
        ("", "SET k v EX 100", "new set expire", f"SET k v PXAT {BEGIN + 100_000}"),
        ("", "SETEX k 100 v", "new set expire", f"SET k v PXAT {BEGIN + 100_000}"),
        ("", "PSETEX k 100 v", "new set expire", f"SET k v PXAT {BEGIN + 100}"),
        ("SET k v", "SET k v XX GET", "set", "SET k v XX"),
        ("SET k v", "SET k w IFEQ v GET KEEPTTL", "set", "SET k w KEEPTTL"),
        ("SET k v", "SET k w NX", "", ""),
        ("SET k v", "SETNX k v", "", ""),
        ("", "SETNX k v", "new set", "SETNX k v"),
        ("SET k v", "SETRANGE k 1 abc", "setrange", "SETRANGE k 1 abc"),
        ("SET k v", "APPEND k x", "append", "APPEND k x"),
        ("", "INCR k", "new incrby", "INCR k"),
        ("", "DECRBY k 2", "new incrby", "DECRBY k 2"),
        ("", "INCRBYFLOAT k 1.5", "new incrbyfloat", "SET k 1.5 KEEPTTL"),
        ("SET k v", "GETSET k w", "set", "SET k w"),
        ("SET k v", "GETDEL k", "del", "DEL k"),
        ("SET k v", "DELIFEQ k v", "del", "DEL k"),
        ("SET k v", "GETEX k", "", ""),
        ("SET k v", "GETEX k EX 100", "expire", f"PEXPIREAT k {BEGIN + 100_000}"),
        ("SET k v EX 100", "GETEX k PERSIST", "persist", "PERSIST k"),
        ("SET k v", "GETEX k PERSIST", "", ""),
        ("SET k v", "GETEX k EXAT 1", "del", "DEL k"),
        ("", "MSET k 1 k 2", "new set set", "MSET k 1 k 2"),
        ("", "GET k", "keymiss", ""),
    ],
)
def test_what_a_write_tells_subscribers_and_replicas(
    kv: EngineClient, before: str, request_: str, events: str, sent: str
) -> None:
    if before:
        kv(*before.split())
    propagated, told = kv.propagated(), kv.events()
    kv(*request_.split())
    assert [event for event, _ in told] == events.split()
    assert [b" ".join(words).decode() for words in propagated] == ([sent] if sent else [])
