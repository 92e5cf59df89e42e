"""The replication stream and the commands around it, byte for byte beside redis-server's."""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.support.oracle import SETTINGS, Redis
from tests.support.processes import Node, Server, wait_for
from tests.support.replication import replication
from tests.support.wire import Client, request

pytestmark = pytest.mark.wire

OPTIONS = {**SETTINGS, "repl_diskless_sync": "no", "repl_diskless_sync_delay": 0, "repl_ping_replica_period": 3600}
#: What two servers choose differently: times, IDs made of them, members drawn by chance.
_TIMES: Final = re.compile(rb"\b1[0-9]{12}(-[0-9]+)?\b")


def _rows() -> list[tuple[str, str]]:
    with Path(__file__).with_name("effects-7.0.tsv").open() as table:
        rows = list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [(row["setup"], row["command"]) for row in rows]


#: Rows that name what no request says (a dump, a library's line ends), or draw members by chance. And XREADGROUP: we
#: also tell replicas where the group stands (XGROUP SETID ENTRIESREAD), which redis-server 7.0 leaves out.
LEFT_OUT: Final = re.compile(r"<dump>|active expire|lazy expire|FUNCTION|FCALL|SPOP s 2|maxmemory|PX 30|g c1 STREAMS")


class Follower:
    """A connection that a server takes for a replica's; what it streams is gathered."""

    def __init__(self, server: Server) -> None:
        self.client = server.client()
        self.client.send("REPLCONF", "capa", "psync2")
        assert self.client.reply() == "OK"
        self.client.send("PSYNC", "?", -1)
        self._data = b""
        self._take(lambda: b"\r\n$" in self._data)
        head, _, rest = self._data.partition(b"\r\n$")
        assert head.startswith(b"+FULLRESYNC")
        size, _, body = rest.partition(b"\r\n")
        self._data = body
        self._take(lambda: len(self._data) >= int(size))
        self._data = self._data[int(size) :]

    def _take(self, enough: Callable[[], bool]) -> None:
        until = time.monotonic() + 20
        while not enough():
            assert time.monotonic() < until, self._data[-300:]
            if self.client.pending(0.05):
                self._data += self.client.socket.recv(1 << 16)
                self._data = self._data.lstrip(b"\n")

    def until(self, end: bytes) -> bytes:
        """What was streamed up to a command that is known; that command is dropped."""
        self._take(lambda: end in self._data)
        data, _, self._data = self._data.partition(end)
        return data


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Server, Server]]:
    """A node and a redis-server."""
    with ExitStack() as stack:
        yield stack.enter_context(Node(**OPTIONS)), stack.enter_context(Redis(**OPTIONS))


def _words(line: str) -> list[list[str]]:
    """The requests of a cell: separated by semicolons; EVAL's script is one word."""
    requests = []
    for part in re.split(r" ; |;(?=[A-Z])", line):
        script = re.fullmatch(r"(EVAL) (.*) (1 k)", part)
        requests.append([script[1], script[2], *script[3].split()] if script else part.split())
    return [words for words in requests if words]


def _streamed(server: Server, rows: list[tuple[str, str]]) -> list[tuple[str, bytes]]:
    """What each row makes a server stream."""
    follower = Follower(server)
    found = []
    with server.client() as client, server.client() as other:
        for setup, command in rows:
            client.must("FLUSHALL")
            for words in _words(setup):
                client.must(*words)
            client.must("SET", "marker", "before")
            follower.until(request("SET", "marker", "before"))
            for words in _words(command):
                client(*words)
            other.must("SET", "marker", "behind")
            data = follower.until(request("SET", "marker", "behind")).replace(request("ping"), b"")
            found.append((command, _TIMES.sub(b"<time>", data)))
        follower.client.close()
    return found


def test_every_command_of_the_table_is_streamed_as_redis_streams_it(both: tuple[Server, Server]) -> None:
    node, redis = both
    rows = [row for row in _rows() if not LEFT_OUT.search(" ".join(row))]
    assert len(rows) > 100
    different = [
        (command, ours, theirs)
        for (command, ours), (_, theirs) in zip(_streamed(node, rows), _streamed(redis, rows), strict=True)
        if ours != theirs
    ]
    assert not different


