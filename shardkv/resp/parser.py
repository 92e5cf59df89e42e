"""Bytes of a client into requests.

``hiredis.Reader`` cuts requests in C but believes nearly anything: it takes integers, nulls and nested arrays, knows no
limits, and does not say where it stands. So every chunk is first screened for headers that would make it reserve
memory, and what it returns is proven; only then is it taken. Whatever cannot be proven is parsed again by
``CarefulParser``, which is the truth and owns each request that a chunk's end cut in two.

Where hiredis stands is found out by a probe: a request that nobody else can send is fed behind the chunk. If it comes
out as the last request, the chunk ended between two requests; if the chunk ended inside one, the probe is swallowed by
it.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import Final

from hiredis import HiredisError, Reader, pack_command

from .careful import CarefulParser

_MANY: Final = re.compile(rb"\*[0-9]{6}").search
_MANY_ODD: Final = re.compile(rb"[~|][0-9]{6}").search

_SMALL: Final = 512
_LINES_MAX: Final = 4096
_SIZE: Final = [b"$%d" % size for size in range(_SMALL)]

_BELOW_10: Final = bytes(range(10))
_BELOW_100: Final = bytes(range(100))


class RequestParser:
    """Cuts a client's stream into requests, each a list of words.

    ``fault`` is set, with the requests before it returned, when the stream breaks the protocol; nothing is parsed after
    that. ``max_bulk`` (bytes) and ``authenticated`` may be changed between calls. While ``authenticated`` is False,
    requests are limited to 10 words of 16384 bytes; a larger one behind other requests (AUTH may be among them) waits
    until those were run: **call** ``feed(b"")`` **after running them**.
    """

    __slots__ = ("_careful", "_probe", "_probe_words", "_reader", "authenticated", "max_bulk", "settled")

    def __init__(self, *, max_bulk: int = 512 * 1024 * 1024, probe: bytes = b"a probe for tests") -> None:
        """``probe``: bytes that no client can guess; one who could would confuse its own connection's parser."""
        self.max_bulk = max_bulk
        self._probe_words = [probe]
        self._probe = pack_command((probe,))
        self.authenticated = True
        self._careful = CarefulParser(max_bulk=max_bulk)
        self._reader = Reader()
        self.settled = True  #: at the boundary of two requests of a sound stream

    @property
    def fault(self) -> str | None:
        """The text of the protocol error (without its code), once there is one."""
        return self._careful.fault

    @property
    def pending(self) -> int:
        """Bytes that were fed of a request that is not complete."""
        return self._careful.pending

    def feed(self, data: bytes) -> list[list[bytes]]:
        """The requests that ``data`` completes. Requests of no words are dropped."""
        if not self.settled or not self.authenticated or len(data) > self.max_bulk:
            return self._feed_carefully(data)
        if len(data) < _SMALL and data[2:3] == b"\r":  # the first request has less than ten words
            words = _single(data)
            if words is not None:
                return [words]
        if data[:1] != b"*":
            lines = _plain_lines(data)
            return self._feed_carefully(data) if lines is None else lines
        if _reserves_memory(data):
            return self._feed_carefully(data)
        requests: list[list[bytes]] = []
        reader = self._reader
        reader.feed(data + self._probe)
        gets = reader.gets
        try:
            while request := gets():  # an empty list or a null ends it too; the careful parser goes on from there
                requests.append(request)
        except HiredisError:
            pass  # it says why in words of its own; the careful parser finds the place again
        if requests and requests[-1] == self._probe_words:
            del requests[-1]
            if _only_bulks(data, requests) or _proven_end(data, requests) == len(data):
                return requests
        self._reader = Reader()  # the old one stands inside a request, or is broken
        end = _proven_end(data, requests)
        if not 0 <= end <= len(data) and requests:
            del requests[-1]  # the probe has completed it
            end = _proven_end(data, requests)
        if not 0 <= end <= len(data):
            requests, end = [], 0
        self._run_careful(data[end:], requests)
        return requests

    def _feed_carefully(self, data: bytes) -> list[list[bytes]]:
        requests: list[list[bytes]] = []
        if self._careful.pending and self.authenticated:
            rest = self._run_careful(data, requests, once=True)
            # At a boundary again, with nothing pending: the rest takes the other way through feed.
            return requests + self.feed(rest) if rest else requests
        self._run_careful(data, requests)
        return requests

    def _run_careful(self, data: bytes, requests: list[list[bytes]], *, once: bool = False) -> bytes:
        careful = self._careful
        careful.max_bulk = self.max_bulk
        careful.authenticated = self.authenticated
        rest = careful.feed(data, requests, once=once)
        self.settled = not careful.pending and careful.fault is None
        return rest


