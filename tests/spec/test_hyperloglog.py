"""HyperLogLog, as a client sees it."""

from __future__ import annotations

from shardkv.commands.spec import TABLE
from tests.support.engine_client import EngineClient, refused

NO_SKETCH = "WRONGTYPE Key is not a valid HyperLogLog string value."


def test_pfadd_tells_whether_anything_was_learnt(kv: EngineClient) -> None:
    assert kv("PFADD", "h", "a", "b") == 1
    assert kv("PFADD", "h", "a", "b") == 0
    assert kv("PFCOUNT", "h") == 2


def test_pfadd_without_elements_makes_the_key(kv: EngineClient) -> None:
    assert kv("PFADD", "h") == 1
    assert kv("PFADD", "h") == 0
    assert kv("PFCOUNT", "h") == 0


def test_the_string_is_the_one_that_redis_makes(kv: EngineClient) -> None:
    kv("PFADD", "h", "a")
    assert kv("GET", "h") == b"HYLL\x01" + bytes(10) + b"\x80" + b"\x71\xa6\x84\x4e\x57"
    assert kv("PFDEBUG", "DECODE", "h") == "Z:12711 v:2,1 Z:3672"
    assert kv("OBJECT", "ENCODING", "h") == "raw"


def test_a_count_is_kept_in_the_string_and_propagated(kv: EngineClient) -> None:
    kv("PFADD", "h", "a", "b", "c")
    sent = kv.propagated()
    assert kv("PFCOUNT", "h") == 3
    assert kv("GET", "h")[8:16] == b"\x03" + bytes(7)
    assert kv("PFCOUNT", "h") == 3
    assert sent == [[b"PFCOUNT", b"h"]]


def test_the_count_of_several_is_that_of_their_union(kv: EngineClient) -> None:
    kv("PFADD", "a", "1", "2", "3")
    kv("PFADD", "b", "3", "4")
    assert kv("PFCOUNT", "a", "b", "nobody") == 4


def test_pfmerge_keeps_what_the_target_knew(kv: EngineClient) -> None:
    kv("PFADD", "a", "1")
    kv("PFADD", "b", "2")
    events = kv.events()
    assert kv("PFMERGE", "a", "b") == "OK"
    assert kv("PFCOUNT", "a") == 2
    assert events[0] == ("pfadd", "a")


def test_many_elements_are_counted_within_the_error(kv: EngineClient) -> None:
    for start in range(0, 20_000, 1000):
        kv("PFADD", "h", *range(start, start + 1000))
    assert abs(kv("PFCOUNT", "h") - 20_000) < 20_000 * 0.03
    assert kv("PFDEBUG", "ENCODING", "h") == "dense"
    assert kv("STRLEN", "h") == 12_304


def test_it_becomes_dense_when_sparse_takes_more_than_the_option_allows(kv: EngineClient) -> None:
    kv("CONFIG", "SET", "hll-sparse-max-bytes", 40)
    kv("PFADD", "h", "a")
    assert kv("PFDEBUG", "ENCODING", "h") == "sparse"
    kv("PFADD", "h", *range(20))
    assert kv("PFDEBUG", "ENCODING", "h") == "dense"


def test_other_strings_are_refused(kv: EngineClient) -> None:
    kv("SET", "s", "HYLL")
    for words in (("PFADD", "s", "a"), ("PFCOUNT", "s"), ("PFMERGE", "d", "s"), ("PFCOUNT", "h", "s")):
        with refused(NO_SKETCH):
            kv(*words)
    assert kv("EXISTS", "d") == 0


def test_a_corrupt_one_is_refused_and_left_as_it_is(kv: EngineClient) -> None:
    broken = b"HYLL\x01" + bytes(10) + b"\x80\x5f\xff"
    kv("SET", "h", broken)
    with refused("INVALIDOBJ Corrupted HLL object detected"):
        kv("PFCOUNT", "h")
    with refused("INVALIDOBJ Corrupted HLL object detected"):
        kv("PFADD", "h", *range(200))
    assert kv("GET", "h") == broken


def test_a_watched_one_is_changed_by_a_count(kv: EngineClient, other: EngineClient) -> None:
    kv("PFADD", "h", "a")
    kv("WATCH", "h")
    other("PFCOUNT", "h")
    kv("MULTI")
    kv("PING")
    assert kv("EXEC") is None


def test_pfdebug_shows_what_is_inside(kv: EngineClient) -> None:
    with refused("ERR The specified key does not exist"):
        kv("PFDEBUG", "GETREG", "h")
    kv("PFADD", "h", "a", "b")
    assert sum(1 for register in kv("PFDEBUG", "GETREG", "h") if register) == 2
    assert kv("PFDEBUG", "ENCODING", "h") == "dense"
    with refused("ERR HLL encoding is not sparse"):
        kv("PFDEBUG", "DECODE", "h")
    assert kv("PFDEBUG", "TODENSE", "h") == 0


def test_the_self_test_passes(kv: EngineClient) -> None:
    assert kv("PFSELFTEST") == "OK"


def test_pfcount_may_be_propagated_though_it_reads() -> None:
    assert not TABLE["pfcount"].is_write
