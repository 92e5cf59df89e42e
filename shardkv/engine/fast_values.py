"""Tuned twins of the hottest commands of lists, hashes, sets and sorted sets. The contract is told in ``fast``.

These find the value by ``owned`` or ``_seen`` and leave its change to the value itself; what they save is all that
stands around a command.
"""

from __future__ import annotations

from binascii import crc_hqx
from typing import TYPE_CHECKING, Any, Final

from ..errors import ReplyError
from ..keyspace.database import Database
from ..keyspace.slots import key_slot
from ..resp.encoder import BULK_HEADER, EMPTY_ARRAY, INTEGER, LARGE, NULL3, encode_bulks
from ..resp.numbers import format_double, parse_float
from ..values.hashes import HashValue
from ..values.lists import ListValue
from ..values.sets import SetValue
from ..values.zsets import ZSetValue
from .fast import Twin

if TYPE_CHECKING:
    from random import Random

    from ..config import Config

_SHORT: Final = len(BULK_HEADER)
_INTEGERS: Final = len(INTEGER)


class Declined:
    """What stands for a value that a twin must not touch."""


_DECLINED: Final = Declined()


def owned(db: Database, key: bytes) -> Any:
    """The value that a writing command may change, or None. Its access time is kept."""
    if db.attended:
        return _DECLINED
    slot = key_slot(key) if 123 in key else crc_hqx(key, 0) & 16383
    if not db.served[slot]:
        return _DECLINED
    value = db.values[slot].get(key)
    if value is not None:
        times = db.expires[slot] if db.expiring else None
        if times is not None:
            at = times.get(key)
            if at is not None and at < db.now:
                return _DECLINED
        db.access[slot] = db.clock
    return value


def _seen(db: Database, key: bytes, kind: type) -> Any:
    """The value of that type for a reading command, or None. Its access time is kept, and a miss counted."""
    slot = key_slot(key) if 123 in key else crc_hqx(key, 0) & 16383
    if not db.served[slot]:
        return _DECLINED
    value = db.values[slot].get(key)
    if value is None:
        if db.attended:
            return _DECLINED
        db.misses += 1
        return None
    times = db.expires[slot] if db.expiring else None
    if times is not None:
        at = times.get(key)
        if at is not None and at < db.now:
            return _DECLINED
    if type(value) is not kind:
        return _DECLINED  # before anything is counted
    db.access[slot] = db.clock
    return value


def _bulk(text: bytes) -> bytes:
    size = len(text)
    if size < _SHORT:
        return BULK_HEADER[size] + text + b"\r\n"
    return b"$%d\r\n%b\r\n" % (size, text)


def _count(number: int) -> bytes:
    return INTEGER[number] if number < _INTEGERS else b":%d\r\n" % number


