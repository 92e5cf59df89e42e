"""The request grammar in full: the truth that the fast parser must agree with.

Everything about a broken stream is decided here, as redis-server 7.0 decides it, and never depends on how the bytes
were cut. Three oddities of Redis are kept since clients can see them: a header ends at its CR (the byte after it is
skipped unread), a bulk string at its length (the two bytes after it are skipped), and a NUL hides the rest of a line.
"""

from __future__ import annotations

from io import BytesIO
from typing import Final

from ..errors import NotAnInteger
from .inline import split_words
from .numbers import parse_int

MAX_LINE: Final = 64 * 1024
"""Bytes without a line end that are waited for, in an inline request or in a header."""

MAX_ARGUMENTS: Final = 2**31 - 1
MAX_ARGUMENTS_UNAUTHENTICATED: Final = 10
MAX_BULK_UNAUTHENTICATED: Final = 16384

_WAIT: Final = -1
_TOO_LONG: Final = -2


def _line_end(data: bytes, start: int, mark: bytes) -> int:
    """Index of ``mark`` in the line at ``start``, _WAIT when more bytes are needed, _TOO_LONG past MAX_LINE."""
    end = data.find(mark, start, start + MAX_LINE + 1)
    if end >= 0 and data.find(b"\0", start, end) < 0:
        return end
    return _TOO_LONG if len(data) - start > MAX_LINE else _WAIT


class CarefulParser:
    """Parses requests one by one; keeps the unfinished one between calls."""

    __slots__ = (
        "_arguments",
        "_bulk",
        "_bulk_left",
        "_held",
        "_missing",
        "authenticated",
        "fault",
        "max_bulk",
        "pending",
    )

    def __init__(self, *, max_bulk: int) -> None:
        self.max_bulk = max_bulk
        self.authenticated = True
        self.fault: str | None = None
        self.pending = 0
        self._held = b""  # the start of a line whose end is not here yet
        self._missing = 0  # arguments of the request that are still to come
        self._arguments: list[bytes] = []
        #: What is here of a bulk string that a chunk's end cut. A BytesIO gives its bytes away without copying them.
        self._bulk = BytesIO()
        self._bulk_left = 0  # bytes it still wants, its line end included

    def feed(self, data: bytes, requests: list[list[bytes]], *, once: bool = False) -> bytes:
        """Appends the complete requests in ``data`` to ``requests``.

        With ``once`` it stops when the request at hand is complete and returns the bytes after it, else ``b""``.
        """
        if self.fault is not None:
            return b""
        self.pending += len(data)
        position = 0
        if self._bulk_left:
            position = self._continue_bulk(data)
        elif self._held:
            data, self._held = self._held + data, b""
        size, first = len(data), len(requests)
        while True:
            if self._missing:
                position = self._read_arguments(data, position, bool(requests))
                if self._missing or self.fault is not None:
                    break
            if self._arguments:
                requests.append(self._arguments)
                self._arguments = []
            if once and len(requests) > first:
                self.pending = 0
                return data[position:]
            self.pending = size - position
            if position >= size:
                break
            start = position
            position = (
                self._read_count(data, start, bool(requests)) if data[start] == 42 else self._read_inline(data, start)
            )
            if position < 0:
                self._held = data[start:]
                break
        if self.fault is not None:
            self.pending, self._held, self._arguments, self._missing = 0, b"", [], 0
        return b""

    def _read_inline(self, data: bytes, start: int) -> int:
        """Reads a line of words into the arguments; the position after it, or _WAIT."""
        end = _line_end(data, start, b"\n")
        if end == _WAIT:
            return _WAIT
        if end == _TOO_LONG:
            return self._fail("too big inline request")
        stop = end - 1 if end > start and data[end - 1] == 13 else end
        words = split_words(data[start:stop])
        if words is None:
            return self._fail("unbalanced quotes in request")
        self._arguments = words
        return end + 1

    def _read_count(self, data: bytes, start: int, busy: bool) -> int:
        """Reads ``*N`` into the number of missing arguments; the position after it, or _WAIT."""
        end = _line_end(data, start, b"\r")
        if end == _TOO_LONG:
            return self._fail("too big mbulk count string")
        if end == _WAIT or end + 1 >= len(data):
            return _WAIT
        try:
            count = parse_int(data[start + 1 : end])
        except NotAnInteger:
            return self._fail("invalid multibulk length")
        if count > MAX_ARGUMENTS:
            return self._fail("invalid multibulk length")
        if count > MAX_ARGUMENTS_UNAUTHENTICATED and not self.authenticated:
            # AUTH may be among the requests that are not run yet: the verdict waits for the next call.
            return _WAIT if busy else self._fail("unauthenticated multibulk length")
        self._missing = max(count, 0)
        return end + 2

    def _read_arguments(self, data: bytes, position: int, busy: bool) -> int:
        """Reads bulk strings until the request is complete or the data ends; the position after them."""
        size, arguments = len(data), self._arguments
        limit = self.max_bulk
        while self._missing:
            if position >= size:
                return size
            end = _line_end(data, position, b"\r")
            if end == _TOO_LONG:
                return self._fail("too big bulk count string")
            if end == _WAIT or end + 1 >= size:
                self._held = data[position:]
                return size
            if data[position] != 36:
                # The byte as it is: the encoder of errors undoes this decoding.
                found = data[position : position + 1].decode("utf-8", "surrogateescape")
                return self._fail(f"expected '$', got '{found}'")
            try:
                length = parse_int(data[position + 1 : end])
            except NotAnInteger:
                return self._fail("invalid bulk length")
            if length < 0 or length > limit:
                return self._fail("invalid bulk length")
            if length > MAX_BULK_UNAUTHENTICATED and not self.authenticated:
                if busy:
                    self._held = data[position:]
                    return size
                return self._fail("unauthenticated bulk length")
            start = end + 2
            position = start + length + 2
            if position > size:
                self._bulk = BytesIO()
                self._bulk.write(data[start : start + length])
                self._bulk_left = position - size
                return size
            arguments.append(data[start : start + length])
            self._missing -= 1
        return position

    def _continue_bulk(self, data: bytes) -> int:
        """Adds ``data`` to the bulk string that was cut; the position after it."""
        left = self._bulk_left
        if left > 2:
            self._bulk.write(data[: left - 2])
        if len(data) < left:
            self._bulk_left = left - len(data)
            return len(data)
        self._arguments.append(self._bulk.getvalue())
        self._bulk = BytesIO()
        self._bulk_left = 0
        self._missing -= 1
        return left

    def _fail(self, text: str) -> int:
        self.fault = "Protocol error: " + text
        return _WAIT
