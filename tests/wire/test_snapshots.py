"""Snapshots of a real node: in the background, by the save points, at the end, and loaded again at the start."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from shardkv.persist.snapshots import MISCONF
from tests.support.ports import free_port
from tests.support.processes import Node, OptionValue, wait_for
from tests.support.wire import Client
from tests.support.wire_replies import Refusal, Verbatim

pytestmark = pytest.mark.wire

Start = Callable[..., Node]


@pytest.fixture
def start(start_node: Start, tmp_path: Path) -> Start:
    """Starts a node in the test's folder, with all of DEBUG and CONFIG open."""

    def start(**options: OptionValue) -> Node:
        opened: dict[str, OptionValue] = {"enable_debug_command": "yes", "enable_protected_configs": "yes"}
        return start_node(**(opened | {"dir": str(tmp_path)} | options))

    return start


def info(client: Client, section: str = "persistence") -> dict[str, str]:
    reply = client.must("INFO", section)
    text = reply.text if isinstance(reply, Verbatim) else reply
    assert isinstance(text, bytes)
    return dict(line.split(":", 1) for line in text.decode().split("\r\n") if ":" in line)


def saving(client: Client) -> bool:
    return info(client)["rdb_bgsave_in_progress"] == "1"


def child_of(node: Node) -> int:
    """The process id of the node's saving child."""
    children = Path(f"/proc/{node.pid}/task/{node.pid}/children").read_text().split()
    assert len(children) == 1, children
    return int(children[0])


def fill(client: Client) -> None:
    """A few keys of each type, some that expire, in two databases."""
    client.must("DEBUG", "POPULATE", 500)
    client.must("SET", "number", 12345)
    client.must("SET", "text", "abc" * 100, "EX", 1000)
    client.must("RPUSH", "list", *range(300), "x" * 9000)
    client.must("SADD", "numbers", *range(100))
    client.must("SADD", "words", *(f"word:{number}" for number in range(300)))
    client.must("ZADD", "small", 1.5, "a", 2, "b")
    client.must("ZADD", "large", *(word for number in range(300) for word in (number / 7, f"m:{number}")))
    client.must("HSET", "small-hash", "a", "1", "b", "two")
    client.must("HSET", "large-hash", *(word for number in range(600) for word in (f"f:{number}", number)))
    for number in range(150):
        client.must("XADD", "stream", f"{number + 1}-0", "n", number)
    client.must("XGROUP", "CREATE", "stream", "readers", "0")
    client.must("XREADGROUP", "GROUP", "readers", "ada", "COUNT", "5", "STREAMS", "stream", ">")
    client.must("SELECT", 9)
    client.must("SET", "elsewhere", "yes")
    client.must("SELECT", 0)


def digest(client: Client) -> object:
    return client.must("DEBUG", "DIGEST")


@pytest.mark.parametrize("way", ["SAVE", "BGSAVE", "SHUTDOWN", "SIGTERM"])
def test_what_was_saved_is_there_after_a_restart(start: Start, way: str) -> None:
    node = start(save="3600 100000")
    with node.client() as client:
        fill(client)
        before = digest(client)
        if way == "BGSAVE":
            assert client.must("BGSAVE") == "Background saving started"
            wait_for(lambda: not saving(client))
            client.must("SET", "too", "late")
        elif way == "SAVE":
            client.must("SAVE")
            client.must("SET", "too", "late")
        elif way == "SHUTDOWN":
            client.send("SHUTDOWN")
            assert client.hung_up()
    if way in ("SAVE", "BGSAVE"):
        node.kill()
    elif way == "SIGTERM":
        node.signal(signal.SIGTERM)
    wait_for(node.process_ended)
    assert node.process is not None
    assert node.process.returncode == (-signal.SIGKILL if way in ("SAVE", "BGSAVE") else 0)
    node.start()
    with node.client() as client:
        wait_for(lambda: digest(client) == before)
        assert int(info(client)["rdb_last_load_keys_loaded"]) == 511
        assert info(client)["rdb_changes_since_last_save"] == "0"
        assert client.must("DBSIZE") == 510
        assert client("TTL", "text") in range(990, 1001)
    assert sorted(path.name for path in node.directory.iterdir()) == [f"{node.port}.log", "dump.rdb"]


def test_a_node_without_save_points_saves_at_its_end_only_when_told_to(start: Start) -> None:
    node = start(save="", shutdown_on_sigterm="save")
    file = node.directory / "dump.rdb"
    with node.client() as client:
        client.must("SET", "a", "b")
        client.send("SHUTDOWN")
        assert client.hung_up()
    wait_for(node.process_ended)
    assert not file.exists()
    node.start()
    with node.client() as client:
        client.must("SET", "a", "b")
        client.send("SHUTDOWN", "SAVE")
        assert client.hung_up()
    wait_for(node.process_ended)
    saved = file.read_bytes()
    node.options["save"] = "3600 1"
    node.start()
    with node.client() as client:
        client.must("SET", "a", "c")
        client.send("SHUTDOWN", "NOSAVE")
        assert client.hung_up()
    wait_for(node.process_ended)
    assert file.read_bytes() == saved
    node.options["save"] = ""
    node.start()
    assert node.terminate() == 0
    assert "Saving the final RDB snapshot" in node.log()


