"""Small collections that stay as they were read until somebody asks for an element."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from shardkv.commands.digest import digest_all
from shardkv.config import Config
from shardkv.engine.engine import Engine
from shardkv.persist.rdb import opcodes
from shardkv.persist.rdb.faults import RdbFault
from shardkv.persist.rdb.loader import RdbLoader
from shardkv.persist.rdb.primitives import crc64, plain_blob, plain_string
from shardkv.persist.rdb.writer import Snapshot, ending, opening
from shardkv.values import listpack
from shardkv.values.hashes import HashValue
from shardkv.values.lists import ListValue
from shardkv.values.zsets import ZSetValue
from tests.support.engine_client import BEGIN, EngineClient, Word

WORDS = [b"a", b"1", b"b", b"2.5", b"c", b"-7"]
BLOB = listpack.encode(WORDS)
ONE_NODE = bytes((1, opcodes.PACKED))
BODIES = {
    b"hash": (opcodes.HASH_LISTPACK, b""),
    b"zset": (opcodes.ZSET_LISTPACK, b""),
    b"list": (opcodes.LIST_QUICKLIST_2, ONE_NODE),
}


def file_of(blob: bytes, names: Iterable[bytes] = BODIES, *, checked: bool = True) -> bytes:
    """An RDB file in which each of these keys has this listpack."""
    parts = [opening(opcodes.VERSION_WRITTEN)]
    for name in names:
        kind, before = BODIES[name]
        parts.append(bytes((kind,)) + plain_string(name) + before + plain_blob(blob))
    body = b"".join(parts) + bytes((opcodes.EOF,))
    return body + ending(crc64(body) if checked else 0)


def load(engine: Engine, data: bytes, config: Config | None = None) -> None:
    """Loads a file into the databases of an engine."""
    loader = RdbLoader(config or engine.config, engine.database, BEGIN)
    loader.feed(data)
    loader.finish()


@pytest.fixture
def kv() -> EngineClient:
    client = EngineClient()
    load(client.engine, file_of(BLOB))
    return client


def held(kv: EngineClient) -> list[Any]:
    return [kv.db.get(name) for name in BODIES]


def test_they_are_kept_and_saved_as_they_are(kv: EngineClient) -> None:
    for value in held(kv):
        assert value.listpack == BLOB
        value.check()
        assert value.encoding == "listpack"
        assert value.copy().listpack is value.listpack
        assert not value.rest()
        assert value.memory() > len(BLOB)
    assert (len(held(kv)[0]), len(held(kv)[1]), len(held(kv)[2])) == (3, 3, 6)
    config = Config()
    config.set([(b"rdbcompression", b"no")])
    assert b"".join(Snapshot(kv.engine.databases, config, BEGIN)).count(BLOB) == 3
    assert all(value.listpack is not None for value in held(kv))


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        (("HGET", "hash", "b"), "2.5"),
        (("HGETALL", "hash"), ["a", "1", "b", "2.5", "c", "-7"]),
        (("HMGET", "hash", "c", "x"), ["-7", None]),
        (("HLEN", "hash"), 3),
        (("HSET", "hash", "d", "4", "a", "0"), 1),
        (("HDEL", "hash", "a", "x"), 1),
        (("HSCAN", "hash", 0), ["0", ["a", "1", "b", "2.5", "c", "-7"]]),
        (("HINCRBY", "hash", "a", 5), 6),
        (("HPEXPIREAT", "hash", BEGIN + 1000, "FIELDS", 1, "a"), [1]),
        (("HRANDFIELD", "hash", 3), ["a", "b", "c"]),
        (("ZSCORE", "zset", "b"), "2.5"),
        (("ZRANGE", "zset", 0, -1, "WITHSCORES"), ["c", "-7", "a", "1", "b", "2.5"]),
        (("ZADD", "zset", 9, "d"), 1),
        (("ZREM", "zset", "c"), 1),
        (("ZRANK", "zset", "a"), 1),
        (("ZCARD", "zset"), 3),
        (("ZPOPMIN", "zset"), ["c", "-7"]),
        (("LRANGE", "list", 0, -1), ["a", "1", "b", "2.5", "c", "-7"]),
        (("LPUSH", "list", "x"), 7),
        (("RPOP", "list"), "-7"),
        (("LLEN", "list"), 6),
        (("LINDEX", "list", 1), "1"),
        (("LSET", "list", 0, "y"), "OK"),
        (("LREM", "list", 0, "b"), 1),
        (("LTRIM", "list", 1, 2), "OK"),
        (("LPOS", "list", "c"), 4),
        (("LINSERT", "list", "BEFORE", "b", "z"), 7),
        (("SORT", "list", "ALPHA"), ["-7", "1", "2.5", "a", "b", "c"]),
        (("COPY", "list", "other"), 1),
    ],
)
def test_every_command_finds_what_is_in_them(kv: EngineClient, words: tuple[Any, ...], reply: Any) -> None:
    assert kv(*words) == reply
    for value in held(kv):
        value.check()


def test_they_have_the_digest_that_they_have_when_unpacked(kv: EngineClient) -> None:
    other = EngineClient()
    config = Config()
    config.assign(Config.rdbchecksum, False)
    load(other.engine, file_of(BLOB), config)
    for value in held(other):
        assert value.listpack is None
        value.check()
    assert digest_all(kv.engine.databases) == digest_all(other.engine.databases)


def _wrong_size(blob: bytes) -> bytes:
    return blob[:8] + bytes((blob[8] ^ 1,)) + blob[9:]


@pytest.mark.parametrize(
    ("name", "blob"),
    [
        (b"hash", listpack.encode([b"a", b"1", b"a", b"2"])),
        (b"zset", listpack.encode([b"a", b"1", b"a", b"2"])),
        (b"zset", listpack.encode([b"a", b"1", b"b", b"nan"])),
        (b"zset", listpack.encode([b"a", b"1_0"])),
        (b"hash", _wrong_size(BLOB)),
        (b"zset", _wrong_size(BLOB)),
        (b"list", _wrong_size(BLOB)),
        (b"list", BLOB[:4] + b"\x07" + BLOB[5:]),
    ],
)
def test_what_is_damaged_is_refused_without_a_check_sum_and_told_of_with_one(name: bytes, blob: bytes) -> None:
    kv = EngineClient()
    with pytest.raises(RdbFault):
        load(kv.engine, file_of(blob, [name], checked=False))
    kv = EngineClient()
    load(kv.engine, file_of(blob, [name]))
    asked: dict[bytes, tuple[Word, ...]] = {
        b"hash": ("HGET", "hash", "a"),
        b"zset": ("ZSCORE", "zset", "a"),
        b"list": ("LINDEX", "list", 0),
    }
    before = kv("TYPE", name)
    for _ in range(2):
        answer = kv.raw(*asked[name])
        assert answer.startswith(b"-ERR The value of the key is damaged: "), answer
    assert kv("TYPE", name) == before
    assert kv("DEL", name) == 1


@pytest.mark.parametrize(
    "blob",
    [b"", BLOB[:-1], BLOB[:-1] + b"\0", b"\x08" + BLOB[1:], listpack.encode([]), listpack.encode([b"x"] * 5000)],
)
def test_what_is_none_by_its_header_or_too_large_is_not_kept(blob: bytes) -> None:
    config = Config()
    assert HashValue.kept(blob, config) is None
    assert ZSetValue.kept(blob, config) is None
    assert ListValue.kept(blob, config.list_max_listpack_size) is None
    assert HashValue.kept(listpack.encode([b"a"]), config) is None
    assert ListValue.kept(listpack.encode([b"x" * 20_000]), -2) is None
