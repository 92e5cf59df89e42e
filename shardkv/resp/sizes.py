"""How many bytes requests and replies have on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_AGGREGATES: Final = {ord("*"): 1, ord("~"): 1, ord(">"): 1, ord("%"): 2}
_BULKS: Final = frozenset(b"$=")


def request_size(words: Sequence[bytes]) -> int:
    """The size of a request as an array of bulk strings."""
    head = len(str(len(words))) + 3
    return head + sum(len(word) + len(str(len(word))) + 5 for word in words)


def reply_sizes(data: bytes) -> list[int]:
    """The sizes of whole replies that stand one behind the other, as ``encoder`` makes them."""
    sizes = []
    start = at = 0
    left = 1  #: elements of the reply that are still to come
    while at < len(data):
        end = data.index(b"\r\n", at)
        kind = data[at]
        left -= 1
        if kind in _BULKS:
            length = int(data[at + 1 : end])
            end += max(length + 2, 0) if length >= 0 else 0
        elif kind in _AGGREGATES:
            left += max(int(data[at + 1 : end]), 0) * _AGGREGATES[kind]
        at = end + 2
        if not left:
            sizes.append(at - start)
            start, left = at, 1
    return sizes
