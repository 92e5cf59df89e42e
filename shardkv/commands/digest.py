"""DEBUG DIGEST: forty digits that two servers with equal data agree on, whatever the order of their keys.

The algorithm is that of redis-server (debug.c), so the data of two different servers can be compared by one command.
There are two steps: *mix* is for what has an order (a digest, then something, hashed together), *xor* for what has
none. A type of value adds itself by ``digests``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha1
from typing import Any, Final, TypeAlias

from ..keyspace.database import Database
from ..values.strings import string_bytes

Feed: TypeAlias = Callable[[bytes, Any], bytes]

ZERO: Final = bytes(20)
#: What an expiry adds: that there is one, not when, for the clocks of two servers differ.
_EXPIRES: Final = b"!!expire!!"


def xor(digest: bytes, data: bytes) -> bytes:
    """Add something whose place does not matter."""
    return (int.from_bytes(digest) ^ int.from_bytes(sha1(data).digest())).to_bytes(20)


def mix(digest: bytes, data: bytes) -> bytes:
    """Add something that comes after all that was added before."""
    return sha1(xor(digest, data)).digest()


def _feed_string(digest: bytes, value: Any) -> bytes:
    return mix(digest, string_bytes(value))


#: For each type of value: Redis's number of the type, and what adds a value to a digest.
_TYPES: Final[dict[type, tuple[int, Feed]]] = dict.fromkeys((bytes, int, bytearray), (0, _feed_string))


def digests(kind: type, number: int) -> Callable[[Feed], Feed]:
    """Declare how values of a type are added to a digest. ``number``: 1 list, 2 set, 3 zset, 4 hash, 6 stream."""

    def declare(feed: Feed) -> Feed:
        _TYPES[kind] = (number, feed)
        return feed

    return declare


def digest_value(database: Database, key: bytes, value: Any, digest: bytes = ZERO) -> bytes:
    """The digest of a value with whether it expires, added to ``digest``."""
    number, feed = _TYPES[type(value)]
    digest = feed(mix(digest, number.to_bytes(4)), value)
    if database.expiry(key) is not None:
        digest = xor(digest, _EXPIRES)
    return digest


def digest_all(databases: Iterable[Database | None]) -> bytes:
    """The digest of all keys of all databases."""
    total = ZERO
    for database in databases:
        if database is None or not database.size:
            continue
        total = mix(total, database.index.to_bytes(4))
        for key, value in database.items():
            total = xor(total, digest_value(database, key, value, mix(ZERO, key)))
    return total
