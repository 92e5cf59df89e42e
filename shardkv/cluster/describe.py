"""The cluster as CLUSTER NODES, INFO, SLOTS, SHARDS and REPLICAS tell it, in Redis's shapes.

All are pure functions of a view, of ``machine.liveness()`` (who was heard when) and of the settings. ``tls`` says that
the asking client came by TLS and is told TLS ports.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shardkv.errors import ReplyError
from shardkv.resp.replies import Reply

from .nodes import FAIL, HANDSHAKE, PFAIL, Node, NodeId, ranges_of
from .nodesconf import node_line
from .peers import Liveness
from .routing import client_port
from .settings import Endpoint, Settings
from .view import ClusterView

_UNHEARD = Liveness(connected=False)
Seen = Mapping[NodeId, Liveness]


def nodes_text(view: ClusterView, seen: Seen, tls: bool = False) -> str:
    """CLUSTER NODES: a line a node, each ended by a newline."""
    return "".join(f"{_line(view, node, seen, tls)}\n" for node in view.nodes.values())


def replicas_lines(view: ClusterView, seen: Seen, primary: NodeId, tls: bool = False) -> list[bytes]:
    """CLUSTER REPLICAS. Raises ``ReplyError`` for a node that is unknown or not a primary."""
    node = view.nodes.get(primary)
    if node is None or node.flags & HANDSHAKE:
        raise ReplyError(f"ERR Unknown node {primary}")
    if node.is_replica:
        raise ReplyError("ERR The specified node is not a master")
    return [_line(view, replica, seen, tls).encode() for replica in view.replicas_of(primary)]


def _line(view: ClusterView, node: Node, seen: Seen, tls: bool) -> str:
    address = f"{node.ip}:{client_port(node, tls)}@{node.bus_port}" + (f",{node.hostname}" if node.hostname else "")
    return node_line(view, node, seen.get(node.id, _UNHEARD), address)


def info_text(
    view: ClusterView, sent: Mapping[str, int], received: Mapping[str, int], buffer_limit_exceeded: int = 0
) -> str:
    """CLUSTER INFO. ``sent`` and ``received`` count messages by their names; those that are 0 are not listed."""
    owners = [node for node in view.nodes.values() if node.slots]
    failed = sum(node.slots.bit_count() for node in owners if node.flags & FAIL)
    suspected = sum(node.slots.bit_count() for node in owners if node.flags & PFAIL and not node.flags & FAIL)
    assigned = view.assigned.bit_count()
    rows: list[tuple[str, object]] = [
        ("cluster_state", view.state),
        ("cluster_slots_assigned", assigned),
        ("cluster_slots_ok", assigned - failed - suspected),
        ("cluster_slots_pfail", suspected),
        ("cluster_slots_fail", failed),
        ("cluster_known_nodes", len(view.nodes)),
        ("cluster_size", sum(1 for node in owners if node.is_primary)),
        ("cluster_current_epoch", view.current_epoch),
        ("cluster_my_epoch", view.my_shard_primary.config_epoch),
    ]
    for counts, way in ((sent, "sent"), (received, "received")):
        rows += [(f"cluster_stats_messages_{kind}_{way}", count) for kind, count in counts.items() if count]
        rows.append((f"cluster_stats_messages_{way}", sum(counts.values())))
    rows.append(("total_cluster_links_buffer_limit_exceeded", buffer_limit_exceeded))
    return "".join(f"{name}:{value}\r\n" for name, value in rows)


def slots_reply(view: ClusterView, seen: Seen, settings: Settings, tls: bool = False) -> list[Reply]:
    """CLUSTER SLOTS: ``[first, last, primary, replica ...]`` for every run of slots, ascending.

    Replicas that fail, or have no data yet, are left out: clients would send reads there.
    """
    runs = [(start, end, node) for node in view.nodes.values() for start, end in ranges_of(node.slots)]
    runs.sort(key=lambda run: run[0])
    return [
        [
            start,
            end,
            _endpoint_reply(node, settings, tls),
            *(
                _endpoint_reply(replica, settings, tls)
                for replica in view.replicas_of(node.id)
                if not replica.failing and _offset(replica, seen)
            ),
        ]
        for start, end, node in runs
    ]


def _endpoint(node: Node, settings: Settings) -> str | None:
    """How clients are to call a node; None: by the address they already have."""
    if settings.preferred_endpoint is Endpoint.UNKNOWN:
        return None
    if settings.preferred_endpoint is Endpoint.HOSTNAME:
        return node.hostname or "?"
    return node.ip


def _endpoint_reply(node: Node, settings: Settings, tls: bool) -> list[Reply]:
    endpoint = _endpoint(node, settings)
    metadata: dict[bytes, bytes] = {}
    if settings.preferred_endpoint is not Endpoint.IP:
        metadata[b"ip"] = node.ip.encode()
    if settings.preferred_endpoint is not Endpoint.HOSTNAME and node.hostname:
        metadata[b"hostname"] = node.hostname.encode()
    return [None if endpoint is None else endpoint.encode(), client_port(node, tls), node.id.encode(), metadata]


def shards_reply(view: ClusterView, seen: Seen, settings: Settings) -> list[Reply]:
    """CLUSTER SHARDS: for every primary its slots and the nodes of its shard."""
    shards: list[Reply] = []
    for primary in view.nodes.values():
        if not primary.is_primary or primary.flags & HANDSHAKE:
            continue
        members = [primary, *view.replicas_of(primary.id)]
        shards.append(
            {
                b"slots": [edge for run in ranges_of(primary.slots) for edge in run],
                b"nodes": [_member_reply(node, seen, settings) for node in members],
            }
        )
    return shards


def _member_reply(node: Node, seen: Seen, settings: Settings) -> dict[bytes, Any]:
    offset = _offset(node, seen)
    reply: dict[bytes, Any] = {b"id": node.id.encode()}
    if node.port:
        reply[b"port"] = node.port
    if node.tls_port:
        reply[b"tls-port"] = node.tls_port
    reply[b"ip"] = node.ip.encode()
    reply[b"endpoint"] = (_endpoint(node, settings) or "").encode()
    if node.hostname:
        reply[b"hostname"] = node.hostname.encode()
    reply[b"role"] = b"replica" if node.is_replica else b"master"
    reply[b"replication-offset"] = offset
    reply[b"health"] = b"fail" if node.failing else b"loading" if node.is_replica and not offset else b"online"
    return reply


def _offset(node: Node, seen: Seen) -> int:
    return seen[node.id].offset if node.id in seen else 0
