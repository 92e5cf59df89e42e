"""How a node starts, complains, logs and ends: the real process, by its command line and its signals."""

from __future__ import annotations

import io
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from shardkv_cli.node import start

from tests.support.ports import free_port
from tests.support.processes import Node, wait_for
from tests.support.wire import Client

pytestmark = pytest.mark.wire

Start = Callable[..., Node]
NODE = (sys.executable, "-m", "shardkv_cli.node")
LOG_LINE = re.compile(r"\d+:[MC] \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2}\.\d{3} [.\-*#] \S.*")


def run(folder: Path, *words: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Runs a node that is expected to end by itself."""
    return subprocess.run(
        [*NODE, *map(str, words)], cwd=folder, input=stdin, capture_output=True, text=True, timeout=30, check=False
    )


class Refused:
    """What a node says that cannot start. In this process, which costs a tenth of a process of its own."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.capsys = capsys
        self.monkeypatch = monkeypatch

    def __call__(self, *words: str, stdin: str = "") -> str:
        self.monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        assert start(words) == 1
        said = self.capsys.readouterr()
        assert said.out == ""
        assert said.err.count("\n") == 1, said.err
        return said.err


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Starts a node in the test's folder and returns the one line in which it says why it cannot."""
    monkeypatch.chdir(tmp_path)
    return Refused(capsys, monkeypatch)


def messages(log: str) -> list[str]:
    """The texts of log lines, each of which must have Redis's form."""
    lines = [line for line in log.splitlines() if re.match(r"\d+:[MC] ", line)]
    assert all(LOG_LINE.fullmatch(line) for line in lines), lines
    return [line.split(" ", 6)[-1] for line in lines]


def test_a_bad_option_is_told_with_its_place(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "main.conf").write_text("# first\nport 7000\ninclude more.conf\n")
    (tmp_path / "more.conf").write_text("\nloglevel loud\n")
    (tmp_path / "quotes.conf").write_text('port 7000\nlogfile "a\n')
    (tmp_path / "rename.conf").write_text('rename-command GET ""\nrename-command NOSUCH x\n')
    (tmp_path / "taken.conf").write_text("rename-command GET SET\n")
    (tmp_path / "dir.conf").write_text("port 7000\ndir /nonexistent\n")
    done = run(tmp_path, "main.conf")
    assert (done.returncode, done.stdout) == (1, "")
    assert "more.conf, line 2: 'loglevel loud'" in done.stderr
    assert "more.conf, line 2: 'loglevel loud'" in refused("main.conf")
    assert "quotes.conf, line 2: 'logfile \"a': Unbalanced quotes" in refused("quotes.conf")
    assert "rename.conf, line 2: 'rename-command NOSUCH x': No such command" in refused("rename.conf")
    assert "taken.conf, line 1: 'rename-command GET SET': Target command name" in refused("taken.conf")
    assert "dir.conf, line 2: 'dir /nonexistent': No such file or directory" in refused("dir.conf")
    assert "missing.conf': No such file or directory" in refused("missing.conf")


def test_a_bad_option_elsewhere_is_told_as_well(refused: Refused) -> None:
    assert "the command line, line 2: 'maxclients \"x\"'" in refused("--port", "7000", "--maxclients", "x")
    assert "standard input, line 2: 'maxclients x'" in refused("-", stdin="port 7000\nmaxclients x\n")
    assert "'logfile \"/nonexistent/log\"': No such file" in refused("--logfile", "/nonexistent/log")


def test_what_cannot_be_had_ends_the_start_with_one_clear_line_in_the_log(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(tmp_path, "--port", port, "--bind", "127.0.0.1")
        assert done.returncode == 1
        assert "bind: Address already in use" in done.stdout
        assert messages(done.stdout)[-1] == f"Failed listening on port {port} (tcp), aborting."
        done = run(tmp_path, "--port", port, "--bind", "127.0.0.1", "--logfile", "node.log")
        assert f"failed listening on port {port}" in done.stderr
        assert f"Failed listening on port {port}" in (tmp_path / "node.log").read_text()
    done = run(tmp_path, "--port", 61500, "--cluster-enabled", "yes")
    assert done.returncode == 1
    assert "the cluster bus would be 71500" in messages(done.stdout)[-1]
    done = run(tmp_path, "--port", 0)
    assert done.returncode == 1
    assert messages(done.stdout)[-1] == "Configured to not listen anywhere, exiting."


def test_version_and_help(tmp_path: Path) -> None:
    assert re.match(r"shardkv-node v=\d+\.\d+\.\d+ ", run(tmp_path, "--version").stdout)
    text = run(tmp_path, "--help").stdout
    assert text.startswith("Usage: shardkv-node")
    for part in ("\nNetwork\n", "\nClients\n", "\nCluster\n", "--maxclients (", "--cluster-node-timeout ("):
        assert part in text


def test_options_come_from_file_standard_input_and_command_line_in_that_order(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "node.conf").write_text("port 1\nmaxclients 11\ntimeout 7\nsave 900 1\n")
    words = ["node.conf", "-", "--port", str(port), "--save", "", "--client-output-buffer-limit"]
    words += ["pubsub", "1mb", "1mb", "5", "normal", "3mb", "0", "0"]
    # "-" is read where Redis reads it: as the last word or the first; here a file stands first.
    words.append(words.pop(1))
    with subprocess.Popen([*NODE, *words], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        process.stdin.write(b"maxclients 22\n")
        process.stdin.close()
        wait_for(lambda: _open(port), 20)
        with Client("127.0.0.1", port) as client:
            assert client("CONFIG", "GET", "maxclients") == [b"maxclients", b"22"]
            assert client("CONFIG", "GET", "timeout") == [b"timeout", b"7"]
            assert client("CONFIG", "GET", "save") == [b"save", b""]
            limits = client("CONFIG", "GET", "client-output-buffer-limit")
            assert isinstance(limits, list)
            assert limits[1] == b"normal 3145728 0 0 slave 268435456 67108864 60 pubsub 1048576 1048576 5"
        process.terminate()
        assert process.wait(10) == 0


def test_the_lines_that_others_wait_for_come_in_order(start_node: Start) -> None:
    node = start_node()
    log = node.log()
    assert f" PID: {node.pid}\n" in log
    assert log.index(f" PID: {node.pid}") < log.index("Server initialized") < log.index("Ready to accept connections")
    assert messages(log)[0] == "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_a_node_with_many_clients_in_good_order(start_node: Start, name: str) -> None:
    node = start_node()
    clients = [node.client() for _ in range(200)]
    try:
        clients[0].send("BLPOP", "list", 0)
        clients[1]("SUBSCRIBE", "news")
        clients[2]("SET", "big", "x" * 20_000_000)
        clients[3].send("GET", "big")  # and does not read it
        node.signal(signal.SIGHUP)
        assert clients[4]("PING") == "PONG"
        node.signal(signal.Signals[name])
        assert node.process is not None
        assert node.process.wait(10) == 0
        assert all(client.hung_up() for client in clients[:10])
    finally:
        for client in clients:
            client.close()
    assert messages(node.log())[-3:] == [
        f"Received {name} scheduling shutdown...",
        "User requested shutdown...",
        "Redis is now ready to exit, bye bye...",
    ]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_who_insists_does_not_wait_for_the_last_snapshot(start_node: Start, name: str) -> None:
    node = start_node(save="3600 1", rdb_key_save_delay=1_000_000)
    with node.client() as client:
        client.pipeline([["SET", f"key{number}", 1] for number in range(100)])
    node.signal(signal.Signals[name])
    wait_for(lambda: list(node.directory.glob("temp-*.rdb")) != [])
    node.signal(signal.SIGINT)
    assert node.process is not None
    assert node.process.wait(10) == 1
    assert list(node.directory.glob("*.rdb")) == []
    assert messages(node.log())[-1] == "You insist... exiting now."


def test_shutdown_ends_the_process_with_code_0(start_node: Start) -> None:
    node = start_node()
    with node.client() as client:
        client.send("SHUTDOWN", "NOSAVE")
        assert client.hung_up()
    assert node.process is not None
    assert node.process.wait(10) == 0
    assert messages(node.log())[-2:] == ["User requested shutdown...", "Redis is now ready to exit, bye bye..."]


def test_a_node_in_the_background_has_a_pid_file_and_a_log(tmp_path: Path) -> None:
    port = free_port()
    words = f"--port {port} --daemonize yes --pidfile node.pid --logfile node.log --syslog-enabled no --syslog-ident me"
    done = run(tmp_path, *words.split(), "--syslog-facility", "local3")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    # The file comes after the listening sockets, as Redis has it: an open port does not mean that it is written.
    wait_for(lambda: _line(tmp_path / "node.pid"), 20)
    pid = int(_line(tmp_path / "node.pid"))
    with Client("127.0.0.1", port) as client:
        assert f"process_id:{pid}\r\n".encode() in client.raw("INFO", "server")
        client.send("SHUTDOWN")
        assert client.hung_up()
    wait_for(lambda: not (tmp_path / "node.pid").exists())
    log = (tmp_path / "node.log").read_text()
    assert f"Running mode=standalone, port={port}." in messages(log)
    assert "Removing the pid file." in messages(log)


def test_each_level_has_its_lines(start_node: Start) -> None:
    node = start_node(loglevel="warning")
    with node.client() as client:
        assert "Server initialized" not in node.log()
        client.must("CONFIG", "SET", "loglevel", "verbose", "timeout", "1")
        assert client.hung_up()
    wait_for(lambda: "- Closing idle client" in node.log())


def _line(path: Path) -> str:
    """The file's first line once it is whole, else nothing."""
    text = path.read_text() if path.exists() else ""
    return text if text.endswith("\n") else ""


def _open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
