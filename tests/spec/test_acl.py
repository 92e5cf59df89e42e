"""Users and their rights, as clients and operators see them."""

from __future__ import annotations

import hashlib

import pytest

from shardkv.config import Config
from tests.support.engine_client import EngineClient, refused

WRONG = "WRONGPASS invalid username-password pair or user is disabled."
NO_KEY = "NOPERM No permissions to access a key"
NO_CHANNEL = "NOPERM No permissions to access a channel"
SETUSER = "ERR Error in ACL SETUSER modifier "


def as_user(kv: EngineClient, *rules: str, name: str = "ada") -> EngineClient:
    """A client that has come in as a user of these rules."""
    kv("ACL", "SETUSER", name, "reset", "on", "nopass", *rules)
    client = kv.other()
    client("AUTH", name, "any")
    return client


# ---- users


def test_the_default_user_may_do_everything_without_a_password(kv: EngineClient) -> None:
    assert kv("ACL", "WHOAMI") == "default"
    assert kv("ACL", "LIST") == ["user default on nopass ~* &* +@all"]
    assert kv.session.plain


def test_a_new_user_may_do_nothing(kv: EngineClient) -> None:
    kv("ACL", "SETUSER", "ada")
    assert kv("ACL", "LIST") == ["user ada off resetchannels -@all", "user default on nopass ~* &* +@all"]
    assert kv("ACL", "USERS") == ["ada", "default"]


def test_getuser_tells_all_rules_in_their_own_words(kv: EngineClient) -> None:
    kv("ACL", "SETUSER", "ada", "on", ">pw", "+@read", "-get", "~a*", "%R~b", "&news", "(+set %W~c)")
    digest = hashlib.sha256(b"pw").hexdigest()
    selector = ["commands", "-@all +set", "keys", "%W~c", "channels", ""]
    assert kv("ACL", "GETUSER", "ada") == [
        *("flags", ["on"], "passwords", [digest], "commands", "-@all +@read -get"),
        *("keys", "~a* %R~b", "channels", "&news", "selectors", [selector]),
    ]
    assert kv("ACL", "GETUSER", "nobody") is None


def test_a_rule_that_is_none_changes_nothing(kv: EngineClient) -> None:
    with refused(f"{SETUSER}'foo': Syntax error"):
        kv("ACL", "SETUSER", "ada", "on", "foo")
    assert kv("ACL", "GETUSER", "ada") is None


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("+nosuch", "Unknown command or category name in ACL"),
        ("+@nosuch", "Unknown command or category name in ACL"),
        ("-select|0", "Unknown command or category name in ACL"),
        ("+config|", "Syntax error"),
        ("+config|get|x", "Allowing first-arg of a subcommand is not supported"),
        ("%~a", "Syntax error"),
        ("%RX~a", "Syntax error"),
        ("~a b", "Syntax error"),
        ("<pw", "The password you are trying to remove from the user does not exist"),
        (
            "#abc",
            "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters",
        ),
        ("(on)", "Syntax error"),
    ],
)
def test_a_bad_rule_is_refused_with_its_reason(kv: EngineClient, rule: str, reason: str) -> None:
    with refused(f"{SETUSER}'{rule}': {reason}"):
        kv("ACL", "SETUSER", "ada", rule)


def test_parentheses_may_span_words_and_must_be_closed(kv: EngineClient) -> None:
    kv("ACL", "SETUSER", "ada", "(+get", "~a*)")
    assert kv("ACL", "LIST")[0] == "user ada off resetchannels -@all (~a* resetchannels -@all +get)"
    with refused("ERR Unmatched parenthesis in acl selector starting at '(+get'."):
        kv("ACL", "SETUSER", "ada", "(+get", "~a*")


def test_a_pattern_after_all_keys_is_refused(kv: EngineClient) -> None:
    with refused(
        f"{SETUSER}'~a': Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have "
        "any effect. Try 'resetkeys' to start with an empty list of patterns"
    ):
        kv("ACL", "SETUSER", "ada", "allkeys", "~a")


def test_a_rule_takes_the_place_of_those_it_covers(kv: EngineClient) -> None:
    kv("ACL", "SETUSER", "ada", "+config|get", "+get", "-config", "+get")
    assert kv("ACL", "LIST")[0] == "user ada off resetchannels -@all -config +get"


