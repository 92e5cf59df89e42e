"""The hash value against a plain dict, through all of its forms."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from shardkv.values.buckets import Buckets
from shardkv.values.hashes import HashValue


@dataclass
class Limits:
    hash_max_listpack_entries: int = 8
    hash_max_listpack_value: int = 10


FIELDS = st.integers(0, 14).map(lambda number: b"field:%d" % number)
VALUES = st.binary(max_size=12)
TIMES = st.integers(1, 50)


class HashMachine(RuleBasedStateMachine):
    """Every step on the value and on a model of two dicts."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits()
        self.held = HashValue()
        self.model: dict[bytes, bytes] = {}
        self.times: dict[bytes, int] = {}
        self.table = False
        self.rng = Random(0)

    @rule(pairs=st.lists(st.tuples(FIELDS, VALUES), min_size=1, max_size=4), keep=st.booleans())
    def update(self, pairs: list[tuple[bytes, bytes]], keep: bool) -> None:
        words = [word for pair in pairs for word in pair]
        before = len(self.model)
        self.model.update(pairs)
        assert self.held.update(words, self.limits, keep_times=keep) == len(self.model) - before
        if not keep:
            for field, _ in pairs:
                self.times.pop(field, None)
        longest = max(map(len, words))
        self.table = self.table or longest > 10 or len(self.model) > 8

    @rule(field=FIELDS)
    def delete(self, field: bytes) -> None:
        assert self.held.delete(field) == (self.model.pop(field, None) is not None)
        self.times.pop(field, None)

    @rule(field=FIELDS, at=TIMES)
    def expire_at(self, field: bytes, at: int) -> None:
        if field in self.model:
            self.held.expire_at(field, at)
            self.times[field] = at

    @rule(field=FIELDS)
    def persist(self, field: bytes) -> None:
        assert self.held.persist(field) == (self.times.pop(field, None) is not None)

    @rule(now=TIMES, limit=st.integers(1, 3))
    def expire(self, now: int, limit: int) -> None:
        due = sorted((at, field) for field, at in self.times.items() if at < now)[:limit]
        assert self.held.expire_fields(now, limit) == [field for _, field in due]
        for _, field in due:
            del self.model[field], self.times[field]

    @rule(now=TIMES, fields=st.lists(FIELDS, max_size=3))
    def expire_among(self, now: int, fields: list[bytes]) -> None:
        for field in self.held.expire_among(now, fields):
            assert self.times.pop(field) < now
            del self.model[field]
        assert all(self.times.get(field, now) >= now for field in fields)

    @rule()
    def rest(self) -> None:
        assert self.held.rest() in (True, False)

    @rule()
    def copy(self) -> None:
        self.held = self.held.copy()

    @rule(count=st.integers(1, 20))
    def random_fields(self, count: int) -> None:
        if self.model:
            assert self.held.pick(self.rng) in self.model
            some = self.held.sample(self.rng, min(count, len(self.model)))
            assert len(set(some)) == min(count, len(self.model))
            assert set(some) <= self.model.keys()

    @invariant()
    def equal(self) -> None:
        self.held.check()
        assert len(self.held) == len(self.model)
        assert list(self.held.as_dict().items()) == list(self.model.items())
        assert self.held.get_many([b"field:1", b"nope"]) == [self.model.get(b"field:1"), None]
        assert (b"field:2" in self.held) == (b"field:2" in self.model)
        assert self.held.next_expiry == min(self.times.values(), default=None)
        assert all(self.held.expiry(field) == self.times.get(field) for field in self.model)
        assert (self.held.encoding == "hashtable") == self.table
        assert self.held.memory() > 0


TestHashMachine = HashMachine.TestCase
TestHashMachine.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


def test_a_tiny_hash_is_born_packed_and_reads_without_unpacking() -> None:
    held = HashValue.of([b"a", b"1", b"b", b"2"], Limits())
    assert type(held._data) is bytes
    assert held.get(b"b") == b"2"
    assert type(held._data) is bytes
    held.update([b"c", b"3"], Limits())
    assert not isinstance(held._data, bytes)
    assert held.rest()
    assert held.as_dict() == {b"a": b"1", b"b": b"2", b"c": b"3"}


def test_a_table_does_not_pack_itself() -> None:
    held = HashValue.of([b"a", b"x" * 11], Limits())
    assert held.encoding == "hashtable"
    assert not held.rest()


def test_many_words_at_once_make_a_table_even_for_one_field() -> None:
    assert HashValue.of([b"a", b"1"] * 9, Limits()).encoding == "hashtable"


def test_a_field_with_a_time_makes_a_listpackex_for_good() -> None:
    held = HashValue.of([b"a", b"1"], Limits())
    held.expire_at(b"a", 5)
    held.persist(b"a")
    assert held.encoding == "listpackex"


@given(st.integers(1025, 3000), st.integers(1, 400))
@settings(max_examples=5, deadline=None)
def test_a_walk_in_steps_meets_every_field_that_stays(size: int, count: int) -> None:
    held = HashValue.of([b"%d" % number for number in range(2 * size)], Limits())
    assert isinstance(held.fields, Buckets)
    seen: dict[bytes, bytes] = {}
    cursor, step = 0, 0
    while True:
        cursor, found = held.scan(cursor, count)
        seen.update(found)
        step += 1
        held.update([b"new%d" % step, b""] * 40, Limits())
        held.delete(b"%d" % (2 * step))
        if not cursor:
            break
    assert all(b"%d" % number in seen for number in range(2 * step + 2, 2 * size, 2))


def test_a_large_hash_shrinks_back_and_stays_cheap_to_pick_from() -> None:
    held = HashValue.of([b"%d" % number for number in range(20_000)], Limits())
    rng = Random(1)
    while len(held) > 3:
        assert held.delete(held.pick(rng))
    held.check()
    assert isinstance(held.fields, Buckets)
    assert len(held.fields._dicts) == 2
