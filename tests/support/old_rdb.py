"""The forms of RDB that no server of today writes, made by hand: ziplists, zipmaps, files of old versions."""

from __future__ import annotations

from collections.abc import Iterable
from struct import pack

from shardkv.persist.rdb.primitives import crc64, plain_string


def make_ziplist(elements: Iterable[bytes]) -> bytes:
    """A ziplist as Redis 2.6 to 6.2 made it."""
    body = b""
    before = tail = 0
    count = 0
    for element in elements:
        entry = (bytes((before,)) if before < 254 else b"\xfe" + pack("<I", before)) + _ziplist_body(element)
        tail = len(body)
        body += entry
        before = len(entry)
        count += 1
    return pack("<IIH", 10 + len(body) + 1, 10 + tail, min(count, 0xFFFF)) + body + b"\xff"


def _ziplist_body(element: bytes) -> bytes:
    number = _integer(element)
    if number is not None:
        if 0 <= number <= 12:
            return bytes((0xF1 + number,))
        for head, width in ((0xFE, 1), (0xC0, 2), (0xF0, 3), (0xD0, 4), (0xE0, 8)):
            if -(1 << (8 * width - 1)) <= number < 1 << (8 * width - 1):
                return bytes((head,)) + number.to_bytes(width, "little", signed=True)
    size = len(element)
    if size < 64:
        return bytes((size,)) + element
    if size < 16384:
        return pack(">H", 0x4000 | size) + element
    return b"\x80" + pack(">I", size) + element


def _integer(element: bytes) -> int | None:
    try:
        number = int(element)
    except ValueError:
        return None
    return number if b"%d" % number == element and -(2**63) <= number < 2**63 else None


def make_zipmap(words: list[bytes], *, free: int = 0) -> bytes:
    """A zipmap of fields and values in turn, with ``free`` unused bytes behind each value."""
    body = b""
    for field, value in zip(words[::2], words[1::2], strict=True):
        body += _zipmap_length(field) + field + _zipmap_length(value) + bytes((free,)) + value + bytes(free)
    return bytes((min(len(words) // 2, 254),)) + body + b"\xff"


def _zipmap_length(word: bytes) -> bytes:
    return bytes((len(word),)) if len(word) < 254 else b"\xfe" + pack("<I", len(word))


def make_file(body: bytes, version: int = 10, *, magic: bytes = b"REDIS", checked: bool = True) -> bytes:
    """A file with this between its version and its end. ``checked``: with a true check sum, else with none."""
    data = magic + b"%0*d" % (9 - len(magic), version) + body + b"\xff"
    if version < 5:
        return data
    return data + pack("<Q", crc64(data) if checked else 0)


def make_key(kind: int, key: bytes, value: bytes) -> bytes:
    """One key of a file."""
    return bytes((kind,)) + plain_string(key) + value
