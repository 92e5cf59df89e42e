"""Scripts on a real node: one that runs too long, those of a cluster, functions that last."""

from __future__ import annotations

import time

import pytest

from tests.support.processes import Node, wait_for
from tests.support.wire import Client
from tests.support.wire_replies import Refusal

pytestmark = pytest.mark.wire

BUSY = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
LOOP = "while true do end"


def busy(client: Client) -> bool:
    """Whether the node says that a script is running."""
    reply = client("PING")
    return isinstance(reply, Refusal) and reply.text == BUSY


def test_a_long_script_lets_others_in_and_is_ended_by_one_of_them() -> None:
    with Node(lua_time_limit=100) as node, node.client() as runner, node.client() as other:
        runner.send("EVAL", LOOP, 0)
        runner.send("SET", "after", "it")
        wait_for(lambda: busy(other), what="BUSY")
        with node.client() as late:
            assert busy(late)
            assert late("SET", "a", 1) == Refusal(BUSY)
        assert other("SCRIPT", "KILL") == "OK"
        killed = runner.reply()
        assert isinstance(killed, Refusal)
        assert killed.text.startswith("ERR Script killed by user with SCRIPT KILL... script: ")
        assert runner.reply() == "OK"  # what stood behind it goes on
        assert other.must("GET", "after") == b"it"
        assert "Slow script detected: still in execution after" in node.log()


def test_a_script_that_has_written_ends_with_the_node() -> None:
    with Node(lua_time_limit=50) as node, node.client() as runner, node.client() as other:
        runner.send("EVAL", f"redis.call('set', KEYS[1], 'v') {LOOP}", 1, "key")
        wait_for(lambda: busy(other), what="BUSY")
        refusal = other("SCRIPT", "KILL")
        assert isinstance(refusal, Refusal)
        assert refusal.code == "UNKILLABLE"
        other.send("SHUTDOWN", "NOSAVE")
        wait_for(node.process_ended, what="the node ends")


def test_a_client_that_goes_while_its_script_runs_is_no_harm() -> None:
    with Node(lua_time_limit=50) as node, node.client() as other:
        with node.client() as runner:
            runner.send("EVAL", "local x = 0 for i = 1, 20000000 do x = x + i end return x", 0)
            wait_for(lambda: busy(other), what="BUSY")
        wait_for(lambda: other("PING") == "PONG", what="the script ends")
        wait_for(lambda: b"connected_clients:1\r\n" in other.must("INFO", "clients"), what="its client is gone")


def test_a_script_is_quick_to_begin_and_leaves_the_node_responsive() -> None:
    with Node(lua_time_limit=100) as node, node.client() as runner, node.client() as other:
        runner.send("EVAL", LOOP, 0)
        wait_for(lambda: busy(other), what="BUSY")
        begun = time.monotonic()
        for _ in range(20):
            assert busy(other)
        assert time.monotonic() - begun < 5
        other.must("SCRIPT", "KILL")
        runner.reply()


# ---- in a cluster

LOCAL = "{a}"  # slot 15495


@pytest.fixture
def half_a_cluster() -> object:
    with Node(cluster_enabled="yes") as node:
        with node.client() as client:
            client.must("CLUSTER", "ADDSLOTSRANGE", 8192, 16383)
            client.must("CONFIG", "SET", "cluster-require-full-coverage", "no")
            wait_for(lambda: b"cluster_state:ok" in client.must("CLUSTER", "INFO"), what="the cluster is up")
        yield node


def error_of(client: Client, script: str, *words: str | int) -> str:
    """The text of the error that a script ends with, without its place."""
    reply = client("EVAL", script, *(words or (0,)))
    assert isinstance(reply, Refusal), reply
    return reply.text.partition(" script: ")[0]


