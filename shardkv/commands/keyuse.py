"""How a request uses its keys, where that depends on its options.

A key spec with ``VARIABLE_FLAGS`` says all that could be; here it is narrowed to what the words at hand ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from .flags import CHANGE, READ, KeyUse
from .spec import Command

Narrow: TypeAlias = Callable[[list[bytes]], KeyUse]


def _of_set(words: list[bytes]) -> KeyUse:
    """SET reads the key only with GET."""
    if any(word.upper() == b"GET" for word in words[3:]):
        return CHANGE
    return KeyUse.OW | KeyUse.UPDATE


def _of_bitfield(words: list[bytes]) -> KeyUse:
    """BITFIELD with nothing but GET changes nothing."""
    at = 2
    while at < len(words):
        verb = words[at].upper()
        if verb == b"GET":
            at += 3
        elif verb == b"OVERFLOW":
            at += 2
        else:
            return CHANGE
    return READ


_NARROW: Final[dict[str, Narrow]] = {"set": _of_set, "bitfield": _of_bitfield}


def depends_on_options(command: Command) -> bool:
    """Whether the use of its keys depends on more than their place."""
    return command.name in _NARROW


def keys_with_use(command: Command, words: list[bytes]) -> list[tuple[int, KeyUse]]:
    """The key positions of a request with how each key is used."""
    narrow = _NARROW.get(command.name)
    found = command.keys_with_use(words)
    if command.name in ("sort", "georadius", "georadiusbymember"):
        # The first key is read, another one is where STORE puts the result.
        return [(position, READ if position == 1 else KeyUse.OW | KeyUse.UPDATE) for position, _ in found]
    if narrow is None:
        return found
    return [(position, narrow(words)) for position, _ in found]
