"""Geography, as a client sees it."""

from __future__ import annotations

import pytest

from tests.support.engine_client import EngineClient, refused


@pytest.fixture
def sicily(kv: EngineClient) -> EngineClient:
    """A client of an engine that knows two towns."""
    kv("GEOADD", "sicily", 13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")
    return kv


def test_a_place_is_a_member_of_a_sorted_set(sicily: EngineClient) -> None:
    assert sicily("TYPE", "sicily") == "zset"
    assert sicily("ZSCORE", "sicily", "Palermo") == "3479099956230698"


def test_geoadd_is_propagated_as_zadd(kv: EngineClient) -> None:
    sent, events = kv.propagated(), kv.events()
    assert kv("GEOADD", "g", "CH", 13, 38, "p") == 1
    assert kv("GEOADD", "g", "CH", 13, 38, "p") == 0
    assert sent == [[b"zadd", b"g", b"CH", b"3479065152021743", b"p"]]
    assert events == [("new", "g"), ("zadd", "g")]


def test_geoadd_adds_or_moves_only_as_told(sicily: EngineClient) -> None:
    assert sicily("GEOADD", "sicily", "NX", 0, 0, "Palermo", 0, 0, "Null Island") == 1
    assert sicily("GEOADD", "sicily", "XX", "CH", 1, 1, "Null Island", 2, 2, "nobody") == 1
    assert sicily("ZCARD", "sicily") == 3


def test_geoadd_refuses_what_is_not_on_the_map_and_adds_nothing(kv: EngineClient) -> None:
    with refused("ERR invalid longitude,latitude pair 200.000000,90.000000"):
        kv("GEOADD", "g", 1, 1, "fine", 200, 90, "p")
    with refused("ERR syntax error"):
        kv("GEOADD", "g", "NX", "XX", 1, 1, "p")
    with refused("ERR value is not a valid float"):
        kv("GEOADD", "g", "east", 1, "p")
    assert kv("EXISTS", "g") == 0


def test_geopos_has_17_places(sicily: EngineClient) -> None:
    assert sicily("GEOPOS", "sicily", "Palermo", "nobody") == [["13.36138933897018433", "38.11555639549629859"], None]
    assert sicily.other(resp3=True).raw("GEOPOS", "sicily", "Palermo") == (
        b"*1\r\n*2\r\n,13.36138933897018433\r\n,38.11555639549629859\r\n"
    )


def test_geohash_has_11_letters(sicily: EngineClient) -> None:
    assert sicily("GEOHASH", "sicily", "Palermo", "nobody") == ["sqc8b49rny0", None]


def test_geodist_in_every_unit(sicily: EngineClient) -> None:
    assert sicily("GEODIST", "sicily", "Palermo", "Catania") == "166274.1516"
    assert sicily("GEODIST", "sicily", "Palermo", "Catania", "km") == "166.2742"
    assert sicily("GEODIST", "sicily", "Palermo", "Catania", "MI") == "103.3182"
    assert sicily("GEODIST", "sicily", "Palermo", "nobody") is None
    with refused("ERR unsupported unit provided. please use M, KM, FT, MI"):
        sicily("GEODIST", "sicily", "Palermo", "Catania", "miles")


def test_a_search_in_a_circle(sicily: EngineClient) -> None:
    search = ("GEOSEARCH", "sicily", "FROMLONLAT", 15, 37, "BYRADIUS", 200, "km")
    assert sicily(*search, "ASC") == ["Catania", "Palermo"]
    assert sicily(*search, "DESC", "COUNT", 1) == ["Palermo"]
    assert sicily(*search, "WITHDIST", "COUNT", 1) == [["Catania", "56.4413"]]


def test_a_search_in_a_box(sicily: EngineClient) -> None:
    assert sicily("GEOSEARCH", "sicily", "FROMMEMBER", "Palermo", "BYBOX", 400, 200, "km", "ASC") == [
        "Palermo",
        "Catania",
    ]
    assert sicily("GEOSEARCH", "sicily", "FROMMEMBER", "Palermo", "BYBOX", 400, 100, "km") == ["Palermo"]


def test_what_is_told_comes_in_a_fixed_order(sicily: EngineClient) -> None:
    words = ("WITHCOORD", "WITHHASH", "WITHDIST")
    (told,) = sicily("GEORADIUS", "sicily", 15, 37, 100, "km", *words)
    assert told == ["Catania", "56.4413", 3479447370796909, ["15.08726745843887329", "37.50266842333162032"]]


def test_any_stops_at_the_first_that_are_met(sicily: EngineClient) -> None:
    words = ("GEOSEARCH", "sicily", "FROMLONLAT", 15, 37, "BYRADIUS", 200, "km")
    assert len(sicily(*words, "COUNT", 1, "ANY")) == 1
    with refused("ERR the ANY argument requires COUNT argument"):
        sicily(*words, "ANY")


def test_a_search_is_stored_with_hashes_or_with_distances(sicily: EngineClient) -> None:
    events = sicily.events()
    words = ("sicily", "FROMLONLAT", 15, 37, "BYRADIUS", 100, "km")
    assert sicily("GEOSEARCHSTORE", "d", *words) == 1
    assert sicily("ZRANGE", "d", 0, -1, "WITHSCORES") == ["Catania", "3479447370796909"]
    assert sicily("GEOSEARCHSTORE", "d", *words, "STOREDIST") == 1
    assert float(sicily("ZSCORE", "d", "Catania")) == pytest.approx(56.4413, abs=1e-4)
    assert ("geosearchstore", "d") in events
    assert sicily("GEORADIUS", "sicily", 15, 37, 100, "km", "STORE", "e") == 1
    assert events[-1] == ("georadiusstore", "e")


def test_a_search_that_finds_nothing_deletes_the_target(sicily: EngineClient) -> None:
    sicily("SET", "d", "x")
    assert sicily("GEOSEARCHSTORE", "d", "nowhere", "FROMMEMBER", "x", "BYRADIUS", 1, "km") == 0
    assert sicily("EXISTS", "d") == 0


def test_stored_results_come_without_more(sicily: EngineClient) -> None:
    with refused("ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options"):
        sicily("GEORADIUS", "sicily", 15, 37, 100, "km", "STORE", "d", "WITHDIST")
    with refused("ERR syntax error"):
        sicily("GEORADIUS_RO", "sicily", 15, 37, 100, "km", "STORE", "d")


def test_a_search_has_one_middle_and_one_shape(sicily: EngineClient) -> None:
    with refused("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for geosearch"):
        sicily("geosearch", "sicily", "BYRADIUS", 1, "km", "ASC", "COUNT", 1)
    with refused("ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH"):
        sicily("GEOSEARCH", "sicily", "FROMLONLAT", 1, 1, "ASC", "COUNT", 1)
    with refused("ERR could not decode requested zset member"):
        sicily("GEORADIUSBYMEMBER", "sicily", "nobody", 1, "km")
    with refused("ERR radius cannot be negative"):
        sicily("GEORADIUSBYMEMBER_RO", "sicily", "Palermo", -1, "km")


def test_there_is_nothing_around_a_key_that_is_not_there(kv: EngineClient) -> None:
    assert kv("GEOSEARCH", "nowhere", "FROMMEMBER", "x", "BYRADIUS", 1, "km") == []
    assert kv("GEORADIUSBYMEMBER", "nowhere", "x", "anything", "at all") == []
    assert kv("GEOPOS", "nowhere", "x") == [None]
    assert kv("GEODIST", "nowhere", "x", "y") is None


def test_an_endless_radius_holds_the_whole_world(sicily: EngineClient) -> None:
    assert len(sicily("GEORADIUS", "sicily", -120, -40, "inf", "km")) == 2
