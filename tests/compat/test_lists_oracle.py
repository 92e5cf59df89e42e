"""Lists beside redis-server 7.0, and beside valkey-server 9.1 for what is younger."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from shardkv.commands.digest import digest_value
from tests.support.differential import agree, differences
from tests.support.engine_client import EngineClient
from tests.support.oracle import Redis, Valkey

Request = list[bytes]

ONE_KEY = """
    RPUSH l a b c a b
    LPUSH l x y
    LPUSHX none a
    RPUSHX none a
    RPUSHX l z
    LRANGE l 0 -1
    LRANGE l -3 -2
    LRANGE l 5 2
    LRANGE l -100 100
    LRANGE l 7 9
    LRANGE none 0 -1
    LRANGE none x -1
    LRANGE l 0 y
    LLEN l
    LLEN none
    LINDEX l 0
    LINDEX l -1
    LINDEX l 99
    LINDEX l -99
    LINDEX l x
    LINDEX none x
    LINSERT l BEFORE b new
    LINSERT l after c new
    LINSERT l BEFORE nobody new
    LINSERT none BEFORE b new
    LINSERT none SIDEWAYS b new
    LSET l 0 first
    LSET l -1 last
    LSET l 99 x
    LSET l x x
    LSET none x x
    LPOS l a
    LPOS l a RANK 2
    LPOS l a RANK -1
    LPOS l a RANK 9
    LPOS l a COUNT 0
    LPOS l b COUNT 1 RANK -1
    LPOS l b COUNT 0 RANK -2 MAXLEN 5
    LPOS l b MAXLEN 1
    LPOS l b MAXLEN x
    LPOS l b COUNT 1.5
    LPOS l b COUNT -9223372036854775809
    LPOS l b MAXLEN 3 COUNT 0
    LPOS none a
    LPOS none a COUNT 3
    LPOS l a RANK 0
    LPOS l a RANK x
    LPOS l a COUNT -1
    LPOS l a MAXLEN -1
    LPOS l a RANK
    LPOS l a BOGUS 1
    LREM l 1 a
    LREM l -1 b
    LREM l 0 nobody
    LREM l x a
    LREM none 0 a
    LRANGE l 0 -1
    LTRIM l 1 -2
    LTRIM none 0 1
    LTRIM l x 1
    LRANGE l 0 -1
    LPOP l
    RPOP l
    LPOP l 0
    LPOP l 2
    RPOP l 100
    EXISTS l
    LPOP l
    RPOP l 1
    LPOP l 0
    LPOP l -1
    LPOP l x
    LPOP l 1 2
    RPOP
    SET s text
    LPUSH s a
    RPUSHX s a
    LPOP s
    RPOP s 0
    LLEN s
    LINDEX s x
    LRANGE s 0 -1
    LPOS s a
    LSET s x x
    LREM s 0 a
    LTRIM s 0 1
    LINSERT s BEFORE a b
    TYPE l
    RPUSH l a
    TYPE l
    LTRIM l 5 9
    EXISTS l
"""

SEVERAL_KEYS = """
    RPUSH l a b c
    LMOVE l m LEFT RIGHT
    LMOVE l m right left
    LMOVE l l LEFT RIGHT
    LMOVE l m LEFT LEFT
    LRANGE m 0 -1
    EXISTS l
    LMOVE l m LEFT LEFT
    LMOVE l m UP LEFT
    LMOVE l m LEFT
    RPOPLPUSH m m
    RPOPLPUSH m l
    RPOPLPUSH none l
    LRANGE m 0 -1
    LRANGE l 0 -1
    SET s text
    LMOVE s l LEFT LEFT
    LMOVE l s LEFT LEFT
    LMOVE none s LEFT LEFT
    RPOPLPUSH l s
    LRANGE l 0 -1
    LMPOP 2 none m LEFT
    LMPOP 2 none m RIGHT COUNT 10
    LMPOP 2 none m LEFT
    LMPOP 2 s m LEFT
    LMPOP 0 l LEFT
    LMPOP x l LEFT
    LMPOP 1 l UP
    LMPOP 1 l MIN
    LMPOP 1 l MIN COUNT 0
    LMPOP 3 l LEFT
    LMPOP 1 l LEFT COUNT 0
    LMPOP 1 l LEFT COUNT
    LMPOP 1 l LEFT BOGUS 1
    LMPOP 1 l LEFT COUNT 1 COUNT 1
    LMPOP 99999999999 l LEFT
"""

BLOCKING = """
    RPUSH l a b c d e
    BLPOP none l 0
    BRPOP l none 1.5
    BLMOVE l m LEFT RIGHT 0
    BRPOPLPUSH l m 0
    BLMPOP 0 2 none m LEFT COUNT 2
    BLPOP l x
    BLPOP l -1
    BLPOP l nan
    BLMOVE l m LEFT UP 0
    BLMOVE l m LEFT LEFT x
    BRPOPLPUSH l m -1
    BLMPOP x 1 l LEFT
    BLMPOP -1 1 l LEFT
    BLMPOP -1 1 l MIN
    BLMPOP x 0 l LEFT
    BLMPOP 0 0 l LEFT
    BLMPOP 0 1 l MIN
    BLPOP none 0.01
    BLMPOP 0.01 1 none LEFT
    SET s text
    BLPOP none s l 0
    BLMOVE s l LEFT LEFT 0
    BLMOVE l s LEFT LEFT 0
    MULTI
    BLPOP none 0
    BRPOP none 0
    BLMOVE none l LEFT LEFT 0
    BRPOPLPUSH none l 0
    BLMPOP 0 1 none LEFT
    BLPOP l 0
    EXEC
