"""Options of replication and of the cluster."""

from __future__ import annotations

import re

from ..kinds import INT_MAX, LONG_MAX, ULONG_MAX, Choice, Flag, Integer, Memory, Secret, Text
from ..listkinds import PrimaryAddress
from ..schema import IMMUTABLE, Option, Table
from .network import PORT


def _host_name(value: str) -> str | None:
    if len(value) >= 256:
        return "Hostnames must be less than 256 characters"
    if not re.fullmatch(r"[A-Za-z0-9.-]*", value):
        return "Hostnames may only contain alphanumeric characters, hyphens or dots"
    return None


def _node_name(value: str) -> str | None:
    if len(value) > 128:
        return "Node names must be less than 128 characters"
    if not re.fullmatch(r"[A-Za-z0-9.-]*", value):
        return "Announced human node name contained invalid character"
    return None


class Replication(Table, title="replication"):
    """Primaries and replicas."""

    replicaof = Option(
        PrimaryAddress(),
        None,
        "The primary that this node copies. REPLICAOF changes it while the node runs.",
        mutable=IMMUTABLE,
        aliases=("slaveof",),
    )
    masterauth = Option(Secret(), b"", "The password to give to the primary.", sensitive=True)
    masteruser = Option(Text(), "", "The user to be on the primary.", sensitive=True)
    replica_serve_stale_data = Option(
        Flag(),
        True,
        "Whether a replica answers while it has lost its primary.",
        aliases=("slave-serve-stale-data",),
    )
    replica_read_only = Option(Flag(), True, "Whether a replica refuses writes.", aliases=("slave-read-only",))
    replica_lazy_flush = Option(
        Flag(),
        False,
        "Whether a replica frees its old keys in the background when it loads new ones.",
        aliases=("slave-lazy-flush",),
        no_effect="it does in any case",
    )
    replica_priority = Option(
        Integer(0),
        100,
        "Who is preferred for promotion by Sentinel: the least. 0: never this one.",
        aliases=("slave-priority",),
    )
    replica_announced = Option(Flag(), True, "Whether Sentinel reports this replica.")
    replica_announce_ip = Option(Text(), "", "The address a replica says it has.", aliases=("slave-announce-ip",))
    replica_announce_port = Option(
        PORT, 0, "The port a replica says it has. 0: its own.", aliases=("slave-announce-port",)
    )
    replica_ignore_disk_write_errors = Option(Flag(), False, "Whether a replica goes on when its disk fails.")
    min_replicas_to_write = Option(
        Integer(0),
        0,
        "How many replicas must be near for writes to be accepted.",
        aliases=("min-slaves-to-write",),
    )
    min_replicas_max_lag = Option(
        Integer(0),
        10,
        "Seconds since a replica was heard of, up to which it is near.",
        aliases=("min-slaves-max-lag",),
    )
    repl_backlog_size = Option(
        Memory(1, LONG_MAX),
        2**20,
        "Bytes of the stream that are kept for replicas that come back.",
    )
    repl_backlog_ttl = Option(
        Integer(0, LONG_MAX),
        3600,
        "Seconds after the last replica left, when they are freed. 0: never.",
    )
    repl_ping_replica_period = Option(
        Integer(1),
        10,
        "Seconds between two pings to the replicas.",
        aliases=("repl-ping-slave-period",),
    )
    repl_timeout = Option(Integer(1), 60, "Seconds of silence after which a link is given up.")
    repl_disable_tcp_nodelay = Option(
        Flag(), False, "Whether small packets to replicas are held back to save bandwidth."
    )
    repl_diskless_sync = Option(Flag(), True, "Whether a new replica's snapshot goes to it without a file.")
    repl_diskless_sync_delay = Option(Integer(0), 5, "Seconds to wait for more replicas that want the same snapshot.")
    repl_diskless_sync_max_replicas = Option(
        Integer(0), 0, "How many of them end that wait. 0: it is always waited out."
    )
    repl_diskless_load = Option(
        Choice("disabled", "on-empty-db", "swapdb"),
        "disabled",
        "Whether a replica loads a snapshot as it arrives.",
        awaits_data=True,
    )
    propagation_error_behavior = Option(
        Choice("ignore", "panic", "panic-on-replicas"),
        "ignore",
        "What follows when a replicated command fails.",
    )


