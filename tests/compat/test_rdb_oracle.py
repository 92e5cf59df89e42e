"""Payloads and files beside redis-server and valkey-server: what one writes the other reads, with equal digests."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from shardkv.commands.digest import digest_all, digest_value
from shardkv.config import Config
from shardkv.keyspace.database import Database
from shardkv.keyspace.slots import SLOT_COUNT
from shardkv.persist.rdb.loader import RdbLoader
from shardkv.persist.rdb.payload import sealed
from shardkv.persist.rdb.writer import Snapshot
from tests.support.differential import differences
from tests.support.engine_client import BEGIN, EngineClient
from tests.support.oracle import SETTINGS, Redis, Valkey
from tests.support.processes import Server

Do: TypeAlias = Callable[..., Any]

FAR = 9_999_999_999_999  # Unix milliseconds


def fill(do: Do) -> None:
    """Keys of every type, in every encoding, at the edges of their forms."""
    for number in (0, 12, 127, 128, -128, -129, 32768, -(2**31), 2**31, 2**63 - 1):
        do("SET", f"integer {number}", number)
    for name, text in {"empty": "", "zero": "01", "short": "hello", "long": "ab" * 500, "runs": "x" * 70000}.items():
        do("SET", name, text)
    do("SET", "binary", bytes(range(256)) * 3)
    do("APPEND", "grown", "a")
    do("APPEND", "grown", "b")
    do("SET", "expires", "x", "PXAT", FAR)
    do("RPUSH", "list", "a", "", 1, -5, 300, 70000, 2**40, "x" * 63, "x" * 64, "x" * 5000)
    do("RPUSH", "long list", *(f"element:{number}" for number in range(3000)))
    do("RPUSH", "large elements", "x" * 100_000, "a", "y" * 9000, *["z" * 3000] * 5, "q" * 16378)
    do("SADD", "intset 16", 1, -2, 3)
    do("SADD", "intset 32", 1, 70000)
    do("SADD", "intset 64", 1, -(2**40))
    do("SADD", "set", "a", "b", 7, "")
    do("SADD", "long set", *(f"member:{number}" for number in range(1000)))
    do("SADD", "integers", *range(1000))
    do("ZADD", "zset", 1, "a", 2.5, "b", "inf", "c", "-inf", "d", 0.1, "e", "1e22", "f", "1e-7", "g", 2**53, "h", 5, 9)
    do("ZADD", "long zset", *(word for number in range(500) for word in (number * 1.1, f"member:{number}")))
    do("HSET", "hash", "a", 1, "b", "xx", "", "", "n", -70000)
    do("HSET", "long hash", *(word for number in range(700) for word in (f"field:{number}", f"value:{number}")))
    do("HSET", "wide hash", "f", "v" * 100)
    for number in range(1, 250):
        do("XADD", "stream", f"{number}-{number % 3}", "f", f"v{number}", *(("g", "1") if number % 5 == 0 else ()))
    do("XDEL", "stream", "5-2", "6-0", "249-0")
    do("XGROUP", "CREATE", "stream", "g", "0")
    do("XGROUP", "CREATE", "stream", "other", "$")
    do("XREADGROUP", "GROUP", "g", "c1", "COUNT", 10, "STREAMS", "stream", ">")
    do("XREADGROUP", "GROUP", "g", "c2", "COUNT", 5, "STREAMS", "stream", ">")
    do("XACK", "stream", "g", "1-1")
    do("XGROUP", "CREATE", "no entries", "g", "$", "MKSTREAM")
    do("XADD", "all deleted", "1-1", "a", "b")
    do("XDEL", "all deleted", "1-1")


def an_engine() -> EngineClient:
    """A client that may use DEBUG."""
    kv = EngineClient()
    kv.engine.config.enable_debug_command = "yes"
    return kv


def payload_of(kv: EngineClient, key: bytes) -> bytes:
    """What DUMP answers, as bytes."""
    return kv.raw("DUMP", key).split(b"\r\n", 1)[1][:-2]


def digests(client: Any, *keys: bytes) -> list[str]:
    """DEBUG DIGEST-VALUE of a server."""
    return [str(digest) for digest in client.must("DEBUG", "DIGEST-VALUE", *keys)]


#: What XINFO STREAM FULL tells that is no matter of the format: how nodes are laid out, and what 7.0 does not know.
_LAYOUT = (b"radix-tree-keys", b"radix-tree-nodes", b"active-time", b"lag")


def told(reply: Any) -> Any:
    """A reply of XINFO without what two sound servers may differ in."""
    if not isinstance(reply, list):
        return reply
    found, skip = [], False
    for item in reply:
        if skip:
            skip = False
        elif item in _LAYOUT or (isinstance(item, str) and item.encode() in _LAYOUT):
            skip = True
        else:
            found.append(told(item.encode() if isinstance(item, str) else item))
    return found


def test_every_payload_of_redis_is_restored_here_and_ours_there(oracle: Redis) -> None:
    kv = an_engine()
    with oracle.client() as client:
        fill(client.must)
        keys = sorted(client.must("KEYS", "*"))
        for key in keys:
            kv("RESTORE", key, FAR if key == b"expires" else 0, client.must("DUMP", key), "ABSTTL")
        assert kv("DEBUG", "DIGEST-VALUE", *keys) == digests(client, *keys)
        for value in kv.db.values:
            for held in value.values():
                if not isinstance(held, bytes):
                    held.check()
        client.must("FLUSHALL")
        for key in keys:
            client.must("RESTORE", key, FAR if key == b"expires" else 0, payload_of(kv, key), "ABSTTL")
        assert digests(client, *keys) == kv("DEBUG", "DIGEST-VALUE", *keys)
        assert told(client.must("XINFO", "STREAM", "stream", "FULL")) == told(kv("XINFO", "STREAM", "stream", "FULL"))


def test_what_is_made_here_is_restored_there_and_comes_back(oracle: Redis) -> None:
    kv, again = an_engine(), an_engine()
    fill(kv)
    with oracle.client() as client:
        keys = sorted(kv.db)
        for key in keys:
            client.must("RESTORE", key, FAR if key == b"expires" else 0, payload_of(kv, key), "ABSTTL")
        assert digests(client, *keys) == kv("DEBUG", "DIGEST-VALUE", *keys)
        for key in keys:
            again("RESTORE", key, FAR if key == b"expires" else 0, client.must("DUMP", key), "ABSTTL")
        assert again("DEBUG", "DIGEST") == kv("DEBUG", "DIGEST")
        assert told(again("XINFO", "STREAM", "stream", "FULL")) == told(kv("XINFO", "STREAM", "stream", "FULL"))


#: Payloads that are byte for byte those of redis-server, without compression and deleted entries.
SAME = """
    SET s hello
    SET n -70000
    RPUSH l a 1 -5 300 70000 ''
    SADD i 1 2 70000
    SADD s2 a
    ZADD z 1 a 2.5 b inf c -5000 d
    HSET h f v g 7
    XADD x 1-1 f v
    XADD x 1-2 f w
    XADD x 7-0 g w h v
    XGROUP CREATE x g 0
    DUMP s
    DUMP n
    DUMP l
    DUMP i
    DUMP s2
    DUMP z
    DUMP h
    DUMP x
    RESTORE s 0 abc
    RESTORE r 0 abc
    RESTORE r -1 abc
    RESTORE r x abc
    RESTORE r 0 abc REPLACE ABSTTL IDLETIME
    RESTORE r 0 abc IDLETIME 1 FREQ 1
    RESTORE r 0 abc IDLETIME -1
    RESTORE r 0 abc IDLETIME x
    RESTORE r 0 abc FREQ 256
    RESTORE r 0 abc FREQ -1
    RESTORE s x abc
    RESTORE s 0 abc WHAT
    RESTORE r
    RESTORE r 0
    DUMP
    DUMP none
    RESTORE r 0 '' REPLACE
