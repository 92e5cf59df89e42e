"""A replica's link to its primary: the handshake, the transfer of a snapshot, and the stream that follows.

Theory of operation
-------------------
``ReplicaLink`` is told what happens on one connection after the other (``connected``, ``received``, ``lost``,
``tick``) and returns what must be done about it, in order. It knows neither sockets nor keys. The states::

    CONNECT ----dial----> CONNECTING --connected--> PING --> AUTH..CAPA (pipelined) --> PSYNC
       ^                                                                                 |
       |                                            +CONTINUE ----------------------> CONNECTED
       |                                            +FULLRESYNC --> HEADER --> TRANSFER --> LOADING --loaded--^
       +---------------- lost, refused, silent for too long: from any state ------------------+

What a transfer brings goes to whoever loads it as ``Chunk``, piece by piece, then ``Transferred``; when the data are
in place the owner says ``loaded`` and the stream begins. What the stream brings goes out as ``Streamed``, uncut.

A refused handshake is tried again after a pause that doubles up to ``PAUSE_MAX``; a link that was whole is dialled
again at once. Nobody is believed: lines, lengths and marks have limits, and what breaks them ends the link with a
``Fault``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias

from ..resp.requests import pack_request

#: Seconds until a link that failed is tried again: first, and at most.
PAUSE: Final = 1.0
PAUSE_MAX: Final = 8.0
#: Seconds between two acknowledgements, and between two signs of life while data are loaded.
ACK_SECONDS: Final = 1.0
#: A reply of the handshake that is longer than this is none.
LINE_MAX: Final = 4096
MARK_SIZE: Final = 40
#: No snapshot is larger than this.
SIZE_MAX: Final = 1 << 50


class State(Enum):
    """Where a link stands."""

    CONNECT = auto()
    CONNECTING = auto()
    PING = auto()
    GREETING = auto()  #: AUTH and REPLCONF are sent, their replies come
    PSYNC = auto()
    HEADER = auto()
    TRANSFER = auto()
    LOADING = auto()
    CONNECTED = auto()

    @property
    def word(self) -> str:
        """What ROLE says of it."""
        return _WORDS[self]

    @property
    def syncing(self) -> bool:
        """Whether a snapshot is on its way."""
        return self in (State.HEADER, State.TRANSFER, State.LOADING)


_WORDS: Final = {
    State.CONNECT: "connect",
    State.CONNECTING: "connecting",
    State.PING: "handshake",
    State.GREETING: "handshake",
    State.PSYNC: "handshake",
    State.HEADER: "sync",
    State.TRANSFER: "sync",
    State.LOADING: "sync",
    State.CONNECTED: "connected",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """The options that matter to a link. ``timeout`` in seconds; empty texts and 0: not set."""

    timeout: float
    user: bytes
    password: bytes
    announce_ip: bytes
    announce_port: int


# What must be done, in this order -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dial:
    """Connect to the primary; say ``connected`` or ``lost``."""


@dataclass(frozen=True, slots=True)
class Hangup:
    """Close the connection. What it brings after this does not count; don't say ``lost``."""


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes for the primary."""

    data: bytes


@dataclass(frozen=True, slots=True)
class FullSync:
    """The primary will send everything: its history, and the offset that the snapshot stands for."""

    replication_id: str
    offset: int


@dataclass(frozen=True, slots=True)
class Incoming:
    """The snapshot begins. ``size`` in bytes, None: it is ended by a mark."""

    size: int | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of the snapshot."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Transferred:
    """The snapshot is complete: load it, and say ``loaded`` or ``fail``."""


@dataclass(frozen=True, slots=True)
class Continued:
    """The primary goes on from where we are; ``replication_id`` is what it calls its history now."""

    replication_id: str


@dataclass(frozen=True, slots=True)
class FailoverRefused:
    """The primary was asked to be one, and does not want to."""

    reply: str


@dataclass(frozen=True, slots=True)
class Online:
    """From here on the stream flows, and acknowledgements are due."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """Bytes of the stream."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the log."""

    level: str
    text: str


Effect: TypeAlias = (
    Dial
    | Hangup
    | Send
    | FullSync
    | Incoming
    | Chunk
    | Transferred
    | Continued
    | FailoverRefused
    | Online
    | Streamed
    | Note
)


