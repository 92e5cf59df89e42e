"""Users of a running node: in the configuration, in a file of their own, and when their connections end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.processes import Node, Server, wait_for
from tests.support.wire_replies import Refusal

pytestmark = pytest.mark.wire

Start = Callable[..., Node]
NODE = (sys.executable, "-m", "shardkv_cli.node")


class FileNode(Server):
    """A node that is started with the file ``node.conf`` of its folder."""

    program = (*NODE, "node.conf")


def said(folder: Path, *words: object) -> str:
    """What a node says that is expected not to start."""
    ended = subprocess.run(
        [*NODE, *map(str, words)], cwd=folder, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 1
    return ended.stdout + ended.stderr


def test_users_are_loaded_from_their_file_and_saved_to_it(tmp_path: Path, start_node: Start) -> None:
    path = tmp_path / "users.acl"
    path.write_text("user default on nopass ~* &* +@all\nuser ada on >pw ~a:* resetchannels +@all -@admin\n")
    path.chmod(0o640)
    node = start_node(aclfile=str(path))
    with node.client() as ada, node.client() as owner:
        assert ada("AUTH", "ada", "pw") == "OK"
        assert ada("SET", "a:1", "x") == "OK"
        assert ada("SET", "b", "x") == Refusal("NOPERM No permissions to access a key")
        assert owner("ACL", "SETUSER", "bob", "on", "nopass", "+get") == "OK"
        assert owner("ACL", "SAVE") == "OK"
        assert "user bob on nopass resetchannels -@all +get\n" in path.read_text()
        assert path.stat().st_mode & 0o777 == 0o640
        path.write_text("user default on nopass ~* &* +@all\nuser bob off")
        assert owner("ACL", "LOAD") == "OK"
        with pytest.raises(ConnectionError):
            ada("PING")
        path.write_text("user bob nonsense\n")
        assert owner("ACL", "LOAD").text.startswith(f"ERR {path}:1: Syntax error. WARNING: ACL errors detected")
        assert owner("ACL", "LIST") == [b"user bob off resetchannels -@all", b"user default on nopass ~* &* +@all"]


def test_a_file_with_a_fault_or_no_file_keeps_the_node_from_starting(tmp_path: Path) -> None:
    (tmp_path / "bad.acl").write_text("user ada foo\n")
    assert "Aborting Redis startup because of ACL errors: bad.acl:1: Syntax error. WARNING: ACL errors" in said(
        tmp_path, "--port", 0, "--unixsocket", "s", "--aclfile", "bad.acl"
    )
    assert "Error loading ACLs, opening file 'no.acl': No such file or directory" in said(
        tmp_path, "--port", 0, "--unixsocket", "s", "--aclfile", "no.acl"
    )


def test_users_come_from_one_place_only(tmp_path: Path) -> None:
    (tmp_path / "users.acl").write_text("")
    (tmp_path / "node.conf").write_text("user ada on\naclfile users.acl\nport 0\nunixsocket s\n")
    assert "define either an ACL file or declare users directly in your redis.conf" in said(tmp_path, "node.conf")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("user ada on\nuser ada off", "Error in user declaration 'ada': Duplicate user found."),
        ("user ada on foo", "Error in user declaration 'ada': Syntax error"),
        ("user ada +nosuch", "Error in user declaration 'ada': Unknown command or category name in ACL"),
        ("user ada (+get", "Error in user declaration 'ada': Unmatched parenthesis"),
        ('user "a b" on', "Error in user declaration 'a b': Spaces not allowed in ACL usernames"),
    ],
)
def test_a_user_line_that_makes_no_user_is_named(tmp_path: Path, lines: str, reason: str) -> None:
    (tmp_path / "node.conf").write_text(f"port 0\n{lines}\n")
    told = said(tmp_path, "node.conf")
    assert reason in told
    assert "line 2" in told or "line 3" in told


def test_config_rewrite_keeps_the_users(tmp_path: Path) -> None:
    path = tmp_path / "node.conf"
    path.write_text("# mine\nuser ada on nopass ~a +get\nrequirepass secret\n")
    with FileNode(dir=str(tmp_path), save="", appendonly="no") as node, node.client() as owner:
        owner.must("AUTH", "secret")
        owner.must("ACL", "SETUSER", "bob", "on", ">pw", "(+set ~b)")
        owner.must("ACL", "SETUSER", "ada", "+set")
        owner.must("CONFIG", "REWRITE")
        lines = owner("ACL", "LIST")
        text = path.read_text()
        assert "user ada on nopass ~a resetchannels -@all +get +set\n" in text
    with FileNode(dir=str(tmp_path), save="", appendonly="no") as node, node.client() as owner:
        owner.must("AUTH", "secret")
        # A line for the default user begins with a reset, which says this word.
        assert [line.replace(b" sanitize-payload", b"") for line in owner("ACL", "LIST")] == lines


def test_redis_cli_comes_in_by_name(start_node: Start) -> None:
    node = start_node()
    with node.client() as owner:
        owner.must("ACL", "SETUSER", "ada", "on", ">pw", "+acl|whoami", "+ping")
    told = subprocess.run(
        ["redis-cli", "-p", str(node.port), "--user", "ada", "--pass", "pw", "--no-auth-warning", "ACL", "WHOAMI"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert told.stdout == "ada\n"


def test_a_deleted_user_is_thrown_out(start_node: Start) -> None:
    node = start_node()
    with node.client() as owner, node.client() as ada:
        owner.must("ACL", "SETUSER", "ada", "on", "nopass", "+@all", "allkeys")
        ada.must("AUTH", "ada", "x")
        ada.must("CLIENT", "SETNAME", "ada")
        owner.must("ACL", "DELUSER", "ada")
        wait_for(lambda: b"name=ada" not in owner("CLIENT", "LIST"), what="the end of the connection")
        with pytest.raises(ConnectionError):
            ada("PING")
