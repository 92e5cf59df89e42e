"""Options of the process around a node: its title, the address it dials from, the watchdog, the locale."""

from __future__ import annotations

import os
import signal
import syslog
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.processes import Node, Server, wait_for
from tests.support.wire_replies import Refusal

pytestmark = pytest.mark.wire

Start = Callable[..., Node]
Cluster = Callable[..., list[Node]]


class FileNode(Server):
    """A node that is started with the file ``node.conf`` of its folder."""

    program = (*Node.program, "node.conf")


def title(pid: int) -> str:
    """What the process list shows."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode().replace("\0", " ")


def children(pid: int) -> list[int]:
    """Its child processes."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_the_title_follows_the_template_and_the_port(start_node: Start) -> None:
    node = start_node(bind="127.0.0.1 -::1")
    assert title(node.pid) == f"shardkv-node 127.0.0.1:{node.port}"
    port = free_port()
    with node.client() as client:
        client.must("CONFIG", "SET", "proc-title-template", "{title}|{port}|{tls-port}|{unixsocket}|{config-file}|{{}")
        assert title(node.pid) == f"shardkv-node|{node.port}|0||-|{{}}"
        client.must("CONFIG", "SET", "port", port)
        assert title(node.pid) == f"shardkv-node|{port}|0||-|{{}}"
        bad = client("CONFIG", "SET", "proc-title-template", "{nobody}")
        assert isinstance(bad, Refusal)
        assert title(node.pid) == f"shardkv-node|{port}|0||-|{{}}"


