"""Generic key commands answer as redis-server does, byte for byte."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from shardkv.values.globs import glob
from tests.support.differential import agree, differences
from tests.support.engine_client import EngineClient
from tests.support.oracle import Redis, Valkey

KEYS = r"""
EXISTS a
MSET a 1 b 2
EXISTS a b c a
EXISTS
TYPE a
TYPE nokey
TOUCH a b c a
TOUCH
DEL a c a
UNLINK b b
DEL
RANDOMKEY
SET only v
RANDOMKEY
RANDOMKEY x
KEYS *
KEYS nothing
KEYS o???
KEYS
RENAME nokey b
RENAME nokey nokey
RENAME only only
RENAME only new
RENAMENX new new
SET taken 1 EX 100
RENAMENX new taken
RENAMENX taken free
TTL free
RENAME free new
TTL new
GET new
RENAMENX nokey b
RENAME a
COPY new copy
TTL copy
COPY new copy
SET other w
COPY other copy REPLACE
TTL copy
GET copy
COPY nokey x
COPY new new
COPY new new DB 0
COPY new new DB 1
COPY new new DB 1
COPY new new DB 1 REPLACE
COPY new x DB 16
COPY new x DB 99999999999
COPY new x DB -1
COPY new x DB abc FOO
COPY new x DB
COPY new x FOO
COPY new x REPLACE replace
COPY nokey nokey
MOVE copy 1
MOVE copy 1
SET copy again
MOVE copy 1
MOVE copy 0
MOVE copy 16
MOVE copy abc
MOVE copy 99999999999
MOVE nokey 1
MOVE copy
SET m v EX 100
MOVE m 2
EXISTS m
OBJECT ENCODING nokey
OBJECT REFCOUNT nokey
OBJECT IDLETIME nokey
OBJECT FREQ nokey
OBJECT IDLETIME new
OBJECT FREQ new
OBJECT ENCODING
OBJECT
OBJECT FOO x
OBJECT HELP x
WAIT 0 0
WAIT 0 100
WAIT -1 0
WAIT x 0
WAIT 0 x
WAIT 0 -1
WAIT 1
"""

EXPIRY = r"""
TTL k
PTTL k
EXPIRETIME k
PEXPIRETIME k
PERSIST k
SET k v
TTL k
PTTL k
EXPIRETIME k
PEXPIRETIME k
PERSIST k
EXPIRE k 100
TTL k
EXPIRE k 200 NX
EXPIRE k 200 XX
TTL k
EXPIRE k 100 GT
EXPIRE k 300 GT
TTL k
EXPIRE k 400 LT
EXPIRE k 50 LT
TTL k
EXPIRE k 60 XX GT
EXPIRE k 60 XX LT
EXPIRE k 55 XX lt
PERSIST k
PERSIST k
EXPIRE k 100 GT
EXPIRE k 100 XX
EXPIRE k 100 XX LT
EXPIRE k 100 LT
PERSIST k
EXPIRE k 100 NX
EXPIRE k 100 NX NX
EXPIRE k 10 NX XX
EXPIRE k 10 NX GT
EXPIRE k 10 NX LT
EXPIRE k 10 GT LT
EXPIRE k 10 XX GT LT
EXPIRE k 10 FOO
EXPIRE k 10 NX FOO
EXPIRE k abc FOO
EXPIRE k abc NX XX
EXPIRE k abc
EXPIRE k 10 \xff\r\n
EXPIRE k 99999999999999999
EXPIRE k -99999999999999999
EXPIRE k 9223372036854775
EXPIRE k 9223372036854776
PEXPIRE k 9223372036854775807
EXPIREAT k 9223372036854776
PEXPIREAT k 9223372036854775807
PEXPIRETIME k
EXPIRETIME k
PEXPIREAT k 4000000000499
EXPIRETIME k
PEXPIREAT k 4000000000500
EXPIRETIME k
EXPIREAT k 4000000000
PEXPIRETIME k
EXPIRE nokey 99999999999999999
EXPIRE nokey 10
EXPIRE nokey 10 XX
EXPIRE k
EXPIRE k -1 NX
EXISTS k
EXPIRE k -1
EXISTS k
SET k v
PEXPIRE k 0
EXISTS k
SET k v
EXPIREAT k 1
EXISTS k
SET k v
PEXPIREAT k -5
EXISTS k
SET k v EX 100
INCR n
EXPIRE n 100
INCR n
TTL n
APPEND n 1
TTL n
SETRANGE n 0 2
TTL n
INCRBYFLOAT n 1.5
TTL n
GETSET n 5
TTL n
EXPIRE n 100
MSET n 6
TTL n
TTL
PERSIST
"""

SCANS = r"""
SCAN 0
SCAN abc
SCAN " 0"
SCAN "0 "
SCAN ""
SCAN -1
SCAN +0
SCAN -
SCAN 18446744073709551615
SCAN 18446744073709551616
SCAN 99999999999999999999999999
SCAN 0 COUNT 0
SCAN 0 COUNT -1
SCAN 0 COUNT abc
SCAN 0 COUNT abc FOO
SCAN 0 FOO
SCAN 0 FOO bar
SCAN 0 MATCH
SCAN 0 COUNT
SCAN 0 COUNT 10 TYPE
SCAN abc FOO
SCAN 0 MATCH * COUNT 10 TYPE string
SET k v
SCAN 0 COUNT 10000000
SCAN 0 TYPE string
SCAN 0 TYPE STRING
SCAN 0 TYPE list
SCAN 0 TYPE nonsense
SCAN 0 MATCH k
SCAN 0 MATCH q
SCAN 0 match K*
SCAN 0 MATCH q MATCH k
SCAN
SET {tag}1 v
SCAN 0 MATCH {tag}*
KEYS {tag}*
KEYS {tag}2
DEL k {tag}1
SET "" empty
KEYS *
KEYS **
KEYS ""
KEYS ?
SCAN 0 MATCH *
SCAN 0 MATCH **
SCAN 0 MATCH ""
"""


def test_keys_answer_as_in_redis(oracle: Redis) -> None:
    agree(oracle, KEYS)


def test_expiry_times_answer_as_in_redis(oracle: Redis) -> None:
    agree(oracle, EXPIRY)


def test_scans_answer_as_in_redis(oracle: Redis) -> None:
    agree(oracle, SCANS)


# SET with a time that has passed: 7.0 keeps the key until it is looked at, Valkey 9 deletes it at once. Ours is 7.0's.
def test_a_set_that_has_expired_already_is_counted_until_it_is_looked_at(oracle: Redis) -> None:
    agree(oracle, "SET k v EXAT 1\nEXISTS k\nSET k v EXAT 1\nKEYS *\nSCAN 0\nRANDOMKEY")


def test_a_copy_between_databases_is_what_valkey_makes_too(valkey: Valkey) -> None:
    agree(valkey, "SET a v EX 100\nCOPY a b DB 3\nCOPY a b DB 3\nCOPY a b DB 3 REPLACE\nMOVE a 3\nTTL a")


PATTERN = st.lists(
    st.sampled_from(
        [b"a", b"B", b"b", b"A", b"z", b"-", b"]", b"[", b"^", b"*", b"?", b"\\", b"\x80", b"\xff", b"a-z"]
    ),
    min_size=1,
    max_size=9,
).map(b"".join)
NAME = st.lists(st.sampled_from(list(b"aBbAz-]^\\\x80\xff\x00")), max_size=5).map(bytes)


@given(patterns=st.lists(PATTERN, min_size=1, max_size=30), names=st.lists(NAME, min_size=1, max_size=30))
def test_any_pattern_matches_the_same_names(redis_process: Redis, patterns: list[bytes], names: list[bytes]) -> None:
    with redis_process.client() as redis:
        redis.must("FLUSHALL")
        redis.must("MSET", *(word for name in names for word in (name, "v")))
        for pattern, reply in zip(patterns, redis.pipeline(["KEYS", pattern] for pattern in patterns), strict=True):
            if pattern == b"*":
                continue  # KEYS * is not a matter of matching
            expected = sorted(reply)
            assert sorted({name for name in names if glob(pattern)(name)}) == expected, pattern


@given(patterns=st.lists(PATTERN, min_size=1, max_size=20))
def test_any_pattern_matches_the_same_options_in_either_case(redis_process: Redis, patterns: list[bytes]) -> None:
    """CONFIG GET is where Redis matches without regard to case."""
    with redis_process.client() as redis:
        names = redis.must("CONFIG", "GET", "*")[::2]
        for pattern in patterns:
            if not re.search(rb"[*?\[]", pattern):
                continue  # without a wildcard CONFIG GET looks the name up
            expected = sorted(redis.must("CONFIG", "GET", pattern)[::2])
            assert sorted(name for name in names if glob(pattern, nocase=True)(name)) == expected, pattern


@given(
    names=st.sets(st.integers(0, 300).map(lambda number: b"key:%d" % number), max_size=60),
    pattern=st.sampled_from([b"*", b"key:1*", b"*[13579]", b"key:??", b"nothing"]),
)
def test_a_whole_scan_meets_the_same_keys(redis_process: Redis, names: set[bytes], pattern: bytes) -> None:
    ours = EngineClient()
    with redis_process.client() as theirs:
        theirs.must("FLUSHALL")
        for name in sorted(names):
            theirs.must("SET", name, "v")
            ours("SET", name, "v")
        assert scanned(ours, pattern) == {name.decode() for name in theirs.must("KEYS", pattern)}


def scanned(kv: EngineClient, pattern: bytes) -> set[str]:
    """The keys that a whole walk meets."""
    met: set[str] = set()
    cursor = "0"
    while True:
        cursor, page = kv("SCAN", cursor, "MATCH", pattern, "COUNT", 3)
        met.update(page)
        if cursor == "0":
            return met


def test_help_is_ours_but_is_framed_alike(oracle: Redis) -> None:
    """Our own words, so only the shape of the reply is compared: simple strings, the header first."""
    found = differences(oracle, "OBJECT HELP")
    assert len(found) == 1
    header = b"+OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n"
    assert EngineClient().raw("OBJECT", "HELP").partition(b"\r\n")[2].startswith(header)
    with oracle.client() as redis:
        assert redis.raw("OBJECT", "HELP").partition(b"\r\n")[2].startswith(header)
