"""Reads of a replica take the short way, and answer what the gates would have let through."""

from __future__ import annotations

import pytest

from tests.support.engine_client import EngineClient, decode_all


@pytest.fixture
def replica() -> EngineClient:
    """A replica that has not heard of its primary yet; it holds a few keys."""
    kv = EngineClient()
    kv("SET", "text", "words")
    kv("SET", "gone", "words", "PX", 5)
    kv("HSET", "hash", "field", "value")
    kv("RPUSH", "list", "a", "b")
    kv.engine.replication.follow("127.0.0.1", 1)
    kv.taken()
    return EngineClient(kv.engine)


def test_reads_and_writes_are_answered_in_their_order(replica: EngineClient) -> None:
    answers = decode_all(
        replica.pipeline(
            ("GET", "text"), ("HGET", "hash", "field"), ("SET", "text", "x"), ("LRANGE", "list", 0, -1), ("GET", "no")
        )
    )
    assert [str(answer) for answer in answers[:2]] == ["b'words'", "b'value'"]
    assert "READONLY" in str(answers[2])
    assert answers[3:] == [[b"a", b"b"], None]


def test_a_run_of_reads_is_answered_like_single_ones(replica: EngineClient) -> None:
    requests = [("GET", key) for key in ("text", "no", "text", "hash", "gone", "text")]
    one_by_one = b"".join(replica.raw(*request) for request in requests)
    assert replica.pipeline(*requests) == one_by_one


def test_reads_need_no_gates(replica: EngineClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def met(*_: object) -> None:
        raise AssertionError("a gate was met")

    monkeypatch.setattr(replica.engine, "perform", met)
    assert replica("GET", "text") == "words"
    assert decode_all(replica.pipeline(*[("GET", "text")] * 5)) == [b"words"] * 5


def test_what_has_expired_is_missing_and_stays(replica: EngineClient) -> None:
    replica.wait(10)
    assert replica("GET", "gone") is None
    assert replica("DBSIZE") == 4


def test_reads_are_counted(replica: EngineClient) -> None:
    replica("CONFIG", "RESETSTAT")
    replica.pipeline(("GET", "text"), ("GET", "text"), ("GET", "no"))
    stats = replica("INFO", "stats")
    assert "keyspace_hits:2\r\n" in stats
    assert "keyspace_misses:1\r\n" in stats
    assert "cmdstat_get:calls=3," in replica("INFO", "commandstats")


def test_stale_data_are_shown_only_where_they_may_be(replica: EngineClient) -> None:
    replica("CONFIG", "SET", "replica-serve-stale-data", "no")
    assert "MASTERDOWN" in replica.raw("GET", "text").decode()
    replica("CONFIG", "SET", "replica-serve-stale-data", "yes")
    assert replica("GET", "text") == "words"


def test_a_primary_again_takes_the_whole_short_way(replica: EngineClient) -> None:
    replica("REPLICAOF", "NO", "ONE")
    assert not replica.engine.replica_reads.open
    assert replica("SET", "text", "new") == "OK"
