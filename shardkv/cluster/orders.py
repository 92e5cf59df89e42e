"""Orders: the CLUSTER commands that change something, parsed; and the words they are made of.

What the machine cannot know, how many keys there are, the order brings along.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from shardkv.errors import ReplyError

from .nodes import SLOTS, NodeId


@dataclass(frozen=True, slots=True)
class MeetNode:
    """CLUSTER MEET: say hello to whoever listens there."""

    ip: str
    port: int
    bus_port: int


@dataclass(frozen=True, slots=True)
class AddSlots:
    """CLUSTER ADDSLOTS and ADDSLOTSRANGE: inclusive ranges, in the order given (a single slot is a range of one)."""

    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class DelSlots:
    """CLUSTER DELSLOTS and DELSLOTSRANGE."""

    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class FlushSlots:
    """CLUSTER FLUSHSLOTS. ``empty``: database 0 holds no key."""

    empty: bool


@dataclass(frozen=True, slots=True)
class SetSlotImporting:
    """CLUSTER SETSLOT n IMPORTING source."""

    slot: int
    source: NodeId


@dataclass(frozen=True, slots=True)
class SetSlotMigrating:
    """CLUSTER SETSLOT n MIGRATING target."""

    slot: int
    target: NodeId


@dataclass(frozen=True, slots=True)
class SetSlotStable:
    """CLUSTER SETSLOT n STABLE."""

    slot: int


@dataclass(frozen=True, slots=True)
class SetSlotNode:
    """CLUSTER SETSLOT n NODE owner. ``keys``: how many keys the slot holds here."""

    slot: int
    owner: NodeId
    keys: int


@dataclass(frozen=True, slots=True)
class TakeSlots:
    """The end of an atomic migration at its target: these slots of ``source`` (a set) are this node's, under an epoch
    above all others."""

    slots: int
    source: NodeId


@dataclass(frozen=True, slots=True)
class GiveSlots:
    """The same at its source: ``target`` has taken them."""

    slots: int
    target: NodeId


@dataclass(frozen=True, slots=True)
class ForgetNode:
    """CLUSTER FORGET."""

    node: NodeId


@dataclass(frozen=True, slots=True)
class ResetNode:
    """CLUSTER RESET [HARD|SOFT]. A replica is emptied by the caller on its ``Follow(None)``; ``empty`` matters to a
    primary."""

    hard: bool
    empty: bool


@dataclass(frozen=True, slots=True)
class Replicate:
    """CLUSTER REPLICATE. ``empty``: database 0 holds no key."""

    primary: NodeId
    empty: bool


@dataclass(frozen=True, slots=True)
class Failover:
    """CLUSTER FAILOVER [FORCE|TAKEOVER]. ``force``: without the primary; ``takeover``: without a vote either."""

    force: bool = False
    takeover: bool = False


@dataclass(frozen=True, slots=True)
class SetConfigEpoch:
    """CLUSTER SET-CONFIG-EPOCH."""

    epoch: int


@dataclass(frozen=True, slots=True)
class BumpEpoch:
    """CLUSTER BUMPEPOCH: answers ``BUMPED n`` or ``STILL n``."""


@dataclass(frozen=True, slots=True)
class SaveConfig:
    """CLUSTER SAVECONFIG."""


@dataclass(frozen=True, slots=True)
class SendPublish:
    """PUBLISH (to every node) or SPUBLISH (to the nodes of this shard): carry the message over the bus."""

    channel: bytes
    payload: bytes
    sharded: bool


Order: TypeAlias = (
    MeetNode
    | AddSlots
    | DelSlots
    | FlushSlots
    | SetSlotImporting
    | SetSlotMigrating
    | SetSlotStable
    | SetSlotNode
    | TakeSlots
    | GiveSlots
    | ForgetNode
    | ResetNode
    | Replicate
    | Failover
    | SetConfigEpoch
    | BumpEpoch
    | SaveConfig
    | SendPublish
)


def integer(word: bytes) -> int | None:
    """A 64-bit signed integer as Redis reads one (no sign ``+``, no blanks, no leading zeros), or None."""
    digits = word[1:] if word[:1] == b"-" else word
    if not digits.isdigit() or len(digits) > 19 or (digits[:1] == b"0" and word != b"0"):
        return None
    number = int(word)
    return number if -(1 << 63) <= number < 1 << 63 else None


def slot_number(word: bytes) -> int:
    """A slot from a command's word. Raises ``ReplyError("ERR Invalid or out of range slot")``."""
    slot = integer(word)
    if slot is None or not 0 <= slot < SLOTS:
        raise ReplyError("ERR Invalid or out of range slot")
    return slot


def slot_words(words: tuple[bytes, ...]) -> tuple[tuple[int, int], ...]:
    """The words of ADDSLOTS or DELSLOTS as ranges of one."""
    return tuple((slot, slot) for slot in map(slot_number, words))


def range_words(words: tuple[bytes, ...], command: str) -> tuple[tuple[int, int], ...]:
    """The words of ADDSLOTSRANGE or DELSLOTSRANGE as ranges; ``command`` (``addslotsrange``) names it in errors."""
    if len(words) % 2:
        raise ReplyError(f"ERR wrong number of arguments for 'cluster|{command}' command")
    ranges = tuple(zip(map(slot_number, words[::2]), map(slot_number, words[1::2]), strict=True))
    for start, end in ranges:
        if start > end:
            raise ReplyError(f"ERR start slot number {start} is greater than end slot number {end}")
    return ranges
