"""The fields of INFO against those of redis-server 7.0, section by section and in its order."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import pytest

from shardkv.engine.info import SECTIONS
from tests.support.engine_client import EngineClient

with Path(__file__).with_name("info-7.0.tsv").open() as _table:
    ROWS = list(csv.DictReader(_table, delimiter="\t", quoting=csv.QUOTE_NONE))

#: Fields of ours that 7.0 does not have, and where they come from.
OURS: Final = {
    "shardkv_version": "our own version, beside that of the Redis we are compatible with",
    "python_version": "what runs us",
    "listener0": "Redis 7.2",
    "pubsub_clients": "Redis 7.4",
    "watching_clients": "Redis 7.4",
    "total_watched_keys": "Redis 7.4",
    "total_blocking_keys": "Redis 7.2",
    "total_blocking_keys_on_nokey": "Redis 7.2",
    "client_query_buffer_limit_disconnections": "Redis 7.4",
    "client_output_buffer_limit_disconnections": "Redis 7.4",
    "acl_access_denied_auth": "Redis 7.2",
    "acl_access_denied_cmd": "Redis 7.2",
    "acl_access_denied_key": "Redis 7.2",
    "acl_access_denied_channel": "Redis 7.2",
    "evicted_scripts": "Redis 7.4",
}
#: Fields of states that an engine by itself is not in. ``test_info_states_oracle`` brings servers into them.
OF_STATES: Final = {
    "the log of writes, switched on": (
        "aof_current_size aof_base_size aof_pending_rewrite aof_buffer_length aof_pending_bio_fsync aof_delayed_fsync"
    ),
    "a file that is loading": (
        "loading_start_time loading_total_bytes loading_rdb_used_mem loading_loaded_bytes loading_loaded_perc "
        "loading_eta_seconds"
    ),
    "a replica, or a primary with one": (
        "master_host master_port master_link_status master_last_io_seconds_ago master_sync_in_progress "
        "slave_read_repl_offset slave_repl_offset master_sync_total_bytes master_sync_read_bytes "
        "master_sync_left_bytes master_sync_perc master_sync_last_io_seconds_ago master_link_down_since_seconds "
        "slave_priority slave_read_only replica_announced min_slaves_good_slaves slave<N>"
    ),
    "commands whose durations were counted": "latency_percentiles_usec_<cmd>",
    "a SHUTDOWN that waits for replicas (tests/wire/test_replication_shutdown.py)": "shutdown_in_milliseconds",
}
#: What has no meaning here.
MEANINGLESS: Final = {"module:": "there are no modules"}
#: Lines that are there for each of several things.
REPEATED: Final = {"cmdstat_<cmd or cmd|sub>", "errorstat_<PREFIX>", "db<N>"}


def _fields(section: str) -> list[str]:
    kv = EngineClient()
    lines = kv("INFO", section).split("\r\n")[1:]
    return [line.split(":", 1)[0] for line in lines if line]


@pytest.mark.parametrize("title", [title for title in SECTIONS if not title.endswith("stats") or title == "Stats"])
def test_a_section_has_the_fields_of_redis(title: str) -> None:
    awaited = {name for names in OF_STATES.values() for name in names.split()} | REPEATED | MEANINGLESS.keys()
    theirs = [row["field"] for row in ROWS if row["section"] == title and row["field"] not in awaited]
    ours = [name for name in _fields(title.lower()) if name not in OURS]
    assert sorted(ours) == sorted(theirs)


def test_fields_that_redis_always_has_are_those_of_no_state() -> None:
    always = {row["field"] for row in ROWS if row["when"] == "always"}
    assert not always & {name for names in OF_STATES.values() for name in names.split()}


def test_every_section_of_redis_is_there() -> None:
    assert {row["section"] for row in ROWS} - {"Sentinel"} == set(SECTIONS)
