"""Sorted sets, as a client sees them."""

from __future__ import annotations

import pytest

from tests.support.engine_client import EngineClient, decode, plain, refused

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


def test_members_stand_in_the_order_of_their_scores(kv: EngineClient) -> None:
    assert kv("ZADD", "race", 3, "carol", 1, "ada", 2, "bob") == 3
    assert kv("ZRANGE", "race", 0, -1) == ["ada", "bob", "carol"]
    assert kv("ZRANGE", "race", 0, 0, "REV", "WITHSCORES") == ["carol", "3"]


def test_members_of_equal_score_stand_in_the_order_of_their_bytes(kv: EngineClient) -> None:
    kv("ZADD", "race", 0, "b", 0, "a", 0, "B")
    assert kv("ZRANGE", "race", 0, -1) == ["B", "a", "b"]


def test_pairs_are_nested_in_resp3(kv: EngineClient) -> None:
    kv("ZADD", "race", 1.5, "ada")
    new = kv.other(resp3=True)
    assert new.raw("ZRANGE", "race", 0, -1, "WITHSCORES") == b"*1\r\n*2\r\n$3\r\nada\r\n,1.5\r\n"
    assert new.raw("ZPOPMIN", "race") == b"*2\r\n$3\r\nada\r\n,1.5\r\n"


def test_a_score_is_written_in_its_shortest_form(kv: EngineClient) -> None:
    kv("ZADD", "race", 0.1, "ada", 3, "bob", "1e300", "carol", "-inf", "dora")
    assert kv("ZMSCORE", "race", "ada", "bob", "carol", "dora", "eve") == ["0.1", "3", "1e+300", "-inf", None]


def test_zadd_changes_only_what_its_options_allow(kv: EngineClient) -> None:
    kv("ZADD", "race", 5, "ada")
    assert kv("ZADD", "race", "NX", 9, "ada", 1, "bob") == 1
    assert kv("ZADD", "race", "XX", "CH", 6, "ada", 1, "carol") == 1
    assert kv("ZADD", "race", "GT", "CH", 4, "ada", 2, "bob") == 1
    assert kv("ZADD", "race", "LT", "CH", 4, "ada", 3, "bob") == 1
    assert kv("ZRANGE", "race", 0, -1, "WITHSCORES") == ["bob", "2", "ada", "4"]


def test_zadd_incr_adds_to_the_score_if_it_may(kv: EngineClient) -> None:
    assert kv("ZADD", "race", "INCR", 2.5, "ada") == "2.5"
    assert kv("ZADD", "race", "GT", "INCR", -1, "ada") is None
    assert kv("ZINCRBY", "race", 1, "ada") == "3.5"


def test_infinities_of_both_signs_have_no_sum(kv: EngineClient) -> None:
    kv("ZADD", "race", "inf", "ada")
    with refused("ERR resulting score is not a number (NaN)"):
        kv("ZINCRBY", "race", "-inf", "ada")


def test_a_refused_zadd_changes_nothing(kv: EngineClient) -> None:
    with refused("ERR value is not a valid float"):
        kv("ZADD", "race", 1, "ada", "fast", "bob")
    with refused("ERR syntax error"):
        kv("ZADD", "race", 1, "ada", 2)
    assert kv("EXISTS", "race") == 0


def test_a_rank_may_come_with_its_score(kv: EngineClient) -> None:
    kv("ZADD", "race", 1, "ada", 2, "bob")
    assert kv("ZRANK", "race", "bob", "WITHSCORE") == [1, "2"]
    assert kv("ZREVRANK", "race", "bob") == 0
    assert kv.raw("ZRANK", "race", "eve") == b"$-1\r\n"
    assert kv.raw("ZRANK", "race", "eve", "WITHSCORE") == b"*-1\r\n"


def test_ranges_by_score_may_leave_their_ends_out(kv: EngineClient) -> None:
    kv("ZADD", "race", 1, "a", 2, "b", 3, "c", "inf", "d")
    assert kv("ZRANGE", "race", "(1", "3", "BYSCORE") == ["b", "c"]
    assert kv("ZRANGE", "race", "+inf", "(1", "BYSCORE", "REV", "LIMIT", 1, 2) == ["c", "b"]
    assert kv("ZCOUNT", "race", "-inf", "(inf") == 3


