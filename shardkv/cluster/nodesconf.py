"""nodes.conf: the view as text, in Redis's own format, and back.

A line a node, as CLUSTER NODES prints it, then ``vars currentEpoch N lastVoteEpoch N``, and vars of our own where there
is something to say in them: ``straySlots 0-99,200``, ``takenSlots ID:5,7-9;ID:20`` (Redis skips those that it doesn't
know). The line of vars stands last and every line ends with a newline, so a file that was cut anywhere is found out.
Read is what 7.0 and 7.2+ write: the address may have a bus port, a hostname and named extras
(``ip:port@bus,hostname,shard-id=...,tls-port=...``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .nodes import (
    FLAG_NAMES,
    HANDSHAKE,
    MASTER,
    MIGRATE_TO,
    MYSELF,
    PFAIL,
    SLAVE,
    SLOTS,
    Node,
    NodeId,
    bitmap_of_range,
    ranges_of,
)
from .peers import Liveness
from .sound import sound_address, sound_id, sound_name
from .view import ClusterView

_FLAGS = {name: flag for flag, name in FLAG_NAMES.items()} | {"noflags": 0}
_BUS_OFFSET = 10000
_SILENCE = Liveness(connected=False)
_STRAYS = "straySlots"
_TAKEN = "takenSlots"


class NodesConfFault(Exception):
    """A nodes.conf that can't be used. ``line`` counts from 1; the text names it and says what is wrong."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


def dump(view: ClusterView, liveness: Mapping[NodeId, Liveness] | None = None) -> str:
    """The whole text. Nodes whose handshake is not done are left out. ``liveness`` only fills two columns for
    people."""
    seen = liveness or {}
    lines = [
        node_line(view, node, seen.get(node.id, _SILENCE), _address(node), opened=True)
        for node in view.nodes.values()
        if not node.flags & HANDSHAKE
    ]
    said = f" {_STRAYS} {_ranges_text(view.strays)}" if view.strays else ""
    if view.taken:
        said += f" {_TAKEN} {';'.join(f'{node}:{_ranges_text(slots)}' for node, slots in view.taken.items())}"
    lines.append(f"vars currentEpoch {view.current_epoch} lastVoteEpoch {view.last_vote_epoch}{said}")
    return "\n".join(lines) + "\n"


def _ranges_text(slots: int) -> str:
    return ",".join(f"{first}-{last}" for first, last in ranges_of(slots))


def _address(node: Node) -> str:
    extras = [f"shard-id={node.shard_id}"] if node.shard_id else []
    if node.tls_port:
        extras.append(f"tls-port={node.tls_port}")
    if node.human_nodename:
        extras.append(f"nodename={node.human_nodename}")
    names = ",".join([node.hostname, *extras])
    return f"{node.ip}:{node.port}@{node.bus_port}" + (f",{names}" if names else "")


def node_line(view: ClusterView, node: Node, seen: Liveness, address: str, *, opened: bool = False) -> str:
    """A node as nodes.conf and CLUSTER NODES write it, without the newline. ``opened``: with the open slots that a
    replica keeps for its primary."""
    words = [
        node.id,
        address,
        node.flag_text,
        node.primary or "-",
        str(int(seen.ping_sent * 1000)),
        str(int(seen.pong_received * 1000)),
        str(view.endpoint_epoch(node)),
        "connected" if seen.connected or node.flags & MYSELF else "disconnected",
    ]
    words += [str(start) if start == end else f"{start}-{end}" for start, end in ranges_of(node.slots)]
    if node.flags & MYSELF and (opened or node.is_primary):
        words += [f"[{slot}->-{there}]" for slot, there in sorted(view.migrating.items())]
        words += [f"[{slot}-<-{there}]" for slot, there in sorted(view.importing.items())]
    return " ".join(words)


def load(text: str) -> ClusterView | None:
    """The view in a nodes.conf; None for an empty file (a node not born yet). Raises ``NodesConfFault``."""
    if not text:
        return None
    lines = text.split("\n")
    if lines.pop():
        raise NodesConfFault(len(lines) + 1, "the file was cut: the last line has no newline")
    reader = _Reader()
    for number, line in enumerate(lines, 1):
        try:
            reader.take(line)
        except ValueError as fault:
            raise NodesConfFault(number, str(fault)) from None
    try:
        return reader.view()
    except ValueError as fault:
        raise NodesConfFault(len(lines), str(fault)) from None


