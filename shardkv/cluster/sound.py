"""Whether what a stranger sent makes sense, before any of it gets into the view, the log or nodes.conf.

The codec has checked types and sizes; here it is about meaning: ids, addresses and names end up as words of a text
file and of replies, so a blank or a newline in one would forge others.
"""

from __future__ import annotations

import re

from .messages import GossipEntry, Header
from .nodes import BITMAP_BYTES, MASTER, SLAVE, SLOTS

_ID = re.compile(r"[0-9a-f]{40}\Z")
_IP = re.compile(r"[0-9A-Za-z.:_%-]{0,255}\Z")
_NAME = re.compile(r"[0-9A-Za-z._-]{0,255}\Z")
_EPOCH_MAX = 1 << 62


def sound_id(node: str) -> bool:
    """Whether it is a node id."""
    return _ID.match(node) is not None


def sound_address(ip: str, port: int, tls_port: int, bus_port: int) -> bool:
    """Whether it is an address that can be dialled and written down. The ip may be empty."""
    ports = 0 <= port < 65536 and 0 <= tls_port < 65536 and 0 < bus_port < 65536
    return ports and _IP.match(ip) is not None


def sound_name(name: str) -> bool:
    """Whether a host's or node's announced name has only letters, digits, dots, hyphens and underscores."""
    return _NAME.match(name) is not None


def sound_header(header: Header) -> bool:
    """Whether a header can come from a node as we know them."""
    return (
        sound_id(header.sender)
        and sound_address(header.ip, header.port, header.tls_port, header.bus_port)
        and len(header.slots) == BITMAP_BYTES
        and 0 <= header.current_epoch < _EPOCH_MAX
        and 0 <= header.config_epoch < _EPOCH_MAX
        and 0 <= header.offset < 1 << 63
        and 0 <= header.keys < 1 << 63
        and all(0 <= slot < SLOTS and sound_id(node) for slot, node in header.migrating + header.importing)
        and (header.primary is None or (sound_id(header.primary) and header.primary != header.sender))
        and bool(header.flags & MASTER) != bool(header.flags & SLAVE)
        and (header.primary is None or bool(header.flags & SLAVE))
        and (not header.shard_id or sound_id(header.shard_id))
        and sound_name(header.hostname)
        and sound_name(header.human_nodename)
    )


def sound_entry(entry: GossipEntry) -> bool:
    """Whether gossip names a node that can be added: a true id and a full address."""
    return sound_id(entry.id) and bool(entry.ip) and sound_address(entry.ip, entry.port, entry.tls_port, entry.bus_port)
