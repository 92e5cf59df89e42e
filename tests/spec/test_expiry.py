"""Expiry times, as a client sees them."""

from __future__ import annotations

import pytest

from tests.support.engine_client import BEGIN, EngineClient, refused


def test_a_key_is_gone_after_its_time_and_not_at_it(kv: EngineClient) -> None:
    kv("SET", "k", "v")
    assert kv("PEXPIRE", "k", 1000) == 1
    kv.wait(1000)
    assert kv("GET", "k") == "v"
    assert kv("PTTL", "k") == 0
    kv.wait(1)
    assert kv("GET", "k") is None
    assert kv("PTTL", "k") == -2


def test_the_time_left_is_told_in_both_units(kv: EngineClient) -> None:
    kv("SET", "k", "v")
    assert (kv("TTL", "k"), kv("PTTL", "k"), kv("EXPIRETIME", "k"), kv("PEXPIRETIME", "k")) == (-1, -1, -1, -1)
    kv("PEXPIRE", "k", 1499)
    assert (kv("TTL", "k"), kv("PTTL", "k")) == (1, 1499)
    assert (kv("EXPIRETIME", "k"), kv("PEXPIRETIME", "k")) == (BEGIN // 1000 + 1, BEGIN + 1499)
    kv("PEXPIRE", "k", 1500)
    assert kv("TTL", "k") == 2


def test_persist_clears_the_expiry(kv: EngineClient) -> None:
    kv("SET", "k", "v", "EX", 10)
    assert kv("PERSIST", "k") == 1
    assert kv("PERSIST", "k") == 0
    kv.wait(20_000)
    assert kv("GET", "k") == "v"


@pytest.mark.parametrize("request_", ["EXPIRE k -1", "PEXPIRE k 0", f"PEXPIREAT k {BEGIN}", "EXPIREAT k 1"])
def test_a_time_that_has_passed_deletes_the_key_at_once(kv: EngineClient, request_: str) -> None:
    kv("SET", "k", "v")
    assert kv(*request_.split()) == 1
    assert kv.db.size == 0


@pytest.mark.parametrize(
    ("current", "condition", "seconds", "changed"),
    [
        (None, "NX", 10, True),
        (None, "XX", 10, False),
        (None, "GT", 10, False),
        (None, "LT", 10, True),
        (20, "NX", 10, False),
        (20, "XX", 10, True),
        (20, "GT", 10, False),
        (20, "GT", 20, False),
        (20, "GT", 30, True),
        (20, "LT", 10, True),
        (20, "LT", 20, False),
        (20, "LT", 30, False),
    ],
)
def test_an_expiry_is_set_under_a_condition(
    kv: EngineClient, current: int | None, condition: str, seconds: int, changed: bool
) -> None:
    kv("SET", "k", "v", *(() if current is None else ("EX", current)))
    assert kv("EXPIRE", "k", seconds, condition) == changed
    assert kv("TTL", "k") == (seconds if changed else current or -1)


def test_conditions_that_contradict_each_other_are_refused(kv: EngineClient) -> None:
    with refused("ERR NX and XX, GT or LT options at the same time are not compatible"):
        kv("EXPIRE", "k", 10, "NX", "GT")
    with refused("ERR GT and LT options at the same time are not compatible"):
        kv("EXPIRE", "k", 10, "GT", "LT")
    with refused("ERR Unsupported option SOON"):
        kv("EXPIRE", "k", "abc", "SOON")


def test_an_expiry_fits_64_bits_of_milliseconds(kv: EngineClient) -> None:
    kv("SET", "k", "v")
    for name, number in (("expire", 2**63 - 1), ("pexpire", 2**63 - 1), ("expireat", 2**54)):
        with refused(f"ERR invalid expire time in '{name}' command"):
            kv(name, "k", number)
    assert kv("PEXPIREAT", "k", 2**63 - 1) == 1


def test_a_write_that_goes_on_with_a_value_keeps_its_expiry(kv: EngineClient) -> None:
    kv("SET", "k", 1, "EX", 100)
    for request in ("INCR k", "APPEND k 1", "SETRANGE k 0 1", "INCRBYFLOAT k 1.5"):
        kv(*request.split())
        assert kv("TTL", "k") == 100, request


def test_an_expired_key_is_no_key_for_a_write(kv: EngineClient) -> None:
    kv("SET", "n", 5, "PX", 10)
    kv.wait(11)
    assert kv("INCR", "n") == 1
    assert kv("TTL", "n") == -1


def test_the_active_cycle_finds_keys_that_nobody_asks_for(kv: EngineClient) -> None:
    for number in range(200):
        kv("SET", number, "v", "PX", number + 1)
    kv.wait(101)
    kv.engine.expiring.step(kv.now, 1.0)
    assert kv.db.size == 100
    kv.db.check()


@pytest.mark.parametrize(
    ("before", "request_", "events", "sent"),
    [
        ("SET k v", "EXPIRE k 100", "expire", f"PEXPIREAT k {BEGIN + 100_000}"),
        ("SET k v", "EXPIRE k -1", "del", "DEL k"),
        ("SET k v", "PEXPIREAT k 1", "del", "DEL k"),
        ("SET k v", "EXPIREAT k 4000000000", "expire", "PEXPIREAT k 4000000000000"),
        ("SET k v", "EXPIRE k 100 XX", "", ""),
        ("SET k v EX 100", "PERSIST k", "persist", "PERSIST k"),
        ("SET k v", "PERSIST k", "", ""),
    ],
)
def test_what_an_expiry_tells_subscribers_and_replicas(
    kv: EngineClient, before: str, request_: str, events: str, sent: str
) -> None:
    kv(*before.split())
    propagated, told = kv.propagated(), kv.events()
    kv(*request_.split())
    assert [event for event, _ in told] == events.split()
    assert [b" ".join(words).decode() for words in propagated] == ([sent] if sent else [])


def test_a_key_that_is_found_expired_is_deleted_for_everybody(kv: EngineClient) -> None:
    kv("SET", "k", "v", "PX", 10)
    propagated, told = kv.propagated(), kv.events()
    kv.wait(11)
    assert kv("GET", "k") is None
    assert told == [("expired", "k"), ("keymiss", "k")]
    assert propagated == [[b"DEL", b"k"]]
