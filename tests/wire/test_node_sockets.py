"""A node's sockets: limits, idle clients, slow and vanishing ones, and what CLIENT says of them."""

from __future__ import annotations

import re
import socket
import stat
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.processes import Node, wait_for
from tests.support.wire import Client, request
from tests.support.wire_replies import Refusal

pytestmark = pytest.mark.wire

Start = Callable[..., Node]


def fields_of(client: Client, number: object) -> dict[str, str]:
    """The fields of a client's line of CLIENT LIST; empty when it is gone."""
    lines = client("CLIENT", "LIST", "ID", str(number))
    assert isinstance(lines, bytes)
    return dict(part.split("=", 1) for part in lines.decode().split())


def stat_of(client: Client, name: str) -> int:
    """A number of INFO."""
    match = re.search(rf"^{name}:(\d+)\r$", client.raw("INFO").decode(), re.MULTILINE)
    assert match is not None, name
    return int(match[1])


def test_all_doors_are_open(start_node: Start, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    node = start_node(bind=("127.0.0.1", "-::1", "-10.255.255.254"), unixsocket=str(path), unixsocketperm="700")
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    with Client(str(path), 0) as client:
        line = client("CLIENT", "INFO")
        assert isinstance(line, bytes)
        assert f"addr={path}:0 laddr={path}:0 ".encode() in line
        assert b" flags=U " in line
    try:
        with Client("::1", node.port) as client:
            line = client("CLIENT", "INFO")
    except OSError:
        pass  # a machine without IPv6: the minus let the node start
    else:
        assert isinstance(line, bytes)
        assert re.search(rb" addr=\[::1\]:\d+ laddr=\[::1\]:%d " % node.port, line)
    assert node.terminate() == 0
    assert not path.exists()


def test_one_client_too_many_is_told_so_and_room_is_used_again(start_node: Start) -> None:
    node = start_node(maxclients=2)
    with node.client() as one, node.client() as two:
        one("PING")
        two("PING")
        with node.client() as three:
            assert three.read() == Refusal("ERR max number of clients reached")
            assert three.hung_up()
        assert stat_of(one, "rejected_connections") == 1
        two.close()
        wait_for(lambda: stat_of(one, "connected_clients") == 1)
        with node.client() as again:
            assert again("PING") == "PONG"


def test_only_idle_clients_are_closed(start_node: Start) -> None:
    node = start_node(timeout=2)
    with ExitStack() as stack:
        idle, multi, subscribed, blocked, busy, slow = [stack.enter_context(node.client()) for _ in range(6)]
        busy.must("SET", "big", b"x" * 60_000_000)
        multi.must("MULTI")
        subscribed("SUBSCRIBE", "news")
        blocked.send("BLPOP", "list", 0)
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 500_000)
        slow.send("GET", "big")
        idle("PING")
        got = 0
        end = time.monotonic() + 3.3
        while time.monotonic() < end:  # longer than the timeout, it takes its reply bit by bit
            busy.must("PING")
            got += len(slow.socket.recv(500_000))
            time.sleep(0.05)
        assert idle.hung_up()
        assert multi.hung_up()
        busy.must("RPUSH", "list", "item")
        busy.must("PUBLISH", "news", "now")
        assert blocked.reply() == [b"list", b"item"]
        assert subscribed.read() == [b"message", b"news", b"now"]
        while got < 60_000_000:
            piece = slow.socket.recv(1 << 20)
            assert piece, "it was closed in the middle of its reply"
            got += len(piece)


def test_who_sends_a_request_slowly_is_not_idle(start_node: Start) -> None:
    node = start_node(timeout=1)
    with node.client() as client:
        client.send_bytes(b"*2\r\n$4\r\nECHO\r\n$10\r\n")
        for _ in range(10):
            client.send_bytes(b"x")
            time.sleep(0.25)  # all of it takes longer than the timeout
        client.send_bytes(b"\r\n")
        assert client.reply() == b"x" * 10


def test_a_slow_reader_waits_alone(node: Node) -> None:
    with node.client() as other, node.client() as slow:
        other.must("SET", "big", b"z" * 50_000_000)
        number = slow("CLIENT", "ID")
        slow.send("GET", "big")
        wait_for(lambda: int(fields_of(other, number)["omem"]) > 30_000_000)
        told = fields_of(other, number)
        assert told["events"] == "rw"
        assert told["oll"] == "1"
        assert int(told["tot-mem"]) > int(told["omem"])
        for _ in range(200):
            assert other("PING") == "PONG"
        assert int(fields_of(other, number)["omem"]) > 30_000_000  # it still had not read
        assert slow.reply() == b"z" * 50_000_000
        told = fields_of(other, number)
        assert (told["omem"], told["oll"], told["events"]) == ("0", "0", "r")


