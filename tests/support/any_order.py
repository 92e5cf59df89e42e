"""Replies whose order is nobody's promise, in an order that two servers can be compared by."""

from __future__ import annotations

from typing import Any

from .engine_client import decode
from .wire_replies import Map, Members

#: Commands whose arrays (sets and maps in RESP3) come in any order.
UNORDERED = frozenset({b"SMEMBERS", b"SINTER", b"SUNION", b"SDIFF", b"HKEYS", b"HVALS"})
#: Commands that answer with pairs, flat in RESP2.
PAIRED = frozenset({b"HGETALL"})
#: Commands that answer with a cursor and what they found.
WALKS = frozenset({b"SSCAN"})
#: Commands that answer with something random: what can be compared is how much.
RANDOM = frozenset({b"SPOP", b"SRANDMEMBER", b"HRANDFIELD"})


def comparable(words: list[bytes], reply: bytes) -> Any:
    """The reply to a request in a form that is equal where the reply means the same."""
    name = words[0].upper()
    if name not in UNORDERED | PAIRED | WALKS | RANDOM or reply.startswith((b"-", b"$", b"_")):
        if name in RANDOM and reply.startswith(b"$") and reply != b"$-1\r\n":
            return "something"
        return reply
    kind, value = reply[:1], decode(reply)
    if name in PAIRED:
        pairs = value.pairs if isinstance(value, Map) else list(zip(value[::2], value[1::2], strict=True))
        return kind, sorted(pairs)
    if name in WALKS:
        return value[0], sorted(value[1])
    items = list(value.items) if isinstance(value, Members) else value
    if name in RANDOM:
        return kind, len(items)
    return kind, sorted(items)
