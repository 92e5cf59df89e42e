"""A user who is limited to some keys reaches no other one, by any command or option of the whole table.

Requests are drawn from the commands' own grammars, and then spoilt: words are repeated, exchanged, or others put in
between, so that keys come to stand where nobody expects them. Every look at a key of the database is seen, whatever the
reply tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkv.commands.flags import Flags
from shardkv.commands.grammar import Arg
from shardkv.commands.migrate import Outcome
from shardkv.commands.spec import TABLE, Command
from shardkv.errors import ReplyError
from shardkv.keyspace.database import Database
from shardkv.keyspace.slots import key_slot
from tests.compat.machine.draw import request
from tests.compat.machine.pools import ALL_KEYS, KEYS
from tests.support.engine_client import EngineClient

#: Every type has keys on both sides of this pattern.
PATTERN: Final = "~?1"
LIMITED: Final = ("reset", "on", "nopass", PATTERN, "allchannels", "+@all")
FORBIDDEN: Final = frozenset(key for key in ALL_KEYS if not (len(key) == 2 and key.endswith(b"1")))
FILLING: Final[dict[str, tuple[bytes, ...]]] = {
    "string": (b"SET", b"12"),
    "hyperloglog": (b"PFADD", b"a"),
    "list": (b"RPUSH", b"3", b"1", b"2"),
    "hash": (b"HSET", b"a", b"1", b"b", b"x"),
    "set": (b"SADD", b"3", b"1", b"2"),
    "sorted-set": (b"ZADD", b"1", b"a", b"2", b"b"),
    "geo": (b"GEOADD", b"13.361389", b"38.115556", b"a", b"15.087269", b"37.502669", b"b"),
    "stream": (b"XADD", b"1-1", b"a", b"1"),
}
#: Commands that name no key and act on all of them, or on the node; Redis's key patterns say nothing of these either.
WHOLE: Final = {
    "flushall": "empties every database",
    "flushdb": "empties a database",
    "swapdb": "exchanges databases",
    "keys": "tells names, of which it looks at the expiry times",
    "scan": "tells names and, with TYPE, types",
    "randomkey": "tells a name",
}
#: Commands that go on behind their reply, with the world's help, and hold the keys that they name until they are done:
#: there is nobody to help here. What they may name is asked by the gate as of all others (``tests/spec/test_migrate``).
OUTLASTING: Final = {"migrate"}


#: What SORT fills the elements 1, 2 and 3 into.
TEMPLATES: Final = (b"s*", b"h*->a", b"?*", b"*")


_CALL: Final = [b"EVAL", b"return redis.pcall(unpack(ARGV))"]
#: How a request may come: by itself, queued, from a script that names no keys or only an allowed one.
WAYS: Final[tuple[Callable[[list[bytes]], list[list[bytes]]], ...]] = (
    lambda words: [words],
    lambda words: [words],
    lambda words: [[b"MULTI"], words, [b"EXEC"]],
    lambda words: [[*_CALL, b"0", *words]],
    lambda words: [[b"MULTI"], [*_CALL, b"1", b"s1", *words], [b"EXEC"]],
)


def _reachable() -> list[Command]:
    return [
        command
        for command in TABLE.values()
        if not command.subcommands and not command.flags & Flags.ADMIN and command.name not in WHOLE.keys() | OUTLASTING
    ]


COMMANDS: Final = _reachable()


class Watchful(dict[bytes, Any]):
    """The keys of a slot, which tells of every key that is looked at or changed."""

    def __init__(self, held: dict[bytes, Any], seen: list[bytes]) -> None:
        super().__init__(held)
        self._seen = seen

    def get(self, key: bytes, default: Any = None) -> Any:
        self._seen.append(key)
        return super().get(key, default)

    def pop(self, key: bytes, *default: Any) -> Any:
        self._seen.append(key)
        return super().pop(key, *default)

    def setdefault(self, key: bytes, default: Any = None) -> Any:
        self._seen.append(key)
        return super().setdefault(key, default)

    def __getitem__(self, key: bytes) -> Any:
        self._seen.append(key)
        return super().__getitem__(key)

    def __setitem__(self, key: bytes, value: Any) -> None:
        self._seen.append(key)
        super().__setitem__(key, value)

    def __delitem__(self, key: bytes) -> None:
        self._seen.append(key)
        super().__delitem__(key)

    def __contains__(self, key: object) -> bool:
        assert isinstance(key, bytes)
        self._seen.append(key)
        return super().__contains__(key)


class Limited:
    """An engine with values of each type on both sides, and a client who may reach one side."""

    def __init__(self) -> None:
        self.owner = EngineClient()
        self.owner("ACL", "SETUSER", "limited", *LIMITED)
        self.seen: list[bytes] = []
        self._under_way: list[Callable[[Outcome], None]] = []
        # Keys that MIGRATE has sent off are held for everybody until it is known how that went.
        vars(self.owner.world)["ship"] = lambda shipment, landed: self._under_way.append(landed)
        self.client = self._enter()
        self.fill()
        database: Database = self.owner.db
        for slot in {key_slot(key) for key in ALL_KEYS}:
            held = database.values[slot]
            assert isinstance(held, dict)
            database.values[slot] = Watchful(held, self.seen)

    def _enter(self) -> EngineClient:
        client = self.owner.other()
        client("AUTH", "limited", "")
        return client

    def fill(self) -> None:
        """Every value anew."""
        make = self.owner.raw
        make("DEL", *ALL_KEYS)
        for group, (name, *words) in FILLING.items():
            for key in KEYS[group]:
                make(name, key, *words)
        for key in KEYS["stream"]:
            make("XGROUP", "CREATE", key, "g", "0")

    def reaches(self, requests: list[list[bytes]]) -> frozenset[bytes]:
        """The forbidden keys that these requests of a new connection of the limited user have looked at or changed."""
        self.owner.engine.leave(self.client.session)
        self.client = self._enter()
        self.seen.clear()
        for words in requests:
            self.client.raw(*words)
        while self._under_way:
            self._under_way.pop()(Outcome(fault="nobody is there"))
        return FORBIDDEN.intersection(self.seen)


@pytest.fixture(scope="module")
def limited() -> Limited:
    """One for all tests, since an engine is not made in no time."""
    return Limited()


def _tokens(args: tuple[Arg, ...]) -> Iterator[bytes]:
    for arg in args:
        if arg.token is not None:
            yield arg.token.encode()
        yield from _tokens(arg.parts)


def twisted(rng: Random, command: Command) -> list[bytes]:
    """A request of this command whose keys are mostly allowed, with something more or less here and there."""
    words = request(rng, command)
    name = len(command.name.split("|"))
    if rng.random() < 0.7:
        words = [word[:1] + b"1" if word in FORBIDDEN and len(word) == 2 else word for word in words]
    words = [rng.choice(TEMPLATES) if b"*" in word and rng.random() < 0.5 else word for word in words]
    tokens = list(_tokens(command.grammar))
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 3))):
        place = rng.randrange(name, len(words) + 1)
        match rng.randrange(5):
            case 0:
                words.insert(place, rng.choice(ALL_KEYS))
            case 1 if tokens:
                words[place:place] = [rng.choice(tokens), rng.choice((*ALL_KEYS, *TEMPLATES))]
            case 2 if place < len(words):
                words[place] = rng.choice(ALL_KEYS)
            case 3 if place < len(words):
                words.append(words[place])
            case _:
                words.append(rng.choice((*tokens, b"1", b"2", *ALL_KEYS)))
    return words


@pytest.mark.parametrize("group", sorted({command.group for command in COMMANDS}))
@given(seed=st.integers(0, 1 << 32))
def test_no_command_reaches_a_key_that_is_not_allowed(limited: Limited, group: str, seed: int) -> None:
    rng = Random(seed)
    limited.fill()
    for command in rng.sample(COMMANDS * 4, len(COMMANDS) * 4):
        if command.group == group and command.name not in ("exec", "multi", "discard"):
            words = twisted(rng, command)
            requests = rng.choice(WAYS)(words)
            assert limited.reaches(requests) == frozenset(), b" ".join(words)


@pytest.mark.parametrize("group", KEYS)
def test_what_is_allowed_is_reached(limited: Limited, group: str) -> None:
    rng = Random(group)
    reached = 0
    for _ in range(5):
        limited.fill()
        for command in COMMANDS:
            if command.group == group:
                limited.reaches([twisted(rng, command)])
                reached += bool(limited.seen)
    assert reached


def test_a_script_reaches_what_its_caller_may(limited: Limited) -> None:
    limited.fill()
    call = "return redis.pcall('GET', ARGV[1])"
    assert limited.reaches([[b"EVAL", call.encode(), b"0", b"s1"]]) == frozenset()
    assert b"s1" in limited.seen
    assert limited.client("EVAL", call, 0, "s1") == "12"
    with pytest.raises(ReplyError, match="ACL failure in script: No permissions to access a key"):
        limited.client("EVAL", call, 0, "s2")


def test_the_owner_is_seen_to_reach_them(limited: Limited) -> None:
    limited.seen.clear()
    limited.owner("COPY", "s2", "s3", "REPLACE")
    assert {b"s2", b"s3"} <= FORBIDDEN.intersection(limited.seen)


def test_a_wait_does_not_end_with_a_key_that_was_forbidden_meanwhile(limited: Limited) -> None:
    limited.fill()
    limited.owner("DEL", "l1")
    limited.reaches([])
    limited.client.send("BLPOP", "l1", 0)
    limited.owner("ACL", "SETUSER", "limited", "resetkeys")
    limited.owner("RPUSH", "l1", "secret")
    assert b"secret" not in limited.client.taken()
    limited.owner("ACL", "SETUSER", "limited", *LIMITED)
    assert limited.owner("LLEN", "l1") == 1
