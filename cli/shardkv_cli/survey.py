"""Asks every node of a cluster what it sees, all at once. ``check`` and ``status`` work on the answer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .access import Access
from .address import Address
from .client import Client, connect, each
from .exits import Failure
from .view import NodeLine, keys_in, parse_info, parse_nodes


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One node: its line in the view of the node that was asked first, and what it said itself.

    ``view`` is None when it could not be asked, and ``failure`` then says why. ``keys`` counts keys, replicas' too.
    ``memory`` in bytes, ``operations`` per second, ``offset`` of replication; ``linked``: a replica's link is up.
    """

    line: NodeLine
    address: Address
    view: tuple[NodeLine, ...] | None = None
    cluster_state: str | None = None
    keys: int | None = None
    failure: str | None = None
    memory: int | None = None
    operations: int | None = None
    offset: int | None = None
    linked: bool = True

    @property
    def own(self) -> NodeLine | None:
        """Its line about itself: the only place where open slots can be read."""
        return next((line for line in self.view or () if line.myself), None)

    @property
    def state(self) -> str:
        """A word or two for people."""
        if "fail" in self.line.flags:
            return "failed"
        if self.failure is not None:
            return "unreachable"
        if "fail?" in self.line.flags:
            return "suspected"
        return "ok" if self.cluster_state == "ok" else f"cluster {self.cluster_state}"


@dataclass(frozen=True, slots=True)
class Survey:
    """All nodes that the first one knows, primaries by their first slot, each followed by its replicas."""

    asked: Address
    nodes: tuple[NodeReport, ...]


async def survey(address: Address, access: Access) -> Survey:
    """Asks the node at ``address`` for its view, then every node in it. Raises Failure if the first does not answer."""
    async with connect(address, access) as client:
        lines = await read_view(client)
        ip = client.ip

    async def ask(line: NodeLine) -> NodeReport:
        # A node that was never met does not know its own address, and it writes loopback peers as it met them.
        place = Address(ip, address.port) if line.myself else line.address
        if not line.joined:
            return NodeReport(line, place, failure="has not joined: " + ",".join(line.flags))
        try:
            async with connect(place, access) as client:
                view = await read_view(client)
                info = parse_info(await client.text("CLUSTER", "INFO"))
                facts = parse_info(await client.text("INFO"))
                return NodeReport(
                    line,
                    place,
                    view,
                    info.get("cluster_state"),
                    keys_in(facts),
                    memory=int(facts.get("used_memory", "0")),
                    operations=int(facts.get("instantaneous_ops_per_sec", "0")),
                    offset=int(facts.get("slave_repl_offset", facts.get("master_repl_offset", "0"))),
                    linked=facts.get("master_link_status", "up") == "up",
                )
        except Failure as failure:
            return NodeReport(line, place, failure=failure.message)

    reports = [report for report in await each(lines, ask) if isinstance(report, NodeReport)]
    # Flags that a line has only because of who was asked would differ between runs for no reason.
    bare = [replace(r, line=replace(r.line, flags=tuple(f for f in r.line.flags if f != "myself"))) for r in reports]
    return Survey(address, tuple(in_order(bare)))


async def read_view(client: Client) -> tuple[NodeLine, ...]:
    """CLUSTER NODES of one node; a text that is none is a Failure."""
    text = await client.text("CLUSTER", "NODES")
    try:
        return parse_nodes(text)
    except ValueError as error:
        raise Failure(f"{client.address}: {error}") from None


def in_order(nodes: list[NodeReport]) -> list[NodeReport]:
    """Primaries by first slot (those without any last), each followed by its replicas; orphaned replicas at the end."""
    by_place = sorted(nodes, key=lambda node: (node.line.slots[:1] or ((1 << 20, 0),), node.address))
    heads = [node for node in by_place if node.line.primary is None]
    known = {node.line.id for node in heads}
    ordered = []
    for head in heads:
        ordered.append(head)
        ordered.extend(node for node in by_place if node.line.primary == head.line.id)
    ordered.extend(node for node in by_place if node.line.primary is not None and node.line.primary not in known)
    return ordered
