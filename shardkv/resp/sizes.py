"""How many bytes requests and replies have on the wire."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

_AGGREGATES: Final = {ord("*"): 1, ord("~"): 1, ord(">"): 1, ord("%"): 2}
_BULKS: Final = frozenset(b"$=")


def request_size(words: Sequence[bytes]) -> int:
    """The size of a request as an array of bulk strings."""
    head = len(str(len(words))) + 3
    return head + sum(len(word) + len(str(len(word))) + 5 for word in words)


def reply_sizes(pieces: Iterable[bytes]) -> list[int]:
    """The sizes of whole replies that stand one behind the other, cut into pieces anywhere; large strings among them
    are not copied."""
    sizes: list[int] = []
    size = 0  #: of the reply so far
    left = 1  #: elements of it that are still to come
    body = 0  #: bytes of a string that are still to come, with its line end
    line = b""  #: the beginning of an element, while it is not whole
    for piece in pieces:
        at = 0
        while at < len(piece):
            if body:
                end = min(at + body, len(piece))
                body -= end - at
            else:
                end = piece.find(b"\n", at) + 1 or len(piece)
                line += piece[at:end]
                if line.endswith(b"\n"):
                    kind, shown, line = line[0], line[1:-2], b""
                    left -= 1
                    if kind in _BULKS:
                        body = int(shown) + 2 if shown[:1] != b"-" else 0
                    elif kind in _AGGREGATES:
                        left += max(int(shown), 0) * _AGGREGATES[kind]
            size += end - at
            at = end
            if not left and not body and not line:
                sizes.append(size)
                size, left = 0, 1
    return sizes
