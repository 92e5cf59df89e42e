"""Lists, as a client sees them."""

from __future__ import annotations

import pytest

from tests.support.engine_client import EngineClient, refused

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


def test_lpush_puts_the_last_element_first(kv: EngineClient) -> None:
    assert kv("LPUSH", "tasks", "a", "b") == 2
    assert kv("LRANGE", "tasks", 0, -1) == ["b", "a"]


def test_rpush_keeps_the_order(kv: EngineClient) -> None:
    kv("RPUSH", "tasks", "a", "b")
    assert kv("LRANGE", "tasks", 0, -1) == ["a", "b"]


def test_pushing_only_to_what_exists_makes_no_list(kv: EngineClient) -> None:
    assert kv("LPUSHX", "tasks", "a") == 0
    assert kv("RPUSHX", "tasks", "a") == 0
    assert kv("EXISTS", "tasks") == 0


def test_a_list_is_gone_once_its_last_element_is_taken(kv: EngineClient) -> None:
    kv("RPUSH", "tasks", "a")
    kv("LPOP", "tasks")
    assert kv("EXISTS", "tasks") == 0


def test_a_pop_with_a_count_answers_a_list(kv: EngineClient) -> None:
    kv("RPUSH", "tasks", "a", "b", "c")
    assert kv("LPOP", "tasks", 2) == ["a", "b"]
    assert kv("RPOP", "tasks", 5) == ["c"]
    assert kv.raw("RPOP", "tasks", 5) == b"*-1\r\n"


def test_a_long_list_keeps_its_order_in_the_middle(kv: EngineClient) -> None:
    numbers = [str(number) for number in range(5000)]
    for start in range(0, 5000, 500):
        kv("RPUSH", "long", *numbers[start : start + 500])
    assert kv("OBJECT", "ENCODING", "long") == "quicklist"
    assert kv("LINDEX", "long", 2500) == "2500"
    assert kv("LINSERT", "long", "BEFORE", "2500", "new") == 5001
    assert kv("LRANGE", "long", 2499, 2501) == ["2499", "new", "2500"]
    assert kv("LREM", "long", 0, "new") == 1
    assert kv("LPOS", "long", "4999") == 4999
    assert kv("LRANGE", "long", 0, -1) == numbers
    kv("LTRIM", "long", 10, 19)
    assert kv("LRANGE", "long", 0, -1) == numbers[10:20]
    assert kv("OBJECT", "ENCODING", "long") == "listpack"


def test_lset_replaces_one_element(kv: EngineClient) -> None:
    kv("RPUSH", "tasks", "a", "b", "c")
    kv("LSET", "tasks", -1, "z")
    assert kv("LRANGE", "tasks", 0, -1) == ["a", "b", "z"]
    with refused("ERR index out of range"):
        kv("LSET", "tasks", 3, "y")
    with refused("ERR no such key"):
        kv("LSET", "nothing", 0, "y")


def test_lrem_counts_from_the_end_it_is_told(kv: EngineClient) -> None:
    kv("RPUSH", "tasks", "x", "a", "x", "b", "x")
    assert kv("LREM", "tasks", -2, "x") == 2
    assert kv("LRANGE", "tasks", 0, -1) == ["x", "a", "b"]


def test_lpos_finds_the_nth_match(kv: EngineClient) -> None:
    kv("RPUSH", "tasks", "a", "b", "a", "a")
    assert kv("LPOS", "tasks", "a", "RANK", 2) == 2
    assert kv("LPOS", "tasks", "a", "RANK", -1, "COUNT", 0) == [3, 2, 0]
    assert kv("LPOS", "tasks", "a", "RANK", -1, "COUNT", 0, "MAXLEN", 2) == [3, 2]


def test_lmove_rotates_a_list_onto_itself(kv: EngineClient) -> None:
    kv("RPUSH", "ring", "a", "b", "c")
    assert kv("LMOVE", "ring", "ring", "LEFT", "RIGHT") == "a"
    assert kv("LRANGE", "ring", 0, -1) == ["b", "c", "a"]


def test_a_move_to_a_key_of_another_type_takes_nothing(kv: EngineClient) -> None:
    kv("RPUSH", "tasks", "a")
    kv("SET", "name", "ada")
    with refused(WRONG_TYPE):
        kv("LMOVE", "tasks", "name", "LEFT", "LEFT")
    assert kv("LRANGE", "tasks", 0, -1) == ["a"]


