"""Sorted sets beside redis-server 7.0, and beside valkey-server 9.1 for what is younger.

Against 7.0 only scores are used that it writes as 7.4 does: 0.1 is ``0.10000000000000001`` there. Against Valkey no
ZADD has long members behind the first: it looks at all of them when it chooses an encoding, and Redis at the first.
"""

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

MEMBERS_ONE_BY_ONE = """
    ZADD z 1 a 2 b 3 c
    ZADD z
    ZADD z 1
    ZADD z 1 a 2
    ZADD z NX XX 1 a
    ZADD z NX GT 1 a
    ZADD z GT LT 1 a
    ZADD z INCR 1 a 2 b
    ZADD z x a
    ZADD z nan a
    ZADD z "" a
    ZADD z NX CH
    ZADD z ch 5 a 2 b
    ZADD z xx gt ch 4 a 9 b 1 new
    ZADD z NX INCR 1 a
    ZADD z XX INCR 1 nobody
    ZADD none XX 1 a
    ZADD none XX INCR 1 a
    ZADD z LT INCR 1 a
    ZADD z INCR 0 a
    ZADD z +inf i -inf j 0x10 h 1e3 e
    ZINCRBY z -inf i
    ZINCRBY z x a
    ZINCRBY z 1.5 a
    ZINCRBY fresh -0 a
    ZSCORE fresh a
    ZSCORE z a
    ZSCORE z nobody
    ZSCORE none a
    ZMSCORE z a nobody b
    ZMSCORE none a b
    ZCARD z
    ZCARD none
    ZRANK z c
    ZREVRANK z c
    ZRANK z nobody
    ZRANK none a
    ZREM z nobody
    ZREM z h e nobody
    ZREM none a
    ZSCAN z 0
    ZSCAN z 0 MATCH [ab] COUNT 5
    ZSCAN z 0 COUNT 0
    ZSCAN z 0 BOGUS
    ZSCAN none 0 BOGUS
    ZSCAN none x
    ZRANDMEMBER none
    ZRANDMEMBER none 3
    ZRANDMEMBER z 100
    ZRANDMEMBER z 100 WITHSCORES
    ZRANDMEMBER z 0
    ZRANDMEMBER z x
    ZRANDMEMBER z 1 BOGUS
    ZRANDMEMBER z 1 WITHSCORES x
    ZRANDMEMBER z 9223372036854775807 WITHSCORES
    ZRANDMEMBER z -9223372036854775808
    ZPOPMIN z
    ZPOPMIN z 0
    ZPOPMAX z 2
    ZPOPMIN z -1
    ZPOPMIN z x
    ZPOPMIN z 1 2
    ZPOPMIN none
    ZPOPMIN none 2
    ZMPOP 2 none z MAX
    ZMPOP 1 z MIN COUNT 9
    ZMPOP 1 z MIN
    ZMPOP 0 z MIN
    ZMPOP 1 z LEFT
    ZMPOP 1 z MIN COUNT 0
    ZMPOP 1 z MIN COUNT
    ZMPOP 2 z MIN
    SET s text
    ZADD s 1 a
    ZSCORE s a
    ZREM s a
    ZPOPMIN s
    ZRANGE s 0 1
    ZUNION 1 s
    TYPE z
"""