def test_a_cluster_node_and_a_child_are_named_as_such(start_node: Start) -> None:
    node = start_node(cluster_enabled="yes", cluster_require_full_coverage="no", rdb_key_save_delay=10_000)
    assert title(node.pid) == f"shardkv-node *:{node.port} [cluster]"
    with node.client() as client:
        client.must("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        wait_for(lambda: client("SET", "a", 1) == "OK")
        for number in range(2000):
            client.must("SET", f"key{number}", 1)
        client.must("BGSAVE")
        wait_for(lambda: [title(child).split()[0] for child in children(node.pid)] == ["shardkv-rdb-bgsave"])
        client.must("CONFIG", "SET", "rdb-key-save-delay", 0)
        client.send("SHUTDOWN", "NOSAVE")


def test_without_a_title_the_command_line_stays(start_node: Start) -> None:
    node = start_node(set_proc_title="no")
    assert "shardkv_cli.node" in title(node.pid)


def test_a_replica_dials_from_the_address_that_is_asked_for(start_node: Start) -> None:
    primary = start_node()
    start_node(replicaof=("127.0.0.1", primary.port), bind_source_addr="127.0.0.2")
    with primary.client() as client:
        wait_for(lambda: b"\r\nslave0:ip=127.0.0.2," in client.raw("INFO", "replication"))
        replicas = client.must("CLIENT", "LIST", "TYPE", "replica")
        assert isinstance(replicas, bytes)
        assert b" addr=127.0.0.2:" in replicas


def test_so_does_a_node_of_a_cluster(cluster_nodes: Cluster) -> None:
    first, second = cluster_nodes(2)
    with first.client() as client, second.client() as other:
        client.must("CONFIG", "SET", "bind-source-addr", "127.0.0.3")
        client.must("CLUSTER", "MEET", "127.0.0.1", second.port)
        # The other one learns the address of a node that it has not met by looking where it calls from.
        wait_for(lambda: b"127.0.0.3:" in other.raw("CLUSTER", "NODES"))


def test_the_watchdog_tells_what_held_the_node_up(start_node: Start) -> None:
    node = start_node(enable_debug_command="yes")
    with node.client() as client:
        client.must("CONFIG", "SET", "watchdog-period", 5)
        assert client("CONFIG", "GET", "watchdog-period") == [b"watchdog-period", b"200"]
        client.must("DEBUG", "SLEEP", 0.5)
        wait_for(lambda: "WATCHDOG TIMER EXPIRED" in node.log())
        wait_for(lambda: "in debug_sleep" in node.log() or "in sleep" in node.log())
        client.must("CONFIG", "SET", "watchdog-period", 0)
        before = node.log().count("WATCHDOG")
        client.must("DEBUG", "SLEEP", 0.4)
        client.must("PING")
        assert node.log().count("WATCHDOG") == before


def test_a_locale_that_is_not_there_is_refused(start_node: Start) -> None:
    node = start_node()
    with node.client() as client:
        refused = "ERR CONFIG SET failed (possibly related to argument 'locale-collate') - Invalid locale name"
        assert client("CONFIG", "SET", "locale-collate", "no_SUCH", "maxclients", 77) == Refusal(refused)
        assert client("CONFIG", "GET", "locale-collate", "maxclients") != [b"locale-collate", b"no_SUCH"]
        client.must("CONFIG", "SET", "locale-collate", "C")
        client.must("RPUSH", "list", "b", "a", "B")
        assert client("SORT", "list", "ALPHA") == [b"B", b"a", b"b"]


def score(pid: int) -> int:
    """How willingly the kernel kills a process."""
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


def test_the_kernel_is_told_whom_to_kill_first(start_node: Start) -> None:
    primary = start_node()
    node = start_node(oom_score_adj="yes", oom_score_adj_values="100 250 800", rdb_key_save_delay=10_000)
    first = score(primary.pid)
    assert score(node.pid) == first + 100
    with node.client() as client:
        client.must("REPLICAOF", "127.0.0.1", primary.port)
        wait_for(lambda: score(node.pid) == first + 250)
        client.must("REPLICAOF", "NO", "ONE")
        wait_for(lambda: score(node.pid) == first + 100)
        client.pipeline([["SET", f"key{number}", 1] for number in range(1000)])
        client.must("BGSAVE")
        wait_for(lambda: [score(child) for child in children(node.pid)] == [min(first + 800, 1000)])
        client.must("CONFIG", "SET", "oom-score-adj", "absolute", "oom-score-adj-values", "300 400 2000")
        assert score(node.pid) == 300
        client.must("CONFIG", "SET", "oom-score-adj", "no", "rdb-key-save-delay", 0)
        assert score(node.pid) == first
        # What somebody else gave it meanwhile is what counts from then on.
        Path(f"/proc/{node.pid}/oom_score_adj").write_text(str(first + 22))
        client.must("CONFIG", "SET", "oom-score-adj", "yes", "oom-score-adj-values", "9 9 9")
        assert score(node.pid) == first + 31
        client.must("CONFIG", "SET", "oom-score-adj", "no")
        assert score(node.pid) == first + 22


def test_a_node_runs_where_it_is_told_to(start_node: Start) -> None:
    allowed = sorted(os.sched_getaffinity(0))
    node = start_node(server_cpulist=str(allowed[0]), bgsave_cpulist="nonsense")
    assert os.sched_getaffinity(node.pid) == {allowed[0]}
    other = start_node(server_cpulist="0-")
    assert os.sched_getaffinity(other.pid) == set(allowed)
    assert "server-cpulist '0-' cannot be had" in other.log()


#: Stands for the C library's way to the system's log, which a test has no right to.
LISTENING = """
import syslog
def said(*words):
    with open("syslog.txt", "a") as told:
        print(*words, file=told)
syslog.openlog = lambda ident, options, facility: said("openlog", ident, facility)
syslog.syslog = lambda priority, text: said("syslog", priority, text)
"""


def test_the_log_goes_to_syslog_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text(LISTENING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    options = {"syslog_enabled": "yes", "syslog_ident": "mine", "syslog_facility": "local3"}
    with Node(dir=str(tmp_path), save="", **options) as node:
        told = (tmp_path / "syslog.txt").read_text().splitlines()
        assert told[0] == f"openlog mine {syslog.LOG_LOCAL3}"
        assert f"syslog {syslog.LOG_NOTICE} Ready to accept connections tcp" in told
        node.terminate()
    told = (tmp_path / "syslog.txt").read_text().splitlines()
    assert told[-1] == f"syslog {syslog.LOG_WARNING} Redis is now ready to exit, bye bye..."


def test_renamed_commands_are_known_by_their_new_names_only(tmp_path: Path) -> None:
    (tmp_path / "node.conf").write_text('rename-command CONFIG ""\nrename-command GET fetch\nrename-command acl door\n')
    with FileNode(dir=str(tmp_path), save="") as node, node.client() as client:
        for words in (("CONFIG", "GET", "*"), ("GET", "a"), ("ACL", "WHOAMI")):
            refused = client(*words)
            assert isinstance(refused, Refusal)
            assert refused.text.startswith(f"ERR unknown command '{words[0]}', with args beginning with: ")
        client.must("SET", "a", 1)
        assert client("FETCH", "a") == client("fetch", "a") == b"1"
        assert client("DOOR", "WHOAMI") == b"default"
        assert client("EVAL", "return redis.call('fetch', KEYS[1])", 1, "a") == b"1"
        assert isinstance(client("EVAL", "return redis.call('get', KEYS[1])", 1, "a"), Refusal)
        client.must("MULTI")
        assert isinstance(client("GET", "a"), Refusal)
        assert isinstance(client("EXEC"), Refusal)


@pytest.mark.parametrize("logfile", ["", "node.log"])
def test_a_crash_leaves_the_stacks_in_the_log(start_node: Start, tmp_path: Path, logfile: str) -> None:
    node = start_node(dir=str(tmp_path), logfile=logfile)
    node.signal(signal.SIGSEGV)
    assert node.process is not None
    assert node.process.wait(20) == -signal.SIGSEGV
    log = (tmp_path / logfile).read_text() if logfile else node.log()
    assert "Fatal Python error: Segmentation fault" in log
    assert "shardkv_node/app.py" in log


def test_a_crash_says_nothing_if_that_is_wished(start_node: Start) -> None:
    node = start_node()
    with node.client() as client:
        client.must("CONFIG", "SET", "crash-log-enabled", "no")
    node.signal(signal.SIGSEGV)
    assert node.process is not None
    assert node.process.wait(20) == -signal.SIGSEGV
    assert "Segmentation fault" not in node.log()
