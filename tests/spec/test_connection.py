"""Connections, as a client sees them."""

from __future__ import annotations

import pytest

from shardkv.commands.versions import REDIS_VERSION
from shardkv.config import Config
from tests.support.engine_client import EngineClient, refused

WRONG = "WRONGPASS invalid username-password pair or user is disabled."


@pytest.fixture
def locked() -> EngineClient:
    """A client of an engine that wants the password ``secret``."""
    config = Config()
    config.set([(b"requirepass", b"secret")])
    return EngineClient(config=config)


def test_ping_answers_pong_or_the_message(kv: EngineClient) -> None:
    assert kv("PING") == "PONG"
    assert kv("PING", "hello") == "hello"
    with refused("ERR wrong number of arguments for 'ping' command"):
        kv("PING", "a", "b")


def test_a_resp2_subscriber_is_ponged_like_a_message(kv: EngineClient) -> None:
    kv.session.channels[b"news"] = None
    kv.session.refresh()
    assert kv("PING") == ["pong", ""]
    assert kv("PING", "x") == ["pong", "x"]


def test_echo_answers_the_message(kv: EngineClient) -> None:
    assert kv("ECHO", "hello") == "hello"


def test_select_changes_the_database(kv: EngineClient) -> None:
    kv("SET", "name", "ada")
    assert kv("SELECT", 9) == "OK"
    assert kv("GET", "name") is None
    kv("SELECT", 0)
    assert kv("GET", "name") == "ada"


def test_select_refuses_what_is_no_database(kv: EngineClient) -> None:
    for index in (-1, 16):
        with refused("ERR DB index is out of range"):
            kv("SELECT", index)
    with refused("ERR value is not an integer or out of range"):
        kv("SELECT", "one")
    with refused("ERR value is out of range, value must between -2147483648 and 2147483647"):
        kv("SELECT", 1 << 31)


def test_a_cluster_has_no_database_but_the_first(kv: EngineClient) -> None:
    kv.engine.cluster = object()  # type: ignore[assignment]  # anything that is there will do
    del kv.engine.databases[1:]
    with refused("ERR SELECT is not allowed in cluster mode"):
        kv("SELECT", 1)
    assert kv("SELECT", 0) == "OK"


def test_quit_closes_after_a_last_reply(kv: EngineClient) -> None:
    assert kv("QUIT") == "OK"
    assert kv.session.close_after_reply


# ---- HELLO


def test_hello_says_who_the_server_is(kv: EngineClient) -> None:
    assert kv("HELLO", 3) == {
        "server": "redis",
        "version": REDIS_VERSION,
        "proto": 3,
        "id": 1,
        "mode": "standalone",
        "role": "master",
        "modules": [],
    }
    assert kv.raw("GET", "nothing") == b"_\r\n"


def test_hello_without_a_version_keeps_the_protocol(kv: EngineClient) -> None:
    kv("HELLO", 3)
    assert kv("HELLO")["proto"] == 3


def test_hello_can_name_the_connection(kv: EngineClient) -> None:
    kv("HELLO", 2, "SETNAME", "worker")
    assert kv("CLIENT", "GETNAME") == "worker"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["4"], "NOPROTO unsupported protocol version"),
        (["three"], "ERR Protocol version is not an integer or out of range"),
        (["3", "SETNAME"], "ERR Syntax error in HELLO option 'SETNAME'"),
        (["3", "AUTH", "default"], "ERR Syntax error in HELLO option 'AUTH'"),
        (["3", "what"], "ERR Syntax error in HELLO option 'what'"),
        (["3", "SETNAME", "two words"], "ERR Client names cannot contain spaces, newlines or special characters."),
        (["3", "SETNAME", "x", "AUTH", "nobody", "x"], WRONG),
    ],
)
def test_hello_that_fails_changes_nothing(kv: EngineClient, words: list[str], text: str) -> None:
    with refused(text):
        kv("HELLO", *words)
    assert kv("HELLO")  # a RESP2 reply is a list
    assert isinstance(kv("HELLO"), list)
    assert kv("CLIENT", "GETNAME") is None


# ---- passwords


def test_nothing_is_answered_before_the_password(locked: EngineClient) -> None:
    with refused("NOAUTH Authentication required."):
        locked("GET", "name")
    assert locked("AUTH", "secret") == "OK"
    assert locked("GET", "name") is None


def test_the_default_user_may_be_named(locked: EngineClient) -> None:
    assert locked("AUTH", "default", "secret") == "OK"


def test_a_wrong_password_or_user_is_refused_alike(locked: EngineClient) -> None:
    for words in (["guess"], ["default", "guess"], ["nobody", "secret"]):
        with refused(WRONG):
            locked("AUTH", *words)
    with refused("ERR syntax error"):
        locked("AUTH", "default", "secret", "more")


def test_hello_wants_the_password_too(locked: EngineClient) -> None:
    with refused(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> "
        "option can be used to authenticate the client and select the RESP protocol version at the same time"
    ):
        locked("HELLO", 3)
    assert locked("HELLO", 3, "AUTH", "default", "secret")["proto"] == 3


def test_a_password_where_none_is_asked_for_is_a_mistake(kv: EngineClient) -> None:
    with refused(
        "ERR AUTH <password> called without any password configured for the default user. "
        "Are you sure your configuration is correct?"
    ):
        kv("AUTH", "secret")
    assert kv("AUTH", "default", "anything") == "OK"


# ---- RESET


def test_reset_makes_the_connection_new(kv: EngineClient) -> None:
    kv("HELLO", 3, "SETNAME", "worker")
    kv("SELECT", 3)
    kv("CLIENT", "NO-TOUCH", "ON")
    kv("WATCH", "x")
    kv("MULTI")
    assert kv("RESET") == "RESET"
    with refused("ERR EXEC without MULTI"):
        kv("EXEC")
    assert kv("CLIENT", "GETNAME") is None
    assert kv.raw("GET", "nothing") == b"$-1\r\n"
    assert kv.db.index == 0
    assert kv.session.plain
    assert not kv.engine.watches


def test_reset_asks_for_the_password_again(locked: EngineClient) -> None:
    locked("AUTH", "secret")
    locked("RESET")
    with refused("NOAUTH Authentication required."):
        locked("PING")
