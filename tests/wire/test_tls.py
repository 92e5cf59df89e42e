"""TLS: on the port for clients and on the bus, with redis-cli and Python's own library at the other end."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from tests.support.certificates import Authority
from tests.support.ports import free_port
from tests.support.processes import Node, wait_for
from tests.support.wire import Client, request
from tests.support.wire_replies import Refusal

pytestmark = pytest.mark.wire

Start = Callable[..., Node]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority that everybody in the test trusts."""
    return Authority(tmp_path)


class Secure:
    """A node with a TLS port, and clients that come by it."""

    def __init__(self, node: Node, port: int, authority: Authority) -> None:
        self.node, self.port, self.authority = node, port, authority
        self.context = authority.client()

    def client(self, context: ssl.SSLContext | None = None) -> Client:
        """A new connection, by TLS."""
        return Client("127.0.0.1", self.port, tls=context or self.context)

    def cli(self, *words: str, stdin: str = "") -> str:
        """What redis-cli prints."""
        names = ("--cacert", "ca.pem", "--cert", "client.pem", "--key", "client.key")
        return subprocess.run(
            ["redis-cli", "--tls", *names, "-p", str(self.port), *words],
            cwd=self.authority.folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout


@pytest.fixture
def secure(start_node: Start, authority: Authority) -> Secure:
    """A node with a TLS port whose clients must show a certificate."""
    port = free_port()
    return Secure(start_node(tls_port=port, **authority.options()), port, authority)


def refuses(secure: Secure, context: ssl.SSLContext) -> bool:
    """Whether a client is turned away before any reply."""
    try:
        with secure.client(context) as client:
            client("PING")
    except (ssl.SSLError, ConnectionError):
        return True
    return False


def test_redis_cli_works_by_tls(secure: Secure) -> None:
    assert secure.cli("PING") == "PONG\n"
    assert secure.cli("SET", "name", "ada") == "OK\n"
    assert secure.cli("--pipe", stdin="".join(f"SET k{n} {n}\r\n" for n in range(5000))).count("replies: 5000") == 1
    assert secure.cli("DBSIZE") == "5001\n"
    assert len(secure.cli("--scan", "--pattern", "k1*").splitlines()) == 1111


def test_redis_py_works_by_tls(secure: Secure) -> None:
    folder = secure.authority.folder
    with Redis(
        port=secure.port,
        ssl=True,
        ssl_ca_certs=str(folder / "ca.pem"),
        ssl_certfile=str(folder / "client.pem"),
        ssl_keyfile=str(folder / "client.key"),
        protocol=3,
    ) as redis:
        assert redis.set("a", "1")
        with redis.pipeline(transaction=False) as pipe:
            for _ in range(2000):
                pipe.incr("a")
            assert pipe.execute()[-1] == 2001


def test_large_values_go_both_ways(secure: Secure) -> None:
    value = bytes(range(256)) * 120_000
    with secure.client() as client, secure.client() as other:
        assert client("SET", "big", value) == "OK"
        client.send("GET", "big")  # many records, and nobody reads for a while
        assert other("STRLEN", "big") == len(value)
        assert client.reply() == value


def test_a_deep_pipeline_is_answered_in_order(secure: Secure) -> None:
    with secure.client() as client:
        client.send_bytes(b"".join(request("ECHO", number) for number in range(20_000)))
        assert [client.reply() for _ in range(20_000)] == [b"%d" % number for number in range(20_000)]


def test_requests_cut_anywhere_are_understood(secure: Secure) -> None:
    with secure.client() as client:
        for byte in request("SET", "name", "ada lovelace"):
            client.send_bytes(bytes((byte,)))  # each one is a record of its own
        assert client.reply() == "OK"


def test_messages_and_waits_arrive(secure: Secure) -> None:
    with secure.client() as client, secure.client() as other:
        client.must("SUBSCRIBE", "news")
        assert other("PUBLISH", "news", "hello") == 1
        assert client.read() == [b"message", b"news", b"hello"]
        client.must("UNSUBSCRIBE", "news")
        client.send("BLPOP", "list", 0)
        wait_for(lambda: b"blocked_clients:1" in other.raw("INFO", "clients"))
        other.must("RPUSH", "list", "x")
        assert client.reply() == [b"list", b"x"]


def test_both_doors_lead_to_the_same_keys(secure: Secure) -> None:
    with secure.client() as inside, secure.node.client() as outside:
        inside.must("SET", "a", "1")
        assert outside("GET", "a") == b"1"


def test_who_must_show_a_certificate_is_an_option(secure: Secure) -> None:
    without = secure.authority.client(None)
    stranger = Authority(Path(secure.authority.folder / "..").resolve()).client("eve")
    stranger.load_verify_locations(secure.authority.file)
    assert refuses(secure, without)
    with secure.node.client() as owner:
        owner.must("CONFIG", "SET", "tls-auth-clients", "optional")
        assert not refuses(secure, without)
        assert refuses(secure, stranger)
        owner.must("CONFIG", "SET", "tls-auth-clients", "no")
        assert not refuses(secure, stranger)
        owner.must("CONFIG", "SET", "tls-auth-clients", "yes")
        assert refuses(secure, without)


def shown_by(secure: Secure) -> bytes:
    """The certificate that a new client is shown."""
    plain = socket.create_connection(("127.0.0.1", secure.port))
    with secure.context.wrap_socket(plain, server_hostname="localhost") as sock:
        certificate = sock.getpeercert(binary_form=True)
    assert certificate is not None
    return certificate


def test_certificates_are_renewed_while_the_node_runs(secure: Secure) -> None:
    before = shown_by(secure)
    certificate, key = secure.authority.issue("renewed", password="sesame")
    with secure.client() as old, secure.node.client() as owner:
        reload = ("tls-cert-file", certificate, "tls-key-file", key, "tls-key-file-pass")
        words = [str(word) for word in reload]
        refused = owner("CONFIG", "SET", *words, "wrong")
        assert isinstance(refused, Refusal)
        assert refused.text.endswith("Unable to update TLS configuration. Check server logs.")
        assert shown_by(secure) == before
        assert owner("CONFIG", "SET", *words, "sesame") == "OK"
        assert shown_by(secure) != before
        assert old("PING") == "PONG"


def test_versions_and_ciphers_are_chosen(secure: Secure) -> None:
    modern, old = secure.authority.client(), secure.authority.client()
    modern.minimum_version = ssl.TLSVersion.TLSv1_3
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with secure.node.client() as owner:
        owner.must("CONFIG", "SET", "tls-protocols", "TLSv1.2")
        assert refuses(secure, modern)
        assert not refuses(secure, old)
        owner.must("CONFIG", "SET", "tls-ciphers", "ECDHE+AESGCM", "tls-prefer-server-ciphers", "yes")
        old.set_ciphers("ECDHE+CHACHA20")
        assert refuses(secure, old)
        owner.must("CONFIG", "SET", "tls-protocols", "TLSv1.3")
        assert not refuses(secure, modern)
        for option, value in (("tls-protocols", "TLSv1.9"), ("tls-ciphers", "foo"), ("tls-ca-cert-file", "")):
            assert owner("CONFIG", "SET", option, value) == Refusal(
                f"ERR CONFIG SET failed (possibly related to argument '{option}') - "
                "Unable to update TLS configuration. Check server logs."
            )
        assert owner("CONFIG", "GET", "tls-protocols") == [b"tls-protocols", b"TLSv1.3"]


def test_the_port_can_be_moved_and_closed(secure: Secure) -> None:
    port = free_port()
    with secure.node.client() as owner:
        assert owner("CONFIG", "SET", "tls-port", secure.node.port) == Refusal(
            "ERR CONFIG SET failed (possibly related to argument 'tls-port') - "
            "Unable to listen on this port. Check server logs."
        )
        owner.must("CONFIG", "SET", "tls-port", port)
        with pytest.raises(ConnectionRefusedError):
            secure.client()
        secure.port = port
        assert not refuses(secure, secure.context)
        owner.must("CONFIG", "SET", "tls-port", 0)
        with pytest.raises(ConnectionRefusedError):
            secure.client()


def test_who_does_not_speak_tls_harms_nobody(secure: Secure) -> None:
    with secure.client() as client:
        for data in (b"PING\r\n", b"\x16\x03\x01" + b"\xff" * 1000, b"\x16"):
            with socket.create_connection(("127.0.0.1", secure.port)) as stranger:
                stranger.sendall(data)
                assert client("PING") == "PONG"
        silent = [socket.create_connection(("127.0.0.1", secure.port)) for _ in range(20)]
        assert client("PING") == "PONG"
        for sock in silent:
            sock.close()
        lines = "SSL routines|wrong version|WRONG_VERSION|HTTP_REQUEST|Error accepting"
        with secure.node.client() as owner:
            owner.must("CONFIG", "SET", "loglevel", "verbose")
        with socket.create_connection(("127.0.0.1", secure.port)) as stranger:
            stranger.sendall(b"PING\r\nPING\r\n")
            wait_for(lambda: any(line in secure.node.log() for line in lines.split("|")))
        assert "BUG" not in secure.node.log()


@pytest.mark.parametrize(
    ("left_out", "reason"),
    [
        ("tls_cert_file", "No tls-cert-file configured!"),
        ("tls_key_file", "No tls-key-file configured!"),
        ("tls_ca_cert_file", "Either tls-ca-cert-file or tls-ca-cert-dir must be specified"),
    ],
)
def test_without_its_files_a_node_does_not_start(authority: Authority, left_out: str, reason: str) -> None:
    options = authority.options(port=0, tls_port=free_port())
    del options[left_out]
    node = Node(**options)
    with pytest.raises(RuntimeError, match=reason):
        node.start()
    assert "Failed to configure TLS. Check logs for more info." in node.log()
    node.stop()


def admin(authority: Authority, *words: str) -> str:
    """What shardkv-admin says."""
    done = subprocess.run(
        [sys.executable, "-m", "shardkv_cli.admin", *words],
        cwd=authority.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


def test_a_cluster_speaks_tls_everywhere(cluster_nodes: Callable[..., list[Node]], authority: Authority) -> None:
    ports = [free_port() for _ in range(3)]
    nodes = [
        node
        for port in ports
        for node in cluster_nodes(
            1, **authority.options(f"node{port}", tls_port=port, tls_cluster="yes", cluster_node_timeout=5000)
        )
    ]
    context = authority.client()
    addresses = [f"127.0.0.1:{port}" for port in ports]
    assert "cannot be reached by TLS: certificate verify failed" in admin(
        authority, "create-cluster", "--tls", *addresses
    )
    files = ("--tls", "--cacert", "ca.pem", "--cert", "client.pem", "--key", "client.key")
    admin(authority, "create-cluster", *files, "--yes", *addresses)
    assert "16384" in admin(authority, "check", *files, addresses[0])
    checked = Secure(nodes[0], ports[0], authority).cli("--cluster", "check", addresses[0])
    assert "[OK] All 16384 slots covered." in checked
    with Client("127.0.0.1", ports[0], tls=context) as first:
        wait_for(lambda: b"cluster_state:ok" in first.raw("CLUSTER", "INFO"), 60.0)
        assert f":{ports[1]}@{ports[1] + 10000} master" in first.raw("CLUSTER", "NODES").decode()
        moved = [first("GET", f"key{number}") for number in range(20)]
        told = {reply.text.rsplit(":", 1)[1] for reply in moved if isinstance(reply, Refusal)}
        assert told == {str(port) for port in ports[1:]}
        mine = next(f"key{number}" for number in range(100) if not isinstance(first("GET", f"key{number}"), Refusal))
        slot = first("CLUSTER", "KEYSLOT", mine)
        with Client("127.0.0.1", ports[1], tls=context) as second:
            first.must("SET", mine, "moved")
            second.must("CLUSTER", "SETSLOT", slot, "IMPORTING", first.must("CLUSTER", "MYID"))
            first.must("CLUSTER", "SETSLOT", slot, "MIGRATING", second.must("CLUSTER", "MYID"))
            assert first("MIGRATE", "127.0.0.1", ports[1], mine, 0, 20_000) == "OK"
            second.must("ASKING")
            assert second("GET", mine) == b"moved"
            # The next slot goes as a whole.
            other = int(str(slot)) - 1
            first.must("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", other, other, "NODE", second.must("CLUSTER", "MYID"))
            wait_for(lambda: b"success" in first.must("CLUSTER", "GETSLOTMIGRATIONS")[0], 30.0)
            assert f"to 127.0.0.1:{ports[1]} by TLS begins" in nodes[0].log()
    with nodes[0].client() as outside:
        moved = [outside("GET", f"key{number}") for number in range(20)]
        told = {reply.text.rsplit(":", 1)[1] for reply in moved if isinstance(reply, Refusal)}
        assert told == {str(node.port) for node in nodes[1:]}
    with socket.create_connection(("127.0.0.1", ports[0] + 10000)) as stranger:
        stranger.settimeout(20)
        stranger.sendall(b"plain text on the bus" * 10)
        stranger.shutdown(socket.SHUT_WR)
        while stranger.recv(1000):
            pass  # an alert, and then the end
