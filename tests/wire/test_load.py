"""Clients that take all they can get: limits act, and others are served as if nothing were.

Every test prints what it has measured (``-rA`` shows it). What a client waits for is counted by the clock where all
else on the machine can be told to wait (``tests.support.latency``), and in CPU time of the node where it cannot.
"""

from __future__ import annotations

import resource
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from tests.support.latency import Latency
from tests.support.processes import Node, wait_for
from tests.support.wire import request

pytestmark = [pytest.mark.wire, pytest.mark.long]

Start = Callable[..., Node]

#: What others may have to wait, in milliseconds, 99 times of 100.
P99_MAX = 5.0
IDLE = 10_000
#: What the node holds for a client that does not read, in MiB: 64, and the replies of the requests that came last.
UNREAD_MAX = 80
#: What an idle connection may cost the node, in bytes.
IDLE_BYTES_MAX = 8192


def holds(latency: Latency, what: str) -> None:
    """Say what was measured, and hold it to the limit."""
    print(f"{what}: {latency}")
    assert (latency.waited if latency.undisturbed else latency.worked)["p99"] < P99_MAX


@pytest.fixture
def node(start_node: Start) -> Node:
    """A node of the test's own, which has been asked for something."""
    made = start_node(maxclients=20_000)
    with made.client() as client:
        client.must("SET", "small", "value")
    return made


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Room for ten thousand sockets in this process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = IDLE + 1000
    if before[1] != resource.RLIM_INFINITY and before[1] < wanted:
        pytest.fail(f"the system allows {before[1]} descriptors only (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, before[0]), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def resident(node: Node) -> int:
    """Memory of the node's process, in bytes."""
    pages = int(Path(f"/proc/{node.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def connected(node: Node, count: int, stack: ExitStack) -> list[socket.socket]:
    """So many connections that have been served once."""
    socks = [stack.enter_context(socket.create_connection(("127.0.0.1", node.port), 60)) for _ in range(count)]
    for sock in socks:
        sock.sendall(b"PING\r\n")
    for sock in socks:
        assert sock.recv(100) == b"+PONG\r\n"
    return socks


@pytest.mark.usefixtures("many_descriptors")
def test_ten_thousand_idle_connections_cost_little_and_slow_nobody(node: Node) -> None:
    with ExitStack() as stack:
        before = resident(node)
        began = time.monotonic()
        connected(node, IDLE, stack)
        print(f"{IDLE} connections made and served once in {time.monotonic() - began:.1f} s")
        each = (resident(node) - before) / IDLE
        print(f"{each:.0f} bytes of the node's memory for each")
        assert each < IDLE_BYTES_MAX
        cpu = node.cpu_seconds()
        with Latency(node.port, node.pid) as latency:
            time.sleep(5)
        holds(latency, f"beside {IDLE} idle ones, {(node.cpu_seconds() - cpu) / 5:.0%} of a core")


def test_a_client_that_never_reads_is_bounded_and_slows_nobody(node: Node) -> None:
    with node.client() as owner, ExitStack() as stack:
        owner.must("SET", "big", b"x" * 1_000_000)
        before = resident(node)
        with Latency(node.port, node.pid) as latency:
            for sock in connected(node, 5, stack):
                sock.settimeout(2)
                try:
                    for _ in range(200):
                        sock.sendall(request("GET", "big") * 1000)
                except TimeoutError:
                    pass  # the node reads no more from it
            time.sleep(2)
        grown = (resident(node) - before) / 2**20
        print(f"five that never read: the node has grown by {grown:.0f} MiB")
        assert grown < 5 * UNREAD_MAX
        holds(latency, "beside five that never read")


def test_twenty_that_read_large_values_as_fast_as_they_can_slow_nobody(node: Node) -> None:
    seconds, room, got = 4.0, bytearray(1 << 20), 0
    with node.client() as owner, ExitStack() as stack, selectors.DefaultSelector() as ready:
        owner.must("SET", "big", b"x" * 10_000_000)
        for sock in connected(node, 20, stack):
            sock.setblocking(False)
            sock.send(request("GET", "big") * 100)
            ready.register(sock, selectors.EVENT_READ)
        with Latency(node.port, node.pid) as latency:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                for key, _ in ready.select(0.5):
                    assert isinstance(key.fileobj, socket.socket)
                    got += key.fileobj.recv_into(room)
        assert got > 100_000_000
        holds(latency, f"beside twenty that take {got / 2**20 / seconds:.0f} MiB a second")


def test_the_output_limit_ends_those_who_never_read(node: Node) -> None:
    with node.client() as owner, ExitStack() as stack:
        owner.must("SET", "big", b"x" * 1_000_000)
        owner.must("CONFIG", "SET", "client-output-buffer-limit", "normal 16mb 0 0")
        with Latency(node.port, node.pid) as latency:
            for sock in connected(node, 20, stack):
                sock.sendall(request("GET", "big") * 100)
            wait_for(lambda: b"client_output_buffer_limit_disconnections:20" in owner.raw("INFO", "stats"), 60.0)
            time.sleep(2)
        holds(latency, "while twenty are closed by their output limit")


def test_senders_byte_by_byte_slow_nobody(node: Node) -> None:
    data = request("SET", "slow", "x" * 200)
    with ExitStack() as stack:
        socks = connected(node, 500, stack)
        with Latency(node.port, node.pid) as latency:
            for place in range(len(data)):
                for number, sock in enumerate(socks):
                    sock.send(data[place : place + 1])
                    if number % 50 == 49:
                        time.sleep(0.005)  # ten thousand bytes a second together
        for sock in socks:
            assert sock.recv(100) == b"+OK\r\n"
        holds(latency, f"beside 500 that send {len(data)} bytes one by one")


def test_a_gigabyte_of_garbage_slows_nobody(node: Node) -> None:
    rng = Random(1)
    garbage = b"".join(request(rng.randbytes(12).hex(), *[rng.randbytes(500)] * 4) for _ in range(500))
    noise = rng.randbytes(1 << 20)
    rounds = (1 << 30) // 4 // len(garbage)
    swallowed = [0] * 4
    begins: dict[int, bytes] = {}

    def drain(number: int, sock: socket.socket) -> None:
        while data := sock.recv(1 << 20):
            begins.setdefault(number, data[:20])
            swallowed[number] += data.count(b"\n")  # one in each reply, and never cut in two

    def shout(sock: socket.socket) -> None:
        for _ in range(rounds):
            sock.sendall(garbage)
        sock.shutdown(socket.SHUT_WR)

    with ExitStack() as stack:
        socks = connected(node, 4, stack)
        with Latency(node.port, node.pid) as latency:
            threads = [threading.Thread(target=drain, args=pair) for pair in enumerate(socks)]
            threads += [threading.Thread(target=shout, args=(sock,)) for sock in socks]
            for thread in threads:
                thread.start()
            for _ in range(50):  # and bytes that are no requests at all, each on a connection of its own
                with socket.create_connection(("127.0.0.1", node.port)) as sock:
                    try:
                        sock.sendall(noise)
                    except ConnectionError:
                        pass  # it was hung up on
                time.sleep(0.05)
            for thread in threads:
                thread.join()
        assert swallowed == [500 * rounds] * 4
        assert set(begins.values()) == {b"-ERR unknown command"}
        holds(latency, "beside a gigabyte of requests that mean nothing")
    assert "BUG" not in node.log()


def test_values_of_512_megabytes_come_and_go(node: Node) -> None:
    size = 512 * 2**20
    piece = bytes(range(256)) * 4096
    with node.client(timeout=300) as client:
        with Latency(node.port, node.pid) as latency:
            began = time.monotonic()
            client.send_bytes(b"*3\r\n$3\r\nSET\r\n$4\r\nhuge\r\n$%d\r\n" % size)
            for _ in range(size // len(piece)):
                client.send_bytes(piece)
            client.send_bytes(b"\r\n")
            assert client.reply() == "OK"
            print(f"SET of 512 MiB in {time.monotonic() - began:.1f} s")
            assert client("STRLEN", "huge") == size
            assert client("GETRANGE", "huge", size - 256, -1) == piece[:256]
            began = time.monotonic()
            client.send("GET", "huge")
            got, last = 0, b""
            while got < size + 14:
                data = client.socket.recv(1 << 20)
                got += len(data)
                last = (last + data)[-300:]
            assert last.endswith(piece[-200:] + b"\r\n")
            print(f"GET of 512 MiB in {time.monotonic() - began:.1f} s")
            too_much = client("SET", "more", "x") if client("UNLINK", "huge") == 1 else None
            assert too_much == "OK"
        holds(latency, "beside a value of 512 MiB")
    with node.client() as client:
        client.send_bytes(b"*3\r\n$3\r\nSET\r\n$4\r\nhuge\r\n$%d\r\n" % (size + 1))
        assert client.reply().text == "ERR Protocol error: invalid bulk length"
