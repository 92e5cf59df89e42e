"""The cluster bus: peer links over TCP. Dials, accepts, sets links up, frames, and hands messages to the machine.

No rule of the cluster is decided here: whom to dial, when to give a link up and when to dial again are effects of the
cluster machine (``shardkv.cluster.effects`` says how each is performed). This module's own concern is that no peer
can harm the node: set-up has a deadline, inbound links have a limit, what a link may make the node hold is bounded
both ways, and garbage closes the link, is counted, and costs one line of the log.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from os import urandom
from socket import SO_KEEPALIVE, SOL_SOCKET, socket

import trio
from trio.socket import from_stdlib_socket

from shardkv.cluster.effects import Connect, Level
from shardkv.cluster.events import Event, LinkId, LinkLost, LinkUp, Received
from shardkv.cluster.handshake import NONCE_SIZE, SEAL_OVERHEAD, Handshake, Role
from shardkv.cluster.messages import COUNTER_NAMES, Message
from shardkv.cluster.wire import BUS, FrameReader, frame
from shardkv_node.buslinks import SENDBUF_CEILING, BusLimits, BusStatistics, Link, by_peer
from shardkv_node.tls import Stream, Tls, plain

RECEIVE_SIZE = 16 * 1024  # one turn's worth: a flood on one link must not keep the clients waiting for long
QUIET = 10.0  # seconds for which the same complaint about the same address is not logged again
TELLINGS_MAX = 256  # remembered complaints

# No more descriptors or buffers: waiting helps, giving up the listener does not.
_SHORTAGE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})


class Bus:
    """All links of one node. Lives in one trio thread; ``connect``, ``disconnect`` and ``send`` never wait."""

    def __init__(
        self,
        *,
        deliver: Callable[[Event], object],
        log: Callable[[Level, str], None],
        clock: Callable[[], float],
        secret: bytes = b"",
        limits: BusLimits | None = None,
        source: Callable[[], str | None] = lambda: None,
        nonce: Callable[[int], bytes] = urandom,
        tls: Callable[[], Tls | None] = lambda: None,
    ) -> None:
        """``deliver``: takes events of links (``ClusterDriver.submit``). ``clock``: seconds since the epoch.
        ``secret``: empty for an open bus. ``source``: the local address to dial from, if one is asked for. ``nonce``:
        gives so many unpredictable bytes. ``tls``: how links are secured from now on, if they are (``tls-cluster``).
        """
        self.limits = limits or BusLimits()
        self._deliver = deliver
        self._log = log
        self._clock = clock
        self._secret = secret
        self._source = source
        self._nonce = nonce
        self._tls = tls
        self._nursery: trio.Nursery | None = None
        self._links: dict[LinkId, Link] = {}
        self._strangers: dict[Link, None] = {}  # oldest first
        self._inbound = 0
        self._accepted = 0
        self._packed: tuple[Message | None, bytes] = (None, b"")
        self._tellings: dict[str, float] = {}
        self._sent = dict.fromkeys(COUNTER_NAMES.values(), 0)
        self._received = dict.fromkeys(COUNTER_NAMES.values(), 0)
        self._bytes_sent = self._bytes_received = 0
        self._refused = self._garbage = self._exceeded = self._skipped = self._oversized = 0

    async def run(
        self, listening: Sequence[socket], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serves until cancelled; started once links can be dialled. ``listening``: of ``listen_tcp``; closed at the
        end."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            for sock in listening:
                nursery.start_soon(self._accept, trio.SocketListener(from_stdlib_socket(sock)))
            task_status.started()
            await trio.sleep_forever()

    # ---------------------------------------------------------------- what the machine asks for

    def connect(self, order: Connect) -> None:
        """Starts to dial. ``LinkUp`` follows, or ``LinkLost``."""
        assert self._nursery is not None, "the bus is not running"
        link = Link(order.link, order.node, self._clock())
        self._links[order.link] = link
        self._nursery.start_soon(self._dial, link, order.ip, order.port)

    def disconnect(self, number: LinkId) -> None:
        """Closes a link or gives up its dial, and drops what waits on it. Nothing if it is gone already."""
        link = self._links.pop(number, None)
        if link is not None:
            link.dropped = True
            link.scope.cancel()

    def send(self, number: LinkId, message: Message) -> None:
        """Queues a message. Dropped if the link isn't there; a link whose queue would overflow is closed."""
        link = self._links.get(number)
        if link is None or not link.ready:
            return
        if message is not self._packed[0]:  # a broadcast sends one object to many
            try:
                self._packed = message, BUS.pack(message)
            except ValueError as why:
                self._oversized += 1
                self._log("warning", f"A cluster bus message was not sent: {why}")
                return
        payload = self._packed[1]
        data = frame(payload if link.sealer is None else link.sealer.seal(payload))
        if link.queued + len(data) > (self.limits.sendbuf or SENDBUF_CEILING):
            self._exceeded += 1
            self._log(
                "warning", f"Closing the cluster link with {link.node or link.peer_ip}: {link.queued} bytes wait for it"
            )
            del self._links[number]
            link.scope.cancel()
            return
        link.queue.append(data)
        link.queued += len(data)
        link.wake.set()
        self._sent[COUNTER_NAMES[type(message)]] += 1

    def statistics(self) -> BusStatistics:
        """A record of now."""
        return BusStatistics(
            sent=dict(self._sent),
            received=dict(self._received),
            bytes_sent=self._bytes_sent,
            bytes_received=self._bytes_received,
            links_refused=self._refused,
            garbage=self._garbage,
            sendbuf_exceeded=self._exceeded,
            skipped=self._skipped,
            oversized=self._oversized,
            strangers=len(self._strangers),
            links=tuple(sorted((link.record() for link in self._links.values() if link.ready), key=by_peer)),
        )

    # ---------------------------------------------------------------- dialled links

    async def _dial(self, link: Link, ip: str, port: int) -> None:
        with link.scope:
            # one deadline for the connection and the set-up together
            deadline = trio.current_time() + self.limits.setup_timeout
            stream = None
            with trio.move_on_at(deadline):
                stream = await self._connected(ip, port)
            if stream is not None:
                async with stream:
                    if await self._set_up(link, stream, Role.DIALER, deadline):
                        link.ready = True
                        self._deliver(LinkUp(link.number))
                        await self._serve(link, stream)
        self._ended(link)

    async def _connected(self, ip: str, port: int) -> Stream | None:
        """A connection, or None. Only numeric addresses: gossip must not make a node ask name servers."""
        try:
            if not 0 < port < 65536:
                raise ValueError("no port")
            stream = await trio.open_tcp_stream(str(ip_address(ip)), port, local_address=self._source())
        except (OSError, ValueError) as why:
            self._log("debug", f"Unable to connect to the cluster bus at {ip[:64]!r}:{port}: {why}")
            return None
        tls = self._tls()
        return stream if tls is None else tls.dialled(stream)

    def _ended(self, link: Link) -> None:
        if self._links.get(link.number) is link:
            del self._links[link.number]
        if not link.dropped:
            self._deliver(LinkLost(link.number))

    # ---------------------------------------------------------------- accepted links

    async def _accept(self, listener: trio.SocketListener) -> None:
        assert self._nursery is not None
        async with listener:
            while True:
                try:
                    stream = await listener.accept()
                except OSError as why:
                    if why.errno not in _SHORTAGE:
                        raise
                    self._complain("warning", "", f"Accepting a cluster node: {why.strerror}")
                    await trio.sleep(0.1)
                    continue
                self._nursery.start_soon(self._welcome, stream)

    async def _welcome(self, accepted: trio.SocketStream) -> None:
        tls = self._tls()
        stream = accepted if tls is None else tls.accepted(accepted)
        link = Link(0, "", self._clock())
        self._make_room()
        self._strangers[link] = None
        try:
            with link.scope:
                async with stream:
                    deadline = trio.current_time() + self.limits.setup_timeout
                    if await self._set_up(link, stream, Role.ACCEPTOR, deadline) and self._admit(link):
                        await self._serve(link, stream)
        finally:
            self._strangers.pop(link, None)
            self._inbound -= link.ready
        if link.ready:
            self._ended(link)

    def _make_room(self) -> None:
        """Gives the oldest stranger up for a new one: silent ones can't keep our own nodes out."""
        if len(self._strangers) >= self.limits.strangers:
            oldest = next(iter(self._strangers))
            del self._strangers[oldest]
            oldest.scope.cancel()
            self._refused += 1

    def _admit(self, link: Link) -> bool:
        """From a stranger to a link with a number, if there is room."""
        self._strangers.pop(link, None)
        if self._inbound >= self.limits.links:
            self._refused += 1
            self._complain("warning", link.peer_ip, f"there are {self._inbound} inbound links already")
            return False
        self._accepted += 1
        self._inbound += 1
        link.number = -self._accepted
        link.ready = True
        self._links[link.number] = link
        return True

    # ---------------------------------------------------------------- both kinds

    async def _set_up(self, link: Link, stream: Stream, role: Role, deadline: float) -> bool:
        """Whether both ends agree on a link; what is wrong otherwise is counted and logged here."""
        handshake = Handshake(role, self._nonce(NONCE_SIZE), self._secret)
        with trio.move_on_at(deadline) as timer:
            try:
                connection = plain(stream)
                link.peer_ip = _plain_ip(connection.socket.getpeername()[0])
                link.local_ip = _plain_ip(connection.socket.getsockname()[0])
                connection.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1)
                await stream.send_all(handshake.start())
                while handshake.agreed is None and handshake.fault is None:
                    data = bytes(await stream.receive_some(RECEIVE_SIZE))
                    if not data:
                        return False
                    await stream.send_all(handshake.feed(bytes(data)))
            except (OSError, trio.BrokenResourceError):
                return False
        if handshake.agreed is not None and not timer.cancelled_caught:
            link.sealer = handshake.sealer
            if handshake.unsealer is None:
                link.reader = FrameReader()
            else:
                link.reader = FrameReader(unseal=handshake.unsealer.unseal, overhead=SEAL_OVERHEAD)
            link.early = handshake.rest
            return True
        self._garbage += handshake.garbage
        self._refused += not handshake.garbage and role is Role.ACCEPTOR
        self._complain("warning", link.peer_ip, handshake.fault or "it did not say hello in time")
        return False

    async def _serve(self, link: Link, stream: Stream) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, link, stream, nursery.cancel_scope)
            await self._read(link, stream)
            nursery.cancel_scope.cancel()

    async def _read(self, link: Link, stream: Stream) -> None:
        assert link.reader is not None
        reader, data = link.reader, link.early
        while True:
            skipped = reader.skipped
            for message in reader.feed(data):
                if self._links.get(link.number) is not link:
                    return  # the machine closed it because of the message before
                link.node = message.header.sender
                self._received[COUNTER_NAMES[type(message)]] += 1
                self._deliver(Received(link.number, message, link.peer_ip, link.local_ip))
            self._skipped += reader.skipped - skipped
            if reader.fault is not None:
                self._garbage += 1
                self._complain("warning", link.peer_ip, reader.fault)
                return
            try:
                data = bytes(await stream.receive_some(RECEIVE_SIZE))
            except trio.BrokenResourceError:
                return
            if not data:
                return
            self._bytes_received += len(data)

    async def _write(self, link: Link, stream: Stream, scope: trio.CancelScope) -> None:
        while True:
            await link.wake.wait()
            link.wake = trio.Event()
            while link.queue:
                data = b"".join(link.queue)
                link.queue.clear()
                try:
                    await stream.send_all(data)
                except trio.BrokenResourceError:
                    scope.cancel()
                    return
                link.queued -= len(data)
                self._bytes_sent += len(data)

    def _complain(self, level: Level, ip: str, why: str) -> None:
        """One line about a peer; the same line again only after a while, for a wrong peer dials again and again."""
        line = f"Closed a cluster bus link with {ip}: {why}" if ip else why
        now = self._clock()
        if now - self._tellings.get(line, -QUIET) < QUIET:
            return
        while len(self._tellings) >= TELLINGS_MAX:
            del self._tellings[next(iter(self._tellings))]
        self._tellings.pop(line, None)
        self._tellings[line] = now
        self._log(level, line)


def _plain_ip(ip: str) -> str:
    """An IPv4 address that came in through an IPv6 socket, as itself."""
    return ip.removeprefix("::ffff:") if "." in ip else ip
