"""What clients are sent that is no reply: messages of channels, keyspace events, invalidations of their caches.

Whoever is told gets the bytes behind what waits for it already, and the rim is asked to send them. The client whose
command is running gets them after its reply, however deep inside a transaction they arose, so that they are never taken
for a part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from ..commands.flags import Flags
from ..commands.session import NAME_BYTES, Session
from ..pubsub.channels import Channels, Way
from ..pubsub.notify import Wanted, event_channel, key_channel, wanted
from ..pubsub.tracking import InvalidationTable
from ..resp.encoder import encode
from ..resp.replies import Push

if TYPE_CHECKING:
    from ..commands.spec import Command
    from .engine import Engine

#: On a RESP2 connection with subscriptions an invalidation looks like a message of this channel.
INVALIDATE_CHANNEL: Final = b"__redis__:invalidate"


class Messages:
    """All messages of one engine. ``running`` is the session whose command runs, None where something else goes on (a
    timer, the cluster bus). While a wait of another client ends, that one's runs, inside the one that brought it
    about."""

    __slots__ = (
        "_engine",
        "_invalid",
        "_late",
        "_outer",
        "_round_open",
        "_served",
        "channels",
        "held",
        "running",
        "tracking",
        "wanted",
    )

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.channels: Channels[Session] = Channels()
        self.tracking = InvalidationTable()
        self.wanted: Wanted | None = None
        self.running: Session | None = None
        self.held: Session | None = None  #: the running session once there is something for it to get after its reply
        self._late: list[bytes] = []
        self._invalid: list[bytes] = []  #: invalidations come last
        self._outer: Session | None = None  #: whose command brought about the end of a wait
        self._served: tuple[list[bytes], list[bytes]] | None = None  #: the like of the two for the client that waited
        self._round_open = False  #: keys have changed that are to be broadcast at the end of the round

    def configure(self, letters: str) -> None:
        """Publish the keyspace events of these classes (``notify-keyspace-events``) from now on."""
        self.wanted = wanted(letters)

    def leave(self, session: Session) -> None:
        """Forget what a client has subscribed to and what it may have cached."""
        self.channels.forget(session)
        session.subscribed_bytes = 0
        self.tracking.leave(session.id)
        session.tracking = None
        if self._round_open:
            self._rouse()

    # ---- channels

    def publish(self, channel: bytes, payload: bytes, *, sharded: bool = False) -> int:
        """Send a message to the subscribers on this node; how many there were."""
        channels = self.channels
        if sharded:
            return self._spread(channels.listeners(channel, Way.SHARD), (b"smessage", channel, payload))
        count = self._spread(channels.listeners(channel, Way.EXACT), (b"message", channel, payload))
        for pattern, subscribers in channels.matching(channel):
            count += self._spread(subscribers, (b"pmessage", pattern, channel, payload))
        return count

    def _spread(self, sessions: Sequence[Session], items: Sequence[bytes]) -> int:
        forms: dict[bool, bytes] = {}
        for session in sessions:
            data = forms.get(session.resp3)
            if data is None:
                data = forms[session.resp3] = encode(Push(items), session.resp3)
            self._send(session, data)
        return len(sessions)

    def end_shards(self, serves: Callable[[bytes], bool]) -> None:
        """End the subscriptions to shard channels that this node serves no longer, and tell the subscribers."""
        for session, channel, left in self.channels.drop_shards(lambda name: not serves(name)):
            session.refresh()
            session.subscribed_bytes -= NAME_BYTES + len(channel)
            self._send(session, encode(Push([b"sunsubscribe", channel, left]), session.resp3))

    def notice(self, database: int, key: bytes, event: str) -> None:
        """Publish a keyspace event, if its class is asked for."""
        asked = self.wanted
        if asked is None or event not in asked.events or not self.channels:
            return
        if asked.by_key:
            self.publish(key_channel(database, key), event.encode())
        if asked.by_event:
            self.publish(event_channel(database, event), key)

    # ---- caches

    def remember(self, session: Session, keys: Iterable[bytes]) -> None:
        """A tracked client has read these keys."""
        if session.tracking is None or not session.tracking.remembers:
            return
        self.tracking.remember(session.id, keys)
        self.bound_tracking()

    def bound_tracking(self) -> None:
        """Forget the oldest keys that are remembered beyond ``tracking-table-max-keys``: caches drop them."""
        for key, clients in self.tracking.overflow(self._engine.config.tracking_table_max_keys):
            for client in clients:
                self._invalidate(client, [key])

    def remember_read(self, session: Session, command: Command, words: list[bytes]) -> None:
        """The same of what a request reads, if it only reads. What a reading script reads is remembered command by
        command."""
        if session.tracking is not None and command.flags & Flags.READONLY and command.group != "scripting":
            self.remember(session, [words[position] for position in command.key_positions(words)])

    def changed(self, key: bytes, *, written: bool = True) -> None:
        """A key has another value or is gone; ``written``: by the command that runs, and not because its time has
        passed."""
        running = 0 if self.running is None else self.running.id
        clients, first = self.tracking.changed(key, running if written else 0, running)
        for client in clients:
            self._invalidate(client, [key])
        if first and not self._round_open:
            self._round_open = True
            self._rouse()

    def flushed(self) -> None:
        """All keys of a database are gone."""
        for client in self.tracking.flushed():
            self._invalidate(client, None)

    def end_round(self) -> None:
        """Send what has gathered for the clients in broadcast mode."""
        if self._round_open:
            self._round_open = False
            self.running = None
            for client, keys in self.tracking.broadcasts():
                self._invalidate(client, keys)

    def _rouse(self) -> None:
        """Have the rim come back at the end of its round (``Engine.end_round``), by waking a client that waits for a
        broadcast."""
        client = self.tracking.awaiting
        if client is None:
            self._round_open = False
        else:
            self._engine.world.wake(self._engine.sessions[client])

    def _invalidate(self, client: int, keys: list[bytes] | None) -> None:
        """Tell a tracked client, or whom it has named instead, to forget these keys (None: all)."""
        sessions = self._engine.sessions
        tracking = self.tracking.clients[client]
        session = target = sessions[client]
        if tracking.redirect:
            found = sessions.get(tracking.redirect)
            if found is None:
                tracking.broken = True
                if session.resp3:
                    self._send(session, encode(Push([b"tracking-redir-broken", tracking.redirect]), True), last=True)
                return
            target = found
        if target.resp3:
            self._send(target, encode(Push([b"invalidate", keys]), True), last=True)
        elif tracking.redirect and target.subscribed:
            self._send(target, encode(Push([b"message", INVALIDATE_CHANNEL, keys]), False), last=True)
        # Any other RESP2 connection could not tell the message from a reply.

    # ---- sending

    def tell(self, session: Session, data: bytes) -> None:
        """Send a client encoded bytes that are no reply of its own: behind the reply, if its command is running."""
        self._send(session, data)

    def _send(self, session: Session, data: bytes, *, last: bool = False) -> None:
        if session.close_after_reply:
            return
        served = self._served
        if served is not None and session is self.running:
            served[last].append(data)
            return
        if session is not (self.running if served is None else self._outer):
            session.out.append(data)
            self._engine.world.wake(session)
            return
        if self.held is not session:
            self._late.clear()
            self._invalid.clear()
            self.held = session
        (self._invalid if last else self._late).append(data)

    def begin_serving(self, session: Session) -> None:
        """A client that waited carries out its command now."""
        self._outer, self.running = self.running, session
        self._served = ([], [])

    def end_serving(self) -> None:
        """It has its reply, if there was one to have; now come the messages that it was to hear meanwhile."""
        assert self._served is not None
        assert self.running is not None
        late, invalid = self._served
        self.running.out += late
        self.running.out += invalid
        self.running, self._outer, self._served = self._outer, None, None

    def replied(self) -> None:
        """The running command has been answered: what its session was to hear meanwhile comes now."""
        session, self.held = self.held, None
        if session is not None:
            session.out.extend(self._late)
            session.out.extend(self._invalid)
            self._late.clear()
            self._invalid.clear()
