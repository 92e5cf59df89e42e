"""Keys of any type: there or not, renamed, copied, moved."""

from __future__ import annotations

import pytest

from tests.support.engine_client import EngineClient, refused


def test_keys_are_counted_as_often_as_they_are_named(kv: EngineClient) -> None:
    kv("MSET", "a", 1, "b", 2)
    assert kv("EXISTS", "a", "b", "c", "a") == 3
    assert kv("TOUCH", "a", "c") == 1
    assert kv("DEL", "a", "a", "c") == 1
    assert kv("UNLINK", "b") == 1
    assert kv("EXISTS", "a", "b") == 0


def test_type_tells_what_a_key_holds(kv: EngineClient) -> None:
    kv("SET", "k", "v")
    kv("APPEND", "raw", "v")
    kv("INCR", "n")
    assert [kv("TYPE", name) for name in ("k", "raw", "n", "nobody")] == ["string", "string", "string", "none"]


def test_a_renamed_key_keeps_its_value_and_expiry(kv: EngineClient) -> None:
    kv("SET", "old", "v", "EX", 100)
    kv("SET", "new", "in the way")
    assert kv("RENAME", "old", "new") == "OK"
    assert kv("GET", "new") == "v"
    assert kv("TTL", "new") == 100
    assert kv("EXISTS", "old") == 0


def test_renamenx_does_not_overwrite(kv: EngineClient) -> None:
    kv("MSET", "a", 1, "b", 2)
    assert kv("RENAMENX", "a", "b") == 0
    assert kv("RENAMENX", "a", "c") == 1
    with refused("ERR no such key"):
        kv("RENAME", "a", "a")


def test_an_expired_key_is_not_in_the_way(kv: EngineClient) -> None:
    kv("SET", "a", 1)
    kv("SET", "b", 2, "PX", 10)
    kv.wait(11)
    assert kv("RENAMENX", "a", "b") == 1
    assert kv("TTL", "b") == -1


def test_a_copy_lives_on_its_own(kv: EngineClient) -> None:
    kv("APPEND", "a", "one")
    kv("APPEND", "a", "two")
    kv("EXPIRE", "a", 100)
    assert kv("COPY", "a", "b") == 1
    kv("APPEND", "a", "three")
    assert kv("GET", "b") == "onetwo"
    assert kv("TTL", "b") == 100
    assert kv("COPY", "a", "b") == 0
    assert kv("COPY", "a", "b", "REPLACE") == 1
    assert kv("GET", "b") == "onetwothree"


def test_a_copy_may_go_to_another_database(kv: EngineClient) -> None:
    kv("SET", "k", "v", "EX", 100)
    assert kv("COPY", "k", "k", "DB", 3) == 1
    assert kv.engine.databases.open(3).get(b"k") == b"v"
    assert kv.engine.databases.open(3).expiry(b"k") == kv.db.expiry(b"k")
    with refused("ERR DB index is out of range"):
        kv("COPY", "k", "k", "DB", 16)


def test_a_moved_key_is_in_one_database_only(kv: EngineClient) -> None:
    kv("SET", "k", "v", "EX", 100)
    assert kv("MOVE", "k", 3) == 1
    assert kv("EXISTS", "k") == 0
    assert kv.engine.databases.open(3).get(b"k") == b"v"
    kv("SET", "k", "w")
    assert kv("MOVE", "k", 3) == 0
    assert kv("GET", "k") == "w"


class Cluster:
    """As much of a cluster port as makes a node one of a cluster."""

    def __init__(self) -> None:
        self.machine = self

    def order(self, order: object) -> object:
        """Nothing is ordered here."""
        raise AssertionError(order)

    @property
    def hesitates(self) -> bool:
        """Never."""
        return False

    def lease_over(self) -> None:
        """There is no lease."""

    def links(self) -> list[object]:
        """No links."""
        return []

    def links_exceeded(self) -> int:
        """None were closed."""
        return 0


def test_a_cluster_keeps_keys_in_their_database(kv: EngineClient) -> None:
    kv.engine.cluster = Cluster()  # type: ignore[assignment]  # as much of one as is needed here
    kv("SET", "k", "v")
    with refused("ERR MOVE is not allowed in cluster mode"):
        kv("MOVE", "k", 1)
    with refused("ERR Copying to another database is not allowed in cluster mode"):
        kv("COPY", "k", "{k}2", "DB", 1)
    assert kv("COPY", "k", "{k}2", "DB", 0) == 1


