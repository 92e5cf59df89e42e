"""Collections that nobody uses are packed, and those in use are not."""

from __future__ import annotations

from shardkv.engine.resting import BUSY, IDLE, Resting
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