def test_a_save_point_saves(start: Start) -> None:
    node = start(save="1 2")
    with node.client() as client:
        client.must("SET", "a", "1")
        client.must("SET", "b", "2")
        wait_for(lambda: info(client)["rdb_changes_since_last_save"] == "0")
        fields = info(client)
        assert (fields["rdb_saves"], fields["rdb_last_bgsave_status"]) == ("1", "ok")
        assert client.must("LASTSAVE") == int(fields["rdb_last_save_time"])
    assert "2 changes in 1 seconds. Saving..." in node.log()
    assert (node.directory / "dump.rdb").read_bytes().startswith(b"REDIS0010")


def test_a_snapshot_in_the_background_is_told_of_and_can_be_ended(start: Start) -> None:
    node = start(save="3600 1", rdb_key_save_delay=20_000)
    with node.client() as client, node.client() as other:
        client.must("DEBUG", "POPULATE", 500)
        client.must("SET", "a", "b")
        assert client.must("BGSAVE") == "Background saving started"
        assert client("BGSAVE") == Refusal("ERR Background save already in progress")
        assert client("SAVE") == Refusal("ERR Background save already in progress")
        wait_for(lambda: int(info(client)["current_save_keys_processed"]) > 0)
        fields = info(client)
        assert fields["current_save_keys_total"] == "501"
        assert 0 < float(fields["current_fork_perc"]) < 100
        assert int(fields["current_cow_size"]) > 0
        assert int(fields["current_cow_peak"]) >= int(fields["current_cow_size"])
        assert int(fields["rdb_current_bgsave_time_sec"]) >= 0
        stats = info(client, "stats")
        assert stats["total_forks"] == "1"
        assert int(stats["latest_fork_usec"]) > 0
        # What the child holds of a connection must not keep it open.
        client.must("CLIENT", "KILL", "ID", other.must("CLIENT", "ID"))
        assert other.hung_up()
        # The keys that it saves are gone, and so is it.
        child = child_of(node)
        client.must("FLUSHALL")
        assert not saving(client)
        assert not Path(f"/proc/{child}").exists()
        fields = info(client)
        assert (fields["rdb_last_bgsave_status"], fields["rdb_changes_since_last_save"]) == ("ok", "0")
        assert sorted(path.name for path in node.directory.iterdir()) == [f"{node.port}.log", "dump.rdb"]
        client.must("CONFIG", "SET", "save", "")
        client.must("DEBUG", "POPULATE", 500)
        client.must("BGSAVE")
        child = child_of(node)
        client.send("SHUTDOWN")
        assert client.hung_up()
    wait_for(node.process_ended)
    assert not Path(f"/proc/{child}").exists()
    assert "temp-" not in " ".join(os.listdir(node.directory))


def test_a_child_that_dies_is_a_snapshot_that_failed(start: Start) -> None:
    node = start(save="3600 1", rdb_key_save_delay=20_000)
    with node.client() as client:
        client.must("DEBUG", "POPULATE", 500)
        for number, status in ((signal.SIGUSR1, "ok"), (signal.SIGKILL, "err")):
            client.must("BGSAVE")
            os.kill(child_of(node), number)
            wait_for(lambda: not saving(client))
            assert info(client)["rdb_last_bgsave_status"] == status
        assert client("SET", "a", "b") == Refusal(MISCONF)
        client.must("CONFIG", "SET", "rdb-key-save-delay", "0")
        client.must("BGSAVE")
        wait_for(lambda: info(client)["rdb_last_bgsave_status"] == "ok")
        assert client.must("SET", "a", "b") == "OK"
    assert "ended by signal 9" in node.log()


def test_a_folder_that_is_gone_stops_writes_and_the_shutdown(start: Start, tmp_path: Path) -> None:
    node = start(save="3600 1")
    gone = tmp_path / "gone"
    gone.mkdir()
    with node.client() as client:
        client.must("SET", "a", "b")
        client.must("CONFIG", "SET", "dir", str(gone))
        gone.rmdir()
        assert client("SAVE") == Refusal("ERR")
        assert info(client)["rdb_last_bgsave_status"] == "ok"
        client.must("BGSAVE")
        wait_for(lambda: info(client)["rdb_last_bgsave_status"] == "err")
        assert client("SET", "a", "b") == Refusal(MISCONF)
        assert client("PING") == Refusal(MISCONF)
        assert client.must("GET", "a") == b"b"
        assert info(client)["rdb_changes_since_last_save"] == "1"
        assert client("SHUTDOWN") == Refusal("ERR Errors trying to SHUTDOWN. Check logs.")
        node.signal(signal.SIGTERM)
        wait_for(lambda: node.log().count("Errors trying to shut down the server") == 2)
        assert client.must("GET", "a") == b"b"
        client.must("CONFIG", "SET", "dir", str(tmp_path))
        client.must("SAVE")
        assert client.must("SET", "a", "c") == "OK"
        gone.mkdir()
        client.must("CONFIG", "SET", "dir", str(gone))
        gone.rmdir()
        client.send("SHUTDOWN", "FORCE")
        assert client.hung_up()
    assert re.search("Failed saving the DB to .*dump.rdb: No such file or directory", node.log())


