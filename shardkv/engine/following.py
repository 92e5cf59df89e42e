"""The stream of a primary on its way into the databases of a replica.

What is applied is applied whole: a transaction waits until its EXEC is there, so that a link which breaks in the middle
leaves nothing half done, and the offset always stands between two commands or transactions. The bytes themselves go on
to the node's own replicas as they came. During a pause (CLIENT PAUSE) nothing is applied: what comes waits.

While the stream is applied nothing counts as expired (the primary says what goes, and when), every slot counts as
served, and no gate asks: the primary's word is the truth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..errors import ReplyError
from ..keyspace.slots import SLOT_COUNT
from ..replication.stream import packed_size
from ..resp.encoder import NULL2
from ..resp.parser import RequestParser

if TYPE_CHECKING:
    from ..commands.session import Session
    from .engine import Engine

_ALL_SERVED: Final = bytearray(b"\x01" * SLOT_COUNT)
_MULTI: Final = b"MULTI"
_ENDS: Final = frozenset((b"EXEC", b"DISCARD"))


class StreamFault(Exception):
    """The primary has sent what is no stream of commands; ``str()`` is the reason."""


class PrimaryFeed:
    """Applies one primary's stream. ``session`` is the primary as a client: its database outlives the link."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.session: Session = engine.open(address="", is_primary=True)
        engine.stats.connections -= 1
        self.session.authenticated = True
        self.session.reply_off = True
        self.session.refresh()
        self._probe = engine.rng.randbytes(16)
        self._parser: RequestParser
        self._raw: list[bytes]  #: bytes that came and are not applied
        self._raw_size: int
        self._held: list[list[bytes]]  #: an unfinished transaction, or what came during a pause
        self._ack_wanted = False
        self.received = 0  #: bytes since the link came up
        self.paused = (
            False  #: what came last waits for the end of a pause: then ``feed`` goes on, without more if need be
        )
        self.restart()

    def restart(self) -> None:
        """A new link: what was left unfinished will come again."""
        self._parser = RequestParser(probe=self._probe)
        self._raw = []
        self._raw_size = 0
        self._held = []
        self.paused = False
        self.received = 0

    @property
    def unapplied(self) -> int:
        """Bytes that came and wait for the rest of a command or transaction."""
        return self._raw_size

    def close(self) -> None:
        """The primary is not followed any more."""
        self._engine.leave(self.session)

    def want_ack(self) -> None:
        """REPLCONF GETACK is running."""
        self._ack_wanted = True

    def feed(self, data: bytes) -> None:
        """Apply what the primary has sent, as far as it is complete; not during a pause. Raises StreamFault."""
        self.received += len(data)
        self._raw.append(data)
        self._raw_size += len(data)
        self._held += self._parser.feed(data)
        self.paused = self._engine.pausing.until is not None
        if not self.paused:
            self._go_on()
        if self._parser.fault is not None:
            raise StreamFault(self._parser.fault)

    def _go_on(self) -> None:
        requests = self._held
        whole = _whole(requests)
        self._held = requests[whole:]
        if whole:
            del requests[whole:]
            rest = self._parser.pending + sum(map(packed_size, self._held))
            self._apply(requests, self._raw_size - rest)

    def _apply(self, requests: list[list[bytes]], size: int) -> None:
        """Run requests that took ``size`` bytes, and let the bytes go on."""
        engine = self._engine
        replication = engine.replication
        before = replication.history.offset
        if engine.disk_fault is not None and not engine.config.replica_ignore_disk_write_errors:
            engine.world.panic("Replica was unable to write command to disk.")
        served = engine.served
        engine.begin(engine.now, obeying=True)
        for database in engine.databases.opened:
            database.served = _ALL_SERVED
        try:
            self._run(requests, before + size)
        finally:
            for database in engine.databases.opened:
                database.served = served
            engine.begin(engine.now)
        data = b"".join(self._raw)
        self._raw = [data[size:]]
        self._raw_size -= size
        replication.pass_on(data[:size])

    def _run(self, requests: list[list[bytes]], end: int) -> None:
        engine = self._engine
        session = self.session
        shortcuts = engine.short_way.shortcuts
        sinks = engine.sinks
        db = session.db
        dirty = db.dirty
        stats = engine.stats
        for at, words in enumerate(requests):
            shortcut = shortcuts.get(words[0]) if session.queue is None else None
            if shortcut is not None:
                reply = shortcut.twin(db, words, NULL2)
                if reply is not None:
                    shortcut.stats.calls += 1
                    stats.commands += 1
                    if sinks and db.dirty != dirty:
                        engine.propagation.send(db, words)
                    dirty = db.dirty
                    continue
            answer = engine.answer(session, words)
            if isinstance(answer, ReplyError):
                engine.replication.disagreed(words, answer)
            elif type(answer) is list and len(words) == 1:  # EXEC's
                for reply in answer:
                    if isinstance(reply, ReplyError):
                        engine.replication.disagreed(words, reply)
            if self._ack_wanted:
                self._ack_wanted = False
                engine.replication.acknowledge(end - sum(map(packed_size, requests[at:])))
            db = session.db
            dirty = db.dirty
            if db.served is not _ALL_SERVED:  # used for the first time
                db.served = _ALL_SERVED
        session.commands += len(requests)
        session.last_seen = engine.now


def _whole(requests: list[list[bytes]]) -> int:
    """How many of the requests are complete: all, or those before the MULTI whose EXEC has not come."""
    opened = -1
    for at, words in enumerate(requests):
        if len(words) == 1:
            name = words[0].upper()
            if name == _MULTI:
                if opened < 0:
                    opened = at
            elif name in _ENDS:
                opened = -1
    return len(requests) if opened < 0 else opened
