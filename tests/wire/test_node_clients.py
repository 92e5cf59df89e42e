"""Clients as people have them, unchanged: redis-cli, redis-py, and coredis under trio; one node and a cluster."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
import redis

from tests.support.processes import Node

pytestmark = pytest.mark.wire


# In processes of their own: coredis leaves streams open, which this suite counts as errors.
ONE_NODE = """
import sys, coredis, trio

async def talk():
    async with coredis.Redis(port=int(sys.argv[1]), decode_responses=True) as client:
        assert await client.set("name", "grace")
        assert await client.get("name") == "grace"
        async with client.pipeline() as pipeline:
            first, second = pipeline.incr("counter"), pipeline.get("counter")
        assert (await first, await second) == (1, "1")
        async with client.pubsub(channels=["news"]) as subscriber:
            await client.publish("news", "now")
            with trio.fail_after(10):
                async for message in subscriber:
                    if message["type"] == "message":
                        assert message["data"] == "now"
                        break

trio.run(talk)
"""
CLUSTER = """
import sys, coredis, trio

async def talk():
    async with coredis.RedisCluster("127.0.0.1", int(sys.argv[1]), decode_responses=True) as client:
        for number in range(100):
            assert await client.set(f"key:{number}", str(number))
        assert [await client.get(f"key:{number}") for number in range(100)] == list(map(str, range(100)))

trio.run(talk)
"""


def run_script(text: str, port: int) -> None:
    """Runs a program against a node; it must end well."""
    command = [sys.executable, "-c", text, str(port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def cli(port: int, *words: object, stdin: str = "", seconds: float = 30) -> str:
    """What redis-cli prints."""
    command = ["redis-cli", "-p", str(port), *map(str, words)]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_redis_cli_in_all_its_modes(node: Node) -> None:
    port = node.port
    piped = cli(port, "--pipe", stdin="".join(f"SET key:{number} {number}\r\n" for number in range(3000)))
    assert "errors: 0, replies: 3000" in piped
    assert cli(port, "-x", "SET", "from-stdin", stdin="hello").strip() == "OK"
    assert cli(port, "-n", 3, "SET", "elsewhere", 1).strip() == "OK"
    assert cli(port, "GET", "from-stdin").strip() == "hello"
    assert len(cli(port, "--scan", "--pattern", "key:1*").split()) == 1111
    assert "Biggest string found" in cli(port, "--bigkeys")
    assert "resp=3" in cli(port, "-3", "CLIENT", "INFO")
    assert cli(port, "-r", 3, "INCR", "counted").split() == ["1", "2", "3"]
    assert '"proto" => (integer) 3' in cli(port, "--no-raw", "HELLO", 3)
    assert len(cli(port, "--latency").split()) == 4  # least, most, mean, samples; of one second


def test_redis_py_works_as_it_comes(node: Node) -> None:
    with redis.Redis(port=node.port, decode_responses=True) as client:
        assert client.set("name", "ada", ex=100)
        assert client.get("name") == "ada"
        with client.pipeline() as pipeline:
            assert pipeline.incr("count").incr("count").execute() == [1, 2]
        assert client.transaction(lambda queue: (queue.multi(), queue.incr("count")), "count") == [3]
        assert client.config_get("hz") == {"hz": "10"}
        assert client.client_list()[0]["lib-name"] == "redis-py"
        with redis.Redis(port=node.port, protocol=3) as newer, newer.pubsub() as subscriber:
            assert newer.info("server")["tcp_port"] == node.port
            subscriber.subscribe("news")
            assert (subscriber.get_message(timeout=5) or {})["type"] == "subscribe"
            client.publish("news", "now")
            assert (subscriber.get_message(timeout=5) or {})["data"] == b"now"


def test_coredis_under_trio(node: Node) -> None:
    run_script(ONE_NODE, node.port)


def test_a_cluster_as_coredis_and_redis_cli_see_it(cluster_nodes: Callable[..., list[Node]]) -> None:
    nodes = cluster_nodes(3, cluster_node_timeout=2000)
    places = [f"127.0.0.1:{node.port}" for node in nodes]
    command = [sys.executable, "-m", "shardkv_cli.admin", "create-cluster", *places, "--replicas", "0", "--yes"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)

    run_script(CLUSTER, nodes[0].port)
    assert [cli(node.port, "-c", "GET", "key:7").strip() for node in nodes] == ["7"] * 3
    assert sum(int(cli(node.port, "DBSIZE")) for node in nodes) == 100
    assert cli(nodes[0].port, "-c", "--scan").count("key:") < 100  # one node's share: SCAN does not follow
