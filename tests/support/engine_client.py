"""An engine in the test's own process: no socket, a clock that the test moves, a world that only remembers.

``kv("SET", "name", "ada")`` answers as a plain value: a str for strings of either kind (bytes where they are no UTF-8),
int, float, None, list, dict; an error is raised as ``ReplyError``. ``kv.raw(...)`` gives the bytes that a client would
have read.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, TypeAlias

import pytest

from shardkv.commands.migrate import Outcome, Shipment
from shardkv.commands.session import Session
from shardkv.commands.world import Facts
from shardkv.config import Config
from shardkv.engine.engine import Engine
from shardkv.errors import ReplyError
from shardkv.keyspace.database import Database
from shardkv.scripting.debugger import Conversation

from .facts import some_facts
from .wire_replies import NULL_ARRAY, Boolean, Double, Map, Members, Push, Refusal, Reply, Verbatim
from .wire_replies import BigNumber as BigNumberReply

Word: TypeAlias = bytes | str | int | float

#: Where the clock of an engine under test begins, in Unix milliseconds.
BEGIN = 1_700_000_000_000


class FakeWorld:
    """A rim without a world: it does nothing and remembers what it was asked to do."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.woken: list[Session] = []
        self.engine: Engine | None = None
        self.users_file: str | None = None
        self.meanwhile: Callable[[], None] = lambda: None
        self.known: Facts = some_facts(BEGIN)
        self.disk_full = False
        self.woken_at = 0  #: when the last sleep ended, in Unix milliseconds

    def purge_memory(self) -> None:
        """There is nothing to give back."""

    def rewrite_config(self) -> None:
        """CONFIG REWRITE."""
        self.asked.append(("rewrite_config", None))

    def options_changed(self, names: Iterable[str]) -> None:
        """CONFIG SET."""
        self.asked.append(("options_changed", sorted(names)))

    def close(self, session: Session) -> None:
        """A client is thrown out; as at a real rim the engine hears of it."""
        self.asked.append(("close", session.id))
        if self.engine is not None:
            self.engine.leave(session)

    def wake(self, session: Session) -> None:
        """A session has output, or may go on; see ``EngineClient.settle``."""
        self.woken.append(session)

    def shutdown(self, *, save: bool | None, force: bool) -> None:
        """SHUTDOWN."""
        self.asked.append(("shutdown", (save, force)))

    saving_child: str | None = None

    def save(self) -> None:
        """SAVE."""
        self._saved("save")

    def save_in_background(self) -> None:
        """BGSAVE."""
        self._saved("save_in_background")

    def _saved(self, verb: str) -> None:
        self.asked.append((verb, None))
        if self.disk_full:
            raise OSError(errno.ENOSPC, "No space left on device")

    def reload(self, *, flush: bool, merge: bool) -> None:
        """DEBUG RELOAD."""
        self.asked.append(("reload", (flush, merge)))

    def rewrite_log(self) -> None:
        """BGREWRITEAOF."""
        self._saved("rewrite_log")

    def reload_log(self) -> None:
        """DEBUG LOADAOF."""
        self.asked.append(("reload_log", None))

    def ship(self, shipment: Shipment, landed: Callable[[Outcome], None]) -> None:
        """MIGRATE: a test says how it goes, by ``landed``."""
        self.asked.append(("ship", shipment))
        self.landed = landed

    def ship_now(self, shipment: Shipment) -> Outcome:
        """MIGRATE in a transaction or script: it goes well."""
        self.asked.append(("ship_now", shipment))
        return Outcome(errors=(None,) * len(shipment.keys))

    def emptied(self) -> bool:
        """FLUSHALL."""
        self.asked.append(("emptied", None))
        return False

    def serve_others(self) -> None:
        """A script runs for long: ``meanwhile`` is what other clients do."""
        self.meanwhile()

    talk: Conversation | None = None

    def debug_script(self, session: Session, work: Callable[[Conversation], bytes], *, forked: bool) -> bytes | None:
        """EVAL under the debugger: ``talk`` is the client's side; nobody forks."""
        self.asked.append(("debug_script", forked))
        assert self.talk is not None
        return work(self.talk)

    def sleep(self, seconds: float) -> None:
        """DEBUG SLEEP: no time passes here, but the stopwatch and the clock go on."""
        self.asked.append(("sleep", seconds))
        assert self.engine is not None
        assert isinstance(self.engine.stopwatch, Stopwatch)
        self.engine.stopwatch.seconds += seconds
        self.woken_at = self.engine.now + int(seconds * 1000)

    def secret(self, count: int) -> bytes:
        """Always the same."""
        return bytes(index % 256 for index in range(count))

    def read_users(self) -> str:
        """What a test has put into ``users_file``; without it there is no file."""
        if self.users_file is None:
            raise FileNotFoundError(2, "No such file or directory")
        return self.users_file

    def write_users(self, text: str) -> None:
        """ACL SAVE."""
        self.users_file = text

    def facts(self) -> Facts:
        """What a test has put into ``known``."""
        return self.known

    def microseconds(self) -> int:
        """The engine's time, or what it is after a sleep, and 7 microseconds."""
        assert self.engine is not None
        return max(self.engine.now, self.woken_at) * 1000 + 7

    def log(self, level: str, text: str) -> None:
        """One line of the log."""
        self.asked.append(("log", (level, text)))

    def panic(self, text: str) -> None:
        """The node would end."""
        raise AssertionError(text)


