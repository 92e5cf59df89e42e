"""The last bytes of the replication stream, kept for replicas that come back.

Offsets count the bytes of the stream from 1. What is kept ends with the newest byte, ``end``, and begins with
``first``; a replica that has everything up to ``first - 1`` or later gets the rest from here. The stream is appended in
pieces of whole commands, and as long as nobody asks nothing is copied.
"""

from __future__ import annotations

from collections import deque


class Backlog:
    """Bytes ``first .. end`` of a stream, at most ``size`` of them."""

    __slots__ = ("_chunks", "_held", "end", "size")

    def __init__(self, size: int, end: int) -> None:
        """``end``: the offset after which what is appended begins."""
        self.size = size
        self.end = end
        self._chunks: deque[bytes] = deque()
        self._held = 0

    @property
    def length(self) -> int:
        """How many bytes can be had."""
        return min(self._held, self.size)

    @property
    def first(self) -> int:
        """The offset of the oldest byte that can be had; ``end + 1`` while there is none."""
        return self.end - self.length + 1

    def append(self, data: bytes) -> None:
        """The stream goes on with ``data``."""
        self._chunks.append(data)
        self._held += len(data)
        self.end += len(data)
        self._trim()

    def resize(self, size: int) -> None:
        """Keep so many bytes from now on. What is there is kept as far as it fits."""
        self.size = size
        self._trim()

    def since(self, offset: int) -> bytes | None:
        """The bytes from ``offset`` on, perhaps none; None when they are not all there, or lie in the future."""
        if not self.first <= offset <= self.end + 1:
            return None
        wanted = self.end + 1 - offset
        parts: list[bytes] = []
        found = 0
        for chunk in reversed(self._chunks):
            if found >= wanted:
                break
            parts.append(chunk)
            found += len(chunk)
        parts.reverse()
        return b"".join(parts)[found - wanted :]

    def check(self) -> None:
        """Assert the invariants."""
        assert self._held == sum(map(len, self._chunks))
        # No chunk is kept of which nothing can be had.
        assert not self._chunks or self._held - len(self._chunks[0]) < self.size
        assert 0 <= self.length <= self.size

    def _trim(self) -> None:
        chunks = self._chunks
        while chunks and self._held - len(chunks[0]) >= self.size:
            self._held -= len(chunks.popleft())
