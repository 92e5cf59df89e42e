"""Whatever comes in on its ports, a node goes on serving, and says one line a connection at most."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.ports import BUS_OFFSET
from tests.support.processes import Node, wait_for

pytestmark = pytest.mark.wire

#: Random bytes, and bytes that begin like what the port expects.
garbage = st.one_of(
    st.binary(min_size=1, max_size=2000),
    st.builds(
        lambda head, tail: head + tail,
        st.sampled_from([b"*3\r\n$3\r\n", b"*", b"$-1\r\n", b"SET ", b"\x00\x00\x00\x10"]),
        st.binary(max_size=500),
    ),
)


@pytest.fixture(scope="module")
def target() -> Iterator[Node]:
    """A cluster node that nobody else uses."""
    with Node(cluster_enabled="yes", save="", appendonly="no") as node:
        yield node


def throw(port: int, data: bytes) -> None:
    """Connect, send, hang up."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
        except OSError:
            pass  # it hung up on us, as it may


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(data=b"*1\r\n\xae\r\n")  # the fault tells the byte back, which is no text
@given(data=garbage)
def test_random_bytes_on_the_client_port_harm_nobody(target: Node, data: bytes) -> None:
    """An error or silence, then the end of that connection; never of the node."""
    throw(target.port, data)
    assert target.answers()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=garbage)
def test_random_bytes_on_the_bus_port_harm_nobody(target: Node, data: bytes) -> None:
    """The link is closed and counted."""
    throw(target.port + BUS_OFFSET, data)
    assert target.answers()


@pytest.mark.parametrize("offset", [0, BUS_OFFSET], ids=["client port", "bus port"])
def test_a_thousand_connections_of_garbage_at_once_are_survived(start_node: Callable[..., Node], offset: int) -> None:
    """They stand open together; a client in the middle of them is served, and the log stays short."""
    node = start_node(cluster_enabled="yes")
    lines_before = node.log().count("\n")
    socks = []
    try:
        with node.client() as client:
            for number in range(1000):
                sock = socket.create_connection(("127.0.0.1", node.port + offset), timeout=10)
                sock.setblocking(False)
                socks.append(sock)
                try:
                    sock.send(bytes((number * 7 + place * 31) % 256 for place in range(400)))
                except OSError:
                    pass
                if number % 100 == 0:
                    assert client("PING") == "PONG"
            assert client("PING") == "PONG"
    finally:
        for sock in socks:
            sock.close()
    assert node.answers()
    assert node.log().count("\n") - lines_before <= 1000
    assert "Traceback" not in node.log()
    assert "BUG" not in node.log()


def test_a_client_that_stops_reading_is_bounded_and_harms_nobody(start_node: Callable[..., Node]) -> None:
    """With an output limit it is closed; others are served all the while."""
    node = start_node(client_output_buffer_limit=("normal", "8mb", "0", "0"))
    with node.client() as other, node.client() as lazy:
        assert other("SET", "big", "x" * 1_000_000) == "OK"
        lazy.send_bytes(b"*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n" * 64)
        for _ in range(50):
            assert other("PING") == "PONG"
        wait_for(lambda: "output buffer limits" in node.log(), 10)
        assert other("PING") == "PONG"


def test_a_pipeline_of_large_replies_is_not_held_in_memory_as_a_whole(start_node: Callable[..., Node]) -> None:
    """Thousands of reads in one packet: the output limit counts while they are carried out, not behind them."""
    node = start_node(client_output_buffer_limit=("normal", "10mb", "0", "0"))
    with node.client() as other, node.client() as greedy:
        assert other("SET", "b", "x" * 100_000) == "OK"
        greedy.send_bytes(b"*2\r\n$3\r\nGET\r\n$1\r\nb\r\n" * 3000)
        wait_for(lambda: "output buffer limits" in node.log(), 20)
        assert other("PING") == "PONG"
        peak = next(
            line for line in str(other("INFO", "memory")).split("\\r\\n") if line.startswith("used_memory_rss:")
        )
        assert int(peak.split(":")[1]) < 200_000_000


def test_a_deep_pipeline_is_answered_in_order(start_node: Callable[..., Node]) -> None:
    """Ten thousand requests in one go, with a wait in the middle and an error at the end."""
    node = start_node()
    with node.client() as client, node.client() as other:
        client.send_bytes(b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n" * 5000)
        client.send("BLPOP", "jobs", 0)
        client.send_bytes(b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n" * 5000 + b"*1\r\nrubbish\r\n")
        assert [client.reply() for _ in range(5000)] == list(range(1, 5001))
        assert other("RPUSH", "jobs", "x") == 1
        assert client.reply() == [b"jobs", b"x"]
        assert [client.reply() for _ in range(5000)] == list(range(5001, 10_001))
        assert "Protocol error" in str(client.reply())
