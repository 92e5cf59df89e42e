"""The options of the cluster at work: what nodes announce, how clients are sent on, who never takes over."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.support.ports import free_port
from tests.support.processes import Node, wait_for
from tests.support.wire_replies import Refusal
from tests.wire.test_cluster import Start, id_of, line_about, state_of

pytestmark = pytest.mark.wire

MINE, THEIRS = "x{b}", "x{a}"  # slots 3300 and 15495


@pytest.fixture
def pair(cluster_nodes: Start) -> list[Node]:
    """Two nodes that know each other; the first has the slots 0 to 10000, the second the rest."""
    nodes = cluster_nodes(2, cluster_node_timeout=5000, repl_diskless_sync_delay=0)
    for epoch, (node, slots) in enumerate(zip(nodes, ((0, 10000), (10001, 16383)), strict=True), 1):
        with node.client() as client:
            client.must("CLUSTER", "SET-CONFIG-EPOCH", epoch)
            client.must("CLUSTER", "ADDSLOTSRANGE", *slots)
    with nodes[0].client() as client:
        client.must("CLUSTER", "MEET", nodes[1].host, nodes[1].port)
    wait_for(lambda: all(state_of(node) == "ok" for node in nodes), 20)
    return nodes


def configure(node: Node, **options: object) -> None:
    """CONFIG SET."""
    with node.client() as client:
        for name, value in options.items():
            client.must("CONFIG", "SET", name.replace("_", "-"), str(value))


def moved(node: Node) -> str:
    """How a node sends a client on to the other."""
    with node.client() as client:
        refusal = client("GET", THEIRS)
    assert isinstance(refusal, Refusal)
    return refusal.text


def place_of(witness: Node, subject: str) -> list[Any]:
    """The primary with this id as CLUSTER SLOTS names it: endpoint, port, id, other names."""
    with witness.client() as client:
        reply: Any = client.must("CLUSTER", "SLOTS")
    return next(primary for _, _, primary, *_ in reply if primary[2].decode() == subject)


def test_what_a_node_announces_is_what_others_and_their_clients_are_told(pair: list[Node]) -> None:
    one, two = pair
    two_id = id_of(two)
    bus = two.port + 10_000
    configure(two, cluster_announce_port=7777, cluster_announce_bus_port=bus, cluster_announce_hostname="two.example")
    wait_for(lambda: f"127.0.0.1:7777@{bus},two.example " in line_about(one, two_id))
    assert moved(one) == "MOVED 15495 127.0.0.1:7777"
    assert place_of(one, two_id) == [b"127.0.0.1", 7777, two_id.encode(), [b"hostname", b"two.example"]]

    configure(one, cluster_preferred_endpoint_type="hostname")
    assert moved(one) == "MOVED 15495 two.example:7777"
    assert place_of(one, two_id) == [b"two.example", 7777, two_id.encode(), [b"ip", b"127.0.0.1"]]
    configure(one, cluster_preferred_endpoint_type="unknown-endpoint")
    assert moved(one) == "MOVED 15495 :7777"
    assert place_of(one, two_id)[0] is None

    configure(one, cluster_preferred_endpoint_type="ip")
    configure(two, cluster_announce_ip="127.0.0.2", cluster_announce_port=0, cluster_announce_hostname="")
    wait_for(lambda: f"127.0.0.2:{two.port}@{bus} " in line_about(one, two_id))
    assert moved(one) == f"MOVED 15495 127.0.0.2:{two.port}"
    configure(two, cluster_announce_tls_port=7443, cluster_announce_human_nodename="second")
    with one.client() as client:

        def told() -> bool:
            shards: Any = client.must("CLUSTER", "SHARDS")
            flat = [node for shard in shards for node in shard[3]]
            return any(b"tls-port" in node and node[node.index(b"tls-port") + 1] == 7443 for node in flat)

        wait_for(told, 20, "the TLS port is told")
    wait_for(lambda: "(second)" in one.log() or "second" in (one.directory / "nodes.conf").read_text(), 20)


def test_a_node_whose_port_has_changed_is_found_again_by_its_id(pair: list[Node]) -> None:
    one, two = pair
    two_id = id_of(two)
    two.terminate()
    two.port = free_port()
    two.options["port"] = two.port
    two.start()
    wait_for(lambda: f"127.0.0.1:{two.port}@{two.port + 10_000}" in line_about(one, two_id), 20)
    wait_for(lambda: state_of(one) == "ok" and moved(one) == f"MOVED 15495 127.0.0.1:{two.port}", 20)


def test_a_replica_that_is_told_not_to_says_so_and_never_takes_over(pair: list[Node], cluster_nodes: Start) -> None:
    one, two = pair
    (three,) = cluster_nodes(1, cluster_node_timeout=5000, cluster_replica_no_failover="yes")
    with three.client() as client:
        client.must("CLUSTER", "MEET", one.host, one.port)
        wait_for(lambda: id_of(one).encode() in client.must("CLUSTER", "NODES"), 20)
        wait_for(lambda: client("CLUSTER", "REPLICATE", id_of(one)) == "OK", 20)
    three_id = id_of(three)
    wait_for(lambda: _known(two) == 3 and "slave,nofailover" in line_about(two, three_id), 20)
    configure(three, cluster_replica_no_failover="no")
    wait_for(lambda: "nofailover" not in line_about(two, three_id), 20)


def test_a_forgotten_node_may_come_back_when_the_option_says(pair: list[Node]) -> None:
    one, two = pair
    two_id = id_of(two)
    configure(one, cluster_blacklist_ttl=1)
    with one.client() as client:
        client.must("CLUSTER", "FORGET", two_id)
        assert two_id.encode() not in client.must("CLUSTER", "NODES")
        # The word has gone to the other one, too, for the same second; then an operator introduces them anew.
        wait_for(lambda: client("CLUSTER", "MEET", two.host, two.port) == "OK" and _known(one) == 2, 30)


def test_what_waits_for_a_silent_peer_has_a_limit_that_can_be_set(pair: list[Node]) -> None:
    one, two = pair
    configure(one, cluster_link_sendbuf_limit="1mb")
    two.signal(signal.SIGSTOP)
    try:
        with one.client() as client:
            for _ in range(200):
                client.must("PUBLISH", "news", "x" * 100_000)
                info = client.must("CLUSTER", "INFO")
                if b"total_cluster_links_buffer_limit_exceeded:0\r" not in info:
                    break
            else:
                pytest.fail("20 MB wait for a peer that does not read")
    finally:
        two.signal(signal.SIGCONT)
    wait_for(lambda: state_of(one) == "ok" and _known(one) == 2, 30)


def _known(node: Node) -> int:
    with node.client() as client:
        table = client.must("CLUSTER", "NODES")
    assert isinstance(table, bytes)
    return sum(b"handshake" not in line for line in table.splitlines())


def test_a_table_that_was_cut_short_is_refused_with_one_line_and_stays_as_it_is(pair: list[Node]) -> None:
    _, two = pair
    two.terminate()
    table = two.directory / "nodes.conf"
    whole = table.read_bytes()
    table.write_bytes(whole[: len(whole) // 2])
    before = two.log()
    with pytest.raises(RuntimeError):
        two.start()
    said = two.log()[len(before) :]
    assert "Unrecoverable error: corrupted cluster config file" in said
    assert "Traceback" not in said
    assert table.read_bytes() == whole[: len(whole) // 2]
    table.write_bytes(whole)
    two.start()