def test_the_name_of_a_user_has_no_blanks(kv: EngineClient) -> None:
    with refused("ERR Usernames can't contain spaces or null characters"):
        kv("ACL", "SETUSER", "a b", "on")


def test_the_default_user_cannot_be_deleted(kv: EngineClient) -> None:
    kv("ACL", "SETUSER", "ada")
    with refused("ERR The 'default' user cannot be removed"):
        kv("ACL", "DELUSER", "ada", "default")
    assert kv("ACL", "DELUSER", "ada", "nobody") == 1


def test_deleting_a_user_closes_their_connections(kv: EngineClient) -> None:
    ada = as_user(kv, "+@all", "~*")
    kv("ACL", "DELUSER", "ada")
    assert ada.session.closed


def test_acl_pubsub_default_decides_on_the_channels_of_new_users() -> None:
    config = Config()
    config.set([(b"acl-pubsub-default", b"allchannels")])
    kv = EngineClient(config=config)
    kv("ACL", "SETUSER", "ada", "(+get)")
    assert kv("ACL", "LIST")[0] == "user ada off &* -@all (&* -@all +get)"


# ---- coming in


def test_a_user_comes_in_by_any_of_their_passwords(kv: EngineClient) -> None:
    kv("ACL", "SETUSER", "ada", "on", ">one", ">two", "+@all")
    assert kv("AUTH", "ada", "two") == "OK"
    assert kv("ACL", "WHOAMI") == "ada"
    with refused(WRONG):
        kv("AUTH", "ada", "three")
    assert kv("ACL", "WHOAMI") == "ada"


def test_a_disabled_user_does_not_come_in(kv: EngineClient) -> None:
    kv("ACL", "SETUSER", "ada", "nopass")
    with refused(WRONG):
        kv("AUTH", "ada", "x")


def test_a_user_without_password_and_without_nopass_does_not_come_in(kv: EngineClient) -> None:
    kv("ACL", "SETUSER", "ada", "on")
    with refused(WRONG):
        kv("AUTH", "ada", "")


def test_requirepass_is_the_password_of_the_default_user(kv: EngineClient) -> None:
    kv("CONFIG", "SET", "requirepass", "secret")
    assert kv("PING") == "PONG"
    stranger = kv.other()
    with refused("NOAUTH Authentication required."):
        stranger("PING")
    assert stranger("AUTH", "secret") == "OK"
    kv("CONFIG", "SET", "requirepass", "")
    assert kv("ACL", "LIST") == ["user default on nopass ~* &* +@all"]


def test_whoever_waits_at_the_door_comes_in_when_no_password_is_needed_any_more(kv: EngineClient) -> None:
    kv("CONFIG", "SET", "requirepass", "secret")
    stranger = kv.other()
    kv("CONFIG", "SET", "requirepass", "")
    assert stranger("PING") == "PONG"


def test_hello_lets_a_user_in(kv: EngineClient) -> None:
    kv("ACL", "SETUSER", "ada", "on", ">pw", "+@all")
    with refused(WRONG):
        kv("HELLO", 3, "AUTH", "ada", "no")
    kv("HELLO", 3, "AUTH", "ada", "pw")
    assert kv("ACL", "WHOAMI") == "ada"


def test_reset_makes_a_client_the_default_user_again(kv: EngineClient) -> None:
    ada = as_user(kv, "+get")
    ada("RESET")
    assert ada("ACL", "WHOAMI") == "default"


# ---- commands


def test_a_command_that_is_not_allowed_is_refused_by_its_full_name(kv: EngineClient) -> None:
    ada = as_user(kv, "+get", "+config|get", "~*")
    assert ada("GET", "a") is None
    with refused("NOPERM User ada has no permissions to run the 'set' command"):
        ada("SET", "a", "b")
    with refused("NOPERM User ada has no permissions to run the 'config|set' command"):
        ada("CONFIG", "SET", "maxmemory", "0")


def test_a_command_may_be_allowed_with_one_first_word_only(kv: EngineClient) -> None:
    ada = as_user(kv, "+select|1")
    assert ada("SELECT", 1) == "OK"
    with refused("NOPERM User ada has no permissions to run the 'select' command"):
        ada("SELECT", 0)


