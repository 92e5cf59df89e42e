"""What a supervisor and the system's log are told."""

from __future__ import annotations

import os
import signal
import socket
import syslog
from pathlib import Path

import pytest
from shardkv_node.logs import Log
from shardkv_node.supervision import Supervisor


class Lines(list[tuple[str, str]]):
    """A log."""

    def __call__(self, level: str, text: str) -> None:
        self.append((level, text))


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told_each_step(tmp_path: Path, abstract: bool) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name if abstract else name)
        listening.settimeout(5)
        supervisor = Supervisor("auto", {"NOTIFY_SOCKET": "@" + name if abstract else name}, Lines())
        assert supervisor.kind == "systemd"
        supervisor.starting()
        supervisor.ready()
        supervisor.stopping()
        told = [listening.recv(1000) for _ in range(4)]
    assert told == [
        b"STATUS=Redis is loading...\n",
        b"STATUS=Ready to accept connections\n",
        b"READY=1\n",
        b"STOPPING=1\n",
    ]


def test_upstart_sees_the_process_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    signals: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: signals.append((pid, number)))
    environment = {"UPSTART_JOB": "shardkv"}
    Supervisor("upstart", environment, Lines()).starting()
    assert signals == [(os.getpid(), signal.SIGSTOP)]
    assert environment == {}


@pytest.mark.parametrize(("option", "variable"), [("systemd", "NOTIFY_SOCKET"), ("upstart", "UPSTART_JOB")])
def test_a_supervisor_that_is_not_there_is_complained_of(option: str, variable: str) -> None:
    log = Lines()
    assert not Supervisor(option, {}, log)
    assert log == [("warning", f"{option} supervision requested, but {variable} not found!")]


def test_nobody_supervises_unless_asked_to() -> None:
    log = Lines()
    assert not Supervisor("no", {"NOTIFY_SOCKET": "x", "UPSTART_JOB": "y"}, log)
    assert not Supervisor("auto", {}, log)
    assert log == []


def test_a_socket_that_nobody_reads_is_no_reason_to_stop(tmp_path: Path) -> None:
    log = Lines()
    supervisor = Supervisor("systemd", {"NOTIFY_SOCKET": str(tmp_path / "nobody")}, log)
    supervisor.ready()
    assert {text for _, text in log} == {"Can't tell systemd: No such file or directory"}


def test_lines_go_to_syslog_by_their_level(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened: list[tuple[str, int, int]] = []
    sent: list[tuple[int, str]] = []
    monkeypatch.setattr(syslog, "openlog", lambda *words: opened.append(words))
    monkeypatch.setattr(syslog, "syslog", lambda priority, text: sent.append((priority, text)))
    log = Log(str(tmp_path / "log"), "verbose")
    log.also_to_syslog("mine", "local3")
    assert opened == [("mine", syslog.LOG_PID | syslog.LOG_NDELAY | syslog.LOG_NOWAIT, syslog.LOG_LOCAL3)]
    log("debug", "unwanted")
    log("verbose", "a\nb")
    log("warning", "c\0d")
    assert sent == [(syslog.LOG_INFO, "a"), (syslog.LOG_INFO, "b"), (syslog.LOG_WARNING, "c?d")]
    assert (tmp_path / "log").read_text().count("\n") == 3
