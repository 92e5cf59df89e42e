"""Transactions, as a client sees them."""

from __future__ import annotations

import pytest

from shardkv.errors import ReplyError
from tests.support.engine_client import EngineClient, refused


def test_commands_are_queued_and_run_as_one(kv: EngineClient, other: EngineClient) -> None:
    assert kv("MULTI") == "OK"
    assert kv("SET", "name", "ada") == "QUEUED"
    assert kv("GET", "name") == "QUEUED"
    assert other("GET", "name") is None
    assert kv("EXEC") == ["OK", "ada"]


def test_an_empty_transaction_answers_nothing(kv: EngineClient) -> None:
    kv("MULTI")
    assert kv("EXEC") == []


def test_a_command_that_fails_does_not_stop_the_others(kv: EngineClient) -> None:
    kv("SET", "name", "ada")
    kv("MULTI")
    kv("INCR", "name")
    kv("SET", "after", "1")
    failed, then = kv("EXEC")
    assert isinstance(failed, ReplyError)
    assert failed.text == "ERR value is not an integer or out of range"
    assert then == "OK"


def test_discard_forgets_what_was_queued(kv: EngineClient) -> None:
    kv("MULTI")
    kv("SET", "name", "ada")
    assert kv("DISCARD") == "OK"
    assert kv("GET", "name") is None


@pytest.mark.parametrize("words", [["NOSUCH"], ["GET"], ["SHUTDOWN"]])
def test_a_command_that_is_refused_spoils_the_transaction(kv: EngineClient, words: list[str]) -> None:
    kv("MULTI")
    with pytest.raises(ReplyError):
        kv(*words)
    kv("SET", "name", "ada")
    with refused("EXECABORT Transaction discarded because of previous errors."):
        kv("EXEC")
    assert kv("GET", "name") is None


def test_what_makes_no_sense_is_refused_and_spoils_nothing(kv: EngineClient) -> None:
    with refused("ERR EXEC without MULTI"):
        kv("EXEC")
    with refused("ERR DISCARD without MULTI"):
        kv("DISCARD")
    kv("MULTI")
    with refused("ERR MULTI calls can not be nested"):
        kv("MULTI")
    with refused("ERR WATCH inside MULTI is not allowed"):
        kv("WATCH", "name")
    assert kv("EXEC") == []


def test_select_inside_a_transaction_counts_from_there_on(kv: EngineClient) -> None:
    kv("MULTI")
    kv("SELECT", 2)
    kv("SET", "name", "ada")
    kv("EXEC")
    assert kv("GET", "name") == "ada"
    kv("SELECT", 0)
    assert kv("GET", "name") is None


# ---- WATCH


def test_a_watched_key_that_changes_stops_the_transaction(kv: EngineClient, other: EngineClient) -> None:
    kv("WATCH", "stock")
    other("SET", "stock", "3")
    kv("MULTI")
    kv("SET", "bought", "1")
    assert kv.raw("EXEC") == b"*-1\r\n"
    assert kv("GET", "bought") is None


def test_a_transaction_that_was_stopped_can_be_tried_again(kv: EngineClient, other: EngineClient) -> None:
    kv("WATCH", "stock")
    other("SET", "stock", "3")
    kv("MULTI")
    kv("EXEC")
    kv("WATCH", "stock")
    kv("MULTI")
    kv("GET", "stock")
    assert kv("EXEC") == ["3"]


@pytest.mark.parametrize("words", [["FLUSHALL"], ["FLUSHDB"], ["SWAPDB", "0", "1"], ["DEL", "stock"]])
def test_whatever_takes_the_key_away_breaks_the_watch(kv: EngineClient, other: EngineClient, words: list[str]) -> None:
    kv("SET", "stock", "3")
    kv("WATCH", "stock")
    other(*words)
    kv("MULTI")
    assert kv("EXEC") is None


def test_a_flush_does_not_break_the_watch_of_a_key_that_was_not_there(kv: EngineClient, other: EngineClient) -> None:
    kv("WATCH", "stock")
    other("FLUSHALL")
    kv("MULTI")
    assert kv("EXEC") == []


@pytest.mark.parametrize("words", [["FLUSHALL"], ["FLUSHDB"], ["SWAPDB", "0", "1"], ["GET", "stock"]])
def test_a_key_that_had_expired_before_was_as_good_as_none(
    kv: EngineClient, other: EngineClient, words: list[str]
) -> None:
    kv("SET", "stock", "3", "PX", 10)
    kv.wait(20)
    kv("WATCH", "stock")
    other(*words)
    kv("MULTI")
    assert kv("EXEC") == []


@pytest.mark.parametrize(("milliseconds", "broken"), [(1000, True), (10, False)])
def test_databases_that_change_places_break_the_watch_of_a_key_that_comes_alive(
    kv: EngineClient, other: EngineClient, milliseconds: int, broken: bool
) -> None:
    other("SELECT", 1)
    other("SET", "stock", "4", "PX", milliseconds)
    kv("SET", "stock", "3", "PX", 10)
    kv.wait(20)
    kv("WATCH", "stock")
    other("SWAPDB", 0, 1)
    kv("MULTI")
    assert kv("EXEC") == (None if broken else [])


def test_a_key_that_expires_breaks_the_watch(kv: EngineClient) -> None:
    kv("SET", "stock", "3", "PX", 10)
    kv("WATCH", "stock")
    kv.wait(20)
    kv("MULTI")
    assert kv("EXEC") is None


def test_unwatch_and_discard_forget_the_watches(kv: EngineClient, other: EngineClient) -> None:
    for forget in (["UNWATCH"], ["MULTI"]):
        kv("WATCH", "stock")
        other("SET", "stock", "3")
        kv(*forget)
        if forget == ["MULTI"]:
            kv("DISCARD")
        kv("MULTI")
        assert kv("EXEC") == []


def test_effects_of_a_transaction_go_out_as_one(kv: EngineClient) -> None:
    sent = kv.propagated()
    kv("MULTI")
    kv("SET", "a", "1")
    kv("GET", "a")
    kv("INCR", "a")
    kv("EXEC")
    assert sent == [[b"MULTI"], [b"SET", b"a", b"1"], [b"INCR", b"a"], [b"EXEC"]]


def test_an_exec_that_is_refused_ends_the_watches_even_outside_multi(kv: EngineClient, other: EngineClient) -> None:
    kv("WATCH", "stock")
    with refused("EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command"):
        kv("EXEC", "now")
    other("SET", "stock", 1)
    kv("MULTI")
    assert kv("EXEC") == []
