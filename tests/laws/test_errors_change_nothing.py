"""A command that answers with an error has changed nothing: neither data, nor what is told of them, nor the node.

Every command of the table is drawn, whatever it is about. It comes by itself, in a transaction or from a script.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkv.commands.digest import digest_value
from shardkv.commands.flags import Flags
from shardkv.commands.spec import TABLE, Command
from tests.compat.machine.draw import request
from tests.compat.machine.pools import ALL_KEYS, KEYS
from tests.support.engine_client import EngineClient
from tests.support.telling import CALL, LIBRARIES, TELLING, payloads

COMMANDS: Final = [command for command in TABLE.values() if not command.subcommands]
#: Groups of commands that change the node or a client, if they are not refused: the next one is asked of another node.
OF_THE_NODE: Final = frozenset({"cluster", "connection", "pubsub", "scripting", "server", "transactions"})
#: So many of them are asked in one example.
ASKED: Final = 12
#: Something of each type under the keys that the commands of its group like.
FILLING: Final = {
    "string": [b"SET", b"12"],
    "bitmap": [b"SET", b"\x0f\xf0"],
    "hyperloglog": [b"PFADD", b"a"],
    "list": [b"RPUSH", b"a", b"b", b"1", b"2"],
    "hash": [b"HSET", b"a", b"1", b"b", b"x"],
    "set": [b"SADD", b"a", b"b", b"1"],
    "sorted-set": [b"ZADD", b"1", b"a", b"2", b"b"],
    "geo": [b"GEOADD", b"13.361389", b"38.115556", b"a", b"15.087269", b"37.502669", b"b"],
    "stream": [b"XADD", b"1-1", b"a", b"1"],
}
#: What a node is told to be, beside its data.
STANDING: Final = (("CONFIG", "GET", "*"), ("ACL", "LIST"), ("FUNCTION", "LIST", "WITHCODE"), ("ROLE",))
#: How a request may come.
WAYS: Final[tuple[Callable[[list[bytes]], list[list[bytes]]], ...]] = (
    lambda words: [words],
    lambda words: [words],
    lambda words: [[b"MULTI"], words, [b"EXEC"]],
    lambda words: [[b"EVAL", CALL, b"0", *words]],
)
#: What is said of a request before its command looks at it.
OF_ITS_FORM: Final = (
    b"-ERR unknown ",
    b"-ERR wrong number of arguments for ",
    b"-ERR Wrong number of args calling Redis command from script",
    b"-EXECABORT ",
)


class Watched:
    """An engine that holds a value of each type, and all that is told of its data."""

    def __init__(self) -> None:
        self.listener = EngineClient()
        self.listener("CONFIG", "SET", "notify-keyspace-events", "KEA")
        self.sent = self.listener.propagated()
        self.listener.raw("PSUBSCRIBE", "__key*")
        self.maker = self.listener.other()
        self.client = self.listener.other()
        self.renew()
        self.dumped = payloads(self.maker)

    def renew(self) -> None:
        """The same values again, and a new client."""
        self.listener.engine.leave(self.client.session)
        self.client = self.listener.other()
        make = self.maker.raw
        make("DEL", *ALL_KEYS)
        for group, (name, *words) in FILLING.items():
            for key in KEYS[group][:2]:
                make(name, key, *words)
        for key in KEYS["stream"]:
            make("XGROUP", "CREATE", key, "g", "0")
            make("XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", key, ">")
        make("HEXPIRE", "h1", "100000", "FIELDS", "1", "a")
        make("EXPIRE", "l1", "100000")

    @property
    def held(self) -> bool:
        """Whether the client waits for something."""
        return self.client.session.held

    def data(self) -> list[bytes | int]:
        """Digests of the values of all keys that there may be, and how many keys there are."""
        databases = [database for database in self.client.engine.databases if database is not None and database.size]
        digests = [
            digest_value(database, key, value) if value is not None else b""
            for database in databases
            for key in ALL_KEYS
            for value in [database.get(key)]
        ]
        return [*digests, *(number for database in databases for number in (database.index, database.size))]

    def standing(self) -> list[bytes]:
        """What else there is to be changed."""
        return [self.maker.raw(*words) for words in STANDING]

    def drawn(self, rng: Random, command: Command) -> list[bytes]:
        """A request of a command."""
        tell = TELLING.get(command.name)
        return request(rng, command) if tell is None or rng.random() < 0.1 else tell(rng, self.dumped)

    def refusal(self, requests: list[list[bytes]], *, node: bool = False) -> bytes:
        """Send requests; how the last was refused, empty if it was not. Asserts that a refused one left everything as
        it was, and (``node``) the node too."""
        before, stood = self.data(), self.standing() if node else []
        self.listener.taken()
        self.sent.clear()
        reply = b""
        for words in requests:
            reply = self.client.raw(*words)
        refused = reply.removeprefix(b"*1\r\n")  # the reply of EXEC to one command
        if not refused.startswith(b"-"):
            return b""
        found = (self.data() == before, self.listener.taken(), self.sent)
        assert found == (True, b"", []), (requests, reply)
        if node:
            assert self.standing() == stood, (requests, reply)
        return refused


class Nodes:
    """A node to be asked, and a new one after one that was changed."""

    def __init__(self) -> None:
        self.node = Watched()

    def refusal(self, rng: Random, command: Command) -> bytes:
        """Ask for something by this command, in one of the ways; how it was refused, empty if it was not."""
        watched = self.node
        if command.group == "scripting":
            watched.maker.raw("FUNCTION", "LOAD", "REPLACE", LIBRARIES[0])
        of_the_node = command.group in OF_THE_NODE
        requests = rng.choice(WAYS)(watched.drawn(rng, command))
        refused = watched.refusal(requests, node=of_the_node)
        if of_the_node and not refused:
            self.node = Watched()
        elif watched.held or (of_the_node and not watched.client.session.plain):
            watched.renew()
        return refused


@pytest.fixture(scope="module")
def nodes() -> Nodes:
    """Of all tests, since an engine is not made in no time."""
    return Nodes()


@pytest.mark.parametrize("group", sorted({command.group for command in COMMANDS}))
@given(seed=st.integers(0, 1 << 32))
def test_a_command_that_is_refused_changes_nothing(nodes: Nodes, group: str, seed: int) -> None:
    rng = Random(seed)
    nodes.node.renew()
    asked = [command for command in COMMANDS if command.group == group]
    for command in rng.sample(asked, min(len(asked), ASKED) if group in OF_THE_NODE else len(asked)):
        nodes.refusal(rng, command)


#: Commands that write and that nothing can be wrong with but the number of their words.
NEVER: Final = frozenset({"del", "unlink", "persist", "mset", "msetnx", "setnx"})


def test_every_command_that_can_change_data_is_met_with_a_refusal_of_its_own(nodes: Nodes) -> None:
    rng = Random(1)
    never = set()
    for command in COMMANDS:
        if command.flags & Flags.WRITE or command.name in TELLING:
            for draw in range(200):
                if draw % 10 == 0:
                    nodes.node.renew()
                refused = nodes.refusal(rng, command)
                if refused and not refused.startswith(OF_ITS_FORM):
                    break
            else:
                never.add(command.name)
    assert never == NEVER
