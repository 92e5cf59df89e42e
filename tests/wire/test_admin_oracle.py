"""shardkv-admin against real redis-server processes: what it makes there, redis-cli would call a cluster."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.wire,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs redis-server"),
]

Start = Callable[..., list[int]]


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on, all held at once so that they differ."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts redis-servers and gives their ports; ends each of them, by its own handle, after the test."""
    running: list[subprocess.Popen[bytes]] = []

    def launch(count: int, *options: str, cluster: bool = True) -> list[int]:
        ports = free_ports(2 * count)
        pairs = list(zip(ports[:count], ports[count:], strict=True))
        for port, bus in pairs:
            home = tmp_path / str(port)
            home.mkdir()
            words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(home), "--save", ""]
            if cluster:
                words += ["--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", "2000"]
            running.append(subprocess.Popen([*words, *options], stdout=subprocess.DEVNULL))
        for port, _ in pairs:
            wait_for(port)
        return [port for port, _ in pairs]

    yield launch
    for process in running:
        process.kill()
    for process in running:
        process.wait()


def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise AssertionError(f"nothing listens on {port}")


def admin(*words: str | int, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs shardkv-admin to its end, with nobody at the keyboard."""
    return subprocess.run(
        [sys.executable, "-m", "shardkv_cli.admin", *map(str, words)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONWARNINGS": "error", **environment},
        timeout=60,
        check=False,
    )


def ask(port: int, *words: str) -> str:
    return subprocess.run(
        ["redis-cli", "-p", str(port), *words], capture_output=True, text=True, check=True, timeout=10
    ).stdout


def at(ports: list[int]) -> list[str]:
    return [f"127.0.0.1:{port}" for port in ports]


def untouched(ports: list[int]) -> bool:
    return all(
        "cluster_known_nodes:1\n" in ask(port, "CLUSTER", "INFO")
        and "cluster_slots_assigned:0\n" in ask(port, "CLUSTER", "INFO")
        and "cluster_my_epoch:0\n" in ask(port, "CLUSTER", "INFO")
        for port in ports
    )


def refused(result: subprocess.CompletedProcess[str], text: str) -> bool:
    """One clear line on stderr, exit code 1, no traceback."""
    lines = result.stderr.strip().splitlines()
    assert result.returncode == 1, result
    assert lines[-1].startswith("Error: "), result
    assert text in lines[-1], result
    return "Traceback" not in result.stderr


def test_three_primaries_become_a_cluster_that_redis_cli_finds_whole(start: Start) -> None:
    ports = start(3)
    made = admin("create-cluster", *at(ports), "--yes")
    assert made.returncode == 0, made.stderr
    assert "The cluster stands: all 3 nodes agree." in made.stdout
    oracle = subprocess.run(
        ["redis-cli", "--cluster", "check", f"127.0.0.1:{ports[0]}"], capture_output=True, text=True, check=False
    )
    assert oracle.returncode == 0, oracle.stdout
    assert "[OK] All 16384 slots covered." in oracle.stdout
    checked = admin("check", f"127.0.0.1:{ports[1]}", "--dry-run")
    assert checked.returncode == 0, checked.stdout
    assert "All well: 16384 slots served by 3 primaries with 0 replica(s) each" in checked.stdout
    again = admin("create-cluster", *at(ports), "--yes")
    assert refused(again, "is already part of a cluster")


def test_six_nodes_get_a_replica_each_and_programs_read_how(start: Start) -> None:
    ports = start(6, "--requirepass", "se cret", "--masterauth", "se cret")
    made = admin("create-cluster", *at(ports), "--replicas", 1, "--yes", "--json", REDISCLI_AUTH="se cret")
    assert made.returncode == 0, made.stderr
    told: dict[str, Any] = json.loads(made.stdout)
    assert (told["command"], told["result"]) == ("create-cluster", "created")
    primaries = told["plan"]["primaries"]
    assert [entry["slots"] for entry in primaries] == [[[0, 5460]], [[5461, 10922]], [[10923, 16383]]]
    assert [len(entry["replicas"]) for entry in primaries] == [1, 1, 1]
    checked = admin("check", at(ports)[5], "--json", "-a", "se cret")
    report: dict[str, Any] = json.loads(checked.stdout)
    assert checked.returncode == 0, report
    assert (report["ok"], report["problems"], report["warnings"]) == (True, [], [])
    assert [node["role"] for node in report["nodes"]] == ["primary", "replica"] * 3
    shown = admin("status", at(ports)[0], REDISCLI_AUTH="se cret")
    assert shown.returncode == 0
    assert all(f":{port}" in shown.stdout for port in ports)
    assert refused(admin("status", at(ports)[0]), "NOAUTH")


def test_a_dry_run_shows_the_plan_and_changes_nothing(start: Start) -> None:
    ports = start(3)
    planned = admin("create-cluster", *at(ports), "--dry-run", "--json")
    assert planned.returncode == 0, planned.stderr
    told = json.loads(planned.stdout)
    assert told["result"] == "planned"
    assert [step["command"][:2] for step in told["plan"]["steps"]] == (
        [["CLUSTER", "ADDSLOTSRANGE"]] * 3 + [["CLUSTER", "SET-CONFIG-EPOCH"]] * 3 + [["CLUSTER", "MEET"]] * 2
    )
    for_people = admin("create-cluster", *at(ports), "--dry-run")
    assert f"127.0.0.1:{ports[0]}> CLUSTER ADDSLOTSRANGE 0 5460" in for_people.stdout
    unanswered = admin("create-cluster", *at(ports))
    assert unanswered.returncode == 1
    assert "Aborted!" in unanswered.stderr
    assert untouched(ports)


def test_nodes_that_are_not_fit_are_refused_and_nothing_is_changed(start: Start) -> None:
    ports = start(3, "--cluster-require-full-coverage", "no")
    lonely = start(1, cluster=False)
    ask(ports[2], "CLUSTER", "ADDSLOTS", "12182")
    for _ in range(100):  # a fresh node serves only after some two seconds
        if "OK" in ask(ports[2], "SET", "foo", "bar"):
            break
        time.sleep(0.05)
    ask(ports[2], "CLUSTER", "DELSLOTS", "12182")
    closed = free_ports(1)
    clean = ports[:2]
    assert refused(admin("create-cluster", *at(ports), "--yes"), "is not empty: it holds 1 key(s)")
    assert refused(admin("create-cluster", *at(clean + lonely), "--yes"), "does not run in cluster mode")
    assert refused(admin("create-cluster", *at(clean + closed), "--yes"), "cannot be reached: connection refused")
    assert refused(admin("create-cluster", *at(clean + clean[:1]), "--yes"), "are the same node")
    assert refused(admin("create-cluster", *at(clean), "--yes"), "at least 3 primaries")
    failed = admin("create-cluster", *at(clean + closed), "--yes", "--json")
    assert json.loads(failed.stdout)["result"] == "failed"
    assert "cannot be reached" in json.loads(failed.stdout)["error"]
    assert untouched(clean)


def test_problems_are_found_and_counted(start: Start) -> None:
    ports = start(3)
    assert admin("create-cluster", *at(ports), "--yes").returncode == 0
    ask(ports[0], "CLUSTER", "DELSLOTS", "0", "1")
    ids = [ask(port, "CLUSTER", "MYID").strip() for port in ports]
    ask(ports[1], "CLUSTER", "SETSLOT", "6000", "MIGRATING", ids[2])
    checked = admin("check", at(ports)[0], "--json")
    kinds = {problem["kind"] for problem in json.loads(checked.stdout)["problems"]}
    assert checked.returncode == 1
    assert {"uncovered", "open-slot", "disagreement"} <= kinds
    lines = admin("check", at(ports)[0]).stdout
    assert "PROBLEM: 2 of 16384 slots are served by nobody: 0-1" in lines
    assert f"127.0.0.1:{ports[1]} has open slots, migrating: 6000" in lines


def test_a_node_that_never_answers_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        assert refused(admin("check", address, "--timeout", "0.3"), "did not answer within 0.3 s")


@pytest.mark.parametrize(
    "words", [["create-cluster"], ["create-cluster", "7000"], ["check", "::1:7000"], ["check"], ["nonsense"]]
)
def test_a_wrong_command_line_is_a_usage_error(words: list[str]) -> None:
    result = admin(*words)
    assert result.returncode == 2, result
    assert "Traceback" not in result.stderr
