"""INFO beside redis-server in every state that brings fields of its own: which there are, and what those say that the
same story makes the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.support.oracle import Redis, Valkey
from tests.support.processes import Node, OptionValue, Server, wait_for
from tests.support.wire import Client
from tests.support.wire_replies import Refusal

from .test_info_fields import OURS

Make = Callable[..., Server]
Fields = dict[str, dict[str, str]]

SETTINGS: Final[dict[str, OptionValue]] = {"save": "", "appendonly": "no", "enable_debug_command": "yes"}
#: Sections that are the same in every state.
_REPEATED: Final = re.compile(r"(cmdstat_|latency_percentiles_usec_|errorstat_|db\d|slave\d).*")


def info(client: Client) -> Fields:
    """The fields of each section."""
    sections: Fields = {}
    text = client.must("INFO", "everything")
    assert isinstance(text, bytes)
    for line in text.decode().split("\r\n"):
        if line.startswith("# "):
            section = sections[line[2:]] = {}
        elif line:
            name, _, shown = line.partition(":")
            section[name] = shown
    return sections


def names(fields: Fields) -> dict[str, list[str]]:
    """Names only, of both servers alike."""
    return {
        title: sorted({_REPEATED.sub(r"\1", name) for name in section if name not in OURS})
        for title, section in fields.items()
    }


@contextmanager
def alone(make: Make, **options: OptionValue) -> Iterator[Client]:
    """A server by itself."""
    with make(**(SETTINGS | options)) as server, server.client() as client:
        yield client


@contextmanager
def pair(make: Make) -> Iterator[tuple[Server, Client, Client]]:
    """A primary that asks for replicas before it takes writes, and a client of it and of its replica, whose link is
    up."""
    with ExitStack() as stack:
        primary = stack.enter_context(make(**SETTINGS, min_replicas_to_write=1, repl_diskless_sync_delay=0))
        follower = stack.enter_context(make(**SETTINGS, replicaof=("127.0.0.1", primary.port)))
        ours, theirs = stack.enter_context(primary.client()), stack.enter_context(follower.client())
        wait_for(lambda: info(theirs)["Replication"]["master_link_status"] == "up", 60)
        wait_for(lambda: "state=online" in info(ours)["Replication"].get("slave0", ""), 60)
        yield primary, ours, theirs


@contextmanager
def syncing(make: Make) -> Iterator[Client]:
    """A replica that is being sent a snapshot."""
    with ExitStack() as stack:
        primary = stack.enter_context(make(**SETTINGS, repl_diskless_sync_delay=0, rdb_key_save_delay=20_000))
        stack.callback(primary.kill)
        with primary.client() as client:
            client.pipeline([["SET", number, "x" * 1000] for number in range(1000)])
        follower = stack.enter_context(make(**SETTINGS, replicaof=("127.0.0.1", primary.port)))
        client = stack.enter_context(follower.client())
        wait_for(lambda: info(client)["Replication"]["master_sync_in_progress"] == "1", 60)
        yield client


@contextmanager
def logging(make: Make) -> Iterator[Client]:
    """A server with a log of writes."""
    with alone(make, appendonly="yes") as client:
        client.must("SET", "a", 1)
        yield client


@contextmanager
def loading(make: Make, folder: Path) -> Iterator[Client]:
    """A server that loads its keys, slowly."""
    with make(**SETTINGS, dir=str(folder)) as server, server.client() as client:
        for number in range(2000):
            client.must("SET", f"key{number}", number)
        client.must("SAVE")
    server = make(**SETTINGS, dir=str(folder), key_load_delay=5000, loading_process_events_interval_bytes=1024)
    with ExitStack() as stack:
        stack.callback(server.kill)
        server.answers = lambda: _listens(server)  # type: ignore[method-assign]  # it answers no PING while it loads
        server.start()
        client = stack.enter_context(server.client())
        wait_for(lambda: info(client)["Persistence"]["loading"] == "1")
        yield client


def _listens(server: Server) -> bool:
    try:
        server.client(timeout=2.0).close()
    except OSError:
        return False
    return True


@contextmanager
def cluster(make: Make) -> Iterator[Client]:
    """A node of a cluster."""
    with alone(make, cluster_enabled="yes") as client:
        yield client


@contextmanager
def refusing(make: Make) -> Iterator[Client]:
    """A server that was asked for what it does not have, with modules, and with percentiles switched off."""
    with alone(make, latency_tracking="no") as client:
        assert isinstance(client("NOSUCH"), Refusal)
        client.must("CONFIG", "RESETSTAT")
        yield client


@pytest.mark.parametrize("state", [alone, syncing, logging, cluster, refusing])
def test_each_state_has_the_fields_of_redis(state: Callable[[Make], AbstractContextManager[Client]]) -> None:
    with state(Redis) as theirs, state(Node) as ours:
        assert names(info(ours)) == names(info(theirs))


def test_so_have_a_primary_and_its_replica_and_the_one_that_is_left() -> None:
    def seen(make: Make) -> list[dict[str, list[str]]]:
        with pair(make) as (server, primary, replica):
            found = [names(info(primary)), names(info(replica))]
            server.kill()
            wait_for(lambda: info(replica)["Replication"]["master_link_status"] == "down", 60)
            return [*found, names(info(replica))]

    assert seen(Node) == seen(Redis)


def test_so_has_one_that_loads(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "ours").mkdir()
    with loading(Redis, tmp_path / "theirs") as theirs, loading(Node, tmp_path / "ours") as ours:
        assert names(info(ours))["Persistence"] == names(info(theirs))["Persistence"]


#: Fields that must say the same after the same story.
SAME: Final = {
    "Server": "redis_mode arch_bits configured_hz",
    "Clients": "connected_clients cluster_connections blocked_clients tracking_clients clients_in_timeout_table",
    "Memory": "maxmemory maxmemory_policy number_of_cached_scripts number_of_functions number_of_libraries "
    "active_defrag_running mem_cluster_links mem_clients_slaves mem_replication_backlog",
    # rdb_changes_since_last_save: that a key has expired is a change here, and none in Redis.
    "Persistence": "loading async_loading rdb_bgsave_in_progress rdb_last_bgsave_status "
    "rdb_current_bgsave_time_sec rdb_saves rdb_last_load_keys_expired rdb_last_load_keys_loaded aof_enabled "
    "aof_rewrite_in_progress aof_rewrite_scheduled aof_last_rewrite_time_sec aof_last_bgrewrite_status "
    "aof_rewrites aof_last_write_status module_fork_in_progress",
    "Stats": "total_connections_received total_commands_processed rejected_connections sync_full sync_partial_ok "
    "sync_partial_err expired_keys evicted_keys evicted_clients keyspace_hits keyspace_misses pubsub_channels "
    "pubsub_patterns pubsubshard_channels total_forks migrate_cached_sockets tracking_total_keys tracking_total_items "
    "tracking_total_prefixes unexpected_error_replies total_error_replies dump_payload_sanitizations "
    "total_net_input_bytes",
    "Replication": "role connected_slaves master_failover_state master_replid2 master_repl_offset second_repl_offset "
    "repl_backlog_active repl_backlog_size repl_backlog_first_byte_offset repl_backlog_histlen",
    "Cluster": "cluster_enabled",
}


REQUESTS: Final[tuple[tuple[str | int, ...], ...]] = (
    ("GET", "a"),
    ("GET", "none"),
    ("INCR", "b"),
    ("HGET", "a", "f"),
    ("NOSUCH",),
    ("GET",),
    ("SELECT", 99),
)


def told(make: Make) -> tuple[dict[str, str], list[str], dict[str, str]]:
    """A story of all kinds of requests: the fields that it makes equal, the counts of commands, those of errors."""
    with ExitStack() as stack:
        server = stack.enter_context(make(**SETTINGS))
        client, other, third, fourth, fifth = (stack.enter_context(server.client()) for _ in range(5))
        client.must("MSET", "a", 1, "b", "x", "c", 3)
        for words in REQUESTS:
            client(*words)
        client.must("SET", "short", 1, "PX", 1)
        wait_for(lambda: client("EXISTS", "short") == 0)
        client.must("CONFIG", "RESETSTAT")
        for words in REQUESTS:
            client(*words)
        client.must("MGET", "a", "none", "b", "none2")
        client.must("LPUSH", "list", 1, 2, 3)
        client.must("EXPIRE", "a", 1000)
        client.must("SET", "gone", 1, "PXAT", 1)
        client.must("EVAL", "return redis.call('incr', KEYS[1])", 1, "n")
        assert isinstance(client("EVAL", "return redis.call('incr', KEYS[1])", 1, "b"), Refusal)
        client.must("MULTI")
        client.must("GET", "c")
        client("GET")
        assert isinstance(client("EXEC"), Refusal)
        client.must("SELECT", 2)
        client.must("SET", "z", 1)
        client.must("SELECT", 0)
        other("SUBSCRIBE", "one", "two")
        other("PSUBSCRIBE", "p*")
        third.send("BLPOP", "nothing", 100)
        client.must("XGROUP", "CREATE", "stream", "group", "$", "MKSTREAM")
        fifth.send("XREADGROUP", "GROUP", "group", "me", "BLOCK", 0, "STREAMS", "stream", ">")
        fourth.must("CLIENT", "TRACKING", "ON")
        fourth.must("GET", "a")
        wait_for(lambda: info(client)["Clients"]["blocked_clients"] == "2")
        wait_for(lambda: client("DBSIZE") == 6)  # without the one that is gone
        client.must("CONFIG", "RESETSTAT")
        client.must("GET", "a")
        client.must("DEL", "b", "none")
        assert isinstance(client("INCR", "list"), Refusal)
        assert isinstance(client("NOSUCH"), Refusal)
        assert isinstance(client("GET"), Refusal)
        client.must("XGROUP", "DESTROY", "stream", "group")
        assert isinstance(fifth.read(), Refusal)
        client.must("PING")
        fields = info(client)
        same = {
            name: fields[title][name]
            for title, wanted in SAME.items()
            for name in wanted.split()
            if name in fields[title]
        }
        keyspace = {name: re.sub("avg_ttl=.*", "", shown) for name, shown in fields["Keyspace"].items()}
        counts = [
            f"{name}:{re.sub('usec=[0-9]+,usec_per_call=[0-9.]+,', '', shown)}"
            for name, shown in fields["Commandstats"].items()
        ]
        return same | keyspace, sorted(counts), fields["Errorstats"]


def test_the_same_story_makes_the_same_numbers() -> None:
    theirs, ours = told(Redis), told(Node)
    assert ours[0] == theirs[0]
    assert ours[1] == theirs[1]
    assert ours[2] == theirs[2]


def test_the_newer_fields_of_clients_are_those_of_valkey() -> None:
    wanted = (
        *("connected_clients", "blocked_clients", "tracking_clients", "pubsub_clients", "watching_clients"),
        *("clients_in_timeout_table", "total_watched_keys", "total_blocking_keys", "total_blocking_keys_on_nokey"),
    )

    def counted(make: Make) -> dict[str, str]:
        with ExitStack() as stack:
            server = stack.enter_context(make(**SETTINGS))
            clients = [stack.enter_context(server.client()) for _ in range(7)]
            asker, one, two, three, four, five, six = clients
            one("SUBSCRIBE", "a", "b")
            two("PSUBSCRIBE", "a*")
            three.must("WATCH", "a", "b")
            four.must("WATCH", "b", "c")
            asker.must("XGROUP", "CREATE", "stream", "group", "$", "MKSTREAM")
            five.send("XREADGROUP", "GROUP", "group", "me", "BLOCK", 0, "STREAMS", "stream", ">")
            six.send("BLPOP", "l1", "l2", 100)
            wait_for(lambda: info(asker)["Clients"]["blocked_clients"] == "2")
            fields = info(asker)["Clients"]
            return {name: fields[name] for name in wanted}

    assert counted(Node) == counted(Valkey)


def test_the_listeners_are_those_of_valkey(tmp_path: Path) -> None:
    path = tmp_path / "socket"

    def listed(make: Make) -> list[str]:
        with make(**SETTINGS, bind=("127.0.0.1", "-::1"), unixsocket=str(path)) as server, server.client() as client:
            fields = info(client)["Server"]
            listeners = [f"{name}:{shown}" for name, shown in fields.items() if name.startswith("listener")]
            return [line.replace(str(server.port), "PORT") for line in listeners]

    assert listed(Node) == listed(Valkey) != []
