"""Bitmaps and bitfields, as a client sees them."""

from __future__ import annotations

import pytest

from tests.support.engine_client import EngineClient, refused

WRONGTYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NO_OFFSET = "ERR bit offset is not an integer or out of range"


def test_bit_0_is_the_highest_of_the_first_byte(kv: EngineClient) -> None:
    assert kv("SETBIT", "k", 0, 1) == 0
    assert kv("GET", "k") == b"\x80"


def test_setbit_tells_the_bit_before(kv: EngineClient) -> None:
    kv("SETBIT", "k", 7, 1)
    assert kv("SETBIT", "k", 7, 0) == 1
    assert kv("GETBIT", "k", 7) == 0


def test_setbit_fills_the_gap_with_zeros(kv: EngineClient) -> None:
    kv("SET", "k", "a")
    kv("SETBIT", "k", 31, 1)
    assert kv("GET", "k") == "a\0\0\1"


def test_behind_the_end_all_bits_are_zero(kv: EngineClient) -> None:
    assert kv("GETBIT", "nobody", 1000) == 0
    assert kv("EXISTS", "nobody") == 0


def test_a_bit_that_stays_as_it_is_is_no_change(kv: EngineClient) -> None:
    kv("SETBIT", "k", 3, 1)
    events, sent = kv.events(), kv.propagated()
    kv("SETBIT", "k", 3, 1)
    assert (events, sent) == ([], [])
    kv("SETBIT", "k", 9, 0)
    assert events == [("setbit", "k")]
    assert sent == [[b"SETBIT", b"k", b"9", b"0"]]


def test_an_integer_is_a_text_of_digits_to_the_bits(kv: EngineClient) -> None:
    kv("INCR", "n")
    assert kv("BITCOUNT", "n") == 3
    kv("SETBIT", "n", 6, 1)
    assert kv("GET", "n") == "3"


def test_an_offset_ends_where_the_longest_string_does(kv: EngineClient) -> None:
    with refused(NO_OFFSET):
        kv("SETBIT", "k", 2**32, 1)
    with refused(NO_OFFSET):
        kv("GETBIT", "k", -1)
    assert kv("EXISTS", "k") == 0


def test_bitcount_counts_a_range_of_bytes_or_of_bits(kv: EngineClient) -> None:
    kv("SET", "k", "foobar")
    assert kv("BITCOUNT", "k") == 26
    assert kv("BITCOUNT", "k", 1, 1) == 6
    assert kv("BITCOUNT", "k", -2, -1) == 7
    assert kv("BITCOUNT", "k", 5, 30, "BIT") == 17


def test_bitcount_judges_its_words_before_it_looks_for_the_key(kv: EngineClient) -> None:
    with refused("ERR syntax error"):
        kv("BITCOUNT", "nobody", 0)
    with refused("ERR value is not an integer or out of range"):
        kv("BITCOUNT", "nobody", "x", "y")


def test_bitpos_without_an_end_finds_a_zero_behind_the_string(kv: EngineClient) -> None:
    kv("SET", "k", b"\xff\xff")
    assert kv("BITPOS", "k", 0) == 16
    assert kv("BITPOS", "k", 0, 1) == 16
    assert kv("BITPOS", "k", 0, 0, -1) == -1


def test_bitpos_of_a_key_that_is_not_there(kv: EngineClient) -> None:
    assert kv("BITPOS", "nobody", 0) == 0
    assert kv("BITPOS", "nobody", 1) == -1


def test_bitop_pads_shorter_strings_with_zeros(kv: EngineClient) -> None:
    kv("SET", "a", "abc")
    kv("SET", "b", "a")
    assert kv("BITOP", "AND", "d", "a", "b") == 3
    assert kv("GET", "d") == "a\0\0"
    assert kv("BITOP", "XOR", "d", "a", "b", "nobody") == 3
    assert kv("GET", "d") == "\0bc"


def test_bitop_of_nothing_deletes_the_target(kv: EngineClient) -> None:
    kv("SET", "d", "x")
    assert kv("BITOP", "OR", "d", "nobody") == 0
    assert kv("EXISTS", "d") == 0


@pytest.mark.parametrize(
    ("operation", "expected"), [("DIFF", 0b0100), ("DIFF1", 0b0001), ("ANDOR", 0b1010), ("ONE", 0b0101)]
)
def test_bitop_of_redis_8_2(kv: EngineClient, operation: str, expected: int) -> None:
    kv("SET", "x", b"\x0e")
    kv("SET", "y", b"\x0a")
    kv("SET", "z", b"\x03")
    kv("BITOP", operation, "d", "x", "y", "z")
    assert kv("BITFIELD", "d", "GET", "u8", 0) == [expected]


def test_bitop_refuses_what_it_cannot_combine(kv: EngineClient) -> None:
    with refused("ERR BITOP NOT must be called with a single source key."):
        kv("BITOP", "NOT", "d", "a", "b")
    with refused("ERR BITOP DIFF must be called with at least two source keys."):
        kv("BITOP", "DIFF", "d", "a")


def test_bitfield_counts_in_fields_with_a_hash_sign(kv: EngineClient) -> None:
    assert kv("BITFIELD", "k", "SET", "u8", "#2", 200, "GET", "u8", 16) == [0, 200]
    assert kv("STRLEN", "k") == 3


@pytest.mark.parametrize(("overflow", "expected"), [("WRAP", -128), ("SAT", 127), ("FAIL", None)])
def test_bitfield_overflows_as_it_is_told(kv: EngineClient, overflow: str, expected: int | None) -> None:
    kv("BITFIELD", "k", "SET", "i8", 0, 127)
    assert kv("BITFIELD", "k", "OVERFLOW", overflow, "INCRBY", "i8", 0, 1) == [expected]


def test_bitfield_that_only_fails_still_makes_the_string(kv: EngineClient) -> None:
    sent = kv.propagated()
    assert kv("BITFIELD", "k", "OVERFLOW", "FAIL", "INCRBY", "u2", 0, 9) == [None]
    assert kv("STRLEN", "k") == 1
    assert len(sent) == 1


def test_bitfield_ro_only_reads(kv: EngineClient) -> None:
    assert kv("BITFIELD_RO", "k", "GET", "u8", 0) == [0]
    with refused("ERR BITFIELD_RO only supports the GET subcommand"):
        kv("BITFIELD_RO", "k", "SET", "u8", 0, 1)


def test_bits_are_of_strings_only(kv: EngineClient) -> None:
    kv("RPUSH", "l", "x")
    for words in (("SETBIT", "l", 0, 1), ("GETBIT", "l", 0), ("BITCOUNT", "l"), ("BITFIELD", "l", "GET", "u8", 0)):
        with refused(WRONGTYPE):
            kv(*words)


@pytest.mark.parametrize(
    ("number", "kept"), [(-300, -128), (-(2**63) + 128, -128), (-(2**63) + 127, 127), (-(2**63), 127)]
)
def test_the_lowest_numbers_count_as_too_high_when_set(kv: EngineClient, number: int, kept: int) -> None:
    assert kv("BITFIELD", "bits", "OVERFLOW", "SAT", "SET", "i8", 0, number, "GET", "i8", 0) == [0, kept]
