"""launch and the local cluster with redis-server in the role of the node: real processes, signals and files."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from shardkv_cli.processes import read_record

from tests.support.ports import free_run_of_ports

pytestmark = [
    pytest.mark.wire,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs redis-server"),
]

# redis-server knows no cluster secret: this leaves the private file out and becomes it.
NODE = """\
import os, sys
os.execvp("redis-server", ["redis-server", *sys.argv[2:], "--save", "", "--cluster-node-timeout", "2000"])
"""
NODE_COMMAND = shlex.join([sys.executable, "-c", NODE])


def eventually(seen: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


Launch = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Starts launchers, and ends those that a test has left, with their nodes."""
    started: list[subprocess.Popen[str]] = []

    def start(base: int, *words: str, nodes: int = 2, command: str = NODE_COMMAND) -> subprocess.Popen[str]:
        line = ["--nodes", str(nodes), "--port", str(base), "--dir", str(tmp_path), "--node-command", command, *words]
        process = subprocess.Popen(
            [sys.executable, "-m", "shardkv_cli.launch", *line],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=15)


def lines_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """The lines of the launcher up to the one that holds ``text``."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"{text!r} was not said: {lines}")


def test_nodes_are_started_watched_repaired_and_stopped(tmp_path: Path, launch: Launch) -> None:
    base = free_run_of_ports(2)
    process = launch(base)
    said = lines_until(process, "All 2 node(s) answer.")
    assert any(line.startswith(f"port {base}: ready (pid ") for line in said)
    record = read_record(tmp_path)
    assert record is not None
    assert record.ports == [base, base + 1]
    command_line = Path(f"/proc/{record.nodes[0][1].pid}/cmdline").read_bytes()
    assert (tmp_path / "cluster-secret").read_bytes().strip() not in command_line
    record.nodes[0][1].send(signal.SIGKILL)
    assert "next start in 1 s" in lines_until(process, f"port {base}: crashed")[-1]
    assert "restarts 1" in lines_until(process, f"port {base}: ready")[-1]
    process.send_signal(signal.SIGHUP)
    process.terminate()
    out, err = process.communicate(timeout=15)
    assert process.returncode == 0, err
    assert f"port {base}: stopped" in out
    assert f"port {base + 1}: stopped" in out
    assert not record.living
    assert read_record(tmp_path) is None


def test_a_node_that_is_shut_down_by_a_client_stays_down(launch: Launch) -> None:
    base = free_run_of_ports(1)
    process = launch(base, "--json", nodes=1)
    lines_until(process, '"ready"')
    subprocess.run(["redis-cli", "-p", str(base), "SHUTDOWN", "NOSAVE"], check=True, capture_output=True)
    out, _ = process.communicate(timeout=15)
    assert process.returncode == 0
    assert json.loads(out.splitlines()[-1])["state"] == "stopped"


def test_a_bad_option_ends_the_launch_with_the_last_words_of_the_node(launch: Launch) -> None:
    process = launch(free_run_of_ports(2), "--no-such-option", "yes")
    _, err = process.communicate(timeout=15)
    assert process.returncode == 1
    assert "cannot be started: Bad directive" in err
    assert len(err.strip().splitlines()) == 1


def test_a_port_in_use_is_one_clear_line(launch: Launch) -> None:
    base = free_run_of_ports(2)
    with socket.create_server(("127.0.0.1", base + 1)):
        process = launch(base)
        _, err = process.communicate(timeout=15)
    assert process.returncode == 1
    assert err == f"Error: port {base + 1} is already in use\n"


def test_a_second_signal_kills_nodes_that_will_not_end(launch: Launch) -> None:
    base = free_run_of_ports(1)
    stubborn = "\n".join(
        (
            "import signal, socket, sys",
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
            "server = socket.create_server(('127.0.0.1', int(sys.argv[sys.argv.index('--port') + 1])))",
            "while True:",
            "    client = server.accept()[0]",
            "    client.recv(100), client.send(b'+PONG\\r\\n')",
        )
    )
    process = launch(base, nodes=1, command=shlex.join([sys.executable, "-c", stubborn]))
    lines_until(process, "answer.")
    process.terminate()
    lines_until(process, "once more kills them")
    process.terminate()
    process.communicate(timeout=15)
    assert process.returncode == 0


def local(verb: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shardkv_cli.local", verb, "--dir", str(folder), *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


def test_the_local_cluster_starts_is_found_running_stops_and_comes_back(tmp_path: Path) -> None:
    base = str(free_run_of_ports(6))
    words = ("--port", base, "--node-command", NODE_COMMAND)
    folder = tmp_path / "cluster"
    try:
        first = local("start", folder, *words)
        assert first.returncode == 0, first.stdout + first.stderr
        assert f"redis-cli -c -p {base}" in first.stdout
        assert first.stdout.count("primary") == first.stdout.count("replica") == 3
        again = local("start", folder, *words)
        assert again.returncode == 0
        assert "already runs" in again.stdout
        assert local("status", folder).returncode == 0
        assert "has stopped" in local("stop", folder).stdout
        assert "No local cluster runs" in local("stop", folder).stdout
        assert local("status", folder).returncode == 1
        back = local("start", folder, *words)
        assert back.returncode == 0, back.stdout + back.stderr
        assert "Slots and epochs" not in back.stderr
    finally:
        local("stop", folder)


def test_a_local_cluster_whose_launcher_was_killed_is_still_stopped(tmp_path: Path) -> None:
    base = str(free_run_of_ports(6))
    try:
        assert local("start", tmp_path, "--port", base, "--node-command", NODE_COMMAND).returncode == 0
        record = read_record(tmp_path)
        assert record is not None
        record.launcher.send(signal.SIGKILL)
        eventually(lambda: not record.launcher.alive)
        assert len(record.living) == 6
        refused = local("start", tmp_path, "--port", base, "--node-command", NODE_COMMAND)
        assert refused.returncode == 1
        assert refused.stderr.startswith("Error: nodes of an earlier start still run")
    finally:
        local("stop", tmp_path)
    assert not record.living
