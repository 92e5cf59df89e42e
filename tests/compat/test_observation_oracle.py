"""SLOWLOG, LATENCY, MEMORY and MONITOR beside redis-server."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.differential import agree
from tests.support.oracle import Redis
from tests.support.processes import Node, Server

REPLIES = r"""
SLOWLOG GET -2
SLOWLOG GET abc
SLOWLOG GET 1 2
SLOWLOG RESET
SLOWLOG LEN
SLOWLOG GET 0
SLOWLOG GET
SLOWLOG FOO
SLOWLOG LEN 3
SLOWLOG
LATENCY LATEST
LATENCY HISTORY foo
LATENCY HISTORY
LATENCY GRAPH foo
LATENCY RESET
LATENCY RESET foo bar
LATENCY HISTOGRAM nosuch
LATENCY FOO
MEMORY USAGE nokey
MEMORY USAGE nokey SAMPLES
MEMORY USAGE nokey SAMPLES -1
MEMORY USAGE nokey SAMPLES a
MEMORY USAGE nokey FOO 1
MEMORY USAGE nokey SAMPLES 3 SAMPLES 0
MEMORY PURGE
MEMORY FOO
MEMORY STATS x
MONITOR x
MULTI
MONITOR
DISCARD
"""

#: What a client does while another one looks on, in one pipeline.
SEEN = [
    (b"SET", b"a", b"1"),
    (b"MULTI",),
    (b"SET", b"a", b"2"),
    (b"GeT", b"a"),
    (b"EXEC",),
    (b"AUTH", b"secret"),
    (b"HELLO", b"2", b"AUTH", b"default", b"secret", b"SETNAME", b"me"),
    (b"PING", bytes(range(256))),
    (b"NOSUCH", b"x"),
    (b"GET",),
    (b"CONFIG", b"GET", b"port"),
    (b"ACL", b"WHOAMI"),
    (b"ACL", b"SETUSER", b"ada", b">secret"),
    (b"BLPOP", b"list", b"0.01"),
    (b"SELECT", b"3"),
    (b"FLUSHDB",),
    (b"DBSIZE",),
]


def test_replies_are_redis_servers(oracle: Redis) -> None:
    agree(oracle, REPLIES)


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A node of our own."""
    with Node(save="") as started:
        yield started


def shown(server: Server) -> list[str]:
    """The lines that MONITOR shows of ``SEEN``, without times and addresses."""
    with server.client() as looker, server.client() as other:
        assert looker("MONITOR") == "OK"
        for words in SEEN:
            other.raw(*words)
        other.must("PING", "the end")
        lines = []
        while True:
            line = looker.read()
            text = line if isinstance(line, str) else bytes(line).decode("latin-1")
            lines.append(re.sub(r"^\d+\.\d{6} \[(\d+) 127\.0\.0\.1:\d+\]", r"[\1]", text))
            if '"the end"' in text:
                return lines


def test_an_onlooker_sees_the_same_lines(oracle: Redis, node: Node) -> None:
    assert shown(node) == shown(oracle)


def test_the_slow_log_has_the_same_words(oracle: Redis, node: Node) -> None:
    def remembered(server: Server) -> list[list[bytes]]:
        with server.client() as client:
            client.must("CONFIG", "SET", "slowlog-log-slower-than", "0")
            client.must("SLOWLOG", "RESET")
            for words in SEEN:
                client.raw(*words)
            client.raw("DEL", *map(str, range(50)))
            client.raw("SET", "a", "x" * 200)
            client.must("CONFIG", "SET", "requirepass", "", "slowlog-log-slower-than", "10000")
            return [entry[3] for entry in client.must("SLOWLOG", "GET", "-1")]

    assert remembered(node) == remembered(oracle)
