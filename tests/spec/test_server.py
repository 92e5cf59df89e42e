"""Server commands, as a client sees them."""

from __future__ import annotations

import pytest

from shardkv.commands.versions import REDIS_VERSION, SHARDKV_VERSION
from shardkv.errors import ReplyError
from tests.support.engine_client import BEGIN, EngineClient, decode_all, refused


@pytest.fixture
def kv() -> EngineClient:
    """A client of an engine with DEBUG open to it."""
    client = EngineClient()
    client.engine.config.assign(type(client.engine.config).options["enable-debug-command"], "yes")
    return client


def info(kv: EngineClient, *sections: str) -> dict[str, str]:
    """The fields of INFO."""
    lines = [line for line in kv("INFO", *sections).split("\r\n") if line and not line.startswith("#")]
    return dict(line.split(":", 1) for line in lines)


def titles(kv: EngineClient, *sections: str) -> list[str]:
    """The section titles of INFO, in order."""
    return [line[2:] for line in kv("INFO", *sections).split("\r\n") if line.startswith("#")]


# ---- whole databases


def test_dbsize_counts_the_keys_of_the_database(kv: EngineClient) -> None:
    kv("MSET", "a", "1", "b", "2")
    assert kv("DBSIZE") == 2
    kv("SELECT", 1)
    assert kv("DBSIZE") == 0


def test_flushdb_empties_one_database_and_flushall_all(kv: EngineClient) -> None:
    kv("SET", "a", "1")
    kv("SELECT", 1)
    kv("SET", "b", "1")
    assert kv("FLUSHDB") == "OK"
    assert kv("DBSIZE") == 0
    kv("SELECT", 0)
    assert kv("DBSIZE") == 1
    assert kv("FLUSHALL", "ASYNC") == "OK"
    assert kv("DBSIZE") == 0
    kv.db.check()


def test_a_flush_is_propagated_even_if_there_was_nothing_to_flush(kv: EngineClient) -> None:
    sent = kv.propagated()
    kv("FLUSHDB")
    kv("FLUSHALL", "SYNC")
    assert sent == [[b"FLUSHDB"], [b"FLUSHALL", b"SYNC"]]


def test_a_flush_takes_one_way_only(kv: EngineClient) -> None:
    kv("SET", "a", "1")
    for words in (["FLUSHALL", "SOON"], ["FLUSHDB", "SYNC", "ASYNC"]):
        with refused("ERR syntax error"):
            kv(*words)
    assert kv("DBSIZE") == 1


def test_swapdb_exchanges_two_databases_for_everybody(kv: EngineClient) -> None:
    other = kv.other()
    other("SELECT", 1)
    kv("SET", "a", "in zero")
    assert kv("SWAPDB", 0, 1) == "OK"
    assert kv("GET", "a") is None
    assert other("GET", "a") == "in zero"


def test_swapdb_inside_a_transaction_counts_from_there_on(kv: EngineClient) -> None:
    kv("SET", "a", "in zero")
    kv("MULTI")
    kv("SWAPDB", 0, 1)
    kv("GET", "a")
    assert kv("EXEC") == ["OK", None]


def test_swapdb_of_a_database_with_itself_breaks_no_watch(kv: EngineClient) -> None:
    kv("SET", "a", "in zero")
    kv("WATCH", "a")
    assert kv("SWAPDB", 0, 0) == "OK"
    kv("MULTI")
    assert kv("EXEC") == []


def test_swapdb_names_the_index_that_is_wrong(kv: EngineClient) -> None:
    with refused("ERR invalid first DB index"):
        kv("SWAPDB", "x", 1)
    with refused("ERR invalid second DB index"):
        kv("SWAPDB", 1, "x")
    with refused("ERR DB index is out of range"):
        kv("SWAPDB", 0, 16)


# ---- time and end


