"""The two parties that are compared: each takes a request of one of its clients and tells what came back."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from shardkv.config import Config
from tests.support.engine_client import EngineClient
from tests.support.processes import Server
from tests.support.wire import Client, request

#: Two clients that draw commands, one that hears of key events, one that looks at the data.
WORKERS: Final = (0, 1)
LISTENER: Final = 2
INSPECTOR: Final = 3
EVENTS: Final = b"__key*__:*"
_ID: Final = re.compile(rb"^<id:([01])>$")


@dataclass(frozen=True, slots=True)
class Setup:
    """What a sequence begins with: options, and which protocol the workers and the listener speak."""

    options: Mapping[str, str]
    resp3: bool


class Side(Protocol):
    """A server with the clients of one sequence."""

    clock_can_be_set: bool
    ids: list[bytes]  #: of the clients

    def begin(self, setup: Setup, ids: Sequence[bytes]) -> None:
        """No keys, the options of the setup, and all clients as if new: with these ids, if the side can choose."""

    def ask(self, client: int, words: Sequence[bytes], *, waits: bool) -> bytes:
        """A request and all that this client got for it: nothing if it waits now. ``waits``: it may."""

    def ask_all(self, requests: Sequence[Sequence[bytes]]) -> list[bytes]:
        """The inspector's requests and their replies."""

    def heard(self, client: int) -> bytes:
        """What a client has received since, unasked or late."""

    def settle(self) -> None:
        """Return when all that was sent is done and answered."""

    def at(self, milliseconds: int) -> None:
        """The Unix time of the request that comes next, for a side with a clock that can be set."""


class InProcess:
    """The engine in this process, one for all sequences; its clock follows the other side's."""

    clock_can_be_set = True

    def __init__(self) -> None:
        config = Config()
        config.assign(Config.options["enable-debug-command"], "yes")
        self.inspector = EngineClient(config=config)
        self.clients: list[EngineClient] = []
        self.ids: list[bytes] = []

    def begin(self, setup: Setup, ids: Sequence[bytes]) -> None:
        """No keys, new clients, with the ids of the other side's."""
        for client in self.clients[:INSPECTOR]:
            self.inspector.engine.leave(client.session)
        self.clients = []
        for client_id in ids[:INSPECTOR]:
            self.inspector.engine.next_session = int(client_id)
            self.clients.append(self.inspector.other(resp3=setup.resp3))
        self.clients.append(self.inspector)
        self.ids = [b"%d" % client.session.id for client in self.clients]
        assert len(set(self.ids)) == len(self.clients)
        self.at(now())
        self.inspector("FLUSHALL")
        for name, value in setup.options.items():
            self.inspector("CONFIG", "SET", name, value)
        self.clients[LISTENER].raw("PSUBSCRIBE", EVENTS)

    def ask(self, client: int, words: Sequence[bytes], *, waits: bool) -> bytes:
        """See ``Side``."""
        asking = self.clients[client]
        asking.send(*_with_ids(words, self.ids))
        return asking.taken()

    def ask_all(self, requests: Sequence[Sequence[bytes]]) -> list[bytes]:
        """See ``Side``."""
        return [self.inspector.raw(*words) for words in requests]

    def heard(self, client: int) -> bytes:
        """See ``Side``."""
        return self.clients[client].taken()

    def settle(self) -> None:
        """Nothing is ever on its way; what is large and gone is freed, for nobody else does it."""
        self.inspector.engine.databases.free(lambda: False)

    def at(self, milliseconds: int) -> None:
        """The engine's clock only goes forward."""
        if milliseconds > self.inspector.now:
            self.inspector.now = milliseconds


class Process:
    """A server process, with new connections for each sequence."""

    clock_can_be_set = False

    def __init__(self, server: Server) -> None:
        self.server = server
        self.clients: list[Client] = []
        self.ids: list[bytes] = []

    def begin(self, setup: Setup, ids: Sequence[bytes]) -> None:
        """The clients are new, so that nothing of the last sequence is left."""
        self.close()
        self.clients = [self.server.client() for _ in range(4)]
        inspector = self.clients[INSPECTOR]
        inspector.must("FLUSHALL")
        inspector.must("DEBUG", "SET-ACTIVE-EXPIRE", "0")  # or a key would end at any moment
        for name, value in setup.options.items():
            inspector.must("CONFIG", "SET", name, value)
        for client in self.clients[:INSPECTOR] if setup.resp3 else ():
            client.must("HELLO", "3")
        self.ids = [b"%d" % client.must("CLIENT", "ID") for client in self.clients]
        self.clients[LISTENER].raw("PSUBSCRIBE", EVENTS)

    def close(self) -> None:
        """Ends the connections."""
        for client in self.clients:
            client.close()

    def ask(self, client: int, words: Sequence[bytes], *, waits: bool) -> bytes:
        """See ``Side``."""
        asking = self.clients[client]
        asking.send(*_with_ids(words, self.ids))
        if waits:
            self.settle(sum(map(len, words)))
            return self.heard(client)
        return asking.read_raw()

    def ask_all(self, requests: Sequence[Sequence[bytes]]) -> list[bytes]:
        """See ``Side``."""
        inspector = self.clients[INSPECTOR]
        inspector.send_bytes(b"".join(request(*words) for words in requests))
        return [inspector.read_raw() for _ in requests]

    def settle(self, length: int = 0) -> None:
        """Return when all that was sent is done and answered.

        A server looks at all its clients in one round and sends what they are owed at its end, so after a second
        round nothing is on its way any more; a request of more bytes (``length``) than it reads at once takes longer.
        """
        for _ in range(2 + length // 8192):
            self.clients[INSPECTOR].must("PING")

    def heard(self, client: int) -> bytes:
        """See ``Side``; it is all there once the side has settled."""
        return received(self.clients[client])

    def at(self, milliseconds: int) -> None:
        """A real server has a clock of its own."""


def received(client: Client) -> bytes:
    """All bytes that have arrived at a client and were not looked at yet."""
    parts = []
    while client.pending():
        parts.append(client.read_raw())
    return b"".join(parts)


def now() -> int:
    """The time of this machine in Unix milliseconds, which is a redis-server's as well."""
    return int(time.time() * 1000)


def _with_ids(words: Sequence[bytes], ids: Sequence[bytes]) -> list[bytes]:
    """The words with each side's own client ids in place of ``<id:0>`` and ``<id:1>``."""
    found = []
    for word in words:
        match = _ID.match(word)
        found.append(ids[int(match[1])] if match else word)
    return found