RANGES = """
    ZADD z 1 a 2 b 2.5 c 3 d inf e
    ZRANGE z 0 -1
    ZRANGE z 1 2 WITHSCORES
    ZRANGE z 1 2 REV WITHSCORES
    ZRANGE z -100 100
    ZRANGE z 5 6
    ZRANGE z x 1
    ZRANGE z 0 1 LIMIT 0 1
    ZRANGE z 0 1 LIMIT 1 -1
    ZRANGE z 0 1 LIMIT 0
    ZRANGE z 0 1 BYSCORE BYLEX
    ZRANGE z (1 3 BYSCORE
    ZRANGE z 3 (1 BYSCORE REV LIMIT 1 1
    ZRANGE z (1 3 BYSCORE LIMIT 0 0
    ZRANGE z (1 3 BYSCORE LIMIT -1 2
    ZRANGE z (1 3 BYSCORE LIMIT x 2
    ZRANGE z - + BYLEX WITHSCORES
    ZRANGE z a c BYLEX
    ZRANGE z 1 x BYSCORE
    ZRANGE z 1 nan BYSCORE
    ZRANGE z " 1" 2 BYSCORE
    ZRANGE z "" 2 BYSCORE
    ZRANGE z 1e400 -1e400 BYSCORE REV
    ZREVRANGE z 0 1 WITHSCORES
    ZREVRANGE z 0 1 REV
    ZREVRANGE z 0 1 LIMIT 0 1
    ZRANGEBYSCORE z -inf +inf WITHSCORES LIMIT 1 2
    ZRANGEBYSCORE z (2 (3
    ZRANGEBYSCORE z 3 1
    ZRANGEBYSCORE none x 1
    ZREVRANGEBYSCORE z 3 1 WITHSCORES LIMIT 0 2
    ZRANGEBYSCORE z 1 2 BYSCORE
    ZCOUNT z 1 (3
    ZCOUNT z 3 1
    ZCOUNT z x 1
    ZCOUNT none 1 2
    ZADD l 0 a 0 b 0 bb 0 c
    ZRANGEBYLEX l - +
    ZRANGEBYLEX l + -
    ZRANGEBYLEX l [b (c
    ZRANGEBYLEX l (b + LIMIT 1 5
    ZRANGEBYLEX l b c
    ZRANGEBYLEX l [b [c WITHSCORES
    ZREVRANGEBYLEX l + (a LIMIT 0 2
    ZLEXCOUNT l [b +
    ZLEXCOUNT l (c [b
    ZLEXCOUNT none - +
    ZREMRANGEBYLEX l [b [bb
    ZREMRANGEBYLEX l x y
    ZREMRANGEBYSCORE z (2 3
    ZREMRANGEBYRANK z 0 0
    ZREMRANGEBYRANK z 7 9
    ZREMRANGEBYRANK none 0 1
    ZREMRANGEBYSCORE z -inf +inf
    EXISTS z
    ZADD z 1 a 2 b 3 c
    ZRANGESTORE d z 0 1
    ZRANGESTORE d z 3 1 BYSCORE REV LIMIT 0 2
    ZRANGE d 0 -1 WITHSCORES
    ZRANGESTORE d z 0 1 WITHSCORES
    ZRANGESTORE d z 8 9
    EXISTS d
    ZRANGESTORE d none 0 1
"""

ALGEBRA = """
    ZADD x 1 a 2 b 3 c
    ZADD y 10 b 20 c 30 d
    SADD p a d e
    ZUNION 2 x y
    ZUNION 2 x y WITHSCORES
    ZUNION 3 x y p WEIGHTS 1 2 3 AGGREGATE MIN WITHSCORES
    ZUNION 2 x none AGGREGATE MAX
    ZUNION 0 x
    ZUNION x x
    ZUNION -1 x
    ZUNION 3 x y
    ZUNION 2 x y WEIGHTS 1
    ZUNION 2 x y WEIGHTS 1 x
    ZUNION 2 x y AGGREGATE
    ZUNION 2 x y AGGREGATE AVERAGE
    ZUNION 2 x y BOGUS
    ZUNION 2 x y WEIGHTS inf 0 WITHSCORES
    ZINTER 2 x y WITHSCORES
    ZINTER 2 x y WEIGHTS inf -inf WITHSCORES
    ZINTER 2 x y WEIGHTS 0 inf AGGREGATE MAX WITHSCORES
    ZINTER 2 x none
    ZINTER 2 p x WITHSCORES
    ZINTER 2 x x WITHSCORES
    ZDIFF 2 x y WITHSCORES
    ZDIFF 2 x none
    ZDIFF 2 none x
    ZDIFF 2 x x
    ZDIFF 2 p y WITHSCORES
    ZDIFF 2 x y WEIGHTS 1 2
    ZDIFF 2 x y AGGREGATE SUM
    ZINTERCARD 2 x y
    ZINTERCARD 2 x y LIMIT 1
    ZINTERCARD 2 x y LIMIT 0
    ZINTERCARD 2 x y LIMIT -1
    ZINTERCARD 2 x y LIMIT x
    ZINTERCARD 2 x y WITHSCORES
    ZINTERCARD 0 x
    ZUNIONSTORE d 2 x y WEIGHTS 2 1
    ZRANGE d 0 -1 WITHSCORES
    ZUNIONSTORE d 2 x y WITHSCORES
    ZINTERSTORE d 2 x y AGGREGATE MAX
    ZRANGE d 0 -1 WITHSCORES
    ZDIFFSTORE d 2 x y
    ZRANGE d 0 -1 WITHSCORES
    ZDIFFSTORE d 0 x
    ZINTERSTORE d 2 x none
    EXISTS d
    SET s text
    ZUNION 2 x s
    ZUNIONSTORE s 1 x
    TYPE s
    ZUNIONSTORE x 2 x x
    ZRANGE x 0 -1 WITHSCORES
"""

