"""Every option of a node, declared once: the groups, in the order in which people read them."""

from __future__ import annotations

from .features import Access, Directives, Observation, Scripts, Tls
from .memory import Encodings, Kernel, MemoryLimit
from .network import Clients, Network, Process
from .storage import AppendOnly, Snapshots
from .topology import Cluster, Replication


class Config(
    Network,
    Process,
    Clients,
    Cluster,
    Snapshots,
    AppendOnly,
    Replication,
    MemoryLimit,
    Encodings,
    Observation,
    Scripts,
    Access,
    Tls,
    Kernel,
    Directives,
):
    """The options of a node and their values: ``config.maxclients`` is an ``int`` that costs one attribute read."""


__all__ = ["Config"]