def test_lmpop_takes_from_the_first_list_that_exists(kv: EngineClient) -> None:
    kv("RPUSH", "second", "a", "b", "c")
    assert kv("LMPOP", 2, "first", "second", "RIGHT", "COUNT", 2) == ["second", ["c", "b"]]


def test_lists_refuse_a_key_that_holds_a_string(kv: EngineClient) -> None:
    kv("SET", "name", "ada")
    for words in (("LPUSH", "name", "x"), ("LPOP", "name"), ("LRANGE", "name", 0, 1), ("BLPOP", "name", 0)):
        with refused(WRONG_TYPE):
            kv(*words)


# ---- waiting


def test_a_blocked_pop_takes_what_is_pushed_next(kv: EngineClient, other: EngineClient) -> None:
    assert kv.raw("BLPOP", "tasks", 0) == b""
    assert other("RPUSH", "tasks", "a", "b") == 2
    assert kv.taken() == b"*2\r\n$5\r\ntasks\r\n$1\r\na\r\n"
    assert other("LRANGE", "tasks", 0, -1) == ["b"]


def test_who_waited_first_is_served_first(kv: EngineClient) -> None:
    first, second = kv.other(), kv.other()
    first.send("BLPOP", "tasks", 0)
    second.send("BLPOP", "tasks", 0)
    kv("RPUSH", "tasks", "a", "b")
    assert first.taken().endswith(b"$1\r\na\r\n")
    assert second.taken().endswith(b"$1\r\nb\r\n")


def test_a_blocked_pop_tries_its_keys_in_order(kv: EngineClient, other: EngineClient) -> None:
    kv.send("BLPOP", "one", "two", 0)
    other("MULTI")
    other("RPUSH", "two", "b")
    other("RPUSH", "one", "a")
    other("EXEC")
    assert kv.taken() == b"*2\r\n$3\r\none\r\n$1\r\na\r\n"
    assert other("LLEN", "two") == 1


def test_a_wait_ends_when_its_time_is_up(kv: EngineClient) -> None:
    kv.send("BLPOP", "tasks", 0.5)
    kv.wait(499)
    assert kv.taken() == b""
    kv.wait(1)
    assert kv.taken() == b"*-1\r\n"
    kv.send("BLMOVE", "tasks", "done", "LEFT", "LEFT", 0.5)
    kv.wait(500)
    assert kv.taken() == b"*-1\r\n"


def test_a_wait_may_follow_another_at_once_and_ends_at_the_same_time(kv: EngineClient, other: EngineClient) -> None:
    kv.send("BLPOP", "tasks", 0.5)
    other("RPUSH", "tasks", "a")
    assert kv.taken().endswith(b"$1\r\na\r\n")
    kv.send("BLPOP", "tasks", 0.5)
    kv.wait(500)
    assert kv.taken() == b"*-1\r\n"


def test_waits_that_have_ended_before_their_time_are_forgotten(kv: EngineClient, other: EngineClient) -> None:
    idle = kv.other()
    idle.send("BLPOP", "nothing", 3600)
    for _ in range(1000):
        kv.send("BLPOP", "tasks", 3600)
        other("RPUSH", "tasks", "a")
    assert len(kv.engine.waiting._deadlines) < 100
    assert kv.engine.waiting.deadline == kv.now + 3_600_000
    assert kv.engine.waiting.keys == 1


def test_a_key_of_another_type_wakes_nobody(kv: EngineClient, other: EngineClient) -> None:
    kv.send("BLPOP", "tasks", 0)
    other("SADD", "tasks", "a")
    other("DEL", "tasks")
    assert kv.taken() == b""
    other("RPUSH", "tasks", "b")
    assert kv.taken().endswith(b"$1\r\nb\r\n")


def test_a_woken_pop_minds_the_types_of_all_its_keys(kv: EngineClient, other: EngineClient) -> None:
    kv.send("BLPOP", "one", "two", 0)
    other("SET", "one", "text")
    other("RPUSH", "two", "b")
    assert kv.taken() == b"-%b\r\n" % WRONG_TYPE.encode()
    assert other("LLEN", "two") == 1


