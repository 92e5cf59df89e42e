"""The log of writes of a real node: on disk, across restarts, and exchanged with a redis-server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.oracle import SETTINGS, Redis
from tests.support.processes import Node, OptionValue, Server, wait_for
from tests.support.wire import Client, request
from tests.support.wire_replies import Refusal

pytestmark = pytest.mark.wire

LOGGED: dict[str, OptionValue] = {**SETTINGS, "appendonly": "yes"}
FOLDER = "appendonlydir"
StartNode = Callable[..., Node]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that outlives the servers that use it."""
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)


def info(client: Client, field: str) -> str:
    """A field of INFO persistence."""
    text: str = client.must("INFO", "persistence").decode()
    return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)[field]


def rewritten(client: Client) -> None:
    """Wait until no rewrite is going on."""
    wait_for(lambda: info(client, "aof_rewrite_in_progress") == info(client, "aof_rewrite_scheduled") == "0")


def log_files(server: Server) -> dict[str, bytes]:
    """The files of the log by name."""
    return {path.name: path.read_bytes() for path in sorted((server.directory / FOLDER).iterdir())}


def fill(client: Client) -> None:
    """A key of each type in two databases, some of which expire."""
    for database in (0, 5):
        client.must("SELECT", database)
        client.must("SET", "text", "value", "EX", 1000)
        client.must("INCR", "number")
        client.must("RPUSH", "list", *range(200))
        client.must("SADD", "integers", 3, 1, 2)
        client.must("SADD", "members", "a", "b", "c")
        client.must("ZADD", "scores", "1.5", "a", "-inf", "b", "0.1", "c")
        client.must("HSET", "hash", "f", "v", "g", "w")
        client.must("XADD", "stream", "1-1", "f", "v")
        client.must("XADD", "stream", "2-1", "f", "v")
        client.must("XGROUP", "CREATE", "stream", "group", "0")
        client.must("XREADGROUP", "GROUP", "group", "reader", "COUNT", 1, "STREAMS", "stream", ">")
        client.must("XDEL", "stream", "1-1")
        client.must("PFADD", "uniques", "a", "b")
        client.must("SPOP", "members")
        client.must("PEXPIRE", "list", 500_000)
    client.must("SELECT", 0)


# ---- across restarts


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_what_was_written_is_there_after_a_crash(start_node: StartNode, preamble: str) -> None:
    node = start_node(**LOGGED, aof_use_rdb_preamble=preamble)
    with node.client() as client:
        fill(client)
        client.must("BGREWRITEAOF")
        rewritten(client)
        client.must("SET", "later", 1)
        client.must("DEL", "number")
        digest = client.must("DEBUG", "DIGEST")
    node.kill()
    node.start()
    with node.client() as client:
        assert client.must("DEBUG", "DIGEST") == digest
        assert client.must("DEBUG", "LOADAOF") == "OK"
        assert client.must("DEBUG", "DIGEST") == digest
        assert 400 < int(client.must("TTL", "list")) <= 500


def test_the_files_and_their_names_are_those_of_redis(start_node: StartNode) -> None:
    ours, theirs = start_node(**LOGGED), Redis(**LOGGED)
    with theirs:
        found = []
        for server in (ours, theirs):
            with server.client() as client:
                client.must("SET", "a", 1)
                client.must("BGREWRITEAOF")
                rewritten(client)
                client.must("CONFIG", "SET", "aof-use-rdb-preamble", "no")
                client.must("CONFIG", "SET", "appendonly", "no")
                client.must("SET", "b", 1)
                client.must("CONFIG", "SET", "appendonly", "yes")
                rewritten(client)
                client.must("SELECT", 3)
                client.must("SET", "c", 1)
                wait_for(lambda at=server: len(log_files(at)) == 3)  # type: ignore[misc]  # mypy knows no default of a lambda
            found.append(log_files(server))
    assert found[0].keys() == found[1].keys()
    assert found[0]["appendonly.aof.manifest"] == found[1]["appendonly.aof.manifest"]
    assert found[0]["appendonly.aof.3.incr.aof"] == found[1]["appendonly.aof.3.incr.aof"]