def test_nobody_needs_a_right_to_authenticate_or_leave(kv: EngineClient) -> None:
    ada = as_user(kv)
    assert ada("AUTH", "default", "") == "OK"
    assert as_user(kv)("QUIT") == "OK"


def test_rights_that_change_hold_at_once(kv: EngineClient) -> None:
    ada = as_user(kv, "allkeys", "allchannels", "+@all")
    assert ada.session.plain
    kv("ACL", "SETUSER", "ada", "-get")
    with refused("NOPERM User ada has no permissions to run the 'get' command"):
        ada("GET", "a")
    kv("ACL", "SETUSER", "ada", "+get")
    assert ada("GET", "a") is None
    assert ada.session.plain


# ---- keys


def test_keys_must_match_a_pattern(kv: EngineClient) -> None:
    ada = as_user(kv, "+@all", "~a:*")
    assert ada("SET", "a:1", "x") == "OK"
    for request in (("GET", "b"), ("SET", "b", "x"), ("MGET", "a:1", "b"), ("EXISTS", "b"), ("COPY", "a:1", "b")):
        with refused(NO_KEY):
            ada(*request)


def test_reading_and_writing_are_allowed_apart(kv: EngineClient) -> None:
    ada = as_user(kv, "+@all", "%R~r:*", "%W~w:*")
    assert ada("GET", "r:1") is None
    assert ada("SET", "w:1", "x") == "OK"
    assert ada("COPY", "r:1", "w:2") == 0
    for request in (
        ("SET", "r:1", "x"),
        ("GET", "w:1"),
        ("SET", "w:1", "x", "GET"),
        ("INCR", "w:1"),
        ("APPEND", "r:1", "x"),
    ):
        with refused(NO_KEY):
            ada(*request)


def test_a_selector_allows_command_and_keys_together(kv: EngineClient) -> None:
    ada = as_user(kv, "+get", "~a", "(+set ~b)")
    assert ada("GET", "a") is None
    assert ada("SET", "b", "x") == "OK"
    with refused(NO_KEY):
        ada("GET", "b")
    with refused(NO_KEY):
        ada("SET", "a", "x")


def test_sort_follows_patterns_only_for_who_may_read_every_key(kv: EngineClient) -> None:
    ada = as_user(kv, "+@all", "~a:*")
    ada("RPUSH", "a:list", 2, 1)
    assert ada("SORT", "a:list") == ["1", "2"]
    assert ada("SORT", "a:list", "BY", "nosort") == ["2", "1"]
    for option, template in (("BY", "b:*"), ("BY", "a:*"), ("GET", "b:*"), ("GET", "#")):
        with refused(f"ERR {option} option of SORT denied due to insufficient ACL permissions."):
            ada("SORT", "a:list", option, template)
    everything = as_user(kv, "+@all", "%R~*", "~a:*", name="bob")
    assert everything("SORT", "a:list", "BY", "w:*", "GET", "#") == ["1", "2"]


def test_where_a_result_is_stored_is_a_key_like_any_other(kv: EngineClient) -> None:
    ada = as_user(kv, "+@all", "~a:*")
    for request in (
        ("SORT", "a:1", "STORE", "b"),
        ("SORT", "a:1", "STORE", "a:2", "STORE", "b"),
        ("GEORADIUS", "a:1", 0, 0, 1, "m", "STORE", "b"),
        ("GEORADIUS", "a:1", 0, 0, 1, "m", "STORE", "a:2", "STORE", "b"),
        ("GEORADIUSBYMEMBER", "a:1", "x", 1, "m", "STOREDIST", "b"),
        ("GEOSEARCHSTORE", "b", "a:1", "FROMLONLAT", 0, 0, "BYRADIUS", 1, "m"),
        ("ZUNIONSTORE", "b", 1, "a:1"),
        ("BITOP", "AND", "b", "a:1"),
    ):
        with refused(NO_KEY):
            ada(*request)


# ---- channels


def test_channels_must_match_a_pattern(kv: EngineClient) -> None:
    ada = as_user(kv, "+@all", "&news:*")
    assert ada("PUBLISH", "news:1", "x") == 0
    for request in (
        ("PUBLISH", "old", "x"),
        ("SPUBLISH", "old", "x"),
        ("SUBSCRIBE", "news:1", "old"),
        ("SSUBSCRIBE", "x"),
    ):
        with refused(NO_CHANNEL):
            ada(*request)