def test_nothing_waits_inside_a_transaction(kv: EngineClient) -> None:
    kv("MULTI")
    kv("BLPOP", "tasks", 0)
    kv("BLMOVE", "tasks", "done", "LEFT", "LEFT", 0)
    assert kv.raw("EXEC") == b"*2\r\n*-1\r\n$-1\r\n"


def test_a_chain_of_blocked_moves_is_served_at_once(kv: EngineClient) -> None:
    mover, taker = kv.other(), kv.other()
    taker.send("BLPOP", "done", 0)
    mover.send("BLMOVE", "tasks", "done", "LEFT", "RIGHT", 0)
    kv("RPUSH", "tasks", "a")
    assert mover.taken() == b"$1\r\na\r\n"
    assert taker.taken() == b"*2\r\n$4\r\ndone\r\n$1\r\na\r\n"


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("soon", "ERR timeout is not a float or out of range"),
        ("nan", "ERR timeout is not a float or out of range"),
        ("-1", "ERR timeout is negative"),
        ("inf", "ERR timeout is out of range"),
        ("1e400", "ERR timeout is out of range"),
        ("9223372036854775", "ERR timeout is out of range"),
    ],
)
def test_a_timeout_is_a_number_of_seconds(kv: EngineClient, word: str, text: str) -> None:
    with refused(text):
        kv("BLPOP", "tasks", word)


# ---- consequences


@pytest.mark.parametrize(
    ("setup", "request_line", "events", "sent"),
    [
        ("", "LPUSH l a b", "new(l) lpush(l)", "LPUSH l a b"),
        ("RPUSH l a", "LPUSHX l b", "lpush(l)", "LPUSHX l b"),
        ("RPUSH l a b c", "LPOP l 2", "lpop(l)", "LPOP l 2"),
        ("RPUSH l a", "RPOP l", "rpop(l) del(l)", "RPOP l"),
        ("RPUSH l a b", "LINSERT l BEFORE b x", "linsert(l)", "LINSERT l BEFORE b x"),
        ("RPUSH l a b", "LSET l 0 z", "lset(l)", "LSET l 0 z"),
        ("RPUSH l a", "LREM l 0 a", "lrem(l) del(l)", "LREM l 0 a"),
        ("RPUSH l a", "LREM l 0 b", "", ""),
        ("RPUSH l a b c", "LTRIM l 5 9", "ltrim(l) del(l)", "LTRIM l 5 9"),
        ("RPUSH l a", "LTRIM l 0 -1", "ltrim(l)", ""),
        ("RPUSH l a b", "RPOPLPUSH l m", "new(m) lpush(m) rpop(l)", "RPOPLPUSH l m"),
        ("RPUSH l a", "LMOVE l m LEFT RIGHT", "new(m) rpush(m) lpop(l) del(l)", "LMOVE l m LEFT RIGHT"),
        ("RPUSH l a", "LMOVE l l LEFT RIGHT", "rpush(l) lpop(l)", "LMOVE l l LEFT RIGHT"),
        ("RPUSH l a b", "LMPOP 2 x l LEFT COUNT 9", "lpop(l) del(l)", "LPOP l 2"),
        ("RPUSH l a", "BLPOP l 0", "lpop(l) del(l)", "LPOP l"),
        ("RPUSH l a", "BLMOVE l m LEFT LEFT 0", "new(m) lpush(m) lpop(l) del(l)", "LMOVE l m LEFT LEFT"),
        ("RPUSH l a b", "BLMPOP 0 1 l LEFT COUNT 1", "lpop(l)", "LPOP l 1"),
        ("RPUSH l a", "BRPOPLPUSH l m 0", "new(m) lpush(m) rpop(l) del(l)", "RPOPLPUSH l m"),
    ],
)
def test_what_a_change_tells_and_propagates(
    kv: EngineClient, setup: str, request_line: str, events: str, sent: str
) -> None:
    if setup:
        kv(*setup.split())
    told, propagated = kv.events(), kv.propagated()
    kv(*request_line.split())
    assert " ".join(f"{event}({key})" for event, key in told) == events
    assert b" ".join(word for words in propagated for word in words).decode() == sent


def test_a_pop_that_had_to_wait_propagates_as_a_plain_pop(kv: EngineClient, other: EngineClient) -> None:
    sent = kv.propagated()
    kv.send("BLPOP", "tasks", 0)
    other("RPUSH", "tasks", "a")
    assert sent == [[b"RPUSH", b"tasks", b"a"], [b"LPOP", b"tasks"]]
