"""Databases as the shortest list of commands that makes them: the base of the log without a snapshot
(``aof-use-rdb-preamble no``). The commands are those that redis-server writes, so that any version reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ...resp.numbers import format_double
from ...values.hashes import HashValue
from ...values.lists import ListValue
from ...values.sets import SetValue
from ...values.stream_groups import Group
from ...values.stream_ids import format_id
from ...values.streams import StreamValue
from ...values.strings import string_bytes
from ...values.zsets import ZSetValue
from .records import encode, timestamp

if TYPE_CHECKING:
    from ...keyspace.database import Database

Commands: TypeAlias = Iterator[list[bytes]]

#: Elements of one command, as in Redis (AOF_REWRITE_ITEMS_PER_CMD).
BATCH: Final = 64
#: Chunks are about this many commands.
CHUNK_COMMANDS: Final = 500


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    walk = iter(items)
    while batch := list(islice(walk, BATCH)):
        yield batch


def _string(key: bytes, value: Any) -> Commands:
    yield [b"SET", key, string_bytes(value)]


def _list(key: bytes, value: ListValue) -> Commands:
    for elements in _batches(value):
        yield [b"RPUSH", key, *elements]


def _set(key: bytes, value: SetValue) -> Commands:
    for members in _batches(value):
        yield [b"SADD", key, *members]


def _zset(key: bytes, value: ZSetValue) -> Commands:
    for entries in _batches(value):
        yield [b"ZADD", key, *chain.from_iterable((format_double(score), member) for score, member in entries)]


def _hash(key: bytes, value: HashValue) -> Commands:
    for pairs in _batches(value.as_dict().items()):
        yield [b"HMSET", key, *chain.from_iterable(pairs)]
    for field, at in value.times.items() if value.times is not None else ():
        yield [b"HPEXPIREAT", key, b"%d" % at, b"FIELDS", b"1", field]


def _stream(key: bytes, value: StreamValue) -> Commands:
    if value.length:
        for id, words in value.range():
            yield [b"XADD", key, format_id(id), *words]
    else:
        # Nothing else makes a stream without entries.
        yield [b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y"]
    yield [
        b"XSETID", key, format_id(value.last_id),
        b"ENTRIESADDED", b"%d" % value.entries_added, b"MAXDELETEDID", format_id(value.max_deleted_id),
    ]  # fmt: skip
    for name, group in value.sorted_groups():
        yield from _group(key, name, group)


def _group(key: bytes, name: bytes, group: Group) -> Commands:
    yield [b"XGROUP", b"CREATE", key, name, format_id(group.last_id), b"ENTRIESREAD", b"%d" % group.entries_read]
    for consumer in group.sorted_consumers():
        if not consumer.ids:
            yield [b"XGROUP", b"CREATECONSUMER", key, name, consumer.name]
        for id in consumer.ids:
            delivery = group.pending[id]
            yield [
                b"XCLAIM", key, name, consumer.name, b"0", format_id(id), b"TIME", b"%d" % delivery.time,
                b"RETRYCOUNT", b"%d" % delivery.count, b"JUSTID", b"FORCE",
            ]  # fmt: skip


_WRITERS: Final[dict[type, Callable[[bytes, Any], Commands]]] = {
    bytes: _string,
    int: _string,
    bytearray: _string,
    ListValue: _list,
    SetValue: _set,
    ZSetValue: _zset,
    HashValue: _hash,
    StreamValue: _stream,
}


def key_commands(key: bytes, value: Any, expires_at: int | None) -> Commands:
    """What makes one key. ``expires_at``: Unix milliseconds."""
    yield from _WRITERS[type(value)](key, value)
    if expires_at is not None:
        yield [b"PEXPIREAT", key, b"%d" % expires_at]


class CommandSnapshot:
    """All databases as commands, chunk by chunk; nothing may be changed before that is over, or in a child.

    ``libraries``: sources of functions. ``seconds``: the Unix time, if it is to be told.
    """

    __slots__ = ("_databases", "_libraries", "_seconds", "keys", "total")

    def __init__(
        self, databases: Sequence[Database | None], libraries: Iterable[bytes] = (), seconds: int | None = None
    ) -> None:
        self._databases = [database for database in databases if database is not None and database.size]
        self._libraries = tuple(libraries)
        self._seconds = seconds
        self.keys = 0  #: written so far
        self.total = sum(database.size for database in self._databases)

    def __iter__(self) -> Iterator[bytes]:
        if self._seconds is not None:
            yield timestamp(self._seconds)
        commands: list[list[bytes]] = [[b"FUNCTION", b"LOAD", code] for code in self._libraries]
        for database in self._databases:
            commands.append([b"SELECT", b"%d" % database.index])
            for key, value in database.items():
                commands += key_commands(key, value, database.expiry(key))
                self.keys += 1
                if len(commands) >= CHUNK_COMMANDS:
                    yield encode(commands)
                    commands = []
        if commands:
            yield encode(commands)
