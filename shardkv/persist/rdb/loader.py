"""RDB files into databases."""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from ...keyspace.database import LARGE_SLOT
from ...keyspace.slots import SLOT_MASK, key_slot
from ...values.damage import DamagedValue
from ...values.hashes import HashValue
from ...values.lists import ListValue
from ...values.streams import StreamValue
from ...values.zsets import ZSetValue
from .events import Aux, Ended, Event, Library, Opened, Select
from .faults import RdbFault
from .reader import RdbReader

if TYPE_CHECKING:
    from ...config import Config
    from ...keyspace.database import Database


#: Types of values that may be kept as they were read.
_KEEPING: Final = frozenset({HashValue, ListValue, StreamValue, ZSetValue})


class RdbLoader:
    """Feeds a file into databases that are empty. ``now``: Unix milliseconds.

    ``database`` gives the one with a number, and raises LookupError where there is none. Keys whose time has passed are
    left out unless ``keep_expired``: a replica keeps them, for its primary decides. Their names are remembered while
    they take no more than ``remembered_max`` bytes. Raises RdbFault; what was loaded before it stays, and is the
    caller's to drop.
    """

    def __init__(
        self,
        config: Config,
        database: Callable[[int], Database],
        now: int,
        *,
        keep_expired: bool = False,
        size: int | None = None,
        remembered_max: int = 0,
    ) -> None:
        self.reader = RdbReader(config, size, keep=config.rdbchecksum)
        self._database = database
        self._current: Database | None = None
        self._filled: list[Database] = []
        self._now = now
        self._keep_expired = keep_expired
        self.keys = 0  #: loaded
        self.expired = 0  #: left out
        self.left_out: list[tuple[int, bytes]] = []  #: these, with their databases; none if they are too many
        self._room = remembered_max
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
        database: Database | None = None
        booked = 0
        for event in events:
            try:
                key, value, expires_at, idle, frequency = event  # type: ignore[misc]  # as most do
            except TypeError:
                self._book(booked)
                booked = 0
                self._learn(event)
                database = None
                continue
            if expires_at is not None and expires_at < now and not self._keep_expired:
                self._leave_out(key)
                continue
            if database is None:
                database = self._begin_database()
                values = database.values
                usual = min(database.filled, LARGE_SLOT)
            slot = crc_hqx(key, 0) & SLOT_MASK if 123 not in key else key_slot(key)
            held = values[slot]
            before = len(held)
            held[key] = value
            after = len(held)
            if before and before < after <= usual:
                booked += 1
            elif before == after:
                self._book(booked)
                raise RdbFault(self.reader.offset, f"the key {key[:64]!r} is there twice")
            else:
                self.keys += 1
                database.grown(slot, after)
                usual = min(database.filled, LARGE_SLOT)
            if expires_at is not None:
                database.expire_at(key, expires_at)
            if idle is not None or frequency is not None:
                self._mark(database, key, idle, frequency)
            if type(value) is HashValue and value.times is not None:
                first = value.next_expiry
                if first is not None:
                    database.hash_times.set(key, first)
        self._book(booked)

    def _leave_out(self, key: bytes) -> None:
        self.expired += 1
        self._room -= len(key)
        if self._room >= 0:
            self.left_out.append((self._begin_database().index, key))
        else:
            self.left_out.clear()

    def _begin_database(self) -> Database:
        """The database that keys go to: the first one, if none was named."""
        if self._current is None:
            self._current = self._database(0)
            self._filled.append(self._current)
        return self._current

    def _mark(self, database: Database, key: bytes, idle: int | None, frequency: int | None) -> None:
        """The file says how a key was used: a slot was used last when the last of its keys was."""
        slot, clock = key_slot(key), self._now // 1000
        before = database.access[slot]
        database.mark(key, clock, idle, frequency)
        database.access[slot] = max(before, database.access[slot])

    def _date(self) -> None:
        """What the file says nothing of was used now."""
        clock = self._now // 1000
        for database in self._filled:
            access = database.access
            for slot in database.live:
                access[slot] = access[slot] or clock

    def _book(self, count: int) -> None:
        """So many keys have come into the current database."""
        if self._current is not None:
            self._current.size += count
        self.keys += count

    def _unfold(self) -> None:
        """Read all that was left packed: no check sum vouches for it."""
        try:
            for database in self._filled:
                for held in database.values:
                    for value in held.values():
                        if type(value) in _KEEPING:
                            value.unfold()
        except DamagedValue as damaged:
            raise RdbFault(self.reader.offset, damaged.text.removeprefix("ERR ")) from None

    def _learn(self, event: Event) -> None:
        match event:
            case Select(index):
                try:
                    self._current = self._database(index)
                except LookupError:
                    raise RdbFault(self.reader.offset, f"there is no database {index} here") from None
                self._filled.append(self._current)
            case Aux(name, text):
                self.remarks[name] = text
            case Library(code):
                self.libraries.append(code)
            case Opened():
                self.opened = event
            case Ended(checked):
                self.checked = checked
                self._date()
                if not checked and self.reader.keeps:
                    self._unfold()
            case _:
                pass  # sizes of what comes: dicts grow as they need