class ReplicaLink:
    """One replica's link. All times are seconds of a clock that never jumps back."""

    def __init__(self, settings: Settings, now: float, *, failover: bool = False) -> None:
        """``failover``: ask the other end to become a primary first."""
        self.settings = settings
        self._failover = failover
        self.state = State.CONNECT
        self.transfer_size: int | None = None  #: bytes of the snapshot that is coming, None: not known
        self.transfer_read = 0
        self.last_io = now  #: when the primary was last heard
        self.streamed: float | None = None  #: when its stream was last heard
        self.online_once = False
        self.down_since: float | None = None  #: None: never was up, or is up
        self._offer: tuple[str, int] | None = None
        self._retry_at = now
        self._pause = PAUSE
        self._told = ""  #: the failure that was logged last and goes on
        self._buffer = b""
        self._expected: list[str] = []  #: whose replies are still to come, in the greeting
        self._mark = b""
        self._told_at = now  #: when the primary was last sent something on our own account

    @property
    def deadline(self) -> float:
        """When ``tick`` is wanted."""
        match self.state:
            case State.CONNECT:
                return self._retry_at
            case State.LOADING | State.CONNECTED:
                return min(self._told_at + ACK_SECONDS, self._silent_at)
            case _:
                return self._silent_at

    @property
    def _silent_at(self) -> float:
        return self.last_io + self.settings.timeout

    # ---- what happens

    def tick(
        self, now: float, offset: int, offer: tuple[str, int] | None, log_offset: int | None = None
    ) -> list[Effect]:
        """The deadline has come. ``offset``: of the stream, as applied; ``log_offset``: what of it is safe in the log;
        ``offer``: id and offset from which to go on, None when everything is wanted anew (it counts when the link is
        dialled next)."""
        if self.state is State.CONNECT:
            if now < self._retry_at:
                return []
            self.state = State.CONNECTING
            self.last_io = now
            self._offer = offer
            return [Dial()]
        if self.state is not State.LOADING and now >= self._silent_at:
            return self._give_up(now, _SILENT[self.state])
        if self.state in (State.LOADING, State.CONNECTED) and now >= self._told_at + ACK_SECONDS:
            self._told_at = now
            return [Send(b"\n" if self.state is State.LOADING else acknowledgement(offset, log_offset))]
        return []

    def connected(self, now: float) -> list[Effect]:
        """The connection stands."""
        self._buffer = b""
        self.state = State.PING
        self.last_io = now
        return [
            Note("verbose", "Non blocking connect for SYNC fired the event."),
            Send(pack_request((b"PING",))),
        ]

    def received(self, data: bytes, now: float) -> list[Effect]:
        """Bytes from the primary."""
        self.last_io = now
        if self.state is State.CONNECTED:
            self.streamed = now
            return [Streamed(data)]
        self._buffer += data
        effects: list[Effect] = []
        while (step := self._step(now)) is not None:
            effects += step
        return effects

    def lost(self, now: float, reason: str) -> list[Effect]:
        """The connection has ended, or could not be had."""
        if self.state is State.CONNECT:
            return []
        return [effect for effect in self._give_up(now, reason) if not isinstance(effect, Hangup)]

    def loaded(self, now: float, offset: int) -> list[Effect]:
        """The snapshot's data are in place; ``offset`` is where the stream goes on."""
        assert self.state is State.LOADING
        return [Note("notice", "MASTER <-> REPLICA sync: Finished with success"), *self._go_online(now, offset)]

    def fail(self, now: float, reason: str) -> list[Effect]:
        """What the primary has sent could not be used, or nothing could be sent to it."""
        return self._give_up(now, reason)

    def cancel(self) -> list[Effect]:
        """The link is of no use any more."""
        was, self.state = self.state, State.CONNECT
        return [] if was is State.CONNECT else [Hangup()]

    # ---- inside

    def _step(self, now: float) -> list[Effect] | None:
        """What the next part of the buffer brings about, None when more has to come."""
        match self.state:
            case State.PING | State.GREETING | State.PSYNC | State.HEADER:
                return self._line(now)
            case State.TRANSFER:
                return self._transfer()
            case State.CONNECTED if self._buffer:
                data, self._buffer = self._buffer, b""
                return [Streamed(data)]
            case _:
                return None  # LOADING: the stream waits in the buffer

    def _line(self, now: float) -> list[Effect] | None:
        end = self._buffer.find(b"\n", 0, LINE_MAX)
        if end < 0:
            if len(self._buffer) >= LINE_MAX:
                return self._give_up(now, "the primary's reply is no line: " + _shown(self._buffer[:64]))
            return None
        line, self._buffer = self._buffer[:end].removesuffix(b"\r"), self._buffer[end + 1 :]
        match self.state:
            case State.PING:
                return self._ping_answered(line, now)
            case State.GREETING:
                return self._greeting_answered(line, now)
            case State.PSYNC:
                return self._psync_answered(line, now) if line else []
            case _:
                return self._header(line, now) if line else []

    def _ping_answered(self, line: bytes, now: float) -> list[Effect]:
        if not line.startswith((b"+", b"-NOAUTH", b"-NOPERM", b"-ERR operation not permitted")):
            return self._give_up(now, f"Error reply to PING from master: '{_shown(line)}'")
        settings = self.settings
        requests: list[tuple[str, tuple[bytes, ...]]] = []
        if settings.password:
            words = (settings.user, settings.password) if settings.user else (settings.password,)
            requests.append(("AUTH", (b"AUTH", *words)))
        requests.append(("REPLCONF listening-port", (b"REPLCONF", b"listening-port", b"%d" % settings.announce_port)))
        if settings.announce_ip:
            requests.append(("REPLCONF ip-address", (b"REPLCONF", b"ip-address", settings.announce_ip)))
        requests.append(("REPLCONF capa", (b"REPLCONF", b"capa", b"eof", b"capa", b"psync2")))
        self._expected = [name for name, _ in requests]
        self.state = State.GREETING
        return [
            Note("verbose", "Master replied to PING, replication can continue..."),
            Send(b"".join(pack_request(words) for _, words in requests)),
        ]

    def _greeting_answered(self, line: bytes, now: float) -> list[Effect]:
        name = self._expected.pop(0)
        effects: list[Effect] = []
        if line.startswith(b"-"):
            if name == "AUTH":
                return self._give_up(now, f"Unable to AUTH to MASTER: {_shown(line)}")
            effects.append(Note("verbose", f"(Non critical) Master does not understand {name}: {_shown(line)}"))
        elif not line.startswith(b"+"):
            return self._give_up(now, f"Unexpected reply to {name}: '{_shown(line)}'")
        if self._expected:
            return effects
        self.state = State.PSYNC
        return [*effects, *self._ask()]

    def _ask(self) -> list[Effect]:
        if self._offer is None:
            return [
                Note("verbose", "Partial resynchronization not possible (no cached master)"),
                Send(pack_request((b"PSYNC", b"?", b"-1"))),
            ]
        replication_id, offset = self._offer
        more = (b"FAILOVER",) if self._failover else ()
        return [
            Note("notice", f"Trying a partial resynchronization (request {replication_id}:{offset + 1})."),
            Send(pack_request((b"PSYNC", replication_id.encode(), b"%d" % (offset + 1), *more))),
        ]

    def _psync_answered(self, line: bytes, now: float) -> list[Effect]:
        words = line.split()
        if self._failover and line.startswith(b"-"):
            return [FailoverRefused(_shown(line)), *self._give_up(now, f"The failover was refused: {_shown(line)}")]
        if line.startswith(b"+"):
            self._failover = False
        if words and words[0] == b"+FULLRESYNC":
            if len(words) != 3 or not _is_id(words[1]) or not words[2].isdigit() or len(words[2]) > 18:
                return self._give_up(now, "Master replied with wrong +FULLRESYNC syntax: " + _shown(line))
            self.state = State.HEADER
            replication_id, offset = words[1].decode(), int(words[2])
            return [
                Note("notice", f"Full resync from master: {replication_id}:{offset}"),
                FullSync(replication_id, offset),
            ]
        if words and words[0] == b"+CONTINUE":
            if self._offer is None or (len(words) > 1 and not _is_id(words[1])):
                return self._give_up(now, "Master replied with an unexpected +CONTINUE: " + _shown(line))
            replication_id = words[1].decode() if len(words) > 1 else self._offer[0]
            return [
                Note("notice", "Successful partial resynchronization with master."),
                Continued(replication_id),
                *self._go_online(now, self._offer[1]),
            ]
        if line.startswith((b"-NOMASTERLINK", b"-LOADING", b"-MASTERDOWN")):
            return self._give_up(
                now, f"Master is currently unable to PSYNC but should be in the future: {_shown(line)}"
            )
        if line.startswith(b"-ERR unknown command"):
            # A primary of before 2.8: SYNC has no reply but the snapshot. What follows it can't be gone on from.
            self.state = State.HEADER
            return [
                Note("notice", f"Master does not support PSYNC ({_shown(line)}): retrying with SYNC"),
                FullSync("", 0),
                Send(pack_request((b"SYNC",))),
            ]
        return self._give_up(now, f"Unexpected reply to PSYNC from master: {_shown(line)}")

    def _header(self, line: bytes, now: float) -> list[Effect]:
        if line.startswith(b"-"):
            return self._give_up(now, f"MASTER aborted replication with an error: {_shown(line[1:])}")
        if line.startswith(b"$EOF:") and len(line) == 5 + MARK_SIZE:
            self._mark, size = line[5:], None
            note = "MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF"
        elif line.startswith(b"$") and line[1:].isdigit() and int(line[1:]) <= SIZE_MAX:
            size = int(line[1:])
            note = f"MASTER <-> REPLICA sync: receiving {size} bytes from master"
        else:
            return self._give_up(
                now,
                f"Bad protocol from MASTER, the first byte is not '$' (we received '{_shown(line[:64])}'), "
                "are you sure the host and port are right?",
            )
        self.transfer_size, self.transfer_read = size, 0
        self.state = State.TRANSFER
        return [Note("notice", note), Incoming(size)]

    def _transfer(self) -> list[Effect] | None:
        data = self._buffer
        if self.transfer_size is not None:
            end = self.transfer_size - self.transfer_read
            if len(data) < end:
                return self._take(data, b"") if data else None
            return self._complete(data[:end], data[end:])
        end = data.find(self._mark)
        if end >= 0:
            return self._complete(data[:end], data[end + MARK_SIZE :])
        safe = len(data) - MARK_SIZE + 1  # behind it the mark may have begun
        return self._take(data[:safe], data[safe:]) if safe > 0 else None

    def _take(self, data: bytes, rest: bytes) -> list[Effect]:
        self._buffer = rest
        self.transfer_read += len(data)
        return [Chunk(data)]

    def _complete(self, data: bytes, rest: bytes) -> list[Effect]:
        effects: list[Effect] = list(self._take(data, rest)) if data else []
        self._buffer = rest
        self.state = State.LOADING
        return [*effects, Transferred()]

    def _go_online(self, now: float, offset: int) -> list[Effect]:
        self.state = State.CONNECTED
        self.online_once = True
        self.down_since = None
        self.last_io = self.streamed = self._told_at = now
        self._pause = PAUSE
        self._told = ""
        data, self._buffer = self._buffer, b""
        effects: list[Effect] = [Online(), Send(acknowledgement(offset))]
        return [*effects, Streamed(data)] if data else effects

    def _give_up(self, now: float, reason: str) -> list[Effect]:
        """End the connection; it is dialled again at once if it was whole, else after a pause."""
        was_whole = self.state is State.CONNECTED
        if was_whole or (self.down_since is None and self.online_once):
            self.down_since = now
        self.state = State.CONNECT
        self._buffer = b""
        if was_whole:
            self._retry_at = now
        else:
            self._retry_at = now + self._pause
            self._pause = min(self._pause * 2, PAUSE_MAX)
        effects: list[Effect] = [Hangup()]
        if reason != self._told:
            effects.append(Note("warning", reason))
        self._told = "" if was_whole else reason
        return effects


_SILENT: Final = {
    State.CONNECTING: "Timeout connecting to the MASTER...",
    State.PING: "Timeout connecting to the MASTER...",
    State.GREETING: "Timeout connecting to the MASTER...",
    State.PSYNC: "Timeout connecting to the MASTER...",
    State.HEADER: "Timeout receiving bulk data from MASTER... If the problem persists try to set the 'repl-timeout' "
    "parameter in redis.conf to a larger value.",
    State.TRANSFER: "Timeout receiving bulk data from MASTER... If the problem persists try to set the 'repl-timeout' "
    "parameter in redis.conf to a larger value.",
    State.CONNECTED: "MASTER timeout: no data nor PING received...",
}


def acknowledgement(offset: int, log_offset: int | None = None) -> bytes:
    """What tells the primary how far this node is, and (``log_offset``) how much of it is safe in its log."""
    words: Sequence[bytes] = (b"REPLCONF", b"ACK", b"%d" % offset)
    if log_offset is not None:
        words = (*words, b"FACK", b"%d" % log_offset)
    return pack_request(tuple(words))


def _is_id(word: bytes) -> bool:
    return len(word) == 40 and word.isalnum()


def _shown(data: bytes) -> str:
    return data[:200].decode("ascii", "backslashreplace")