BLOCKING = """
    ZADD z 1 a 2 b 3 c 4 d 5 e
    BZPOPMIN none z 0
    BZPOPMAX z none 0.5
    BZMPOP 0 2 none z MIN COUNT 2
    BZPOPMIN z x
    BZPOPMIN z -1
    BZMPOP x 1 z MIN
    BZMPOP -1 1 z LEFT
    BZMPOP x 0 z MIN
    BZMPOP 0 0 z MIN
    BZMPOP 0 1 z LEFT
    SET s text
    BZPOPMIN none s z 0
    MULTI
    BZPOPMIN none 0
    BZPOPMAX none 0
    BZMPOP 0 1 none MAX
    BZPOPMIN z 0
    EXEC
"""

#: Where valkey 9.1 and Redis 7.4 agree and 7.0 does not.
YOUNGER = """
    ZADD z 0.1 a 1e21 b 1.1e-7 c 3 d
    ZRANGE z 0 -1 WITHSCORES
    ZSCAN z 0
    ZINCRBY z 0.2 a
    ZRANK z a WITHSCORE
    ZREVRANK z a withscore
    ZRANK z nobody WITHSCORE
    ZRANK none a WITHSCORE
    ZRANK z a WITHSCORES
    ZRANK z a WITHSCORE x
"""

SCRIPTS = [MEMBERS_ONE_BY_ONE, RANGES, ALGEBRA, BLOCKING]


@pytest.mark.parametrize("script", SCRIPTS, ids=["members", "ranges", "algebra", "blocking"])
def test_sorted_sets_answer_as_redis_does(oracle: Redis, script: str) -> None:
    agree(oracle, script)


def test_sorted_sets_answer_as_the_younger_server_does(valkey: Valkey) -> None:
    agree(valkey, YOUNGER)


# ---- random sequences

KEYS = st.sampled_from([b"z", b"y"])
MEMBERS = st.sampled_from([b"a", b"b", b"c", b"d", b"", b"\xff"])
SCORES = st.integers(-4, 4).map(lambda n: b"%d" % n) | st.sampled_from([b"1.5", b"-0", b"inf", b"-inf", b"3.25"])
BOUNDS = st.tuples(st.sampled_from([b"", b"("]), SCORES).map(b"".join)
INDEX = st.integers(-7, 7).map(lambda n: b"%d" % n)
COUNT = st.integers(0, 4).map(lambda n: b"%d" % n)


def request(name: bytes, *words: SearchStrategy[bytes]) -> SearchStrategy[Request]:
    """A request of drawn words."""
    return st.tuples(*words).map(lambda drawn: [name, *drawn])


def perhaps(request: SearchStrategy[Request], *options: Request) -> SearchStrategy[Request]:
    """A request, perhaps with some of these options behind it."""
    chosen = st.tuples(*(st.sampled_from([[], option]) for option in options))
    return st.tuples(request, chosen).map(lambda drawn: drawn[0] + [word for option in drawn[1] for word in option])


def zadd() -> SearchStrategy[Request]:
    """ZADD with any options that go together, and some that do not."""
    options = st.lists(st.sampled_from([b"NX", b"XX", b"GT", b"LT", b"CH"]), max_size=2)
    pairs = st.lists(st.tuples(SCORES, MEMBERS), min_size=1, max_size=5)
    return st.tuples(KEYS, options, pairs).map(
        lambda drawn: [b"ZADD", drawn[0], *drawn[1], *(word for pair in drawn[2] for word in pair)]
    )


