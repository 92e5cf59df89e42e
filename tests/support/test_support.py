"""The tools of the tests, tried on the real redis-server."""

from __future__ import annotations

import time

import pytest

from tests.support.oracle import SETTINGS, Redis, Valkey
from tests.support.ports import BUS_OFFSET, FIRST, LAST, free_ports, free_run_of_ports
from tests.support.processes import wait_for
from tests.support.wire import Client
from tests.support.wire_replies import NULL_ARRAY, Boolean, Double, Map, Push, Refusal, as_dict


def test_ports_leave_room_for_the_bus_and_never_repeat() -> None:
    ports = free_ports(20)
    first = free_run_of_ports(6)
    assert len({*ports, *range(first, first + 6)}) == 26
    assert all(FIRST <= port < LAST and port + BUS_OFFSET < 32768 for port in [*ports, first + 5])


def test_replies_keep_their_kinds_apart(oracle: Redis) -> None:
    with oracle.client() as kv:
        assert kv("SET", "k", "v") == "OK"
        assert kv("SET", "k", "v") != b"OK"
        assert kv("GET", "k") == b"v"
        assert kv("GET", "none") is None
        assert kv("LPOP", "none", 1) is NULL_ARRAY
        assert kv("INCR", "k") == Refusal("ERR value is not an integer or out of range")
        assert kv.raw("LRANGE", "none", 0, -1) == b"*0\r\n"


def test_resp3_has_kinds_of_its_own(oracle: Redis) -> None:
    with oracle.client(resp3=True) as kv:
        assert as_dict(kv.greeting)[b"proto"] == 3
        assert kv("DEBUG", "PROTOCOL", "true") == Boolean(True)
        assert kv("DEBUG", "PROTOCOL", "double") == Double("3.141")
        kv.must("HSET", "h", "f", "v")
        assert kv("HGETALL", "h") == Map(((b"f", b"v"),))


def test_pushes_are_laid_aside_for_the_test_to_look_at(oracle: Redis) -> None:
    with oracle.client(resp3=True) as kv, oracle.client() as other:
        assert kv("SUBSCRIBE", "news") == Push((b"subscribe", b"news", 1))
        other.must("PUBLISH", "news", "hello")
        assert kv("PING") == "PONG"
        assert kv.pushes == [Push((b"message", b"news", b"hello"))]


def test_a_pipeline_answers_in_order_and_silence_is_seen(oracle: Redis) -> None:
    with oracle.client() as kv:
        assert kv.pipeline([("INCR", "n"), ("INCR", "n"), ("GET", "n")]) == [1, 2, b"2"]
        assert not kv.pending(0.05)
        kv.send("ECHO", "x" * 300_000)
        assert kv.pending(5)
        assert len(kv.read()) == 300_000


def test_a_server_is_gone_with_its_folder_when_its_block_ends() -> None:
    with Redis(**SETTINGS) as server:
        kv = server.client()
        assert server.directory.exists()
        assert server.cpu_seconds() >= 0
    assert server.process_ended()
    assert not server.directory.exists()
    assert kv.hung_up()
    kv.close()


def test_a_server_that_refuses_to_start_shows_its_log() -> None:
    with pytest.raises(RuntimeError, match="nonsense"):
        Redis(nonsense="1").start()


def test_a_unix_socket_is_a_host_with_a_slash() -> None:
    server = Redis(**SETTINGS)
    server.options["unixsocket"] = str(server.directory / "s")
    with server, Client(str(server.directory / "s"), 0) as kv:
        assert kv("PING") == "PONG"


def test_the_second_oracle_is_valkey_9(valkey: Valkey) -> None:
    with valkey.client() as kv:
        assert b"valkey_version:9." in kv("INFO", "server")


def test_waiting_ends_with_the_reason_why_it_was_in_vain() -> None:
    began = time.monotonic()
    with pytest.raises(AssertionError, match=r"the moon did not come true within 0\.05 seconds"):
        wait_for(lambda: False, 0.05, "the moon")
    assert time.monotonic() - began < 5


def test_the_seed_of_a_run_can_be_repeated(seed: int) -> None:
    assert seed >= 0