class _Reader:
    """Lines in, a view out. Raises ``ValueError`` with the reason for a line that does not fit."""

    def __init__(self) -> None:
        self.nodes: dict[NodeId, Node] = {}
        self.migrating: dict[int, NodeId] = {}
        self.importing: dict[int, NodeId] = {}
        self.epochs: dict[str, int] | None = None
        self.assigned = 0
        self.strays = 0
        self.taken: dict[NodeId, int] = {}

    def take(self, line: str) -> None:
        words = line.split()
        if not words:
            raise ValueError("an empty line")
        if self.epochs is not None:
            raise ValueError("a line after the vars")
        if words[0] == "vars":
            self._take_vars(words[1:])
            return
        if len(words) < 8:
            raise ValueError(f"a node has at least 8 fields, here are {len(words)}")
        identity, address, flags, primary, _ping, _pong, epoch, _link = words[:8]
        if not sound_id(identity) or identity in self.nodes:
            raise ValueError(f"not a node id, or one that was there before: {identity}")
        node = _with_address(Node(identity, flags=_flags(flags), config_epoch=_number(epoch)), address)
        if primary != "-":
            if not sound_id(primary) or not node.is_replica:
                raise ValueError(f"not the id of a replica's primary: {primary}")
            node = replace(node, primary=primary)
        slots = 0
        for word in words[8:]:
            slots |= self._take_slots(word)
        if slots and not node.is_primary:
            raise ValueError("a replica owns slots")
        self.nodes[identity] = replace(node, slots=slots)

    def _take_slots(self, word: str) -> int:
        if word.startswith("[") and word.endswith("]"):
            for arrow, moves in (("->-", self.migrating), ("-<-", self.importing)):
                slot, found, there = word[1:-1].partition(arrow)
                if found:
                    if not sound_id(there):
                        raise ValueError(f"not a slot on the move: {word}")
                    moves[_slot(slot)] = there
                    return 0
            raise ValueError(f"not a slot on the move: {word}")
        start, _, end = word.partition("-")
        first, last = _slot(start), _slot(end or start)
        run = bitmap_of_range(first, last) if first <= last else 0
        if not run or run & self.assigned:
            raise ValueError(f"slots that are no range, or have an owner already: {word}")
        self.assigned |= run
        return run

    def _take_vars(self, words: list[str]) -> None:
        if len(words) % 2:
            raise ValueError("vars come in pairs")
        told = dict(zip(words[::2], words[1::2], strict=True))
        self.strays = _slots_told(told.pop(_STRAYS, ""))
        for word in filter(None, told.pop(_TAKEN, "").split(";")):
            node, _, slots = word.partition(":")
            if not sound_id(node):
                raise ValueError(f"not a node that slots were taken from: {word}")
            self.taken[node] = _slots_told(slots)
        self.epochs = {name: _number(value) for name, value in told.items()}
        if "currentEpoch" not in self.epochs or "lastVoteEpoch" not in self.epochs:
            raise ValueError("vars lack currentEpoch or lastVoteEpoch")

    def view(self) -> ClusterView:
        """What all lines say together."""
        myself = [node.id for node in self.nodes.values() if node.flags & MYSELF]
        if len(myself) != 1:
            raise ValueError(f"one node must be myself, here are {len(myself)}")
        if self.epochs is None:
            raise ValueError("the file was cut: the vars are missing")
        # A primary that has no line of its own is met again by gossip; until then its replica follows nobody.
        nodes = {
            node.id: replace(
                node,
                primary=node.primary if node.primary in self.nodes else None,
                config_epoch=node.config_epoch if node.is_primary else 0,
                shard_id=node.shard_id or node.primary or node.id,
            )
            for node in self.nodes.values()
        }
        for primary in dict.fromkeys(node.primary for node in nodes.values() if node.primary is not None):
            nodes[primary] = replace(nodes[primary], flags=nodes[primary].flags | MIGRATE_TO)
        me = nodes[myself[0]]
        mine = nodes.get(me.primary or "", me).slots
        top = max(self.epochs["currentEpoch"], *(node.config_epoch for node in nodes.values()), 0)
        return ClusterView(
            me.id,
            nodes,
            current_epoch=top,
            last_vote_epoch=self.epochs["lastVoteEpoch"],
            migrating={s: there for s, there in self.migrating.items() if mine >> s & 1 and there in nodes},
            importing={s: there for s, there in self.importing.items() if there in nodes},
            strays=self.strays & ~mine,
            taken={
                node: slots & me.slots
                for node, slots in self.taken.items()
                if slots & me.slots and node in nodes and node != me.id
            },
        )


def _slots_told(text: str) -> int:
    """The slots in ``0-99,200``."""
    slots = 0
    for word in filter(None, text.split(",")):
        first, _, last = word.partition("-")
        start, end = _number(first), _number(last or first)
        if not start <= end < SLOTS:
            raise ValueError(f"not a range of slots: {word}")
        slots |= bitmap_of_range(start, end)
    return slots


def _with_address(node: Node, word: str) -> Node:
    address, *extras = word.split(",")
    where, at, bus = address.partition("@")
    ip, colon, port_text = where.rpartition(":")
    if not colon:
        raise ValueError(f"not an address: {word}")
    port = _number(port_text)
    named: dict[str, str] = {}
    hostname = extras[0] if extras and "=" not in extras[0] else ""
    for extra in extras:
        name, _, value = extra.partition("=")
        named[name] = value
    bus_port = _number(bus) if at else port + _BUS_OFFSET
    tls_port = _number(named.get("tls-port") or "0")
    port = _number(named.get("tcp-port") or str(port))
    shard, nodename = named.get("shard-id", ""), named.get("nodename", "")
    placed = sound_address(ip, port, tls_port, bus_port) or (not ip and not port)
    if not placed or not sound_name(hostname) or not sound_name(nodename) or (shard and not sound_id(shard)):
        raise ValueError(f"not an address: {word}")
    return replace(
        node,
        ip=ip,
        port=port,
        bus_port=bus_port,
        tls_port=tls_port,
        hostname=hostname,
        human_nodename=nodename,
        shard_id=shard,
    )


def _flags(word: str) -> int:
    flags = 0
    for name in word.split(","):
        if name not in _FLAGS:
            raise ValueError(f"not a flag: {name}")
        flags |= _FLAGS[name]
    if bool(flags & MASTER) == bool(flags & SLAVE):
        raise ValueError(f"neither master nor slave: {word}")
    return flags & ~PFAIL


def _number(word: str) -> int:
    if not (word.isascii() and word.isdigit()) or len(word) > 19:
        raise ValueError(f"not a number: {word}")
    return int(word)


def _slot(word: str) -> int:
    slot = _number(word)
    if slot >= SLOTS:
        raise ValueError(f"not a slot: {word}")
    return slot