def _single(data: bytes) -> list[bytes] | None:
    """The words of ``data`` if it is exactly one request of up to four words, the commonest chunk of all; else None.

    What stands between the line ends is compared with the one encoding that these words have. Written out, this takes a
    third of the time of a loop, or of hiredis with a proof.
    """
    parts = data.split(b"\r\n", 10)
    count = len(parts)
    if count == 6:
        first, size1, word1, size2, word2, end = parts
        if first == b"*2" and size1 == _SIZE[len(word1)] and size2 == _SIZE[len(word2)] and not end:
            return [word1, word2]
    elif count == 8:
        first, size1, word1, size2, word2, size3, word3, end = parts
        if (
            first == b"*3"
            and size1 == _SIZE[len(word1)]
            and size2 == _SIZE[len(word2)]
            and size3 == _SIZE[len(word3)]
            and not end
        ):
            return [word1, word2, word3]
    elif count == 4:
        first, size1, word1, end = parts
        if first == b"*1" and size1 == _SIZE[len(word1)] and not end:
            return [word1]
    elif count == 10:
        first, size1, word1, size2, word2, size3, word3, size4, word4, end = parts
        if (
            first == b"*4"
            and size1 == _SIZE[len(word1)]
            and size2 == _SIZE[len(word2)]
            and size3 == _SIZE[len(word3)]
            and size4 == _SIZE[len(word4)]
            and not end
        ):
            return [word1, word2, word3, word4]
    return None


def _plain_lines(data: bytes) -> list[list[bytes]] | None:
    """The requests of ``data`` if it is whole inline lines without anything that asks for care; else None.

    That is: no quote, no NUL (it hides the rest of a line), no star (a line might begin with it), every line ended by
    CRLF.
    """
    if data[-2:] != b"\r\n" or len(data) > _LINES_MAX or 34 in data or 39 in data or 0 in data or 42 in data:
        return None
    lines = data.split(b"\r\n")
    if data.count(10) != len(lines) - 1:
        return None
    return [words for line in lines if (words := line.split())]


def _reserves_memory(data: bytes) -> bool:
    """Whether a header asks for 100,000 elements: hiredis makes the list before it has seen one of them."""
    if _MANY(data) is not None:
        return True
    return (126 in data or 124 in data) and _MANY_ODD(data) is not None


def _proven_end(data: bytes, requests: list[list[bytes]]) -> int:
    """Where the last of ``requests`` ends, if encoding them gives the start of ``data`` to the byte; else -1."""
    end = _counted_end(data, requests)
    if end >= 0:
        return end
    try:
        encoded = b"".join([pack_command(tuple(request)) for request in requests])  # type: ignore[arg-type]  # stub: a tuple of one
    except (TypeError, HiredisError):
        return -1
    return len(encoded) if data.startswith(encoded) else -1


def _only_bulks(data: bytes, requests: list[list[bytes]]) -> bool:
    """Whether hiredis can only have met arrays of bulk strings: its other types begin a line with another sign.

    Words that are no bytes (integers, nulls, nested arrays) do not join. As integers the search for a sign is three
    times cheaper than as bytes, and only where one is found it matters whether it begins a line.
    """
    # In this order: + = ( ~ | % >
    if (
        (43 in data and b"\n+" in data)
        or (61 in data and b"\n=" in data)
        or (40 in data and b"\n(" in data)
        or (126 in data and b"\n~" in data)
        or (124 in data and b"\n|" in data)
        or (37 in data and b"\n%" in data)
        or (62 in data and b"\n>" in data)
    ):
        return False
    try:
        b"".join(chain.from_iterable(requests))
    except TypeError:
        return False
    return True


def _counted_end(data: bytes, requests: list[list[bytes]]) -> int:
    """The same by arithmetic, which is three times faster; -1 when it proves nothing.

    With none of ``+ ( = ~ | % >`` in ``data`` and bytes for every word, hiredis can only have met arrays and bulk
    strings, whose headers it takes in canonical form only; so lengths and counts tell where the requests end. (What
    stands behind a bulk string in place of its line end is skipped unread, here as in the careful parser.)
    """
    # In this order: + = ( ~ | % > (as integers the search for one is three times cheaper).
    if 43 in data or 61 in data or 40 in data or 126 in data or 124 in data or 37 in data or 62 in data:
        return -1
    try:
        words = list(chain.from_iterable(requests))
        sizes = bytes(list(map(len, requests + words)))  # type: ignore[operator]  # len takes both
        joined = b"".join(words)  # raises for a word that is not bytes
    except (TypeError, ValueError):  # ValueError: longer than 255
        return -1
    return (
        len(joined)
        + 4 * len(requests)
        + 6 * len(words)
        + len(sizes.translate(None, _BELOW_10))
        + len(sizes.translate(None, _BELOW_100))
    )
