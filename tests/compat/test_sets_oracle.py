"""Set commands answer as redis-server does; their encodings, which changed in 7.2, are compared with valkey-server."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.any_order import comparable
from tests.support.differential import agree, server_time
from tests.support.engine_client import EngineClient
from tests.support.oracle import Redis, Valkey
from tests.support.processes import Server

# Sets of integers come in order, so that the bytes can be compared.
COMMANDS = r"""
SADD s 3 1 2 1
SADD s 2
SADD s
SCARD s
SCARD nokey
SMEMBERS s
SMEMBERS nokey
SISMEMBER s 1
SISMEMBER s 01
SISMEMBER nokey 1
SMISMEMBER s 1 x 3
SMISMEMBER nokey 1 2
SMISMEMBER s
SREM s 1 nope
SREM nokey 1
SREM s nope
SADD t 2 3 4
SADD one 3
SINTER s t
SINTER s t one
SINTER s nokey
SINTER s
SINTER
SUNION s t
SUNION nokey
SDIFF t s
SDIFF s s
SDIFF nokey s
SINTERCARD 2 s t
SINTERCARD 2 s t LIMIT 1
SINTERCARD 2 s t LIMIT 0
SINTERCARD 2 s t limit 5 LIMIT 1
SINTERCARD 2 s t LIMIT -1
SINTERCARD 2 s t LIMIT x
SINTERCARD 2 s t LIMIT
SINTERCARD 2 s t FOO 1
SINTERCARD 0 s
SINTERCARD x s
SINTERCARD -1 s
SINTERCARD 3 s t
SINTERCARD 1 s t
SINTERSTORE d s t
SMEMBERS d
SINTERSTORE d s nokey
EXISTS d
SUNIONSTORE d s t
SMEMBERS d
SDIFFSTORE d t s
SMEMBERS d
SUNIONSTORE s s
SMEMBERS s
SMOVE s t 9
SMOVE s t 2
SMOVE s d 3
SMOVE nokey t 3
SMOVE t t 3
SMOVE t t 99
SMEMBERS d
EXISTS s
SPOP nokey
SPOP nokey 1
SPOP t 0
SPOP t -1
SPOP t x
SPOP t 1 2
SPOP one
SPOP d 99
EXISTS one d
SRANDMEMBER nokey
SRANDMEMBER nokey 1
SRANDMEMBER t 0
SRANDMEMBER t 99
SRANDMEMBER t x
SRANDMEMBER t 1 2
SRANDMEMBER t -9223372036854775808
SSCAN t 0
SSCAN t 0 MATCH 3*
SSCAN t 0 COUNT 0
SSCAN t 0 COUNT x
SSCAN t 0 COUNT
SSCAN t 0 TYPE set
SSCAN t x
SSCAN nokey 0 FOO
SET str v
SADD str 1
SREM str 1
SCARD str
SMEMBERS str
SISMEMBER str 1
SMISMEMBER str 1
SPOP str
SPOP str 0
SRANDMEMBER str
SRANDMEMBER str 0
SMOVE str t 1
SMOVE t str 3
SMOVE nokey str 3
SINTER t str
SINTER nokey str
SUNION t str
SDIFF nokey str
SINTERSTORE d t str
SINTERCARD 2 t str
SSCAN str 0 FOO
SUNIONSTORE str t
TYPE str
SINTERSTORE str t nokey
EXISTS str
"""


def test_every_command_answers_as_in_redis(oracle: Redis) -> None:
    agree(oracle, COMMANDS)


def test_encodings_flip_at_the_same_sizes(valkey: Valkey) -> None:
    script: list[list[str]] = []
    for count in (127, 128, 129, 511, 512, 513):
        for kind, first in (("int", ""), ("text", "m")):
            key = f"{kind}{count}"
            script += [["SADD", key, *[f"{first}{number}" for number in range(count)]], ["OBJECT", "ENCODING", key]]
            script += [["SADD", key, "1000000"], ["OBJECT", "ENCODING", key], ["SADD", key, "x"]]
            script += [["OBJECT", "ENCODING", key], ["SUNIONSTORE", "u", key, "int127"], ["OBJECT", "ENCODING", "u"]]
            script += [["SINTERSTORE", "i", key, key], ["OBJECT", "ENCODING", "i"]]
            script += [["SDIFFSTORE", "d", key, "nokey"], ["OBJECT", "ENCODING", "d"]]
    for size in (64, 65):
        script += [["SADD", f"a{size}", "x" * size], ["OBJECT", "ENCODING", f"a{size}"]]
        script += [["SADD", f"b{size}", "1"], ["SADD", f"b{size}", "x" * size], ["OBJECT", "ENCODING", f"b{size}"]]
        script += [["SADD", f"c{size}", "a"], ["SADD", f"c{size}", "x" * size], ["OBJECT", "ENCODING", f"c{size}"]]
    agree(valkey, script)


@pytest.fixture(scope="module")
def newer(_valkey_process: Valkey) -> Valkey:
    """The valkey-server itself, for many examples in one test."""
    return _valkey_process


KEYS = st.sampled_from([b"s1", b"s2", b"s3", b"string", b"none"])
MEMBERS = st.sampled_from(
    [
        *(b"0", b"1", b"-1", b"7", b"40000", b"-3000000000", b"9223372036854775807", b"9223372036854775808", b"01"),
        *(b"-0", b"", b"a", b"b", b"\x00\xff", b"x" * 64, b"y" * 65),
    ]
)
SOME = st.lists(MEMBERS, min_size=1, max_size=5)
FEW_KEYS = st.lists(KEYS, min_size=1, max_size=3)
RUN = st.tuples(st.sampled_from([b"", b"m"]), st.integers(0, 300), st.sampled_from([100, 129, 513])).map(
    lambda drawn: [b"%b%d" % (drawn[0], number) for number in range(drawn[1], drawn[1] + drawn[2])]
)
REQUESTS: st.SearchStrategy[list[bytes]] = st.one_of(
    st.tuples(st.sampled_from([b"SADD", b"SADD", b"SREM", b"SMISMEMBER"]), KEYS, SOME).map(
        lambda drawn: [drawn[0], drawn[1], *drawn[2]]
    ),
    st.tuples(st.just(b"SADD"), KEYS, RUN).map(lambda drawn: [drawn[0], drawn[1], *drawn[2]]),
    st.tuples(st.sampled_from([b"SINTERSTORE", b"SUNIONSTORE", b"SDIFFSTORE"]), KEYS, FEW_KEYS).map(
        lambda drawn: [drawn[0], drawn[1], *drawn[2]]
    ),
    st.tuples(st.sampled_from([b"SINTER", b"SUNION", b"SDIFF"]), FEW_KEYS).map(lambda drawn: [drawn[0], *drawn[1]]),
    st.tuples(st.just(b"SMOVE"), KEYS, KEYS, MEMBERS).map(list),
    st.tuples(st.just(b"SISMEMBER"), KEYS, MEMBERS).map(list),
    st.tuples(st.sampled_from([b"SMEMBERS", b"SCARD", b"DEL", b"SRANDMEMBER"]), KEYS).map(list),
    st.tuples(st.just(b"SRANDMEMBER"), KEYS, st.sampled_from([b"1", b"-3", b"5000", b"0", b"x"])).map(list),
    st.tuples(st.just(b"SPOP"), KEYS, st.sampled_from([b"5000", b"0", b"-1", b"x"])).map(list),
)


def _same(server: Server, requests: list[list[bytes]], resp3: bool, *, encodings: bool) -> None:
    ours = EngineClient(resp3=resp3)
    ours.engine.config.enable_debug_command = "yes"
    with server.client(resp3=resp3) as theirs:
        theirs.must("FLUSHALL")
        ours.now = server_time(theirs.must("TIME"))
        for words in [[b"SET", b"string", b"v"], *requests]:
            answers: list[Any] = [comparable(words, client.raw(*words)) for client in (ours, theirs)]
            assert answers[0] == answers[1], words
            if encodings:
                assert ours.raw("OBJECT", "ENCODING", words[1]) == theirs.raw("OBJECT", "ENCODING", words[1]), words
        assert ours.raw("DEBUG", "DIGEST") == theirs.raw("DEBUG", "DIGEST")


@given(requests=st.lists(REQUESTS, min_size=10, max_size=40), resp3=st.booleans())
def test_any_sequence_of_commands(redis_process: Redis, requests: list[list[bytes]], resp3: bool) -> None:
    _same(redis_process, requests, resp3, encodings=False)


@given(requests=st.lists(REQUESTS, min_size=10, max_size=40), resp3=st.booleans())
def test_any_sequence_of_encodings(newer: Valkey, requests: list[list[bytes]], resp3: bool) -> None:
    _same(newer, requests, resp3, encodings=True)
