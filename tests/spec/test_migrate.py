"""MIGRATE, as a client sees it; the way to the other node is the test's."""

from __future__ import annotations

import pytest

from shardkv.commands.migrate import Outcome, Shipment
from tests.support.engine_client import EngineClient, refused

TARGET = ("127.0.0.1", 7001)


def shipment(kv: EngineClient) -> Shipment:
    """What the world was asked to send last."""
    verb, sent = kv.world.asked[-1]
    assert verb == "ship"
    assert isinstance(sent, Shipment)
    return sent


def land(kv: EngineClient, outcome: Outcome) -> None:
    """It has come back from the target."""
    kv.world.landed(outcome)
    kv.settle()


def test_keys_are_gone_once_they_are_there(kv: EngineClient) -> None:
    kv("SET", "a", 1)
    kv("SET", "b", 2, "PX", 1000)
    assert kv.raw("MIGRATE", *TARGET, "", 3, 500, "REPLACE", "AUTH2", "ada", "pw", "KEYS", "a", "b", "nothing") == b""
    sent = shipment(kv)
    assert (sent.host, sent.port, sent.database, sent.timeout) == (b"127.0.0.1", 7001, 3, 0.5)
    assert sent.login == (b"AUTH", b"ada", b"pw")
    assert [request[:3] for request in sent.requests] == [(b"RESTORE", b"a", b"0"), (b"RESTORE", b"b", b"1000")]
    assert all(request[4:] == (b"REPLACE",) for request in sent.requests)
    assert kv.other()("EXISTS", "a", "b") == 2
    land(kv, Outcome(errors=(None, None)))
    assert kv.taken() == b"+OK\r\n"
    assert kv("EXISTS", "a", "b") == 0


def test_a_script_that_has_not_said_so_may_not_write_what_is_on_its_way(kv: EngineClient, other: EngineClient) -> None:
    kv("MSET", "a", 1, "b", 1)
    assert kv.raw("MIGRATE", *TARGET, "a", 0, 500) == b""
    assert other("EVAL", "return redis.call('GET', 'a')", 0) == "1"
    assert other("EVAL", "return redis.call('INCR', 'b')", 0) == 2
    refusal = other("EVAL", "return redis.pcall('INCR', 'a').err", 0)
    assert refusal == "TRYAGAIN Script attempted to write a key that is on its way to another node"
    land(kv, Outcome(errors=(None,)))
    assert other("EVAL", "return redis.call('INCR', 'a')", 0) == 1


def test_with_copy_they_stay(kv: EngineClient) -> None:
    kv("SET", "a", 1)
    assert kv.raw("MIGRATE", *TARGET, "a", 0, 500, "COPY") == b""
    land(kv, Outcome(errors=(None,)))
    assert kv.taken() == b"+OK\r\n"
    assert kv("GET", "a") == "1"


def test_no_key_at_all_is_no_error(kv: EngineClient) -> None:
    assert kv("MIGRATE", *TARGET, "nothing", 0, 500) == "NOKEY"
    assert kv("MIGRATE", *TARGET, "", 0, 500, "KEYS") == "NOKEY"


def test_what_the_target_refuses_stays_and_the_rest_goes(kv: EngineClient) -> None:
    kv("MSET", "a", 1, "b", 2)
    assert kv.raw("MIGRATE", *TARGET, "", 0, 500, "KEYS", "a", "b") == b""
    land(kv, Outcome(errors=("BUSYKEY Target key name already exists.", None)))
    assert kv.taken() == b"-ERR Target instance replied with error: BUSYKEY Target key name already exists.\r\n"
    assert kv("MGET", "a", "b") == ["1", None]


def test_a_target_that_falls_silent_loses_nothing(kv: EngineClient) -> None:
    kv("SET", "a", 1)
    assert kv.raw("MIGRATE", *TARGET, "a", 0, 500) == b""
    land(kv, Outcome(fault="reading from target instance"))
    assert kv.taken() == b"-IOERR error or timeout reading from target instance\r\n"
    assert kv("GET", "a") == "1"