def test_time_is_seconds_and_microseconds(kv: EngineClient) -> None:
    assert kv("TIME") == [str(BEGIN // 1000), "7"]


def test_shutdown_is_what_the_world_does(kv: EngineClient) -> None:
    assert kv.raw("SHUTDOWN") == b""
    assert kv.raw("SHUTDOWN", "NOSAVE", "NOW", "FORCE") == b""
    assert kv.raw("SHUTDOWN", "SAVE") == b""
    assert [asked for asked in kv.world.asked if asked[0] == "shutdown"] == [
        ("shutdown", (None, False)),
        ("shutdown", (False, True)),
        ("shutdown", (True, False)),
    ]


def test_shutdown_abort_stands_alone(kv: EngineClient) -> None:
    with refused("ERR No shutdown in progress."):
        kv("SHUTDOWN", "ABORT")
    for words in (["ABORT", "NOW"], ["SAVE", "NOSAVE"], ["SLOWLY"]):
        with refused("ERR syntax error"):
            kv("SHUTDOWN", *words)


def test_lolwut_draws_something_and_tells_the_version(kv: EngineClient) -> None:
    picture = kv("LOLWUT").splitlines()
    assert len(picture) > 10
    assert f"Redis ver. {REDIS_VERSION}" in picture[-1]
    assert SHARDKV_VERSION in picture[-1]
    assert len(kv("LOLWUT", "VERSION", 5, 20, 4, 2).splitlines()) == 4 + 2
    with refused("ERR value is not an integer or out of range"):
        kv("LOLWUT", "VERSION", "x")


# ---- INFO


def test_info_leaves_out_the_long_sections_unless_asked(kv: EngineClient) -> None:
    usual = [
        "Server",
        "Clients",
        "Memory",
        "Persistence",
        "Stats",
        "Replication",
        "CPU",
        "Modules",
        "Errorstats",
        "Cluster",
        "Keyspace",
    ]
    assert titles(kv) == titles(kv, "default") == usual
    assert set(titles(kv, "all")) - set(usual) == {"Commandstats", "Latencystats"}
    assert titles(kv, "everything") == titles(kv, "all")


def test_info_takes_several_sections_in_either_case(kv: EngineClient) -> None:
    assert titles(kv, "KEYSPACE", "cpu") == ["CPU", "Keyspace"]
    assert titles(kv, "nonsense") == []
    assert kv("INFO", "modules") == "# Modules\r\n"


def test_info_says_which_server_this_is(kv: EngineClient) -> None:
    kv.wait(90_000)
    server = info(kv, "server")
    assert server["redis_version"] == REDIS_VERSION
    assert server["shardkv_version"] == SHARDKV_VERSION
    assert (server["redis_mode"], server["uptime_in_seconds"]) == ("standalone", "90")


def test_info_counts_keys_hits_and_changes(kv: EngineClient) -> None:
    kv("SET", "a", "1")
    kv("SET", "b", "1", "EX", 100)
    kv("GET", "a")
    kv("GET", "nothing")
    assert info(kv, "keyspace") == {"db0": "keys=2,expires=1,avg_ttl=0,subexpiry=0"}
    stats = info(kv, "stats")
    assert (stats["keyspace_hits"], stats["keyspace_misses"]) == ("1", "1")
    assert info(kv, "persistence")["rdb_changes_since_last_save"] == "2"


def test_info_counts_commands_and_errors_until_they_are_reset(kv: EngineClient) -> None:
    kv("CONFIG", "RESETSTAT")
    kv("ECHO", "x")
    with pytest.raises(ReplyError):
        kv("INCRBY", "x", "y")
    with pytest.raises(ReplyError):
        kv("ECHO")
    commands = info(kv, "commandstats")
    assert commands["cmdstat_echo"] == "calls=1,usec=1,usec_per_call=1.00,rejected_calls=1,failed_calls=0"
    assert commands["cmdstat_incrby"].endswith("rejected_calls=0,failed_calls=1")
    assert info(kv, "errorstats") == {"errorstat_ERR": "count=2"}
    assert kv("CONFIG", "RESETSTAT") == "OK"
    assert info(kv, "errorstats") == {}


# ---- CONFIG


def test_config_get_finds_options_by_name_and_by_pattern(kv: EngineClient) -> None:
    assert kv("CONFIG", "GET", "databases", "nothing") == ["databases", "16"]
    assert "maxmemory" in kv("CONFIG", "GET", "MAXMEM*")


def test_config_set_changes_all_or_nothing_and_the_world_hears_of_it(kv: EngineClient) -> None:
    assert kv("CONFIG", "SET", "maxclients", 77, "timeout", 5) == "OK"
    assert kv.world.asked == [("options_changed", ["maxclients", "timeout"])]
    with pytest.raises(ReplyError):
        kv("CONFIG", "SET", "maxclients", 88, "timeout", "soon")
    assert kv("CONFIG", "GET", "maxclients") == ["maxclients", "77"]
    with refused("ERR syntax error"):
        kv("CONFIG", "SET", "maxclients", 88, "timeout")


def test_a_change_that_the_world_cannot_make_is_taken_back(kv: EngineClient) -> None:
    def impossible(names: object) -> None:
        raise OSError(98, "Address already in use")

    kv.world.options_changed = impossible  # type: ignore[method-assign]  # this world refuses
    with refused("ERR CONFIG SET failed - Address already in use"):
        kv("CONFIG", "SET", "maxclients", 77)
    assert kv("CONFIG", "GET", "maxclients") == ["maxclients", "10000"]


def test_config_rewrite_needs_a_file(kv: EngineClient) -> None:
    with refused("ERR The server is running without a config file"):
        kv("CONFIG", "REWRITE")
    kv.world.known["config_file"] = "/etc/shardkv.conf"
    assert kv("CONFIG", "REWRITE") == "OK"
    assert kv.world.asked == [("rewrite_config", None)]


# ---- MODULE


@pytest.mark.parametrize("words", [("LOAD", "a.so"), ("LOADEX", "a.so"), ("UNLOAD", "a")])
def test_module_is_closed_unless_an_option_opens_it_and_then_nothing_can_be_loaded(words: tuple[str, ...]) -> None:
    kv = EngineClient()
    with pytest.raises(ReplyError, match=r"^ERR MODULE command not allowed"):
        kv("MODULE", *words)
    kv.engine.config.assign(kv.engine.config.options["enable-module-command"], "yes")
    with pytest.raises(ReplyError, match=r"^ERR Error (un)?loading"):
        kv("MODULE", *words)


def test_everybody_may_ask_which_modules_there_are_and_there_are_none(kv: EngineClient) -> None:
    assert kv("MODULE", "LIST") == []


# ---- DEBUG


def test_debug_is_closed_unless_an_option_opens_it() -> None:
    kv = EngineClient()
    with pytest.raises(ReplyError, match=r"^ERR DEBUG command not allowed"):
        kv("DEBUG", "SLEEP", 0)


def test_debug_sleep_stops_the_world(kv: EngineClient) -> None:
    assert kv("DEBUG", "SLEEP", "0.5") == "OK"
    assert kv("DEBUG", "SLEEP", "a while") == "OK"
    assert kv.world.asked == [("sleep", 0.5)]


def test_what_follows_a_long_command_in_its_batch_finds_that_time_passed(kv: EngineClient) -> None:
    kv("SET", "name", "ada", "PX", 100)
    replies = kv.pipeline(["DEBUG", "SLEEP", "0.2"], ["GET", "name"], ["TTL", "name"])
    assert decode_all(replies)[1:] == [None, -2]


def test_a_client_that_a_long_transaction_wakes_does_not_get_what_has_expired_in_it(
    kv: EngineClient, other: EngineClient
) -> None:
    other.send("BRPOP", "tasks", 0)
    sent = kv.propagated()
    kv.pipeline(["MULTI"], ["RPUSH", "tasks", "a"], ["PEXPIRE", "tasks", 100], ["DEBUG", "SLEEP", "0.2"], ["EXEC"])
    assert other.session.blocked is not None
    assert sent[-1] == [b"DEL", b"tasks"]


def test_debug_set_active_expire_stops_the_background_cycle(kv: EngineClient) -> None:
    kv("SET", "a", "1", "PX", 1)
    kv("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    kv.engine.expiring.step(BEGIN + 10, 1.0)
    assert kv("DBSIZE") == 1
    kv("DEBUG", "SET-ACTIVE-EXPIRE", 1)
    kv.engine.expiring.step(BEGIN + 10, 1.0)
    assert kv("DBSIZE") == 0


def test_debug_populate_makes_keys_where_there_are_none(kv: EngineClient) -> None:
    kv("SET", "key:1", "mine")
    assert kv("DEBUG", "POPULATE", 3) == "OK"
    assert kv("MGET", "key:0", "key:1", "key:2") == ["value:0", "mine", "value:2"]
    kv("DEBUG", "POPULATE", 1, "short", 3)
    kv("DEBUG", "POPULATE", 1, "long", 10)
    assert kv("MGET", "short:0", "long:0") == ["val", "value:0\0\0\0"]
    kv.db.check()
    with refused("ERR value is out of range, must be positive"):
        kv("DEBUG", "POPULATE", -1)


def test_debug_object_tells_how_a_value_is_held(kv: EngineClient) -> None:
    kv("SET", "a", "12")
    kv.wait(3000)
    shown = kv("DEBUG", "OBJECT", "a")
    assert shown.startswith("Value at:0x")
    assert " refcount:1 encoding:int serializedlength:2 lru:" in shown
    assert shown.endswith("lru_seconds_idle:3")
    with refused("ERR no such key"):
        kv("DEBUG", "OBJECT", "b")


def test_debug_error_is_an_error_of_ones_own(kv: EngineClient) -> None:
    with refused("TEAPOT short and stout"):
        kv("DEBUG", "ERROR", "TEAPOT short and stout")


def test_debug_log_writes_to_the_log(kv: EngineClient) -> None:
    assert kv("DEBUG", "LOG", "hello") == "OK"
    assert kv.world.asked == [("log", ("warning", "DEBUG LOG: hello"))]


def test_debug_digest_does_not_depend_on_the_order_of_writes(kv: EngineClient) -> None:
    assert kv("DEBUG", "DIGEST") == "0" * 40
    kv("MSET", "a", "1", "b", "2")
    before = kv("DEBUG", "DIGEST")
    kv("FLUSHALL")
    kv("SET", "b", "2")
    kv("SET", "a", "1")
    assert kv("DEBUG", "DIGEST") == before
    kv("INCR", "a")
    assert kv("DEBUG", "DIGEST") != before


def test_debug_knows_what_it_does_not_know(kv: EngineClient) -> None:
    for words in (["JMAP"], ["SLEEP"], ["DIGEST", "x"]):
        with refused(f"ERR unknown subcommand or wrong number of arguments for '{words[0]}'. Try DEBUG HELP."):
            kv("DEBUG", *words)
