"""Sets, as a client sees them."""

from __future__ import annotations

import pytest

from tests.support.engine_client import EngineClient, refused

WRONGTYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


def test_sadd_tells_how_many_members_are_new(kv: EngineClient) -> None:
    assert kv("SADD", "s", "a", "b", "a") == 2
    assert kv("SADD", "s", "b", "c") == 1
    assert sorted(kv("SMEMBERS", "s")) == ["a", "b", "c"]
    assert kv("SCARD", "s") == 3


def test_an_add_that_adds_nothing_tells_nobody(kv: EngineClient) -> None:
    kv("SADD", "s", "a")
    events, sent = kv.events(), kv.propagated()
    assert kv("SADD", "s", "a") == 0
    assert (events, sent) == ([], [])


def test_a_set_is_gone_once_its_last_member_is_removed(kv: EngineClient) -> None:
    kv("SADD", "s", "a", "b")
    events = kv.events()
    assert kv("SREM", "s", "a", "nope", "b", "a") == 2
    assert events == [("srem", "s"), ("del", "s")]
    assert kv("EXISTS", "s") == 0


def test_membership_is_told_for_one_and_for_many(kv: EngineClient) -> None:
    kv("SADD", "s", "1", "2")
    assert kv("SISMEMBER", "s", "1") == 1
    assert kv("SISMEMBER", "s", "01") == 0
    assert kv("SMISMEMBER", "s", "1", "x", "2") == [1, 0, 1]
    assert kv("SMISMEMBER", "nokey", "1") == [0]


def test_members_are_a_set_in_resp3(kv: EngineClient) -> None:
    kv("SADD", "s", "a")
    assert kv.other(resp3=True).raw("SMEMBERS", "s") == b"~1\r\n$1\r\na\r\n"
    assert kv.raw("SMEMBERS", "s") == b"*1\r\n$1\r\na\r\n"
    assert kv.other(resp3=True).raw("SPOP", "nokey", 1) == b"~0\r\n"


def test_spop_takes_out_what_it_returns_and_propagates_that(kv: EngineClient) -> None:
    kv("SADD", "s", "a", "b", "c")
    sent = kv.propagated()
    taken = kv("SPOP", "s")
    assert kv("SISMEMBER", "s", taken) == 0
    assert sent == [[b"SREM", b"s", taken.encode()]]


def test_spop_with_a_count_returns_different_members(kv: EngineClient) -> None:
    kv("SADD", "s", *range(100))
    sent = kv.propagated()
    taken = kv("SPOP", "s", 30)
    assert len(set(taken)) == 30
    assert kv("SCARD", "s") == 70
    assert sent == [[b"SREM", b"s", *[member.encode() for member in taken]]]


@pytest.mark.parametrize(
    "members", [[str(n) for n in range(500)], [f"m{n}" for n in range(100)], [f"m{n}" for n in range(3000)]]
)
def test_spop_of_nearly_all_leaves_the_rest(kv: EngineClient, members: list[str]) -> None:
    kv("SADD", "s", *members)
    taken = kv("SPOP", "s", len(members) - 2)
    left = kv("SMEMBERS", "s")
    assert len(left) == 2
    assert sorted(taken + left) == sorted(members)
    assert kv("OBJECT", "ENCODING", "s") == ("intset" if members[0] == "0" else "listpack")


def test_spop_of_all_deletes_the_key(kv: EngineClient) -> None:
    kv("SADD", "s", "a", "b")
    events, sent = kv.events(), kv.propagated()
    assert sorted(kv("SPOP", "s", 9)) == ["a", "b"]
    assert events == [("spop", "s"), ("del", "s")]
    assert sent == [[b"DEL", b"s"]]


def test_srandmember_takes_nothing_out(kv: EngineClient) -> None:
    kv("SADD", "s", "a", "b", "c")
    assert kv("SRANDMEMBER", "s") in ("a", "b", "c")
    assert len(set(kv("SRANDMEMBER", "s", 2))) == 2
    assert len(kv("SRANDMEMBER", "s", -7)) == 7
    assert sorted(kv("SRANDMEMBER", "s", 7)) == ["a", "b", "c"]
    assert kv("SCARD", "s") == 3


def test_smove_moves_and_tells_of_both_keys(kv: EngineClient) -> None:
    kv("SADD", "s", "a")
    events = kv.events()
    assert kv("SMOVE", "s", "t", "a") == 1
    assert kv("SMEMBERS", "t") == ["a"]
    assert events == [("srem", "s"), ("del", "s"), ("new", "t"), ("sadd", "t")]
    assert kv("SMOVE", "t", "t", "a") == 1
    assert kv("SMOVE", "t", "s", "nope") == 0