def hget(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
    """HGET key field."""
    if len(words) != 3:
        return None
    held = _seen(db, words[1], HashValue)
    if held is None:
        return nil
    if held is _DECLINED or held.times is not None:
        return None
    text = held.get(words[2])
    if text is None:
        return nil
    return _bulk(text) if len(text) <= LARGE else None


def lrange(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
    """LRANGE key start stop, both from the left."""
    if len(words) != 4:
        return None
    first, last = words[2], words[3]
    # Longer ones might be no 64-bit integers, and those with a leading zero or a sign are not looked at here.
    if not (first.isdigit() and last.isdigit() and len(first) < 10 and len(last) < 10):
        return None
    start, end = int(first), int(last) + 1
    if (first[0] == 48 and len(first) > 1) or (last[0] == 48 and len(last) > 1):
        return None
    held = _seen(db, words[1], ListValue)
    if held is None:
        return EMPTY_ARRAY
    if held is _DECLINED:
        return None
    end = min(end, len(held))
    if start >= end:
        return EMPTY_ARRAY
    elements = held.slice(start, end)
    sizes = set(map(len, elements))
    return encode_bulks(elements, sizes) if max(sizes) <= LARGE else None


def zpopmin(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
    """ZPOPMIN key."""
    if len(words) != 2:
        return None
    held = owned(db, words[1])
    if type(held) is not ZSetValue:
        return EMPTY_ARRAY if held is None else None
    score, member = held.cut(0, 1)[0]
    db.dirty += 1
    if not len(held):
        db.remove(words[1])
    text = format_double(score)
    return b"*2\r\n%b%b" % (_bulk(member), b",%b\r\n" % text if nil is NULL3 else _bulk(text))


def value_twins(config: Config, rng: Random) -> dict[str, Twin]:
    """The twins by command. What is added obeys ``config`` as it stands then; ``rng`` chooses what SPOP takes."""

    def lpush(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
        """LPUSH key element ... of a list that exists."""
        if len(words) < 3:
            return None
        held = owned(db, words[1])
        if type(held) is not ListValue:
            return None
        held.push_left(words[2:], config.list_max_listpack_size)
        db.dirty += len(words) - 2
        return _count(len(held))

    def rpush(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
        """RPUSH key element ... of a list that exists."""
        if len(words) < 3:
            return None
        held = owned(db, words[1])
        if type(held) is not ListValue:
            return None
        held.push_right(words[2:], config.list_max_listpack_size)
        db.dirty += len(words) - 2
        return _count(len(held))

    def lpop(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
        """LPOP key."""
        if len(words) != 2:
            return None
        held = owned(db, words[1])
        if type(held) is not ListValue:
            return nil if held is None else None
        element = held.pop_left(config.list_max_listpack_size)
        db.dirty += 1
        if not len(held):
            db.remove(words[1])
        return _bulk(element)

    def rpop(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
        """RPOP key."""
        if len(words) != 2:
            return None
        held = owned(db, words[1])
        if type(held) is not ListValue:
            return nil if held is None else None
        element = held.pop_right(config.list_max_listpack_size)
        db.dirty += 1
        if not len(held):
            db.remove(words[1])
        return _bulk(element)

    def hset(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
        """HSET key field value ... of a hash that exists and has no fields that expire."""
        count = len(words)
        if count < 4 or count & 1:
            return None
        held = owned(db, words[1])
        if type(held) is not HashValue or held.times is not None:
            return None
        if held.rests:
            db.newborn.append(words[1])  # so that it is packed again
        db.dirty += (count - 2) >> 1
        return _count(held.update(words[2:], config))

    def sadd(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
        """SADD key member of a set that exists."""
        if len(words) != 3:
            return None
        held = owned(db, words[1])
        if type(held) is not SetValue:
            return None
        if held.add(words[2], config):
            db.dirty += 1
            return INTEGER[1]
        return INTEGER[0]

    def spop(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
        """SPOP key: to the replicas it is the SREM of what was taken."""
        if len(words) != 2:
            return None
        held = owned(db, words[1])
        if type(held) is not SetValue:
            return nil if held is None else None
        member = held.pop(rng)
        db.dirty += 1
        if not len(held):
            db.remove(words[1])
        words[0] = b"SREM"
        words.append(member)
        return _bulk(member)

    def zadd(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
        """ZADD key score member of a sorted set that exists."""
        if len(words) != 4:
            return None
        try:
            score = parse_float(words[2])
        except ReplyError:
            return None
        held = owned(db, words[1])
        if type(held) is not ZSetValue:
            return None
        member = words[3]
        if held.encoding != "skiplist":
            held.expect(1, len(member), config)
        old = held.score(member)
        if old == score:
            return INTEGER[0]
        held.add(member, score, config)
        db.dirty += 1
        return INTEGER[1 if old is None else 0]

    return {
        "hget": hget,
        "hset": hset,
        "lpop": lpop,
        "lpush": lpush,
        "lrange": lrange,
        "rpop": rpop,
        "rpush": rpush,
        "sadd": sadd,
        "spop": spop,
        "zadd": zadd,
        "zpopmin": zpopmin,
    }
