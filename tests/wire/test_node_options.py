"""CONFIG on a running node: what is changed has its effect, and what cannot be had is refused whole."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.processes import Node, Server
from tests.support.wire import Client
from tests.support.wire_replies import Refusal

pytestmark = pytest.mark.wire

Start = Callable[..., Node]


class FileNode(Server):
    """A node that is started with the file ``node.conf`` of its folder."""

    program = (*Node.program, "node.conf")


def failed(option: str, reason: str) -> Refusal:
    """The answer of CONFIG SET."""
    return Refusal(f"ERR CONFIG SET failed (possibly related to argument '{option}') - {reason}")


def test_port_and_bind_change_at_run_time(start_node: Start) -> None:
    node = start_node(bind="127.0.0.1")
    other = start_node()
    port = free_port()
    with node.client() as client:
        assert client("CONFIG", "SET", "port", other.port) == failed(
            "port", "Unable to listen on this port. Check server logs."
        )
        assert client("CONFIG", "GET", "port") == [b"port", str(node.port).encode()]
        assert node.answers()
        assert client("CONFIG", "SET", "port", port) == "OK"
        with Client("127.0.0.1", port) as newcomer:
            assert newcomer("PING") == "PONG"
            assert b"tcp_port:%d\r\n" % port in newcomer.raw("INFO", "server")
        assert not node.answers()
        assert client("CONFIG", "SET", "bind", "192.0.2.1") == failed("bind", "Failed to bind to specified addresses.")
        assert client("CONFIG", "SET", "bind", "* -::*") == "OK"
        with Client("127.0.0.1", port) as newcomer:
            assert newcomer("CONFIG", "GET", "bind") == [b"bind", b"* -::*"]
        assert client("PING") == "PONG"


def test_a_cluster_node_tells_of_its_new_port(start_node: Start) -> None:
    node = start_node(cluster_enabled="yes", cluster_announce_ip="127.0.0.1")
    port = free_port()
    with node.client() as client:
        client.must("CONFIG", "SET", "port", port)
        line = client("CLUSTER", "NODES")
        assert isinstance(line, bytes)
        assert f" 127.0.0.1:{port}@{node.port + 10000}".encode() in line


def test_several_options_are_set_or_none(start_node: Start, tmp_path: Path) -> None:
    node = start_node(enable_protected_configs="yes", bind="127.0.0.1")
    other = start_node()
    with node.client() as client:
        before = client("CONFIG", "GET", "dir", "maxclients", "port")
        assert client("CONFIG", "SET", "maxclients", 55, "dir", f"{tmp_path}/none") == failed(
            "dir", "No such file or directory"
        )
        refusal = client("CONFIG", "SET", "dir", str(tmp_path), "port", other.port)
        assert isinstance(refusal, Refusal)
        assert "Unable to listen" in refusal.text
        assert client("CONFIG", "GET", "dir", "maxclients", "port") == before
        assert os.readlink(f"/proc/{node.pid}/cwd") == str(node.directory)
        assert client("CONFIG", "SET", "dir", str(tmp_path), "maxclients", 55) == "OK"
        assert os.readlink(f"/proc/{node.pid}/cwd") == str(tmp_path)


def test_more_clients_than_the_system_has_descriptors_for_are_refused(start_node: Start) -> None:
    with start_node().client() as client:
        answer = client("CONFIG", "SET", "maxclients", 2_000_000_000)
        assert isinstance(answer, Refusal)
        assert re.search(r"'maxclients'\) - The operating system is not able to .* try with \d+$", answer.text)
        assert client("CONFIG", "GET", "maxclients") == [b"maxclients", b"10000"]


def test_a_password_is_asked_of_new_connections(start_node: Start) -> None:
    node = start_node()
    with node.client() as old:
        old.must("CONFIG", "SET", "requirepass", "sesame")
        with node.client() as new:
            assert new("PING") == Refusal("NOAUTH Authentication required.")
            assert new("AUTH", "guess") == Refusal("WRONGPASS invalid username-password pair or user is disabled.")
            assert new("AUTH", "sesame") == "OK"
            assert new("PING") == "PONG"
        assert old("PING") == "PONG"


def test_rewrite_keeps_what_people_wrote(tmp_path: Path) -> None:
    port = free_port()
    file = tmp_path / "node.conf"
    file.write_text(
        f'# ours\nport {port}\n\n# room for many\nmaxclients 77\nsave 900 1\nrename-command FLUSHALL ""\n'
        "rename-command OBJECT THING\n"
    )
    with FileNode(port=port, dir=str(tmp_path)) as node, node.client() as client:
        assert client("FLUSHALL") == Refusal("ERR unknown command 'FLUSHALL', with args beginning with: ")
        assert client("THING", "ENCODING", "none") is None
        client.must("CONFIG", "SET", "maxclients", 88, "save", "", "hz", 20)
        client.must("CONFIG", "REWRITE")
        lines = file.read_text().splitlines()
        assert lines[:5] == ["# ours", f"port {port}", "", "# room for many", "maxclients 88"]
        assert lines[5:8] == ['save ""', 'rename-command FLUSHALL ""', "rename-command OBJECT THING"]
        assert "hz 20" in lines[lines.index("# Generated by CONFIG REWRITE") :]
        client.must("CONFIG", "SET", "hz", 30)
        client.must("CONFIG", "REWRITE")
        assert file.read_text().count("hz ") == 1
    with FileNode(dir=str(tmp_path)) as again, again.client() as client:
        assert client("CONFIG", "GET", "hz") == [b"hz", b"30"]


def test_counters_of_commands_and_errors_are_right(start_node: Start) -> None:
    with start_node().client() as client:
        for line in ("GET", "NOSUCH", "SET k v", "INCR k", "LPUSH k v", "GET k", "GET z"):
            client(*line.split())
        commands = client.raw("INFO", "commandstats").decode()
        assert re.search(
            r"cmdstat_get:calls=2,usec=\d+,usec_per_call=[\d.]+,rejected_calls=1,failed_calls=0\r", commands
        )
        assert re.search(r"cmdstat_incr:calls=1,.*rejected_calls=0,failed_calls=1\r", commands)
        errors = client.raw("INFO", "errorstats").decode()
        assert "errorstat_ERR:count=3\r" in errors
        assert "errorstat_WRONGTYPE:count=1\r" in errors
        told = client.raw("INFO", "stats").decode()
        assert "\nkeyspace_hits:1\r" in told
        assert "\nkeyspace_misses:1\r" in told
        assert "\ntotal_error_replies:4\r" in told
        client.must("CONFIG", "RESETSTAT")
        assert client.raw("INFO", "commandstats").decode().count("cmdstat_") == 1
        assert "errorstat_" not in client.raw("INFO", "errorstats").decode()
