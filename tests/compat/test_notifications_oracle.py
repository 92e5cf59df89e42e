"""Keyspace events and what is propagated, row by row as ``effects-7.0.tsv`` has it: measured on redis-server 7.0."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Final

import pytest

from shardkv.commands.spec import TABLE
from tests.compat.test_pubsub_oracle import RESP2, RESP3, agree
from tests.support.engine_client import EngineClient, decode_all
from tests.support.oracle import Redis

Words = list[bytes]


def _rows() -> list[dict[str, str]]:
    with (Path(__file__).parent / "effects-7.0.tsv").open() as table:
        return list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))


def _requests(text: str) -> list[Words]:
    """Requests with ``;`` between them; the script of EVAL and the library of FUNCTION LOAD hold blanks of their
    own."""
    text = text.strip()
    if match := re.fullmatch(r"EVAL (.*) (\d) (\w+)", text):
        return [[b"EVAL", match[1].encode(), match[2].encode(), match[3].encode()]]
    if text.startswith("FUNCTION LOAD "):
        return [[b"FUNCTION", b"LOAD", text.removeprefix("FUNCTION LOAD ").replace("\\n", "\n").encode()]]
    if text in IN_WORDS:
        return []
    return [words.split() for words in text.encode().split(b";") if words.strip()]


ROWS: Final = _rows()

#: Rows that tell in words what is done, and where they are proven.
IN_WORDS: Final = {
    "(active expire after 30 ms)": "below",
    "GET k (lazy expire)": "below",
    "RESTORE k2 0 <dump>": "tests/spec/test_dump.py",
    "RESTORE k3 5000 <dump>": "tests/spec/test_dump.py",
    "CONFIG SET maxmemory 1 (eviction)": "tests/spec/test_eviction.py, tests/compat/test_eviction_oracle.py",
}
#: What has to be there before a row that says nothing of it: the library of the row before.
LIBRARY: Final = (
    "FUNCTION",
    "LOAD",
    "#!lua name=l1\nredis.register_function('f1',function(k,a) return redis.call('set',k[1],a[1]) end)",
)
#: What a row's command propagates since Redis 7.2, as a regular expression, with why.
PROPAGATED: Final[dict[str, tuple[str, str]]] = {
    "SPOP s 2": (r"SREM s [a-e] [a-e]", "one SREM for many members; chance picks them"),
    "XREADGROUP GROUP g c1 STREAMS x >": (
        r"MULTI ; XCLAIM x g c1 0 1-1 TIME \d{13} RETRYCOUNT 1 FORCE JUSTID LASTID 1-1 ; "
        r"XGROUP SETID x g 1-1 ENTRIESREAD 1 ; EXEC",
        "XCLAIM does not carry entries-read, so the group's position is sent as well",
    ),
}
#: The events of a row, by its setup and command, since Redis 7.2, with why.
EVENTS_NOW: Final[dict[tuple[str, str], tuple[list[str], str]]] = {
    (
        "XADD x 1-1 f v ; XGROUP CREATE x g 0 ; XREADGROUP GROUP g c1 STREAMS x > ; XDEL x 1-1",
        "XAUTOCLAIM x g c2 0 0",
    ): (["xgroup-createconsumer(x)"], "a consumer is made even if there is nothing for it to claim"),
}


def _needs(row: dict[str, str]) -> set[str]:
    """The commands of a row, as the table names them."""
    return {words[0].decode().lower() for side in ("setup", "command") for words in _requests(row[side])}


RUN: Final = [row for row in ROWS if row["command"] not in IN_WORDS]


def _identity(row: dict[str, str]) -> str:
    return f"{row['setup']} | {row['command']}"[:80]


def _events(text: str) -> list[str]:
    return [event.strip() for event in text.split(" , ")] if text.strip() else []


def _set_up(kv: EngineClient, row: dict[str, str]) -> None:
    """What a row presupposes."""
    if row["command"].startswith("FCALL"):
        kv(*LIBRARY)
    for request in _requests(row["setup"]):
        kv(*request)


def _listening() -> tuple[EngineClient, EngineClient]:
    """A client, and another that hears every keyspace event."""
    kv = EngineClient()
    kv("CONFIG", "SET", "notify-keyspace-events", "AEmn")
    ear = kv.other(resp3=True)
    ear.send("PSUBSCRIBE", "__keyevent@*")
    ear.taken()
    return kv, ear


def _heard(ear: EngineClient) -> list[str]:
    """The events since the last time, as ``event(key)``."""
    pushes = decode_all(ear.taken())
    return [f"{push[2].decode().partition(':')[2]}({push[3].decode()})" for push in pushes]


@pytest.mark.parametrize("row", RUN, ids=_identity)
def test_a_command_makes_the_events_of_redis_in_the_same_order(row: dict[str, str]) -> None:
    kv, ear = _listening()
    _set_up(kv, row)
    ear.taken()
    for request in _requests(row["command"]):
        kv.raw(*request)  # one of the rows is a script that ends with an error
    expected, _ = EVENTS_NOW.get((row["setup"], row["command"]), (_events(row["keyevents"]), ""))
    assert _heard(ear) == expected


@pytest.mark.parametrize("row", RUN, ids=_identity)
def test_a_command_propagates_what_it_does_in_redis(row: dict[str, str]) -> None:
    kv = EngineClient()
    _set_up(kv, row)
    sent = kv.propagated()
    for request in _requests(row["command"]):
        kv.raw(*request)  # one of the rows is a script that ends with an error
    told = " ; ".join(b" ".join(words).decode() for words in sent) or "(nothing)"
    expected = re.escape(row["propagated_to_aof_and_replicas"].replace("\\n", "\n"))
    expected = expected.replace("<abs\\-ms>", r"\d{13}").replace("<ms>", r"\d{13}")
    pattern, _ = PROPAGATED.get(row["command"], (expected, ""))
    assert re.fullmatch(pattern, told), f"{told!r} is not {pattern!r}"


def test_no_row_is_left_out_for_want_of_a_command() -> None:
    assert sorted({name for row in RUN for name in _needs(row)} - set(TABLE)) == []
    assert set(IN_WORDS) <= {row["command"] for row in ROWS}
    assert set(PROPAGATED) <= {row["command"] for row in ROWS}
    assert set(EVENTS_NOW) <= {(row["setup"], row["command"]) for row in ROWS}


# ---- the rows that are told in words


def test_a_key_that_is_found_expired_makes_its_event_before_the_miss() -> None:
    kv, ear = _listening()
    kv("SET", "k", "v", "PX", 20)
    ear.taken()
    sent = kv.propagated()
    kv.wait(21)
    kv("GET", "k")
    assert _heard(ear) == ["expired(k)", "keymiss(k)"]
    assert sent == [[b"DEL", b"k"]]


def test_the_active_cycle_makes_the_event_when_it_deletes() -> None:
    kv, ear = _listening()
    kv("SET", "k", "v", "PX", 30)
    ear.taken()
    sent = kv.propagated()
    kv.engine.expiring.step(kv.now + 31, 1.0)
    assert _heard(ear) == ["expired(k)"]
    assert sent == [[b"DEL", b"k"]]


# ---- beside redis-server: which channels, which classes


SCRIPT = """
    a PSUBSCRIBE __key*__:*
    w SET k v EX 100
    w SET k v
    w GET none
    w RENAME k j
    w MOVE j 1
    w SELECT 1
    w DEL j
    w INCR n
    w EXPIRE n -1
    w MULTI
    w SET x 1
    w SET y 2
    w DEL x y
    w EXEC
    w SET '' empty
    w SET 'a b' 1
    w FLUSHALL
"""
_CLASSES: Final = ["KEA", "AKEmn", "Kg$", "E$", "Kx", "Emn", "K", "E", "A", "KEg", "", "Kn", "KE$x"]


@pytest.mark.parametrize("cast", [RESP2, RESP3], ids=["resp2", "resp3"])
@pytest.mark.parametrize("classes", _CLASSES)
def test_the_classes_asked_for_are_published_as_redis_does(oracle: Redis, classes: str, cast: dict[str, bool]) -> None:
    try:
        agree(oracle, f"w CONFIG SET notify-keyspace-events '{classes}'\n{SCRIPT}", cast)
    finally:
        with oracle.client() as client:
            client.must("CONFIG", "SET", "notify-keyspace-events", "")
