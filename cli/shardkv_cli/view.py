"""What a node says of its cluster, as values read from the texts of CLUSTER NODES, CLUSTER INFO, INFO. No sockets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .address import Address

SLOTS = 16384
BUS_OFFSET = 10000


@dataclass(frozen=True, slots=True)
class NodeLine:
    """One line of CLUSTER NODES.

    ``primary`` is the id that a replica follows, None for a primary. ``slots`` are inclusive ranges. ``migrating`` and
    ``importing`` (slot -> the other node's id) are known only for the node that wrote the line of itself.
    """

    id: str
    host: str
    port: int
    bus_port: int
    flags: tuple[str, ...]
    primary: str | None
    epoch: int
    connected: bool
    slots: tuple[tuple[int, int], ...]
    migrating: tuple[tuple[int, str], ...] = ()
    importing: tuple[tuple[int, str], ...] = ()

    @property
    def address(self) -> Address:
        """Where clients reach it; the host is empty as long as the node does not know its own."""
        return Address(self.host, self.port)

    @property
    def myself(self) -> bool:
        """Whether this is the line of the node that was asked."""
        return "myself" in self.flags

    @property
    def is_primary(self) -> bool:
        """Whether the node has (or may have) slots of its own."""
        return "master" in self.flags

    @property
    def joined(self) -> bool:
        """Whether the node is a full member with a known address: no handshake under way, not ``noaddr``."""
        return "handshake" not in self.flags and "noaddr" not in self.flags

    @property
    def slot_count(self) -> int:
        """How many slots it serves."""
        return count_slots(self.slots)


def parse_nodes(text: str) -> tuple[NodeLine, ...]:
    """The lines of CLUSTER NODES in their order. Raises ValueError for a line that is none."""
    return tuple(parse_node(line) for line in text.splitlines() if line.strip())


def parse_node(line: str) -> NodeLine:
    """One line: ``<id> <ip>:<port>@<bus>[,hostname...] <flags> <primary> <ping> <pong> <epoch> <link> <slots...>``."""
    words = line.split()
    if len(words) < 8:
        raise ValueError(f"not a line of CLUSTER NODES: {line!r}")
    endpoint = words[1].split(",", 1)[0]
    place, _, bus = endpoint.partition("@")
    host, _, port = place.rpartition(":")
    ranges: list[tuple[int, int]] = []
    migrating: list[tuple[int, str]] = []
    importing: list[tuple[int, str]] = []
    for word in words[8:]:
        if word.startswith("["):
            slot, arrow, other = partition_open_slot(word.strip("[]"))
            (migrating if arrow == "->-" else importing).append((slot, other))
        else:
            first, _, last = word.partition("-")
            ranges.append((int(first), int(last or first)))
    return NodeLine(
        id=words[0],
        host=host.strip("[]"),
        port=int(port),
        bus_port=int(bus or 0),
        flags=tuple(words[2].split(",")),
        primary=None if words[3] == "-" else words[3],
        epoch=int(words[6]),
        connected=words[7] == "connected",
        slots=tuple(ranges),
        migrating=tuple(migrating),
        importing=tuple(importing),
    )


def partition_open_slot(word: str) -> tuple[int, str, str]:
    """``5061->-<id>`` (migrating to) or ``5061-<-<id>`` (importing from) as slot, arrow, id."""
    for arrow in ("->-", "-<-"):
        slot, found, other = word.partition(arrow)
        if found:
            return int(slot), arrow, other
    raise ValueError(f"not an open slot of CLUSTER NODES: {word!r}")


def parse_info(text: str) -> dict[str, str]:
    """The ``name:value`` lines of INFO or CLUSTER INFO."""
    fields = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and not name.startswith("#"):
            fields[name] = value.strip()
    return fields


def keys_in(info: dict[str, str]) -> int:
    """How many keys the keyspace section of an INFO tells of, over all databases."""
    total = 0
    for name, value in info.items():
        if name.startswith("db") and name[2:].isdigit():
            total += int(dict(pair.split("=", 1) for pair in value.split(",")).get("keys", "0"))
    return total


Signature = tuple[tuple[str, str, tuple[tuple[int, int], ...]], ...]


def signature(lines: Iterable[NodeLine]) -> Signature:
    """What nodes must share to agree: every full member, whom it follows, its slots; neither order nor epochs."""
    return tuple(sorted((line.id, line.primary or "", tuple(sorted(line.slots))) for line in lines if line.joined))


def count_slots(ranges: Iterable[tuple[int, int]]) -> int:
    """How many slots inclusive ranges hold."""
    return sum(last - first + 1 for first, last in ranges)


def to_ranges(slots: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Slots as the fewest inclusive ranges, ascending."""
    ranges: list[tuple[int, int]] = []
    for slot in sorted(slots):
        if ranges and ranges[-1][1] == slot - 1:
            ranges[-1] = (ranges[-1][0], slot)
        else:
            ranges.append((slot, slot))
    return tuple(ranges)


def show_ranges(ranges: Iterable[tuple[int, int]]) -> str:
    """``0-5460, 9000``, or ``-`` for none."""
    return ", ".join(f"{first}-{last}" if first != last else str(first) for first, last in ranges) or "-"
