"""CONFIG GET and CONFIG SET beside redis-server's: the same values, the same refusals."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shardkv.config import Config
from shardkv.errors import ReplyError
from tests.support.oracle import SETTINGS, Redis
from tests.support.wire_replies import Refusal

CHANGES = [
    "foo=bar", "=x", "max*=3", "maxclients=0", "maxclients=abc", "maxclients= 100", "maxclients=+1", "maxclients=01",
    "maxclients=1e3", "MaxClients=0", "Slave-Priority=a", "FOO=a", "DAEMONIZE=yes", "maxclients=100|maxclients=200",
    "maxclients=0|maxclients=1", "slave-priority=1|replica-priority=2", "slave-priority=5|replica-priority=x",
    "port=99999", "maxmemory=abc", "maxmemory=1qb", "maxmemory=-1", "maxmemory=5%", "maxmemory=1GB", "maxmemory=1.5gb",
    "maxmemory=", "maxmemory= 5", "maxmemory=k", "maxmemory=5b", "maxmemory=18446744073709551615", "maxmemory=0",
    "maxmemory-clients=5%", "maxmemory-clients=-5", "maxmemory-clients=5q", "maxmemory-clients=5 %",
    "maxmemory-clients=%", "maxmemory-clients=101%", "maxmemory-policy=foo", "maxmemory-policy=ALLKEYS-LRU",
    "daemonize=yes", "dir=/", "dbfilename=x", "daemonize=yes|foo=bar", "maxclients=0|foo=bar",
    "maxclients=100|daemonize=yes", "requirepass=foo|maxclients=0", "appendonly=maybe", "rdbcompression=NO",
    "save=1", "save=1 a", "save=0 1", "save=1 -1", "save=60 1 300 10", "save=", "save=1  2", "save=1 2 ",
    "client-output-buffer-limit=normal 0 0", "client-output-buffer-limit=foo 0 0 0",
    "client-output-buffer-limit=master 0 0 0", "client-output-buffer-limit=replica 1mb 2 a",
    "client-output-buffer-limit=replica 1mb x 3", "client-output-buffer-limit=replica 1mb 2k -3",
    "client-output-buffer-limit=replica 1mb 2k 3 Normal 0 0 1", "client-output-buffer-limit=normal -1 2 3",
    "notify-keyspace-events=q", "notify-keyspace-events=KEA", "notify-keyspace-events=Kg$lshzxetdm",
    "notify-keyspace-events=Ed", "notify-keyspace-events=nKmd", "notify-keyspace-events=",
    "oom-score-adj-values=1 2", "oom-score-adj-values=1 2 a", "oom-score-adj-values=1 2 3000",
    "oom-score-adj-values=0 5 2", "latency-tracking-info-percentiles=50 a", "latency-tracking-info-percentiles=50 101",
    "latency-tracking-info-percentiles=nan", "latency-tracking-info-percentiles=0.1 99.99 99.1234567 1e1",
    "latency-tracking-info-percentiles=", "bind=1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "bind=127.0.0.1 -::1",
    "unixsocketperm=700", "proc-title-template={foo}", "proc-title-template=a{title", "proc-title-template=a",
    "shutdown-on-sigint=nosave now", "shutdown-on-sigint=nosave save", "shutdown-on-sigint=nosave foo",
    "shutdown-on-sigint=", "shutdown-on-sigint=default", "repl-timeout=0", "hz=10000", "hz=0", "hz=-1",
    "cluster-announce-hostname=a b", "cluster-announce-hostname=a_b", "cluster-announce-hostname=",
    "cluster-announce-hostname=" + "a" * 256, "cluster-announce-ip=a b", "proto-max-bulk-len=1",
    "proto-max-bulk-len=1gb", "key-load-delay=5", "io-threads=4", "replicaof=a 1", "slaveof=no one", "user=a",
    "include=a", "rename-command=a b", "loadmodule=a", "sentinel=x", "slowlog-log-slower-than=-2",
    "loglevel=NOTICE", "list-max-listpack-size=-99999999999", "list-max-listpack-size=99999999999",
    "client-query-buffer-limit=1", "cluster-link-sendbuf-limit=-1", "stream-node-max-bytes=-5",
    "tracking-table-max-keys=a", "repl-backlog-ttl=a", "repl-backlog-size=0", "acl-pubsub-default=x",
]  # fmt: skip
PATTERNS = ["MAXCLIENTS", "max*|MAXCLIENTS", "slave-*|replica-prio*", "key-load-delay", "key-load*", "notify",
            "m[a-c]x*", "[^a-z]*", "h?", "[a-", "*\\-max\\-list*", "**size", "user", "list*entries"]  # fmt: skip


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with Redis(**(SETTINGS | {"save": "3600 1 300 100 60 10000"})) as server:
        yield server


@pytest.mark.wire
def test_each_change_is_taken_or_refused_as_by_redis(redis: Redis) -> None:
    config = Config()
    with redis.client() as client:
        for change in CHANGES:
            pairs = [tuple(pair.split("=", 1)) for pair in change.split("|")]
            reply = client("CONFIG", "SET", *(word for pair in pairs for word in pair))
            theirs = reply.text if isinstance(reply, Refusal) else str(reply)
            try:
                config.set([(name.encode(), value.encode()) for name, value in pairs])
                ours = "OK"
            except ReplyError as error:
                ours = error.text
            assert (change, ours) == (change, theirs)
            for name in (name.lower() for name, _ in pairs if name.lower() in Config.names):
                if name not in ("dir", "port"):
                    assert config.get([name.encode()]) == _got(client("CONFIG", "GET", name))


@pytest.mark.wire
def test_each_pattern_finds_what_it_finds_in_redis(redis: Redis) -> None:
    config = Config()
    later = {"set-max-listpack-entries", "set-max-listpack-value", "max-new-connections-per-cycle",
             "max-new-tls-connections-per-cycle"}  # fmt: skip
    with redis.client() as client:
        for patterns in PATTERNS:
            words = patterns.split("|")
            ours = config.get([word.encode() for word in words])
            theirs = _got(client("CONFIG", "GET", *words))
            assert (patterns, set(ours) - later) == (patterns, set(theirs))


def _got(reply: object) -> dict[str, str]:
    assert isinstance(reply, list)
    words = [word.decode() if isinstance(word, bytes) else str(word) for word in reply]
    return dict(zip(words[::2], words[1::2], strict=True))