def test_a_write_to_a_key_on_its_way_waits_and_a_read_does_not(kv: EngineClient, other: EngineClient) -> None:
    kv("MSET", "a", 1, "b", 1)
    assert kv.raw("MIGRATE", *TARGET, "a", 0, 500) == b""
    assert other("GET", "a") == "1"
    assert other("INCR", "b") == 2
    assert other.raw("INCR", "a") == b""
    assert kv.world.asked[-1][0] == "ship"
    land(kv, Outcome(errors=(None,)))
    assert kv.taken() == b"+OK\r\n"
    assert other.taken() == b":1\r\n"  # it found no key any more
    assert other("INCR", "a") == 2


def test_a_transaction_that_would_write_to_such_a_key_waits_as_well(kv: EngineClient, other: EngineClient) -> None:
    kv("SET", "a", 1)
    assert kv.raw("MIGRATE", *TARGET, "a", 0, 500) == b""
    other("MULTI")
    other("INCR", "a")
    assert other.raw("EXEC") == b""
    land(kv, Outcome(fault="reading from target instance"))
    assert other.taken() == b"*1\r\n:2\r\n"


def test_what_was_sent_behind_a_held_write_comes_after_it(kv: EngineClient, other: EngineClient) -> None:
    kv("SET", "a", 1)
    assert kv.raw("MIGRATE", *TARGET, "a", 0, 500) == b""
    assert other.pipeline(("INCRBY", "a", 5), ("GET", "a"), ("INCRBY", "a", 5)) == b""
    land(kv, Outcome(fault="reading from target instance"))
    assert other.taken() == b":6\r\n$1\r\n6\r\n:11\r\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["a", 0, 1000, "FOO"], "ERR syntax error"),
        (["a", 0, 1000, "AUTH"], "ERR syntax error"),
        (["a", "x", 1000], "ERR value is not an integer or out of range"),
        (["a", 0, "x"], "ERR value is not an integer or out of range"),
        (
            ["a", 0, 1000, "KEYS", "b"],
            "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(kv: EngineClient, words: list[str | int], text: str) -> None:
    kv("SET", "a", 1)
    with refused(text):
        kv("MIGRATE", *TARGET, *words)


def test_a_limited_user_sends_only_keys_that_it_may_reach(kv: EngineClient) -> None:
    kv("SET", "a:1", 1)
    kv("SET", "b", 2)
    kv("ACL", "SETUSER", "ada", "on", "nopass", "+@all", "~a:*")
    kv("AUTH", "ada", "x")
    asked = len(kv.world.asked)
    for words in (("b", 0, 500), ("", 0, 500, "KEYS", "a:1", "b")):
        assert kv.raw("MIGRATE", *TARGET, *words).startswith(b"-NOPERM No permissions to access a key")
    assert len(kv.world.asked) == asked
    kv.send("MIGRATE", *TARGET, "a:1", 0, 500)
    assert len(kv.world.asked) == asked + 1


def test_in_a_transaction_the_node_stands_still_meanwhile(kv: EngineClient) -> None:
    kv("MSET", "a", 1, "b", 2)
    kv("MULTI")
    kv("INCR", "a")
    kv("MIGRATE", *TARGET, "", 0, 500, "KEYS", "a", "b")
    kv("EXISTS", "a", "b")
    assert kv("EXEC") == [2, "OK", 0]
    verb, sent = kv.world.asked[-1]
    assert verb == "ship_now"
    assert isinstance(sent, Shipment)
    assert sent.keys == (b"a", b"b")


def test_in_a_script_as_well(kv: EngineClient) -> None:
    kv("SET", "a", 1)
    script = "return {redis.call('MIGRATE', '127.0.0.1', 7001, KEYS[1], 0, 500), redis.call('EXISTS', KEYS[1])}"
    assert kv("EVAL", script, 1, "a") == ["OK", 0]
