"""HyperLogLog beside redis-server 7.0: not only the counts, the strings are the same byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.differential import agree, differences
from tests.support.oracle import Redis

Request = list[bytes]

EVERYTHING = r"""
    PFADD h
    GET h
    PFADD h
    PFADD h a
    PFADD h a b c
    GET h
    OBJECT ENCODING h
    PFCOUNT h
    GET h
    PFADD h a
    PFCOUNT h none
    PFADD i "" xyz 12345678 123456789012345
    PFMERGE h i none
    GET h
    PFCOUNT h i
    PFMERGE j
    GET j
    PFMERGE j h
    PFDEBUG DECODE j
    PFDEBUG ENCODING j
    PFDEBUG TODENSE j
    PFDEBUG TODENSE j
    PFDEBUG DECODE j
    PFDEBUG GETREG i
    PFDEBUG ENCODING i
    GET i
    PFMERGE h i
    GET h
    PFDEBUG FOO i
    PFDEBUG GETREG none
    PFSELFTEST
    SET s text
    INCR n
    RPUSH l x
    PFADD s a
    PFADD n a
    PFADD l a
    PFCOUNT s
    PFCOUNT h s
    PFCOUNT l
    PFMERGE d s
    PFMERGE d l
    PFMERGE s h
    PFDEBUG GETREG s
    EXISTS d
    SET c HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xfe
    PFCOUNT c
    PFCOUNT c h
    PFMERGE c h
    PFDEBUG TODENSE c
    GET c
    SET c HYLL\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xfe
    PFCOUNT c
    SET c HYLL\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff
    PFCOUNT c
    SET c HYLL
    PFADD c a
"""

KEYS = st.sampled_from([b"a", b"b", b"c"])
ELEMENT = st.integers(0, 2000).map(lambda number: b"element:%d" % number)
STEPS = st.lists(
    st.one_of(
        st.tuples(KEYS, st.lists(ELEMENT, max_size=30)).map(lambda drawn: [b"PFADD", drawn[0], *drawn[1]]),
        st.lists(KEYS, min_size=1, max_size=3).map(lambda names: [b"PFCOUNT", *names]),
        st.lists(KEYS, min_size=1, max_size=3).map(lambda names: [b"PFMERGE", *names]),
        KEYS.map(lambda name: [b"PFDEBUG", b"TODENSE", name]),
    ),
    max_size=20,
)


def test_hyperloglogs_answer_as_in_redis(oracle: Redis) -> None:
    agree(oracle, EVERYTHING)


@given(requests=STEPS)
def test_any_sequence_makes_the_same_strings_as_redis(redis_process: Redis, requests: list[Request]) -> None:
    looked = [[b"GET", name] for name in (b"a", b"b", b"c")]
    assert not differences(redis_process, [*requests, *looked])


@pytest.mark.parametrize("step", [1, 7, 200])
def test_a_growing_one_is_the_same_all_the_way_to_dense(oracle: Redis, step: int) -> None:
    requests = []
    for start in range(0, 400 * step if step < 10 else 20_000, step):
        requests.append([b"PFADD", b"h", *(b"%d" % number for number in range(start, start + step))])
        requests.append([b"PFCOUNT", b"h"])
        requests.append([b"GET", b"h"])
    assert not differences(oracle, requests)
