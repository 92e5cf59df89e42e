"""SORT beside redis-server 7.0."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.support.differential import agree, differences
from tests.support.oracle import Redis

Request = list[bytes]

EVERYTHING = r"""
    RPUSH l 3 1 20 -1.5 " 7" 0x10 inf -inf 1 ""
    SORT l
    SORT l DESC
    SORT l ALPHA
    SORT l ALPHA DESC LIMIT 2 3
    SORT l LIMIT -5 2
    SORT l LIMIT 3 0
    SORT l LIMIT 100 1
    SORT l LIMIT 0
    SORT l LIMIT a b
    SORT l LIMIT 0 9223372036854775807
    SORT l BOGUS
    SORT l BY
    SORT l GET
    SORT l STORE
    SORT_RO l STORE d
    SORT_RO l
    SORT l BY nosort
    SORT l BY nosort DESC LIMIT 1 2
    SORT l BY nosort BY w_* LIMIT 1 2
    SORT l BY #
    SORT none
    SORT none BY w_* GET # LIMIT 3 4
    MSET w_3 1 w_1 2 w_20 3 n_1 one n_3 three
    HSET h_1 f 9 g x
    HSET h_3 f 8
    SORT l BY w_*
    SORT l BY h_*->f DESC
    SORT l BY w_* ALPHA STORE e
    LRANGE e 0 -1
    SORT l GET n_*
    SORT l GET # GET n_* GET h_*->f GET h_*-> GET fixed GET *
    SORT l BY h_*->g
    SORT l GET # STORE d
    LRANGE d 0 -1
    SORT l GET n_* STORE d
    LRANGE d 0 -1
    TYPE d
    SORT none STORE d
    EXISTS d
    RPUSH t a b
    SORT t
    SORT t STORE d
    SORT t BY none_*
    SORT t BY none_* ALPHA DESC
    EXISTS d
    ZADD z 3 a 1 c 2 b
    OBJECT ENCODING z
    SORT z
    OBJECT ENCODING z
    SORT z ALPHA
    SORT z BY nosort
    SORT z BY nosort DESC
    SORT z BY nosort DESC LIMIT 1 1
    SORT z BY nosort LIMIT 1 5
    SADD s 3 1 2
    SORT s
    SORT s BY nosort
    SADD u c b a
    SORT u BY nosort STORE d
    LRANGE d 0 -1
    SADD numbers 9 10 1 -2
    EVAL "return redis.call('SORT', 'numbers', 'BY', 'nosort')" 0
    EVAL "return redis.call('SORT_RO', KEYS[1], 'BY', 'nosort', 'DESC')" 1 u
    EVAL "return redis.call('SORT', 'numbers', 'BY', 'nosort', 'LIMIT', 1, 2)" 0
    EVAL "return redis.call('SORT', 'z', 'BY', 'nosort')" 0
    EVAL "return redis.call('SORT', 'l', 'BY', 'nosort')" 0
    SORT u BY nosort DESC STORE d
    LRANGE d 0 -1
    SET str x
    SORT str
    HSET hash a b
    SORT hash
    SORT l STORE l
    LRANGE l 0 -1
    COMMAND GETKEYS SORT l BY STORE STORE d STORE e
"""

#: Numbers have one way to be written, for what compares equal is met in the order of a hash table.
ELEMENT = st.integers(0, 12).map(lambda number: b"%d" % number)
WEIGHT = st.sampled_from([b"1", b"2", b"-3", b"0.5", b"text", b""])
PATTERN = st.sampled_from([b"w_*", b"h_*->f", b"nothing_*"])


def words(*drawn: SearchStrategy[bytes] | bytes) -> SearchStrategy[Request]:
    """A piece of a request."""
    parts = [st.just(word) if isinstance(word, bytes) else word for word in drawn]
    return st.tuples(*parts).map(list)


NUMBER = st.integers(-1, 9).map(lambda number: b"%d" % number)
OPTION = st.one_of(
    st.sampled_from([[b"ASC"], [b"DESC"], [b"GET", b"#"], [b"STORE", b"d"]]),
    words(b"BY", PATTERN),
    words(b"GET", PATTERN),
    words(b"LIMIT", NUMBER, NUMBER),
)
SORT = st.tuples(st.sampled_from([b"l", b"s", b"z"]), st.lists(OPTION, max_size=4)).map(
    lambda drawn: [b"SORT", drawn[0], *(word for option in drawn[1] for word in option)]
)
FILL = st.one_of(
    words(b"RPUSH", b"l", ELEMENT),
    words(b"SADD", b"s", ELEMENT),
    words(b"ZADD", b"z", ELEMENT, ELEMENT),
    words(b"SET", ELEMENT.map(lambda element: b"w_" + element), WEIGHT),
    words(b"HSET", ELEMENT.map(lambda element: b"h_" + element), b"f", WEIGHT),
)


def test_sort_answers_as_in_redis(oracle: Redis) -> None:
    agree(oracle, EVERYTHING)


@given(filling=st.lists(FILL, max_size=25), requests=st.lists(SORT, min_size=1, max_size=6))
def test_any_sort_gives_the_same_as_in_redis(
    redis_process: Redis, filling: list[Request], requests: list[Request]
) -> None:
    assert not differences(redis_process, [*filling, *requests, [b"LRANGE", b"d", b"0", b"-1"]])
