"""The launcher's pure parts, its secret, and how it knows its own processes. No node is started here."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from shardkv_cli.backoff import Backoff
from shardkv_cli.exits import Failure
from shardkv_cli.launch import launch, plan_launch, prepare, probe_host
from shardkv_cli.processes import Identity, identify, read_record, write_record
from shardkv_cli.secret import cluster_secret
from shardkv_cli.supervise import last_line


def test_the_wait_doubles_up_to_its_limit_while_runs_are_short() -> None:
    backoff = Backoff()
    waits = []
    now = 0.0
    for _ in range(7):
        backoff.started(now)
        now += 5
        waits.append(backoff.crashed(now))
    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_a_minute_of_health_makes_the_wait_short_again() -> None:
    backoff = Backoff()
    for run, wait in ((1, 1), (59.9, 2), (60, 1), (1, 2)):
        backoff.started(1000)
        assert backoff.crashed(1000 + run) == wait


@given(st.lists(st.floats(0, 200), max_size=50))
def test_the_wait_stays_within_its_bounds(runs: list[float]) -> None:
    backoff = Backoff()
    for run in runs:
        backoff.started(7)
        assert 1 <= backoff.crashed(7 + run) <= 30


def test_each_node_gets_its_own_port_and_folder_and_the_options_of_all(tmp_path: Path) -> None:
    plan = plan_launch(2, 7000, tmp_path, ("--maxmemory", "100mb", "--save", ""), ("run-node",))
    home = tmp_path / "7001"
    assert plan.nodes[1].words == (
        *("run-node", str(home / "node.conf"), "--port", "7001", "--dir", str(home), "--cluster-enabled", "yes"),
        *("--cluster-config-file", "nodes.conf", "--logfile", "node.log", "--maxmemory", "100mb", "--save", ""),
    )
    assert [node.probe.port for node in plan.nodes] == [7000, 7001]


def test_further_ports_count_up_as_the_first_ones_do(tmp_path: Path) -> None:
    plan = plan_launch(3, 7000, tmp_path, ("--metrics-port", "9121", "--TLS-PORT", "0", "--hz", "20"), ("run-node",))
    assert [node.words[-6:] for node in plan.nodes] == [
        ("--metrics-port", str(port), "--TLS-PORT", "0", "--hz", "20") for port in (9121, 9122, 9123)
    ]


@pytest.mark.parametrize(
    ("options", "host"),
    [
        ((), "127.0.0.1"),
        (("--bind", "10.0.0.5", "--save", ""), "10.0.0.5"),
        (("--bind", "10.0.0.5", "-127.0.0.1"), "127.0.0.1"),
        (("--bind", "*"), "127.0.0.1"),
        (("--bind", "::"), "::1"),
    ],
)
def test_nodes_are_looked_for_where_they_listen(options: tuple[str, ...], host: str) -> None:
    assert probe_host(options) == host


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--port", "65000"], "no room for the bus"),
        (["--nodes", "0"], "range"),
        (["stray"], "neither an option"),
        (["--cluster-auth-secret", "x"], "process list"),
        (["--cluster-port", "9"], "cannot be given to all nodes"),
    ],
)
def test_a_launch_that_cannot_be_is_a_usage_error(words: list[str], text: str) -> None:
    result = CliRunner().invoke(launch, words)
    assert result.exit_code == 2
    assert text in result.stderr


def test_a_dry_run_is_a_plan_and_makes_nothing(tmp_path: Path) -> None:
    words = ["--nodes", "3", "--dir", str(tmp_path / "new"), "--dry-run", "--appendonly", "yes"]
    told = json.loads(CliRunner().invoke(launch, [*words, "--json"]).stdout)
    assert [(node["port"], node["bus_port"]) for node in told["nodes"]] == [(7000, 17000), (7001, 17001), (7002, 17002)]
    assert all(node["command"][-2:] == ["--appendonly", "yes"] for node in told["nodes"])
    assert CliRunner().invoke(launch, words).stdout.count("shardkv_cli.node") == 3
    assert not (tmp_path / "new").exists()


def test_the_secret_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    secret = cluster_secret(tmp_path)
    assert len(secret) == 64
    assert cluster_secret(tmp_path) == secret
    assert stat.S_IMODE((tmp_path / "cluster-secret").stat().st_mode) == 0o600


def test_the_secret_reaches_a_node_in_a_private_file_and_not_on_its_command_line(tmp_path: Path) -> None:
    plan = plan_launch(1, 7000, tmp_path, ())
    prepare(plan)
    prepare(plan)
    secret = cluster_secret(tmp_path)
    conf = tmp_path / "7000" / "node.conf"
    assert conf.read_text() == f"cluster-auth-secret {secret}\n"
    assert stat.S_IMODE(conf.stat().st_mode) == 0o600
    assert all(secret not in word for word in plan.nodes[0].words)


def test_a_secret_that_others_could_read_is_refused(tmp_path: Path) -> None:
    cluster_secret(tmp_path)
    (tmp_path / "cluster-secret").chmod(0o640)
    with pytest.raises(Failure, match="mode 0640"):
        cluster_secret(tmp_path)


@pytest.mark.parametrize("text", ["", "two words", 'a"b'])
def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path, text: str) -> None:
    cluster_secret(tmp_path)
    (tmp_path / "cluster-secret").write_text(text)
    with pytest.raises(Failure, match="does not hold a cluster secret"):
        cluster_secret(tmp_path)


def test_a_secret_behind_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cluster-secret").symlink_to("/etc/hostname")
    with pytest.raises(Failure, match="cannot be read"):
        cluster_secret(tmp_path)


def test_a_process_is_known_by_pid_and_start_so_that_a_stranger_is_never_signalled() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        ours = identify(child.pid)
        assert ours is not None
        assert ours.alive
        stranger = Identity(child.pid, ours.started + "1")
        assert not stranger.send(signal.SIGKILL)
        assert child.poll() is None
        assert ours.send(signal.SIGKILL)
        child.wait(10)
        assert not ours.alive
        assert not ours.send(signal.SIGKILL)


def test_a_launcher_leaves_word_of_itself_and_its_nodes(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None
    write_record(tmp_path, [(7000, os.getpid())])
    record = read_record(tmp_path)
    assert record is not None
    assert record.launcher == identify(os.getpid())
    assert record.ports == [7000]
    (tmp_path / "launch.json").write_text('{"pid": 1}')
    assert read_record(tmp_path) is None


def test_the_last_line_of_a_node_is_from_its_latest_run(tmp_path: Path) -> None:
    log = tmp_path / "node.log"
    log.write_text("old news\n")
    (tmp_path / "node.out").write_text("*** FATAL\nBad directive\n\n")
    assert last_line(tmp_path, len("old news\n")) == "Bad directive"
    log.write_text("old news\nFailed listening on port 7000\n")
    assert last_line(tmp_path, len("old news\n")) == "Failed listening on port 7000"
    assert last_line(tmp_path / "nowhere", 0) == ""
