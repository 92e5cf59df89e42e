"""CLIENT, as clients see it."""

from __future__ import annotations

import pytest

from shardkv.commands.session import Blocked
from shardkv.engine.pausing import Reason
from tests.support.engine_client import EngineClient, refused


def fields(line: str) -> dict[str, str]:
    """A line of CLIENT LIST."""
    return dict(field.split("=", 1) for field in line.split(" "))


def test_every_connection_has_its_own_id(kv: EngineClient, other: EngineClient) -> None:
    assert other("CLIENT", "ID") > kv("CLIENT", "ID")


def test_a_name_is_kept_until_it_is_emptied(kv: EngineClient) -> None:
    assert kv("CLIENT", "GETNAME") is None
    assert kv("CLIENT", "SETNAME", "worker-1") == "OK"
    assert kv("CLIENT", "GETNAME") == "worker-1"
    kv("CLIENT", "SETNAME", "")
    assert kv("CLIENT", "GETNAME") is None


@pytest.mark.parametrize("name", ["two words", "line\nend", "é", "\x7f"])
def test_a_name_is_one_printable_word(kv: EngineClient, name: str) -> None:
    with refused("ERR Client names cannot contain spaces, newlines or special characters."):
        kv("CLIENT", "SETNAME", name)


def test_a_library_tells_its_name_and_version(kv: EngineClient) -> None:
    assert kv("CLIENT", "SETINFO", "LIB-NAME", "redis-py") == "OK"
    assert kv("CLIENT", "SETINFO", "lib-ver", "8.0.0") == "OK"
    shown = fields(kv("CLIENT", "INFO").rstrip("\n"))
    assert (shown["lib-name"], shown["lib-ver"]) == ("redis-py", "8.0.0")
    with refused("ERR lib-name cannot contain spaces, newlines or special characters."):
        kv("CLIENT", "SETINFO", "lib-name", "two words")
    with refused("ERR Unrecognized option 'LIB-COLOUR'"):
        kv("CLIENT", "SETINFO", "LIB-COLOUR", "red")


def test_client_info_has_the_fields_of_redis_7_4_in_their_order(kv: EngineClient) -> None:
    line = kv("CLIENT", "INFO")
    assert line.endswith("\n")
    assert list(fields(line.rstrip("\n"))) == [
        "id",
        "addr",
        "laddr",
        "fd",
        "name",
        "age",
        "idle",
        "flags",
        "db",
        "sub",
        "psub",
        "ssub",
        "multi",
        "watch",
        "qbuf",
        "qbuf-free",
        "argv-mem",
        "multi-mem",
        "rbs",
        "rbp",
        "obl",
        "oll",
        "omem",
        "tot-mem",
        "events",
        "cmd",
        "user",
        "redir",
        "resp",
        "lib-name",
        "lib-ver",
    ]


def test_client_info_tells_what_the_connection_is_doing(kv: EngineClient) -> None:
    kv("SELECT", 3)
    kv("WATCH", "a", "b")
    kv("CLIENT", "NO-EVICT", "ON")
    kv("CLIENT", "NO-TOUCH", "ON")
    kv.wait(5000)
    shown = fields(kv("CLIENT", "INFO").rstrip("\n"))
    assert (shown["db"], shown["watch"], shown["flags"], shown["age"]) == ("3", "2", "eT", "5")
    assert (shown["qbuf"], shown["argv-mem"]) == ("26", "10")  # of this request
    assert (shown["multi"], shown["cmd"], shown["resp"], shown["user"]) == ("-1", "client|info", "2", "default")


def test_client_list_has_a_line_for_every_connection(kv: EngineClient, other: EngineClient) -> None:
    other("MULTI")
    other("SET", "a", "1")
    first, second = kv("CLIENT", "LIST").splitlines()
    assert fields(first)["id"] == "1"
    assert (fields(second)["multi"], fields(second)["flags"], fields(second)["multi-mem"]) == ("1", "x", "5")


def test_client_list_by_id_and_by_type(kv: EngineClient, other: EngineClient) -> None:
    other.session.channels[b"news"] = None
    assert [fields(line)["id"] for line in kv("CLIENT", "LIST", "ID", 2, 99, 1).splitlines()] == ["2", "1"]
    assert [fields(line)["id"] for line in kv("CLIENT", "LIST", "TYPE", "pubsub").splitlines()] == ["2"]
    assert kv("CLIENT", "LIST", "TYPE", "replica") == ""
    with refused("ERR Unknown client type 'ghost'"):
        kv("CLIENT", "LIST", "TYPE", "ghost")
    with refused("ERR Invalid client ID"):
        kv("CLIENT", "LIST", "ID", 1, "x")


