"""A node of the cluster as others know it, its flags, and sets of slots as bitmaps.

A set of slots is an ``int`` whose bit ``n`` stands for slot ``n``: comparing, joining and cutting two of them costs
well under a microsecond, whatever the number of slots, and that is what the bus does with them all day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

NodeId: TypeAlias = str
"""40 hexadecimal digits."""

SLOTS: Final = 16384
ALL_SLOTS: Final = (1 << SLOTS) - 1
BITMAP_BYTES: Final = SLOTS // 8

# Plain ints, with Redis's values, since the bus carries them and tests them in its inner loops (``enum.Flag`` is 20
# times slower).
MASTER: Final = 1
SLAVE: Final = 2
PFAIL: Final = 4
FAIL: Final = 8
MYSELF: Final = 16
HANDSHAKE: Final = 32
NOADDR: Final = 64
MIGRATE_TO: Final = 256
NOFAILOVER: Final = 512
FAILING: Final = PFAIL | FAIL
UNKNOWN_YET: Final = HANDSHAKE | NOADDR

FLAG_NAMES: Final[dict[int, str]] = {
    MYSELF: "myself",
    MASTER: "master",
    SLAVE: "slave",
    PFAIL: "fail?",
    FAIL: "fail",
    HANDSHAKE: "handshake",
    NOADDR: "noaddr",
    NOFAILOVER: "nofailover",
}
"""Names in the order in which CLUSTER NODES lists them. MIGRATE_TO is not shown."""


@dataclass(frozen=True, slots=True)
class Node:
    """What is agreed on and persisted about a node; when it was last heard is kept beside the view (``peers.py``).

    ``port`` is the plain client port, ``tls_port`` the one for TLS clients (0: none). ``ip`` is empty while unknown. A
    replica holds no ``slots`` and names its ``primary`` (None also while its primary is not known yet).
    """

    id: NodeId
    ip: str = ""
    port: int = 0
    bus_port: int = 0
    tls_port: int = 0
    hostname: str = ""
    human_nodename: str = ""
    shard_id: str = ""
    flags: int = MASTER
    primary: NodeId | None = None
    config_epoch: int = 0
    slots: int = 0

    @property
    def is_primary(self) -> bool:
        """Whether it is flagged master (with or without slots)."""
        return bool(self.flags & MASTER)

    @property
    def is_replica(self) -> bool:
        """Whether it is flagged slave."""
        return bool(self.flags & SLAVE)

    @property
    def votes(self) -> bool:
        """Whether it counts for majorities: a primary that owns slots."""
        return bool(self.flags & MASTER and self.slots)

    @property
    def failing(self) -> bool:
        """Whether a majority has marked it FAIL."""
        return bool(self.flags & FAIL)

    @property
    def address(self) -> str:
        """For log lines: ``ip:port``."""
        return f"{self.ip}:{self.port}"

    @property
    def flag_text(self) -> str:
        """The flags as CLUSTER NODES writes them: ``myself,master``."""
        return ",".join(name for flag, name in FLAG_NAMES.items() if self.flags & flag) or "noflags"


def bitmap_of(slots: Iterable[int]) -> int:
    """The set of these slots."""
    bits = bytearray(BITMAP_BYTES)
    for slot in slots:
        bits[slot >> 3] |= 1 << (slot & 7)
    return int.from_bytes(bits, "little")


def bitmap_of_range(start: int, end: int) -> int:
    """The set of the slots from ``start`` to ``end``, both included."""
    return (1 << end + 1) - (1 << start)


def ranges_of(bitmap: int) -> Iterator[tuple[int, int]]:
    """The runs (first, last) of a set of slots, ascending. Costs by the number of runs, not of slots."""
    base = 0
    while bitmap:
        gap = (bitmap & -bitmap).bit_length() - 1
        bitmap >>= gap
        run = (~bitmap & (bitmap + 1)).bit_length() - 1
        bitmap >>= run
        yield base + gap, base + gap + run - 1
        base += gap + run


def slots_of(bitmap: int) -> tuple[int, ...]:
    """The members of a set of slots, ascending."""
    return tuple(slot for start, end in ranges_of(bitmap) for slot in range(start, end + 1))


def pack_bitmap(bitmap: int) -> bytes:
    """A set of slots as the 2048 bytes of a header."""
    return bitmap.to_bytes(BITMAP_BYTES, "little")


@lru_cache(maxsize=2048)  # every header of a node has the same slots as the one before
def unpack_bitmap(packed: bytes) -> int:
    """The set of slots in a header. What lies beyond the last slot is cut off."""
    return int.from_bytes(packed[:BITMAP_BYTES], "little")
