"""Streams and consumer groups, as a client sees them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.engine_client import BEGIN, EngineClient, decode, plain, refused

A_GROUP_IS_GONE = "NOGROUP No such key 'x' or consumer group 'g' in XREADGROUP with GROUP option"


@pytest.fixture
def filled(kv: EngineClient) -> EngineClient:
    """Entries 1-1 to 5-1, and a group that has read none of them."""
    for number in range(1, 6):
        kv("XADD", "x", f"{number}-1", "f", number)
    kv("XGROUP", "CREATE", "x", "g", 0)
    return kv


def got(client: EngineClient) -> Any:
    """What a client that waited was sent."""
    return plain(decode(client.taken()))


def pending(kv: EngineClient) -> list[Any]:
    """Id, owner and deliveries of all that is pending."""
    return [[id, owner, count] for id, owner, _, count in kv("XPENDING", "x", "g", "-", "+", 100)]


def group(kv: EngineClient) -> dict[str, Any]:
    """What XINFO GROUPS tells of the only group."""
    (fields,) = kv("XINFO", "GROUPS", "x")
    return dict(zip(fields[::2], fields[1::2], strict=True))


# ---- entries


def test_xadd_makes_ids_from_the_time(kv: EngineClient) -> None:
    assert kv("XADD", "x", "*", "f", "v") == f"{BEGIN}-0"
    assert kv("XADD", "x", "*", "f", "v") == f"{BEGIN}-1"
    kv.wait(5)
    assert kv("XADD", "x", "*", "f", "v") == f"{BEGIN + 5}-0"


def test_xadd_goes_on_counting_when_the_clock_is_behind(kv: EngineClient) -> None:
    kv("XADD", "x", f"{BEGIN + 1000}-7", "f", "v")
    assert kv("XADD", "x", "*", "f", "v") == f"{BEGIN + 1000}-8"


def test_a_sequence_can_be_left_to_the_server(kv: EngineClient) -> None:
    assert [kv("XADD", "x", "5-*", "f", "v") for _ in range(3)] == ["5-0", "5-1", "5-2"]
    assert kv("XADD", "y", "0-*", "f", "v") == "0-1"


def test_ids_only_grow(kv: EngineClient) -> None:
    kv("XADD", "x", "5-1", "f", "v")
    with refused("ERR The ID specified in XADD is equal or smaller than the target stream top item"):
        kv("XADD", "x", "5-1", "f", "v")
    kv("XDEL", "x", "5-1")
    with refused("ERR The ID specified in XADD is equal or smaller than the target stream top item"):
        kv("XADD", "x", "5-1", "f", "v")


def test_a_refused_xadd_makes_no_key(kv: EngineClient) -> None:
    with refused("ERR The ID specified in XADD must be greater than 0-0"):
        kv("XADD", "x", "0-0", "f", "v")
    assert kv("XADD", "x", "NOMKSTREAM", "*", "f", "v") is None
    assert kv("EXISTS", "x") == 0


def test_an_empty_stream_stays(kv: EngineClient) -> None:
    kv("XADD", "x", "1-1", "f", "v")
    assert kv("XDEL", "x", "1-1") == 1
    assert kv("EXISTS", "x") == 1
    assert kv("XLEN", "x") == 0


def test_approximate_trimming_takes_whole_nodes_only(kv: EngineClient) -> None:
    for number in range(1, 251):
        kv("XADD", "x", number, "f", "v")
    assert kv("XTRIM", "x", "MAXLEN", "~", 100) == 100
    assert kv("XTRIM", "x", "MAXLEN", "~", 100) == 0
    assert kv("XTRIM", "x", "MAXLEN", "~", 0, "LIMIT", 60) == 0
    assert kv("XTRIM", "x", "MAXLEN", 100) == 50
    assert kv("XTRIM", "x", "MINID", 200) == 49
    assert kv("XRANGE", "x", "-", "+", "COUNT", 1) == [["200-0", ["f", "v"]]]


def test_a_range_may_leave_its_ends_out(filled: EngineClient) -> None:
    assert [id for id, _ in filled("XRANGE", "x", "(1-1", "(4-1")] == ["2-1", "3-1"]
    assert [id for id, _ in filled("XREVRANGE", "x", "+", "(3", "COUNT", 2)] == ["5-1", "4-1"]
    assert [id for id, _ in filled("XRANGE", "x", "2", "3")] == ["2-1", "3-1"]


def test_xread_gives_what_is_behind_an_id_of_each_stream(filled: EngineClient) -> None:
    filled("XADD", "y", "1-1", "g", "w")
    assert filled("XREAD", "COUNT", 1, "STREAMS", "x", "y", "3-1", 0) == [
        ["x", [["4-1", ["f", "4"]]]],
        ["y", [["1-1", ["g", "w"]]]],
    ]
    assert filled("XREAD", "STREAMS", "x", "$") is None


def test_xread_can_ask_for_the_last_entry(filled: EngineClient) -> None:
    filled("XDEL", "x", "5-1")
    assert filled("XREAD", "STREAMS", "x", "+") == [["x", [["4-1", ["f", "4"]]]]]
    assert filled("XREAD", "STREAMS", "nokey", "+") is None


# ---- waiting


def test_a_waiting_reader_is_given_what_is_added_next(kv: EngineClient, other: EngineClient) -> None:
    kv.send("XREAD", "BLOCK", 0, "STREAMS", "x", "y", "$", "$")
    other("XADD", "y", "1-1", "f", "v")
    assert got(kv) == [["y", [["1-1", ["f", "v"]]]]]


def test_a_waiting_reader_is_given_all_of_a_transaction(kv: EngineClient, other: EngineClient) -> None:
    kv.send("XREAD", "BLOCK", 0, "STREAMS", "x", "y", "$", "$")
    other("MULTI")
    other("XADD", "x", "1-1", "f", "v")
    other("XADD", "y", "1-1", "f", "v")
    other("XADD", "y", "2-1", "f", "v")
    other("EXEC")
    assert [(name, len(entries)) for name, entries in got(kv)] == [("x", 1), ("y", 2)]


def test_a_waiting_reader_gets_null_when_the_time_is_over(kv: EngineClient) -> None:
    kv.send("XREAD", "BLOCK", 100, "STREAMS", "x", "$")
    kv.wait(99)
    assert kv.taken() == b""
    kv.wait(1)
    assert kv.taken() == b"*-1\r\n"


def test_nobody_waits_inside_a_transaction(kv: EngineClient) -> None:
    kv("MULTI")
    kv("XREAD", "BLOCK", 0, "STREAMS", "x", "$")
    assert kv("EXEC") == [None]


def test_another_type_of_value_wakes_no_reader(kv: EngineClient, other: EngineClient) -> None:
    kv.send("XREAD", "BLOCK", 0, "STREAMS", "x", "$")
    other("SET", "x", "v")
    assert kv.taken() == b""
    other("DEL", "x")
    other("XADD", "x", "1-1", "f", "v")
    assert got(kv) == [["x", [["1-1", ["f", "v"]]]]]


def test_waiting_consumers_are_served_in_their_order(filled: EngineClient, other: EngineClient) -> None:
    filled("XGROUP", "SETID", "x", "g", "$")
    third = filled.other()
    filled.send("XREADGROUP", "GROUP", "g", "ann", "COUNT", 1, "BLOCK", 0, "STREAMS", "x", ">")
    third.send("XREADGROUP", "GROUP", "g", "bob", "COUNT", 1, "BLOCK", 0, "STREAMS", "x", ">")
    other("XADD", "x", "6-1", "f", "6")
    assert got(filled) == [["x", [["6-1", ["f", "6"]]]]]
    assert third.taken() == b""
    other("XADD", "x", "7-1", "f", "7")
    assert got(third) == [["x", [["7-1", ["f", "7"]]]]]
    assert pending(other) == [["6-1", "ann", 1], ["7-1", "bob", 1]]


@pytest.mark.parametrize("ending", [("DEL", "x"), ("XGROUP", "DESTROY", "x", "g"), ("RENAME", "x", "y")])
def test_a_waiting_consumer_is_told_that_its_group_is_gone(
    filled: EngineClient, other: EngineClient, ending: tuple[str, ...]
) -> None:
    filled("XGROUP", "SETID", "x", "g", "$")
    filled.send("XREADGROUP", "GROUP", "g", "ann", "BLOCK", 0, "STREAMS", "x", ">")
    other(*ending)
    with refused(A_GROUP_IS_GONE):
        got(filled)


def test_a_waiting_consumer_is_told_of_a_value_of_another_type(filled: EngineClient, other: EngineClient) -> None:
    filled("XGROUP", "SETID", "x", "g", "$")
    filled.send("XREADGROUP", "GROUP", "g", "ann", "BLOCK", 0, "STREAMS", "x", ">")
    other("SET", "x", "v")
    with refused("WRONGTYPE Operation against a key holding the wrong kind of value"):
        got(filled)


# ---- groups


def test_each_entry_goes_to_one_consumer_of_a_group(filled: EngineClient) -> None:
    filled("XREADGROUP", "GROUP", "g", "ann", "COUNT", 2, "STREAMS", "x", ">")
    filled("XREADGROUP", "GROUP", "g", "bob", "STREAMS", "x", ">")
    owners = [owner for _, owner, _ in pending(filled)]
    assert owners == ["ann", "ann", "bob", "bob", "bob"]
    assert filled("XPENDING", "x", "g") == [5, "1-1", "5-1", [["ann", "2"], ["bob", "3"]]]
    assert filled("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "x", ">") is None


def test_a_consumer_can_read_again_what_is_pending_for_it(filled: EngineClient) -> None:
    filled("XREADGROUP", "GROUP", "g", "ann", "COUNT", 2, "STREAMS", "x", ">")
    filled("XDEL", "x", "1-1")
    assert filled("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "x", 0) == [["x", [["1-1", None], ["2-1", ["f", "2"]]]]]
    assert pending(filled) == [["1-1", "ann", 1], ["2-1", "ann", 2]]
    assert filled("XREADGROUP", "GROUP", "g", "bob", "STREAMS", "x", 0) == [["x", []]]


def test_what_is_acknowledged_is_no_longer_pending(filled: EngineClient) -> None:
    filled("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "x", ">")
    assert filled("XACK", "x", "g", "1-1", "2-1", "9-9") == 2
    assert len(pending(filled)) == 3


def test_noack_leaves_nothing_pending(filled: EngineClient) -> None:
    filled("XREADGROUP", "GROUP", "g", "ann", "NOACK", "STREAMS", "x", ">")
    assert pending(filled) == []
    assert group(filled)["entries-read"] == 5


def test_idle_entries_can_be_claimed(filled: EngineClient) -> None:
    filled("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "x", ">")
    filled.wait(1000)
    assert filled("XCLAIM", "x", "g", "bob", 2000, "1-1") == []
    assert filled("XCLAIM", "x", "g", "bob", 1000, "1-1") == [["1-1", ["f", "1"]]]
    assert filled("XCLAIM", "x", "g", "bob", 1000, "1-1") == []
    assert filled("XCLAIM", "x", "g", "bob", 0, "2-1", "JUSTID", "RETRYCOUNT", 9) == ["2-1"]
    assert pending(filled)[:2] == [["1-1", "bob", 2], ["2-1", "bob", 9]]


def test_xautoclaim_goes_through_what_is_pending_and_clears_what_was_deleted(filled: EngineClient) -> None:
    filled("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "x", ">")
    filled("XDEL", "x", "2-1")
    assert filled("XAUTOCLAIM", "x", "g", "bob", 0, 0, "COUNT", 3, "JUSTID") == ["4-1", ["1-1", "3-1"], ["2-1"]]
    assert filled("XAUTOCLAIM", "x", "g", "bob", 0, "4-1", "JUSTID") == ["0-0", ["4-1", "5-1"], []]
    assert [id for id, _, _ in pending(filled)] == ["1-1", "3-1", "4-1", "5-1"]


def test_xautoclaim_looks_at_ten_entries_for_each_it_may_claim(kv: EngineClient) -> None:
    for number in range(1, 31):
        kv("XADD", "x", number, "f", "v")
    kv("XGROUP", "CREATE", "x", "g", 0)
    kv("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "x", ">")
    assert kv("XAUTOCLAIM", "x", "g", "bob", 1000, 0, "COUNT", 2) == ["21-0", [], []]


def test_the_pending_entries_of_a_deleted_consumer_go_with_it(filled: EngineClient) -> None:
    filled("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "x", ">")
    assert filled("XGROUP", "DELCONSUMER", "x", "g", "ann") == 5
    assert pending(filled) == []


# ---- what is known about a stream


def test_the_lag_of_a_group_is_what_it_has_not_read(filled: EngineClient) -> None:
    assert group(filled)["lag"] == 5
    filled("XREADGROUP", "GROUP", "g", "ann", "COUNT", 2, "STREAMS", "x", ">")
    assert (group(filled)["entries-read"], group(filled)["lag"]) == (2, 3)


def test_the_lag_is_unknown_behind_a_gap(filled: EngineClient) -> None:
    filled("XREADGROUP", "GROUP", "g", "ann", "COUNT", 2, "STREAMS", "x", ">")
    filled("XDEL", "x", "4-1")
    assert group(filled)["lag"] is None
    filled("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "x", ">")
    assert (group(filled)["entries-read"], group(filled)["lag"]) == (5, 0)


def test_the_lag_is_all_of_a_trimmed_stream_that_is_left(filled: EngineClient) -> None:
    filled("XREADGROUP", "GROUP", "g", "ann", "COUNT", 1, "STREAMS", "x", ">")
    filled("XTRIM", "x", "MAXLEN", 2)
    assert group(filled)["lag"] == 2


def test_xinfo_tells_when_a_consumer_asked_and_when_it_got_something(filled: EngineClient) -> None:
    kv = EngineClient(filled.engine, resp3=True)
    kv("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "x", ">")
    kv("XGROUP", "CREATECONSUMER", "x", "g", "bob")
    kv.wait(10)
    kv("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "x", ">")
    kv.wait(5)
    assert kv("XINFO", "CONSUMERS", "x", "g") == [
        {"name": "ann", "pending": 5, "idle": 5, "inactive": 15},
        {"name": "bob", "pending": 0, "idle": 15, "inactive": -1},
    ]


def test_xinfo_stream_full_tells_all(filled: EngineClient) -> None:
    kv = EngineClient(filled.engine, resp3=True)
    kv("XREADGROUP", "GROUP", "g", "ann", "COUNT", 1, "STREAMS", "x", ">")
    told = kv("XINFO", "STREAM", "x", "FULL", "COUNT", 1)
    assert (told["length"], told["entries"]) == (5, [["1-1", ["f", "1"]]])
    consumer = {"name": "ann", "seen-time": BEGIN, "active-time": BEGIN, "pel-count": 1, "pending": [["1-1", BEGIN, 1]]}
    assert told["groups"] == [
        {"name": "g", "last-delivered-id": "1-1", "entries-read": 1, "lag": 4, "pel-count": 1}
        | {"pending": [["1-1", "ann", BEGIN, 1]], "consumers": [consumer]}
    ]


# ---- consequences


def test_replicas_get_what_xadd_came_to(kv: EngineClient) -> None:
    sent = kv.propagated()
    kv("XADD", "x", "*", "f", "v")
    kv("XADD", "x", "MAXLEN", "~", 1, "LIMIT", 5, f"{BEGIN}-*", "f", "v")
    assert sent == [
        [b"XADD", b"x", b"%d-0" % BEGIN, b"f", b"v"],
        [b"XADD", b"x", b"MAXLEN", b"=", b"2", b"LIMIT", b"5", b"%d-1" % BEGIN, b"f", b"v"],
    ]


def test_a_primary_may_say_a_limit_on_an_exact_trim(kv: EngineClient) -> None:
    kv.session.is_primary = True
    kv.session.refresh()
    kv.send("XADD", "x", "MAXLEN", "=", 0, "LIMIT", 5, "1-1", "f", "v")
    kv.session.is_primary = False
    kv.session.refresh()
    kv.taken()
    assert kv("XLEN", "x") == 0


def test_replicas_get_the_position_of_a_group_and_what_is_pending(filled: EngineClient) -> None:
    sent = filled.propagated()
    filled("XREADGROUP", "GROUP", "g", "ann", "COUNT", 1, "STREAMS", "x", ">")
    claim = f"XCLAIM x g ann 0 1-1 TIME {BEGIN} RETRYCOUNT 1 FORCE JUSTID LASTID 1-1"
    assert [b" ".join(words).decode() for words in sent] == [
        "MULTI",
        claim,
        "XGROUP SETID x g 1-1 ENTRIESREAD 1",
        "EXEC",
    ]


def test_a_replica_that_is_fed_so_has_the_same_groups(filled: EngineClient) -> None:
    replica = EngineClient()
    for number in range(1, 6):
        replica("XADD", "x", f"{number}-1", "f", number)
    replica("XGROUP", "CREATE", "x", "g", 0)
    sent = filled.propagated()
    filled("XREADGROUP", "GROUP", "g", "ann", "COUNT", 3, "STREAMS", "x", ">")
    filled("XDEL", "x", "2-1")
    filled("XAUTOCLAIM", "x", "g", "bob", 0, "2-1")
    filled("XACK", "x", "g", "1-1")
    filled("XREADGROUP", "GROUP", "g", "eve", "NOACK", "COUNT", 1, "STREAMS", "x", ">")
    filled("XTRIM", "x", "MINID", "~", 3)
    for words in sent:
        replica.raw(*words)
    assert pending(replica) == pending(filled) == [["3-1", "bob", 2]]
    assert group(replica) == group(filled)


def test_events_are_told_in_order(kv: EngineClient) -> None:
    told = kv.events()
    kv("XGROUP", "CREATE", "x", "g", "$", "MKSTREAM")
    kv("XADD", "x", "1-1", "f", "v")
    kv("XADD", "x", "MAXLEN", 1, "2-1", "f", "v")
    kv("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "x", ">")
    kv("XACK", "x", "g", "2-1")
    kv("XSETID", "x", "9-9")
    kv("XGROUP", "DELCONSUMER", "x", "g", "ann")
    kv("XGROUP", "DESTROY", "x", "g")
    kv("XDEL", "x", "2-1")
    groups = ["createconsumer", "delconsumer", "destroy"]
    created, deleted, destroyed = (f"xgroup-{name}" for name in groups)
    assert [event for event, _ in told] == [
        *["new", "xgroup-create", "xadd", "xadd", "xtrim", created, "xsetid", deleted, destroyed, "xdel"]
    ]


def test_the_digest_tells_streams_apart(kv: EngineClient) -> None:
    kv.engine.config.enable_debug_command = "yes"
    kv("XADD", "x", "1-1", "f", "v")
    kv("XADD", "y", "1-1", "f", "w")
    kv("COPY", "x", "z")
    one, two, three = kv("DEBUG", "DIGEST-VALUE", "x", "y", "z")
    assert one == three != two


def test_a_key_of_another_type_wakes_nobody_but_spoils_the_reading_of_the_others(kv: EngineClient) -> None:
    waiting = kv.other()
    waiting.send("XREAD", "BLOCK", 0, "STREAMS", "x", "y", "9-9", "0")
    kv("SET", "y", "text")
    assert waiting.taken() == b""
    kv("XADD", "x", "1-1", "a", 1)  # not behind 9-9, but all are looked at
    assert waiting.taken() == b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"


@pytest.mark.parametrize("flush", [("FLUSHALL", "ASYNC"), ("FLUSHDB",), ("DEL", "events")])
def test_a_group_that_goes_ends_the_waits_of_its_readers(
    kv: EngineClient, other: EngineClient, flush: tuple[str]
) -> None:
    kv("XGROUP", "CREATE", "events", "g", "0", "MKSTREAM")
    kv.send("XREADGROUP", "GROUP", "g", "me", "BLOCK", 0, "STREAMS", "events", ">")
    other(*flush)
    kv.settle()
    assert kv.taken().startswith(b"-NOGROUP No such key 'events' or consumer group 'g'")


def test_a_flush_leaves_those_waiting_who_wait_for_what_was_not_there(kv: EngineClient, other: EngineClient) -> None:
    kv.send("BLPOP", "list", 0)
    other("SET", "a", 1)
    other("FLUSHALL")
    other("RPUSH", "list", "x")
    kv.settle()
    assert kv.taken() == b"*2\r\n$4\r\nlist\r\n$1\r\nx\r\n"
