"""What a command may answer with.

A command returns plain Python values and the encoder gives each its RESP2 or RESP3 form:

=====================  ==========================================================
int                    integer
bytes, bytearray       bulk string
None                   null (``$-1`` in RESP2, ``_`` in RESP3)
list, tuple            array
dict                   map (a flat array in RESP2)
float                  double (a bulk string in RESP2)
bool                   boolean (``:1``/``:0`` in RESP2)
``DoubleText``         double in digits of its own (a bulk string in RESP2)
``Simple``             simple string (``+OK``)
``NullArray``          null array (``*-1`` in RESP2, ``_`` in RESP3)
``SetReply``           set (an array in RESP2)
``Pairs``              pairs: nested in RESP3, flat in RESP2 (ZRANGE WITHSCORES ...)
``Named``              map of names (an array of pairs in RESP2: XREAD)
``Verbatim``           verbatim string (a bulk string in RESP2)
``BigNumber``          big number (a bulk string in RESP2)
``Push``               out-of-band push (an array in RESP2)
``ReplyError``         error; may also stand inside an array (EXEC)
``Encoded``            bytes that are already in their final form
``NO_REPLY``           nothing is sent (a blocked client, REPLCONF ACK)
=====================  ==========================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias


class Simple(str):
    """A simple string: one line, no CR or LF."""

    __slots__ = ()


class Encoded(bytes):
    """A reply in its final bytes, equal in both protocols."""

    __slots__ = ()


class DoubleText(bytes):
    """A double whose digits are not those of ``format_double`` (GEOPOS: 17 places)."""

    __slots__ = ()


class _Sentinel(Enum):
    NULL_ARRAY = 1
    NO_REPLY = 2


NullArray: Final = _Sentinel.NULL_ARRAY
NO_REPLY: Final = _Sentinel.NO_REPLY


@dataclass(frozen=True, slots=True)
class SetReply:
    """Members in the order they are to be sent."""

    members: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Pairs:
    """``items`` are pairs: ``[[a, b], ...]`` in RESP3, ``[a, b, ...]`` in RESP2."""

    items: Sequence[tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Named:
    """``items`` are pairs of a name, which may occur twice, and its value: a map in RESP3, in RESP2 ``[[name, value],
    ...]``."""

    items: Sequence[tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Text with a three-letter format (``txt`` or ``mkd``)."""

    text: bytes
    format: bytes = b"txt"


@dataclass(frozen=True, slots=True)
class BigNumber:
    """An integer of any size as decimal digits."""

    digits: bytes


@dataclass(frozen=True, slots=True)
class Push:
    """A message the client did not ask for: pub/sub, invalidation."""

    items: Sequence[Any]


Reply: TypeAlias = Any
"""Any of the above; ``Any`` because the union is recursive and every command returns one arm of it."""

OK: Final = Simple("OK")
QUEUED: Final = Simple("QUEUED")
PONG: Final = Simple("PONG")
