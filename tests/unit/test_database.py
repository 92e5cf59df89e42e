"""A database against the plainest model of one: a dict of values and a dict of expiry times."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from shardkv.keyspace.database import LARGE_SLOT, SMALL_SLOT, Database, glob_keys
from shardkv.keyspace.slots import SLOT_COUNT, hash_tag, key_slot

NAMES = st.one_of(
    st.integers(0, 20).map(lambda number: b"k%d" % number),
    st.integers(0, 20).map(lambda number: b"{tag}%d" % number),
    st.sampled_from([b"", b"{}", b"{", b"}{", b"{{a}}", b"\x00\xff"]),
)


def new_database() -> Database:
    """Database 0, all slots of which are served."""
    return Database(0, bytearray(b"\x01" * SLOT_COUNT))


class DatabaseMachine(RuleBasedStateMachine):
    """Anything that may happen to a database, and the same to the model."""

    def __init__(self) -> None:
        super().__init__()
        self.database = new_database()
        self.database.now = 1000
        self.values: dict[bytes, bytes] = {}
        self.times: dict[bytes, int] = {}

    @rule(name=NAMES, value=st.binary(max_size=3))
    def put(self, name: bytes, value: bytes) -> None:
        assert self.database.put(name, value) == (name not in self.values)
        self.values[name] = value

    @rule(name=NAMES)
    def remove(self, name: bytes) -> None:
        assert self.database.remove(name) == self.values.pop(name, None)
        self.times.pop(name, None)

    @rule(name=NAMES, at=st.one_of(st.none(), st.integers(0, 2000)))
    def expire_at(self, name: bytes, at: int | None) -> None:
        if name not in self.values:
            return
        self.database.expire_at(name, at)
        if at is None:
            self.times.pop(name, None)
        else:
            self.times[name] = at

    @rule(count=st.integers(LARGE_SLOT - 10, LARGE_SLOT + 300))
    def fill_a_slot(self, count: int) -> None:
        for number in range(count):
            self.put(b"{tag}:%d" % number, b"v")

    @rule(name=NAMES)
    def drop_slot(self, name: bytes) -> None:
        slot = key_slot(name)
        gone = [held for held in self.values if key_slot(held) == slot]
        assert self.database.drop_slot(slot) == len(gone)
        for held in gone:
            del self.values[held]
            self.times.pop(held, None)

    @rule()
    def clear(self) -> None:
        self.database.clear()
        self.values.clear()
        self.times.clear()

    @rule(name=NAMES)
    def look(self, name: bytes) -> None:
        database, slot = self.database, key_slot(name)
        assert database.get(name) == self.values.get(name)
        assert database.expiry(name) == self.times.get(name)
        assert database.expired(name, slot) == (self.times.get(name, 1000) < 1000)
        in_slot = [held for held in self.values if key_slot(held) == slot]
        assert database.count_in_slot(slot) == len(in_slot)
        assert sorted(database.keys_in_slot(slot, 10_000)) == sorted(in_slot)
        assert len(database.keys_in_slot(slot, 2)) == min(2, len(in_slot))

    @rule(count=st.integers(1, 50))
    def walk(self, count: int) -> None:
        met: list[bytes] = []
        cursor = 0
        while True:
            cursor, page = self.database.scan(cursor, count)
            met.extend(page)
            if not cursor:
                break
        assert sorted(met) == sorted(self.values)

    @rule(seed=st.integers(0, 100))
    def choose(self, seed: int) -> None:
        name = self.database.choose(Random(seed))
        assert (name in self.values) if self.values else (name is None)

    @invariant()
    def is_counted(self) -> None:
        assert self.database.size == len(self.values)
        assert self.database.expiring == len(self.times)

    @rule()
    def is_sound(self) -> None:
        self.database.check()

    def teardown(self) -> None:
        self.database.check()
        assert dict(self.database.items()) == self.values
        assert sorted(self.database) == sorted(self.values)
        alive = [name for name in self.values if self.times.get(name, 1000) >= 1000]
        assert sorted(glob_keys(self.database, lambda name: True)) == sorted(alive)


TestDatabase = DatabaseMachine.TestCase
TestDatabase.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)


def test_the_slot_is_that_of_the_hash_tag() -> None:
    assert key_slot(b"foo") == 12182
    assert key_slot(b"123456789") == 0x31C3
    assert key_slot(b"{user1000}.following") == key_slot(b"{user1000}.followers") == key_slot(b"user1000")
    assert hash_tag(b"foo{}{bar}") == b"foo{}{bar}"
    assert hash_tag(b"foo{{bar}}zap") == b"{bar"
    assert hash_tag(b"foo{bar}{zap}") == b"bar"
    assert hash_tag(b"foo{bar") == b"foo{bar"


def test_random_keys_are_drawn_about_evenly_from_uneven_slots() -> None:
    database = new_database()
    for number in range(40):
        database.put(b"single%d" % number, b"v")
        database.put(b"{tag}%d" % number, b"v")
    rng = Random(1)
    drawn = Counter(database.choose(rng) for _ in range(20_000))
    assert len(drawn) == 80
    assert max(drawn.values()) < 2 * min(drawn.values())


def test_clearing_leaves_alone_what_is_empty_but_for_tables_that_have_grown() -> None:
    """Test suites clear after each test; a database of many keys that were deleted one by one gives its memory back."""
    database = new_database()
    bystander = database.values[0]
    database.put(b"a", b"v")
    database.clear()
    assert database.values[0] is bystander
    for number in range(SMALL_SLOT + 1):
        database.put(b"{tag}%d" % number, b"v")
    for number in range(SMALL_SLOT + 1):
        database.discard(b"{tag}%d" % number)
    emptied = database.values[key_slot(b"tag")]
    database.clear()
    assert database.values[key_slot(b"tag")] is not emptied
    database.check()


def test_walks_pass_by_hidden_slots() -> None:
    """Keys of a slot that is another node's, or not yet this one's, are there for those who ask by name alone."""
    database = new_database()
    for name in (b"{f}1", b"{f}2", b"b"):
        database.put(name, b"v")
    database.hidden[key_slot(b"f")] = False
    assert (database.size, database.shown) == (3, 1)
    assert glob_keys(database, lambda name: True) == [b"b"]
    assert database.scan(0, 10) == (0, [b"b"])
    assert {database.choose(Random(seed)) for seed in range(20)} == {b"b"}
    assert database.get(b"{f}1") == b"v"
    database.hidden[key_slot(b"b")] = True
    assert database.choose(Random(1)) is None
