"""What goes wrong between primary and replica: garbage, broken snapshots, wrong passwords. One line, another try, and
the old data are there."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from shardkv.config import Config
from shardkv.persist.rdb.writer import Snapshot
from tests.support.engine_client import BEGIN, EngineClient
from tests.support.fake_primary import FakePrimary, greet, until_closed
from tests.support.oracle import SETTINGS
from tests.support.processes import Node, wait_for
from tests.support.replication import link_is_up, link_to, replication
from tests.support.wire_replies import Refusal

pytestmark = pytest.mark.wire

OPTIONS = {**SETTINGS, "repl_diskless_sync_delay": 0}
FULL = b"+FULLRESYNC " + b"a" * 40 + b" 1000\r\n"
MARK = b"f" * 40


def _snapshot() -> bytes:
    source = EngineClient()
    for number in range(200):
        source("SET", f"new{number}", "v" * number)
    return b"".join(Snapshot(source.engine.databases, Config(), BEGIN))


SNAPSHOT = _snapshot()
#: One byte in the middle of a value is another one.
FLIPPED = SNAPSHOT[:3000] + bytes((SNAPSHOT[3000] ^ 1,)) + SNAPSHOT[3001:]


def sized(data: bytes) -> bytes:
    """A snapshot whose size is told."""
    return b"$%d\r\n" % len(data) + data


def marked(data: bytes) -> bytes:
    """A snapshot that is ended by a mark."""
    return b"$EOF:" + MARK + b"\r\n" + data + MARK


BROKEN: dict[str, tuple[bytes, str]] = {
    "garbage": (b"hello, I am a web server\r\n\r\n", "Unexpected reply to PSYNC"),
    "no-snapshot": (FULL + b"-ERR out of memory\r\n", "aborted replication"),
    "bad-length": (FULL + b"$abc\r\n", "Bad protocol from MASTER"),
    "bad-sum": (FULL + sized(FLIPPED), "Failed trying to load the MASTER synchronization DB"),
    "bad-sum-with-mark": (FULL + marked(FLIPPED), "Failed trying to load the MASTER synchronization DB"),
    "no-rdb": (FULL + sized(b"MAGIC" + bytes(2000)), "cannot be loaded"),
    "cut": (FULL + sized(SNAPSHOT)[:2000], "Connection with master lost"),
    "cut-with-mark": (FULL + marked(SNAPSHOT)[:2000], "Connection with master lost"),
    "too-short": (FULL + sized(SNAPSHOT[:2000]), ""),
}
#: Those for which it makes a difference that the snapshot goes through a file.
TO_FILE = ("bad-sum", "no-rdb", "cut")


def _breaks_then_works(broken: bytes) -> Callable[[socket.socket, int], None]:
    def say(sock: socket.socket, number: int) -> None:
        greet(sock)
        if number == 0:
            sock.sendall(broken)
            sock.shutdown(socket.SHUT_WR)
        else:
            sock.sendall(FULL + sized(SNAPSHOT))
        until_closed(sock)

    return say


@pytest.mark.parametrize(
    ("fault", "load"), [*((fault, "swapdb") for fault in BROKEN), *((fault, "disabled") for fault in TO_FILE)]
)
def test_a_primary_that_lies_costs_nothing_but_a_line(fault: str, load: str) -> None:
    broken, reason = BROKEN[fault]
    # Without a check sum that holds, a file is believed, and the old data go before it turns out to be wrong.
    keeps = load == "swapdb" or fault not in ("no-rdb", "too-short")
    with (
        FakePrimary(_breaks_then_works(broken)) as fake,
        Node(**OPTIONS, repl_diskless_load=load) as node,
        node.client() as client,
    ):
        client.must("SET", "old", "data")
        client.must("REPLICAOF", "127.0.0.1", fake.port)
        wait_for(lambda: fake.connections >= 1, 10)
        if keeps:
            wait_for(lambda: client("GET", "old") == b"data", 5)
        wait_for(lambda: client("GET", "new199") == b"v" * 199, 20)
        assert client("EXISTS", "old") == 0
        assert reason in node.log()
        assert "Traceback" not in node.log()
        client.must("REPLICAOF", "NO", "ONE")


def test_protocol_garbage_in_the_stream_ends_the_link_and_keeps_the_data() -> None:
    def say(sock: socket.socket, number: int) -> None:
        greet(sock)
        sock.sendall(FULL + sized(SNAPSHOT) if number == 0 else b"+CONTINUE\r\n")
        sock.sendall(b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*1\r\n!rubbish\r\n")
        until_closed(sock)

    with FakePrimary(say) as fake, Node(**OPTIONS) as node, node.client() as client:
        client.must("REPLICAOF", "127.0.0.1", fake.port)
        wait_for(lambda: fake.connections >= 2, 20)
        assert client("GET", "a") == b"1"
        assert "Protocol error from master: Protocol error: expected '$', got '!'" in node.log()
        client.must("REPLICAOF", "NO", "ONE")


def test_a_wrong_password_is_told_once_and_the_right_one_is_taken_when_it_comes() -> None:
    with (
        Node(**OPTIONS, requirepass="secret") as primary,
        Node(**OPTIONS, masterauth="wrong") as replica,
        replica.client() as client,
    ):
        client.must("REPLICAOF", primary.host, primary.port)
        wait_for(lambda: "Unable to AUTH to MASTER" in replica.log(), 10)
        client.must("CONFIG", "SET", "masterauth", "secret")
        wait_for(lambda: link_is_up(client), 20)
        assert replica.log().count("Unable to AUTH to MASTER") == 1


def test_a_primary_that_is_not_there_is_waited_for() -> None:
    with Node(**OPTIONS) as replica, replica.client() as client:
        primary = Node(**OPTIONS)
        client.must("SET", "old", "data")
        client.must("REPLICAOF", primary.host, primary.port)
        wait_for(lambda: "Connection refused" in replica.log(), 10)
        info = replication(client)
        assert (info["master_link_status"], info["master_link_down_since_seconds"]) == ("down", "-1")
        assert client("GET", "old") == b"data"
        client.must("CONFIG", "SET", "replica-serve-stale-data", "no")
        stale = client("GET", "old")
        assert isinstance(stale, Refusal)
        assert stale.text == "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
        with primary:
            wait_for(lambda: link_is_up(client), 20)
            assert client("GET", "old") is None


def test_a_host_without_a_name_is_a_line_in_the_log() -> None:
    with Node(**OPTIONS) as replica, replica.client() as client:
        client.must("REPLICAOF", "no-such-host.invalid", 6379)
        wait_for(lambda: "Unable to connect to MASTER no-such-host.invalid:6379" in replica.log(), 20)
        assert client("PING") == "PONG"


def test_a_slow_replica_is_dropped_and_stalls_nobody() -> None:
    """It never reads its stream: the primary lets go of it at the output limit, and comes to terms with it later."""
    limits = ("replica", "1mb", 0, 0)
    with (
        Node(**OPTIONS, repl_backlog_size="64kb", client_output_buffer_limit=limits) as primary,
        primary.client() as client,
        primary.client() as slow,
    ):
        slow.send("PSYNC", "?", -1)
        wait_for(lambda: "state=online" in replication(client).get("slave0", ""), 10)
        slow.send("REPLCONF", "ACK", 0)
        value = "v" * 100_000
        for _ in range(200):
            client.must("SET", "k", value)
        wait_for(lambda: replication(client)["connected_slaves"] == "0", 10)
        assert replication(client, "stats")["client_output_buffer_limit_disconnections"] == "1"


def test_a_restarted_replica_and_a_restarted_primary_go_on_from_their_snapshots() -> None:
    settings = {**OPTIONS, "save": "3600 1000000"}
    with Node(**settings) as primary, Node(**settings, replicaof=(primary.host, primary.port)) as replica:
        with primary.client() as one, replica.client() as two:
            wait_for(lambda: link_is_up(two), 20)
            one.must("SELECT", 7)
            one.must("SET", "k", "v")
            one.must("DEBUG", "SET-ACTIVE-EXPIRE", 0)
            one.must("SET", "late", "v", "PX", 1)
            assert one("WAIT", 1, 5000) == 1
        replica.restart()
        with primary.client() as one, replica.client() as two:
            one.must("SELECT", 7)
            one.must("SET", "k2", "v2")
            wait_for(lambda: link_is_up(two), 20)
            two.must("SELECT", 7)
            wait_for(lambda: two("GET", "k2") == b"v2", 5)
            assert two("DBSIZE") == 3  # its primary says what has expired
            stats = replication(one, "stats")
            assert (stats["sync_full"], stats["sync_partial_ok"]) == ("1", "1")
            one.must("WAIT", 1, 5000)
            one.must("SET", "brief", "v", "PX", 1)
            assert one("WAIT", 1, 5000) == 1
        primary.restart()
        with primary.client() as one, replica.client() as two:
            wait_for(lambda: link_is_up(two), 20)
            one.must("SET", "after", "restart")
            wait_for(lambda: two("GET", "after") == b"restart", 5)
            stats = replication(one, "stats")
            assert (stats["sync_full"], stats["sync_partial_ok"]) == ("0", "1")
            # The keys that had expired when the primary came back were told of, like any other deletion.
            assert replication(one, "persistence")["rdb_last_load_keys_expired"] == "2"
            one.must("SELECT", 7)
            two.must("SELECT", 7)
            assert one("DBSIZE") == two("DBSIZE") == 2


def test_waitaof_counts_logs_here_and_there() -> None:
    settings = {**OPTIONS, "appendonly": "yes", "appendfsync": "everysec"}
    with Node(**settings) as primary, Node(**settings) as replica, Node(**OPTIONS) as without:
        with primary.client() as one, replica.client() as two, without.client() as three:
            two.must("SET", "gone", "with the full synchronisation")
            link_to(primary, two)
            link_to(primary, three)
            one.must("SET", "k", "v")
            assert one("WAITAOF", 1, 1, 10_000) == [1, 1]
            assert one("WAIT", 2, 5000) == 2
            one.must("SET", "k", "w")
            assert one("WAITAOF", 0, 2, 50) in ([0, 0], [1, 0], [0, 1], [1, 1])
        replica.kill()
        replica.start()
        with replica.client() as two:
            wait_for(lambda: two("GET", "k") == b"w", 10)
            assert two("EXISTS", "gone") == 0


@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_a_snapshot_that_nobody_waits_for_any_more_is_given_up(diskless: str) -> None:
    options = {**OPTIONS, "repl_diskless_sync": diskless, "rdb_key_save_delay": 1_000_000}
    with Node(**options) as primary, Node(**OPTIONS) as replica, primary.client() as one, replica.client() as two:
        one.pipeline([["SET", f"key{number}", 1] for number in range(100)])
        two.must("REPLICAOF", primary.host, primary.port)
        wait_for(lambda: "state=wait_bgsave" in replication(one).get("slave0", ""), 20)
        wait_for(lambda: replication(one, "persistence")["rdb_bgsave_in_progress"] == "1", 20)
        two.must("REPLICAOF", "NO", "ONE")
        wait_for(lambda: replication(one, "persistence")["rdb_bgsave_in_progress"] == "0", 20)
        assert one("PING") == "PONG"