class Cluster(Table, title="cluster"):
    """Nodes that share the slots."""

    cluster_enabled = Option(Flag(), False, "Whether this node is part of a cluster.", mutable=IMMUTABLE)
    cluster_config_file = Option(
        Text(kept=True), "nodes.conf", "The file in which the node keeps its view of the cluster.", mutable=IMMUTABLE
    )
    cluster_node_timeout = Option(
        Integer(0, LONG_MAX),
        15_000,
        "Milliseconds that a node may be silent before its peers suspect it; fewer than 200 count as 200.",
    )
    cluster_port = Option(PORT, 0, "The port of the bus. 0: 10000 above the port for clients.", mutable=IMMUTABLE)
    cluster_auth_secret = Option(
        Secret(),
        b"",
        "The secret that nodes prove to each other before they talk. Empty: the bus is open to anyone who reaches it.",
        mutable=IMMUTABLE,
        sensitive=True,
    )
    cluster_announce_ip = Option(
        Text(), "", "The address that peers and clients are told. Empty: the one that is seen."
    )
    cluster_announce_port = Option(PORT, 0, "The client port that they are told. 0: the real one.")
    cluster_announce_tls_port = Option(PORT, 0, "The TLS port that they are told. 0: the real one.")
    cluster_announce_bus_port = Option(PORT, 0, "The bus port that peers are told. 0: the real one.")
    cluster_announce_hostname = Option(Text(), "", "The host's name that they are told.", check=_host_name)
    cluster_announce_human_nodename = Option(
        Text(), "", "A name of this node for people, shown in logs.", check=_node_name
    )
    cluster_preferred_endpoint_type = Option(
        Choice("ip", "hostname", "unknown-endpoint"), "ip", "What redirections name: address, host name, or nothing."
    )
    cluster_require_full_coverage = Option(
        Flag(), True, "Whether the cluster stops when a slot has no owner; otherwise the other slots go on."
    )
    cluster_allow_reads_when_down = Option(Flag(), False, "Whether reads are answered while the cluster is down.")
    cluster_allow_pubsubshard_when_down = Option(
        Flag(), True, "Whether sharded pub/sub goes on while the cluster is down."
    )
    cluster_link_sendbuf_limit = Option(
        Memory(0, ULONG_MAX),
        0,
        "Bytes that may wait for a peer before its link is dropped. 0: no limit but the bus's own.",
    )
    cluster_blacklist_ttl = Option(Integer(0, LONG_MAX), 60, "Seconds that CLUSTER FORGET keeps a node away.")
    cluster_databases = Option(
        Integer(1, INT_MAX),
        1,
        "How many databases a cluster has, numbered from 0, each with keys in all slots.",
        mutable=IMMUTABLE,
    )
    cluster_slot_stats_enabled = Option(
        Flag(),
        False,
        "Whether processor time and traffic are counted for each slot; requests then take longer.",
    )
    cluster_replica_no_failover = Option(
        Flag(),
        False,
        "Whether this replica never takes over by itself.",
        aliases=("cluster-slave-no-failover",),
    )
    cluster_replica_validity_factor = Option(
        Integer(0),
        1,  # Redis's 10 lets a replica take over that lacks the last minutes of its primary
        "Node timeouts of its primary's life that the data of a replica that takes over may lack. 0: any number.",
        aliases=("cluster-slave-validity-factor",),
    )
    cluster_migration_barrier = Option(
        Integer(0),
        1,
        "How many replicas a primary keeps when one of them could go to another primary.",
    )
    cluster_allow_replica_migration = Option(Flag(), True, "Whether replicas go to primaries that have none.")
