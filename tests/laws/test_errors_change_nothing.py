"""A command that answers with an error has changed nothing: neither data, nor what is told of them."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkv.commands.digest import digest_all
from tests.compat.machine.draw import request
from tests.compat.machine.pools import KEYS
from tests.compat.machine.profiles import drawn
from tests.support.engine_client import EngineClient

COMMANDS = {command.name: command for command in drawn()}
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
    """A client of an engine that holds a value of each type, and all that is told of its data."""

    def __init__(self) -> None:
        self.client = client = EngineClient()
        for group, (name, *words) in FILLING.items():
            for key in KEYS[group][:2]:
                client.raw(name, key, *words)
        for key in KEYS["stream"]:
            client.raw("XGROUP", "CREATE", key, "g", "0")
            client.raw("XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", key, ">")
        client.raw("HEXPIRE", "h1", "100000", "FIELDS", "1", "a")
        client.raw("EXPIRE", "l1", "100000")
        client("CONFIG", "SET", "notify-keyspace-events", "KEA")
        self.listener = client.other()
        self.listener.raw("PSUBSCRIBE", "__key*")
        self.sent = client.propagated()

    @property
    def held(self) -> bool:
        """Whether the client waits for something."""
        return self.client.session.held

    def refuses(self, words: list[bytes]) -> bool:
        """Send a request; whether it was refused. Asserts that a refused one left everything as it was."""
        databases = self.client.engine.databases
        before = digest_all(databases)
        self.listener.taken()
        self.sent.clear()
        reply = self.client.raw(*words)
        if not reply.startswith(b"-"):
            return False
        found = (digest_all(databases) == before, self.listener.taken(), self.sent)
        assert found == (True, b"", []), (b" ".join(words), reply)
        return True


@pytest.mark.parametrize("name", COMMANDS)
@given(seed=st.integers(0, 1 << 32))
def test_a_command_that_is_refused_changes_nothing(name: str, seed: int) -> None:
    command, rng = COMMANDS[name], Random(seed)
    watched = Watched()
    for _ in range(6):
        watched.refuses(request(rng, command))
        if watched.held:
            break


@pytest.mark.parametrize("group", KEYS)
def test_errors_are_met_in_every_group(group: str) -> None:
    rng = Random(group)
    refused = 0
    for _ in range(3):
        watched = Watched()
        for command in COMMANDS.values():
            if command.group == group and not watched.held:
                refused += watched.refuses(request(rng, command))
    assert refused
