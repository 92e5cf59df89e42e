"""String commands answer as redis-server does, byte for byte."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.differential import agree, differences
from tests.support.oracle import Redis, Valkey

SET_AND_GET = r"""
SET k v
GET k
GET nokey
SET k v2 NX
SET k v2 XX
SET nokey v XX
SET n v NX
SET k v3 GET
SET nothere v GET
SET k v4 NX GET
SET fresh v NX GET
SET fresh2 v XX GET
GET fresh2
SET k v KEEPTTL
SET k v EX 100
TTL k
SET k v KEEPTTL
TTL k
SET k v
TTL k
SET k v PX 100000
TTL k
SET k v EXAT 4000000000
EXPIRETIME k
SET k v PXAT 4000000000123
PEXPIRETIME k
SET k v ex 10 EX 20
TTL k
SET k v NX NX
SET k v nx xx
SET k v EX
SET k v EX 10 PX 10
SET k v EX 10 KEEPTTL
SET k v KEEPTTL EX 10
SET k v PERSIST
SET k v EX 0
SET k v PX -1
SET k v EX abc
SET k v EX 9223372036854775807
SET k v EXAT 9223372036854776
SET k v PX 9223372036854775807
SET k v PXAT 9223372036854775807
PEXPIRETIME k
SET k v FOO
SET k v EX 100 NX
SET k v GET EX abc
SET k v EXAT 1
GET k
SET k
SET
GET
GET a b
SETNX k v
SETNX k w
GET k
SETEX k 100 v
TTL k
SETEX k 0 v
SETEX k abc v
SETEX k 9223372036854775 v
PSETEX k 100000 v
TTL k
PSETEX k 0 v
PSETEX k -1 v
GETSET k w
GETSET fresh9 w
TTL k
GETDEL k
GETDEL k
GETEX k
SET k v
GETEX k
GETEX k EX 100
TTL k
GETEX k PERSIST
TTL k
GETEX k PX 100000
TTL k
GETEX k EXAT 4000000000
GETEX k PXAT 4000000000000
PEXPIRETIME k
GETEX k EX 10 PX 10
GETEX k PERSIST EX 10
GETEX k KEEPTTL
GETEX k EX 0
GETEX k EX abc
GETEX nokey EX abc
GETEX k EXAT 1
EXISTS k
MSET a 1 b 2 a 3
MGET a b c
MSET a
MSET a 1 b
MSETNX a 1 z 2
MSETNX y 1 z 2 y 3
MSETNX q 1 r
MGET y z q
"""

PIECES = r"""
APPEND k hello
APPEND k ""
STRLEN k
APPEND k \x00\xff\r\n
GET k
OBJECT ENCODING k
STRLEN nokey
SETRANGE k 3 XYZ
SETRANGE k 20 end
GET k
SETRANGE k 0 ""
SETRANGE nokey 5 ""
EXISTS nokey
SETRANGE nokey 3 abc
GET nokey
SETRANGE k -1 a
SETRANGE k abc a
SETRANGE k 536870912 a
SETRANGE k 9223372036854775807 a
SETRANGE other 536870912 a
SET k 0123456789
GETRANGE k 0 -1
GETRANGE k 0 0
GETRANGE k 3 5
GETRANGE k -3 -1
GETRANGE k -100 2
GETRANGE k 5 100
GETRANGE k 5 3
GETRANGE k 0 -100
GETRANGE k -100 -100
GETRANGE k -1 -3
GETRANGE k -5 -20
GETRANGE k 10 20
GETRANGE k a b
GETRANGE nokey 0 -1
GETRANGE nokey a b
SUBSTR k 1 2
APPEND n 12
INCR n
GETRANGE n 0 0
STRLEN n
APPEND n 0
INCR n
SETRANGE n 0 9
GET n
"""

COUNTERS = r"""
INCR n
DECR n
DECR n
INCRBY n 10
DECRBY n 3
GET n
INCRBY n abc
INCRBY n 9223372036854775808
SET n 9223372036854775807
INCR n
INCRBY n 1
DECRBY n -9223372036854775808
DECRBY n 9223372036854775807
DECRBY n 9223372036854775807
DECRBY n 2
DECRBY n 1
SET s abc
INCR s
SET s " 1"
INCR s
SET s 01
INCR s
SET s ""
INCR s
SET s 1.5
INCR s
INCRBYFLOAT s 1.5
INCRBYFLOAT s 1
INCRBYFLOAT new 10.5
INCRBYFLOAT new 0.1
INCRBYFLOAT new 5e3
INCRBYFLOAT new abc
INCRBYFLOAT new nan
INCRBYFLOAT new inf
INCRBYFLOAT new -inf
INCRBYFLOAT new " 1"
INCRBYFLOAT new 0x10
SET e 5.0e3
INCRBYFLOAT e 2.0e2
SET e 3.0
INCRBYFLOAT e 1.1
INCRBYFLOAT e -1.1
SET f " 1.5"
INCRBYFLOAT f 1
SET f x
INCRBYFLOAT f 1
INCRBYFLOAT f
INCRBY f
INCR
"""

ENCODINGS = r"""
SET k 1
OBJECT ENCODING k
OBJECT REFCOUNT k
SET k 9999
OBJECT REFCOUNT k
SET k 10000
OBJECT REFCOUNT k
SET k -1
OBJECT ENCODING k
OBJECT REFCOUNT k
SET k 9223372036854775807
OBJECT ENCODING k
SET k 9223372036854775808
OBJECT ENCODING k
SET k -9223372036854775808
OBJECT ENCODING k
SET k 01
OBJECT ENCODING k
SET k +1
OBJECT ENCODING k
SET k ""
OBJECT ENCODING k
SET k aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
OBJECT ENCODING k
SET k aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
OBJECT ENCODING k
APPEND new 1
OBJECT ENCODING new
APPEND new 1
OBJECT ENCODING new
INCR new
OBJECT ENCODING new
SETRANGE fresh 0 1
OBJECT ENCODING fresh
INCRBYFLOAT float 1.5
OBJECT ENCODING float
"""

LCS = r"""
MSET a ohmytext b mynewtext
LCS a b
LCS a b LEN
LCS a b IDX
LCS a b IDX MINMATCHLEN 4
LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN
LCS a b IDX MINMATCHLEN -1 WITHMATCHLEN
LCS a b idx withmatchlen len
LCS a b LEN IDX
LCS a b WITHMATCHLEN
LCS a b FOO
LCS a b MINMATCHLEN
LCS a b MINMATCHLEN x
LCS a nokey
LCS a nokey IDX
LCS nokey nokey2
LCS nokey nokey2 LEN
LCS a a IDX
LCS a
SET n 5
INCR n
LCS n n
"""

# 7.0 answers what later versions answer, but for these.
LATER_THAN_7_0 = r"""
SET a 1
SET a 2 IFEQ 1
SET a 2 IFEQ 1
SET a 3 IFEQ 1 GET
SET a 3 IFEQ 2 GET
SET n 3 IFEQ 2 GET
SET n 3 IFEQ 2
SET a 4 IFEQ 3 NX
SET a 4 NX IFEQ 3
SET a 4 IFEQ
SET a 4 IFEQ 3 IFEQ 3
SET a 4 IFEQ 3 EX 100
TTL a
INCR a
DELIFEQ a 4
DELIFEQ a 5
DELIFEQ a 5
DELIFEQ a
"""


def test_setting_and_getting_answer_as_in_redis(oracle: Redis) -> None:
    agree(oracle, SET_AND_GET)


def test_pieces_of_strings_answer_as_in_redis(oracle: Redis) -> None:
    agree(oracle, PIECES)


def test_counters_answer_as_in_redis(oracle: Redis) -> None:
    agree(oracle, COUNTERS)


def test_encodings_are_those_of_redis(oracle: Redis) -> None:
    agree(oracle, ENCODINGS)


def test_lcs_answers_as_in_redis(oracle: Redis) -> None:
    agree(oracle, LCS)


def test_what_valkey_added_answers_as_there(valkey: Valkey) -> None:
    agree(valkey, LATER_THAN_7_0)


SHORT = st.text("abc", max_size=12)


@given(pairs=st.lists(st.tuples(SHORT, SHORT), min_size=1, max_size=20), least=st.integers(0, 3))
def test_lcs_of_any_two_strings(redis_process: Redis, pairs: list[tuple[str, str]], least: int) -> None:
    script: list[list[str]] = []
    for a, b in pairs:
        script.append(["MSET", "a", a, "b", b])
        script.append(["LCS", "a", "b"])
        script.append(["LCS", "a", "b", "LEN"])
        script.append(["LCS", "a", "b", "IDX", "WITHMATCHLEN", "MINMATCHLEN", str(least)])
    assert differences(redis_process, script) == []


NUMBER = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15).map(repr),
)


@given(numbers=st.lists(NUMBER, min_size=1, max_size=20))
def test_sums_of_any_numbers(redis_process: Redis, numbers: list[str]) -> None:
    script = [[name, "n", number] for number in numbers for name in ("INCRBYFLOAT", "INCRBY")]
    assert differences(redis_process, script) == []


@given(
    text=st.binary(max_size=8),
    ranges=st.lists(st.tuples(st.integers(-12, 12), st.integers(-12, 12)), min_size=1, max_size=20),
)
def test_any_range_of_a_string(redis_process: Redis, text: bytes, ranges: list[tuple[int, int]]) -> None:
    script: list[list[bytes | str]] = [["SET", "k", text]]
    script.extend(["GETRANGE", "k", str(start), str(end)] for start, end in ranges)
    assert differences(redis_process, script) == []