def test_the_base_without_a_snapshot_is_what_redis_writes(start_node: StartNode) -> None:
    options = {**LOGGED, "aof_use_rdb_preamble": "no"}
    ours, theirs = start_node(**options), Redis(**options)
    with theirs:
        bases = []
        for server in (ours, theirs):
            with server.client() as client:
                client.must("SELECT", 2)
                client.must("RPUSH", "list", *range(150))  # one key, since the order of keys is nobody's
                client.must("PEXPIREAT", "list", 4_000_000_000_000)
                client.must("BGREWRITEAOF")
                rewritten(client)
            bases.append(log_files(server)["appendonly.aof.2.base.aof"])
    assert bases[0] == bases[1]


def test_a_log_of_redis_is_loaded_and_one_of_ours_by_redis(folder: Path) -> None:
    for rewrite in (False, True):
        for first, second in ((Redis, Node), (Node, Redis)):
            place = folder / f"{first.__name__}-{rewrite}"
            place.mkdir()
            with first(**LOGGED, dir=str(place)) as writer, writer.client() as client:
                fill(client)
                if rewrite:
                    client.must("BGREWRITEAOF")
                    rewritten(client)
                client.must("SET", "last", "one")
                digest = client.must("DEBUG", "DIGEST")
            with second(**LOGGED, dir=str(place)) as reader, reader.client() as client:
                assert client.must("DEBUG", "DIGEST") == digest, (first, rewrite)
                client.must("SET", "from", "reader")
                digest = client.must("DEBUG", "DIGEST")
            with first(**LOGGED, dir=str(place)) as again, again.client() as client:
                assert client.must("DEBUG", "DIGEST") == digest, (first, rewrite)


def test_the_single_file_of_an_older_redis_becomes_the_base(folder: Path) -> None:
    old = folder / "appendonly.aof"
    old.write_bytes(request("SELECT", 0) + request("SET", "a", 1) + request("SETEX", "b", 100, 2))
    with Node(**LOGGED, dir=str(folder)) as node, node.client() as client:
        assert client.must("MGET", "a", "b") == [b"1", b"2"]
        assert not old.exists()
        client.must("SET", "c", 3)
        assert b"file appendonly.aof seq 1 type b\n" in log_files(node)["appendonly.aof.manifest"]
    with Redis(**LOGGED, dir=str(folder)) as server, server.client() as client:
        assert client.must("MGET", "a", "b", "c") == [b"1", b"2", b"3"]


def test_a_log_that_was_on_its_way_into_its_folder_is_found(folder: Path) -> None:
    (folder / "appendonly.aof").write_bytes(request("SET", "a", 1))
    (folder / FOLDER).mkdir()
    (folder / FOLDER / "appendonly.aof.manifest").write_text("file appendonly.aof seq 1 type b\n")
    with Node(**LOGGED, dir=str(folder)) as node, node.client() as client:
        assert client.must("GET", "a") == b"1"


# ---- damage


def _last_file(folder: Path) -> Path:
    return max((folder / FOLDER).glob("*.incr.aof"))


def _refuses(folder: Path, **options: OptionValue) -> str:
    """The one line with which a node refuses to start."""
    node = Node(**(LOGGED | options), dir=str(folder))
    with pytest.raises((RuntimeError, AssertionError)):
        node.start()
    try:
        wait_for(node.process_ended)
        [line] = [line for line in node.log().splitlines() if " # " in line and "AOF" in line]
        assert "Traceback" not in node.log()
        return line
    finally:
        node.log_path.unlink()
        node.stop()


def test_a_torn_tail_is_cut_at_the_last_whole_command_or_transaction(folder: Path) -> None:
    with Node(**LOGGED, dir=str(folder)) as node, node.client() as client:
        client.must("SET", "a", 1)
    path = _last_file(folder)
    whole = path.read_bytes()
    tail = request("MULTI") + request("SET", "b", 2)
    path.write_bytes(whole + tail)
    assert f"at offset {len(whole)}" in _refuses(folder, aof_load_truncated="no")
    assert path.read_bytes() == whole + tail
    with Node(**LOGGED, dir=str(folder)) as node, node.client() as client:
        assert client.must("KEYS", "*") == [b"a"]
        assert f"Truncating the AOF {path.name} at offset {len(whole)}" in node.log()
    assert path.read_bytes() == whole