def test_ranges_by_member_want_equal_scores(kv: EngineClient) -> None:
    kv("ZADD", "words", 0, "a", 0, "b", 0, "c", 0, "d")
    assert kv("ZRANGE", "words", "[b", "(d", "BYLEX") == ["b", "c"]
    assert kv("ZRANGEBYLEX", "words", "-", "+", "LIMIT", 1, 2) == ["b", "c"]
    assert kv("ZREVRANGEBYLEX", "words", "[c", "-") == ["c", "b", "a"]
    assert kv("ZLEXCOUNT", "words", "(a", "+") == 3
    assert kv("ZREMRANGEBYLEX", "words", "[b", "[c") == 2


def test_pops_take_from_the_end_they_name(kv: EngineClient) -> None:
    kv("ZADD", "race", 1, "a", 2, "b", 3, "c")
    assert kv("ZPOPMAX", "race", 2) == ["c", "3", "b", "2"]
    assert kv("ZMPOP", 2, "none", "race", "MIN", "COUNT", 5) == ["race", [["a", "1"]]]
    assert kv("EXISTS", "race") == 0


def test_unions_weigh_and_combine(kv: EngineClient) -> None:
    kv("ZADD", "one", 1, "a", 2, "b")
    kv("ZADD", "two", 10, "b", 20, "c")
    assert kv("ZUNION", 2, "one", "two", "WITHSCORES") == ["a", "1", "b", "12", "c", "20"]
    assert kv("ZUNION", 2, "one", "two", "WEIGHTS", 100, 1, "AGGREGATE", "MAX", "WITHSCORES") == [
        *("c", "20"),
        *("a", "100"),
        *("b", "200"),
    ]
    assert kv("ZINTER", 2, "one", "two", "WITHSCORES") == ["b", "12"]
    assert kv("ZDIFF", 2, "one", "two", "WITHSCORES") == ["a", "1"]
    assert kv("ZINTERCARD", 2, "one", "one", "LIMIT", 1) == 1


def test_a_plain_set_counts_as_having_scores_of_one(kv: EngineClient) -> None:
    kv("SADD", "set", "a", "b")
    kv("ZADD", "sorted", 5, "a")
    assert kv("ZUNION", 2, "set", "sorted", "WITHSCORES") == ["b", "1", "a", "6"]


def test_a_store_replaces_whatever_is_there(kv: EngineClient) -> None:
    kv("SET", "target", "text", "EX", 100)
    kv("ZADD", "race", 1, "a")
    assert kv("ZUNIONSTORE", "target", 1, "race") == 1
    assert kv("TTL", "target") == -1
    assert kv("ZINTERSTORE", "target", 2, "race", "none") == 0
    assert kv("EXISTS", "target") == 0


def test_a_large_sorted_set_is_scanned_in_steps(kv: EngineClient) -> None:
    for start in range(0, 5000, 100):
        pairs = [word for number in range(start, start + 100) for word in (number, f"m{number}")]
        kv("ZADD", "race", *pairs)
    cursor, seen, steps = "0", set[str](), 0
    while True:
        cursor, page = kv("ZSCAN", "race", cursor, "COUNT", 100)
        seen.update(page[::2])
        steps += 1
        if cursor == "0":
            break
    assert len(seen) == 5000
    assert steps > 5
    assert kv("ZRANK", "race", "m4321") == 4321


def test_random_members_are_members(kv: EngineClient) -> None:
    kv("ZADD", "race", 1, "a", 2, "b", 3, "c")
    assert kv("ZRANDMEMBER", "race") in {"a", "b", "c"}
    assert len(set(kv("ZRANDMEMBER", "race", 2))) == 2
    assert len(kv("ZRANDMEMBER", "race", -7)) == 7
    assert sorted(kv("ZRANDMEMBER", "race", 9)) == ["a", "b", "c"]
    assert len(kv("ZRANDMEMBER", "race", 2, "WITHSCORES")) == 4


def test_sorted_sets_refuse_a_key_that_holds_a_string(kv: EngineClient) -> None:
    kv("SET", "name", "ada")
    for words in (("ZADD", "name", 1, "x"), ("ZPOPMIN", "name"), ("ZRANGE", "name", 0, 1), ("ZUNION", 1, "name")):
        with refused(WRONG_TYPE):
            kv(*words)


def test_the_encoding_is_a_listpack_up_to_128_short_members(kv: EngineClient) -> None:
    for number in range(128):
        kv("ZADD", "race", number, f"m{number}")
    assert kv("OBJECT", "ENCODING", "race") == "listpack"
    kv("ZADD", "race", 128, "m128")
    assert kv("OBJECT", "ENCODING", "race") == "skiplist"
    kv("ZREM", "race", "m128")
    assert kv("OBJECT", "ENCODING", "race") == "skiplist"
    kv("ZADD", "long", 1, "x" * 65)
    assert kv("OBJECT", "ENCODING", "long") == "skiplist"


# ---- waiting


