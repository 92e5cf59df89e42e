"""Replies into bytes: the only place that knows RESP2 from RESP3. ``replies`` has the table of what becomes what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from ..errors import ReplyError
from .numbers import format_double
from .replies import (
    NO_REPLY,
    BigNumber,
    DoubleText,
    Encoded,
    Named,
    NullArray,
    Pairs,
    Push,
    Reply,
    SetReply,
    Simple,
    Verbatim,
)

TABLE_SIZE: Final = 1024

BULK_HEADER: Final[list[bytes]] = [b"$%d\r\n" % length for length in range(TABLE_SIZE)]
"""The header of a bulk string of that many bytes."""
INTEGER: Final[list[bytes]] = [b":%d\r\n" % value for value in range(TABLE_SIZE)]
"""The integer reply of that value."""
ARRAY_HEADER: Final[list[bytes]] = [b"*%d\r\n" % length for length in range(TABLE_SIZE)]
"""The header of an array of that many elements."""

LARGE: Final = 256 * 1024
"""A string of more bytes is sent as it is held: to copy one of half a gigabyte takes a quarter of a second."""

CRLF: Final = b"\r\n"
OK_BYTES: Final = b"+OK\r\n"
PONG_BYTES: Final = b"+PONG\r\n"
QUEUED_BYTES: Final = b"+QUEUED\r\n"
NULL2: Final = b"$-1\r\n"
NULL3: Final = b"_\r\n"
NULL_ARRAY2: Final = b"*-1\r\n"
EMPTY_BULK: Final = b"$0\r\n\r\n"
EMPTY_ARRAY: Final = b"*0\r\n"
TRUE3: Final = b"#t\r\n"
FALSE3: Final = b"#f\r\n"

#: What stands between two bulk strings, by the length of the second.
_BETWEEN: Final[list[bytes]] = [b"\r\n" + header for header in BULK_HEADER]
#: Shorter arrays are not worth a look at whether all elements are bulk strings.
_MANY: Final = 16
_ONLY_BYTES: Final = {bytes}

_LINE_ENDS: Final = bytes.maketrans(b"\r\n", b"  ")


def encode(reply: Reply, resp3: bool) -> bytes:
    """The bytes of ``reply`` in RESP3 or else RESP2; ``b""`` for NO_REPLY. Raises TypeError for what is no reply."""
    kind = type(reply)
    if kind is bytes:
        size = len(reply)
        return b"%b%b\r\n" % (BULK_HEADER[size] if size < TABLE_SIZE else b"$%d\r\n" % size, reply)
    if kind is int:
        return INTEGER[reply] if 0 <= reply < TABLE_SIZE else b":%d\r\n" % reply
    if reply is None:
        return NULL3 if resp3 else NULL2
    parts: list[bytes] = []
    encode_into(parts, reply, resp3)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def respond(out: list[bytes], reply: Reply, resp3: bool) -> None:
    """Appends the bytes of ``reply`` to what is to be sent, without copying a large string in it. Raises TypeError for
    what is no reply."""
    kind = type(reply)
    if kind is bytes:
        size = len(reply)
        if size > LARGE:
            out += (b"$%d\r\n" % size, reply, CRLF)
        else:
            out.append(b"%b%b\r\n" % (BULK_HEADER[size] if size < TABLE_SIZE else b"$%d\r\n" % size, reply))
    elif kind is int:
        out.append(INTEGER[reply] if 0 <= reply < TABLE_SIZE else b":%d\r\n" % reply)
    elif reply is None:
        out.append(NULL3 if resp3 else NULL2)
    else:
        parts: list[bytes] = []  # apart, lest a part of what turns out to be no reply is sent
        encode_into(parts, reply, resp3)
        out += parts


def encode_into(parts: list[bytes], reply: Reply, resp3: bool) -> None:
    """Appends the bytes of ``reply`` to ``parts``, in pieces. Raises TypeError for what is no reply."""
    worker = _WORKERS.get(type(reply))
    if worker is None:
        worker = _find_worker(reply)
    worker(parts, reply, resp3)


def encode_bulks(items: Sequence[bytes], sizes: set[int]) -> bytes:
    """An array of bulk strings of these sizes, all of them ``bytes``, the same in both protocols: much quicker than one
    by one."""
    count = len(items)
    if not count:
        return EMPTY_ARRAY
    if max(sizes) >= TABLE_SIZE:
        parts: list[bytes] = [b"*%d" % count]
        for item in items:
            parts.append(b"\r\n$%d\r\n" % len(item))
            parts.append(item)
    elif len(sizes) == 1:
        between = _BETWEEN[sizes.pop()]
        return b"*%d%b%b\r\n" % (count, between, between.join(items))
    else:
        parts = [b"*%d" % count] * (2 * count + 1)
        parts[1::2] = [_BETWEEN[len(item)] for item in items]
        parts[2::2] = items
    parts.append(CRLF)
    return b"".join(parts)


def encode_error(text: str) -> bytes:
    """An error reply. Line ends become spaces; lone surrogates are the bytes they stand for (surrogateescape)."""
    return b"-%b\r\n" % text.encode("utf-8", "surrogateescape").translate(_LINE_ENDS)


def _bulk(parts: list[bytes], reply: bytes, resp3: bool) -> None:
    size = len(reply)
    parts.append(BULK_HEADER[size] if size < TABLE_SIZE else b"$%d\r\n" % size)
    parts.append(reply)
    parts.append(CRLF)


def _bytearray(parts: list[bytes], reply: bytearray, resp3: bool) -> None:
    # A copy, since the value may change before the parts are joined.
    _bulk(parts, bytes(reply), resp3)


def _integer(parts: list[bytes], reply: int, resp3: bool) -> None:
    parts.append(INTEGER[reply] if 0 <= reply < TABLE_SIZE else b":%d\r\n" % reply)


def _null(parts: list[bytes], reply: None, resp3: bool) -> None:
    parts.append(NULL3 if resp3 else NULL2)


def _boolean(parts: list[bytes], reply: bool, resp3: bool) -> None:
    if resp3:
        parts.append(TRUE3 if reply else FALSE3)
    else:
        parts.append(INTEGER[reply])


def _double(parts: list[bytes], reply: float, resp3: bool) -> None:
    text = format_double(reply)
    if resp3:
        parts.append(b",%b\r\n" % text)
    else:
        _bulk(parts, text, resp3)


def _double_text(parts: list[bytes], reply: DoubleText, resp3: bool) -> None:
    if resp3:
        parts.append(b",%b\r\n" % reply)
    else:
        _bulk(parts, reply, resp3)


def _simple(parts: list[bytes], reply: Simple, resp3: bool) -> None:
    text = reply.encode("utf-8", "surrogateescape")
    parts.append(b"+%b\r\n" % text.translate(_LINE_ENDS))


def _error(parts: list[bytes], reply: ReplyError, resp3: bool) -> None:
    parts.append(encode_error(reply.text))


def _encoded(parts: list[bytes], reply: Encoded, resp3: bool) -> None:
    parts.append(reply)


def _sentinel(parts: list[bytes], reply: object, resp3: bool) -> None:
    if reply is NullArray:
        parts.append(NULL3 if resp3 else NULL_ARRAY2)
    else:
        assert reply is NO_REPLY, reply


def _elements(parts: list[bytes], items: Iterable[Any], resp3: bool) -> None:
    """The elements of an aggregate, with the two commonest kinds unrolled."""
    append = parts.append
    for item in items:
        kind = type(item)
        if kind is bytes:
            size = len(item)
            append(BULK_HEADER[size] if size < TABLE_SIZE else b"$%d\r\n" % size)
            append(item)
            append(CRLF)
        elif kind is int:
            append(INTEGER[item] if 0 <= item < TABLE_SIZE else b":%d\r\n" % item)
        else:
            worker = _WORKERS.get(kind)
            if worker is None:
                worker = _find_worker(item)
            worker(parts, item, resp3)


def _array(parts: list[bytes], reply: Sequence[Any], resp3: bool) -> None:
    size = len(reply)
    if size >= _MANY and set(map(type, reply)) == _ONLY_BYTES:
        sizes = set(map(len, reply))
        if max(sizes) <= LARGE:
            parts.append(encode_bulks(reply, sizes))
            return
    parts.append(ARRAY_HEADER[size] if size < TABLE_SIZE else b"*%d\r\n" % size)
    _elements(parts, reply, resp3)


def _map(parts: list[bytes], reply: Mapping[Any, Any], resp3: bool) -> None:
    parts.append(b"%%%d\r\n" % len(reply) if resp3 else b"*%d\r\n" % (2 * len(reply)))
    for pair in reply.items():
        _elements(parts, pair, resp3)


def _set(parts: list[bytes], reply: SetReply, resp3: bool) -> None:
    parts.append(b"%b%d\r\n" % (b"~" if resp3 else b"*", len(reply.members)))
    _elements(parts, reply.members, resp3)


def _pairs(parts: list[bytes], reply: Pairs, resp3: bool) -> None:
    size = len(reply.items)
    parts.append(b"*%d\r\n" % (size if resp3 else 2 * size))
    for pair in reply.items:
        if resp3:
            parts.append(ARRAY_HEADER[2])
        _elements(parts, pair, resp3)


def _named(parts: list[bytes], reply: Named, resp3: bool) -> None:
    parts.append(b"%b%d\r\n" % (b"%" if resp3 else b"*", len(reply.items)))
    for pair in reply.items:
        if not resp3:
            parts.append(ARRAY_HEADER[2])
        _elements(parts, pair, resp3)


def _verbatim(parts: list[bytes], reply: Verbatim, resp3: bool) -> None:
    if resp3:
        parts.append(b"=%d\r\n%b:%b\r\n" % (len(reply.text) + 4, reply.format, reply.text))
    else:
        _bulk(parts, reply.text, resp3)


def _big_number(parts: list[bytes], reply: BigNumber, resp3: bool) -> None:
    if resp3:
        parts.append(b"(%b\r\n" % reply.digits)
    else:
        _bulk(parts, reply.digits, resp3)


def _push(parts: list[bytes], reply: Push, resp3: bool) -> None:
    parts.append(b"%b%d\r\n" % (b">" if resp3 else b"*", len(reply.items)))
    _elements(parts, reply.items, resp3)


_Worker = Callable[[list[bytes], Any, bool], None]

_WORKERS: Final[dict[type, _Worker]] = {
    bytes: _bulk,
    int: _integer,
    type(None): _null,
    Simple: _simple,
    list: _array,
    tuple: _array,
    dict: _map,
    float: _double,
    DoubleText: _double_text,
    bool: _boolean,
    bytearray: _bytearray,
    SetReply: _set,
    Pairs: _pairs,
    Named: _named,
    Verbatim: _verbatim,
    BigNumber: _big_number,
    Push: _push,
    Encoded: _encoded,
    ReplyError: _error,
    type(NullArray): _sentinel,
}

_FALLBACK: Final = (ReplyError, Encoded, Simple, bytes, bytearray, bool, int, float, dict, list, tuple)
"""Bases in the order they are tried for a type that has no worker of its own."""


def _find_worker(reply: Reply) -> _Worker:
    for base in _FALLBACK:
        if isinstance(reply, base):
            return _WORKERS[base]
    raise TypeError(f"no reply: {type(reply).__name__}")