def test_smove_refuses_a_destination_of_another_type(kv: EngineClient) -> None:
    kv("SADD", "s", "a")
    kv("SET", "name", "ada")
    with refused(WRONGTYPE):
        kv("SMOVE", "s", "name", "a")
    assert kv("SISMEMBER", "s", "a") == 1
    assert kv("SMOVE", "nokey", "name", "a") == 0


def test_sets_are_combined_by_intersection_union_and_difference(kv: EngineClient) -> None:
    kv("SADD", "a", 1, 2, 3)
    kv("SADD", "b", 2, 3, 4, "x")
    kv("SADD", "c", 3, "x")
    assert kv("SINTER", "a", "b", "c") == ["3"]
    assert sorted(kv("SUNION", "a", "b")) == ["1", "2", "3", "4", "x"]
    assert kv("SDIFF", "a", "b") == ["1"]
    assert kv("SINTER", "a", "nokey") == []
    assert kv("SDIFF", "nokey", "a") == []
    assert kv("SINTERCARD", 2, "a", "b") == 2
    assert kv("SINTERCARD", 2, "a", "b", "LIMIT", 1) == 1


def test_a_stored_result_replaces_whatever_was_there(kv: EngineClient) -> None:
    kv("SADD", "a", 1, 2)
    kv("SET", "target", "text", "EX", 100)
    assert kv("SUNIONSTORE", "target", "a", "nokey") == 2
    assert kv("TYPE", "target") == "set"
    assert kv("TTL", "target") == -1


def test_an_empty_result_deletes_the_destination(kv: EngineClient) -> None:
    kv("SADD", "a", 1)
    kv("SET", "target", "text")
    events = kv.events()
    assert kv("SINTERSTORE", "target", "a", "nokey") == 0
    assert events == [("keymiss", "nokey"), ("del", "target")]
    assert kv("EXISTS", "target") == 0


def test_algebra_with_a_wrong_type_changes_nothing(kv: EngineClient) -> None:
    kv("SADD", "a", 1)
    kv("SET", "name", "ada")
    for command in ("SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"):
        with refused(WRONGTYPE):
            kv(command, "target", "a", "name")
    assert kv("EXISTS", "target") == 0


def test_the_encoding_follows_what_is_added(kv: EngineClient) -> None:
    kv("SADD", "s", *range(512))
    assert kv("OBJECT", "ENCODING", "s") == "intset"
    kv("SADD", "s", 512)
    assert kv("OBJECT", "ENCODING", "s") == "hashtable"
    kv("SADD", "t", 1, "a")
    assert kv("OBJECT", "ENCODING", "t") == "listpack"
    kv("SADD", "t", "x" * 65)
    assert kv("OBJECT", "ENCODING", "t") == "hashtable"


def test_sscan_returns_every_member(kv: EngineClient) -> None:
    members = {f"m{number}" for number in range(3000)}
    kv("SADD", "s", *sorted(members))
    seen: set[str] = set()
    cursor = "0"
    while True:
        cursor, page = kv("SSCAN", "s", cursor, "COUNT", 50)
        seen.update(page)
        if cursor == "0":
            break
    assert seen == members


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("SINTERCARD", 0, "a"), "ERR numkeys should be greater than 0"),
        (("SINTERCARD", 2, "a"), "ERR Number of keys can't be greater than number of args"),
        (("SINTERCARD", 1, "a", "LIMIT", -1), "ERR LIMIT can't be negative"),
        (("SINTERCARD", 1, "a", "b"), "ERR syntax error"),
        (("SPOP", "a", -1), "ERR value is out of range, must be positive"),
        (("SPOP", "a", 1, 2), "ERR syntax error"),
        (("SRANDMEMBER", "a", "x"), "ERR value is not an integer or out of range"),
        (("SSCAN", "a", "x"), "ERR invalid cursor"),
        (("SSCAN", "a", 0, "NOVALUES"), "ERR NOVALUES option can only be used in HSCAN"),
    ],
)
def test_what_set_commands_refuse(kv: EngineClient, words: tuple[str | int, ...], text: str) -> None:
    kv("SADD", "a", 1)
    with refused(text):
        kv(*words)


def test_an_empty_result_deletes_its_key_even_if_the_time_of_that_has_passed(kv: EngineClient) -> None:
    kv("SADD", "old", "a")
    kv("PEXPIRE", "old", 1)
    told = kv.events()
    kv.wait(2)
    assert kv("SINTERSTORE", "old", "none") == 0
    assert told == [("keymiss", "none"), ("del", "old")]