"""


def test_payloads_and_errors_are_those_of_redis(oracle: Redis) -> None:
    assert differences(oracle, SAME) == []
    assert differences(oracle, SAME, resp3=True) == []


@pytest.mark.parametrize(
    "body",
    [
        b"\x00\x05hello",
        b"\x02\x00",
        b"\x02\x02\x01a\x01a",
        b"\x0b\x03abc",
        b"\x12\x01\x01\x00",
        b"\x12\x02\x01\x01a\x01\x00",
        b"\x12\x02\x01\x01a\x02\x00",
        b"",
    ],
)
@pytest.mark.parametrize("version", [1, 9, 10])
def test_what_is_restored_and_what_refused_is_the_same(oracle: Redis, body: bytes, version: int) -> None:
    script = [[b"RESTORE", b"k", b"0", sealed(body, version)], [b"GET", b"k"]]
    assert differences(oracle, script) == []


# ---- files


def a_database(index: int) -> Database:
    """A database without keys."""
    return Database(index, bytearray(SLOT_COUNT))


def loaded(path: Path) -> list[Database]:
    """What a file holds."""
    databases = [a_database(index) for index in range(16)]
    loader = RdbLoader(Config(), databases.__getitem__, BEGIN, size=path.stat().st_size)
    with path.open("rb") as file:
        while chunk := file.read(10_000):
            loader.feed(chunk)
    loader.finish()
    assert loader.checked
    for database in databases:
        database.check()
    return databases


@pytest.fixture
def redis() -> Iterator[Redis]:
    """A redis-server of the test's own, which saves to a file."""
    with Redis(**(SETTINGS | {"dbfilename": "test.rdb"})) as server:
        yield server


def saved(server: Server) -> tuple[Path, str]:
    """Let a server save; its file and its digest."""
    with server.client() as client:
        client.must("SAVE")
        return server.directory / "test.rdb", str(client.must("DEBUG", "DIGEST"))