# ---- KILL


def test_a_connection_is_killed_by_its_address(kv: EngineClient, other: EngineClient) -> None:
    other.session.address = "10.0.0.1:5000"
    assert kv("CLIENT", "KILL", "10.0.0.1:5000") == "OK"
    assert other.session.closed
    with refused("ERR No such client"):
        kv("CLIENT", "KILL", "10.0.0.1:5000")


def test_filters_all_have_to_fit_and_the_killed_are_counted(kv: EngineClient) -> None:
    clients = [kv.other() for _ in range(3)]
    clients[0].session.address = clients[1].session.address = "10.0.0.1:5000"
    assert kv("CLIENT", "KILL", "ADDR", "10.0.0.1:5000", "ID", clients[1].session.id) == 1
    assert [client.session.closed for client in clients] == [False, True, False]
    assert kv("CLIENT", "KILL", "TYPE", "normal") == 2
    assert not kv.session.close_after_reply


def test_skipme_no_kills_the_one_who_asks_as_well_after_its_reply(kv: EngineClient) -> None:
    assert kv("CLIENT", "KILL", "SKIPME", "no", "USER", "default") == 1
    assert kv.session.close_after_reply


def test_maxage_kills_those_that_are_old_enough(kv: EngineClient, other: EngineClient) -> None:
    kv.wait(10_000)
    young = kv.other()
    assert kv("CLIENT", "KILL", "MAXAGE", 10) == 1
    assert other.session.closed
    assert not young.session.closed


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["ID", "0"], "ERR client-id should be greater than 0"),
        (["ID", "x"], "ERR client-id should be greater than 0"),
        (["TYPE", "ghost"], "ERR Unknown client type 'ghost'"),
        (["USER", "nobody"], "ERR No such user 'nobody'"),
        (["MAXAGE", "x"], "ERR maxage is not an integer or out of range"),
        (["MAXAGE", "0"], "ERR maxage should be greater than 0"),
        (["SKIPME", "perhaps"], "ERR syntax error"),
        (["COLOUR", "red"], "ERR syntax error"),
        (["ID", "2", "ADDR"], "ERR syntax error"),
    ],
)
def test_a_filter_that_makes_no_sense_kills_nobody(
    kv: EngineClient, other: EngineClient, words: list[str], text: str
) -> None:
    with refused(text):
        kv("CLIENT", "KILL", *words)
    assert not other.session.closed


# ---- REPLY


def test_replies_can_be_switched_off(kv: EngineClient) -> None:
    assert kv.raw("CLIENT", "REPLY", "OFF") == b""
    assert kv.raw("SET", "name", "ada") == b""
    assert kv.raw("CLIENT", "REPLY", "SKIP") == b""
    assert kv("CLIENT", "REPLY", "ON") == "OK"
    assert kv("GET", "name") == "ada"
    assert kv.session.plain


def test_one_reply_can_be_skipped(kv: EngineClient) -> None:
    assert kv.raw("CLIENT", "REPLY", "SKIP") == b""
    assert kv.raw("PING", "unheard") == b""
    assert kv("PING", "heard") == "heard"


# ---- PAUSE


def test_a_pause_holds_everything_back_until_it_ends(kv: EngineClient, other: EngineClient) -> None:
    assert kv("CLIENT", "PAUSE", 100) == "OK"
    assert other.raw("GET", "name") == b""
    kv.wait(100)
    assert other.taken() == b"$-1\r\n"


def test_a_pause_of_writes_lets_reads_through(kv: EngineClient, other: EngineClient) -> None:
    kv("CLIENT", "PAUSE", 100, "WRITE")
    assert other("GET", "name") is None
    assert other.raw("SET", "name", "ada") == b""
    assert kv("CLIENT", "UNPAUSE") == "OK"
    kv.settle()
    assert other.taken() == b"+OK\r\n"