class Stopwatch:
    """A stopwatch that moves a microsecond at each look, so that durations are never zero and always the same."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 1e-6
        return self.seconds


class EngineClient:
    """One client of an engine in this process. ``other()`` connects a second one to the same engine."""

    def __init__(self, engine: Engine | None = None, *, resp3: bool = False, config: Config | None = None) -> None:
        if engine is None:
            world = FakeWorld()
            engine = Engine(config or Config(), world, Random(0), Stopwatch())
            world.engine = engine
            engine.begin(BEGIN)
        self.engine = engine
        self.session = engine.open()
        self.session.resp3 = resp3

    # ---- asking

    def __call__(self, *words: Word) -> Reply:
        """One request; its reply as a plain value. Raises ReplyError for an error reply."""
        return plain(decode(self.raw(*words)))

    def raw(self, *words: Word) -> bytes:
        """One request; the bytes of its reply, empty if it has none (yet)."""
        self.send(*words)
        return self.taken()

    def send(self, *words: Word) -> None:
        """One request; the reply stays in the session."""
        self.engine.run(self.session, [encode_words(words)])
        self.settle()

    def pipeline(self, *requests: Iterable[Word]) -> bytes:
        """Several requests in one batch, and all the bytes they are answered with."""
        self.engine.run(self.session, [encode_words(words) for words in requests])
        self.settle()
        return self.taken()

    def taken(self) -> bytes:
        """What waits to be sent to this client; it is sent."""
        data = b"".join(self.session.out)
        self.session.out.clear()
        return data

    def other(self, *, resp3: bool = False) -> EngineClient:
        """Another client of the same engine."""
        return EngineClient(self.engine, resp3=resp3)

    def settle(self) -> None:
        """Go on with the sessions that were woken, as the rim does."""
        woken = self.world.woken
        while woken:
            while woken:
                self.engine.resume(woken.pop(0))
            self.engine.end_round()

    # ---- time and what lies below

    @property
    def now(self) -> int:
        """The engine's time, in Unix milliseconds."""
        return self.engine.now

    @now.setter
    def now(self, at: int) -> None:
        self.engine.tick(at)
        self.settle()

    def wait(self, milliseconds: int) -> None:
        """Let time pass."""
        self.now += milliseconds

    @property
    def world(self) -> FakeWorld:
        """The engine's world."""
        world = self.engine.world
        assert isinstance(world, FakeWorld)
        return world

    @property
    def db(self) -> Database:
        """The database that this client has selected."""
        return self.session.db

    def propagated(self) -> list[list[bytes]]:
        """From now on everything that replicas would get is appended to the list returned."""
        sent: list[list[bytes]] = []
        self.engine.sinks.append(lambda database, words: sent.append(words))
        return sent

    def events(self) -> list[tuple[str, str]]:
        """From now on keyspace events are appended to the list returned, as pairs of event and key."""
        told: list[tuple[str, str]] = []
        # somebody listens, so that keys are attended to
        self.engine.transactions.watch(Session(id=-1, db=self.db, created=0), [b""])
        engine: Any = self.engine
        engine.notice = lambda database, key, event: told.append((event, key.decode()))
        return told


