"""What a reader finds in an RDB file, in the order of the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

#: A key: name, value, expiry (Unix milliseconds), seconds idle, access frequency; each of the last three may be None.
#: A plain tuple, for there are millions of them.
Key: TypeAlias = "tuple[bytes, Any, int | None, int | None, int | None]"


@dataclass(frozen=True, slots=True)
class Opened:
    """The file's version, by Redis's count or Valkey's."""

    version: int
    valkey: bool


@dataclass(frozen=True, slots=True)
class Aux:
    """A remark on the file. Names that nobody knows are passed over."""

    name: bytes
    text: bytes


@dataclass(frozen=True, slots=True)
class Select:
    """The keys that follow are in this database."""

    index: int


@dataclass(frozen=True, slots=True)
class Resize:
    """How many keys the database has, and how many that expire."""

    keys: int
    expiring: int


@dataclass(frozen=True, slots=True)
class SlotSize:
    """How many keys the slot has that comes next, and how many that expire (Redis 7.4 in cluster mode)."""

    slot: int
    keys: int
    expiring: int


@dataclass(frozen=True, slots=True)
class Library:
    """The source of a library of functions."""

    code: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of the file. ``checked``: there was a check sum, and it was right."""

    checked: bool


Event: TypeAlias = "Key | Opened | Aux | Select | Resize | SlotSize | Library | Ended"
