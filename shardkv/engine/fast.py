"""Tuned twins of the hottest commands, those of strings; ``fast_values`` has those of the other types.

A twin takes ``(db, words, nil)`` and returns the encoded reply, or None when the plain command has to look at it:
another number of words, an option, another type, an expiry that has passed, a slot that is not served here, somebody
who watches. So a twin proves that the plain command would have answered these very bytes, and has the same effect;
``tests/laws`` holds the two equal. A twin that changes something adds to ``db.dirty``, and the request is propagated;
where something else has to be, the twin puts that into ``words``.

``123 in key`` asks whether there is a brace, the beginning of a hash tag: as an integer the search is three times
cheaper than as bytes.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Final, TypeAlias

from ..keyspace.database import Database
from ..keyspace.slots import key_slot
from ..resp.encoder import BULK_HEADER, INTEGER, LARGE, OK_BYTES, PONG_BYTES

if TYPE_CHECKING:
    from ..config import Config

#: Types of strings that nothing has to be done for when they go, and that of a key that is not there.
_SMALL_OR_NONE: Final = frozenset({bytes, int, type(None)})
_ZEROS: Final = repeat(0)

Twin: TypeAlias = Callable[[Database, list[bytes], bytes], "bytes | None"]

_SHORT: Final = len(BULK_HEADER)
_INTEGERS: Final = len(INTEGER)
_MAX: Final = 2**63 - 1


def slots_of(db: Database, keys: Sequence[bytes]) -> list[int] | None:
    """The slots of all keys, or None if one of them is not served here."""
    if 123 in b"".join(keys):  # a brace: one of them may have a hash tag
        slots = list(map(key_slot, keys))
    else:
        slots = [crc & 16383 for crc in map(crc_hqx, keys, _ZEROS)]
    return None if 0 in map(db.served.__getitem__, slots) else slots


def ping(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
    """PING without a message."""
    return PONG_BYTES if len(words) == 1 else None


def get(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
    """GET key."""
    if len(words) != 2:
        return None
    key = words[1]
    slot = key_slot(key) if 123 in key else crc_hqx(key, 0) & 16383
    if not db.served[slot]:
        return None
    times = db.expires[slot] if db.expiring else None  # a look at a list that nothing else needs costs a cache miss
    if times is not None:
        at = times.get(key)
        if at is not None and at < db.now:
            return None
    value = db.values[slot].get(key)
    if type(value) is bytes:
        db.access[slot] = db.clock
        length = len(value)
        if length < _SHORT:
            return BULK_HEADER[length] + value + b"\r\n"
        return b"$%d\r\n%b\r\n" % (length, value) if length <= LARGE else None
    if value is None and not db.attended:
        db.misses += 1
        return nil
    return None


def set_(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
    """SET key value."""
    if len(words) != 3 or db.attended:
        return None
    key = words[1]
    slot = key_slot(key) if 123 in key else crc_hqx(key, 0) & 16383
    if not db.served[slot]:
        return None
    times = db.expires[slot] if db.expiring else None
    if times is not None and key in times:
        return None
    held = db.values[slot]
    old = held.get(key)
    if old is None:
        held[key] = words[2]
        db.grown(slot, len(held))
    elif type(old) is bytes:
        held[key] = words[2]
    else:
        return None  # a large value may have to be freed with care
    db.access[slot] = db.clock
    db.dirty += 1
    return OK_BYTES


def incr(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
    """INCR of a key that holds an int already, or nothing."""
    if len(words) != 2 or db.attended:
        return None
    key = words[1]
    slot = key_slot(key) if 123 in key else crc_hqx(key, 0) & 16383
    if not db.served[slot] or (db.expiring and db.expires[slot] is not None):
        return None
    held = db.values[slot]
    value = held.get(key)
    if value is None:
        value = held[key] = 1
        db.grown(slot, len(held))
    elif type(value) is not int or value == _MAX:
        return None
    else:
        value += 1
        held[key] = value
    db.access[slot] = db.clock
    db.dirty += 1
    if 0 <= value < _INTEGERS:
        return INTEGER[value]
    return b":%d\r\n" % value


def string_twins(config: Config) -> dict[str, Twin]:
    """The twins by command."""

    def mset(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
        """MSET key value ..."""
        count = len(words)
        if not count & 1 or db.attended or config.cluster_enabled:
            return None
        keys, texts = words[1::2], words[2::2]
        slots = slots_of(db, keys)
        if slots is None:
            return None
        values = db.values
        if db.expiring:
            expires = db.expires
            if any(expires[slot] is not None for slot in slots):
                return None
        olds = [values[slot].get(key) for slot, key in zip(slots, keys, strict=True)]
        if not set(map(type, olds)) <= _SMALL_OR_NONE:
            return None
        access, clock = db.access, db.clock
        for slot, key, text in zip(slots, keys, texts, strict=True):
            held = values[slot]
            before = len(held)
            held[key] = text
            if len(held) != before:
                db.grown(slot, len(held))
            access[slot] = clock
        db.dirty += count >> 1
        return OK_BYTES

    return {"ping": ping, "get": get, "set": set_, "incr": incr, "mset": mset}


#: Each call of these is a hit, but for the misses that the twin counts itself.
READERS: Final = frozenset({"get", "hget", "lrange"})