def stores(name: bytes) -> SearchStrategy[Request]:
    """A store from both keys."""
    return perhaps(request(name, KEYS, st.just(b"2"), KEYS, KEYS), [b"WEIGHTS", b"2", b"-1"], [b"AGGREGATE", b"MAX"])


SEQUENCES = st.lists(
    st.one_of(
        zadd(),
        zadd(),
        request(b"ZINCRBY", KEYS, SCORES, MEMBERS),
        request(b"ZREM", KEYS, MEMBERS, MEMBERS),
        request(b"ZPOPMIN", KEYS, COUNT),
        request(b"ZPOPMAX", KEYS),
        request(b"ZREMRANGEBYSCORE", KEYS, BOUNDS, BOUNDS),
        request(b"ZREMRANGEBYRANK", KEYS, INDEX, INDEX),
        request(b"ZCOUNT", KEYS, BOUNDS, BOUNDS),
        request(b"ZREVRANK", KEYS, MEMBERS),
        perhaps(request(b"ZRANGE", KEYS, INDEX, INDEX), [b"REV"], [b"WITHSCORES"]),
        perhaps(request(b"ZRANGE", KEYS, BOUNDS, BOUNDS), [b"BYSCORE"], [b"REV"], [b"LIMIT", b"1", b"3"]),
        perhaps(request(b"ZRANGESTORE", KEYS, KEYS, BOUNDS, BOUNDS), [b"BYSCORE"], [b"LIMIT", b"0", b"2"]),
        stores(b"ZUNIONSTORE"),
        stores(b"ZINTERSTORE"),
        request(b"ZDIFFSTORE", KEYS, st.just(b"2"), KEYS, KEYS),
    ),
    max_size=30,
)


def ending(requests: list[Request]) -> list[Request]:
    """The same, and at the end a look at all of it."""
    return [*requests, *([b"ZRANGE", name, b"0", b"-1", b"WITHSCORES"] for name in (b"z", b"y"))]


@given(requests=SEQUENCES, resp3=st.booleans())
def test_any_sequence_leaves_the_same_sorted_sets_as_redis(
    _redis_process: Redis,  # noqa: PT019  # of the session: hypothesis wants no other
    requests: list[Request],
    resp3: bool,
) -> None:
    assert not differences(_redis_process, ending(requests), resp3=resp3)


def test_the_encodings_are_those_of_the_younger_server(valkey: Valkey) -> None:
    pairs = [word for number in range(128) for word in (b"%d" % number, b"m%d" % number)]
    look = [b"OBJECT", b"ENCODING", b"z"]
    requests: list[Request] = [
        [b"ZADD", b"z", *pairs],
        look,
        [b"ZADD", b"z", b"5", b"m5"],
        look,
        [b"ZADD", b"z", b"5", b"one more"],
        look,
        [b"ZREM", b"z", b"one more"],
        look,
        [b"ZRANGESTORE", b"z", b"z", b"0", b"127"],
        look,
        [b"ZADD", b"y", b"1", b"x" * 65],
        [b"ZUNIONSTORE", b"z", b"1", b"y"],
        look,
        [b"ZUNIONSTORE", b"z", b"1", b"none"],
        [b"ZADD", b"z", *pairs[:2] * 129],
        look,
    ]
    assert not differences(valkey, requests)


@pytest.mark.parametrize("long", [b"", b"x" * 65], ids=["listpack", "skiplist"])
def test_a_sorted_set_has_the_digest_that_redis_computes(oracle: Redis, long: bytes) -> None:
    ours = EngineClient()
    words = [b"ZADD", b"z", b"1", long, b"0.1", b"a", b"-inf", b"b", b"1e300", b"c"]
    ours(*words)
    with oracle.client() as theirs:
        theirs.must(*words)
        expected = theirs.must("DEBUG", "DIGEST-VALUE", "z")
    assert [digest_value(ours.db, b"z", ours.db.get(b"z")).hex()] == expected
