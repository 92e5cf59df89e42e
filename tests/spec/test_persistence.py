"""SAVE, BGSAVE, LASTSAVE and DEBUG RELOAD as a client sees them, and writes that could not be made to last."""

from __future__ import annotations

import pytest

from shardkv.config import Config
from shardkv.errors import ReplyError
from shardkv.persist.loading import LoadProgress
from shardkv.persist.snapshots import MISCONF
from tests.support.engine_client import EngineClient, refused


@pytest.fixture
def kv() -> EngineClient:
    return EngineClient(config=Config())


def info(kv: EngineClient) -> dict[str, str]:
    return dict(line.split(":", 1) for line in kv("INFO", "persistence").split("\r\n")[1:] if line)


def test_save_and_bgsave_ask_the_world(kv: EngineClient) -> None:
    assert kv("SAVE") == "OK"
    assert kv("BGSAVE") == "Background saving started"
    assert kv("BGSAVE", "schedule") == "Background saving started"
    assert [verb for verb, _ in kv.world.asked] == ["save", "save_in_background", "save_in_background"]
    with refused("ERR syntax error"):
        kv("BGSAVE", "NOW")
    with refused("ERR syntax error"):
        kv("BGSAVE", "SCHEDULE", "SCHEDULE")


def test_what_cannot_be_written_is_a_bare_error(kv: EngineClient) -> None:
    kv.world.disk_full = True
    assert kv.raw("SAVE") == b"-ERR\r\n"
    assert kv.raw("BGSAVE") == b"-ERR\r\n"


def test_one_snapshot_at_a_time(kv: EngineClient) -> None:
    for kind in ("rdb", "replication"):
        kv.world.saving_child = kind
        for words in (("SAVE",), ("BGSAVE",), ("BGSAVE", "SCHEDULE")):
            with refused("ERR Background save already in progress"):
                kv(*words)
    assert not kv.engine.snapshots.scheduled


def test_a_snapshot_waits_for_another_child_only_when_told_to(kv: EngineClient) -> None:
    kv.world.saving_child = "aof"
    with refused(
        "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule "
        "a BGSAVE whenever possible."
    ):
        kv("BGSAVE")
    assert kv("BGSAVE", "SCHEDULE") == "Background saving scheduled"
    assert kv.engine.snapshots.scheduled
    assert kv("SAVE") == "OK"


def test_a_snapshot_inside_a_transaction_waits_for_its_end(kv: EngineClient) -> None:
    kv("MULTI")
    with refused("ERR Command not allowed inside a transaction"):
        kv("SAVE")
    kv("DISCARD")
    kv("MULTI")
    kv("BGSAVE")
    assert kv("EXEC") == ["Background saving scheduled"]
    assert kv.engine.snapshots.scheduled


def test_lastsave_is_the_time_of_the_last_one(kv: EngineClient) -> None:
    kv.engine.snapshots.last_save = 1_700_000_123
    assert kv("LASTSAVE") == 1_700_000_123


def test_writes_and_ping_are_refused_while_snapshots_fail(kv: EngineClient) -> None:
    kv("SET", "name", "ada")
    kv.engine.snapshots.ok = False
    kv.engine.refresh_calm()
    for words in (("SET", "a", "b"), ("DEL", "name"), ("PING",), ("LPUSH", "l", "x")):
        with refused(MISCONF):
            kv(*words)
    assert kv("GET", "name") == "ada"
    kv("MULTI")
    kv("GET", "name")
    assert kv("EXEC") == ["ada"]
    kv("MULTI")
    with refused(MISCONF):
        kv("SET", "a", "b")
    with refused("EXECABORT Transaction discarded because of previous errors."):
        kv("EXEC")
    kv("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
    assert kv("SET", "a", "b") == "OK"


def test_a_transaction_that_was_queued_before_is_refused_as_a_whole(kv: EngineClient) -> None:
    kv("MULTI")
    kv("SET", "a", "b")
    kv.engine.snapshots.ok = False
    kv.engine.refresh_calm()
    with pytest.raises(ReplyError, match="EXECABORT Transaction discarded because of: MISCONF Redis is configured"):
        kv("EXEC")
    assert kv("EXISTS", "a") == 0


def test_loading_is_told_with_its_progress(kv: EngineClient) -> None:
    now = kv.now // 1000
    kv.engine.begin_loading(LoadProgress(now - 10, 999, used_memory=5, loaded=249))
    with refused("LOADING Redis is loading the dataset in memory"):
        kv("GET", "a")
    with refused("LOADING Redis is loading the dataset in memory"):
        kv("SAVE")
    for words in (["appendonly", "yes"], ["maxmemory", "x", "REPL-diskless-load", "swapdb"], ["dir", "/", "nosuch", 1]):
        with refused("LOADING Redis is loading the dataset in memory"):
            kv("CONFIG", "SET", *words)
    assert kv("CONFIG", "SET", "maxmemory", "100mb") == "OK"
    fields = info(kv)
    assert {name: fields[name] for name in fields if name.startswith("loading")} == {
        "loading": "1",
        "loading_start_time": str(now - 10),
        "loading_total_bytes": "999",
        "loading_rdb_used_mem": "5",
        "loading_loaded_bytes": "249",
        "loading_loaded_perc": "24.90",
        "loading_eta_seconds": "30",
    }
    kv.engine.end_loading()
    assert info(kv)["loading"] == "0"
    assert kv("GET", "a") is None


def test_info_counts_changes_since_the_last_snapshot(kv: EngineClient) -> None:
    kv("MSET", "a", "1", "b", "2")
    assert info(kv)["rdb_changes_since_last_save"] == "2"
    kv.engine.snapshots.stored(kv.now // 1000, kv.engine.databases.changes)
    kv("SELECT", "3")
    kv("SET", "c", "3")
    assert info(kv)["rdb_changes_since_last_save"] == "1"


def test_debug_reload_saves_and_loads(kv: EngineClient) -> None:
    kv("CONFIG", "SET", "save", "")
    kv.engine.config.assign(Config.enable_debug_command, "yes")
    assert kv("DEBUG", "RELOAD") == "OK"
    assert kv("DEBUG", "RELOAD", "nosave") == "OK"
    assert kv("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH", "MERGE") == "OK"
    asked = [event for event in kv.world.asked if event[0] in ("save", "reload")]
    assert asked == [("save", None), ("reload", (True, False)), ("reload", (True, False)), ("reload", (False, True))]
    with refused("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."):
        kv("DEBUG", "RELOAD", "NOSAVE", "FOO")
    kv.world.disk_full = True
    assert kv.raw("DEBUG", "RELOAD") == b"-ERR\r\n"


def test_flushall_lets_the_world_know(kv: EngineClient) -> None:
    kv("FLUSHALL")
    assert ("emptied", None) in kv.world.asked
    kv.world.asked.clear()
    kv("FLUSHDB")
    assert kv.world.asked == []