def test_a_damaged_middle_is_refused_with_its_place_and_left_alone(folder: Path) -> None:
    with Node(**LOGGED, dir=str(folder)) as node, node.client() as client:
        client.must("SET", "a", 1)
    path = _last_file(folder)
    whole = path.read_bytes()
    damaged = whole + b"garbage" + request("SET", "c", 3)
    path.write_bytes(damaged)
    line = _refuses(folder)
    assert f"found b'garbage*3' (at offset {len(whole)})" in line
    assert "shardkv-admin check-aof --fix" in line
    assert path.read_bytes() == damaged


# ---- at run time


def test_a_node_says_truly_that_writes_cannot_be_logged_and_recovers(start_node: StartNode) -> None:
    node = start_node(**LOGGED)
    with node.client() as client:
        client.must("SET", "a", 1)
        size = int(info(client, "aof_current_size"))
        # A process may not write beyond this: the disk is as good as full.
        limited = size + 200
        import resource

        resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (limited, resource.RLIM_INFINITY))
        while client("SET", "b", "x" * 50) == "OK":
            pass
        refusal = client("SET", "b", "refused")
        assert isinstance(refusal, Refusal)
        assert refusal.text == "MISCONF Errors writing to the AOF file: File too large"
        assert isinstance(client("PING"), Refusal)
        assert client.must("GET", "a") == b"1"
        assert info(client, "aof_last_write_status") == "err"
        assert int(info(client, "aof_buffer_length")) > 0
        digest = client.must("DEBUG", "DIGEST")
        resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        wait_for(lambda: info(client, "aof_last_write_status") == "ok")
        assert client.must("DEBUG", "DIGEST") == digest
        client.must("SET", "c", 3)
        digest = client.must("DEBUG", "DIGEST")
    assert "AOF write error looks solved. The server can write again." in node.log()
    node.kill()
    node.start()
    with node.client() as client:
        assert client.must("DEBUG", "DIGEST") == digest


def test_a_log_grows_and_is_written_anew_by_itself_under_full_load(start_node: StartNode) -> None:
    node = start_node(**LOGGED, auto_aof_rewrite_min_size="20kb", auto_aof_rewrite_percentage=50)
    with node.client() as client:
        number = 0
        while int(info(client, "aof_rewrites")) < 3:
            client.send_bytes(b"".join(request("SET", "counter", number + step) for step in range(100)))
            for _ in range(100):
                assert client.read() == "OK"
            number += 100
        rewritten(client)
        assert info(client, "aof_last_bgrewrite_status") == "ok"
        assert int(info(client, "aof_base_size")) <= int(info(client, "aof_current_size"))
    node.kill()
    node.start()
    with node.client() as client:
        assert client.must("GET", "counter") == b"%d" % (number - 1)


def test_switched_on_at_run_time_the_log_counts_from_its_first_base(start_node: StartNode) -> None:
    node = start_node(**SETTINGS)
    with node.client() as client:
        client.must("SET", "before", 1)
        client.must("CONFIG", "SET", "appendonly", "yes")
        client.must("SET", "after", 1)
        rewritten(client)
        assert info(client, "aof_enabled") == "1"
        digest = client.must("DEBUG", "DIGEST")
    node.options["appendonly"] = "yes"
    node.kill()
    node.start()
    with node.client() as client:
        assert client.must("DEBUG", "DIGEST") == digest
        client.must("CONFIG", "SET", "appendonly", "no")
        assert info(client, "aof_enabled") == "0"
        client.must("SET", "unlogged", 1)
    node.kill()
    node.start()
    with node.client() as client:
        assert client.must("DEBUG", "DIGEST") == digest


