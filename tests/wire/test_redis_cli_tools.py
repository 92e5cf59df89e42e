"""The tools in redis-cli against a node, beside a redis-server with the same data: what they find, count and draw."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.support.oracle import Redis
from tests.support.processes import Node, Server
from tests.support.wire import request

pytestmark = pytest.mark.wire

KEYS = 400


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Node, Redis]]:
    """Two servers with the same keys of all types, which count how often each is used."""
    options = {"save": "", "appendonly": "no", "maxmemory_policy": "allkeys-lfu"}
    with Node(**options) as node, Redis(**options) as redis:
        for server in (node, redis):
            _fill(server)
        yield node, redis


def _fill(server: Server) -> None:
    with server.client() as client:
        for number in range(KEYS):
            client.must("SET", f"string:{number}", "x" * number)
        client.must("RPUSH", "list", *range(1000))
        client.must("HSET", "hash", *range(600))
        client.must("SADD", "set", *range(300))
        client.must("ZADD", "zset", *range(500))
        client.must("XADD", "stream", "1-1", "field", "value")
        client.must("PFADD", "hyperloglog", *range(100))
        client.pipeline([["GET", "string:7"]] * 2000)


def cli(server: Server, *words: object, stdin: bytes = b"", code: int = 0) -> str:
    """What redis-cli prints; it must end with this code."""
    command = ["redis-cli", "-p", str(server.port), *map(str, words)]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout.decode()


def watched(server: Server, *words: str, until: str, times: int) -> list[tuple[str, ...]]:
    """What redis-cli shows on a terminal, until the pattern has come so often; it would go on for ever."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        ["redis-cli", "-p", str(server.port), *words], stdout=theirs, stderr=theirs, stdin=theirs
    )
    os.close(theirs)
    text = ""
    try:
        end = time.monotonic() + 30
        while len(found := [match.groups() for match in re.finditer(until, text)]) < times:
            assert time.monotonic() < end, text
            if select.select([ours], [], [], 1.0)[0]:
                text += os.read(ours, 65536).decode()
        return found
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def summary(text: str) -> list[str]:
    """The part of a report that does not depend on the order in which keys were met."""
    return sorted(text.split("-------- summary -------")[1].split("\n"))


def test_bigkeys_finds_the_same(servers: tuple[Node, Redis]) -> None:
    ours, theirs = (summary(cli(server, "--bigkeys")) for server in servers)
    assert ours == theirs
    assert f"Sampled {KEYS + 6} keys in the keyspace!" in ours
    assert "Biggest   list found '\"list\"' has 1000 items" in ours


def test_memkeys_tells_what_memory_usage_does(servers: tuple[Node, Redis]) -> None:
    node, _ = servers
    report = "\n".join(summary(cli(node, "--memkeys", "--memkeys-samples", 0)))
    found = re.findall(r"^Biggest +(\w+) found '\"([^\"]+)\"' has (\d+) bytes", report, re.MULTILINE)
    assert {kind for kind, _, _ in found} == {"string", "list", "hash", "set", "zset", "stream"}
    with node.client() as client:
        for _, key, size in found:
            assert client("MEMORY", "USAGE", key, "SAMPLES", 0) == int(size)


def test_hotkeys_finds_the_hot_one(servers: tuple[Node, Redis]) -> None:
    for server in servers:
        report = cli(server, "--hotkeys").split("-------- summary -------")[1]
        counted = re.findall(r'counter: (\d+)\tkeyname: "([^"]+)"', report)
        assert counted[0][1] == "string:7"
        assert int(counted[0][0]) > int(counted[1][0])


def test_scan_lists_every_key_once_and_by_pattern(servers: tuple[Node, Redis]) -> None:
    for words in (["--scan"], ["--scan", "--pattern", "string:1?"], ["--scan", "--pattern", "nothing*"]):
        ours, theirs = (sorted(cli(server, *words).split()) for server in servers)
        assert ours == theirs
    assert len(cli(servers[0], "--scan").split()) == KEYS + 6


def test_stat_counts_keys_and_requests(servers: tuple[Node, Redis]) -> None:
    line = r"(\d+) +(\S+) +(\d+) +(\d+) +(\d+) \(\+(\d+)\) +(\d+)"
    rows = watched(servers[0], "--stat", "-i", "0.1", until=line, times=4)
    for keys, memory, clients, blocked, _, asked, _ in rows:
        assert (keys, blocked) == (str(KEYS + 6), "0")
        assert re.fullmatch(r"\d+\.\d\d[KMG]", memory)
        assert int(clients) >= 1
        assert int(asked) >= 0
    assert int(rows[-1][4]) > int(rows[0][4])


def test_latency_is_sampled(servers: tuple[Node, Redis]) -> None:
    least, most, mean, samples = cli(servers[0], "--latency", "-i", "0.3").split()
    assert float(least) <= float(mean) <= float(most)
    assert int(samples) > 0
    line = r"min: \d+, max: \d+, avg: [\d.]+ \(\d+ samples\) -- 0\.\d+ seconds range"
    assert watched(servers[0], "--latency-history", "-i", "0.2", until=line, times=2)
    assert watched(servers[0], "--latency-dist", "-i", "0.2", until=r"48;5;\d+m\?", times=2)


def test_pipe_takes_bytes_as_they_are(servers: tuple[Node, Redis]) -> None:
    node, _ = servers
    value = bytes(range(256)) * 100
    requests = [request("SET", f"piped:{number}", value) for number in range(300)]
    refused = request("INCR", "piped:1")
    told = cli(node, "--pipe", stdin=b"".join([*requests, refused]), code=1)
    assert "errors: 1, replies: 301" in told
    with node.client() as client:
        assert client("GET", "piped:299") == value
        client.must("DEL", *(f"piped:{number}" for number in range(300)))
