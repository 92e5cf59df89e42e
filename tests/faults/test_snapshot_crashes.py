"""A node that dies while it saves: the file on disk is always a whole one, and never older than what was promised."""

from __future__ import annotations

import random
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from shardkv_node.loading import load_aside

from shardkv.config import Config
from shardkv.persist.snapshots import MISCONF
from tests.support import dying_node
from tests.support.processes import Node, OptionValue, wait_for
from tests.support.wire import Client
from tests.support.wire_replies import Refusal, Verbatim

pytestmark = pytest.mark.wire

KEYS = 3000
Start = Callable[..., Node]


class DyingNode(Node):
    """A node that dies at a step of its work on files; see ``dying_node``."""

    def __init__(self, step: int, seed: int, **options: OptionValue) -> None:
        super().__init__(**options)
        self.program = (sys.executable, str(dying_node.__file__), str(step), str(seed))


@pytest.fixture
def started() -> Iterator[list[Node]]:
    """Nodes to be ended after the test."""
    nodes: list[Node] = []
    yield nodes
    for node in nodes:
        node.stop()


def held_by(path: Path) -> set[bytes]:
    """The keys in a file. Raises LoadFault if it is not whole."""
    _, found = load_aside(path, Config(), 0, bytearray(16384))
    return {bytes(key) for database in found.values() for key in database}


def saved(client: Client) -> bool:
    """Whether no snapshot is being made."""
    reply = client.must("INFO", "persistence")
    text = reply.text if isinstance(reply, Verbatim) else reply
    assert isinstance(text, bytes)
    return b"rdb_bgsave_in_progress:0" in text


def fill(client: Client, prefix: str) -> None:
    client.must("DEBUG", "POPULATE", KEYS, prefix, 100)


def die_at(step: int, seed: int, way: str, folder: Path, started: list[Node]) -> set[bytes] | None:
    """Lets a node with an old file in its folder die at a step of writing a new one; the keys in the file then, None if
    it did not die."""
    node = DyingNode(step, seed, dir=str(folder), save="", enable_debug_command="yes")
    started.append(node)
    node.start()
    with node.client() as client:
        wait_for(lambda: client("DBSIZE") == KEYS)
        fill(client, "new")
        try:
            client.must(way)
            wait_for(lambda: saved(client))
        except ConnectionError:
            pass
    died = node.process_ended() or not node.answers()
    node.kill()
    return held_by(folder / "dump.rdb") if died else None


def crash_at_every_step(way: str, steps: range, seed: int, folder: Path, started: list[Node]) -> int:
    """How many of the steps a node died at. Whatever the step, the file holds the old keys, or the old and the new."""
    with Node(dir=str(folder), save="", enable_debug_command="yes") as node, node.client() as client:
        fill(client, "old")
        client.must("SAVE")
    file = folder / "dump.rdb"
    old = file.read_bytes()
    deaths = 0
    for step in steps:
        file.write_bytes(old)
        found = die_at(step, seed + step, way, folder, started)
        if found is None:
            break
        deaths += 1
        assert len([key for key in found if key.startswith(b"old:")]) == KEYS
        assert len(found) in (KEYS, 2 * KEYS), f"step {step}"
        for path in folder.glob("temp-*"):
            path.unlink(missing_ok=True)
    return deaths


@pytest.mark.parametrize("way", ["SAVE", "BGSAVE"])
def test_a_power_cut_leaves_the_old_file_or_the_new_one(
    way: str, seed: int, tmp_path: Path, started: list[Node]
) -> None:
    assert crash_at_every_step(way, range(8, 10), seed, tmp_path, started) == 2


@pytest.mark.long
@pytest.mark.parametrize("way", ["SAVE", "BGSAVE"])
@pytest.mark.parametrize("turn", range(8))
def test_a_power_cut_at_any_step_leaves_the_old_file_or_the_new_one(
    way: str, turn: int, seed: int, tmp_path: Path, started: list[Node]
) -> None:
    assert crash_at_every_step(way, range(1, 60), 100 * turn + seed, tmp_path, started) >= 9