"""

#: Where valkey 9.1 and Redis 7.4 agree and 7.0 does not.
YOUNGER = """
    LPOS l a RANK -9223372036854775808
    BLPOP l 1e30
    BLPOP l inf
    BLPOP l 9223372036854775
    RPUSH l a
    OBJECT ENCODING l
    BLPOP l -0.0001
"""


@pytest.mark.parametrize("script", [ONE_KEY, SEVERAL_KEYS], ids=["one-key", "several-keys"])
def test_lists_answer_as_redis_does(oracle: Redis, script: str) -> None:
    agree(oracle, script)


def test_blocking_pops_that_find_something_answer_as_redis_does(oracle: Redis) -> None:
    # A wait that times out is seen in the specifications: here the clock of our engine stands still.
    waits = [line for line in BLOCKING.splitlines() if "0.01" not in line]
    agree(oracle, "\n".join(waits))


def test_lists_answer_as_the_younger_server_does(valkey: Valkey) -> None:
    agree(valkey, YOUNGER)


# ---- random sequences

KEYS = st.sampled_from([b"l", b"m"])
SHORT = st.sampled_from([b"a", b"b", b"1", b"-5000", b"", b"x" * 70])
LONG = st.sampled_from([b"z" * 300, b"9" * 19, b"q" * 4000])
INDEX = st.integers(-12, 12).map(lambda number: b"%d" % number)
SIDE = st.sampled_from([b"LEFT", b"RIGHT"])


def request(name: bytes, *words: SearchStrategy[bytes]) -> SearchStrategy[Request]:
    """A request of drawn words."""
    return st.tuples(*words).map(lambda drawn: [name, *drawn])


def several(name: bytes, element: SearchStrategy[bytes]) -> SearchStrategy[Request]:
    """A push of several elements."""
    return st.tuples(KEYS, st.lists(element, min_size=1, max_size=6)).map(lambda drawn: [name, drawn[0], *drawn[1]])


def steps(element: SearchStrategy[bytes]) -> SearchStrategy[list[Request]]:
    """Sequences of list commands."""
    count = st.integers(0, 5).map(lambda number: b"%d" % number)
    return st.lists(
        st.one_of(
            several(b"LPUSH", element),
            several(b"RPUSH", element),
            several(b"RPUSHX", element),
            request(b"LPOP", KEYS),
            request(b"RPOP", KEYS, count),
            request(b"LPOP", KEYS, count),
            request(b"LINSERT", KEYS, st.sampled_from([b"BEFORE", b"AFTER"]), element, element),
            request(b"LSET", KEYS, INDEX, element),
            request(b"LREM", KEYS, INDEX, element),
            request(b"LTRIM", KEYS, INDEX, INDEX),
            request(b"LRANGE", KEYS, INDEX, INDEX),
            request(b"LINDEX", KEYS, INDEX),
            request(b"LPOS", KEYS, element, st.just(b"RANK"), INDEX, st.just(b"COUNT"), count),
            request(b"LMOVE", KEYS, KEYS, SIDE, SIDE),
        ),
        max_size=30,
    )


def ending(requests: list[Request]) -> list[Request]:
    """The same, and at the end a look at all of it."""
    return [*requests, [b"LRANGE", b"l", b"0", b"-1"], [b"LRANGE", b"m", b"0", b"-1"]]


@given(requests=steps(SHORT))
def test_any_sequence_leaves_the_same_lists_as_redis(
    _redis_process: Redis,  # noqa: PT019  # of the session: hypothesis wants no other
    requests: list[Request],
) -> None:
    assert not differences(_redis_process, ending(requests))


def growing(element: SearchStrategy[bytes]) -> SearchStrategy[list[Request]]:
    """Sequences that take nothing: where a list shrinks, Redis asks besides how it happens to be cut into nodes."""
    return st.lists(
        st.one_of(
            several(b"LPUSH", element),
            several(b"RPUSH", element),
            request(b"LINSERT", KEYS, st.sampled_from([b"BEFORE", b"AFTER"]), element, element),
        ),
        max_size=20,
    )


def encodings(requests: list[Request]) -> list[Request]:
    """The same, with OBJECT ENCODING of both keys after each step."""
    looks = [[b"OBJECT", b"ENCODING", b"l"], [b"OBJECT", b"ENCODING", b"m"]]
    return [word for step in requests for word in (step, *looks)]


@given(requests=growing(SHORT | LONG))
def test_a_growing_list_has_the_encodings_of_the_younger_server(
    _valkey_process: Valkey,  # noqa: PT019  # of the session: hypothesis wants no other
    requests: list[Request],
) -> None:
    assert not differences(_valkey_process, encodings(ending(requests)))


def test_a_shrinking_list_goes_back_to_a_listpack_at_half_the_limit(valkey: Valkey) -> None:
    large, small = b"x" * 7000, b"y" * 100
    requests = [
        [b"RPUSH", b"l", large, small],
        [b"RPUSH", b"l", b"z" * 2000],
        [b"RPOP", b"l"],
        [b"LPOP", b"l"],
        [b"RPUSH", b"l", large, large],
        [b"LSET", b"l", b"1", b"short"],
        [b"LSET", b"l", b"9", b"short"],
    ]
    assert not differences(valkey, encodings(requests))


def test_a_list_has_the_digest_that_redis_computes(oracle: Redis) -> None:
    ours = EngineClient()
    words = [b"RPUSH", b"l", b"a", b"", b"17", b"x" * 100]
    ours(*words)
    with oracle.client() as theirs:
        theirs.must(*words)
        expected = theirs.must("DEBUG", "DIGEST-VALUE", "l")
    assert [digest_value(ours.db, b"l", ours.db.get(b"l")).hex()] == expected
