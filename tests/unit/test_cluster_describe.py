"""CLUSTER NODES, INFO, SLOTS, SHARDS, REPLICAS as redis-server 7.0 answers them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shardkv.cluster.describe import info_text, nodes_text, replicas_lines, shards_reply, slots_reply
from shardkv.cluster.nodes import FAIL, PFAIL, SLAVE, Node, bitmap_of_range
from shardkv.cluster.peers import Liveness
from shardkv.cluster.settings import Endpoint, Settings
from shardkv.cluster.view import ClusterView
from shardkv.errors import ReplyError

A, B, C = "a" * 40, "b" * 40, "c" * 40
SEEN = {A: Liveness(), B: Liveness(0, 1795449935.025, 14), C: Liveness(1795449936.5, 1795449934.924, 14, False)}


def a_view() -> ClusterView:
    """A (myself) with 0-9000, B with the rest, C a replica of A."""
    view = ClusterView.alone(Node(A, "127.0.0.1", 7000, 17000, hostname="a.example")).with_nodes(
        [
            Node(B, "127.0.0.1", 7001, 17001, config_epoch=2),
            Node(C, "127.0.0.1", 7002, 17002, flags=SLAVE, primary=A, tls_port=7102),
        ]
    )
    view = view.assign(A, bitmap_of_range(0, 9000)).assign(B, bitmap_of_range(9001, 16383))
    return replace(view, current_epoch=2, state="ok")


def test_cluster_nodes_has_a_line_for_each() -> None:
    assert nodes_text(a_view(), SEEN).splitlines() == [
        f"{A} 127.0.0.1:7000@17000,a.example myself,master - 0 0 0 connected 0-9000",
        f"{B} 127.0.0.1:7001@17001 master - 0 1795449935025 2 connected 9001-16383",
        f"{C} 127.0.0.1:7002@17002 slave {A} 1795449936500 1795449934924 0 disconnected",
    ]


def test_info_counts_slots_by_the_health_of_their_owner() -> None:
    view = a_view().flag(B, on=FAIL)
    assert info_text(view, {"ping": 3, "pong": 0}, {"ping": 0, "pong": 2}).splitlines() == [
        "cluster_state:ok",
        "cluster_slots_assigned:16384",
        "cluster_slots_ok:9001",
        "cluster_slots_pfail:0",
        "cluster_slots_fail:7383",
        "cluster_known_nodes:3",
        "cluster_size:2",
        "cluster_current_epoch:2",
        "cluster_my_epoch:0",
        "cluster_stats_messages_ping_sent:3",
        "cluster_stats_messages_sent:3",
        "cluster_stats_messages_pong_received:2",
        "cluster_stats_messages_received:2",
        "total_cluster_links_buffer_limit_exceeded:0",
    ]
    assert "cluster_slots_pfail:7383\r\n" in info_text(a_view().flag(B, on=PFAIL), {}, {})


def test_slots_leave_out_replicas_that_fail_or_have_no_data() -> None:
    def nodes_of_the_first_run(view: ClusterView, seen: dict[str, Liveness]) -> list[bytes]:
        return [node[2] for node in slots_reply(view, seen, Settings())[0][2:]]

    assert nodes_of_the_first_run(a_view(), SEEN) == [A.encode(), C.encode()]
    assert nodes_of_the_first_run(a_view(), {**SEEN, C: Liveness()}) == [A.encode()]
    assert nodes_of_the_first_run(a_view().flag(C, on=FAIL), SEEN) == [A.encode()]


@pytest.mark.parametrize(
    ("endpoint", "first", "second"),
    [
        (Endpoint.IP, [b"127.0.0.1", {b"hostname": b"a.example"}], [b"127.0.0.1", {}]),
        (Endpoint.HOSTNAME, [b"a.example", {b"ip": b"127.0.0.1"}], [b"?", {b"ip": b"127.0.0.1"}]),
        (
            Endpoint.UNKNOWN,
            [None, {b"ip": b"127.0.0.1", b"hostname": b"a.example"}],
            [None, {b"ip": b"127.0.0.1"}],
        ),
    ],
)
def test_slots_name_nodes_as_clients_are_to_call_them(
    endpoint: Endpoint, first: list[object], second: list[object]
) -> None:
    runs = slots_reply(a_view(), {}, Settings(preferred_endpoint=endpoint))
    assert runs == [
        [0, 9000, [first[0], 7000, A.encode(), first[1]]],
        [9001, 16383, [second[0], 7001, B.encode(), second[1]]],
    ]


def test_cluster_shards_has_a_map_for_each() -> None:
    first, second = shards_reply(a_view().flag(B, on=FAIL), {**SEEN, C: Liveness()}, Settings())
    assert first[b"slots"] == [0, 9000]
    assert [(node[b"role"], node[b"health"]) for node in first[b"nodes"]] == [
        (b"master", b"online"),
        (b"replica", b"loading"),
    ]
    assert first[b"nodes"][0] == {
        b"id": A.encode(),
        b"port": 7000,
        b"ip": b"127.0.0.1",
        b"endpoint": b"127.0.0.1",
        b"hostname": b"a.example",
        b"role": b"master",
        b"replication-offset": 0,
        b"health": b"online",
    }
    assert first[b"nodes"][1][b"tls-port"] == 7102
    assert second[b"nodes"][0][b"health"] == b"fail"


def test_cluster_replicas_are_lines_of_nodes() -> None:
    assert replicas_lines(a_view(), SEEN, A)[0].startswith(f"{C} 127.0.0.1:7002@17002 slave {A} ".encode())
    assert replicas_lines(a_view(), SEEN, B) == []
    with pytest.raises(ReplyError, match=r"^ERR Unknown node x$"):
        replicas_lines(a_view(), SEEN, "x")
    with pytest.raises(ReplyError, match=r"^ERR The specified node is not a master$"):
        replicas_lines(a_view(), SEEN, C)
