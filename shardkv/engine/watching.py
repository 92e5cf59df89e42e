"""WATCH: which sessions' transactions a change of a key breaks."""

from __future__ import annotations

from collections.abc import Iterable

from ..commands.session import NAME_BYTES, Session
from ..keyspace.database import Database
from ..keyspace.slots import key_slot


class Watches:
    """Who watches which key of which database. A session remembers its own in ``session.watching``."""

    __slots__ = ("_by_key",)

    def __init__(self) -> None:
        self._by_key: dict[tuple[int, bytes], dict[Session, None]] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def add(self, session: Session, keys: Iterable[bytes]) -> None:
        """Watch keys of the session's database. A key that has expired already does not count as there."""
        db = session.db
        for key in keys:
            place = (db.index, key)
            if place not in session.watching:
                session.watching[place] = has_expired(db, key)
                session.watched_bytes += NAME_BYTES + len(key)
                self._by_key.setdefault(place, {})[session] = None

    def remove(self, session: Session) -> None:
        """Forget all that a session watches."""
        for place in session.watching:
            held = self._by_key[place]
            del held[session]
            if not held:
                del self._by_key[place]
        session.watching.clear()
        session.watched_bytes = 0
        session.watch_broken = False

    def touched(self, database: Database, key: bytes) -> None:
        """A key was changed."""
        for session in self._by_key.get((database.index, key), ()):
            session.watch_broken = True

    def expired(self, database: Database, key: bytes) -> None:
        """A key is deleted because its time has passed: no change to those who watched it when it had passed
        already."""
        place = (database.index, key)
        for session in self._by_key.get(place, ()):
            if not session.watching.get(place):
                session.watch_broken = True

    def flushed(self, database: Database) -> None:
        """All keys of a database are about to go."""
        self._replaced(database.index, database, None)

    def exchanged(self, one: Database, two: Database) -> None:
        """Two databases are about to change places."""
        self._replaced(one.index, one, two)
        self._replaced(two.index, two, one)

    def _replaced(self, number: int, before: Database, after: Database | None) -> None:
        """Under a number there will be other keys, or none: that breaks the watches of keys that are in either. A key
        whose time had passed before is as good as none on both sides."""
        for (index, key), sessions in self._by_key.items():
            if index != number:
                continue
            was = before.get(key) is not None
            comes = after is not None and after.get(key) is not None
            stale = comes and after is not None and after.expired(key, key_slot(key))
            for session in sessions:
                there = was and not session.watching[index, key]
                if there or (comes and not stale):
                    session.watch_broken = True
                else:
                    session.watching[index, key] = stale


def has_expired(database: Database, key: bytes) -> bool:
    """Whether a key is there and its time has passed."""
    return database.get(key) is not None and database.expired(key, key_slot(key))
