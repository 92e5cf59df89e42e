"""What every value of the keyspace can be asked, whatever its type.

A string is a plain ``bytes``, ``int`` or ``bytearray``; any other value is an object that answers for itself.
"""

from __future__ import annotations

from typing import Any, Protocol, Self

from .strings import string_encoding

_STRINGS = (bytes, int, bytearray)


class Stored(Protocol):
    """What the generic commands ask of a value that is no string."""

    @property
    def type_name(self) -> str:
        """As TYPE says: list, set, zset, hash or stream."""

    @property
    def encoding(self) -> str:
        """As OBJECT ENCODING says."""

    def copy(self) -> Self:
        """An independent copy."""


def type_name(value: Any) -> str:
    """The type of a value, as TYPE says."""
    if type(value) in _STRINGS:
        return "string"
    name: str = value.type_name
    return name


def encoding(value: Any) -> str:
    """How a value is held, as OBJECT ENCODING says."""
    if type(value) in _STRINGS:
        return string_encoding(value)
    name: str = value.encoding
    return name


def copied(value: Any) -> Any:
    """An independent copy; what cannot change is shared."""
    if type(value) in (bytes, int):
        return value
    return value.copy()
