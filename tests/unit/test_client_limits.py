"""What clients may take, decided on sessions alone."""

from __future__ import annotations

import pytest

from shardkv.commands.session import NAME_BYTES, Session
from shardkv.engine.client_limits import ClientLimits
from tests.support.engine_client import EngineClient


@pytest.fixture
def kv() -> EngineClient:
    """A client of a new engine."""
    return EngineClient()


def limits_of(kv: EngineClient, **options: str) -> ClientLimits:
    """The limits of its engine, under these options."""
    kv.engine.config.set([(name.replace("_", "-").encode(), value.encode()) for name, value in options.items()])
    return kv.engine.limits


def test_the_hard_limit_is_reached_at_once(kv: EngineClient) -> None:
    limits = limits_of(kv, client_output_buffer_limit="normal 1000 0 0")
    kv.session.unsent = 999
    assert not limits.output_exceeded(kv.session, 0.0)
    kv.session.unsent = 1000
    assert limits.output_exceeded(kv.session, 0.0)


def test_the_soft_limit_must_last_and_begins_anew(kv: EngineClient) -> None:
    limits = limits_of(kv, client_output_buffer_limit="normal 0 1000 10")
    kv.session.unsent = 1000
    assert not limits.output_exceeded(kv.session, 100.0)
    assert not limits.output_exceeded(kv.session, 110.0)
    assert limits.output_exceeded(kv.session, 110.1)
    kv.session.unsent = 999
    assert not limits.output_exceeded(kv.session, 111.0)
    kv.session.unsent = 1000
    assert not limits.output_exceeded(kv.session, 112.0)


def test_each_class_has_its_own_limit(kv: EngineClient) -> None:
    limits = limits_of(
        kv,
        client_output_buffer_limit="normal 10 0 0 replica 20 0 0 pubsub 30 0 0",
        repl_backlog_size="16kb",
    )
    session = kv.session
    session.unsent = 15
    assert limits.output_exceeded(session, 0.0)
    session.channels[b"news"] = None
    assert not limits.output_exceeded(session, 0.0)
    session.unsent = 30
    assert limits.output_exceeded(session, 0.0)
    session.is_replica = True
    session.unsent = 16383  # a limit below the backlog's size is no limit for a replica
    assert not limits.output_exceeded(session, 0.0)
    session.unsent = 16384
    assert limits.output_exceeded(session, 0.0)
    session.is_replica, session.is_primary = False, True
    session.unsent = 10
    assert limits.output_exceeded(session, 0.0)


def test_unfinished_waiting_and_queued_requests_count_together(kv: EngineClient) -> None:
    limits = limits_of(kv, client_query_buffer_limit="2mb")
    kv.session.query_pending = kv.session.queue_bytes = 1024 * 1024
    assert not limits.input_exceeded(kv.session)
    limits.hold(kv.session, [[b"PING"]])
    assert limits.input_exceeded(kv.session)
    kv.session.is_primary = True
    assert not limits.input_exceeded(kv.session)


def test_a_stranger_may_leave_a_megabyte(kv: EngineClient) -> None:
    limits = limits_of(kv, client_query_buffer_limit="1gb")
    kv.session.query_pending = 2**20
    kv.session.authenticated = False
    assert not limits.input_exceeded(kv.session)
    kv.session.query_pending += 1
    assert limits.input_exceeded(kv.session)
    kv.session.authenticated = True
    assert not limits.input_exceeded(kv.session)


def test_a_transaction_that_grows_too_large_ends_the_client(kv: EngineClient) -> None:
    limits_of(kv, client_query_buffer_limit="1mb")
    kv("MULTI")
    for _ in range(3):
        kv.send("SET", "key", b"x" * 400_000)
    assert kv.session.closed
    assert "client_query_buffer_limit_disconnections:1\r\n" in kv.other()("INFO", "stats")


def test_what_comes_behind_a_wait_is_bounded_by_its_memory(kv: EngineClient) -> None:
    limits_of(kv, client_query_buffer_limit="1mb")
    kv.send("BLPOP", "none", 0)
    for _ in range(100):
        kv.pipeline(*[["PING"]] * 64)
    assert kv.session.waiting_bytes > 500_000
    assert not kv.session.closed
    for _ in range(100):
        kv.pipeline(*[["PING"]] * 64)
    assert kv.session.closed


def test_the_names_that_a_client_keeps_count_until_it_gives_them_up(kv: EngineClient) -> None:
    limits = kv.engine.limits
    name = "x" * 5000
    for keep, give_up in (
        (["WATCH", name, "b"], ["UNWATCH"]),
        (["SUBSCRIBE", name, "b"], ["UNSUBSCRIBE"]),
        (["PSUBSCRIBE", name, "b"], ["PUNSUBSCRIBE", name, "b", "c"]),
        (["SSUBSCRIBE", name, "b"], ["SUNSUBSCRIBE", "c", "b", name]),
        (["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", name, "PREFIX", "b"], ["CLIENT", "TRACKING", "OFF"]),
        (["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", name, "PREFIX", "b"], ["RESET"]),
        (["SUBSCRIBE", name, "b"], ["RESET"]),
    ):
        for _ in range(2):  # what is there already counts once
            kv.send(*keep)
            assert limits.total == 5001 + 2 * NAME_BYTES, keep
        kv.send(*give_up)
        assert limits.total == 0, give_up
    kv.send("WATCH", "a")
    assert limits.total == 0  # a few small ones are part of the session
    kv.send("SUBSCRIBE", name)
    assert limits.total > 5000
    kv.engine.leave(kv.session)
    assert limits.total == 0


def test_the_largest_clients_make_room(kv: EngineClient) -> None:
    limits = limits_of(kv, maxmemory_clients="1mb")
    small, large, huge, kept = (kv.other() for _ in range(4))
    for client, unsent in ((small, 100_000), (large, 500_000), (huge, 600_000), (kept, 700_000)):
        client.session.unsent = unsent
        limits.weigh(client.session)
    kept("CLIENT", "NO-EVICT", "ON")
    kv.engine.limits.evict()
    gone = [client.session.closed for client in (small, large, huge, kept)]
    assert gone == [False, True, True, False]
    assert "evicted_clients:2\r\n" in kv("INFO", "stats")
    assert limits.total == 800_000


def test_a_limit_that_is_lowered_holds_at_once(kv: EngineClient) -> None:
    lazy = kv.other()
    lazy.session.unsent = 500_000
    kv.engine.limits.weigh(lazy.session)
    kv("CONFIG", "SET", "maxmemory-clients", "1mb")
    assert not lazy.session.closed
    kv("CONFIG", "SET", "maxmemory-clients", "300kb")
    assert lazy.session.closed


def test_percent_are_of_maxmemory(kv: EngineClient) -> None:
    config = kv.engine.config
    limits = kv.engine.limits
    config.set([(b"maxmemory-clients", b"5%")])
    assert limits.most == 0
    config.set([(b"maxmemory", b"100mb")])
    assert limits.most == 5 * 2**20
    config.set([(b"maxmemory-clients", b"1")])
    assert limits.most == 128 * 1024


def test_who_is_gone_weighs_nothing(kv: EngineClient) -> None:
    limits = kv.engine.limits
    session: Session = kv.session
    session.unsent = 10
    limits.weigh(session)
    kv.engine.leave(session)
    limits.weigh(session)
    assert limits.total == 0