def test_clients_are_told_of_loading_and_how_far_it_is(start: Start) -> None:
    node = start(save="")
    with node.client() as client:
        client.must("DEBUG", "POPULATE", 3000, "key", 100)
        client.must("SET", "short", "life", "PX", 1)
        client.must("SAVE")
    node.kill()
    file = node.directory / "dump.rdb"
    saved = file.read_bytes()
    node.options |= {"key-load-delay": 2000, "loading-process-events-interval-bytes": 1024}
    with node.log_path.open("ab") as log:
        node.process = subprocess.Popen(node.command_line, stdout=log, stderr=log)

    def told() -> bool:
        try:
            with node.client() as client:
                fields = info(client)
                assert fields["loading"] == "1"
                assert int(fields["loading_total_bytes"]) == len(saved)
                assert 0 < int(fields["loading_loaded_bytes"]) < len(saved)
                assert 0 < float(fields["loading_loaded_perc"]) < 100
                assert int(fields["loading_eta_seconds"]) > 0
                assert int(fields["loading_rdb_used_mem"]) > 0
                for words in (("GET", "a"), ("PING",), ("SAVE",), ("SET", "a", "b"), ("DBSIZE",)):
                    assert client(*words) == Refusal("LOADING Redis is loading the dataset in memory")
                assert client.must("LASTSAVE") in range(int(fields["loading_start_time"]) - 2, 1 << 40)
                return True
        except ConnectionError:
            return False

    wait_for(told)
    # It ends at once, and without a snapshot of what is not all there.
    assert node.terminate() == 0
    assert file.read_bytes() == saved
    node.options |= {"key-load-delay": 0}
    node.start()
    with node.client() as client:
        wait_for(lambda: client("DBSIZE") == 3000)
        fields = info(client)
        assert (fields["rdb_last_load_keys_loaded"], fields["rdb_last_load_keys_expired"]) == ("3000", "1")
        assert fields["loading"] == "0"


def test_debug_reload_changes_nothing_that_lasts(start: Start) -> None:
    node = start(save="")
    with node.client() as client:
        fill(client)
        before = digest(client)
        client.must("DEBUG", "RELOAD")
        assert digest(client) == before
        client.must("SET", "later", "1")
        client.must("SET", "number", "other")
        client.must("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH", "MERGE")
        assert client.must("GET", "later") == b"1"
        assert client.must("GET", "number") == b"12345"
        now = digest(client)
        # Without MERGE a key that is there is an error, and nothing is changed.
        refusal = Refusal("ERR Error trying to load the RDB dump, check server logs.")
        assert client("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH") == refusal
        file = node.directory / "dump.rdb"
        file.write_bytes(file.read_bytes()[:-20])
        assert client("DEBUG", "RELOAD", "NOSAVE") == refusal
        assert digest(client) == now
        client.must("DEBUG", "RELOAD")
        assert digest(client) == now


def test_a_file_that_cannot_be_loaded_is_refused_in_one_line_and_left_alone(start: Start) -> None:
    node = start(save="")
    with node.client() as client:
        fill(client)
        client.must("SAVE")
    node.kill()
    file = node.directory / "dump.rdb"
    good = file.read_bytes()
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 0x10
    broken = {
        "not an RDB file: it is too short": b"",
        "of version 99": b"REDIS0099" + good[9:],
        "a length passes the end of the file": good[:-9],
        "dump.rdb cannot be loaded": bytes(flipped),
        "there is no database": good[:9] + b"\xfe\x40\xff" + good[9:],
    }
    for number, (reason, data) in enumerate(broken.items()):
        file.write_bytes(data)
        log = file.with_name(f"refused-{number}.log")
        words = [*node.command_line, "--logfile", str(log), "--port", str(free_port())]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1, done.stderr
        lines = log.read_text().splitlines()
        said = [line for line in lines if "snapshot" in line]
        assert said == lines[-1:], lines
        assert reason in said[0]
        assert reason in done.stderr
        assert "Traceback" not in log.read_text() + done.stderr
        assert file.read_bytes() == data


def test_a_cluster_node_takes_the_slots_of_keys_that_it_finds(start: Start) -> None:
    node = start(save="")
    with node.client() as client:
        client.must("SET", "foo", "bar")  # slot 12182
        client.must("SAVE")
    node.kill()
    node.options["cluster-enabled"] = "yes"
    node.start()
    with node.client() as client:
        wait_for(lambda: b"myself,master - 0 0 0 connected 12182" in nodes_of(client))
        wait_for(lambda: client("CLUSTER", "COUNTKEYSINSLOT", 12182) == 1)
    assert "I have keys for unassigned slot 12182. Taking responsibility for it." in node.log()


def nodes_of(client: Client) -> bytes:
    reply = client.must("CLUSTER", "NODES")
    text = reply.text if isinstance(reply, Verbatim) else reply
    assert isinstance(text, bytes)
    return text