class Writer(threading.Thread):
    """Writes ``seq:1``, ``seq:2`` ... in their order, and asks for snapshots in between, until the node is gone."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._client = node.client()
        self.promised = 0  #: the keys that were there before the last SAVE that was answered

    def run(self) -> None:
        """See the class."""
        number = 0
        try:
            while True:
                self._client.pipeline([("SET", f"seq:{number + step + 1}", "x" * 50) for step in range(200)])
                number += 200
                if number % 1000 == 0:
                    self._client("BGSAVE")
                if number % 7000 == 0 and self._client("SAVE") == "OK":
                    self.promised = number
        except ConnectionError:
            pass
        finally:
            self._client.close()


def kill_at_random(times: int, seed: int, folder: Path, start_node: Start) -> None:
    """Kills a node so many times while it writes and saves. What is on disk is a state that there was: no key without
    all that were written before it."""
    rng = random.Random(seed)
    file = folder / "dump.rdb"
    for _ in range(times):
        file.unlink(missing_ok=True)
        node = start_node(dir=str(folder), save="")
        writer = Writer(node)
        writer.start()
        time.sleep(rng.uniform(0.0, 0.6))  # the moment of the crash is what is random here
        node.kill()
        writer.join()
        if file.exists():
            numbers = {int(key[4:]) for key in held_by(file)}
            assert numbers == set(range(1, len(numbers) + 1))
            assert len(numbers) >= writer.promised
        else:
            assert writer.promised == 0
        for path in folder.glob("temp-*"):
            path.unlink(missing_ok=True)


def test_a_node_killed_at_any_moment_leaves_a_state_that_there_was(
    seed: int, tmp_path: Path, start_node: Start
) -> None:
    kill_at_random(3, seed, tmp_path, start_node)


@pytest.mark.long
def test_a_node_killed_hundreds_of_times_leaves_states_that_there_were(
    seed: int, tmp_path: Path, start_node: Start
) -> None:
    kill_at_random(300, seed, tmp_path, start_node)


def test_a_full_disk_stops_writes_until_there_is_room_again(tmp_path: Path, start_node: Start) -> None:
    node = start_node(dir=str(tmp_path), save="3600 1", enable_debug_command="yes")
    file = tmp_path / "dump.rdb"
    with node.client() as client:
        client.must("SET", "first", "1")
        client.must("SAVE")
        old = file.read_bytes()
        fill(client, "more")
        # A file may have no more bytes than this: to the node it is as a disk that is full.
        resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
        assert client("SAVE") == Refusal("ERR")
        client.must("BGSAVE")
        wait_for(lambda: saved(client) and client("PING") == Refusal(MISCONF))
        assert client("SET", "a", "b") == Refusal(MISCONF)
        assert file.read_bytes() == old
        resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        client.must("BGSAVE")
        wait_for(lambda: client("PING") == "PONG")
        assert client.must("SET", "a", "b") == "OK"
    assert len(held_by(file)) == KEYS + 1
    assert not list(tmp_path.glob("temp-*"))
    assert "File too large" in node.log()


def test_an_orphan_replaces_nothing(tmp_path: Path, start_node: Start) -> None:
    node = start_node(dir=str(tmp_path), save="", enable_debug_command="yes", rdb_key_save_delay=3000)
    with node.client() as client:
        client.must("SET", "first", "1")
        client.must("SAVE")
        fill(client, "more")
        client.must("BGSAVE")
    child = int(Path(f"/proc/{node.pid}/task/{node.pid}/children").read_text())
    old = (tmp_path / "dump.rdb").read_bytes()
    node.kill()
    wait_for(lambda: not alive(child), 30)
    assert (tmp_path / "dump.rdb").read_bytes() == old
    assert not list(tmp_path.glob("temp-*"))


def alive(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
