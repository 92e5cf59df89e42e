"""The tools that look into RDB files: what they say of sound ones, and of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from shardkv_cli.admin import main

from shardkv.config import Config
from shardkv.persist.rdb import opcodes
from shardkv.persist.rdb.primitives import plain_string
from shardkv.persist.rdb.writer import Snapshot, ending, opening
from tests.support.engine_client import BEGIN, EngineClient


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with keys of several types in two databases."""
    kv = EngineClient()
    kv("SET", "text", "abc", "PX", 1)
    kv("SET", b"\xff\n", "x" * 100)
    kv("RPUSH", "list", "a", "b", "c")
    kv("HSET", "hash", "a", "1")
    kv("SELECT", 3)
    kv("ZADD", "zset", *(word for number in range(200) for word in (number, f"m{number}")))
    kv("XADD", "stream", "1-1", "a", "b")
    path = tmp_path / "dump.rdb"
    remarks = [(b"redis-ver", b"7.4.0")]
    path.write_bytes(b"".join(Snapshot(kv.engine.databases, Config(), BEGIN, remarks, [b"#!lua name=m\n"])))
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_a_sound_file_is_told_to_be_one(file: Path) -> None:
    done = run("check-rdb", file)
    assert done.exit_code == 0, done.output
    assert "RDB version 10, check sum: right" in done.stdout
    assert "  redis-ver: 7.4.0" in done.stdout
    assert "1 libraries of functions" in done.stdout
    assert "database 3: 2 keys" in done.stdout
    assert "1 keys expire, 1 of them have already" in done.stdout
    assert done.stdout.endswith("is sound.\n")
    document = json.loads(run("check-rdb", file, "--json").stdout)
    assert document["types"] == {"hash": 1, "list": 1, "stream": 1, "string": 2, "zset": 1}
    assert document["databases"] == {"0": 4, "3": 2}
    assert document["error"] is None


def _cut(data: bytes) -> bytes:
    return data[:-12]


def _flipped(data: bytes) -> bytes:
    return data[:-4] + bytes((data[-4] ^ 1,)) + data[-3:]


def _longer(data: bytes) -> bytes:
    return data + b"more"


def _twice(data: bytes) -> bytes:
    key = bytes((opcodes.STRING,)) + plain_string(b"a") + plain_string(b"b")
    return opening(10) + key + key + bytes((opcodes.EOF,)) + ending(0)


def _newer(data: bytes) -> bytes:
    return data.replace(b"REDIS0010", b"REDIS0013", 1)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_cut, "the file ends too early"),
        (_flipped, "RDB CRC error, the check sum of the file is wrong"),
        (_longer, "4 bytes behind the end of the file"),
        (_twice, "the key 'a' is there twice in database 0"),
        (_newer, "an RDB file of version 13, and only 1 to 12 can be read"),
    ],
)
def test_a_damaged_file_is_told_with_place_and_reason_and_left_alone(file: Path, damage: Any, reason: str) -> None:
    data = damage(file.read_bytes())
    file.write_bytes(data)
    for verb in ("check-rdb",) if damage is _twice else ("check-rdb", "rdb"):
        done = run(verb, file)
        assert done.exit_code == 1
        assert done.stderr.count("\n") == 1
        assert reason in done.stderr
        assert "damaged at byte" in done.stderr
    document = json.loads(run("check-rdb", file, "--json").stdout)
    assert document["error"]["reason"] == reason
    assert file.read_bytes() == data


def test_a_file_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    for verb in ("check-rdb", "rdb"):
        done = run(verb, tmp_path / "none.rdb")
        assert done.exit_code == 1
        assert done.stderr == f"Error: {tmp_path}/none.rdb: No such file or directory\n"


def test_keys_are_listed_with_types_and_sizes(file: Path) -> None:
    listed = [json.loads(line) for line in run("rdb", file, "--json").stdout.splitlines()]
    by_key = {row["key"]: row for row in listed}
    assert by_key["text"] == {
        "db": 0,
        "key": "text",
        "type": "string",
        "encoding": "embstr",
        "elements": 3,
        "bytes": 5,
        "expires_at": BEGIN + 1,
    }
    assert (by_key["list"]["type"], by_key["list"]["elements"], by_key["list"]["encoding"]) == ("list", 3, "listpack")
    assert (by_key["zset"]["db"], by_key["zset"]["elements"], by_key["zset"]["encoding"]) == (3, 200, "skiplist")
    assert by_key[None]["key_base64"] == "/wo="
    assert by_key[None]["bytes"] == 103
    text = run("rdb", file).stdout.splitlines()
    assert len(text) == 7
    assert text[0].split()[0] == "db"
    assert any(line.endswith(r"\xff\n") for line in text)
    assert [line.split()[-1] for line in run("rdb", file, "--db", 3, "--match", "[sz]*").stdout.splitlines()[1:]]
    [largest] = run("rdb", file, "--largest", 1).stdout.splitlines()[1:]
    assert largest.endswith(" zset")