def test_a_random_key_is_a_live_one(kv: EngineClient) -> None:
    assert kv("RANDOMKEY") is None
    for number in range(50):
        kv("SET", f"gone{number}", "v", "PX", 10)
    kv("SET", "here", "v")
    kv.wait(11)
    assert {kv("RANDOMKEY") for _ in range(20)} == {"here"}
    kv("DEL", "here")
    assert kv("RANDOMKEY") is None


def test_every_key_can_be_the_random_one(kv: EngineClient) -> None:
    names = {f"k{number}" for number in range(8)} | {f"{{tag}}{number}" for number in range(8)}
    for name in names:
        kv("SET", name, "v")
    assert {kv("RANDOMKEY") for _ in range(1000)} == names


def test_object_tells_how_a_string_is_held(kv: EngineClient) -> None:
    kv("MSET", "n", 12, "short", "x" * 44, "long", "x" * 45)
    assert kv("OBJECT", "ENCODING", "n") == "int"
    assert kv("OBJECT", "ENCODING", "short") == "embstr"
    assert kv("OBJECT", "ENCODING", "long") == "raw"
    assert kv("OBJECT", "ENCODING", "nobody") is None
    assert kv("OBJECT", "REFCOUNT", "n") == 2**31 - 1
    assert kv("OBJECT", "REFCOUNT", "short") == 1


def test_idle_time_counts_from_the_last_use(kv: EngineClient) -> None:
    kv("SET", "k", "v")
    kv.wait(5000)
    kv("TTL", "k")
    kv("EXISTS", "k")
    kv("TYPE", "k")
    assert kv("OBJECT", "IDLETIME", "k") == 5
    kv("GET", "k")
    assert kv("OBJECT", "IDLETIME", "k") == 0
    kv.wait(3000)
    kv("TOUCH", "k")
    assert kv("OBJECT", "IDLETIME", "k") == 0


def test_frequency_and_idle_time_exclude_each_other(kv: EngineClient) -> None:
    tail = (
        " Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
    )
    kv("SET", "k", "v")
    with refused("ERR An LFU maxmemory policy is not selected, access frequency not tracked." + tail):
        kv("OBJECT", "FREQ", "k")
    kv("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
    with refused("ERR An LFU maxmemory policy is selected, idle time not tracked." + tail):
        kv("OBJECT", "IDLETIME", "k")
    assert kv("OBJECT", "FREQ", "k") == 5
    kv("GET", "k")
    assert kv("OBJECT", "FREQ", "k") == 6
    kv.wait(120_000)
    assert kv("OBJECT", "FREQ", "k") == 4


def test_wait_waits_for_its_time_and_finds_no_replica(kv: EngineClient) -> None:
    assert kv("WAIT", 0, 100) == 0
    assert kv.raw("WAIT", 1, 100) == b""
    kv.wait(99)
    assert kv.taken() == b""
    kv.wait(1)
    assert kv.taken() == b":0\r\n"


@pytest.mark.parametrize(
    ("before", "request_", "events", "sent"),
    [
        ("SET k v", "DEL k", "del:k", "DEL k"),
        ("SET k v", "DEL other", "", ""),
        ("SET k v", "UNLINK k", "del:k", "UNLINK k"),
        ("SET k v", "RENAME k k2", "new:k2 rename_from:k rename_to:k2", "RENAME k k2"),
        ("MSET k v k2 x", "RENAME k k2", "new:k2 rename_from:k rename_to:k2", "RENAME k k2"),
        ("SET k v", "RENAME k k", "", ""),
        ("SET k v", "RENAMENX k k2", "new:k2 rename_from:k rename_to:k2", "RENAMENX k k2"),
        ("SET k v", "MOVE k 1", "new:k move_from:k move_to:k", "MOVE k 1"),
        ("SET k v", "COPY k k2", "new:k2 copy_to:k2", "COPY k k2"),
        ("MSET k v k2 x", "COPY k k2 REPLACE", "new:k2 copy_to:k2", "COPY k k2 REPLACE"),
        ("MSET k v k2 x", "COPY k k2", "", ""),
        ("SET k v", "TOUCH k", "", ""),
        ("SET k v", "OBJECT ENCODING k", "", ""),
    ],
)
def test_what_a_change_tells_subscribers_and_replicas(
    kv: EngineClient, before: str, request_: str, events: str, sent: str
) -> None:
    kv(*before.split())
    propagated, told = kv.propagated(), kv.events()
    kv(*request_.split())
    assert [f"{event}:{name}" for event, name in told] == events.split()
    assert [b" ".join(words).decode() for words in propagated] == ([sent] if sent else [])
