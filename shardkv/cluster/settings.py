"""The options of the cluster, as the machine and the routing rules read them. All times are in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Endpoint(Enum):
    """``cluster-preferred-endpoint-type``: how nodes are named to clients."""

    IP = "ip"
    HOSTNAME = "hostname"
    UNKNOWN = "unknown-endpoint"


@dataclass(frozen=True, slots=True)
class Settings:
    """One value for all of them; a CONFIG SET makes the next one (``dataclasses.replace``).

    The ``announce_`` fields are empty or 0 where the operator says nothing; ports are then those of the view's own
    node.
    """

    node_timeout: float = 15.0
    require_full_coverage: bool = True
    allow_reads_when_down: bool = False
    allow_pubsubshard_when_down: bool = True
    allow_replica_migration: bool = True
    no_failover: bool = False
    validity_factor: int = 1
    """How many node timeouts a candidate's data may lack at their end; 0: any."""
    migration_barrier: int = 1
    manual_failover_timeout: float = 5.0
    """How long an ordered failover may take before it is called off."""
    preferred_endpoint: Endpoint = Endpoint.IP
    announce_ip: str = ""
    announce_port: int = 0
    announce_tls_port: int = 0
    announce_bus_port: int = 0
    announce_hostname: str = ""
    announce_human_nodename: str = ""
    forget_ttl: float = 60.0
    """How long a forgotten node may not come back by gossip."""
    writable_delay: float = 2.0
    """How long a primary that has just started waits before it says ok, so that it hears of a failover first."""

    @property
    def handshake_timeout(self) -> float:
        """How long a stranger may take to answer a MEET."""
        return max(self.node_timeout, 1.0)

    @property
    def staleness_limit(self) -> float:
        """How much of its primary's life a candidate's data may lack; not below what pings can measure."""
        return max(self.node_timeout, 1.0) * self.validity_factor if self.validity_factor else float("inf")

    @property
    def watch_interval(self) -> float:
        """How often a replica asks whether its primary is there."""
        return min(max(self.node_timeout / 10, 0.1), 1.0)

    @property
    def rejoin_delay(self) -> float:
        """How long a primary that was in a minority waits before it serves again: others may have to correct it
        first."""
        return min(max(self.node_timeout, 0.5), 5.0)
