"""The invalidation table beside a model that remembers everything in plain sets."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from shardkv.errors import ReplyError
from shardkv.pubsub.tracking import InvalidationTable, Tracking

CLIENTS = st.integers(1, 4)
KEYS = st.sampled_from([b"a1", b"a2", b"b1", b"c"])
PREFIXES = st.lists(st.sampled_from([b"a", b"b", b"a1", b"c"]), max_size=2)


class Table(RuleBasedStateMachine):
    """Clients that switch tracking on and off, read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.table = InvalidationTable()
        self.modes: dict[int, tuple[bool, bool]] = {}  # client -> broadcast, noloop
        self.prefixes: dict[int, set[bytes]] = {}
        self.read: set[tuple[bytes, int]] = set()
        self.due: dict[tuple[int, bytes], dict[bytes, int]] = {}  # (client, prefix) -> key -> writer
        self.changed: dict[bytes, dict[bytes, int]] = {}

    @rule(client=CLIENTS, broadcast=st.booleans(), noloop=st.booleans(), prefixes=PREFIXES)
    def turn_on(self, client: int, broadcast: bool, noloop: bool, prefixes: list[bytes]) -> None:
        prefixes = prefixes if broadcast else []
        try:
            self.table.turn_on(client, Tracking(broadcast=broadcast, noloop=noloop), prefixes)
        except ReplyError:
            return
        self.modes[client] = (broadcast, noloop)
        if broadcast:
            self.prefixes.setdefault(client, set()).update(prefixes or [b""])

    @rule(client=CLIENTS)
    def turn_off(self, client: int) -> None:
        self.table.turn_off(client)
        self._forget(client)

    @rule(client=CLIENTS)
    def leave(self, client: int) -> None:
        self.table.leave(client)
        self._forget(client)
        if not self.modes:
            self.read.clear()

    def _forget(self, client: int) -> None:
        self.modes.pop(client, None)
        self.prefixes.pop(client, None)
        alive = {prefix for several in self.prefixes.values() for prefix in several}
        self.changed = {prefix: keys for prefix, keys in self.changed.items() if prefix in alive}

    @rule(client=CLIENTS, keys=st.lists(KEYS))
    def remember(self, client: int, keys: list[bytes]) -> None:
        if client in self.modes and not self.modes[client][0]:
            self.table.remember(client, keys)
            self.read |= {(key, client) for key in keys}

    @rule(key=KEYS, writer=st.integers(0, 4))
    def change(self, key: bytes, writer: int) -> None:
        told, first = self.table.changed(key, writer, writer)
        readers = {client for held, client in self.read if held == key}
        modes = self.modes
        assert sorted(told) == sorted(
            client
            for client in readers
            if client in modes and not modes[client][0] and not (modes[client][1] and client == writer)
        )
        self.read = {(held, client) for held, client in self.read if held != key}
        fits = {prefix for several in self.prefixes.values() for prefix in several if key.startswith(prefix)}
        assert first == any(not self.changed.get(prefix) for prefix in fits)
        for prefix in fits:
            self.changed.setdefault(prefix, {})[key] = writer

    @rule()
    def end_round(self) -> None:
        expected = [
            (client, keys)
            for prefix in sorted(self.changed)
            for client in self.prefixes
            if prefix in self.prefixes[client]
            and (
                keys := sorted(
                    key
                    for key, writer in self.changed[prefix].items()
                    if not (self.modes[client][1] and writer == client)
                )
            )
        ]
        assert sorted(self.table.broadcasts()) == sorted(expected)
        self.changed = {}

    @rule(most=st.integers(0, 3))
    def overflow(self, most: int) -> None:
        gone = {key for key, _ in self.table.overflow(most)}
        self.read = {(key, client) for key, client in self.read if key not in gone}
        assert not most or self.table.keys <= most

    @rule()
    def flush(self) -> None:
        assert sorted(self.table.flushed()) == sorted(self.modes)
        self.read.clear()

    @invariant()
    def agree(self) -> None:
        self.table.check()
        assert self.table.items == len(self.read)
        assert self.table.keys == len({key for key, _ in self.read})
        assert self.table.prefixes == len({prefix for several in self.prefixes.values() for prefix in several})
        assert bool(self.table) == bool(self.modes or self.read)
        assert (self.table.awaiting is None) == (not any(self.changed.values()))


TestTable = Table.TestCase


@pytest.mark.parametrize(
    ("tracking", "remembers"),
    [
        (Tracking(), True),
        (Tracking(broadcast=True), False),
        (Tracking(optin=True), False),
        (Tracking(optin=True, caching=True), True),
        (Tracking(optout=True), True),
        (Tracking(optout=True, caching=True), False),
    ],
)
def test_the_mode_says_whether_keys_are_remembered(tracking: Tracking, remembers: bool) -> None:
    assert tracking.remembers is remembers


def test_a_refused_wish_changes_nothing() -> None:
    table = InvalidationTable()
    table.turn_on(1, Tracking(broadcast=True), [b"ab"])
    with pytest.raises(ReplyError, match="'a' overlaps with an existing prefix 'ab'"):
        table.turn_on(1, Tracking(broadcast=True, noloop=True), [b"x", b"a"])
    assert table.clients[1].prefixes == {b"ab": None}
    assert not table.clients[1].noloop
    table.check()


def test_keys_are_forgotten_in_the_order_in_which_they_were_first_read() -> None:
    table = InvalidationTable()
    for client in (1, 2):
        table.turn_on(client, Tracking(), [])
        table.remember(client, [b"a", b"b", b"c"])
    assert table.overflow(1) == [(b"a", [1, 2]), (b"b", [1, 2])]
    assert (table.keys, table.items) == (1, 2)