def encode_words(words: Iterable[Word]) -> list[bytes]:
    """A request as the engine takes it."""
    return [word if isinstance(word, bytes) else str(word).encode() for word in words]


@contextmanager
def refused(text: str) -> Iterator[None]:
    """What is inside must be answered with exactly this error."""
    with pytest.raises(ReplyError) as caught:
        yield
    assert caught.value.text == text


def decode(data: bytes) -> Reply:
    """The one reply that the bytes hold. Raises AssertionError when they hold none, or more."""
    reply, rest = _decode(data, 0)
    assert rest == len(data), f"more than one reply: {data!r}"
    return reply


def decode_all(data: bytes) -> list[Reply]:
    """All replies that the bytes hold."""
    replies = []
    at = 0
    while at < len(data):
        reply, at = _decode(data, at)
        replies.append(reply)
    return replies


def _decode(data: bytes, at: int) -> tuple[Reply, int]:
    end = data.find(b"\r\n", at)
    assert end >= 0, f"no whole reply: {data[at:]!r}"
    kind, rest = data[at : at + 1], data[at + 1 : end]
    at = end + 2
    if kind in (b"$", b"="):
        if rest == b"-1":
            return None, at
        end = at + int(rest)
        assert data[end : end + 2] == b"\r\n", "a bulk string without its end"
        body = data[at:end]
        return (body if kind == b"$" else Verbatim(body[:3], body[4:])), end + 2
    if kind in _AGGREGATES:
        if rest == b"-1":
            return NULL_ARRAY, at
        items = []
        for _ in range(int(rest) * (2 if kind == b"%" else 1)):
            item, at = _decode(data, at)
            items.append(item)
        return _AGGREGATES[kind](items), at
    return _LINES[kind](rest), at


_AGGREGATES: dict[bytes, Callable[[list[Reply]], Reply]] = {
    b"*": list,
    b"~": lambda items: Members(tuple(items)),
    b">": lambda items: Push(tuple(items)),
    b"%": lambda items: Map(tuple(zip(items[::2], items[1::2], strict=True))),
}
_LINES: dict[bytes, Callable[[bytes], Reply]] = {
    b"+": lambda rest: rest.decode(),
    b"-": lambda rest: Refusal(rest.decode("utf-8", "surrogateescape")),
    b":": int,
    b"_": lambda rest: None,
    b",": lambda rest: Double(rest.decode()),
    b"(": lambda rest: BigNumberReply(rest.decode()),
    b"#": lambda rest: Boolean(rest == b"t"),
}


def plain(reply: Reply) -> Any:
    """A decoded reply as plain Python values. Raises ReplyError for an error that is not inside another reply."""
    if isinstance(reply, Refusal):
        raise ReplyError(reply.text)
    return _plain(reply)


def _plain(reply: Reply) -> Any:
    match reply:
        case bytes():
            try:
                return reply.decode()
            except UnicodeDecodeError:
                return reply
        case list():
            return [_plain(item) for item in reply]
        case Members():
            return {_plain(item) for item in reply}
        case Map():
            return {_plain(name): _plain(value) for name, value in reply.pairs}
        case Double():
            return reply.value
        case BigNumberReply():
            return int(reply.digits)
        case Boolean():
            return reply.value
        case Verbatim():
            return reply.text.decode()
        case Refusal():
            return ReplyError(reply.text)
        case _ if reply is NULL_ARRAY:
            return None
    return reply
