"""Keyspace events: to which class each belongs, and which of them ``notify-keyspace-events`` asks for.

A class is a letter, as in the option: ``g`` generic, ``$`` strings, ``l`` lists, ``s`` sets, ``h`` hashes, ``z`` sorted
sets, ``t`` streams, ``x`` expired, ``e`` evicted, ``d`` modules, ``m`` misses, ``n`` new keys. ``A`` is all of them but
the last two. ``K`` publishes by key, ``E`` by event.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

#: The letters that ``A`` stands for.
ALL: Final = "g$lshzxetd"

_EVENTS: Final = {
    "g": "del expire persist rename_from rename_to move_from move_to copy_to restore",
    "$": "set setrange append incrby incrbyfloat setbit pfadd",
    "l": "lpush rpush lpop rpop linsert lset lrem ltrim sortstore",
    "s": "sadd srem spop sinterstore sunionstore sdiffstore",
    "h": "hset hincrby hincrbyfloat hdel hexpire hpersist hexpired",
    "z": "zadd zincr zrem zremrangebyscore zremrangebyrank zremrangebylex zpopmin zpopmax zunionstore zinterstore "
    "zdiffstore zrangestore geosearchstore georadiusstore",
    "t": "xadd xdel xtrim xsetid xgroup-create xgroup-createconsumer xgroup-delconsumer xgroup-destroy xgroup-setid",
    "x": "expired",
    "e": "evicted",
    "m": "keymiss",
    "n": "new",
}

CLASS_OF: Final[dict[str, str]] = {event: letter for letter, events in _EVENTS.items() for event in events.split()}
"""The class letter of every event there is."""

#: Changes that are told to watchers and caches only: Redis announces them in no class.
SILENT: Final = frozenset({"pfcount", "pfdebug"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an option's value asks for: the events, and the channels on which they are published."""

    events: frozenset[str]
    by_key: bool
    by_event: bool


@lru_cache(maxsize=64)
def wanted(letters: str) -> Wanted | None:
    """What the letters of ``notify-keyspace-events`` ask for; None when no event could reach anybody."""
    by_key, by_event = "K" in letters, "E" in letters
    classes = letters.replace("A", ALL)
    events = frozenset(event for event, letter in CLASS_OF.items() if letter in classes)
    if not events or not (by_key or by_event):
        return None
    return Wanted(events, by_key, by_event)


def key_channel(database: int, key: bytes) -> bytes:
    """The channel that tells what happens to a key."""
    return b"__keyspace@%d__:%b" % (database, key)


def event_channel(database: int, event: str) -> bytes:
    """The channel that tells to which keys something happens."""
    return b"__keyevent@%d__:%b" % (database, event.encode())