def test_a_large_value_comes_back_as_it_went(node: Node) -> None:
    value = b"0123456789" * 10_000_000
    with node.client(timeout=60) as client:
        client.must("SET", "large", value)
        assert client("STRLEN", "large") == 100_000_000
        assert client("GET", "large") == value
        client.must("DEL", "large")


def test_large_values_amid_small_ones_keep_their_places(node: Node) -> None:
    # Large ones are sent as they are held, piece by piece, and small ones together.
    values = [bytes([65 + number]) * size for number, size in enumerate((5, 3_000_000, 20, 300_000, 262_144, 70_000))]
    with node.client() as client:
        for number, value in enumerate(values):
            client.must("SET", f"key:{number}", value)
        for _ in range(20):
            client.send("MGET", *(f"key:{number}" for number in range(len(values))))
            for number in range(len(values)):
                client.send("GET", f"key:{number}")
            client.send("ECHO", "end")
        for _ in range(20):
            assert client.reply() == values
            assert [client.reply() for _ in values] == values
            assert client.reply() == b"end"


def test_a_client_that_vanishes_in_the_middle_of_a_request_leaves_nothing(node: Node) -> None:
    with node.client() as other:
        lost = node.client()
        number = lost("CLIENT", "ID")
        lost.send_bytes(b"*3\r\n$3\r\nSET\r\n$4\r\nlost\r\n$9000000\r\n" + b"x" * 3_000_000)
        wait_for(lambda: int(fields_of(other, number)["qbuf"]) >= 3_000_000)
        lost.close()
        wait_for(lambda: not fields_of(other, number))
        assert other("EXISTS", "lost") == 0


def test_pipelines_and_half_closed_connections_get_every_reply(node: Node) -> None:
    with node.client() as client:
        client.send_bytes(request("PING") * 10_000)
        assert all(client.reply() == "PONG" for _ in range(10_000))
    with node.client() as client:
        client.send_bytes(b"SET half 1\r\nGET half\r\n")
        client.socket.shutdown(socket.SHUT_WR)
        assert client.reply() == "OK"
        assert client.reply() == b"1"
        assert client.hung_up()


def test_replies_that_are_not_wanted_are_left_out(node: Node) -> None:
    with node.client() as client:
        lines = ["CLIENT REPLY OFF", "SET a 1", "CLIENT REPLY ON", "CLIENT REPLY SKIP", "GET a", "GET a"]
        client.send_bytes("".join(f"{line}\r\n" for line in lines).encode())
        assert client.reply() == "OK"
        assert client.reply() == b"1"
        assert client("PING") == "PONG"


def test_clients_are_killed(node: Node) -> None:
    with node.client() as killer, node.client() as victim:
        number = victim("CLIENT", "ID")
        assert killer("CLIENT", "KILL", "ID", str(number)) == 1
        assert victim.hung_up()
        own = str(killer("CLIENT", "ID"))
        assert killer("CLIENT", "KILL", "ID", own) == 0
        assert killer("CLIENT", "KILL", "ID", own, "SKIPME", "no") == 1
        assert killer.hung_up()


def test_a_pause_holds_writes_back_and_ends_by_itself(node: Node) -> None:
    with node.client() as boss, node.client() as writer, node.client() as reader:
        number = writer("CLIENT", "ID")
        started = time.monotonic()
        boss.must("CLIENT", "PAUSE", 400, "WRITE")
        writer.send("SET", "paused", 1)
        wait_for(lambda: fields_of(reader, number)["flags"] == "b")
        assert reader("GET", "paused") is None
        assert writer.reply() == "OK"
        assert time.monotonic() - started >= 0.39
        boss.must("CLIENT", "PAUSE", 60_000)
        reader.send("PING")
        assert not reader.pending(0.2)
        boss.close()