QUESTIONS: Final = (
    "ROLE",
    "FAILOVER",
    "FAILOVER ABORT",
    "FAILOVER TIMEOUT 0",
    "FAILOVER TIMEOUT x",
    "FAILOVER TIMEOUT 1 TIMEOUT 2",
    "FAILOVER TO a 1 FORCE",
    "FAILOVER TO a b",
    "FAILOVER TO a",
    "FAILOVER ABORT TIMEOUT 1",
    "FAILOVER nonsense",
    "REPLCONF",
    "REPLCONF one",
    "REPLCONF nonsense word",
    "REPLCONF listening-port x",
    "REPLCONF listening-port 7000 ip-address",
    "REPLCONF capa whatever",
    "REPLCONF rdb-only x",
    "REPLCONF rdb-filter-only nonsense",
    "REPLCONF rdb-filter-only functions",
    "REPLICAOF NO ONE",
    "SLAVEOF no one",
    "REPLICAOF NO TWO",
    "REPLICAOF 127.0.0.1 -1",
    "REPLICAOF 127.0.0.1 65536",
    "REPLICAOF 127.0.0.1",
    "PSYNC ?",
    "PSYNC ? x",
    "PSYNC ? -1 FAILOVER",
    "SYNC x",
    "WAIT 0 0",
    "WAIT -1 0",
    "WAIT 1 -1",
    "WAIT 1 x",
    "WAIT x 1",
    "WAIT 1 10",
)
OF_A_REPLICA: Final = (
    "ROLE",
    "REPLICAOF 127.0.0.1 1",
    "GET k",
    "SET k v",
    "DEL k",
    "PING",
    "WAIT 1 0",
    "FAILOVER",
    "FAILOVER ABORT",
    "PSYNC ? -1",
    "SYNC",
    "PFCOUNT k",
    "PUBLISH c m",
)


def test_questions_are_answered_as_by_redis(both: tuple[Server, Server]) -> None:
    answers = []
    for server in both:
        with server.client() as client:
            answers.append([(question, client.raw(*question.split())) for question in QUESTIONS])
    assert answers[0][1:] == answers[1][1:]
    assert answers[0][0][1].startswith(b"*3\r\n$6\r\nmaster\r\n:")


@pytest.mark.parametrize("stale", ["yes", "no"])
def test_a_replica_without_its_primary_answers_as_redis_does(both: tuple[Server, Server], stale: str) -> None:
    answers = []
    for server in both:
        with server.client() as client:
            client.must("CONFIG", "SET", "replica-serve-stale-data", stale)
            client.must("REPLICAOF", "127.0.0.1", 1)
            wait_for(lambda client=client: replication(client)["master_link_status"] == "down")  # type: ignore[misc]  # mypy knows no default of a lambda
            answers.append([(question, client.raw(*question.split())) for question in OF_A_REPLICA[1:]])
            role = client.must("ROLE")
            assert role[:3] == [b"slave", b"127.0.0.1", 1]
            assert role[3] in (b"connect", b"connecting")  # it tries again and again
            transaction = [client.raw(*words) for words in (["MULTI"], ["SET", "a", "b"], ["GET", "a"], ["EXEC"])]
            answers[-1].append(("transaction", b"".join(transaction)))
            client.must("REPLICAOF", "NO", "ONE")
            client.must("CONFIG", "SET", "replica-serve-stale-data", "yes")
    assert answers[0] == answers[1]


def test_writes_are_refused_without_enough_replicas_as_by_redis(both: tuple[Server, Server]) -> None:
    answers = []
    for server in both:
        with server.client() as client:
            client.must("CONFIG", "SET", "min-replicas-to-write", 1)
            requests = (["SET", "k", "v"], ["GET", "nokey"], ["MULTI"], ["DEL", "k"], ["EXEC"])
            answers.append([client.raw(*words) for words in requests])
            assert replication(client)["min_slaves_good_slaves"] == "0"
            client.must("CONFIG", "SET", "min-replicas-to-write", 0)
    assert answers[0] == answers[1]


