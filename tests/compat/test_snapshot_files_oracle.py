"""Files that nodes and redis-servers hand each other: whole processes in one folder, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from struct import pack

import pytest

from shardkv.persist.rdb import opcodes
from shardkv.persist.rdb.primitives import length_bytes, plain_string
from tests.compat.test_rdb_oracle import fill
from tests.support.old_rdb import make_file, make_key, make_ziplist, make_zipmap
from tests.support.oracle import SETTINGS, Redis
from tests.support.processes import Node, Server, wait_for
from tests.support.wire import Client

pytestmark = pytest.mark.wire

LIBRARY = "#!lua name=m\nredis.register_function('f', function() return 'hello' end)"


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[Redis, Node]]:
    """A redis-server and a node that work in the same folder, neither of them started."""
    redis, node = Redis(**SETTINGS, dir=str(tmp_path)), Node(**SETTINGS, dir=str(tmp_path))
    yield redis, node
    redis.stop()
    node.stop()


def digest(server: Server) -> object:
    """Start a server on what is in the folder; its digest."""
    with server.start().client() as client:
        wait_for(lambda: client("PING") == "PONG")
        return client.must("DEBUG", "DIGEST")


def save(client: Client) -> object:
    """Let a server save; its digest."""
    client.must("SAVE")
    return client.must("DEBUG", "DIGEST")


def test_a_data_set_goes_from_redis_to_a_node_and_back(servers: tuple[Redis, Node]) -> None:
    redis, node = servers
    with redis.start().client() as client:
        fill(client.must)
        client.must("FUNCTION", "LOAD", LIBRARY)
        client.must("SELECT", 5)
        client.must("SET", "elsewhere", "x", "PXAT", 9_999_999_999_999)
        before = save(client)
        encodings = {key: client.must("OBJECT", "ENCODING", key) for key in client.must("KEYS", "*")}
    redis.kill()
    assert digest(node) == before
    with node.client() as client:
        client.must("SELECT", 5)
        assert {key: client.must("OBJECT", "ENCODING", key) for key in encodings} == encodings
        assert client.must("FCALL", "f", 0) == b"hello"
        client.must("DEBUG", "RELOAD")
        assert client.must("FCALL", "f", 0) == b"hello"
        assert save(client) == before
    node.kill()
    assert digest(redis) == before
    with redis.client() as client:
        assert client.must("FCALL", "f", 0) == b"hello"


def test_a_data_set_made_here_is_loaded_by_redis(servers: tuple[Redis, Node]) -> None:
    redis, node = servers
    with node.start().client() as client:
        fill(client.must)
        client.must("FUNCTION", "LOAD", LIBRARY)
        before = save(client)
    node.kill()
    assert digest(redis) == before
    with redis.client() as client:
        assert client.must("FCALL", "f", 0) == b"hello"


def old_files() -> dict[str, bytes]:
    """Files as servers of old wrote them, made by hand."""
    words = [b"field", b"value", b"n", b"12", b"minus", b"-129", b"large", b"%d" % 2**40, b"text", b"x" * 300]
    scores = [b"a", b"-1", b"b", b"0", b"c", b"2.5", b"d", b"70000"]
    row = b"".join(map(plain_string, words))
    pairs = zip(scores[::2], scores[1::2], strict=True)
    texts = b"".join(plain_string(member) + bytes((len(score),)) + score for member, score in pairs)
    first = (
        make_key(opcodes.LIST, b"list", length_bytes(len(words)) + row)
        + make_key(opcodes.SET, b"set", length_bytes(len(words)) + row)
        + make_key(opcodes.ZSET, b"zset", length_bytes(4) + texts)
        + make_key(opcodes.HASH, b"hash", length_bytes(len(words) // 2) + row)
        + b"\xfd" + pack("<i", 2_000_000_000) + make_key(opcodes.STRING, b"expires", plain_string(b"x"))
    )  # fmt: skip
    packed = (
        make_key(opcodes.HASH_ZIPMAP, b"zipmap", plain_string(make_zipmap(words, free=3)))
        + make_key(opcodes.LIST_ZIPLIST, b"list", plain_string(make_ziplist(words)))
        + make_key(opcodes.SET_INTSET, b"set", plain_string(pack("<IIqq", 8, 2, -(2**40), 7)))
        + make_key(opcodes.ZSET_ZIPLIST, b"zset", plain_string(make_ziplist(scores)))
        + make_key(opcodes.HASH_ZIPLIST, b"hash", plain_string(make_ziplist(words)))
    )
    nodes = [plain_string(make_ziplist(words[at : at + 3])) for at in range(0, len(words), 3)]
    quick = make_key(opcodes.LIST_QUICKLIST, b"quicklist", length_bytes(len(nodes)) + b"".join(nodes))
    begin, version, sizes = b"\xfe\x00", b"\xfa" + plain_string(b"redis-ver") + plain_string(b"3.2.0"), b"\xfb\x06\x00"
    return {
        "version 1": make_file(begin + first, 1),
        "version 4": make_file(begin + packed, 4),
        "version 6": make_file(begin + packed, 6),
        "version 7": make_file(version + begin + quick, 7),
        "version 9 without a check sum": make_file(begin + sizes + packed + quick, 9, checked=False),
    }


@pytest.mark.parametrize("name", list(old_files()))
def test_a_file_of_old_is_loaded_as_redis_loads_it(name: str, servers: tuple[Redis, Node]) -> None:
    redis, node = servers
    (redis.directory / "dump.rdb").write_bytes(old_files()[name])
    expected = digest(redis)
    assert expected != "0" * 40
    redis.kill()
    assert digest(node) == expected
