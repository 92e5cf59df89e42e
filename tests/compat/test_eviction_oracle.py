"""What clients, listeners and the log are told when memory is full, as by redis-server.

With ``maxmemory 1`` memory is out on both sides, whatever each takes for itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import hiredis
import pytest

from tests.support.differential import agree
from tests.support.engine_client import EngineClient
from tests.support.oracle import Redis
from tests.support.processes import Server

OPTIONS = """
CONFIG SET maxmemory 100mb
CONFIG GET maxmemory
CONFIG SET maxmemory 1k
CONFIG GET maxmemory
CONFIG SET maxmemory -1
CONFIG SET maxmemory 1x
CONFIG SET maxmemory 0
CONFIG GET maxmemory
CONFIG SET maxmemory-policy allkeys-foo
CONFIG SET maxmemory-policy ALLKEYS-LRU
CONFIG GET maxmemory-policy
CONFIG SET maxmemory-policy noeviction
CONFIG SET maxmemory-samples 0
CONFIG SET maxmemory-samples 10
CONFIG GET maxmemory-samples
CONFIG SET maxmemory-samples 5
CONFIG SET maxmemory-eviction-tenacity 101
CONFIG SET maxmemory-eviction-tenacity -1
CONFIG SET maxmemory-eviction-tenacity 100
CONFIG GET maxmemory-eviction-tenacity
CONFIG SET maxmemory-eviction-tenacity 10
CONFIG SET lfu-log-factor -1
CONFIG SET lfu-decay-time -1
CONFIG SET replica-ignore-maxmemory maybe
CONFIG GET slave-ignore-maxmemory
"""

FULL = r"""
SET k v
RPUSH l 1 2 3
SADD s 1
HSET h f v
SCRIPT LOAD "return redis.call('set', KEYS[1], 'v')"
SCRIPT LOAD "#!lua flags=no-writes\nreturn redis.call('get', KEYS[1])"
FUNCTION LOAD "{library}"
CONFIG SET maxmemory-policy {policy}
CONFIG SET maxmemory 1
GET k
SET k w
SET new w
APPEND k x
INCR n
DEL nothing
EXPIRE l 1000
RPUSH l 4
LPOP l
LPUSHX nothing 1
LMOVE l l LEFT RIGHT
SADD s 2
SREM s 1
HSET h g v
HDEL h g
ZADD z 1 a
XADD x * f v
PFADD p a
SETRANGE k 0 x
BITFIELD k SET u8 0 1
GETSET k x
GETDEL nothing
GETEX k
COPY k k2
RENAME k k3
RENAME k3 k
SORT l STORE d
SUNIONSTORE d s s
GEOADD g 1 1 a
PUBLISH channel message
PING
DBSIZE
NOSUCH
SET
MULTI
SET k w
EXEC
MULTI
GET k
EXEC
MULTI
PING
DISCARD
MULTI
NOSUCH
RESET
EVAL "return redis.call('set', KEYS[1], 'v')" 1 k
EVAL "return redis.pcall('set', KEYS[1], 'v')" 1 k
EVAL "return redis.call('get', KEYS[1])" 1 k
EVAL "redis.call('del', KEYS[1]) return redis.call('set', KEYS[1], 'v')" 1 l
EVAL "redis.call('lpop', KEYS[1]) return redis.call('set', KEYS[1], 'v')" 1 l
EVAL "local ok = redis.pcall('set', KEYS[1], 'v') return ok.err" 1 k
EVALSHA 51a7ad1cfc37e3d5a9ba07ad6a5ae8a68c4a7d73 1 k
EVAL_RO "return redis.call('get', KEYS[1])" 1 k
EVAL "#!lua\nreturn redis.call('set', KEYS[1], 'v')" 1 k
EVAL "#!lua flags=no-writes\nreturn redis.call('get', KEYS[1])" 1 k
EVAL "#!lua flags=allow-oom\nreturn redis.call('set', KEYS[1], 'w')" 1 k
EVAL "#!lua flags=nonsense\nreturn 1" 0
FCALL w 1 k
FCALL r 1 k
FCALL o 1 k
FCALL_RO r 1 k
FCALL_RO w 1 k
FCALL nothing 1 k
GET k
CONFIG SET maxmemory 0
MULTI
SET k w
CONFIG SET maxmemory 1
SET k x
EXEC
CONFIG SET maxmemory 1
CONFIG SET maxmemory 0
SET k v
CONFIG SET maxmemory-policy noeviction
FUNCTION FLUSH
"""

LIBRARY = r"""#!lua name=lib
local function set(keys) return redis.call('set', keys[1], 1) end
local function get(keys) return redis.call('get', keys[1]) end
redis.register_function('w', set)
redis.register_function{function_name='r', callback=get, flags={'no-writes'}}
redis.register_function{function_name='o', callback=set, flags={'allow-oom'}}
""".replace("\n", "\\n")

USE = r"""
SET k v
OBJECT FREQ k
OBJECT IDLETIME k
OBJECT FREQ nothing
OBJECT IDLETIME nothing
CONFIG SET maxmemory-policy allkeys-lfu
SET fresh v
OBJECT FREQ fresh
OBJECT IDLETIME fresh
OBJECT FREQ nothing
OBJECT IDLETIME nothing
GET fresh
OBJECT FREQ fresh
EXISTS fresh
TYPE fresh
OBJECT ENCODING fresh
OBJECT FREQ fresh
SET fresh again
DEL fresh
SET fresh v
OBJECT FREQ fresh
RESTORE r 0 "\x00\x01v\x0a\x00" FREQ 256
CONFIG SET maxmemory-policy volatile-lfu
OBJECT FREQ fresh
CONFIG SET maxmemory-policy volatile-lru
OBJECT FREQ k
OBJECT IDLETIME k
CONFIG SET maxmemory-policy noeviction
"""


@pytest.fixture(scope="module")
def redis() -> Iterator[Server]:
    """A server for all tests of this module."""
    with Redis() as server:
        yield server


def test_options_are_refused_and_shown_alike(redis: Server) -> None:
    agree(redis, OPTIONS)


@pytest.mark.parametrize("policy", ["noeviction", "volatile-lru", "volatile-ttl"])
def test_out_of_memory_is_said_to_the_same_requests_in_the_same_words(redis: Server, policy: str) -> None:
    agree(redis, FULL.replace("{policy}", policy).replace("{library}", LIBRARY))


def test_use_is_told_as_the_policy_counts_it(redis: Server) -> None:
    agree(redis, USE)


@pytest.mark.parametrize("lazy", ["no", "yes"])
def test_what_is_given_up_is_logged_alike(lazy: str) -> None:
    ours = EngineClient()
    propagated = ours.propagated()
    with Redis(appendonly="yes") as server:
        with server.client() as theirs:
            for client in (ours, theirs):
                client("CONFIG", "SET", "lazyfree-lazy-eviction", lazy, "maxmemory-policy", "allkeys-lru")
                client("MSET", "a", 1, "b", 2)
                client("CONFIG", "SET", "maxmemory", 1)
                client("PING")
                assert client("DBSIZE") == 0
                client("CONFIG", "SET", "maxmemory", 0)
                client("SET", "end", 1)
        [log] = server.directory.glob("appendonlydir/*.incr.aof")
        reader = hiredis.Reader()
        reader.feed(log.read_bytes())
    logged = []
    while (words := reader.gets()) is not False:
        logged.append(words)
    verb = b"UNLINK" if lazy == "yes" else b"DEL"
    begin, *given_up, end = propagated
    assert logged[0] == [b"SELECT", b"0"]
    assert (begin, end) == (logged[1], logged[-1])
    assert sorted(given_up) == sorted(logged[2:-1]) == [[verb, b"a"], [verb, b"b"]]  # which comes first is chance
