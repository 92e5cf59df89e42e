"""Bitmaps and bitfields beside redis-server 7.0, and beside valkey-server 9.1 for what is younger."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.support.differential import agree, differences
from tests.support.oracle import Redis, Valkey

Request = list[bytes]

EVERYTHING = r"""
    SETBIT k 7 1
    SETBIT k 7 0
    SETBIT k 100 0
    SETBIT k 99 1
    SETBIT k -1 1
    SETBIT k 4294967296 1
    SETBIT k 1 2
    SETBIT k 1 x
    SETBIT k x x
    SETBIT k #1 1
    GETBIT k 99
    GETBIT k 100000
    GETBIT k x
    GETBIT none 1
    OBJECT ENCODING k
    STRLEN k
    INCR n
    SETBIT n 1 0
    OBJECT ENCODING n
    GET n
    BITCOUNT k
    BITCOUNT k 0 -1
    BITCOUNT k 2 1
    BITCOUNT k -1 -2
    BITCOUNT k -1 -100
    BITCOUNT k 0
    BITCOUNT k 0 1 FOO
    BITCOUNT k x 1
    BITCOUNT k 3 40 BIT
    BITCOUNT k 1 9223372036854775807 bit
    BITCOUNT none
    BITPOS k 1
    BITPOS k 0
    BITPOS k 2
    BITPOS k x
    BITPOS k 1 2
    BITPOS k 1 2 5 BIT
    BITPOS k 0 0 -1 bit
    BITPOS k 1 0 1 FOO
    BITPOS k 1 0 1 BIT more
    BITPOS none 0
    BITPOS none 1
    SET ones \xff\xff
    BITPOS ones 0
    BITPOS ones 0 1
    BITPOS ones 0 0 -1
    BITPOS ones 0 3
    SET empty ""
    BITPOS empty 0
    BITPOS empty 1
    BITOP AND d k ones
    GET d
    BITOP or d k ones none
    GET d
    BITOP XOR d ones
    OBJECT ENCODING d
    BITOP NOT d ones
    GET d
    BITOP NOT d a b
    BITOP FOO d a
    BITOP AND d none empty
    EXISTS d
    RPUSH l x
    SETBIT l 1 1
    GETBIT l 1
    BITCOUNT l
    BITPOS l 1
    BITOP AND d k l
    BITFIELD l GET u8 0
    BITFIELD l SET u8 0 1
    BITFIELD f
    BITFIELD f GET u8 0 SET i5 #3 -9 INCRBY u63 4 9223372036854775807 GET i64 0
    BITFIELD f OVERFLOW SAT INCRBY u2 0 9 OVERFLOW FAIL INCRBY i3 2 9 OVERFLOW WRAP INCRBY i3 2 9
    BITFIELD f OVERFLOW sat SET u8 8 -1 SET i8 16 -1000
    BITFIELD f GET u64 0
    BITFIELD f GET i65 0
    BITFIELD f GET U8 0
    BITFIELD f GET u0 0
    BITFIELD f GET u 0
    BITFIELD f GET u8
    BITFIELD f SET u8 0
    BITFIELD f SET u8 0 x
    BITFIELD f OVERFLOW
    BITFIELD f OVERFLOW FOO
    BITFIELD f GET u8 #-1
    BITFIELD g OVERFLOW FAIL INCRBY u2 100 9
    STRLEN g
    BITFIELD_RO f GET u8 0 GET i16 #1
    BITFIELD_RO f SET u8 0 1
    BITFIELD_RO none GET u8 0
    GET f
"""

#: 7.0 looks for the key before it looks at the words behind it; 7.2 and later the other way round.
WORDS_FIRST = """
    BITCOUNT none x y
    BITCOUNT none 0 1 FOO
    BITPOS none 1 x
    RPUSH l x
    BITCOUNT l x y
    BITPOS l 1 0 1 FOO
    SET k x
    BITCOUNT k -1 -2 FOO
"""

KEYS = st.sampled_from([b"a", b"b", b"c"])
NUMBER = st.integers(-70, 70).map(lambda number: b"%d" % number)
OFFSET = st.integers(0, 70).map(lambda number: b"%d" % number)
BIT = st.sampled_from([b"0", b"1"])
UNIT = st.sampled_from([b"BIT", b"BYTE"])
TEXT = st.lists(st.sampled_from([0, 255, 7, 128]), max_size=9).map(bytes)
WIDE = st.sampled_from([0, 1, -1, 127, 255, -128, 2**31, 2**63 - 1, -(2**63)]).map(lambda number: b"%d" % number)
TYPE = st.sampled_from([b"u1", b"i1", b"u8", b"i8", b"u13", b"i33", b"u63", b"i64"])
PLACE = st.sampled_from([b"0", b"3", b"#1", b"#2", b"50"])


def words(*drawn: SearchStrategy[bytes] | bytes) -> SearchStrategy[Request]:
    """A piece of a request."""
    parts = [st.just(word) if isinstance(word, bytes) else word for word in drawn]
    return st.tuples(*parts).map(list)


FIELDS = st.lists(
    st.one_of(
        words(b"GET", TYPE, PLACE),
        words(b"SET", TYPE, PLACE, WIDE),
        words(b"INCRBY", TYPE, PLACE, WIDE),
        words(b"OVERFLOW", st.sampled_from([b"WRAP", b"SAT", b"FAIL"])),
    ),
    max_size=4,
)
STEPS = st.lists(
    st.one_of(
        words(b"SET", KEYS, TEXT),
        words(b"SETBIT", KEYS, OFFSET, BIT),
        words(b"GETBIT", KEYS, OFFSET),
        words(b"BITCOUNT", KEYS, NUMBER, NUMBER, UNIT),
        words(b"BITPOS", KEYS, BIT),
        words(b"BITPOS", KEYS, BIT, NUMBER),
        words(b"BITPOS", KEYS, BIT, NUMBER, NUMBER, UNIT),
        words(b"BITOP", st.sampled_from([b"AND", b"OR", b"XOR"]), KEYS, KEYS, KEYS, KEYS),
        words(b"BITOP", b"NOT", KEYS, KEYS),
        st.tuples(KEYS, FIELDS).map(lambda drawn: [b"BITFIELD", drawn[0], *(word for one in drawn[1] for word in one)]),
    ),
    max_size=25,
)


def test_bits_answer_as_in_redis(oracle: Redis) -> None:
    agree(oracle, EVERYTHING)


def test_words_are_judged_first_as_in_later_versions(valkey: Valkey) -> None:
    agree(valkey, WORDS_FIRST)


@given(requests=STEPS)
def test_any_sequence_leaves_the_same_bits_as_redis(redis_process: Redis, requests: list[Request]) -> None:
    assert not differences(redis_process, [*requests, [b"MGET", b"a", b"b", b"c"]])