def test_scripts_keep_to_the_slots_of_their_node(half_a_cluster: Node) -> None:
    with half_a_cluster.client() as client:
        assert client("EVAL", "return redis.call('set', KEYS[1], 'v')", 1, "{a}key") == "OK"
        assert error_of(client, "return 1", 1, "b").startswith("CLUSTERDOWN Hash slot not served")
        assert error_of(client, "return 1", 2, "{a}x", "{x}y").startswith("CROSSSLOT ")
        foreign = "ERR Script attempted to access a non local key in a cluster node"
        assert error_of(client, "return redis.call('get', 'b')") == foreign
        assert error_of(client, "return redis.call('mget', '{a}x', '{x}y')") == foreign
        assert error_of(client, "#!lua flags=no-cluster\nreturn 1") == (
            "ERR Can not run script on cluster, 'no-cluster' flag is set."
        )


def test_only_scripts_of_old_may_wander_between_slots(half_a_cluster: Node) -> None:
    wander = "redis.call('set', '{a}x', 1) return redis.call('set', '{x}y', 1)"
    with half_a_cluster.client() as client:
        scattered = "ERR Script attempted to access keys that do not hash to the same slot"
        assert client("EVAL", wander, 0) == "OK"
        assert error_of(client, f"#!lua\n{wander}") == scattered
        assert client("EVAL", f"#!lua flags=allow-cross-slot-keys\n{wander}", 0) == "OK"
        assert error_of(client, "#!lua\nreturn redis.call('set', '{x}y', 1)", 1, "{a}x") == scattered


# ---- functions that last

LIBRARY = """#!lua name=lasting
redis.register_function{
  function_name = 'double', callback = function(keys, args) return args[1] * 2 end, flags = {'no-writes'}
}"""


@pytest.mark.parametrize("log", ["yes", "no"])
def test_functions_are_there_after_a_restart(log: str) -> None:
    with Node(appendonly=log, save="3600 1") as node:
        with node.client() as client:
            client.must("FUNCTION", "LOAD", LIBRARY)
            assert client.must("FCALL", "double", 0, 21) == 42
        node.restart()
        with node.client() as client:
            assert client.must("FCALL", "double", 0, 21) == 42
            if log == "yes":
                client.must("BGREWRITEAOF")
                wait_for(lambda: b"aof_rewrite_in_progress:0\r\n" in client.must("INFO", "persistence"))
                client.must("FUNCTION", "LOAD", LIBRARY.replace("lasting", "second").replace("double", "twice"))
        if log == "yes":
            node.restart()
            with node.client() as client:
                assert client.must("FCALL", "double", 0, 4) == client.must("FCALL", "twice", 0, 4) == 8


def test_functions_and_what_scripts_did_reach_a_replica() -> None:
    with Node() as primary, Node() as replica, primary.client() as here, replica.client() as there:
        here.must("FUNCTION", "LOAD", LIBRARY)
        there.must("REPLICAOF", primary.host, primary.port)
        wait_for(lambda: b"master_link_status:up" in there.must("INFO", "replication"), what="the link is up")
        assert there.must("FCALL", "double", 0, 3) == 6
        here.must("EVAL", "redis.call('set', KEYS[1], ARGV[1]) redis.call('incr', KEYS[2])", 2, "a", "n", "v")
        here.must("FUNCTION", "DELETE", "lasting")
        here.must("EVAL", "redis.set_repl(redis.REPL_AOF) return redis.call('set', 'mine', 1)", 0)
        here.must("EVAL", "redis.set_repl(redis.REPL_REPLICA) return redis.call('set', 'theirs', 1)", 0)
        wait_for(lambda: there.must("GET", "theirs") == b"1", what="the last write arrives")
        assert there.must("MGET", "a", "n", "mine") == [b"v", b"1", None]
        assert there.must("FUNCTION", "LIST") == []
        refusal = there("EVAL", "return redis.call('set', 'a', 1)", 0)
        assert isinstance(refusal, Refusal)
        assert refusal.text.startswith("READONLY You can't write against a read only replica. script: ")
        assert there("EVAL", "#!lua\nreturn 1", 0) == Refusal("READONLY You can't write against a read only replica.")
        assert there("EVAL", "#!lua flags=no-writes\nreturn redis.call('get', KEYS[1])", 1, "a") == b"v"