def test_a_replica_that_asks_for_answers_is_cut_off_as_by_redis(both: tuple[Server, Server]) -> None:
    """They would stand in its stream."""
    asked = ("PING", "GET k", "SET k v", "NOSUCH", "SUBSCRIBE c", "MULTI", "REPLCONF nonsense x", "BLPOP k 0")
    for server in both:
        for question in asked:
            follower = Follower(server)
            follower.client.send(*question.split())
            assert follower.client.hung_up(), question
            follower.client.close()
        assert "Replica generated a reply to command 'ping', disconnecting it: " in server.log()


_WRITES: Final = "#!lua\nreturn 1"
_READS: Final = "#!lua flags=no-writes\nreturn 1"
SCRIPTS: Final = [
    ["EVAL", _WRITES, "0"], ["EVAL", _READS, "0"], ["EVAL", "return redis.call('set', 'x', 1)", "0"],
    ["EVAL_RO", _WRITES, "0"], ["EVALSHA", "0" * 40, "0"], ["FCALL", "w", "0"], ["FCALL_RO", "w", "0"],
    ["FCALL", "r", "0"], ["FCALL", "none", "0"], ["EVAL", "#!lua flags=nonsense\nreturn 1", "0"],
]  # fmt: skip
_FUNCTIONS: Final = """#!lua name=l
local function one() return 1 end
redis.register_function('w', one)
redis.register_function{function_name = 'r', callback = one, flags = {'no-writes'}}"""


def test_what_scripts_say_of_themselves_counts_before_they_run_as_with_redis(both: tuple[Server, Server]) -> None:
    """On a replica, without enough replicas, in a transaction there, and in one that was queued before."""
    answers = []
    for server in both:
        with server.client() as client, server.client() as other:
            client.must("FUNCTION", "LOAD", _FUNCTIONS)
            client.must("CONFIG", "RESETSTAT")
            told = []
            for words in SCRIPTS:
                other.must("MULTI")
                told.append(other.raw(*words))
                client.must("REPLICAOF", "127.0.0.1", 1)
                told += [other.raw("EXEC"), client.raw(*words)]
                client.must("MULTI")
                told += [client.raw(*words), client.raw("EXEC")]
                client.must("REPLICAOF", "NO", "ONE")
                client.must("CONFIG", "SET", "min-replicas-to-write", 1)
                told.append(client.raw(*words))
                client.must("CONFIG", "SET", "min-replicas-to-write", 0)
            client.must("FUNCTION", "FLUSH")
            counted = replication(client, "commandstats").items()
            told += sorted(
                f"{name} {re.sub('usec[^,]*,', '', text)}".encode()
                for name, text in counted
                if re.search("eval|fcall", name)
            )
            answers.append(told)
    assert answers[0] == answers[1]


def test_a_writable_replica_keeps_its_own_times(both: tuple[Server, Server]) -> None:
    for server in both:
        with server.client() as client:
            client.must("REPLICAOF", "127.0.0.1", 1)
            client.must("CONFIG", "SET", "replica-read-only", "no")
            client.must("FLUSHALL")
            client.must("SET", "own", "value", "PX", 50)
            assert replication(client, "stats")["slave_expires_tracked_keys"] == "1"
            wait_for(lambda client=client: client("DBSIZE") == 0, 10)  # type: ignore[misc]  # mypy knows no default of a lambda
            client.must("CONFIG", "SET", "replica-read-only", "yes")
            client.must("REPLICAOF", "NO", "ONE")


def test_fields_of_info_are_those_of_redis(both: tuple[Server, Server]) -> None:
    fields = []
    for server in both:
        with server.client() as client:
            client.must("REPLICAOF", "127.0.0.1", 1)
            fields.append([list(replication(client))])
            client.must("REPLICAOF", "NO", "ONE")
            with server.client() as replica:
                _become(replica)
                wait_for(lambda client=client: "slave0" in replication(client), 5)  # type: ignore[misc]  # mypy knows no default of a lambda
                fields[-1].append(list(replication(client)))
    assert fields[0] == fields[1]


def _become(client: Client) -> None:
    client.must("REPLCONF", "listening-port", 1234, "capa", "psync2")
    client.send("PSYNC", "?", -1)
