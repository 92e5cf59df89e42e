"""Collections that nobody uses are packed, and those in use are not."""

from __future__ import annotations

from sys import getsizeof

from shardkv.engine.resting import BUSY, IDLE, Cradle, Resting
from shardkv.values.zsets import ZSetValue
from tests.support.engine_client import EngineClient


def rest(kv: EngineClient, resting: Resting) -> int:
    """Walk to the end; in how many steps of one portion."""
    steps = 1
    while resting.step(kv.now, lambda: True):
        steps += 1
    return steps


def packed(kv: EngineClient, key: str) -> bool:
    """Whether the hash is in its packed form."""
    value = kv.db.get(key.encode())
    assert value is not None
    return type(value._data) is bytes


def fill(kv: EngineClient, key: str) -> None:
    """A hash that is not packed when it is new."""
    kv("HSET", key, *range(40))
    kv("HSET", key, 0, 1)


def test_what_is_idle_is_packed_and_keeps_what_it_has(kv: EngineClient) -> None:
    resting = Resting(kv.engine)
    fill(kv, "hash")
    kv("ZADD", "zset", *range(40))
    kv("RPUSH", "list", *range(40))
    kv("SADD", "set", "a", *range(40))
    asked = [
        ("HGETALL", "hash"),
        ("ZRANGE", "zset", 0, -1, "WITHSCORES"),
        ("LRANGE", "list", 0, -1),
        ("SMEMBERS", "set"),
    ]
    before = [kv(*words) for words in asked]
    rest(kv, resting)
    assert not packed(kv, "hash")
    kv.wait(IDLE * 1000 + 1000)
    rest(kv, resting)
    assert packed(kv, "hash")
    assert [kv(*words) for words in asked] == before


def test_what_is_used_again_rests_again(kv: EngineClient) -> None:
    resting = Resting(kv.engine)
    fill(kv, "hash")
    kv.wait(IDLE * 1000 + 1000)
    rest(kv, resting)
    kv("HGET", "hash", 2)
    assert not packed(kv, "hash")
    rest(kv, resting)
    assert not packed(kv, "hash")
    kv.wait(IDLE * 1000 + 1000)
    rest(kv, resting)
    assert packed(kv, "hash")


def test_what_lies_beside_a_busy_key_is_packed_in_the_end(kv: EngineClient) -> None:
    resting = Resting(kv.engine)
    resting.step(kv.now, lambda: False)
    fill(kv, "{slot}quiet")
    for _ in range(BUSY + 2):
        kv("SET", "{slot}busy", "x")
        rest(kv, resting)
        kv.wait(1000)
    assert packed(kv, "{slot}quiet")


def test_a_walk_over_many_is_done_in_steps(kv: EngineClient) -> None:
    resting = Resting(kv.engine)
    for number in range(200):
        fill(kv, f"hash:{number}")
    for number in range(1500):
        fill(kv, f"{{tag}}hash:{number}")
    kv.wait(IDLE * 1000 + 1000)
    assert rest(kv, resting) > 20
    assert all(packed(kv, key.decode()) for key in kv.db)


def test_nothing_is_walked_when_nothing_has_happened(kv: EngineClient) -> None:
    resting = Resting(kv.engine)
    fill(kv, "hash")
    kv.wait(IDLE * 1000 + 1000)
    rest(kv, resting)
    looked: list[None] = []

    def spent() -> bool:
        looked.append(None)
        return False

    resting.step(kv.now, spent)
    assert looked == []


def test_what_came_element_by_element_is_packed_a_moment_later(kv: EngineClient) -> None:
    cradle = Cradle(kv.engine)
    for field in range(5):
        kv("HSET", "hash", field, "x")
        kv("ZADD", "zset", field, field)
    value = kv.db.get(b"zset")
    assert isinstance(value, ZSetValue)
    live = getsizeof(value._packed)
    assert not cradle.step(lambda: False)  # they may be growing still
    assert not packed(kv, "hash")
    assert not cradle.step(lambda: False)
    assert packed(kv, "hash")
    assert getsizeof(value._packed) > live
    assert kv("ZRANGE", "zset", 0, -1) == kv("HKEYS", "hash") == ["0", "1", "2", "3", "4"]


def test_a_packed_hash_that_is_written_to_is_packed_again(kv: EngineClient) -> None:
    cradle = Cradle(kv.engine)
    kv("HSET", "hash", "a", 1, "b", 2)
    assert packed(kv, "hash")
    cradle.step(lambda: False)
    cradle.step(lambda: False)
    kv("HSET", "hash", "c", 3)
    assert not packed(kv, "hash")
    cradle.step(lambda: False)
    cradle.step(lambda: False)
    assert packed(kv, "hash")


def test_a_collection_that_is_gone_before_it_has_grown_is_forgotten(kv: EngineClient) -> None:
    cradle = Cradle(kv.engine)
    for number in range(100):
        kv("RPUSH", f"list:{number}", "a")
    cradle.step(lambda: True)
    kv("FLUSHALL")
    kv("SET", "list:1", "a text now")
    assert cradle.step(lambda: True)  # no time left for it
    cradle.step(lambda: False)
    cradle.step(lambda: False)
    assert kv("GET", "list:1") == "a text now"
    assert not kv.db.newborn
