"""The table of options against redis-server 7.0's: names, aliases, defaults, mutability, bounds."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from shardkv.config import Config, Option
from shardkv.config.kinds import INT_MAX, INT_MIN, LONG_MAX, UINT_MAX, ULONG_MAX, Choice, Flag, Integer, Memory
from shardkv.config.schema import Mutability

FROZEN = Path(__file__).with_name("config-7.0.tsv")
SHARED = Path(__file__).parents[3] / "shared" / "reference" / "config-7.0.tsv"

with FROZEN.open() as _table:
    ROWS = {row["name"]: row for row in csv.DictReader(_table, delimiter="\t")}

# What is not in 7.0, and where it comes from.
LATER = {
    "bio-cpulist": "7.2 spells it with a dash; the old name is its alias",
    "server-cpulist": "7.2 spells it with a dash; the old name is its alias",
    "bgsave-cpulist": "7.2 spells it with a dash; the old name is its alias",
    "aof-rewrite-cpulist": "7.2 spells it with a dash; the old name is its alias",
    "set-max-listpack-entries": "7.2",
    "set-max-listpack-value": "7.2",
    "cluster-announce-human-nodename": "7.2",
    "locale-collate": "7.2",
    "hide-user-data-from-log": "7.4",
    "max-new-connections-per-cycle": "7.4",
    "max-new-tls-connections-per-cycle": "7.4",
    "cluster-databases": "Valkey 9",
    "cluster-blacklist-ttl": "Valkey 9",
    "cluster-slot-stats-enabled": "Valkey 8",
    "commandlog-request-larger-than": "Valkey 8.1",
    "commandlog-large-request-max-len": "Valkey 8.1",
    "commandlog-reply-larger-than": "Valkey 8.1",
    "commandlog-large-reply-max-len": "Valkey 8.1",
    "log-format": "Valkey 8.1",
    "log-timestamp-format": "Valkey 8.1",
    "lua-enable-insecure-api": "Valkey",
    "cluster-auth-secret": "shardkv",
    "metrics-port": "shardkv",
    "lua-memory-limit": "shardkv",
}
# What a row says otherwise than the table, and why.
DIFFERENT_DEFAULT = {
    "dir": "the node puts the folder it runs in here, for this package knows of none",
    "cluster-replica-validity-factor": "a replica that lacks more than a node timeout of writes is not to take over",
    "cluster-slave-validity-factor": "an alias of it",
}
DIFFERENT_VALUES = {"loglevel": "7.2 added nothing"}
BOUNDS = {
    "INT_MIN": INT_MIN,
    "INT_MAX": INT_MAX,
    "UINT_MAX": UINT_MAX,
    "LONG_MAX": LONG_MAX,
    "LLONG_MAX": LONG_MAX,
    "SSIZE_MAX": LONG_MAX,
    "ULLONG_MAX": ULONG_MAX,
    "1024*1024": 2**20,
    "0777": 0o777,
}


def _option(name: str) -> Option[object]:
    return Config.names[name]


def test_the_frozen_table_is_the_shared_one() -> None:
    if SHARED.exists():
        assert FROZEN.read_text() == SHARED.read_text()
    assert len(ROWS) == 197


@pytest.mark.parametrize("name", ROWS)
def test_an_option_of_redis_is_here(name: str) -> None:
    row, option = ROWS[name], _option(name)
    assert not option.file_only
    assert option.hidden == ("hidden" in row["extra_flags"])
    assert option.sensitive or "sensitive" not in row["extra_flags"]
    if row["role"] == "alias" or name.endswith("_cpulist"):
        assert name in option.aliases
    else:
        assert name == option.name
    if row["other_name"]:
        assert {name, row["other_name"]} == {option.name, *option.aliases}


@pytest.mark.parametrize("name", ROWS)
def test_its_default_is_that_of_redis(name: str) -> None:
    default = ROWS[name]["default"]
    if name not in DIFFERENT_DEFAULT and not default.startswith("(not listed"):
        assert Config().get([name.encode()]) == {name: default}


@pytest.mark.parametrize("name", ROWS)
def test_it_changes_when_that_of_redis_does(name: str) -> None:
    row = ROWS[name]
    wanted = Mutability.PROTECTED if "protected" in row["extra_flags"] else Mutability[row["mutability"].upper()]
    assert _option(name).mutable is wanted


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row["range_or_values"]])
def test_it_takes_what_that_of_redis_takes(name: str) -> None:
    row, kind = ROWS[name], _option(name).kind
    if "|" in row["range_or_values"]:
        if isinstance(kind, Choice) and name not in DIFFERENT_VALUES:
            assert list(kind.choices) == row["range_or_values"].split("|")
        return
    least, most = (BOUNDS[word] if word in BOUNDS else int(word) for word in row["range_or_values"].split(".."))
    assert isinstance(kind, Integer)
    assert (kind.least, kind.most) == (least, most)
    assert isinstance(kind, Memory) == (row["unit"] == "memory")


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row["type"] == "bool"])
def test_a_flag_is_a_flag(name: str) -> None:
    assert isinstance(_option(name).kind, Flag)


def test_every_other_name_has_an_origin() -> None:
    ours = {name for name, option in Config.options.items() if not option.file_only}
    assert ours - ROWS.keys() == LATER.keys()
