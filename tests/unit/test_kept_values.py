"""Small collections that stay as they were read until somebody asks for an element."""

from __future__ import annotations

import random
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
from shardkv.values.streams import StreamValue
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
    loader = RdbLoader(config or engine.config, engine.databases.open, BEGIN)
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
    ("name", "words"),
    [
        (b"hash", (b"HSET", b"hash", b"a", b"2")),
        (b"zset", (b"ZADD", b"zset", b"1", b"a")),
        (b"list", (b"LPOP", b"list")),
        (b"list", (b"RPUSH", b"list", b"x")),
    ],
)
def test_a_pipeline_of_equal_requests_that_meets_a_damaged_one_answers_for_each(
    name: bytes, words: tuple[bytes, ...]
) -> None:
    kv = EngineClient()
    load(kv.engine, file_of(_wrong_size(BLOB), [name]))
    kv.engine.begin(BEGIN)
    kv.engine.run(kv.session, [list(words) for _ in range(8)])
    assert b"".join(kv.session.out).count(b"-ERR The value of the key is damaged: ") == 8
    kv.session.out.clear()
    assert kv("TYPE", name) == name.decode()


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


def stream(kv: EngineClient) -> StreamValue:
    """The stream at ``s``."""
    value = kv.db.get(b"s")
    assert isinstance(value, StreamValue)
    return value


def two_of_a_stream(seed: int) -> tuple[EngineClient, EngineClient]:
    """Two clients with the same stream of several nodes, some entries deleted: kept by one, read by the other."""
    rng = random.Random(seed)
    made = EngineClient()
    made.engine.config.stream_node_max_entries = 7
    for number in range(1, 120):
        more = ("g", rng.randrange(-5000, 5000)) if rng.random() < 0.2 else ()
        made("XADD", "s", f"{number * 3}-{number % 2}", "f", rng.choice(["x", "1", "y" * 70]), *more)
    made("XDEL", "s", *(f"{number * 3}-{number % 2}" for number in rng.sample(range(1, 120), 30)))
    made("XGROUP", "CREATE", "s", "g", "0")
    made("XREADGROUP", "GROUP", "g", "c", "COUNT", 9, "STREAMS", "s", ">")
    data = b"".join(Snapshot(made.engine.databases, Config(), BEGIN))
    unchecked = Config()
    unchecked.assign(Config.rdbchecksum, False)
    kept, read = EngineClient(), EngineClient()
    for client, config in ((kept, Config()), (read, unchecked)):
        client.engine.config.stream_node_max_entries = 7
        load(client.engine, data, config)
    assert any(type(node.data) is listpack.Listpack for node in stream(kept).nodes)
    assert all(type(node.data) is not listpack.Listpack for node in stream(read).nodes)
    return kept, read


#: Each asks or changes a stream in a way of its own.
ON_STREAMS: list[tuple[Word, ...]] = [
    ("XLEN", "s"),
    ("XRANGE", "s", "-", "+"),
    ("XRANGE", "s", "100", "200", "COUNT", 3),
    ("XREVRANGE", "s", "+", "-", "COUNT", 5),
    ("XREVRANGE", "s", "150", "90"),
    ("XADD", "s", "1000-1", "f", "v"),
    ("XADD", "s", "MAXLEN", "~", 40, "1000-2", "f", "v"),
    ("XADD", "s", "MAXLEN", "=", 33, "1000-3", "f", "v"),
    ("XTRIM", "s", "MINID", "~", "101"),
    ("XTRIM", "s", "MINID", "=", "131"),
    ("XTRIM", "s", "MAXLEN", "~", 50),
    ("XTRIM", "s", "MAXLEN", "=", 50, ),
    ("XDEL", "s", "3-1", "150-0", "153-1", "156-0"),
    ("XREAD", "COUNT", 4, "STREAMS", "s", "77"),
    ("XREADGROUP", "GROUP", "g", "c", "COUNT", 4, "STREAMS", "s", ">"),
    ("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", "0"),
    ("XCLAIM", "s", "g", "d", 0, "3-1", "6-0", "9-1"),
    ("XAUTOCLAIM", "s", "g", "d", 0, "0"),
    ("XINFO", "STREAM", "s"),
    ("XINFO", "STREAM", "s", "FULL"),
    ("XINFO", "GROUPS", "s"),
    ("XSETID", "s", "2000-0"),
    ("COPY", "s", "t", "REPLACE"),
    ("DUMP", "s"),
]  # fmt: skip


@pytest.mark.parametrize("words", ON_STREAMS, ids=lambda words: " ".join(map(str, words[:4])))
def test_a_kept_stream_answers_as_one_that_was_read(words: tuple[Word, ...], seed: int) -> None:
    kept, read = two_of_a_stream(seed)
    rng = random.Random(seed)
    for then in (words, *rng.sample(ON_STREAMS, 4)):
        assert kept.raw(*then) == read.raw(*then), then
    saved = [b"".join(Snapshot(client.engine.databases, Config(), BEGIN)) for client in (kept, read)]
    assert digest_all(kept.engine.databases) == digest_all(read.engine.databases)
    for client in (kept, read):
        stream(client).check()
    again = [EngineClient(), EngineClient()]
    for client, data in zip(again, saved, strict=True):
        load(client.engine, data)
        assert digest_all(client.engine.databases) == digest_all(kept.engine.databases)


def test_a_damaged_stream_is_refused_without_a_check_sum_and_told_of_with_one() -> None:
    made = EngineClient()
    made("XADD", "s", "1-1", "field", "value")
    body = b"".join(Snapshot(made.engine.databases, Config(), BEGIN))[:-8]
    damaged = body.replace(b"\x85value\x06", b"\x85value\x07")
    assert damaged != body
    with pytest.raises(RdbFault):
        load(EngineClient().engine, damaged + ending(0))
    kv = EngineClient()
    load(kv.engine, damaged + ending(crc64(damaged)))
    assert kv("XLEN", "s") == 1
    for words in (("XRANGE", "s", "-", "+"), ("XADD", "s", "*", "a", "b"), ("XDEL", "s", "1-1")):
        assert kv.raw(*words).startswith(b"-ERR The value of the key is damaged: ")
    assert kv("DEL", "s") == 1
