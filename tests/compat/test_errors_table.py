"""The text of every error, row by row as ``errors-7.0.tsv`` has it: measured on redis-server 7.0.

The rows of a context are one conversation: each finds what those before it have left.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.support.engine_client import EngineClient, decode_all
from tests.support.wire_replies import Refusal

#: What the rows of a context find, one request a line.
SETUPS: Final[dict[str, str]] = {
    "standalone": """
        SET s v
        RPUSH l a b c
        HSET h f v
        SADD set a b
        ZADD z 1 a 2 b
        XADD x 1-1 f v
        GEOADD g 13.361389 38.115556 p
    """,
    "inside MULTI": "MULTI",
    "EXEC after error": "MULTI\nNOSUCH",
    "inside MULTI (allowed: QUEUED)": "MULTI",
    "RESP2 after SUBSCRIBE": "SUBSCRIBE a",
    "requirepass set, not authed": "",
    "requirepass set": "",
    "requirepass set, multi >10 args": "",
    "requirepass": "",
}
#: Contexts that need more than one engine, or an area with tests of its own: where their texts are held.
ELSEWHERE: Final[dict[str, str]] = {
    "cluster": "tests/compat: the oracle in cluster mode",
    "EVAL": "scripting",
    "EVALSHA": "scripting",
    "EVAL_RO": "scripting",
    "shebang": "scripting",
    "FUNCTION": "scripting",
    "FCALL_RO": "scripting",
    "while script busy": "scripting",
    "the killed EVAL": "scripting",
    "maxmemory 1": "tests/compat/test_eviction_oracle.py",
    "min-replicas-to-write 1": "replication",
    "replica": "replication",
    "same": "replication",
    "user u": "tests/compat/test_acl_oracle.py",
    "ACL DRYRUN": "tests/compat/test_acl_oracle.py",
}
#: Rows of which the blanks do not part words.
WORDS: Final[dict[str, list[str]]] = {"CLIENT SETNAME a b": ["CLIENT", "SETNAME", "a b"]}
#: Rows that a later version or we ourselves answer differently, with why.
CHANGED: Final[dict[str, tuple[str, str]]] = {"LOLWUT abc": ("no error: b", "art of our own")}


def _rows() -> list[dict[str, str]]:
    with (Path(__file__).parent / "errors-7.0.tsv").open() as table:
        return list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))


def _words(row: dict[str, str]) -> list[str]:
    return WORDS.get(row["command"], row["command"].split(" "))


ROWS: Final = _rows()


def _conversation(context: str, rows: Sequence[dict[str, str]]) -> dict[int, str]:
    """What a client is answered, by the row's place among ``rows``."""
    kv = EngineClient()
    kv.engine.config.assign(kv.engine.config.options["enable-debug-command"], "yes")
    if context.startswith("requirepass"):
        kv("CONFIG", "SET", "requirepass", "pw")
        kv = kv.other()
    for line in SETUPS[context].split("\n"):
        if line.strip():
            kv.raw(*line.split())
    told = {}
    for place, row in enumerate(rows):
        (reply, *_) = decode_all(kv.raw(*_words(row)))
        told[place] = reply.text if isinstance(reply, Refusal) else f"no error: {reply!r}"
    return told


@pytest.mark.parametrize("context", SETUPS)
def test_errors_say_what_they_say_in_redis(context: str) -> None:
    rows = [row for row in ROWS if row["context"] == context]
    assert rows
    differ = []
    for place, ours in _conversation(context, rows).items():
        command, theirs = rows[place]["command"], rows[place]["result"]
        start, _ = CHANGED.get(command, ("", ""))
        if not (ours.startswith(start) if start else ours == theirs):
            differ.append(f"{command}: {ours!r} is not {theirs!r}")
    assert differ == []


def test_a_row_is_left_out_only_because_it_is_held_elsewhere() -> None:
    contexts = {row["context"] for row in ROWS} - set(SETUPS)
    assert [context for context in contexts if not context.startswith(tuple(ELSEWHERE))] == []
