"""A cluster of real nodes, as redis-cli, redis-py and shardkv-admin see it."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from redis.cluster import RedisCluster

from tests.support.processes import Node, wait_for

pytestmark = pytest.mark.wire

NODE_TIMEOUT_MS = 2000

Start = Callable[..., list[Node]]


def redis_cli(*words: object, expect: int = 0) -> str:
    """Runs the real redis-cli and returns its output."""
    done = subprocess.run(["redis-cli", *map(str, words)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def admin(*words: object, expect: int = 0) -> str:
    """Runs shardkv-admin and returns its output."""
    command = [sys.executable, "-m", "shardkv_cli.admin", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def addresses(nodes: list[Node]) -> list[str]:
    """HOST:PORT of each."""
    return [f"{node.host}:{node.port}" for node in nodes]


def text(reply: object) -> str:
    """A bulk reply as text."""
    assert isinstance(reply, bytes)
    return reply.decode()


def state_of(node: Node) -> str:
    """cluster_state as this node says it."""
    with node.client() as client:
        match = re.search(r"cluster_state:(\w+)", text(client("CLUSTER", "INFO")))
    assert match is not None
    return match[1]


def line_about(witness: Node, subject: str) -> str:
    """The line of CLUSTER NODES in which one node tells of another, by id."""
    with witness.client() as client:
        lines = text(client("CLUSTER", "NODES")).split("\n")
    return next(line for line in lines if line.startswith(subject))


def roles_seen_by(witness: Node) -> list[list[str]]:
    """Id, address, flags, primary, epoch and slots of each node."""
    with witness.client() as client:
        words = [line.split(" ") for line in text(client("CLUSTER", "NODES")).splitlines()]
    return sorted([*line[:4], line[6], *line[8:]] for line in words)


def id_of(node: Node) -> str:
    """CLUSTER MYID."""
    with node.client() as client:
        return text(client("CLUSTER", "MYID"))


@pytest.mark.parametrize(("count", "replicas"), [(3, 0), (6, 1)])
def test_redis_cli_creates_and_checks_a_cluster(cluster_nodes: Start, count: int, replicas: int) -> None:
    """The tool of the field works unchanged."""
    nodes = cluster_nodes(count, cluster_node_timeout=NODE_TIMEOUT_MS)
    out = redis_cli("--cluster", "create", *addresses(nodes), "--cluster-replicas", replicas, "--cluster-yes")
    assert "[OK] All 16384 slots covered." in out
    wait_for(lambda: all(state_of(node) == "ok" for node in nodes), 15)
    out = redis_cli("--cluster", "check", addresses(nodes)[0])
    assert "[OK] All nodes agree about slots configuration." in out
    assert "[OK] All 16384 slots covered." in out
    assert len(re.findall(r"^S: ", out, re.MULTILINE)) == count - 3


def test_a_node_timeout_of_a_millisecond_is_no_more_than_hasty(cluster_nodes: Start) -> None:
    """Redis looks at its peers ten times a second, so that its own clusters hold at this."""
    nodes = cluster_nodes(3, cluster_node_timeout=1)
    redis_cli("--cluster", "create", *addresses(nodes), "--cluster-yes")
    wait_for(lambda: all(state_of(node) == "ok" for node in nodes), 20)


@pytest.mark.parametrize(("count", "replicas"), [(3, 0), (6, 1)])
def test_shardkv_admin_creates_and_checks_a_cluster(cluster_nodes: Start, count: int, replicas: int) -> None:
    """Our own tool does the same, and refuses to do it twice."""
    nodes = cluster_nodes(count, cluster_node_timeout=NODE_TIMEOUT_MS)
    admin("create-cluster", *addresses(nodes), "--replicas", replicas, "--yes")
    assert all(state_of(node) == "ok" for node in nodes)
    admin("check", addresses(nodes)[-1])
    before = roles_seen_by(nodes[0])
    admin("create-cluster", *addresses(nodes), "--replicas", replicas, "--yes", expect=1)
    assert roles_seen_by(nodes[0]) == before


def test_redis_cli_follows_redirections(cluster_nodes: Start) -> None:
    """``redis-cli -c`` reaches a key on another node."""
    nodes = cluster_nodes(3, cluster_node_timeout=NODE_TIMEOUT_MS)
    admin("create-cluster", *addresses(nodes), "--yes", "--replicas", 0)
    for number in range(20):
        assert redis_cli("-c", "-p", nodes[0].port, "SET", f"key{number}", number).strip().endswith("OK")
    assert redis_cli("-c", "-p", nodes[1].port, "GET", "key7").strip().endswith("7")
    with nodes[0].client() as client:
        errors = [str(client("GET", f"key{number}")) for number in range(20)]
    assert any(re.search(r"MOVED \d+ 127\.0\.0\.1:\d+", error) for error in errors)


def test_redis_py_writes_and_reads_100000_keys(cluster_nodes: Start) -> None:
    """RedisCluster of redis-py, as it comes: RESP3 and its own view of the slots."""
    nodes = cluster_nodes(3, cluster_node_timeout=NODE_TIMEOUT_MS)
    admin("create-cluster", *addresses(nodes), "--yes", "--replicas", 0)
    with RedisCluster(host="127.0.0.1", port=nodes[0].port) as cluster:
        for start in range(0, 100_000, 5000):
            pipeline = cluster.pipeline()
            for number in range(start, start + 5000):
                pipeline.set(f"key:{number}", f"value:{number}")
            assert all(pipeline.execute())
        for start in range(0, 100_000, 5000):
            pipeline = cluster.pipeline()
            for number in range(start, start + 5000):
                pipeline.get(f"key:{number}")
            assert pipeline.execute() == [f"value:{number}".encode() for number in range(start, start + 5000)]
        assert cluster.dbsize(target_nodes=RedisCluster.PRIMARIES) == 100_000


def test_a_killed_node_is_failed_by_the_majority_and_comes_back_with_its_slots(cluster_nodes: Start) -> None:
    """kill -9: FAIL within twice the node timeout (a busy machine gets a second more); after a restart its slots are
    there from nodes.conf."""
    nodes = cluster_nodes(3, cluster_node_timeout=NODE_TIMEOUT_MS)
    admin("create-cluster", *addresses(nodes), "--yes", "--replicas", 0)
    victim, witnesses = nodes[2], nodes[:2]
    victim_id = id_of(victim)
    slots = line_about(witnesses[0], victim_id).split()[8:]
    victim.kill()
    killed = time.monotonic()
    wait_for(lambda: all("master,fail " in line_about(witness, victim_id) for witness in witnesses), 20)
    took = time.monotonic() - killed
    assert took <= 2 * NODE_TIMEOUT_MS / 1000 + 1.0, f"FAIL after {took:.2f} s"
    wait_for(lambda: all(state_of(witness) == "fail" for witness in witnesses), 5)
    victim.start()
    wait_for(lambda: all(state_of(node) == "ok" for node in nodes), 20)
    assert id_of(victim) == victim_id
    for witness in witnesses:
        line = line_about(witness, victim_id)
        assert "fail" not in line.split()[2]
        assert line.split()[8:] == slots


def test_a_node_without_the_secret_neither_joins_nor_reads(cluster_nodes: Start) -> None:
    """Three nodes share a secret; a fourth with another one and a fifth with none stay strangers."""
    nodes = cluster_nodes(3, cluster_node_timeout=NODE_TIMEOUT_MS, cluster_auth_secret="open-sesame")
    admin("create-cluster", *addresses(nodes), "--yes", "--replicas", 0)
    strangers = [*cluster_nodes(1, cluster_auth_secret="guess"), *cluster_nodes(1)]
    for stranger in strangers:
        with stranger.client() as client:
            assert client("CLUSTER", "MEET", nodes[0].host, nodes[0].port) == "OK"
        with nodes[0].client() as client:
            assert client("CLUSTER", "MEET", stranger.host, stranger.port) == "OK"
    # Every handshake that is refused is logged, and given up after the handshake timeout.
    wait_for(lambda: all("cluster" in stranger.log().lower() for stranger in strangers), 10)
    wait_for(lambda: all(_known(stranger) == 1 for stranger in strangers), 20)
    wait_for(lambda: all(_known(node) == 3 for node in nodes), 20)
    for node in nodes:
        assert "bus is open" not in node.log()
    assert "bus is open" in strangers[1].log()


def _known(node: Node) -> int:
    with node.client() as client:
        match = re.search(r"cluster_known_nodes:(\d+)", text(client("CLUSTER", "INFO")))
    assert match is not None
    return int(match[1])
