"""The endpoint for Prometheus: official parsers read it, its numbers are those of INFO, and no request harms it."""

from __future__ import annotations

import socket
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection, HTTPResponse

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.support.ports import free_port
from tests.support.processes import Node, wait_for
from tests.support.wire_replies import Refusal

pytestmark = pytest.mark.wire

Start = Callable[..., Node]
Cluster = Callable[..., list[Node]]
Labels = Mapping[str, str]


def ask(
    port: int, path: str = "/metrics", method: str = "GET", headers: Labels | None = None
) -> tuple[HTTPResponse, bytes]:
    """One request, on a connection of its own."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, headers=dict(headers or {}))
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def families(port: int, headers: Labels | None = None) -> dict[str, Metric]:
    """A scrape, parsed."""
    answer, body = ask(port, headers=headers)
    assert answer.status == 200, body
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = list(text_string_to_metric_families(body.decode()))
    names = [family.name for family in found]
    assert len(set(names)) == len(names), "a family is there twice"
    return {family.name: family for family in found}


def samples(found: Mapping[str, Metric]) -> Iterator[tuple[str, Labels, float]]:
    """All of them."""
    for family in found.values():
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def value(found: Mapping[str, Metric], name: str, **labels: str) -> float:
    """The one sample of that name whose labels include these."""
    values = [number for known, has, number in samples(found) if known == name and labels.items() <= has.items()]
    assert len(values) == 1, (name, labels, values)
    return values[0]


def raw(port: int, data: bytes) -> bytes:
    """What is answered to these bytes until the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
        return answer


def test_the_numbers_are_those_of_info(start_node: Start) -> None:
    port = free_port()
    node = start_node(metrics_port=port)
    with node.client() as client, node.client() as other:
        for number in range(150):
            client.must("SET", f"key{number}", number, "EX", 1000)
        client.must("SELECT", 3)
        client.must("HSET", "hash", "field", "value")
        assert isinstance(client("GET", "hash"), Refusal)
        assert isinstance(client("NOSUCH"), Refusal)
        other.must("PING")
        found = families(port)
        info = client.must("INFO", "everything")
    assert isinstance(info, bytes)
    fields = dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
    assert value(found, "redis_up") == 1
    assert value(found, "redis_connected_clients") == 2
    assert value(found, "redis_commands_total", cmd="set") == 150
    assert value(found, "redis_commands_failed_calls_total", cmd="get") == 1
    assert 0 < value(found, "redis_commands_duration_seconds_total", cmd="set") < 1
    assert value(found, "redis_db_keys", db="db0") == 150
    assert value(found, "redis_db_keys_expiring", db="db0") == 150
    # The expire cycle has to see the keys before it knows of an average.
    wait_for(lambda: 900 < value(families(port), "redis_db_avg_ttl_seconds", db="db0") <= 1000)
    assert value(found, "redis_db_keys", db="db3") == 1
    assert value(found, "redis_errors_total", err="WRONGTYPE") == 1
    assert value(found, "redis_errors_total", err="ERR") == 1
    assert value(found, "redis_memory_used_bytes") > 1_000_000
    assert value(found, "redis_config_maxclients") == value(found, "redis_max_clients") > 0
    assert value(found, "redis_instance_info", run_id=fields["run_id"], role="master", redis_mode="standalone") == 1
    assert value(found, "redis_commands_latencies_usec_count", cmd="set") == 150
    assert value(found, "redis_commands_latencies_usec_bucket", cmd="set", le="+Inf") == 150
    assert value(found, "redis_latency_percentiles_usec", cmd="set", quantile="99.9") > 0
    for metric, field in (
        ("redis_connections_received_total", "total_connections_received"),
        ("redis_keyspace_misses_total", "keyspace_misses"),
        ("redis_rdb_last_save_timestamp_seconds", "rdb_last_save_time"),
        ("redis_total_error_replies", "total_error_replies"),
        ("redis_replication_backlog_bytes", "repl_backlog_size"),
        ("redis_process_id", "process_id"),
    ):
        assert value(found, metric) == float(fields[field]), metric
    assert found["redis_commands"].type == found["redis_keyspace_hits"].type == "counter"
    assert found["redis_memory_used_bytes"].type == "gauge"


def test_a_scrape_is_no_command_and_no_client(start_node: Start) -> None:
    port = free_port()
    node = start_node(metrics_port=port)
    first, second = families(port), families(port)
    for name in ("redis_commands_processed_total", "redis_connections_received_total", "redis_connected_clients"):
        assert value(first, name) == value(second, name)
    with node.client() as client:
        assert client("DBSIZE") == 0


def test_a_primary_and_its_replica_tell_of_each_other(start_node: Start) -> None:
    ports = free_port(), free_port()
    primary = start_node(metrics_port=ports[0])
    replica = start_node(metrics_port=ports[1], replicaof=("127.0.0.1", primary.port))
    wait_for(lambda: value(families(ports[1]), "redis_master_link_up", master_port=str(primary.port)) == 1)
    wait_for(lambda: value(families(ports[0]), "redis_connected_slave_lag_seconds", slave_state="online") <= 1)
    with primary.client() as client:
        client.must("SET", "k", "v")
    wait_for(lambda: value(families(ports[0]), "redis_connected_slave_offset_bytes", slave_port=str(replica.port)) > 0)
    assert value(families(ports[0]), "redis_connected_slaves") == 1
    found = families(ports[1])
    assert value(found, "redis_slave_info", master_host="127.0.0.1", read_only="1") == 1
    assert value(found, "redis_instance_info", role="slave") == 1


