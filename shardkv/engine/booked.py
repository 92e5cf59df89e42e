"""The tuned twins as they are while the keyspace keeps books (``keyspace/books``), and perhaps of each key's use.

They take the places of the plain twins when the books are opened, and leave them when those are closed, so that nobody
else pays for them. Each has the contract of the twin that it stands for (``fast``), and one more clause: what may take
memory declines while the limit is exceeded, and the alarm that it sounds brings its request before the gates.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from ..keyspace.database import LARGE_SLOT
from ..keyspace.slots import key_slot
from ..keyspace.usage import Recency, Usage
from ..keyspace.weight import BLOCKS, ENTRY, NUMBER, TEXT
from ..resp.encoder import OK_BYTES
from .fast import READERS, Twin, slots_of
from .runs import Answered, Column, Columns, Run

if TYPE_CHECKING:
    from ..keyspace.database import Database

_DECLINED: Final[Answered] = (b"", 0)
#: Bytes of a new key that holds a small number, beside those of its name.
_NUMBER_ENTRY: Final = ENTRY + NUMBER
#: Twins that need no books.
_UNBOOKED: Final = frozenset({"ping"})
#: Commands that go without a twin while books are kept.
_WITHOUT: Final = frozenset({"mset", "restore-asking"})


def _slot_of(key: bytes) -> int:
    return key_slot(key) if 123 in key else crc_hqx(key, 0) & 16383


def _exceeded(db: Database) -> bool:
    """Whether memory is over the limit, so that the gates have to look at what takes more."""
    books = db.books
    if books is None or books.used <= books.limit:
        return False
    books.alarm()
    return True


def _near(db: Database) -> bool:
    """Whether memory is so near to its limit that room should be made before a whole run."""
    books = db.books
    if books is None or books.used <= books.brim:
        return False
    books.alarm()
    return True


def _changed(db: Database, key: bytes, written: int) -> None:
    """A twin has changed a collection by a request of so many bytes."""
    slot = _slot_of(key)
    if db.books is not None:
        db.books.changed(db, slot, key, written)
    if db.usage is not None and key in db.values[slot]:
        db.usage.used(slot, key)


# ---- single requests


def reading(twin: Twin) -> Twin:
    """A twin that reads one key."""

    def read(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
        reply = twin(db, words, nil)
        if reply is not None and reply is not nil:
            usage = db.usage
            if usage is not None:
                key = words[1]
                usage.used(key_slot(key) if 123 in key else crc_hqx(key, 0) & 16383, key)
        return reply

    return read


def reading_collection(twin: Twin) -> Twin:
    """A twin that reads a collection, which may be unpacked for that."""

    def read(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
        reply = twin(db, words, nil)
        if reply is not None:
            _changed(db, words[1], 0)
        return reply

    return read


def changing(twin: Twin) -> Twin:
    """A twin that changes a collection."""

    def change(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
        if _exceeded(db):
            return None
        key, written = words[1], sum(map(len, words))
        reply = twin(db, words, nil)
        if reply is not None:
            _changed(db, key, written)
        return reply

    return change


def set_(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
    """SET key value."""
    if len(words) != 3 or db.attended or _exceeded(db):
        return None
    key, text = words[1], words[2]
    slot = key_slot(key) if 123 in key else crc_hqx(key, 0) & 16383
    if not db.served[slot]:
        return None
    times = db.expires[slot] if db.expiring else None
    if times is not None and key in times:
        return None
    held = db.values[slot]
    old = held.get(key)
    if old is None:
        held[key] = text
        db.grown(slot, len(held))
        grown = ENTRY + ((len(key) + TEXT) & BLOCKS) + ((len(text) + TEXT) & BLOCKS)
    elif type(old) is bytes:
        held[key] = text
        grown = ((len(text) + TEXT) & BLOCKS) - ((len(old) + TEXT) & BLOCKS)
    else:
        return None
    if grown:
        db.books.used += grown  # type: ignore[union-attr]  # they are kept, else the plain twin would be here
    usage = db.usage
    if usage is not None:
        (usage.new if old is None else usage.used)(slot, key)
    db.access[slot] = db.clock
    db.dirty += 1
    return OK_BYTES


def incr(twin: Twin) -> Twin:
    """INCR of a key that holds an int already, or nothing."""

    def count(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
        if _exceeded(db):
            return None
        before = db.size
        reply = twin(db, words, nil)
        if reply is not None:
            _counted(db, words[1:], db.size - before)
        return reply

    return count


def _counted(db: Database, keys: Iterable[bytes], new: int) -> None:
    """Numbers have been counted up, of which some are new (all of one name's length, if any)."""
    names = list(keys)
    if new and db.books is not None:
        db.books.used += new * _NUMBER_ENTRY + sum((len(key) + TEXT) & BLOCKS for key in names) * new // len(names)
    if db.usage is not None:
        for key in names:
            db.usage.used(_slot_of(key), key)


def booked_twins(twins: dict[str, Twin]) -> dict[str, Twin]:
    """The twins that keep books, by command."""
    found: dict[str, Twin] = {}
    for name, twin in twins.items():
        if name in _UNBOOKED:
            found[name] = twin
        elif name == "set":
            found[name] = set_
        elif name == "incr":
            found[name] = incr(twin)
        elif name == "get":
            found[name] = reading(twin)
        elif name in READERS:
            found[name] = reading_collection(twin)
        elif name not in _WITHOUT:
            found[name] = changing(twin)
    return found


# ---- whole runs


def _use(usage: Usage, places: Iterable[tuple[int, bytes]]) -> None:
    """Keys are being used, each told with its slot."""
    if type(usage) is Recency:
        rooms, now = usage.slots, usage.fresh()
        for slot, key in places:
            rooms[slot][key] = now
    else:
        for slot, key in places:
            usage.used(slot, key)


def read_run(run: Run) -> Run:
    """A run of GET."""

    def read(db: Database, columns: Columns, nil: bytes) -> Answered:
        misses = db.misses
        replies, count = run(db, columns, nil)
        usage = db.usage
        if count and usage is not None:
            keys = columns[1][:count]
            slots = slots_of(db, keys) or ()
            places: Iterable[tuple[int, bytes]] = zip(slots, keys, strict=True)
            if db.misses != misses:
                places = [(slot, key) for slot, key in places if key in db.values[slot]]
            _use(usage, places)
        return replies, count

    return read


def set_run(db: Database, columns: Columns, nil: bytes) -> Answered:
    """A run of SET key value. It ends where memory is exceeded."""
    if len(columns) != 3 or db.attended or _near(db):
        return _DECLINED
    keys, texts = columns[1], columns[2]
    slots = slots_of(db, keys)
    if slots is None:
        return _DECLINED
    done = _store(db, keys, slots, texts)
    if done and db.usage is not None:
        db.usage.look_at(slots[db.dirty % done])  # a room that fills is looked at soon, wherever in a run its keys are
    db.dirty += done
    return OK_BYTES * done, done


def _store(db: Database, keys: Column, slots: list[int], texts: Column) -> int:
    """Store strings under keys that have no expiry and hold strings or nothing: how many, from the first on."""
    books, usage = db.books, db.usage
    assert books is not None, "else the plain run would be here"
    values, access, clock = db.values, db.access, db.clock
    expires = db.expires if db.expiring else None
    rooms, fresh = (None, 0) if usage is None else (usage.slots, usage.fresh())
    counts = usage is not None and not isinstance(usage, Recency)
    left = books.limit - books.used
    most = min(db.filled, LARGE_SLOT)  # where a slot grows beyond, more is to be done
    first: list[int] = []
    done = grown = added = 0
    for key, slot, text in zip(keys, slots, texts, strict=True):
        if expires is not None:
            times = expires[slot]
            if times is not None and key in times:
                break
        held = values[slot]
        old = held.get(key)
        if old is None:
            held[key] = text
            count = len(held)
            if count > most:
                db.grown(slot, count)
            else:
                added += 1
                if count == 1:
                    first.append(slot)
            grown += ENTRY + ((len(key) + TEXT) & BLOCKS) + ((len(text) + TEXT) & BLOCKS)
            if rooms is not None:
                rooms[slot][key] = fresh
        elif type(old) is bytes:
            held[key] = text
            if len(old) != len(text):
                grown += ((len(text) + TEXT) & BLOCKS) - ((len(old) + TEXT) & BLOCKS)
            if counts:
                usage.used(slot, key)  # type: ignore[union-attr]  # there is one that counts
            elif rooms is not None:
                rooms[slot][key] = fresh
        else:
            break
        access[slot] = clock
        done += 1
        if grown > left:
            break
    db.size += added
    db.settled(first)
    books.used += grown
    return done


def incr_run(run: Run) -> Run:
    """A run of INCR."""

    def count(db: Database, columns: Columns, nil: bytes) -> Answered:
        if _near(db):
            return _DECLINED
        before = db.size
        replies, done = run(db, columns, nil)
        if done:
            _counted(db, columns[1][:done], db.size - before)
        return replies, done

    return count


def changing_run(run: Run) -> Run:
    """A run that changes one collection."""

    def change(db: Database, columns: Columns, nil: bytes) -> Answered:
        if len(columns) < 2 or _near(db):
            return _DECLINED
        replies, count = run(db, columns, nil)
        if count:
            _changed(db, columns[1][0], sum(sum(map(len, column)) for column in columns[2:]))
        return replies, count

    return change


def booked_runs(runs: dict[str, Run]) -> dict[str, Run]:
    """The runs that keep books, by command."""
    special: dict[str, Callable[[Run], Run]] = {"get": read_run, "set": lambda run: set_run, "incr": incr_run}
    return {name: run if name in _UNBOOKED else special.get(name, changing_run)(run) for name, run in runs.items()}
