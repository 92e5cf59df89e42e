"""The table of commands against redis-server 7.0's: arity, flags, keys, categories, tips, groups, syntax.

``commands-7.0.tsv`` is the frozen truth, ``commands-later.tsv`` tells of what came after it.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import pytest

import shardkv.commands
from shardkv.commands.flags import AtIndex, AtKeyword, Doc, KeySpec, KeyUse, Range, Unknown
from shardkv.commands.spec import TABLE, Command

FOLDER: Final = Path(__file__).parent


def _rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open() as table:
        return list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))


ROWS = {row["name"]: row for row in _rows("commands-7.0.tsv")}
LATER = {row["command"].lower().replace(" ", "|"): row for row in _rows("commands-later.tsv")}

_KILL: Final = (
    "[ID client-id [client-id ...]]|[TYPE NORMAL|MASTER|SLAVE|REPLICA|PUBSUB]|[USER username]|[ADDR addr]|"
    "[LADDR laddr]|[SKIPME YES|NO]|[MAXAGE maxage]|[IDLE idle]|[FLAGS flags]|[NAME client-name]|[LIB-NAME lib-name]|"
    "[LIB-VER lib-ver]|[DB db-id]|[CAPA capa]|[IP ip]"
)
#: What a later version changed: (command, column) -> the value it has now, and why.
CHANGED: Final[dict[tuple[str, str], tuple[str, str]]] = {
    ("cluster|slots", "flags"): ("loading,stale", "7.4 tells where the slots are while it loads"),
    ("cluster|shards", "flags"): ("loading,stale", "7.4 tells where the slots are while it loads"),
    ("cluster|nodes", "flags"): ("loading,stale", "Redis 8 and Valkey 8 tell of the nodes while they load"),
    ("cluster|info", "flags"): ("loading,stale", "Redis 8 and Valkey 8 tell of the nodes while they load"),
    ("cluster|myid", "flags"): ("loading,stale", "Redis 8 and Valkey 8 tell of the nodes while they load"),
    ("client|kill", "syntax"): (
        f"<old-format|<{_KILL}> [<{_KILL}> ...]>",
        "7.4 has MAXAGE, and its documentation names the filters; Valkey 8.1 and 9 have the others",
    ),
    ("client|list", "syntax"): (
        "[TYPE NORMAL|MASTER|REPLICA|PUBSUB] [ID client-id [client-id ...]] [USER username] [ADDR addr] [LADDR laddr] "
        "[SKIPME YES|NO] [MAXAGE maxage] [IDLE idle] [FLAGS flags] [NAME client-name] [LIB-NAME lib-name] "
        "[LIB-VER lib-ver] [DB db-id] [CAPA capa] [IP ip]",
        "Valkey 8.1 and 9 have the filters of KILL here, and more",
    ),
    ("hscan", "syntax"): ("key cursor [MATCH pattern] [COUNT count] [NOVALUES]", "7.4 has NOVALUES"),
    ("zrank", "arity"): ("-3", "7.2 has WITHSCORE"),
    ("zrank", "syntax"): ("key member [WITHSCORE]", "7.2 has WITHSCORE"),
    ("zrevrank", "arity"): ("-3", "7.2 has WITHSCORE"),
    ("zrevrank", "syntax"): ("key member [WITHSCORE]", "7.2 has WITHSCORE"),
    ("geohash", "syntax"): ("key [member [member ...]]", "7.4 documents that there may be no member"),
    ("geopos", "syntax"): ("key [member [member ...]]", "7.4 documents that there may be no member"),
    ("pfmerge", "syntax"): ("destkey [sourcekey [sourcekey ...]]", "7.4 documents that there may be no source"),
    ("set", "syntax"): (
        "key value [NX|XX|IFEQ comparison-value] [GET] [EX seconds|PX milliseconds|EXAT unix-time-seconds|"
        "PXAT unix-time-milliseconds|KEEPTTL]",
        "IFEQ of Valkey 8.1 and Redis 8.4",
    ),
}


def _use(use: KeyUse) -> str:
    upper = KeyUse.RO | KeyUse.RW | KeyUse.OW | KeyUse.RM
    names = [(flag, flag.name or "") for flag in KeyUse if flag in use]
    return " ".join(name if flag in upper else name.lower() for flag, name in names)


def _spec(spec: KeySpec) -> str:
    begin, find = spec.begin, spec.find
    if isinstance(begin, AtIndex):
        where = f"index(index={begin.index})"
    elif isinstance(begin, AtKeyword):
        where = f"keyword(keyword={begin.keyword},startfrom={begin.start_from})"
    else:
        where = "unknown"
    if isinstance(find, Range):
        how = f"range(lastkey={find.last},keystep={find.step},limit={find.limit})"
    elif isinstance(find, Unknown):
        how = "unknown"
    else:
        how = f"keynum(keynumidx={find.at},firstkey={find.first},keystep={find.step})"
    return f"{_use(spec.use)} | {where} | {how}"


def described(command: Command) -> dict[str, str]:
    """A command in the columns of the frozen table."""
    return {
        "arity": str(command.arity),
        "flags": ",".join(sorted(command.shown_flags)),
        "first_key": str(command.first),
        "last_key": str(command.last),
        "step": str(command.step),
        "acl_categories": ",".join(sorted(f"@{category}" for category in command.categories)),
        "key_specs": " ; ".join(_spec(spec) for spec in command.keys),
        "tips": ",".join(command.tips),
        "group": command.group,
        "since": command.since,
        "doc_flags": ",".join((flag.name or "").lower() for flag in Doc if flag in command.doc_flags),
        "replaced_by": command.replaced_by,
        "syntax": command.syntax,
    }


@pytest.mark.parametrize("name", sorted(TABLE.keys() & ROWS.keys()))
def test_a_command_is_declared_as_in_redis(name: str) -> None:
    row = ROWS[name]
    for column, ours in described(TABLE[name]).items():
        if (name, column) in CHANGED:
            assert ours == CHANGED[(name, column)][0]
            assert ours != row[column], "no difference any more"
        else:
            assert ours == row[column], column


@pytest.mark.parametrize("name", sorted(TABLE.keys() & LATER.keys() - ROWS.keys()))
def test_a_command_that_came_later_is_declared_as_there(name: str) -> None:
    row, ours = LATER[name], described(TABLE[name])
    # The rows of Valkey tell no more than the arity, if that.
    columns = (
        ("arity", "flags", "acl_categories", "group", "since", "syntax") if row["server"] == "redis" else ("arity",)
    )
    for column in columns:
        if row[column] or row["server"] == "redis":
            assert ours[column] == row[column], column


def test_commands_that_redis_7_0_has_not_came_with_a_later_version() -> None:
    assert TABLE.keys() - ROWS.keys() - LATER.keys() == {"commandlog"}  # there are rows for its parts only


def test_no_command_is_forgotten() -> None:
    assert ROWS.keys() <= TABLE.keys()


def test_every_command_of_redis_7_4_is_there() -> None:
    def of_7_4(row: dict[str, str]) -> bool:
        ours = row["server"] == "redis" and not row["module"] and row["since"][:1].isdigit()
        return ours and tuple(map(int, row["since"].split(".")[:2])) <= (7, 4)

    assert {name for name, row in LATER.items() if of_7_4(row)} - TABLE.keys() <= {"waitaof"}  # comes with the AOF


def test_every_command_has_a_line_that_says_what_it_does() -> None:
    for command in TABLE.values():
        assert command.doc[:1].isupper(), command.name
        assert command.doc.endswith("."), command.name
    assert shardkv.commands.__doc__
