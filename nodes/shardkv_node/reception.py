"""The doors of the node: who comes in as a client, and who is told why not."""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, TypeAlias

from shardkv.resp.parser import RequestParser

from .clock import stopwatch
from .connection import Connection
from .poller import READ, Poller

if TYPE_CHECKING:
    from shardkv.commands.session import Session
    from shardkv.engine.engine import Engine

    from .tls import SecureSocket

    Welcome: TypeAlias = Callable[[socket.socket], SecureSocket]

#: Out of file descriptors: how long the listeners rest.
ACCEPT_REST_SECONDS: Final = 0.1

_TOO_MANY: Final = b"-ERR max number of clients reached\r\n"
_TOO_MANY_WITH_LINKS: Final = b"-ERR max number of clients + cluster connections reached\r\n"
_DENIED: Final = (
    b"-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for "
    b"the default user. In this mode connections are only accepted from the loopback interface. If you want to "
    b"connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable "
    b"protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by "
    b"connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly "
    b"accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively"
    b" you can just disable the protected mode by editing the Redis configuration file, and setting the "
    b"protected mode option to 'no', and then restarting the server. 3) If you started the server manually just"
    b" for testing, restart it with the '--protected-mode no' option. 4) Setup a an authentication password for"
    b" the default user. NOTE: You only need to do one of the above things in order for the server to start "
    b"accepting connections from the outside.\r\n"
)


class Reception:
    """Accepts connections. ``take`` gets each new client, ``clients`` says how many there are."""

    def __init__(
        self,
        engine: Engine,
        poller: Poller,
        log: Callable[[str, str], None],
        take: Callable[[Connection], None],
        clients: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._config = engine.config
        self._stats = engine.stats
        self._poller = poller
        self._log = log
        self._take = take
        self._clients = clients
        self._probe = secrets.token_bytes(16)
        self._listeners: dict[int, socket.socket] = {}
        self._secured: dict[int, Welcome] = {}  #: listeners whose clients speak TLS
        self._resting_until = 0.0

    def listen(self, socks: Iterable[socket.socket], secure: Welcome | None = None) -> None:
        """Accept clients from these listening sockets; ``secure`` puts each one inside TLS."""
        for sock in socks:
            self._listeners[sock.fileno()] = sock
            if secure is not None:
                self._secured[sock.fileno()] = secure
            self._poller.register(sock.fileno(), READ)

    def stop_listening(self, socks: Iterable[socket.socket]) -> None:
        """Accept nobody from these any more, and close them."""
        for sock in socks:
            fd = sock.fileno()
            del self._listeners[fd]
            self._secured.pop(fd, None)
            self._poller.unregister(fd)
            sock.close()

    def close(self) -> None:
        """Let nobody in any more."""
        self.stop_listening(list(self._listeners.values()))

    def look(self) -> None:
        """Accept again if the rest is over; called about ten times a second."""
        if self._resting_until and stopwatch() >= self._resting_until:
            self._resting_until = 0.0
            for fd in self._listeners:
                self._poller.modify(fd, READ)

    def accept(self, fd: int) -> None:
        """Somebody may be at the door: take whoever is there, up to the most of a cycle."""
        listener = self._listeners.get(fd)
        if listener is None:
            return
        config = self._config
        secure = self._secured.get(listener.fileno())
        most = config.max_new_connections_per_cycle if secure is None else config.max_new_tls_connections_per_cycle
        for _ in range(most):
            try:
                sock, peer = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self._rest(error)
                    return
                continue  # the client went away before we took it
            self.admit(sock, peer, secure)

    def _rest(self, error: OSError) -> None:
        """No descriptor is left: stop accepting for a moment instead of spinning."""
        if not self._resting_until:
            self._log("warning", f"Accepting client connection: accept: {error.strerror}")
            for fd in self._listeners:
                self._poller.modify(fd, 0)
        self._resting_until = stopwatch() + ACCEPT_REST_SECONDS

    def admit(self, sock: socket.socket, peer: object, secure: Welcome | None) -> None:
        """Make a client of a connection, or tell it why not and close it."""
        sock.setblocking(False)
        stats = self._stats
        refusal = b""
        cluster = self._engine.cluster
        links = 0 if cluster is None else len(cluster.links())
        if self._clients() + links >= self._config.maxclients:
            refusal = _TOO_MANY if cluster is None else _TOO_MANY_WITH_LINKS
        elif sock.family != socket.AF_UNIX and self.denies(peer):
            refusal = _DENIED
        if refusal:
            stats.rejected_connections += 1
            try:
                if secure is None:
                    sock.send(refusal)
            except OSError:
                pass
            sock.close()
            return
        try:
            session = self._open(sock, peer)
        except OSError:
            sock.close()
            return
        taken: socket.socket | SecureSocket = sock
        if secure is not None:
            session.secure = True
            try:
                taken = secure(sock)
            except OSError:
                self._engine.leave(session)
                sock.close()
                return
        parser = RequestParser(max_bulk=self._config.proto_max_bulk_len, probe=self._probe)
        parser.authenticated = session.authenticated
        self._take(Connection(taken, session, parser))

    def _open(self, sock: socket.socket, peer: object) -> Session:
        if sock.family == socket.AF_UNIX:
            path = str(sock.getsockname())
            return self._engine.open(fd=sock.fileno(), address=f"{path}:0", local_address=f"{path}:0", unix_socket=True)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        keepalive(sock, self._config.tcp_keepalive)
        return self._engine.open(
            fd=sock.fileno(), address=show_address(peer), local_address=show_address(sock.getsockname())
        )

    def denies(self, peer: object) -> bool:
        """Protected mode: without a password only this machine may connect."""
        if not self._config.protected_mode or not self._engine.access.users.default.needs_no_password:
            return False
        host = peer[0] if isinstance(peer, tuple) else ""
        return host not in ("127.0.0.1", "::1", "::ffff:127.0.0.1") and not host.startswith("127.")


def show_address(address: object) -> str:
    """``ip:port``, or ``[ip]:port`` for IPv6."""
    if not isinstance(address, tuple):
        return str(address)
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def keepalive(sock: socket.socket, seconds: int) -> None:
    """Probe a silent peer after ``seconds``, then three times at a third of that (0: never)."""
    if not seconds:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, seconds // 3))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