def test_a_pattern_to_listen_by_must_be_one_that_is_allowed(kv: EngineClient) -> None:
    ada = as_user(kv, "+@all", "&news:*")
    with refused(NO_CHANNEL):
        ada("PSUBSCRIBE", "news:1*")
    assert ada("PSUBSCRIBE", "news:*") == ["psubscribe", "news:*", 1]


def test_subscribers_who_lose_a_channel_are_closed(kv: EngineClient) -> None:
    ada = as_user(kv, "+@all", "&news:*", "&x")
    ada("SUBSCRIBE", "news:1")
    kv("ACL", "SETUSER", "ada", "resetchannels", "&news:*")
    assert not ada.session.closed
    kv("ACL", "SETUSER", "ada", "resetchannels", "&x")
    assert ada.session.closed


def test_leaving_a_channel_needs_no_right(kv: EngineClient) -> None:
    ada = as_user(kv, "+@all")
    assert ada("UNSUBSCRIBE", "any") == ["unsubscribe", "any", 0]


# ---- transactions and waits


def test_a_refused_command_spoils_the_transaction(kv: EngineClient) -> None:
    ada = as_user(kv, "+@all", "~a")
    ada("MULTI")
    with refused(NO_KEY):
        ada("GET", "b")
    with refused("EXECABORT Transaction discarded because of previous errors."):
        ada("EXEC")


def test_rights_are_asked_again_when_the_transaction_runs(kv: EngineClient) -> None:
    ada = as_user(kv, "+@all", "~a", "~b")
    ada("MULTI")
    ada("SET", "a", "1")
    ada("SET", "b", "2")
    kv("ACL", "SETUSER", "ada", "resetkeys", "~a")
    assert [str(reply) for reply in ada("EXEC")] == [
        "OK",
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. "
        "This command is no longer allowed for the following reason: no permission to touch the specified keys",
    ]
    assert kv("EXISTS", "b") == 0


def test_rights_are_asked_again_when_a_wait_ends(kv: EngineClient) -> None:
    ada = as_user(kv, "+@all", "~a")
    ada.send("BLPOP", "a", 0)
    kv("ACL", "SETUSER", "ada", "resetkeys")
    kv("RPUSH", "a", "x")
    assert ada.taken() == f"-{NO_KEY}\r\n".encode()
    assert kv("LLEN", "a") == 1


# ---- dry runs, categories, passwords


def test_dryrun_tells_what_a_request_would_meet(kv: EngineClient) -> None:
    kv("ACL", "SETUSER", "ada", "+@all", "-set", "~a", "&c")
    assert kv("ACL", "DRYRUN", "ada", "GET", "a") == "OK"
    assert kv("ACL", "DRYRUN", "ada", "SET", "a", "x") == "User ada has no permissions to run the 'set' command"
    assert kv("ACL", "DRYRUN", "ada", "GET", "b") == "User ada has no permissions to access the 'b' key"
    assert kv("ACL", "DRYRUN", "ada", "PUBLISH", "d", "x") == "User ada has no permissions to access the 'd' channel"
    with refused("ERR User 'bob' not found"):
        kv("ACL", "DRYRUN", "bob", "GET", "a")
    with refused("ERR Command 'nosuch' not found"):
        kv("ACL", "DRYRUN", "ada", "nosuch")
    with refused("ERR wrong number of arguments for 'get' command"):
        kv("ACL", "DRYRUN", "ada", "get")


def test_cat_lists_categories_and_their_commands(kv: EngineClient) -> None:
    assert kv("ACL", "CAT")[:3] == ["keyspace", "read", "write"]
    assert "config|get" in kv("ACL", "CAT", "DANGEROUS")
    with refused("ERR Unknown category 'foo'"):
        kv("ACL", "CAT", "foo")


def test_genpass_gives_as_many_digits_as_asked_for(kv: EngineClient) -> None:
    assert len(kv("ACL", "GENPASS")) == 64
    assert len(kv("ACL", "GENPASS", 5)) == 2
    with refused(
        "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096"
    ):
        kv("ACL", "GENPASS", 4097)


# ---- the log


def log_of(kv: EngineClient, *words: object) -> list[dict[str, object]]:
    entries = kv("ACL", "LOG", *map(str, words))
    return [dict(zip(entry[::2], entry[1::2], strict=True)) for entry in entries]


