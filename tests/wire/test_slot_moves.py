"""Slots that change hands while clients go on: by redis-cli, by shardkv-admin, and atomically."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from redis.cluster import RedisCluster

from shardkv.keyspace.slots import key_slot
from tests.support.oracle import Redis, Valkey
from tests.support.processes import Node, Server, wait_for
from tests.support.wire_replies import Refusal
from tests.wire.test_cluster import Start, addresses, admin, id_of, redis_cli, state_of

pytestmark = pytest.mark.wire

# A node timeout that a busy machine keeps.
OPTIONS: dict[str, Any] = {"cluster_node_timeout": 10_000, "repl_diskless_sync_delay": 0}


@contextmanager
def beside(work: Callable[[threading.Event, list[Any]], None]) -> Iterator[None]:
    """Does ``work(done, wrong)`` in a thread until this ends, when nothing may have gone wrong."""
    done = threading.Event()
    wrong: list[Any] = []
    thread = threading.Thread(target=work, args=(done, wrong))
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(30)
    assert not wrong, wrong


@contextmanager
def counting(node: Node, tag: str) -> Iterator[dict[int, int]]:
    """A client increments fifty counters of one slot without pause; what it was told. No error may reach it."""
    told: dict[int, int] = {}

    def count(done: threading.Event, wrong: list[Any]) -> None:
        with RedisCluster(host="127.0.0.1", port=node.port) as client:
            number = 0
            while not done.is_set():
                try:
                    told[number % 50] = client.incr(f"{{{tag}}}:{number % 50}")
                except Exception as error:
                    wrong.append(error)
                    return
                number += 1

    with beside(count):
        yield told


def make(nodes: list[Node], *words: object) -> list[str]:
    """A cluster of the nodes; their addresses."""
    admin("create-cluster", *addresses(nodes), "--yes", *words)
    wait_for(lambda: all(state_of(node) == "ok" for node in nodes), 20)
    return addresses(nodes)


def fill(node: Node, count: int) -> None:
    """Keys of all slots, with what they are called as their values."""
    with RedisCluster(host="127.0.0.1", port=node.port) as client:
        client.mset_nonatomic({f"key:{number}": f"key:{number}" for number in range(count)})


def is_linked(node: Node) -> bool:
    """Whether a replica has all that its primary has."""
    return "master_link_status:up" in redis_cli("-p", node.port, "INFO", "replication")


def all_there(node: Node, count: int) -> bool:
    """Whether each of those keys has its value."""
    names = [f"key:{number}" for number in range(count)]
    with RedisCluster(host="127.0.0.1", port=node.port) as client:
        return bool(client.mget_nonatomic(names) == [name.encode() for name in names])


def slots_of(node: Node, owner: str) -> int:
    """How many slots a node gives another one (by id)."""
    with node.client() as client:
        reply: Any = client("CLUSTER", "SLOTS")
    return sum(end - start + 1 for start, end, primary, *_ in reply if primary[2].decode() == owner)


def test_redis_cli_moves_slots_and_nodes_while_clients_write(cluster_nodes: Start) -> None:
    nodes = cluster_nodes(4, **OPTIONS)
    places = make(nodes[:3])
    fill(nodes[0], 2000)
    one, two, four = (id_of(nodes[index]) for index in (0, 1, 3))
    with counting(nodes[1], "f") as told:  # its slot, 3168, is not among the first
        options = ["--cluster-from", one, "--cluster-to", two, "--cluster-slots", 20, "--cluster-yes"]
        redis_cli("--cluster", "reshard", places[0], *options)
        assert slots_of(nodes[2], one) == 5441
        redis_cli("--cluster", "add-node", addresses(nodes)[3], places[0])
        wait_for(lambda: all(four in redis_cli("-p", node.port, "CLUSTER", "NODES") for node in nodes), 20)
        # All of 20 slots to the newcomer by weight, and away again.
        redis_cli("--cluster", "reshard", places[0], "--cluster-from", one, "--cluster-to", four, *options[4:])
        wait_for(lambda: slots_of(nodes[2], four) == 20, 20)
        redis_cli("--cluster", "reshard", places[0], "--cluster-from", four, "--cluster-to", one, *options[4:])
        wait_for(lambda: "[OK] All nodes agree" in redis_cli("--cluster", "check", places[0]), 30)
        wait_for(lambda: is_linked(nodes[3]), 20)  # it follows who took its last slot
        redis_cli("--cluster", "del-node", places[0], four)
    assert "keys | " in redis_cli("--cluster", "info", places[0])
    assert redis_cli("--cluster", "call", places[0], "PING").count("PONG") == 3
    assert all_there(nodes[1], 2000)
    with RedisCluster(host="127.0.0.1", port=nodes[0].port) as client:
        assert {number: int(client.get(f"{{f}}:{number}")) for number in told} == told


def test_a_move_that_was_killed_half_way_is_mended_by_redis_cli_and_by_shardkv_admin(cluster_nodes: Start) -> None:
    """Keys of the slot are on both sides; then both sides are killed."""
    nodes = cluster_nodes(3, **OPTIONS, appendonly="yes", appendfsync="always")
    places = make(nodes)
    for slot, mend in ((3168, "redis-cli"), (3300, "shardkv-admin")):
        tag = {3168: "f", 3300: "b"}[slot]
        with nodes[0].client() as source, nodes[1].client() as target:
            for number in range(20):
                source("SET", f"{{{tag}}}{number}", number)
            assert target("CLUSTER", "SETSLOT", slot, "IMPORTING", id_of(nodes[0])) == "OK"
            assert source("CLUSTER", "SETSLOT", slot, "MIGRATING", id_of(nodes[1])) == "OK"
            keys = [f"{{{tag}}}{number}" for number in range(10)]
            assert source("MIGRATE", "127.0.0.1", nodes[1].port, "", 0, 1000, "KEYS", *keys) == "OK"
        for node in nodes[:2]:
            node.kill()
        for node in nodes[:2]:
            node.start()
        wait_for(lambda: all(state_of(node) == "ok" for node in nodes), 40)
        if mend == "redis-cli":
            redis_cli("--cluster", "fix", places[2])
        else:
            admin("fix", places[2], "--yes")
        wait_for(lambda: "[OK] All nodes agree" in redis_cli("--cluster", "check", places[2]), 30)
        with RedisCluster(host="127.0.0.1", port=nodes[2].port) as client:
            assert [client.get(f"{{{tag}}}{number}") for number in range(20)] == [b"%d" % n for n in range(20)]


def test_atomic_migration_moves_slots_as_a_whole(cluster_nodes: Start) -> None:
    nodes = cluster_nodes(3, **OPTIONS)
    make(nodes)
    with nodes[0].client() as source, nodes[1].client() as target:
        for number in range(1000):
            source("SET", f"{{b}}{number}", "x" * 50)
        source("HSET", "{b}hash", "field", "value")
        source("PEXPIRE", "{b}hash", 500_000)
        with counting(nodes[2], "b") as told:
            time_out = time.monotonic() + 20
            assert source("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", 3200, 3400, "NODE", id_of(nodes[1])) == "OK"
            while (state := job(source)["state"]) not in ("success", "failed"):
                assert time.monotonic() < time_out, state
        assert state == "success", job(source)
        assert job(target)["operation"] == "IMPORT"
        assert source("CLUSTER", "COUNTKEYSINSLOT", 3300) == 0
        assert target("DBSIZE") == 1001 + len(told)
        assert target("HGET", "{b}hash", "field") == b"value"
        ttl: Any = target("PTTL", "{b}hash")
        assert 400_000 < ttl <= 500_000
        assert {number: int(text(target("GET", f"{{b}}:{number}"))) for number in told} == told
        again = source("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", 3300, 3300, "NODE", id_of(nodes[1]))
        assert isinstance(again, Refusal)
        assert again.text == "ERR Slots are not served by this node."
    wait_for(lambda: "[OK] All nodes agree" in redis_cli("--cluster", "check", addresses(nodes)[2]), 30)


def test_an_atomic_migration_that_ends_half_way_leaves_the_slot_whole(cluster_nodes: Start) -> None:
    nodes = cluster_nodes(3, **OPTIONS)
    make(nodes)
    with nodes[0].client() as source, nodes[1].client() as target:
        for number in range(200):
            source("MSET", *(word for n in range(50) for word in (f"{{b}}{number}.{n}", "x" * 500)))
        for end in ("cancel", "flush", "kill"):
            assert source("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", 3300, 3300, "NODE", id_of(nodes[1])) == "OK"
            if end == "cancel":
                assert source("CLUSTER", "CANCELSLOTMIGRATIONS") == "OK"
                assert job(source)["state"] == "cancelled"
                continue
            wait_for(lambda: target("CLUSTER", "COUNTKEYSINSLOT", 3300) != 0, 10)
            # What is on its way is not the target's yet.
            assert (target("DBSIZE"), target("KEYS", "*"), target("RANDOMKEY")) == (0, [], None)
            assert target("SCAN", 0, "COUNT", 10) == [b"0", []]
            assert b"db0" not in text(target("INFO", "keyspace")).encode()
            if end == "flush":
                target("FLUSHALL")
            else:
                nodes[1].kill()
            wait_for(lambda: job(source)["state"] in ("cancelled", "failed", "success"), 20)
            if job(source)["state"] == "success":
                pytest.fail(f"it was over before it could be ended by {end}")
            assert source("CLUSTER", "COUNTKEYSINSLOT", 3300) == 10_000
        nodes[1].start()
        with nodes[1].client() as again:
            assert again("CLUSTER", "COUNTKEYSINSLOT", 3300) == 0
        none = source("CLUSTER", "CANCELSLOTMIGRATIONS")
        assert isinstance(none, Refusal)
        assert none.text == "ERR No migrations ongoing"


def test_an_atomic_migration_may_follow_a_cancelled_one_at_once(cluster_nodes: Start) -> None:
    """The target has not noticed the end of the first by then; as with Valkey, nobody has to wait for that."""
    nodes = cluster_nodes(3, **OPTIONS)
    make(nodes)
    move = ("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", 3300, 3300, "NODE", id_of(nodes[1]))
    with nodes[0].client() as source, nodes[1].client() as target:
        for number in range(100):
            source("MSET", *(word for n in range(50) for word in (f"{{b}}{number}.{n}", "x" * 500)))
        for some_arrive in (False, True, True):
            assert source(*move) == "OK"
            if some_arrive:
                wait_for(lambda: target("CLUSTER", "COUNTKEYSINSLOT", 3300) != 0, 10)
            assert source("CLUSTER", "CANCELSLOTMIGRATIONS") == "OK"
        source("DEL", "{b}0.0")
        assert source(*move) == "OK"
        wait_for(lambda: job(source)["state"] == "success", 20)
        assert job(target)["state"] == "success"
        assert target("CLUSTER", "COUNTKEYSINSLOT", 3300) == target("DBSIZE") == 4999
        assert source("DBSIZE") == 0


def job(client: Any) -> dict[str, str]:
    """The latest migration that a node tells of."""
    first = client("CLUSTER", "GETSLOTMIGRATIONS")[0]
    return {text(name): text(value) if isinstance(value, bytes) else str(value) for name, value in pairs(first)}


def pairs(flat: list[Any]) -> Iterator[tuple[Any, Any]]:
    """A RESP2 map."""
    return zip(flat[::2], flat[1::2], strict=True)


def text(reply: object) -> str:
    """A bulk string as text."""
    assert isinstance(reply, bytes)
    return reply.decode()


def test_shardkv_admin_grows_shrinks_saves_and_restores_a_cluster(cluster_nodes: Start, tmp_path: Path) -> None:
    nodes = cluster_nodes(4, **OPTIONS)
    places = make(nodes[:3])
    fill(nodes[0], 1000)
    plan = json.loads(
        admin("reshard", places[0], "--to", places[1], "--from", places[0], "--slots", 10, "--dry-run", "--json")
    )
    assert plan["result"] == "planned"
    assert slots_of(nodes[2], id_of(nodes[0])) == 5461
    admin("reshard", places[0], "--to", places[1], "--from", places[0], "--slots", 10, "--yes")
    assert slots_of(nodes[0], id_of(nodes[0])) == 5451
    fourth = addresses(nodes)[3]
    admin("add-node", fourth, places[0], "--yes")
    admin("reshard", places[0], "--to", fourth, "--from", places[2], "--slots", 10, "--yes")
    out = admin("remove-node", places[0], fourth, "--yes")
    assert "10 slot(s) moved" in out
    admin("backup", places[0], tmp_path / "saved", "--yes")
    assert len(list((tmp_path / "saved").glob("*.rdb"))) == 3
    for node in nodes[:3]:
        with node.client() as client:
            client("FLUSHALL")
    assert not all_there(nodes[0], 1000)
    assert "1000 key(s) restored" in admin("restore", places[0], tmp_path / "saved", "--yes")
    assert "1000 kept" in admin("restore", places[0], tmp_path / "saved", "--yes")
    assert all_there(nodes[0], 1000)
    with Node(save="", appendonly="no") as outside:
        with outside.client() as client:
            for number in range(100):
                client("SET", f"outside:{number}", number)
        assert "100 key(s) brought in" in admin("import", places[0], "--from", f"127.0.0.1:{outside.port}", "--yes")
    assert "All well" in admin("check", places[0])


def reshard_killed(nodes: list[Node], dice: Random, victim: Node | None) -> None:
    """shardkv-admin moves slots from the first node to the second; it, or one of the two, is killed at some moment."""
    places = addresses(nodes)
    command = [sys.executable, "-m", "shardkv_cli.admin", "reshard", places[2], "--from", places[0], "--to", places[1]]
    moving = subprocess.Popen([*command, "--slots", "200", "--yes"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    before = slots_of(nodes[2], id_of(nodes[0]))
    with contextlib.suppress(AssertionError):  # it may be refused, or over before anybody looks
        wait_for(lambda: slots_of(nodes[2], id_of(nodes[0])) < before or job_goes_on(nodes[0]), 5)
    dice_until = time.monotonic() + dice.random() * 0.3
    wait_for(lambda: time.monotonic() >= dice_until, 2)
    if victim is None:
        moving.kill()
    else:
        victim.kill()
        victim.start()
    moving.communicate(timeout=60)
    wait_for(lambda: all(state_of(node) == "ok" for node in nodes), 40)


def job_goes_on(node: Node) -> bool:
    """Whether slots are on their way from a node."""
    with node.client() as client:
        reply: Any = client("CLUSTER", "GETSLOTMIGRATIONS")
        return bool(reply) and job(client)["state"] not in ("success", "failed", "cancelled")


@pytest.mark.parametrize("rounds", [1, pytest.param(8, marks=pytest.mark.long)])
def test_a_reshard_by_shardkv_admin_may_be_killed_at_any_moment(cluster_nodes: Start, rounds: int) -> None:
    """The admin, the source, the target: no key is lost, no slot is open, and the same command goes on."""
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    dice = Random(seed)
    nodes = cluster_nodes(3, **OPTIONS, appendonly="yes", appendfsync="always")
    places = make(nodes)
    fill(nodes[0], 20_000)
    for victim in [None, nodes[0], nodes[1]] * rounds:
        reshard_killed(nodes, dice, victim)
        wait_for(lambda: "All well" in admin("check", places[2]), 40)
        wait_for(lambda: sum(keys_held(node) for node in nodes) == 20_000, 20)
    assert all_there(nodes[1], 20_000)
    left = slots_of(nodes[2], id_of(nodes[0]))
    out = admin("reshard", places[2], "--from", places[0], "--to", places[1], "--slots", 100, "--yes")
    assert "100 slot(s) with" in out
    assert slots_of(nodes[2], id_of(nodes[0])) == left - 100
    assert all_there(nodes[2], 20_000)
    assert "All well" in admin("check", places[0])


def test_what_was_left_of_a_move_is_deleted_after_a_long_load(cluster_nodes: Start) -> None:
    """Slot 1 was lost to another node while this one was away, slot 2 is known as a stray; both have keys in the
    snapshot, which takes longer to load than the news takes to come. Neither slot is open then."""
    nodes = cluster_nodes(3, **OPTIONS)
    make(nodes)
    source, target = nodes[:2]
    with source.client() as client:
        for slot in (1, 2):
            tag = next(name for name in map(str, range(1 << 20)) if key_slot(name.encode()) == slot)
            client.must("MSET", *(word for number in range(200) for word in (f"{{{tag}}}{number}", "value")))
        client.must("SAVE")
    source.kill()
    with target.client() as client:
        for slot in (1, 2):
            client.must("CLUSTER", "SETSLOT", slot, "IMPORTING", id_of_dead(source))
            client.must("CLUSTER", "SETSLOT", slot, "NODE", id_of(target))
    conf = source.directory / "nodes.conf"
    lines = conf.read_text().replace(" 0-5460", " 0-1 3-5460").replace(" 5461-10922", " 2 5461-10922").split("\n")
    conf.write_text("\n".join([*lines[:-2], f"{lines[-2]} straySlots 2-2", ""]))
    source.options |= {"key-load-delay": 2000, "loading-process-events-interval-bytes": 1024}
    source.start()
    with source.client() as client:
        wait_for(lambda: client("DBSIZE") == 0, 20)
        told = str(client.must("CLUSTER", "NODES"))
    assert "-<-" not in told
    wait_for(lambda: "straySlots" not in conf.read_text(), 20)
    assert "Setting it to importing state" not in source.log()


def id_of_dead(node: Node) -> str:
    """The id of a node that does not run."""
    line = next(line for line in (node.directory / "nodes.conf").read_text().splitlines() if "myself" in line)
    return line.split()[0]


def keys_held(node: Node) -> int:
    """DBSIZE."""
    with node.client() as client:
        reply = client("DBSIZE")
    assert isinstance(reply, int)
    return reply


@contextmanager
def pushing(node: Node, tags: list[str]) -> Iterator[dict[str, list[bytes]]]:
    """A client appends numbers to a list of each tag in turn, and reads one back now and then; what it was told. No
    error may reach it, and no value that is not the last."""
    told: dict[str, list[bytes]] = {tag: [] for tag in tags}

    def push(done: threading.Event, wrong: list[Any]) -> None:
        with RedisCluster(host="127.0.0.1", port=node.port) as client:
            number = 0
            while not done.is_set() and not wrong:
                tag = tags[number % len(tags)]
                try:
                    length = client.rpush(f"{{{tag}}}list", number)
                    told[tag].append(b"%d" % number)
                    last = client.lindex(f"{{{tag}}}list", -1)
                except Exception as error:
                    wrong.append(error)
                    return
                if length != len(told[tag]) or last != told[tag][-1]:
                    wrong.append((tag, length, len(told[tag]), last))
                number += 1

    with beside(push):
        yield told


@pytest.mark.long
@pytest.mark.parametrize("tool", ["redis-cli", "shardkv-admin"])
def test_4000_slots_and_then_the_last_of_a_primary_move_under_load(cluster_nodes: Start, tool: str) -> None:
    nodes = cluster_nodes(3, **OPTIONS)
    places = make(nodes)
    fill(nodes[0], 20_000)
    first = id_of(nodes[0])
    # One tag for each thousand slots of the first node, and one that stays where it is.
    tags = [
        next(f"t{n}" for n in range(100_000) if key_slot(b"t%d" % n) // 1000 == part) for part in (0, 1, 2, 3, 4, 9)
    ]
    with pushing(nodes[2], tags) as told:
        for count in (4000, slots_of(nodes[1], first) - 4000):
            if tool == "redis-cli":
                ends = ["--cluster-from", first, "--cluster-to", id_of(nodes[1]), "--cluster-slots", count]
                command = ["redis-cli", "--cluster", "reshard", places[2], *map(str, ends), "--cluster-yes"]
                subprocess.run(command, stdout=subprocess.DEVNULL, timeout=300, check=True)
            else:
                ends = ["--from", places[0], "--to", places[1], "--slots", count]
                admin("reshard", places[2], *ends, "--yes")
            wait_for(lambda: all("cluster_state:ok" in redis_cli("-p", n.port, "CLUSTER", "INFO") for n in nodes), 20)
    assert slots_of(nodes[2], first) == 0
    assert all_there(nodes[1], 20_000)
    with RedisCluster(host="127.0.0.1", port=nodes[1].port) as client:
        assert {tag: client.lrange(f"{{{tag}}}list", 0, -1) for tag in tags} == told
    assert min(len(numbers) for numbers in told.values()) > 20
    assert sum(keys_held(node) for node in nodes[1:]) == 20_000 + len(tags)


def test_migrate_in_a_transaction_or_script_goes_to_a_real_target() -> None:
    """And to one that never answers for as long as its timeout says."""
    with Node(save="") as source, Node(save="") as target, source.client() as client, target.client() as there:
        client("MSET", "a", 1, "b", 2, "c", 3)
        client("MULTI")
        client("INCR", "a")
        client("MIGRATE", "127.0.0.1", target.port, "", 3, 5000, "KEYS", "a", "b")
        client("EXISTS", "a", "b")
        assert client("EXEC") == [2, "OK", 0]
        there("SELECT", 3)
        assert there("MGET", "a", "b") == [b"2", b"2"]
        move = f"return redis.pcall('MIGRATE', '127.0.0.1', {target.port}, KEYS[1], 0, 5000)"
        assert client("EVAL", move, 1, "c") == "OK"
        there("SELECT", 0)
        assert there("GET", "c") == b"3"
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            client("SET", "d", 4)
            move = f"return redis.call('MIGRATE', '127.0.0.1', {deaf.getsockname()[1]}, KEYS[1], 0, 50)"
            refusal = client("EVAL", move, 1, "d")
        assert isinstance(refusal, Refusal)
        assert refusal.text.startswith("IOERR error or timeout reading from target instance")
        assert client("GET", "d") == b"4"


def test_the_connection_to_a_target_is_kept_for_the_next_key() -> None:
    with Node(save="") as source, Node(save="") as target, source.client() as client, target.client() as there:
        client("MSET", "a", 1, "b", 2)
        assert b"migrate_cached_sockets:0\r\n" in client("INFO", "stats")
        for name in ("a", "b"):
            assert client("MIGRATE", "127.0.0.1", target.port, name, 0, 5000) == "OK"
            assert b"migrate_cached_sockets:1\r\n" in client("INFO", "stats")
        assert b"total_connections_received:3\r\n" in there("INFO", "stats")  # with the one that saw it ready


@pytest.mark.parametrize("kind", [Redis, Valkey])
def test_shardkv_admin_moves_slots_of_other_servers(kind: type[Server]) -> None:
    """Key by key with Redis 7.0, which knows no other way; as a whole with Valkey 9.1."""
    with contextlib.ExitStack() as stack:
        options: dict[str, Any] = OPTIONS | {"cluster_enabled": "yes", "save": "", "appendonly": "no"}
        nodes: Any = [stack.enter_context(kind(**options)) for _ in range(3)]
        places = make(nodes)
        fill(nodes[0], 1000)
        ends = ["--from", places[0], "--to", places[1], "--slots", 100]
        assert "100 slot(s) with" in admin("reshard", places[2], *ends, "--yes")
        assert slots_of(nodes[2], id_of(nodes[0])) == 5361
        with nodes[0].client() as client:
            told = client("CLUSTER", "GETSLOTMIGRATIONS")
        assert isinstance(told, Refusal) if kind is Redis else len(told) == 1
        assert all_there(nodes[0], 1000)
        wait_for(lambda: "All well" in admin("check", places[0]), 20)
