"""What replicas and the log get of a request that did more than one thing: all of it, in order, as one."""

from __future__ import annotations

from shardkv.keyspace.database import Database
from tests.support.engine_client import EngineClient


def _stream(kv: EngineClient) -> list[str]:
    """From now on what is propagated, ``-`` for words that belong to no database."""
    told: list[str] = []

    def sink(database: Database | None, words: list[bytes]) -> None:
        told.append(f"{'-' if database is None else database.index} {b' '.join(words).decode()}")

    kv.engine.sinks.append(sink)
    return told


def test_a_key_found_expired_goes_out_with_what_found_it(kv: EngineClient) -> None:
    told = _stream(kv)
    kv("SET", "k", "v", "PX", 5)
    del told[:]
    kv.wait(10)
    kv("SET", "k", "new")
    assert told == ["- MULTI", "0 DEL k", "0 SET k new", "- EXEC"]


def test_a_key_found_expired_inside_a_transaction_goes_out_in_its_place(kv: EngineClient) -> None:
    told = _stream(kv)
    kv("SET", "k", "v", "PX", 5)
    del told[:]
    kv.wait(10)
    kv("MULTI")
    kv("SET", "a", 1)
    kv("GET", "k")
    kv("EXEC")
    assert told == ["- MULTI", "0 SET a 1", "0 DEL k", "- EXEC"]


def test_a_read_that_finds_expired_keys_propagates_their_end(kv: EngineClient) -> None:
    told = _stream(kv)
    kv("MSET", "a", 1, "b", 2)
    kv("PEXPIRE", "a", 5)
    kv("PEXPIRE", "b", 5)
    del told[:]
    kv.wait(10)
    kv("MGET", "a", "b")
    assert told == ["- MULTI", "0 DEL a", "0 DEL b", "- EXEC"]


def test_a_walk_that_comes_to_expired_keys_propagates_each_by_itself(kv: EngineClient) -> None:
    told = _stream(kv)
    for walk in (["SCAN", 0], ["RANDOMKEY"]):
        kv("MSET", "a", 1, "b", 2)
        kv("PEXPIRE", "a", 5)
        kv("PEXPIRE", "b", 5)
        del told[:]
        kv.wait(10)
        kv(*walk)
        assert sorted(told) == ["0 DEL a", "0 DEL b"]


def test_the_active_cycle_propagates_each_key_by_itself(kv: EngineClient) -> None:
    told = _stream(kv)
    kv("MSET", "a", 1, "b", 2)
    kv("PEXPIRE", "a", 5)
    kv("PEXPIRE", "b", 5)
    del told[:]
    kv.engine.expiring.step(kv.now + 10, 1.0)
    assert sorted(told) == ["0 DEL a", "0 DEL b"]


def test_databases_that_change_places_inside_a_transaction_keep_their_words_apart(kv: EngineClient) -> None:
    told = _stream(kv)
    kv("SELECT", 3)
    for request in (["MULTI"], ["SET", "m", 1], ["SELECT", 5], ["SET", "m", 2], ["SWAPDB", 3, 5], ["SET", "m", 3]):
        kv(*request)
    kv("EXEC")
    assert told == ["- MULTI", "3 SET m 1", "5 SET m 2", "5 SWAPDB 3 5", "5 SET m 3", "- EXEC"]


def test_what_waiting_clients_take_follows_what_woke_them(kv: EngineClient) -> None:
    told = _stream(kv)
    kv.other().send("BLPOP", "l", 0)
    kv.other().send("BLMOVE", "l", "m", "LEFT", "RIGHT", 0)
    kv("RPUSH", "l", "a", "b")
    assert told == ["0 RPUSH l a b", "0 LPOP l", "0 LMOVE l m LEFT RIGHT"]


def test_a_message_goes_to_replicas_only_and_in_its_place(kv: EngineClient) -> None:
    told = _stream(kv)
    heard: list[bytes] = []
    kv("PUBLISH", "ch", "nobody follows")
    kv.engine.propagation.listeners.append(lambda database, words: heard.append(b" ".join(words)))
    kv("MULTI")
    kv("SET", "a", 1)
    kv("PUBLISH", "ch", "m")
    kv("EXEC")
    assert told == ["- MULTI", "0 SET a 1", "- EXEC"]
    assert heard == [b"PUBLISH ch m"]
