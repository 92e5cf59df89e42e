"""The debugger of scripts: what redis-cli --ldb shows of a session is what it shows with redis-server."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.oracle import Redis
from tests.support.processes import Node, Server

SCRIPTS = Path(__file__).parent / "lua" / "debugged"
CHANGING = 'redis.call("SET", KEYS[1], ARGV[1])\nreturn redis.call("GET", KEYS[1])\n'


def session(server: Server, script: Path, commands: str, *, mode: str = "--ldb") -> str:
    """What redis-cli shows, with addresses taken out."""
    words = ["redis-cli", "-p", str(server.port), mode, "--eval", str(script), "k1", ",", "v1"]
    done = subprocess.run(words, input=commands, capture_output=True, text=True, timeout=60, check=False)
    return re.sub(r"@0x[0-9a-f]+", "@", done.stdout + done.stderr)


@pytest.mark.parametrize("name", ["tour", "values"])
def test_a_session_reads_as_with_redis_server(oracle: Redis, node: Node, name: str) -> None:
    script, commands = SCRIPTS / f"{name}.lua", (SCRIPTS / f"{name}.commands").read_text()
    ours = session(node, script, commands)
    assert ours == session(oracle, script, commands)
    assert "Stopped at 3" in ours


@pytest.mark.parametrize(
    "commands",
    [
        "c\n",
        "s\ns\ns\ns\ns\n",
        "b 3\nc\nt\np\np a\np t\np i\nn\nt\nn\nc\nabort\n",
        "",
        "quit\n",
        "n\nrestart\nn\nc\n",
    ],
)
def test_short_sessions_end_as_with_redis_server(oracle: Redis, node: Node, commands: str) -> None:
    script = SCRIPTS / "tour.lua"
    assert session(node, script, commands) == session(oracle, script, commands)


@pytest.mark.parametrize(
    "text", ["return {1, 2, 'x'}\n", "local x = \nreturn 1", "error('mine')", "return {err = 'MY error'}", ""]
)
def test_scripts_of_one_line_end_as_with_redis_server(oracle: Redis, node: Node, text: str, tmp_path: Path) -> None:
    script = tmp_path / "short.lua"
    script.write_text(text)
    assert session(node, script, "c\n") == session(oracle, script, "c\n")


def test_a_script_that_never_ends_is_stopped_after_a_while(oracle: Redis, node: Node) -> None:
    script, commands = SCRIPTS / "endless.lua", (SCRIPTS / "endless.commands").read_text()
    for server in (oracle, node):
        with server.client() as client:
            client.must("CONFIG", "SET", "busy-reply-threshold", "200")
    try:
        ours = session(node, script, commands)
        assert ours == session(oracle, script, commands)
    finally:
        for server in (oracle, node):
            with server.client() as client:
                client.must("CONFIG", "SET", "busy-reply-threshold", "5000")
    assert "timeout reached, infinite loop?" in ours


@pytest.mark.parametrize(("mode", "left"), [("--ldb", None), ("--ldb-sync-mode", b"v1")])
def test_a_forked_session_leaves_nothing_and_a_synchronous_one_what_it_changed(
    oracle: Redis, node: Node, mode: str, left: bytes | None, tmp_path: Path
) -> None:
    script = tmp_path / "changing.lua"
    script.write_text(CHANGING)
    for server in (oracle, node):
        assert '"v1"' in session(server, script, "c\n", mode=mode)
        with server.client() as client:
            assert client.must("GET", "k1") == left


def test_others_are_served_while_a_session_stands_still_and_it_ends_with_its_client(node: Node) -> None:
    with node.client() as debugged, node.client() as other:
        debugged.must("SCRIPT", "DEBUG", "YES")
        stopped = debugged.must("EVAL", CHANGING, 1, "k", "v")
        assert stopped[0] == "* Stopped at 1, stop reason = step over"
        other.must("SET", "k", "other")
        assert debugged.must("redis", "get", "k") == ["<redis> get k", "<reply> NULL"]
        assert debugged.must("redis", "set", "k", "mine") == ["<redis> set k mine", '<reply> "+OK"']
        assert other.must("GET", "k") == b"other"


REQUESTS = ["SCRIPT DEBUG", "SCRIPT DEBUG maybe", "SCRIPT DEBUG yes", "SCRIPT DEBUG NO", "SCRIPT DEBUG sync"]


def test_the_switch_answers_as_that_of_redis_server(oracle: Redis, node: Node) -> None:
    replies = []
    for server in (oracle, node):
        with server.client() as client:
            given = [str(client(*request.split())) for request in REQUESTS]
            given.append(str(client("EVALSHA", "0" * 40, 0)))
        replies.append(given)
    assert replies[0] == replies[1]
