"""A command that answers with an error has changed nothing: neither data, nor what is told of them."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkv.commands.digest import digest_value
from tests.compat.machine.draw import request
from tests.compat.machine.pools import ALL_KEYS, KEYS
from tests.compat.machine.profiles import drawn
from tests.support.engine_client import EngineClient

COMMANDS = drawn()
#: Something of each type under the keys that the commands of its group like.
FILLING = {
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


class Watched:
    """An engine that holds a value of each type, and all that is told of its data."""

    def __init__(self) -> None:
        self.listener = EngineClient()
        self.listener("CONFIG", "SET", "notify-keyspace-events", "KEA")
        self.sent = self.listener.propagated()
        self.listener.raw("PSUBSCRIBE", "__key*")
        self.maker = self.listener.other()
        self.client = self.listener.other()

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
        databases = [database for database in self.client.engine.databases if database is not None]
        digests = [
            digest_value(database, key, value) if value is not None else b""
            for database in databases
            for key in ALL_KEYS
            for value in [database.get(key)]
        ]
        return [*digests, *(database.size for database in databases)]

    def refuses(self, words: list[bytes]) -> bool:
        """Send a request; whether it was refused. Asserts that a refused one left everything as it was."""
        before = self.data()
        self.listener.taken()
        self.sent.clear()
        reply = self.client.raw(*words)
        if not reply.startswith(b"-"):
            return False
        found = (self.data() == before, self.listener.taken(), self.sent)
        assert found == (True, b"", []), (b" ".join(words), reply)
        return True


@pytest.fixture(scope="module")
def watched() -> Watched:
    """One for all tests, since an engine is not made in no time."""
    return Watched()


@pytest.mark.parametrize("group", sorted({command.group for command in COMMANDS}))
@given(seed=st.integers(0, 1 << 32))
def test_a_command_that_is_refused_changes_nothing(watched: Watched, group: str, seed: int) -> None:
    rng = Random(seed)
    watched.renew()
    for command in rng.sample(COMMANDS, len(COMMANDS)):
        if command.group == group:
            watched.refuses(request(rng, command))
            if watched.held:
                watched.renew()


@pytest.mark.parametrize("group", KEYS)
def test_errors_are_met_in_every_group(watched: Watched, group: str) -> None:
    rng = Random(group)
    refused = 0
    for _ in range(3):
        watched.renew()
        for command in COMMANDS:
            if command.group == group and not watched.held:
                refused += watched.refuses(request(rng, command))
    assert refused