def test_a_rewrite_asked_for_in_a_transaction_or_beside_another_child_waits(start_node: StartNode) -> None:
    node = start_node(**LOGGED, rdb_key_save_delay=20_000)
    with node.client() as client:
        client.must("MSET", *[word for number in range(50) for word in (f"key:{number}", number)])
        client.must("MULTI")
        client.must("BGREWRITEAOF")
        client.must("SET", "a", 1)
        assert client.must("EXEC") == ["Background append only file rewriting scheduled", "OK"]
        wait_for(lambda: info(client, "aof_rewrite_in_progress") == "1")
        busy = client("BGREWRITEAOF")
        assert isinstance(busy, Refusal)
        assert busy.text == "ERR Background append only file rewriting already in progress"
        client.must("CONFIG", "SET", "rdb-key-save-delay", "0")
        rewritten(client)
        assert client.must("BGREWRITEAOF") == "Background append only file rewriting started"
        rewritten(client)
        assert info(client, "aof_rewrites") == "2"


def test_a_first_base_that_is_being_written_keeps_the_node_from_ending(start_node: StartNode) -> None:
    node = start_node(**SETTINGS, rdb_key_save_delay=100_000)
    with node.client() as client:
        client.must("MSET", *[word for number in range(50) for word in (f"key:{number}", number)])
        client.must("CONFIG", "SET", "appendonly", "yes")
        refusal = client("SHUTDOWN")
        assert isinstance(refusal, Refusal)
        assert refusal.text == "ERR Errors trying to SHUTDOWN. Check logs."
        assert "Writing initial AOF, can't exit." in node.log()
        os.kill(node.pid, 0)
        client.send("SHUTDOWN", "FORCE")
        wait_for(node.process_ended)


def test_the_time_is_told_in_the_log_if_asked_for(start_node: StartNode) -> None:
    node = start_node(**LOGGED, aof_timestamp_enabled="yes")
    with node.client() as client:
        client.must("SET", "a", 1)
        client.must("SET", "b", 1)
        digest = client.must("DEBUG", "DIGEST")
        log = log_files(node)["appendonly.aof.1.incr.aof"]
        assert log.startswith(b"#TS:")
        assert log.count(b"#TS:") <= 2
        client.must("DEBUG", "LOADAOF")
        assert client.must("DEBUG", "DIGEST") == digest
        client.must("CONFIG", "SET", "aof-timestamp-enabled", "no")
        client.must("SET", "c", 1)
    node.restart()
    with node.client() as client:
        assert client.must("DBSIZE") == 3


def test_a_replica_logs_what_it_was_given_and_what_comes_after(start_node: StartNode, oracle: Redis) -> None:
    replica = start_node(**LOGGED)
    with replica.client() as client, oracle.client() as primary:
        client.must("SET", "of its own", 1)
        fill(primary)
        client.must("REPLICAOF", oracle.host, oracle.port)
        wait_for(lambda: client("DEBUG", "DIGEST") == primary("DEBUG", "DIGEST"))
        rewritten(client)
        primary.must("SET", "later", 1)
        digest = primary.must("DEBUG", "DIGEST")
        wait_for(lambda: client("DEBUG", "DIGEST") == digest)
        client.must("CONFIG", "SET", "appendfsync", "always")  # which also brings what there is to disk
    replica.kill()
    replica.start()
    with replica.client() as client:
        assert client.must("DEBUG", "DIGEST") == digest


def test_history_that_was_kept_goes_as_soon_as_it_may(start_node: StartNode) -> None:
    node = start_node(**LOGGED, aof_disable_auto_gc="yes")
    with node.client() as client:
        for _ in range(2):
            client.must("BGREWRITEAOF")
            rewritten(client)
        manifest = node.directory / "appendonlydir" / "appendonly.aof.manifest"
        assert [line.split()[-1] for line in manifest.read_text().splitlines()] == ["b", "h", "h", "h", "h", "i"]
        client.must("CONFIG", "SET", "aof-disable-auto-gc", "no")
        assert [line.split()[-1] for line in manifest.read_text().splitlines()] == ["b", "i"]
        wait_for(lambda: len(list(manifest.parent.iterdir())) == 3)