def test_files_go_from_redis_to_us_and_back(redis: Redis, tmp_path: Path) -> None:
    with redis.client() as client:
        fill(client.must)
        client.must("SELECT", 3)
        client.must("SET", "elsewhere", "x")
        client.must("FUNCTION", "LOAD", "#!lua name=m\nredis.register_function('f', function() return 1 end)")
    path, digest = saved(redis)
    databases = loaded(path)
    assert digest_all(databases).hex() == digest
    assert redis.terminate() == 0
    for compressed in (True, False):
        config = Config()
        config.rdbcompression = compressed
        config.rdbchecksum = compressed
        with path.open("wb") as file:
            file.writelines(Snapshot(databases, config, BEGIN, [(b"redis-ver", b"7.4.0")]))
        with redis.restart().client() as client:
            assert str(client.must("DEBUG", "DIGEST")) == digest
            assert client.must("DEBUG", "RELOAD") == "OK"  # and it can write again what it got from us
            assert str(client.must("DEBUG", "DIGEST")) == digest


def test_a_file_with_the_last_use_of_keys_is_read_by_redis(redis: Redis) -> None:
    config = Config()
    config.set([(b"maxmemory-policy", b"allkeys-lru")])
    database = a_database(0)
    database.put(b"a", b"b")
    path, _ = saved(redis)
    redis.terminate()
    path.write_bytes(b"".join(Snapshot([database], config, 500_000)))
    with redis.restart().client() as client:
        client.must("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        assert int(client.must("OBJECT", "IDLETIME", "a")) >= 500


def test_elements_that_servers_disagree_on_are_written_so_that_all_read_them(oracle: Redis, valkey: Valkey) -> None:
    """Before Redis 8.8 a listpack's element of 16383 bytes has its size behind it in three bytes, then in two."""
    kv = an_engine()
    word = "q" * (16383 - 5)
    for option in ("hash-max-listpack-value", "zset-max-listpack-value"):
        kv("CONFIG", "SET", option, 20000)
    kv("CONFIG", "SET", "list-max-listpack-size", -5)
    kv("RPUSH", "l", "a", word, "b")
    kv("HSET", "h", "f", word)
    kv("ZADD", "z", 1, word)
    for server in (oracle, valkey):
        with server.client() as client:
            for key in (b"l", b"h", b"z"):
                client.must("RESTORE", key, 0, payload_of(kv, key))
                kv("RESTORE", "back", 0, client.must("DUMP", key), "REPLACE")
                assert kv("DEBUG", "DIGEST-VALUE", "back") == kv("DEBUG", "DIGEST-VALUE", key) == digests(client, key)


def test_redis_check_rdb_finds_our_files_sound(tmp_path: Path) -> None:
    kv = an_engine()
    fill(kv)
    path = tmp_path / "test.rdb"
    path.write_bytes(b"".join(Snapshot(kv.engine.databases, Config(), BEGIN)))
    checker = shutil.which("redis-check-rdb")
    if checker is None:
        pytest.fail("redis-check-rdb is not installed (Debian package: redis-tools)")
    done = subprocess.run([checker, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "RDB looks OK" in done.stdout


#: Valkey's digests tell of the times of fields, and have scores in another notation.
_OTHER_DIGESTS = (b"timed", b"zset", b"long zset")


def test_files_and_payloads_of_valkey_are_read() -> None:
    with Valkey(**(SETTINGS | {"dbfilename": "test.rdb"})) as server, server.client() as client:
        fill(client.must)
        client.must("HSET", "timed", "f", "v", "g", "w")
        client.must("HPEXPIREAT", "timed", FAR // 2, "FIELDS", 1, "f")
        path, _ = saved(server)
        [database, *_] = loaded(path)
        keys = sorted(client.must("KEYS", "*"))
        plain = [key for key in keys if key not in _OTHER_DIGESTS]
        assert sorted(database) == keys
        expected = digests(client, *plain)
        assert [digest_value(database, key, database.get(key)).hex() for key in plain] == expected
        scores = [client.must("ZRANGE", key, 0, -1, "WITHSCORES") for key in ("zset", "long zset")]

        kv = an_engine()
        for key in keys:
            kv("RESTORE", key, FAR if key == b"expires" else 0, client.must("DUMP", key), "ABSTTL")
        assert kv("DEBUG", "DIGEST-VALUE", *plain) == expected
        assert kv("HPEXPIRETIME", "timed", "FIELDS", 2, "f", "g") == [FAR // 2, -1]
        timed = database.get(b"timed")
        assert timed is not None
        assert (timed.expiry(b"f"), timed.expiry(b"g")) == (FAR // 2, None)

        client.must("FLUSHALL")
        for key in keys:
            if key != b"timed":  # Valkey does not read the form of Redis 7.4
                client.must("RESTORE", key, FAR if key == b"expires" else 0, payload_of(kv, key), "ABSTTL")
        assert digests(client, *plain) == expected
        assert [client.must("ZRANGE", key, 0, -1, "WITHSCORES") for key in ("zset", "long zset")] == scores