def test_refusals_are_logged_newest_first(kv: EngineClient) -> None:
    ada = as_user(kv, "+@all", "-set", "~a", "&c")
    for request in (("SET", "a", "x"), ("GET", "b"), ("PUBLISH", "d", "x")):
        with pytest.raises(Exception, match="NOPERM"):
            ada(*request)
    with refused(WRONG):
        kv("AUTH", "eve", "x")
    told = [(entry["reason"], entry["object"], entry["username"], entry["context"]) for entry in log_of(kv)]
    assert told == [
        ("auth", "AUTH", "eve", "toplevel"),
        ("channel", "d", "ada", "toplevel"),
        ("key", "b", "ada", "toplevel"),
        ("command", "set", "ada", "toplevel"),
    ]
    assert [entry["entry-id"] for entry in log_of(kv, 2)] == [3, 2]
    assert kv("ACL", "LOG", "RESET") == "OK"
    assert log_of(kv) == []
    assert "acl_access_denied_auth:1\r\nacl_access_denied_cmd:1\r\nacl_access_denied_key:1\r\n" in kv("INFO", "stats")


def test_equal_refusals_within_a_minute_are_counted_together(kv: EngineClient) -> None:
    for wait in (0, 59_000, 61_000):
        kv.wait(wait)
        with refused(WRONG):
            kv("AUTH", "eve", "x")
    assert [entry["count"] for entry in log_of(kv)] == [1, 2]


def test_the_log_forgets_the_oldest(kv: EngineClient) -> None:
    kv("CONFIG", "SET", "acllog-max-len", 2)
    for name in ("a", "b", "c"):
        with refused(WRONG):
            kv("AUTH", name, "x")
    assert [entry["username"] for entry in log_of(kv)] == ["c", "b"]


# ---- the file


@pytest.fixture
def filed() -> EngineClient:
    """A client of an engine with an ACL file."""
    config = Config()
    config.assign(Config.aclfile, "users.acl")
    return EngineClient(config=config)


def test_without_a_file_nothing_is_loaded_or_saved(kv: EngineClient) -> None:
    for verb in ("LOAD", "SAVE"):
        with pytest.raises(Exception, match="ERR This Redis instance is not configured to use an ACL file"):
            kv("ACL", verb)


def test_what_is_saved_is_what_is_loaded(filed: EngineClient) -> None:
    filed("ACL", "SETUSER", "ada", "on", ">pw", "~a", "&c", "+@all", "-set", "(%R~b +get)")
    before = filed("ACL", "LIST")
    filed("ACL", "SAVE")
    filed("ACL", "DELUSER", "ada")
    filed("ACL", "LOAD")
    assert filed("ACL", "LIST") == before


def test_a_file_with_faults_changes_nothing(filed: EngineClient) -> None:
    filed.world.users_file = "user a on\nuser a off\nuser b foo bar +baz ~* ~b\nuser"
    with refused(
        "ERR WARNING: Duplicate user 'a' found on line 2. users.acl:3: Syntax error. "
        "users.acl:3: Error in applying operation '+baz': Unknown command or category name in ACL. "
        "users.acl:4 should start with user keyword followed by the username. "
        "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
    ):
        filed("ACL", "LOAD")
    assert filed("ACL", "USERS") == ["default"]


def test_loading_closes_clients_whose_user_is_gone(filed: EngineClient) -> None:
    ada, bob = as_user(filed, "+@all"), as_user(filed, "+@all", name="bob")
    filed.world.users_file = "user bob on nopass +get ~*\n"
    filed("ACL", "LOAD")
    assert ada.session.closed
    assert bob("GET", "a") is None
    with refused("NOPERM User bob has no permissions to run the 'acl|whoami' command"):
        bob("ACL", "WHOAMI")


def test_client_kill_and_list_know_the_user(kv: EngineClient) -> None:
    ada = as_user(kv, "+@all")
    assert " user=ada " in kv("CLIENT", "LIST", "ID", ada.session.id)
    assert kv("CLIENT", "KILL", "USER", "ada") == 1
    assert ada.session.closed
    with refused("ERR No such user 'eve'"):
        kv("CLIENT", "KILL", "USER", "eve")
