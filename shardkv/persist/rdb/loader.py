"""RDB files into databases."""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ...keyspace.database import LARGE_SLOT
from ...keyspace.slots import SLOT_MASK, key_slot
from ...values.hashes import HashValue
from .events import Aux, Ended, Event, Library, Opened, Select
from .faults import RdbFault
from .reader import RdbReader

if TYPE_CHECKING:
    from ...config import Config
    from ...keyspace.database import Database


class RdbLoader:
    """Feeds a file into databases that are empty. ``now``: Unix milliseconds.

    ``database`` gives the one with a number, and raises LookupError where there is none. Keys whose time has passed are
    left out unless ``keep_expired``: a replica keeps them, for its primary decides. Raises RdbFault; what was loaded
    before it stays, and is the caller's to drop.
    """

    def __init__(
        self,
        config: Config,
        database: Callable[[int], Database],
        now: int,
        *,
        keep_expired: bool = False,
        size: int | None = None,
    ) -> None:
        self.reader = RdbReader(config, size)
        self._database = database
        self._current: Database | None = None
        self._now = now
        self._keep_expired = keep_expired
        self.keys = 0  #: loaded
        self.expired = 0  #: left out
        self.remarks: dict[bytes, bytes] = {}
        self.libraries: list[bytes] = []  #: sources of functions
        self.opened: Opened | None = None
        self.checked = False  #: there was a check sum, and it was right

    @property
    def offset(self) -> int:
        """Bytes read so far."""
        return self.reader.offset

    @property
    def done(self) -> bool:
        """Whether the end of the file was reached."""
        return self.reader.done

    def feed(self, chunk: bytes) -> None:
        """Load what a chunk holds."""
        self._load(self.reader.feed(chunk))

    def finish(self) -> None:
        """No more chunks will come. Raises RdbFault if the file has not ended."""
        self._load(self.reader.finish())

    def _load(self, events: Iterable[Event]) -> None:
        """Put keys where they belong. What a new key changes in its database is booked here for the commonest case: a
        slot that holds keys already, and not the most of all."""
        now = self._now
        keep = self._keep_expired
        clock = now // 1000
        database = self._current
        filled = 0 if database is None else database.filled
        booked = 0
        for event in events:
            if type(event) is not tuple:
                self._book(booked)
                booked = 0
                self._learn(event)
                database = self._current
                filled = 0 if database is None else database.filled
                continue
            key, value, expires_at, idle, _ = event
            if expires_at is not None and expires_at < now and not keep:
                self.expired += 1
                continue
            if database is None:
                database = self._current = self._database(0)
            slot = crc_hqx(key, 0) & SLOT_MASK if key.find(b"{") < 0 else key_slot(key)
            held = database.values[slot]
            before = len(held)
            held[key] = value
            after = len(held)
            if after == before:
                self._book(booked)
                raise RdbFault(self.reader.offset, f"the key {key[:64]!r} is there twice")
            if 1 < after <= filled and after <= LARGE_SLOT:
                booked += 1
            else:
                self.keys += 1
                database.grown(slot, after)
                filled = database.filled
            if expires_at is not None:
                database.expire_at(key, expires_at)
            used = clock if idle is None else clock - idle
            if used > database.access[slot]:
                database.access[slot] = used
            if type(value) is HashValue and value.times is not None:
                first = value.next_expiry
                if first is not None:
                    database.hash_times.set(key, first)
        self._book(booked)

    def _book(self, count: int) -> None:
        """So many keys have come into the current database."""
        if self._current is not None:
            self._current.size += count
        self.keys += count

    def _learn(self, event: Event) -> None:
        match event:
            case Select(index):
                try:
                    self._current = self._database(index)
                except LookupError:
                    raise RdbFault(self.reader.offset, f"there is no database {index} here") from None
            case Aux(name, text):
                self.remarks[name] = text
            case Library(code):
                self.libraries.append(code)
            case Opened():
                self.opened = event
            case Ended(checked):
                self.checked = checked
            case _:
                pass  # sizes of what comes: dicts grow as they need