def test_a_blocked_pop_takes_the_lowest_of_what_is_added(kv: EngineClient, other: EngineClient) -> None:
    kv.send("BZPOPMIN", "race", 0)
    assert other("ZADD", "race", 2, "b", 1, "a") == 2
    assert kv.taken() == b"*3\r\n$4\r\nrace\r\n$1\r\na\r\n$1\r\n1\r\n"


def test_a_blocked_pop_takes_several_if_it_asked_for_them(kv: EngineClient, other: EngineClient) -> None:
    sent = kv.propagated()
    kv.send("BZMPOP", 0, 1, "race", "MAX", "COUNT", 2)
    other("ZADD", "race", 1, "a", 2, "b", 3, "c")
    assert kv.taken() == b"*2\r\n$4\r\nrace\r\n*2\r\n*2\r\n$1\r\nc\r\n$1\r\n3\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n"
    assert sent[1:] == [[b"ZPOPMAX", b"race", b"2"]]


def test_a_wait_for_a_sorted_set_is_not_ended_by_a_list(kv: EngineClient, other: EngineClient) -> None:
    kv.send("BZPOPMAX", "race", 0.1)
    other("RPUSH", "race", "a")
    assert kv.taken() == b""
    kv.wait(100)
    assert kv.taken() == b"*-1\r\n"


# ---- consequences


@pytest.mark.parametrize(
    ("setup", "request_line", "events", "sent"),
    [
        ("", "ZADD z 1 a", "new(z) zadd(z)", "ZADD z 1 a"),
        ("ZADD z 1 a", "ZADD z 1 a", "", ""),
        ("ZADD z 1 a", "ZADD z INCR 2 a", "zincr(z)", "ZADD z INCR 2 a"),
        ("ZADD z 1 a", "ZINCRBY z 2 a", "zincr(z)", "ZINCRBY z 2 a"),
        ("ZADD z 1 a", "ZREM z a", "zrem(z) del(z)", "ZREM z a"),
        ("ZADD z 1 a 2 b", "ZREMRANGEBYSCORE z 0 1", "zremrangebyscore(z)", "ZREMRANGEBYSCORE z 0 1"),
        ("ZADD z 1 a 2 b", "ZREMRANGEBYRANK z 0 -1", "zremrangebyrank(z) del(z)", "ZREMRANGEBYRANK z 0 -1"),
        ("ZADD z 1 a 1 b", "ZREMRANGEBYLEX z [a [a", "zremrangebylex(z)", "ZREMRANGEBYLEX z [a [a"),
        ("ZADD z 1 a 2 b", "ZPOPMIN z", "zpopmin(z)", "ZPOPMIN z"),
        ("ZADD z 1 a", "ZPOPMAX z", "zpopmax(z) del(z)", "ZPOPMAX z"),
        ("ZADD z 1 a", "BZPOPMIN z 0", "zpopmin(z) del(z)", "ZPOPMIN z"),
        ("ZADD z 1 a 2 b", "ZMPOP 1 z MIN COUNT 2", "zpopmin(z) del(z)", "ZPOPMIN z 2"),
        ("ZADD z 1 a", "BZMPOP 0 1 z MIN", "zpopmin(z) del(z)", "ZPOPMIN z 1"),
        ("ZADD z 1 a", "ZUNIONSTORE d 1 z", "new(d) zunionstore(d)", "ZUNIONSTORE d 1 z"),
        ("ZADD z 1 a", "ZINTERSTORE d 1 z", "new(d) zinterstore(d)", "ZINTERSTORE d 1 z"),
        ("ZADD z 1 a", "ZDIFFSTORE d 1 z", "new(d) zdiffstore(d)", "ZDIFFSTORE d 1 z"),
        ("ZADD d 1 a", "ZDIFFSTORE d 1 z", "keymiss(z) del(d)", "ZDIFFSTORE d 1 z"),
        ("ZADD z 1 a", "ZRANGESTORE d z 0 -1", "new(d) zrangestore(d)", "ZRANGESTORE d z 0 -1"),
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


def test_who_waits_for_a_key_of_another_type_is_not_woken_when_that_is_stored_over(kv: EngineClient) -> None:
    waiting = kv.other()
    waiting.send("BZPOPMIN", "z", 0)
    kv("SET", "z", "text")
    kv("ZADD", "y", 1, "a")
    assert kv("ZUNIONSTORE", "z", 1, "y") == 1
    assert waiting.taken() == b""
    kv("DEL", "z")
    assert kv("ZUNIONSTORE", "z", 1, "y") == 1
    assert plain(decode(waiting.taken())) == ["z", "a", "1"]
