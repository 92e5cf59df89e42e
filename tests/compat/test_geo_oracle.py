"""Geography beside redis-server 7.0: scores, digits, and the order in which a search meets what it finds."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.support.differential import agree, differences
from tests.support.oracle import Redis

Request = list[bytes]

EVERYTHING = """
    GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
    GEOADD g NX CH 0 0 Palermo 180 85.05112878 corner
    GEOADD g XX CH -180 -85.05112878 corner 1 1 nobody
    GEOADD g NX XX 1 1 p
    GEOADD g CH 1 1
    GEOADD g nx ch nx
    GEOADD g FOO 1 1 p
    GEOADD g 200 90 p
    GEOADD g inf 1 p
    GEOADD g x 1 p
    ZRANGE g 0 -1
    GEOPOS g Palermo nobody corner
    GEOPOS g
    GEOPOS none x
    GEOHASH g Palermo nobody corner
    GEOHASH none x
    GEODIST g Palermo Catania
    GEODIST g Palermo Catania km
    GEODIST g Palermo Catania FT
    GEODIST g Palermo Catania mi more
    GEODIST g Palermo Catania parsec
    GEODIST g Palermo nobody
    GEODIST none a b
    GEORADIUS g 15 37 200 km
    GEORADIUS g 15 37 200 km WITHDIST WITHCOORD WITHHASH ASC
    GEORADIUS g 15 37 200 km WITHDIST COUNT 1 DESC
    GEORADIUS g 15 37 200 km COUNT 0
    GEORADIUS g 15 37 200 km COUNT 1 ANY
    GEORADIUS g 15 37 200 km ANY
    GEORADIUS g 15 37 200 km STORE d WITHDIST
    GEORADIUS g 15 37 200 km STORE d
    ZRANGE d 0 -1
    GEORADIUS g 15 37 200 km STOREDIST d COUNT 1
    ZRANGE d 0 -1
    GEORADIUS g 15 37 1 km STORE d
    EXISTS d
    GEORADIUS g 15 37 inf km
    GEORADIUS g 15 37 -1 km
    GEORADIUS g 15 37 x km
    GEORADIUS g 15 37 1 x
    GEORADIUS g 15 x 1 km
    GEORADIUS_RO g 15 37 200 km STORE d
    GEORADIUSBYMEMBER g Palermo 200 km WITHDIST
    GEORADIUSBYMEMBER g nobody 200 km
    GEORADIUSBYMEMBER none nobody x x
    GEORADIUSBYMEMBER none nobody x x BOGUS
    GEORADIUSBYMEMBER_RO g Palermo 0 m
    GEOSEARCH g FROMMEMBER Palermo BYBOX 400 200 km ASC WITHDIST
    GEOSEARCH g BYBOX 400 200 km FROMLONLAT 15 37 DESC
    GEOSEARCH g FROMMEMBER Palermo FROMLONLAT 1 1 BYRADIUS 1 km
    GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 km BYBOX 1 1 km
    GEOSEARCH g FROMLONLAT 1 1 BYBOX x 1 km
    GEOSEARCH g FROMLONLAT 1 1 BYBOX 1 x km
    GEOSEARCH g FROMLONLAT 1 1 BYBOX 1 -1 km
    GEOSEARCH g FROMLONLAT 1 1 ASC DESC ASC
    GEOSEARCH g BYRADIUS 1 km ASC DESC
    GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 1 km STOREDIST
    GEOSEARCH none FROMMEMBER x BYRADIUS 1 km
    GEOSEARCHSTORE d g FROMMEMBER Palermo BYRADIUS 200 km
    ZRANGE d 0 -1
    GEOSEARCHSTORE d g FROMMEMBER Palermo BYRADIUS 200 km STOREDIST COUNT 1
    OBJECT ENCODING d
    GEOSEARCHSTORE d g FROMMEMBER Palermo BYRADIUS 200 km WITHDIST
    GEOSEARCHSTORE d none FROMMEMBER Palermo BYRADIUS 200 km
    EXISTS d
    SET s x
    GEOADD s 1 1 p
    GEOPOS s p
    GEOSEARCH s FROMMEMBER x BYRADIUS 1 km
    ZADD g 1.5 half 1e300 far -5 below
    GEOPOS g half far below
    GEOHASH g half far below
"""


def _world() -> list[Request]:
    """Places all over the world, some of them close together."""
    rng = Random(5)
    made = []
    for number in range(300):
        around = (13.0, 38.0, 0.5) if number % 3 else (0.0, 0.0, 80.0)
        east = around[0] + rng.uniform(-around[2], around[2]) * (2 if number % 3 == 0 else 1)
        north = around[1] + rng.uniform(-around[2], around[2])
        made.append([b"GEOADD", b"g", b"%.9f" % east, b"%.9f" % north, b"m%d" % number])
    return made


WORLD = _world()
MEMBER = st.integers(0, 299).map(lambda number: b"m%d" % number)
DEGREES = st.one_of(st.floats(-84, 84), st.floats(12, 14), st.floats(37, 39)).map(lambda degrees: b"%.6f" % degrees)
METRES = st.one_of(st.floats(0, 1e5), st.floats(0, 1e7)).map(lambda metres: b"%.3f" % metres)


def words(*drawn: SearchStrategy[bytes] | bytes) -> SearchStrategy[Request]:
    """A piece of a request."""
    parts = [st.just(word) if isinstance(word, bytes) else word for word in drawn]
    return st.tuples(*parts).map(list)


FROM = st.one_of(words(b"FROMMEMBER", MEMBER), words(b"FROMLONLAT", DEGREES, DEGREES))
BY = st.one_of(words(b"BYRADIUS", METRES, b"m"), words(b"BYBOX", METRES, METRES, b"m"))
MORE = st.sampled_from(
    [[], [b"WITHDIST"], [b"ASC"], [b"DESC", b"WITHHASH"], [b"COUNT", b"7"], [b"COUNT", b"7", b"ANY"], [b"WITHCOORD"]]
)
SEARCH = st.tuples(FROM, BY, MORE).map(lambda drawn: [b"GEOSEARCH", b"g", *drawn[0], *drawn[1], *drawn[2]])


def test_geography_answers_as_in_redis(oracle: Redis) -> None:
    agree(oracle, EVERYTHING)


@given(requests=st.lists(SEARCH, min_size=5, max_size=20))
def test_searches_meet_the_same_members_in_the_same_order(redis_process: Redis, requests: list[Request]) -> None:
    adding = [[b"GEOADD", b"g", *(word for request in WORLD for word in request[2:])]]
    assert not differences(redis_process, [*adding, *requests])
