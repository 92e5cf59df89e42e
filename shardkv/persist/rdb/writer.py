"""Databases to the bytes of an RDB file.

``slot_bytes`` writes one slot and depends on nothing but that slot, so a snapshot can be made in a forked child, or in
steps between requests, or slot by slot before each slot's first change. ``Snapshot`` puts the whole file together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from struct import Struct
from typing import TYPE_CHECKING, Final

from . import opcodes
from .codecs import ENCODERS
from .packing import Packing
from .primitives import COMPRESS_MIN, SHORT_HEADS, crc64, length_bytes, plain_string

if TYPE_CHECKING:
    from ...config import Config
    from ...keyspace.database import Database

#: Chunks are about this large; a larger value makes a larger chunk.
CHUNK: Final = 1 << 16

_EXPIRES: Final = Struct("<Bq").pack
_CRC: Final = Struct("<Q").pack
_TYPES: Final = [bytes((number,)) for number in range(opcodes.FIRST_OPCODE)]
_STRING: Final = _TYPES[opcodes.STRING]
_DIGITS_END: Final = ord("9")


class RdbWriter:
    """Writes by the options as they stand when it is made. ``now``: Unix milliseconds."""

    def __init__(self, config: Config, now: int, chunk: int = CHUNK) -> None:
        self._chunk = chunk
        self._packing = Packing.of(config)
        policy = str(config.maxmemory_policy)
        self._idle = policy.endswith("lru")
        self._freq = policy.endswith("lfu")
        self._clock = now // 1000

    def slot_bytes(self, database: Database, slot: int) -> bytes:
        """The keys of a slot, with their expiry times and, under a policy that counts it, their last use."""
        out: list[bytes] = []
        append = out.append
        packing = self._packing
        text = packing.text
        encoders = ENCODERS
        times = database.expires[slot]
        marked = self._idle or self._freq
        heads, longest = SHORT_HEADS, COMPRESS_MIN
        for key, value in database.values[slot].items():
            if times is not None and key in times:
                append(_EXPIRES(opcodes.EXPIRE_MS, times[key]))
            if marked:
                append(self._mark(database, key))
            # A short text that begins behind the digits, the commonest of all, is neither an integer nor compressed.
            length = len(key)
            name = heads[length] + key if 0 < length <= longest and key[0] > _DIGITS_END else text(key)
            if type(value) is bytes:
                append(_STRING)
                append(name)
                length = len(value)
                if 0 < length <= longest and value[0] > _DIGITS_END:
                    append(heads[length])
                    append(value)
                else:
                    append(text(value))
            else:
                place = len(out)
                append(b"")
                append(name)
                out[place] = _TYPES[encoders[type(value)](value, out, packing)]
        return b"".join(out)

    def _mark(self, database: Database, key: bytes) -> bytes:
        """For how long a key was not used, or how often it was."""
        if self._idle:
            return bytes((opcodes.IDLE,)) + length_bytes(database.idle_seconds(key, self._clock))
        return bytes((opcodes.FREQ, database.frequency(key)))

    def database_chunks(self, database: Database) -> Iterator[tuple[int, bytes]]:
        """All keys of a database, with what stands before them: how many a chunk holds, and the chunk. Nothing for a
        database without keys."""
        if not database.size:
            return
        parts = [
            bytes((opcodes.SELECTDB,)) + length_bytes(database.index),
            bytes((opcodes.RESIZEDB,)) + length_bytes(database.size) + length_bytes(database.expiring),
        ]
        size = keys = 0
        for slot, held in enumerate(database.values):
            if held:
                piece = self.slot_bytes(database, slot)
                parts.append(piece)
                size += len(piece)
                keys += len(held)
                if size >= self._chunk:
                    yield keys, b"".join(parts)
                    parts = []
                    size = keys = 0
        if parts:
            yield keys, b"".join(parts)


def version_for(databases: Iterable[Database | None]) -> int:
    """The lowest version that holds these databases."""
    timed = any(len(database.hash_times) for database in databases if database is not None)
    return opcodes.VERSION_FIELD_TIMES if timed else opcodes.VERSION_WRITTEN


def opening(version: int, remarks: Iterable[tuple[bytes, bytes]] = (), libraries: Iterable[bytes] = ()) -> bytes:
    """The beginning of a file: its version, remarks (``redis-ver`` ...) and the sources of functions."""
    parts = [opcodes.MAGIC + b"%04d" % version]
    parts += [bytes((opcodes.AUX,)) + plain_string(name) + plain_string(value) for name, value in remarks]
    parts += [bytes((opcodes.FUNCTION2,)) + plain_string(code) for code in libraries]
    return b"".join(parts)


def ending(crc: int) -> bytes:
    """The check sum, behind the opcode that ``crc`` includes; 0 stands for none."""
    return _CRC(crc)


class Snapshot:
    """A whole file, made chunk by chunk as it is iterated over; nothing may be changed before that is over, or in a
    child. ``now``: Unix milliseconds. ``remarks`` and ``libraries`` as for ``opening``. ``stepwise``: a chunk for each
    slot, for who wants to do something in between.
    """

    __slots__ = ("_checked", "_databases", "_head", "_writer", "keys", "total")

    def __init__(
        self,
        databases: Sequence[Database | None],
        config: Config,
        now: int,
        remarks: Iterable[tuple[bytes, bytes]] = (),
        libraries: Iterable[bytes] = (),
        *,
        stepwise: bool = False,
    ) -> None:
        self._databases = [database for database in databases if database is not None]
        self._writer = RdbWriter(config, now, 1 if stepwise else CHUNK)
        self._checked = config.rdbchecksum
        self._head = opening(version_for(databases), remarks, libraries)
        self.keys = 0  #: written so far
        self.total = sum(database.size for database in self._databases)

    def __iter__(self) -> Iterator[bytes]:
        crc = 0
        checked = self._checked
        for chunk in self._body():
            if checked:
                crc = crc64(chunk, crc)
            yield chunk
        yield ending(crc)

    def _body(self) -> Iterator[bytes]:
        yield self._head
        for database in self._databases:
            for keys, chunk in self._writer.database_chunks(database):
                self.keys += keys
                yield chunk
        yield bytes((opcodes.EOF,))
