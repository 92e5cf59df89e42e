"""What a server answers, as values that keep the kind of every reply apart.

=====================  =====================================================
``+OK``                ``Simple("OK")``, equal to the str ``"OK"``
``-ERR text``          ``Refusal("ERR text")``
``:1``                 ``int``
``$3`` ...             ``bytes``
``$-1`` and ``_``      ``None``
``*2`` ...             ``list``
``*-1``                ``NULL_ARRAY``
``%``  ``~``  ``>``    ``Map``, ``Members``, ``Push``
``,``  ``(``  ``#``    ``Double``, ``BigNumber``, ``Boolean``
``=``                  ``Verbatim``
``|``                  ``Attributed``
=====================  =====================================================

Replies compare equal only when their kinds do; what is a set on the wire keeps the order it was sent in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

Reply: TypeAlias = Any


class Simple(str):
    """A simple string."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Simple({str(self)!r})"


class _NullArray(Enum):
    NULL_ARRAY = "*-1"


NULL_ARRAY: Final = _NullArray.NULL_ARRAY


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error: the whole line without its ``-``."""

    text: str

    @property
    def code(self) -> str:
        """Its first word: ERR, WRONGTYPE, MOVED ..."""
        return self.text.split(" ", 1)[0]


@dataclass(frozen=True, slots=True)
class Double:
    """A RESP3 double, in the digits it was sent in."""

    digits: str

    @property
    def value(self) -> float:
        """As a float, inf and nan included."""
        return float(self.digits)


@dataclass(frozen=True, slots=True)
class BigNumber:
    """A RESP3 big number, in the digits it was sent in."""

    digits: str


@dataclass(frozen=True, slots=True)
class Boolean:
    """A RESP3 boolean; not a bool, which Python holds equal to 0 or 1."""

    value: bool


@dataclass(frozen=True, slots=True)
class Verbatim:
    """A RESP3 verbatim string with its format of three letters."""

    format: bytes
    text: bytes


@dataclass(frozen=True, slots=True)
class Members:
    """A RESP3 set, in the order sent."""

    items: tuple[Reply, ...]

    def __iter__(self) -> Iterator[Reply]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True)
class Push:
    """A RESP3 push: a message, an invalidation, a (un)subscription."""

    items: tuple[Reply, ...]

    def __getitem__(self, index: int) -> Reply:
        return self.items[index]


@dataclass(frozen=True, slots=True)
class Map:
    """A RESP3 map, in the order sent; ``reply[b"key"]`` looks one up."""

    pairs: tuple[tuple[Reply, Reply], ...]

    def __getitem__(self, key: Reply) -> Reply:
        for name, value in self.pairs:
            if name == key:
                return value
        raise KeyError(key)

    def __contains__(self, key: Reply) -> bool:
        return any(name == key for name, _ in self.pairs)

    def __iter__(self) -> Iterator[Reply]:
        return (name for name, _ in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)


@dataclass(frozen=True, slots=True)
class Attributed:
    """A reply with RESP3 attributes before it."""

    attributes: Map
    reply: Reply


def as_dict(reply: Reply) -> dict[Reply, Reply]:
    """A RESP3 map, or the flat array that stands for one in RESP2, as a dict."""
    if isinstance(reply, Map):
        return dict(reply.pairs)
    return dict(zip(reply[::2], reply[1::2], strict=True))
