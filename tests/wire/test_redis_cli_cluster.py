"""Every verb of ``redis-cli --cluster``, the unmodified one of Redis 7.0, against real nodes."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis.cluster import RedisCluster

from shardkv.keyspace.slots import key_slot
from tests.support.oracle import Redis
from tests.support.processes import Node, Server, wait_for
from tests.support.wire import Client
from tests.wire.test_cluster import Start, addresses, id_of, line_about, redis_cli, state_of
from tests.wire.test_slot_moves import OPTIONS, all_there, fill, is_linked, make, slots_of

pytestmark = pytest.mark.wire

KEYS = 500


@pytest.fixture
def with_files() -> Iterator[Callable[..., list[Node]]]:
    """Starts nodes that have a configuration file, without which CONFIG REWRITE has nowhere to write."""
    with ExitStack() as stack:

        def start(count: int, **options: Any) -> list[Node]:
            nodes = [Node(cluster_enabled="yes", save="", appendonly="no", **options) for _ in range(count)]
            for node in nodes:
                place = node.directory / "node.conf"
                place.touch()
                node.program = [*Node.program, str(place)]
                stack.enter_context(node)
            return nodes

        yield start


def agree(place: str) -> bool:
    """Whether check finds nothing to complain of."""
    done = subprocess.run(["redis-cli", "--cluster", "check", place], capture_output=True, text=True, check=False)
    return done.returncode == 0 and "[OK] All 16384 slots covered." in done.stdout


def _knows(witness: Node, subject: Node) -> bool:
    """Whether a node lists another one in CLUSTER NODES."""
    return id_of(subject) in redis_cli("-p", witness.port, "CLUSTER", "NODES")


def shares(nodes: list[Node]) -> list[int]:
    """How many slots each node has, as the first one says."""
    return [slots_of(nodes[0], id_of(node)) for node in nodes]


def test_every_verb_does_its_work(with_files: Start, tmp_path: Path) -> None:
    nodes = with_files(5, **OPTIONS)
    places = make(nodes[:3])
    _grow_and_shrink(nodes, places)
    _call_and_set(nodes[:3], places)
    for kind in (Redis, Node):
        with kind(save="", appendonly="no") as outside:
            _bring_in(outside, nodes[:3], places[0])
    _save(nodes[:3], places, tmp_path)


def _grow_and_shrink(nodes: list[Node], places: list[str]) -> None:
    """add-node, rebalance, del-node."""
    three, (fourth, fifth) = nodes[:3], nodes[3:]
    fill(nodes[0], KEYS)
    new = addresses(nodes)

    redis_cli("--cluster", "add-node", new[3], places[0])
    wait_for(lambda: all(_knows(node, fourth) for node in three), 20)
    replica = ["--cluster-slave", "--cluster-master-id", id_of(nodes[1])]
    redis_cli("--cluster", "add-node", new[4], places[0], *replica)
    wait_for(lambda: id_of(nodes[1]) in line_about(nodes[0], id_of(fifth)), 20)
    # Gossip takes its seconds to every node, and del-node asks each of them to forget, which is an error before.
    wait_for(lambda: all(_knows(node, fifth) for node in three), 20)
    wait_for(lambda: "1 additional replica(s)" in redis_cli("--cluster", "check", places[0]), 20)
    assert agree(places[0])

    # A primary without slots is left alone unless it is asked for; what is simulated is not done.
    balance = ["--cluster", "rebalance", places[0]]
    assert "No rebalancing needed" in redis_cli(*balance)
    out = redis_cli(*balance, "--cluster-simulate", "--cluster-use-empty-masters")
    assert re.search(rf"Moving 136\d slots from \S+ to {re.escape(new[3])}", out)
    assert shares(nodes[:4]) == [5461, 5462, 5461, 0]

    weights = ["--cluster-weight", f"{id_of(fourth)}=0.005"]
    redis_cli(*balance, "--cluster-use-empty-masters", *weights)
    wait_for(lambda: agree(places[0]), 20)
    assert shares(nodes[:4]) == [5452, 5452, 5452, 28]
    assert "No rebalancing needed" in redis_cli(*balance, *weights, "--cluster-threshold", 50)
    assert all_there(nodes[0], KEYS)
    refusal = redis_cli("--cluster", "del-node", places[0], id_of(fourth), expect=1)
    assert f"Node {new[3]} is not empty" in refusal

    redis_cli(*balance, "--cluster-weight", f"{id_of(fourth)}=0")
    assert sorted(shares(nodes[:4])) == [0, 5461, 5461, 5462]
    wait_for(lambda: agree(places[0]), 20)
    wait_for(lambda: is_linked(fourth), 20)  # it follows who took its last slot
    redis_cli("--cluster", "del-node", places[0], id_of(fourth))
    redis_cli("--cluster", "del-node", places[0], id_of(fifth))
    for gone in (fourth, fifth):
        assert "cluster_known_nodes:1\n" in redis_cli("-p", gone.port, "CLUSTER", "INFO").replace("\r", "")
        assert id_of(gone) not in redis_cli("-p", nodes[1].port, "CLUSTER", "NODES")
    assert all_there(nodes[1], KEYS)
    assert agree(places[1])


def _call_and_set(nodes: list[Node], places: list[str]) -> None:
    """call and set-timeout."""
    out = redis_cli("--cluster", "call", places[0], "CONFIG", "GET", "cluster-node-timeout")
    assert out.count("10000") == 3
    out = redis_cli("--cluster", "set-timeout", places[0], 9000)
    assert "New node timeout set. 3 OK, 0 ERR." in out
    out = redis_cli("--cluster", "call", places[0], "CONFIG", "GET", "cluster-node-timeout")
    assert out.count("9000") == 3
    assert all("cluster-node-timeout 9000" in (node.directory / "node.conf").read_text() for node in nodes)
    assert "bad idea" in redis_cli("--cluster", "set-timeout", places[0], 50, expect=1)


def _save(nodes: list[Node], places: list[str], folder: Path) -> None:
    """backup: a snapshot that redis-check-rdb likes for each node, and who they are."""
    redis_cli("--cluster", "backup", places[0], folder)
    told = json.loads((folder / "nodes.json").read_text())
    assert sorted((node["port"], node["slots_count"], node["flags"]) for node in told) == sorted(
        (node.port, slots, "master") for node, slots in zip(nodes, shares(nodes), strict=True)
    )
    for node in nodes:
        saved = next(folder.glob(f"redis-node-127.0.0.1-{node.port}-*.rdb"))
        assert subprocess.run(["redis-check-rdb", saved], capture_output=True, check=False).returncode == 0


def _bring_in(outside: Server, nodes: list[Node], place: str) -> None:
    """Import from a standalone server: copies, copies over what is there, and the keys themselves."""
    words = ["--cluster", "import", place, "--cluster-from", f"127.0.0.1:{outside.port}"]
    with outside.client() as client, RedisCluster(host="127.0.0.1", port=nodes[0].port) as cluster:
        cluster.flushall()
        for number in range(40):
            client("SET", f"outside:{number}", number)
        client("RPUSH", "list", "a", "b")
        client("SET", "brief", "v", "PX", 500_000)
        redis_cli(*words, "--cluster-copy")
        assert client("DBSIZE") == 42
        assert cluster.lrange("list", 0, -1) == [b"a", b"b"]
        assert 400_000 < cluster.pttl("brief") <= 500_000

        client("RPUSH", "list", "c")
        refusal = redis_cli(*words, "--cluster-copy", expect=1)
        assert "BUSYKEY Target key name already exists." in refusal
        redis_cli(*words, "--cluster-copy", "--cluster-replace")
        assert cluster.lrange("list", 0, -1) == [b"a", b"b", b"c"]
        assert client("DBSIZE") == 42
        redis_cli(*words, "--cluster-replace")
        assert client("DBSIZE") == 0
        assert [cluster.get(f"outside:{number}") for number in range(40)] == [b"%d" % number for number in range(40)]


def test_fix_mends_a_reshard_that_was_killed_half_way(cluster_nodes: Start) -> None:
    """kill -9 of redis-cli, of the source and of the target while the keys of a slot are on their way."""
    # A key that is on both sides is compared with DEBUG DIGEST-VALUE, which Redis does not allow by default either.
    options = {"appendonly": "yes", "appendfsync": "always", "enable_debug_command": "local"}
    nodes = cluster_nodes(3, **OPTIONS, **options)
    places = make(nodes)
    source, target, witness = nodes
    filled: dict[str, list[bytes]] = {}
    for victim in (None, source, target):
        slot = _first_slot(witness, id_of(source)) + 1  # the second that is going to move
        tag = next(name for name in map(str, itertools.count()) if key_slot(name.encode()) == slot)
        names = [f"{{{tag}}}{number}" for number in range(600)]
        filled[tag] = [name.encode() for name in names]
        with source.client() as client:
            client("MSET", *(word for name in names for word in (name, name)))
        ends = ["--cluster-from", id_of(source), "--cluster-to", id_of(target), "--cluster-slots", "10"]
        command = ["redis-cli", "--cluster", "reshard", places[2], *ends, "--cluster-yes", "--cluster-pipeline", "1"]
        moving = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with target.client() as client:
            wait_for(partial(_has_more_than, 50, client, slot), 20)
        if victim is None:
            moving.kill()
        else:
            victim.kill()
            victim.start()
        moving.wait(30)
        wait_for(lambda: all(state_of(node) == "ok" for node in nodes), 40)
        assert not agree(places[2])
        redis_cli("--cluster", "fix", places[2])
        wait_for(lambda: agree(places[2]), 30)
        with RedisCluster(host="127.0.0.1", port=witness.port) as cluster:
            for tag, values in filled.items():
                assert cluster.mget([f"{{{tag}}}{number}" for number in range(600)]) == values
        # No key is left where its slot is not.
        with source.client() as one, target.client() as two:
            assert sorted([_keys_in(one, slot), _keys_in(two, slot)]) == [0, 600]


def _has_more_than(count: int, client: Client, slot: int) -> bool:
    return _keys_in(client, slot) > count


def _keys_in(client: Client, slot: int) -> int:
    reply = client("CLUSTER", "COUNTKEYSINSLOT", slot)
    assert isinstance(reply, int)
    return reply


def _first_slot(witness: Node, owner: str) -> int:
    with witness.client() as client:
        reply: Any = client("CLUSTER", "SLOTS")
    return min(int(start) for start, _, primary, *_ in reply if primary[2].decode() == owner)
