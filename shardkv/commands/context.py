"""What a command may do: the few verbs between its arguments and the keyspace.

One ``Context`` serves all requests of an engine, one after the other. ``now`` is one and the same for the whole of a
command. The consequences of a write have one verb, ``touch``; what the log and the replicas get is the request as it
came, unless the command says ``replicate``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ..errors import WrongType
from ..keyspace.freeing import LONG
from ..keyspace.slots import key_slot
from ..resp.replies import NO_REPLY
from ..values.hashes import HashValue
from .host import Host
from .session import Blocked, Session
from .spec import Command

if TYPE_CHECKING:
    from ..keyspace.database import Database, Value

V = TypeVar("V")
#: Bytes of the shortest element that a reply can have: an empty string.
LEAST_ELEMENT: Final = 6
STRING_TYPES = (bytes, int, bytearray)


class Context:
    """The running command's view of the node."""

    __slots__ = ("command", "db", "dirty", "effects", "host", "inside", "now", "session", "words")

    def __init__(self, host: Host, session: Session) -> None:
        self.host = host
        self.session = session
        self.db: Database = session.db
        self.now = 0  #: Unix milliseconds
        self.dirty = 0  #: changes made by the running command
        #: what is propagated instead of the request, each with the number of its database
        self.effects: list[tuple[int, list[bytes]]] | None = None
        self.inside = 0  #: depth: 1 and more inside EXEC or a script, where nothing may block
        self.command: Command
        self.words: list[bytes]

    # ---- reading

    def peek(self, key: bytes) -> Value | None:
        """The live value of any type, or None; counts nothing. An expired key is deleted on the way."""
        db = self.db
        slot = key_slot(key)
        value: Value | None = db.values[slot].get(key)
        if value is None:
            return None
        if db.expires[slot] is not None and db.expired(key, slot):
            self.host.expiring.expire(db, key)
            return None
        return value

    def look(self, key: bytes) -> Value | None:
        """The live value of any type for a reading command: hits and misses are counted and the access time is kept."""
        db = self.db
        slot = key_slot(key)
        value: Value | None = db.values[slot].get(key)
        if value is not None and db.expires[slot] is not None and db.expired(key, slot):
            self.host.expiring.expire(db, key)
            value = None
        stats = self.host.stats
        if value is None:
            stats.misses += 1
            if self.host.attentive:
                self.host.notice(db, key, "keymiss")
            return None
        stats.hits += 1
        if not self.session.no_touch:
            db.access[slot] = db.clock
        if db.books is not None:
            self._book_use(db, slot, key, value, writes=False)
        return value

    def _book_use(self, db: Database, slot: int, key: bytes, value: Value, *, writes: bool) -> None:
        """A key has been found where books are kept."""
        if db.books is not None:
            db.books.looked_at(db, slot, value, writes=writes)
        if db.usage is not None and (writes or not self.session.no_touch):
            db.usage.used(slot, key)

    def read(self, key: bytes, kind: type[V]) -> V | None:
        """The value of a type, or None if there is no key. Raises WrongType."""
        value = self.look(key)
        if value is None or isinstance(value, kind):
            return value
        raise WrongType

    def read_string(self, key: bytes) -> bytes | None:
        """The string at ``key``, or None. Raises WrongType."""
        value = self.look(key)
        if value is None or type(value) is bytes:
            return value
        if type(value) is int:
            return b"%d" % value
        if type(value) is bytearray:
            return bytes(value)
        raise WrongType

    def admits(self, elements: int) -> bool:
        """Whether a reply of so many elements can be sent at all. A client that may not be sent as much is closed
        before any time goes into it; inside a transaction only with the whole reply."""
        return self.inside > 0 or self.host.limits.admits(self.session, elements * LEAST_ELEMENT)

    # ---- writing

    def find(self, key: bytes, kind: type[V]) -> V | None:
        """The value of a type for a writing command that makes no key, or None. Raises WrongType."""
        value = self.peek(key)
        if value is None:
            return None
        db = self.db
        slot = key_slot(key)
        db.access[slot] = db.clock
        if db.books is not None:
            self._book_use(db, slot, key, value, writes=True)
        if isinstance(value, kind):
            return value
        raise WrongType

    def find_string(self, key: bytes) -> bytes | int | bytearray | None:
        """The string for a writing command, in whichever form it is held. Raises WrongType."""
        value = self.peek(key)
        if value is None:
            return None
        db = self.db
        slot = key_slot(key)
        db.access[slot] = db.clock
        if db.books is not None:
            self._book_use(db, slot, key, value, writes=True)
        if type(value) in STRING_TYPES:
            return value  # type: ignore[no-any-return]  # a Value is Any
        raise WrongType

    def write(self, key: bytes, make: Callable[[], V], kind: type[V]) -> V:
        """The value of a type, made by ``make()`` if there is no key. Raises WrongType."""
        value = self.find(key, kind)
        if value is None:
            value = make()
            self.create(key, value)
        return value

    def create(self, key: bytes, value: Value) -> None:
        """Store a value under a key that does not exist."""
        self._put(key_slot(key), key, value)

    def store(self, key: bytes, value: Value, *, keep_ttl: bool = False) -> None:
        """Store a value in place of whatever is there. The expiry goes unless ``keep_ttl``."""
        db = self.db
        slot = key_slot(key)
        times = db.expires[slot]
        if times is not None and key in times:
            if db.expired(key, slot):
                self.host.expiring.expire(db, key)  # what has expired goes as expired, not as overwritten
            if not keep_ttl:
                db.expire_at(key, None)
        self._put(slot, key, value)

    def supersede(self, key: bytes, value: Value, event: str, changes: int = 1) -> None:
        """Store a value in place of whatever is there, and touch the key. Who waits for one that held something of
        another type goes on waiting, as in Redis, where only a new key ends a wait."""
        is_new = self.peek(key) is None
        self.store(key, value)
        self.dirty += changes
        host = self.host
        if host.attentive:
            host.attend(self.db, key, event, wakes=is_new)

    def _put(self, slot: int, key: bytes, value: Value) -> None:
        db = self.db
        held = db.values[slot]
        old = held.get(key)
        held[key] = value
        if old is None:
            db.grown(slot, len(held))
            if type(value) not in STRING_TYPES:
                db.newborn.append(key)
            if self.host.attentive:
                self.host.notice(db, key, "new")
        elif (type(old) not in STRING_TYPES or (type(old) is bytes and len(old) > LONG)) and old is not value:
            db.freeing.give(old)
        if type(value) is HashValue and value.times is not None:
            first = value.next_expiry
            if first is not None:
                db.note_fields(key, first)
        db.access[slot] = db.clock
        if db.books is not None:
            db.books.put(db, slot, key, old, value)
            if db.usage is not None:
                (db.usage.new if old is None else db.usage.used)(slot, key)

    def delete(self, key: bytes, event: str | None = "del") -> bool:
        """Delete a live key and, unless ``event`` is None, touch it. False if there was none."""
        db = self.db
        if (db.expiring and self.peek(key) is None) or not db.discard(key):
            return False
        if event is not None:
            self.touch(key, event)
        return True

    def drop(self, key: bytes) -> None:
        """Delete the key at which an empty result would be stored: as in Redis it does not matter, nor is it told, if
        its time has passed."""
        if self.db.discard(key):
            self.touch(key, "del")

    def expire_at(self, key: bytes, at: int | None) -> None:
        """Set (Unix milliseconds) or clear the expiry of a key that exists."""
        self.db.expire_at(key, at)
        if self.host.following and at is not None and not self.session.is_primary:
            self.host.expiring.remember(self.db, key)

    def touch(self, key: bytes, event: str, changes: int = 1) -> None:
        """``key`` was changed, and this is what happened: dirty count, WATCH, waiting clients, caches and keyspace
        events."""
        self.dirty += changes
        host = self.host
        if host.attentive:
            host.attend(self.db, key, event)

    def replicate(self, *words: bytes, db: Database | None = None) -> None:
        """Propagate these words instead of the request; may be said several times. Never said with no change: nothing
        goes out then."""
        if self.effects is None:
            self.effects = []
        self.effects.append(((db or self.db).index, list(words)))

    # ---- more

    def database(self, index: int) -> Database:
        """Another database, at the same time. Raises ReplyError out of range."""
        return self.host.databases.open(index)

    @property
    def obeying(self) -> bool:
        """Whether this is from a log or a primary's stream, whose word is law: what it says is exact, and nothing has
        expired before it says so."""
        return not self.db.now

    def passed(self, at: int) -> bool:
        """Whether a time that is being set has come already. Never in what is obeyed, nor on a replica, where a key
        stays until the primary says that it goes."""
        return at <= self.db.now and not self.host.following

    def call(self, words: list[bytes]) -> Any:
        """Run another request inside this one."""
        return self.host.run_inside(words)

    def block(
        self,
        keys: Sequence[bytes],
        deadline: int | None,
        attempt: Callable[[Context], Any],
        on_timeout: Any,
        **more: Any,
    ) -> Any:
        """Wait for one of ``keys`` until ``deadline`` (None: for ever); inside a transaction or script, the timeout's
        reply at once.

        ``attempt(ctx)`` runs when a key was touched and returns the reply, or None to go on waiting.
        """
        if self.inside:
            return on_timeout
        blocked = Blocked(
            keys=tuple(dict.fromkeys(keys)),
            deadline=deadline,
            attempt=attempt,
            on_timeout=on_timeout,
            db=self.db,
            command=self.command,
            words=self.words,
            since=self.now,
            **more,
        )
        self.host.waiting.add(self.session, blocked)
        return NO_REPLY
