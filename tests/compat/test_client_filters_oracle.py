"""CLIENT LIST and CLIENT KILL with their filters: the older ones beside redis-server, the newer ones beside
valkey-server; and what a line of CLIENT LIST says of a client's last request.

An ID without a number at the end is a syntax error here; Valkey takes it for no ids."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from random import Random

import pytest

from tests.support.oracle import Redis, Valkey
from tests.support.processes import Node, Server, wait_for
from tests.support.wire import Client, Word
from tests.support.wire_replies import Refusal

#: Words that filters may be asked with; ``$one`` and its like are ids, or the port, filled in for each server.
WORDS: dict[str, tuple[str, ...]] = {
    "ID": ("$one", "$two", "$one $two", "$asker", "999", "0", "-1"),
    "TYPE": ("normal", "PUBSUB", "replica", "slave", "primary", "ghost"),
    "USER": ("default", "ada", "ghost"),
    "ADDR": ("127.0.0.1:1", "$address"),
    "LADDR": ("127.0.0.1:$port", "127.0.0.1:1"),
    "MAXAGE": ("1000", "0", "x", "-5"),
    "IDLE": ("1000", "0", "x"),
    "NAME": ("one", "two", "ghost", ""),
    "LIB-NAME": ("lib", "ghost", ""),
    "LIB-VER": ("1.2", "ghost"),
    "DB": ("0", "3", "16", "-1", "x"),
    "IP": ("127.0.0.1", "1.2.3.4"),
    "FLAGS": ("N", "P", "x", "xP", "", "?", "Nb"),
    "CAPA": ("r", "", "q"),
    "SKIPME": ("yes", "NO", "x"),
}
NOT = tuple(f"NOT-{name}" for name in WORDS)


class Crowd:
    """Connections of all kinds, by name: one, two, three, four, and the one that asks."""

    def __init__(self, server: Server, stack: ExitStack) -> None:
        self.server = server
        self._stack = stack
        self.ids: dict[str, str] = {}
        self.asker = self._come("asker")
        self.asker.must("ACL", "SETUSER", "ada", "on", ">pw", "+@all", "~*", "&*")
        one, two, three, four = (self._come(name) for name in ("one", "two", "three", "four"))
        one.must("SELECT", 3)
        one.must("CLIENT", "SETINFO", "LIB-NAME", "lib") if not isinstance(server, Redis) else None
        one.must("CLIENT", "SETINFO", "LIB-VER", "1.2") if not isinstance(server, Redis) else None
        two.must("AUTH", "ada", "pw")
        two.must("MULTI")
        three("SUBSCRIBE", "channel")
        self.address = f"127.0.0.1:{four.socket.getsockname()[1]}"

    def _come(self, name: str) -> Client:
        client = self._stack.enter_context(self.server.client())
        client.must("CLIENT", "SETNAME", name)
        self.ids[name] = str(client.must("CLIENT", "ID"))
        return client

    def asked(self, words: list[str]) -> list[str]:
        """The words, filled in."""
        places = {f"${name}": number for name, number in self.ids.items()}
        places |= {"$port": str(self.server.port), "$address": self.address}
        filled = []
        for word in words:
            for place, meant in places.items():
                word = word.replace(place, meant)
            filled += word.split(" ")
        return filled

    def listed(self, *words: Word) -> list[str] | str:
        """The names of CLIENT LIST, or its error."""
        reply = self.asker("CLIENT", "LIST", *words)
        if isinstance(reply, Refusal):
            return reply.text
        lines = bytes(reply).decode().splitlines()
        names = [dict(part.split("=", 1) for part in line.split(" "))["name"] for line in lines]
        return [name for name in names if name in self.ids]


@contextmanager
def crowds(*servers: Server) -> Iterator[list[Crowd]]:
    """The same crowd at each server."""
    with ExitStack() as stack:
        yield [Crowd(server, stack) for server in servers]


def drawn(random: Random) -> list[str]:
    """Some filters, mostly good ones."""
    words = []
    for _ in range(random.randint(1, 4)):
        name = random.choice((*WORDS, *WORDS, *NOT))
        words.append(random.choice((name, name.lower())))
        words.append(random.choice(WORDS[name.removeprefix("NOT-")]))
    if random.random() < 0.1:
        words.append(random.choice(("NAME", "ghost")))
    return words


def test_the_newer_filters_choose_as_in_valkey(valkey: Valkey, node: Node, seed: int) -> None:
    random = Random(seed)
    with crowds(valkey, node) as (theirs, ours):
        single = [[name, word] for name in (*WORDS, *NOT) for word in WORDS[name.removeprefix("NOT-")]]
        for words in single + [drawn(random) for _ in range(400)]:
            wanted = theirs.listed(*theirs.asked(words))
            found = ours.listed(*ours.asked(words))
            if _redis_has_its_own_way(words):
                assert isinstance(found, list) or found.startswith(
                    ("ERR Invalid client ID", "ERR syntax", "ERR client-id")
                )
                continue
            assert found == wanted, words


def _redis_has_its_own_way(words: list[str]) -> bool:
    """A list of ids alone: Redis passes over those that cannot be, and has another text for what is none."""
    return words[0].upper() == "ID" and (
        len(words) == 2 or not any(word.upper() in (*WORDS, *NOT) for word in words[2:])
    )


def test_the_older_ones_choose_as_in_redis(oracle: Redis, node: Node) -> None:
    with crowds(oracle, node) as (theirs, ours):
        for words in (
            *(["TYPE", word] for word in ("normal", "pubsub", "replica", "slave", "master", "ghost", "")),
            *(
                ["ID", *ids.split(" ")]
                for ids in ("$two $one", "$one $one", "999", "0", "-1", "x", "$one x", "$one 1.5")
            ),
            ["TYPE"],
            ["ID"],
            ["GHOST", "1"],
        ):
            assert ours.listed(*ours.asked(words)) == theirs.listed(*theirs.asked(words)), words


KILLED: tuple[list[str], ...] = (
    ["NAME", "one"],
    ["NOT-NAME", "asker", "DB", "0"],
    ["FLAGS", "x"],
    ["NOT-FLAGS", "N"],
    ["ID", "$one", "$two", "NOT-TYPE", "pubsub"],
    ["USER", "ada"],
    ["SKIPME", "no", "NAME", "asker"],
    ["IP", "127.0.0.1", "NOT-ID", "$three"],
    ["LIB-NAME", "lib"],
    ["CAPA", "q"],
    ["NAME"],
    ["MAXAGE", "0"],
)


@pytest.mark.parametrize("words", KILLED, ids=" ".join)
def test_the_same_are_killed(valkey: Valkey, node: Node, words: list[str]) -> None:
    outcomes = []
    for server in (valkey, node):
        with crowds(server) as (crowd,):
            reply = crowd.asker("CLIENT", "KILL", *crowd.asked(words))
            with server.client() as other:
                left = bytes(other.must("CLIENT", "LIST")).decode()
            outcomes.append((reply, {name for name in crowd.ids if f" name={name} " in left}))
    assert outcomes[0] == outcomes[1]


#: What one client does while another one looks at its line.
DONE: tuple[tuple[str | int, ...], ...] = (
    *(("GET", "a"), ("NOSUCH",), ("SET", "a"), ("SET", "a", 1), ("LPUSH", "a", 1)),
    *(("MULTI",), ("SET", "b", 1), ("NOSUCH",), ("DISCARD",), ("MULTI",), ("SET", "b", 1), ("GET", "b"), ("EXEC",)),
    *(("EVAL", "return redis.call('get', 'a')", 0), ("CONFIG", "GET", "port"), ("CONFIG", "FOO"), ("CONFIG",)),
    *(("SUBSCRIBE", "x"), ("GET", "a"), ("UNSUBSCRIBE",), ("WATCH", "q"), ("EXEC",), ("RESET",)),
)


def last_requests(server: Server) -> list[tuple[str, str]]:
    """Flags and command of one client after each thing that it does; the last one has to wait, as INFO says too."""
    with server.client() as looker, server.client() as other:
        number = other.must("CLIENT", "ID")

        def line() -> tuple[str, str]:
            shown = bytes(looker.must("CLIENT", "LIST", "ID", number)).decode()
            fields = dict(field.split("=", 1) for field in shown.split())
            return fields["flags"], fields["cmd"]

        lines = []
        for words in DONE:
            other(*words)
            lines.append(line())
        looker.must("CLIENT", "PAUSE", 100_000, "WRITE")
        other.send("SET", "a", 1)
        wait_for(lambda: line()[0] == "b")
        assert b"blocked_clients:1\r\n" in bytes(looker.must("INFO", "clients"))
        lines.append(line())
        looker.must("CLIENT", "UNPAUSE")
        return lines


def test_the_last_request_is_shown_as_in_redis(oracle: Redis, node: Node) -> None:
    assert last_requests(node) == last_requests(oracle)