def test_a_pause_of_writes_lets_scripts_through_that_say_that_they_write_nothing(
    kv: EngineClient, other: EngineClient
) -> None:
    says_so, silent, writes = "#!lua flags=no-writes\nreturn 1", "return 1", "#!lua\nreturn 1"
    library = "redis.register_function{function_name='f', callback=function() return 1 end, flags={'no-writes'}}"
    kv("FUNCTION", "LOAD", f"#!lua name=lib\n{library}\nredis.register_function('g', function() return 1 end)")
    sha = kv("SCRIPT", "LOAD", "#!lua flags=no-writes\nreturn 2")
    kv("CLIENT", "PAUSE", 100, "WRITE")
    assert other("EVAL", says_so, 0) == 1
    assert other("EVALSHA", sha, 0) == 2
    assert other("EVAL_RO", silent, 0) == 1
    assert other("FCALL", "f", 0) == 1
    assert other("MULTI") == "OK"
    assert other("EVAL", says_so, 0) == "QUEUED"
    assert other("EXEC") == [1]
    held: tuple[list[str | int], ...]
    held = (["EVAL", silent, 0], ["EVAL", writes, 0], ["EVALSHA", "0" * 40, 0], ["FCALL", "g", 0])
    for words in held:
        waiting = kv.other()
        assert waiting.raw(*words) == b"", words


def test_a_pause_of_writes_keeps_what_expires_meanwhile_and_does_not_show_it(
    kv: EngineClient, other: EngineClient
) -> None:
    sent = kv.propagated()
    kv("SET", "name", "ada", "PX", 10)
    kv("HSET", "hash", "a", 1, "b", 2)
    kv("HPEXPIRE", "hash", 10, "FIELDS", 1, "a")
    kv("CLIENT", "PAUSE", 1000, "WRITE")
    kv.wait(20)
    del sent[:]
    assert other("GET", "name") is None
    assert other("HGETALL", "hash") == ["b", "2"]
    assert other("RANDOMKEY") in ("hash", "name")
    kv.engine.expiring.step(kv.now, 1.0)
    assert sent == []
    assert "expired_keys:0\r\n" in kv("INFO", "stats")
    kv("CLIENT", "UNPAUSE")
    assert other("GET", "name") is None
    assert sent == [[b"DEL", b"name"]]


def test_pauses_end_each_by_itself(kv: EngineClient, other: EngineClient) -> None:
    kv.engine.pause(2**62, True, Reason.SHUTDOWN)
    kv("CLIENT", "PAUSE", 100, "ALL")
    assert other.raw("GET", "name") == b""
    assert other.raw("SET", "name", "ada") == b""
    kv.engine.unpause()  # the client's, for which reads wait, too
    kv.settle()
    assert other.taken() == b"$-1\r\n"
    kv.engine.unpause(Reason.SHUTDOWN)
    kv.settle()
    assert other.taken() == b"+OK\r\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["x"], "ERR timeout is not an integer or out of range"),
        (["-1"], "ERR timeout is negative"),
        ([str(2**63 - 1)], "ERR timeout is out of range"),
        (["1", "SOME"], "ERR CLIENT PAUSE mode must be WRITE or ALL"),
        (["1", "ALL", "x"], "ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP."),
    ],
)
def test_a_pause_that_makes_no_sense_is_refused(kv: EngineClient, words: list[str], text: str) -> None:
    with refused(text):
        kv("CLIENT", "PAUSE", *words)
    assert kv.engine.pausing.until is None


# ---- UNBLOCK


def wait_for_ever(client: EngineClient) -> None:
    """Let a client wait for a key that never comes."""
    ctx = client.engine.context
    client.engine.waiting.add(
        client.session,
        Blocked(
            keys=(b"never",),
            deadline=None,
            attempt=lambda ctx: None,
            on_timeout=None,
            db=client.db,
            command=client.engine.commands[b"get"],
            words=[b"GET", b"never"],
            since=ctx.now,
        ),
    )


def test_a_blocked_client_is_unblocked_as_by_its_timeout(kv: EngineClient, other: EngineClient) -> None:
    wait_for_ever(other)
    assert kv("CLIENT", "UNBLOCK", other.session.id) == 1
    assert other.taken() == b"$-1\r\n"
    assert kv("CLIENT", "UNBLOCK", other.session.id) == 0


def test_or_with_an_error(kv: EngineClient, other: EngineClient) -> None:
    wait_for_ever(other)
    assert kv("CLIENT", "UNBLOCK", other.session.id, "error") == 1
    assert other.taken() == b"-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"


def test_unblock_wants_a_way_that_it_knows(kv: EngineClient) -> None:
    with refused("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"):
        kv("CLIENT", "UNBLOCK", 1, "GENTLY")
    with refused("ERR value is not an integer or out of range"):
        kv("CLIENT", "UNBLOCK", "x")