def test_limits_of_buffers_close_who_exceeds_them(start_node: Start) -> None:
    node = start_node(client_query_buffer_limit="1mb", client_output_buffer_limit=("normal", "0", "1mb", "1"))
    with node.client() as other:
        other.must("CONFIG", "SET", "client-query-buffer-limit", "64mb")
        other.must("SET", "big", b"x" * 20_000_000)
        other.must("CONFIG", "SET", "client-query-buffer-limit", "1mb")
        with node.client() as greedy:
            try:
                greedy.send_bytes(b"*2\r\n$4\r\nECHO\r\n$90000000\r\n" + b"x" * 4_000_000)
            except ConnectionError:
                pass  # closed while it was sending
            assert greedy.hung_up()
        wait_for(lambda: stat_of(other, "client_query_buffer_limit_disconnections") == 1)
        with node.client() as lazy:
            number = lazy("CLIENT", "ID")
            lazy.send("GET", "big")
            wait_for(lambda: int(fields_of(other, number)["omem"]) > 1_000_000)
            wait_for(lambda: not fields_of(other, number))
        other.must("CONFIG", "SET", "client-output-buffer-limit", "normal 2mb 0 0")
        with node.client() as lazy:
            lazy.send("GET", "big")
            wait_for(lambda: stat_of(other, "client_output_buffer_limit_disconnections") == 2)
    assert node.log().count("for overcoming of output buffer limits") == 2
    assert "reached max query buffer length" in node.log()


def test_who_asks_for_more_than_the_hard_limit_is_closed_whether_it_reads_or_not(start_node: Start) -> None:
    node = start_node(client_output_buffer_limit=("normal", "100000", "0", "0"))
    with node.client() as other:
        other.must("SET", "big", b"x" * 10_000)
        other.must("RPUSH", "list", *[b"x" * 1000] * 150)
        other.must("HSET", "hash", "a", 1)
        other.must("SADD", "set", "a")
        other.must("ZADD", "zset", 1, "a")
        greedy: tuple[list[list[str | int]], ...] = (
            [["LRANGE", "list", 0, -1]],
            [["GET", "big"]] * 10,
            [["MULTI"], ["LRANGE", "list", 0, -1], ["SET", "after", 1], ["EXEC"]],
            [["HRANDFIELD", "hash", -999_999_999]],
            [["SRANDMEMBER", "set", -999_999_999]],
            [["ZRANDMEMBER", "zset", -999_999_999, "WITHSCORES"]],
        )
        for requests in greedy:
            with node.client() as client:
                client.send_bytes(b"".join(request(*words) for words in requests))
                assert client.hung_up()
        assert other("GET", "after") == b"1"  # the transaction was carried out
        assert len(other("LRANGE", "list", 0, 80)) == 81
        assert len(other("HRANDFIELD", "hash", -9000)) == 9000
        assert stat_of(other, "client_output_buffer_limit_disconnections") == len(greedy)
    assert "BUG" not in node.log()


def test_the_largest_clients_are_evicted_when_all_take_too_much(start_node: Start) -> None:
    node = start_node(maxmemory_clients="20mb")
    with node.client() as boss, node.client() as kept, node.client() as lazy:
        boss.must("SET", "big", b"x" * 16_000_000)
        kept.must("CLIENT", "NO-EVICT", "on")
        for client in (kept, lazy):
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            client.send("GET", "big")
        wait_for(lambda: stat_of(boss, "evicted_clients") == 1)
        assert len(kept.reply()) == 16_000_000
        assert lazy.hung_up()
    assert node.log().count("Evicting client: id=") == 1


def test_requests_behind_a_wait_are_bounded(start_node: Start) -> None:
    node = start_node(client_query_buffer_limit="1mb")
    with node.client() as boss, node.client() as blocked:
        blocked.send("BLPOP", "none", 0)
        try:
            for _ in range(200):
                blocked.send_bytes(request("PING") * 500)
        except ConnectionError:
            pass  # closed while it was sending
        wait_for(lambda: stat_of(boss, "client_query_buffer_limit_disconnections") == 1)
        assert stat_of(boss, "blocked_clients") == 0


def test_systemd_hears_when_clients_are_served(
    start_node: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        node = start_node(supervised="auto", daemonize="yes")  # who is supervised stays in the foreground
        told = [listening.recv(1000) for _ in range(3)]
        assert told[-1] == b"READY=1\n"
        with node.client() as client:
            assert b"process_supervised:systemd\r\n" in client.raw("INFO", "server")
        assert node.terminate() == 0
        assert listening.recv(1000) == b"STOPPING=1\n"
