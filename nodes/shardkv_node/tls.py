"""TLS as the options ask for it: contexts for who comes and for whom we go to, and a socket that the reactor can use.

The contexts are made anew by CONFIG SET; a connection keeps the one it was made with.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

import trio

if TYPE_CHECKING:
    from shardkv.config import Config

Say: TypeAlias = Callable[[str, str], None]
#: A connection of the bus or of a replica: plain, or inside TLS.
Stream: TypeAlias = "trio.SocketStream | trio.SSLStream[trio.SocketStream]"

#: The most that one TLS record holds.
RECORD: Final = 16384
_VERSIONS: Final = {
    "tlsv1": ssl.OP_NO_TLSv1,
    "tlsv1.1": ssl.OP_NO_TLSv1_1,
    "tlsv1.2": ssl.OP_NO_TLSv1_2,
    "tlsv1.3": ssl.OP_NO_TLSv1_3,
}
_NO_AUTHORITY: Final = (
    "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or "
    "tls-auth-clients are enabled!"
)
_BAD_PROTOCOLS: Final = (
    "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'."
)


class TlsFault(Exception):
    """The options do not make TLS possible; ``str()`` is one line for the log."""


class SecureSocket:
    """A non-blocking socket inside TLS, with the few methods of a plain one that are asked of it.

    ``recv`` and ``send`` raise BlockingIOError where a plain socket would, also while the handshake goes on, which they
    carry forward. A failed handshake is an OSError.
    """

    __slots__ = ("_log", "_secure", "fileno", "getpeername", "getsockname", "setsockopt")

    def __init__(self, secure: ssl.SSLSocket, log: Say) -> None:
        self._secure = secure
        self._log = log
        self.fileno = secure.fileno
        self.getpeername = secure.getpeername
        self.getsockname = secure.getsockname
        self.setsockopt = secure.setsockopt

    def recv(self, most: int) -> bytes:
        """What has arrived, up to about ``most`` bytes; empty at the end."""
        pieces: list[bytes] = []
        got = 0
        # A record is taken whole or not at all, so that nothing stays here of which the poller knows nothing.
        while got < most:
            try:
                piece = self._secure.recv(RECORD)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                if pieces:
                    break
                raise BlockingIOError from None
            except ssl.SSLError as error:
                self._log("verbose", f"Error accepting a client connection: {error.reason or error}")
                raise
            if not piece:
                break  # the end; a plain recv finds it again
            pieces.append(piece)
            got += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def send(self, data: bytes | memoryview) -> int:
        """Send as much as is taken; how many bytes that were."""
        view = memoryview(data)
        sent = 0
        while sent < len(view):
            try:
                sent += self._secure.send(view[sent : sent + RECORD])
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                if sent:
                    break
                raise BlockingIOError from None
        return sent

    def close(self) -> None:
        """Say good-bye, as far as that can be done at once, and close."""
        try:
            self._secure.unwrap()
        except (OSError, ValueError):
            pass  # it would have to wait for the peer, or there was no handshake
        self._secure.close()

    def dup(self) -> SharedSocket:
        """A second way to send by this connection."""
        return SharedSocket(self)

    def shutdown(self, how: int) -> None:
        """End the connection below, without a word."""
        socket.socket.shutdown(self._secure, how)


class SharedSocket:
    """Somebody else's use of a connection inside TLS: with a descriptor of its own to wait for, and without the right
    to close it."""

    __slots__ = ("_secure", "_waited")

    def __init__(self, secure: SecureSocket) -> None:
        self._secure = secure
        self._waited = os.dup(secure.fileno())

    def fileno(self) -> int:
        """What can be waited for."""
        return self._waited

    def send(self, data: bytes | memoryview) -> int:
        """As that of the connection. Raises OSError once that is closed."""
        return self._secure.send(data)

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """An option of the connection below."""
        self._secure.setsockopt(level, option, value)

    def shutdown(self, how: int) -> None:
        """End the connection."""
        self._secure.shutdown(how)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._waited)

    def __enter__(self) -> SharedSocket:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


#: A socket that only sends, and that others may use as well.
Sharing: TypeAlias = "socket.socket | SharedSocket"


class Tls:
    """The contexts of one node. None of them exists before an option asks for TLS."""

    def __init__(self, config: Config, log: Say) -> None:
        self._config = config
        self._log = log
        self._server: ssl.SSLContext | None = None
        self._client: ssl.SSLContext | None = None

    @property
    def contexts(self) -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
        """That for who comes, and that for whom we go to."""
        return self._server, self._client

    @contexts.setter
    def contexts(self, both: tuple[ssl.SSLContext | None, ssl.SSLContext | None]) -> None:
        self._server, self._client = both

    @property
    def wanted(self) -> bool:
        """Whether any option asks for TLS."""
        config = self._config
        return bool(config.tls_port or config.tls_replication or config.tls_cluster)

    def renew(self) -> None:
        """Make the contexts that the options describe now. Raises TlsFault, and then all is as it was."""
        if not self.wanted:
            return
        config = self._config
        if not config.tls_cert_file:
            raise TlsFault("No tls-cert-file configured!")
        if not config.tls_key_file:
            raise TlsFault("No tls-key-file configured!")
        trusts = bool(config.tls_ca_cert_file or config.tls_ca_cert_dir)
        if not trusts and (config.tls_auth_clients != "no" or config.tls_cluster or config.tls_replication):
            raise TlsFault(_NO_AUTHORITY)
        server = self._context(ssl.PROTOCOL_TLS_SERVER)
        self._present(server, config.tls_cert_file, config.tls_key_file, config.tls_key_file_pass)
        self._tune_server(server)
        client = self._context(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False  # nodes know each other by address, and by the authority that vouches for them
        client.verify_mode = ssl.CERT_REQUIRED
        if config.tls_client_cert_file and config.tls_client_key_file:
            secret = config.tls_client_key_file_pass
            self._present(client, config.tls_client_cert_file, config.tls_client_key_file, secret)
        else:
            self._present(client, config.tls_cert_file, config.tls_key_file, config.tls_key_file_pass)
        self._server, self._client = server, client

    def _context(self, protocol: ssl._SSLMethod) -> ssl.SSLContext:
        """What both sides have in common: versions, ciphers and whom to trust."""
        config = self._config
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED if config.tls_protocols else ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        versions = config.tls_protocols.lower().split()
        if any(version not in _VERSIONS for version in versions):
            raise TlsFault(_BAD_PROTOCOLS)
        for version, forbidden in _VERSIONS.items():
            if versions and version not in versions:
                context.options |= forbidden
        if config.tls_ciphers:
            try:
                context.set_ciphers(config.tls_ciphers)
            except ssl.SSLError as error:
                raise TlsFault(f"Failed to configure ciphers: {config.tls_ciphers}") from error
        if config.tls_ciphersuites:
            self._choose_suites(context)
        self._trust(context)
        return context

    def _choose_suites(self, context: ssl.SSLContext) -> None:
        """The suites of TLS 1.3, which Python lets nobody choose before 3.15: then it is better not to start."""
        suites = self._config.tls_ciphersuites
        if not hasattr(context, "set_ciphersuites"):
            raise TlsFault("tls-ciphersuites needs Python 3.15 or later; leave it empty for the library's choice")
        try:
            context.set_ciphersuites(suites)
        except ssl.SSLError as error:
            raise TlsFault(f"Failed to configure ciphersuites: {suites}") from error

    def _trust(self, context: ssl.SSLContext) -> None:
        """Load the certificates of the authorities; without any, nobody is trusted."""
        file, folder = self._config.tls_ca_cert_file, self._config.tls_ca_cert_dir
        if not file and not folder:
            return
        try:
            context.load_verify_locations(file or None, folder or None)
        except OSError as error:
            raise TlsFault(
                f"Failed to configure CA certificate(s) file/directory: {file or folder}: {_why(error)}"
            ) from error

    def _present(self, context: ssl.SSLContext, certificate: str, key: str, secret: str) -> None:
        """Load what this side shows of itself."""
        try:
            # Never ask a terminal for the password of a key.
            context.load_cert_chain(certificate, key, password=lambda: secret.encode("utf-8", "surrogateescape"))
        except OSError as error:
            for path in (certificate, key):
                try:
                    open(path, "rb").close()
                except OSError as missing:
                    what = "certificate" if path == certificate else "private key"
                    raise TlsFault(f"Failed to load {what}: {path}: {_why(missing)}") from error
            raise TlsFault(f"Failed to load certificate {certificate} and private key {key}: {_why(error)}") from error
        except ValueError as error:
            raise TlsFault(f"Failed to load private key: {key}: {error}") from error

    def _tune_server(self, context: ssl.SSLContext) -> None:
        config = self._config
        needs = {"no": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "yes": ssl.CERT_REQUIRED}
        context.verify_mode = needs[config.tls_auth_clients]
        if config.tls_prefer_server_ciphers:
            context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
        else:
            context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        if not config.tls_session_caching:
            context.options |= ssl.OP_NO_TICKET
            context.num_tickets = 0
        if config.tls_dh_params_file:
            try:
                context.load_dh_params(config.tls_dh_params_file)
            except OSError as error:
                raise TlsFault(f"Failed to load DH params file: {config.tls_dh_params_file}: {_why(error)}") from error

    # ---- connections

    def welcome(self, sock: socket.socket) -> SecureSocket:
        """A client's socket, inside TLS from now on; ``sock`` itself is used no more. Raises OSError."""
        assert self._server is not None, "nobody listens for TLS without a context"
        return SecureSocket(self._wrapped(self._server, sock, server=True), self._log)

    async def enter(self, sock: socket.socket) -> SecureSocket:
        """The same for a socket that is connected to another node, once that has shown a certificate. Raises
        OSError."""
        assert self._client is not None, "nobody is dialled by TLS without a context"
        secure = self._wrapped(self._client, sock, server=False)
        while True:
            try:
                secure.do_handshake()
            except ssl.SSLWantReadError:
                await trio.lowlevel.wait_readable(secure)
            except ssl.SSLWantWriteError:
                await trio.lowlevel.wait_writable(secure)
            except BaseException:
                secure.close()
                raise
            else:
                return SecureSocket(secure, self._log)

    @staticmethod
    def _wrapped(context: ssl.SSLContext, sock: socket.socket, server: bool) -> ssl.SSLSocket:
        sock.setblocking(False)
        return context.wrap_socket(sock, server_side=server, do_handshake_on_connect=False)

    def accepted(self, stream: trio.SocketStream) -> trio.SSLStream[trio.SocketStream]:
        """A stream that came in, inside TLS."""
        assert self._server is not None
        return trio.SSLStream(stream, self._server, server_side=True)

    def wrapped(self, connection: socket.socket) -> ssl.SSLSocket:
        """A connection that we have dialled and that blocks, inside TLS. Raises OSError."""
        assert self._client is not None
        return self._client.wrap_socket(connection)

    def dialled(self, stream: trio.SocketStream) -> trio.SSLStream[trio.SocketStream]:
        """A stream that we have dialled, inside TLS."""
        assert self._client is not None
        return trio.SSLStream(stream, self._client)


def plain(stream: Stream) -> trio.SocketStream:
    """The connection below TLS, if there is any: where addresses and socket options are."""
    return stream.transport_stream if isinstance(stream, trio.SSLStream) else stream


def _why(error: OSError) -> str:
    reason = getattr(error, "reason", None)
    return str(reason or error.strerror or error)
