"""The shape of every reply in both protocols, row by row as ``resp3-7.0.tsv`` has it: measured on redis-server 7.0."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import pytest

from tests.compat.machine.clients import name_of
from tests.compat.machine.replies import UNORDERED, WALKS, equal
from tests.support.engine_client import EngineClient, decode

#: What each row finds.
SETUP: Final = """
    SET k v
    SET n 5
    RPUSH l a b c
    HSET h f v g w
    SADD s a b
    ZADD z 1.5 a 2 b
    XADD x 1-1 f v
    XADD x 2-1 f v
    XGROUP CREATE x g 0
    GEOADD geo 13.361389 38.115556 p
    PFADD hll a
"""
#: Commands whose values are their server's own, or drawn by lot: of these only the kinds are compared.
OWN_VALUES: Final[dict[str, str]] = {
    "HRANDFIELD": "by lot",
    "SRANDMEMBER": "by lot",
    "ZRANDMEMBER": "by lot",
    "RANDOMKEY": "by lot",
    "COMMAND|COUNT": "there are more in 7.4",
    "COMMAND|DOCS": "in our own words",
    "CLIENT|ID": "counted by each server",
    "CLIENT|INFO": "addresses and times",
    "HELLO": "version and id",
    "INFO": "numbers",
    "LOLWUT": "art",
    "TIME": "the clock",
    "LASTSAVE": "the clock",
    "ROLE": "an offset",
    "LATENCY|DOCTOR": "in our own words",
    "LATENCY|HISTOGRAM": "how long it took",
    "MEMORY|DOCTOR": "in our own words",
    "MEMORY|STATS": "numbers",
    "MEMORY|USAGE": "numbers",
    "SLOWLOG|GET": "what was slow",
    "SLOWLOG|LEN": "what was slow",
}


def _rows() -> list[dict[str, str]]:
    with (Path(__file__).parent / "resp3-7.0.tsv").open() as table:
        return list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))


def _name(row: dict[str, str]) -> str:
    return name_of(row["command"].encode().split(b" "))


ROWS: Final = _rows()


@pytest.fixture(scope="module")
def subject() -> EngineClient:
    """A client of an engine whose keys each row makes anew."""
    kv = EngineClient()
    kv("CONFIG", "SET", "latency-tracking", "yes")
    kv.engine.config.assign(kv.engine.config.options["enable-debug-command"], "yes")
    return kv


def _answer(subject: EngineClient, row: dict[str, str], *, resp3: bool) -> bytes:
    subject("FLUSHALL")
    for line in SETUP.split("\n"):
        if line.strip():
            subject(*line.split())
    client = subject.other(resp3=resp3)
    client.send(*row["command"].split(" "))
    if not client.session.out:
        client.wait(20)  # the rows that wait do it for 10 ms
    answer = client.taken()
    client.engine.leave(client.session)
    return answer


def _kinds(text: str) -> list[str]:
    """The first byte of each part of a reply, as far as the text goes: the table cuts long ones."""
    kinds = []
    lines = iter(text.removesuffix("...").removesuffix("\\r\\n").split("\\r\\n"))
    for line in lines:
        kinds.append(line[:1])
        if line[:1] in "$=" and line[1:] != "-1":
            next(lines, None)
    return kinds


def _same(name: str, ours: bytes, theirs: str) -> bool:
    own = ours.decode("latin-1").replace("\r\n", "\\r\\n").replace("\n", "\\n")
    if name in OWN_VALUES:
        return all(one == other for one, other in zip(_kinds(own), _kinds(theirs), strict=False))
    if theirs.endswith("..."):
        return own.startswith(theirs[:-3])
    if name in UNORDERED | WALKS:
        return equal(name, decode(ours), decode(theirs.encode("latin-1").decode("unicode_escape").encode("latin-1")))
    return own == theirs


@pytest.mark.parametrize("resp3", [False, True], ids=["resp2", "resp3"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["command"])
def test_a_reply_has_the_shape_that_it_has_in_redis(subject: EngineClient, row: dict[str, str], resp3: bool) -> None:
    theirs = (row["resp3_raw_if_different"] if resp3 else "") or row["resp2_raw"]
    ours = _answer(subject, row, resp3=resp3)
    assert _same(_name(row), ours, theirs), f"{ours!r} is not {theirs}"


def test_every_own_value_is_of_a_row() -> None:
    assert set(OWN_VALUES) <= {_name(row) for row in ROWS}