def test_a_cluster_node_tells_of_its_cluster(cluster_nodes: Cluster) -> None:
    port = free_port()
    node, other = cluster_nodes(2, metrics_port=0, cluster_require_full_coverage="no")
    with node.client() as client:
        client.must("CONFIG", "SET", "metrics-port", port)
        client.must("CLUSTER", "ADDSLOTSRANGE", 0, 8000)
        client.must("CLUSTER", "MEET", "127.0.0.1", other.port)
    wait_for(lambda: value(families(port), "redis_cluster_known_nodes") == 2)
    found = families(port)
    assert value(found, "redis_cluster_enabled") == 1
    assert value(found, "redis_cluster_slots_assigned") == 8001
    assert value(found, "redis_cluster_messages_sent_total") > 0
    assert value(found, "redis_instance_info", redis_mode="cluster") == 1


def test_slow_moments_and_commands_are_metrics(start_node: Start) -> None:
    port = free_port()
    node = start_node(
        metrics_port=port, latency_monitor_threshold=1, slowlog_log_slower_than=1000, enable_debug_command="yes"
    )
    with node.client() as client:
        client.must("DEBUG", "SLEEP", 0.01)
    found = families(port)
    assert value(found, "redis_latency_spike_duration_seconds", event_name="command") >= 0.01
    assert value(found, "redis_slowlog_length") == 1
    assert value(found, "redis_last_slow_execution_duration_seconds") >= 0.01


def test_the_port_follows_the_option(start_node: Start) -> None:
    first, second = free_port(), free_port()
    node = start_node()
    with node.client() as client:
        client.must("CONFIG", "SET", "metrics-port", first)
        assert families(first)
        taken = client("CONFIG", "SET", "metrics-port", node.port)
        assert isinstance(taken, Refusal)
        assert "Unable to listen on this port" in taken.text
        assert families(first)
        client.must("CONFIG", "SET", "metrics-port", second)
        assert families(second)
        with pytest.raises(ConnectionRefusedError):
            ask(first)
        # Of two ports the second cannot be had: neither is changed.
        other = free_port()
        refused = client("CONFIG", "SET", "port", other, "metrics-port", other)
        assert isinstance(refused, Refusal)
        assert node.answers()
        assert families(second)
        client.must("CONFIG", "SET", "metrics-port", 0)
        with pytest.raises(ConnectionRefusedError):
            ask(second)


def test_a_password_is_asked_for_where_one_is_set(start_node: Start) -> None:
    port = free_port()
    node = start_node(metrics_port=port, requirepass="secret")

    def basic(text: str) -> Labels:
        return {"Authorization": f"Basic {b64encode(text.encode()).decode()}"}

    with node.client() as client:
        client.must("AUTH", "secret")
        client.must("ACL", "SETUSER", "eyes", "on", ">look", "+info")
        client.must("ACL", "SETUSER", "blind", "on", ">look", "+get")
        answer, _ = ask(port)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        for wrong in ("default:wrong", "nobody:secret", "blind:look", "default", ":"):
            assert ask(port, headers=basic(wrong))[0].status == 401, wrong
        assert ask(port, headers={"Authorization": "Basic ***"})[0].status == 401
        assert ask(port, headers={"Authorization": "Bearer x"})[0].status == 401
        info = client.must("INFO", "stats")
        assert isinstance(info, bytes)
        assert b"acl_access_denied_auth:6\r\nacl_access_denied_cmd:1\r\n" in info
        assert families(port, basic("default:secret"))
        assert families(port, basic("eyes:look"))
        assert ask(port, "/health")[0].status == 200


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"*1\r\n$4\r\nPING\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\n\r\n", b"400"),  # no Host
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"431"),
        (b"POST /metrics HTTP/1.0\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000, b"413"),
        (b"POST /metrics HTTP/1.0\r\nContent-Length: 4\r\n\r\nbody", b"405"),
        (b"DELETE /metrics HTTP/1.0\r\n\r\n", b"405"),
        (b"GET /nothing HTTP/1.0\r\n\r\n", b"404"),
        (b"GET /metrics\xff HTTP/1.0\r\n\r\n", b"400"),
        (b"\0" * 1000, b"400"),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\n", b""),  # not ended: nobody is there to answer
    ],
)
def test_a_bad_request_is_told_so_and_changes_nothing(
    metered: tuple[Node, int], request_bytes: bytes, status: bytes
) -> None:
    node, port = metered
    answer = raw(port, request_bytes)
    if status:
        assert answer.startswith(b"HTTP/1.1 " + status + b" "), answer
        assert b"\r\nContent-Length: " in answer
        assert b"Traceback" not in answer
    assert families(port)
    assert node.answers()
    assert "Traceback" not in node.log()


def test_head_has_no_body_and_connections_are_kept(metered: tuple[Node, int]) -> None:
    _, port = metered
    answer, body = ask(port, method="HEAD")
    assert (answer.status, body) == (200, b"")
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    for path in ("/metrics", "/", "/none", "/metrics?x=1"):
        connection.request("GET", path)
        reply = connection.getresponse()
        assert reply.status == (404 if path == "/none" else 200)
        reply.read()
    connection.close()


def test_too_many_connections_are_turned_away(metered: tuple[Node, int]) -> None:
    _, port = metered
    idle = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(32)]
    try:
        wait_for(lambda: ask(port)[0].status == 503)
    finally:
        for sock in idle:
            sock.close()
    wait_for(lambda: ask(port)[0].status == 200)


@pytest.fixture(scope="module")
def metered() -> Iterator[tuple[Node, int]]:
    """A node with metrics that the tests of bad requests share."""
    port = free_port()
    with Node(metrics_port=port, save="", appendonly="no") as node:
        yield node, port
