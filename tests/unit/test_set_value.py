"""The set value against a plain dict, through all of its forms."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shardkv.values.intset import integer_of, intset_of
from shardkv.values.sets import SetValue


@dataclass
class Limits:
    set_max_intset_entries: int = 6
    set_max_listpack_entries: int = 9
    set_max_listpack_value: int = 10


NUMBERS = st.sampled_from([0, 1, -1, 7, 300, 40_000, -40_000, 2**31, -(2**31) - 1, 2**63 - 1, -(2**63)])
MEMBERS = st.one_of(NUMBERS.map(lambda n: b"%d" % n), st.sampled_from([b"a", b"b", b"c", b"01", b"-0", b"x" * 11, b""]))


class SetMachine(RuleBasedStateMachine):
    """Every step on the value and on a model."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits()
        self.rng = Random(0)
        self.held = SetValue()
        self.model: dict[bytes, None] = {}

    @initialize(members=st.lists(MEMBERS, min_size=1, max_size=5))
    def begin(self, members: list[bytes]) -> None:
        self.held = SetValue.of(members, self.limits)
        self.model = dict.fromkeys(members)

    @rule(member=MEMBERS)
    def add(self, member: bytes) -> None:
        before = self.held.encoding
        assert self.held.add(member, self.limits) == (member not in self.model)
        self.model[member] = None
        ranks = ["intset", "listpack", "hashtable"]
        assert ranks.index(self.held.encoding) >= ranks.index(before)

    @rule(member=MEMBERS)
    def remove(self, member: bytes) -> None:
        assert self.held.remove(member) == (member in self.model)
        self.model.pop(member, None)

    @rule()
    def pop(self) -> None:
        if self.model:
            del self.model[self.held.pop(self.rng)]

    @rule()
    def rest(self) -> None:
        encoding = self.held.encoding
        self.held.rest()
        assert self.held.encoding == encoding

    @rule()
    def copy(self) -> None:
        self.held = self.held.copy()

    @rule(count=st.integers(1, 20))
    def random_members(self, count: int) -> None:
        if self.model:
            assert self.held.pick(self.rng) in self.model
            some = self.held.sample(self.rng, min(count, len(self.model)))
            assert len(set(some)) == min(count, len(self.model))
            assert set(some) <= self.model.keys()

    @invariant()
    def equal(self) -> None:
        self.held.check()
        assert len(self.held) == len(self.model)
        assert set(self.held) == set(self.model)
        assert set(self.held.scan(0, 10)[1]) == set(self.model)
        assert all(member in self.held for member in self.model)
        assert all((member in self.held) == (member in self.model) for member in (b"a", b"01", b"7", b"nope"))
        if self.held.encoding == "intset":
            assert list(self.held) == sorted(self.model, key=int)
        assert self.held.memory() > 0


TestSetMachine = SetMachine.TestCase
TestSetMachine.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


def made(*members: bytes) -> SetValue:
    return SetValue.of(members, Limits())


def numbered(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


@pytest.mark.parametrize(
    ("members", "encoding"),
    [
        (numbered(6), "intset"),
        (numbered(7), "listpack"),  # too many are given for an intset, few enough for a listpack
        (numbered(10), "hashtable"),
        ([b"1", b"a"], "listpack"),
        ([b"a", b"1"], "listpack"),
        ([b"x" * 11], "hashtable"),
        ([b"1", b"x" * 11], "hashtable"),
        ([b"01"], "listpack"),
    ],
)
def test_a_set_begins_in_the_smallest_form_that_holds_what_is_given(members: list[bytes], encoding: str) -> None:
    assert made(*members).encoding == encoding


def test_an_intset_that_grows_too_large_becomes_a_table() -> None:
    held = made(*numbered(6))
    assert held.add(b"6", Limits())
    assert held.encoding == "hashtable"


def test_an_intset_is_as_wide_as_its_widest_member() -> None:
    held = made(b"1", b"2")
    assert held.numbers == array("h", [1, 2])
    held.add(b"40000", Limits())
    assert held.numbers == array("i", [1, 2, 40_000])
    held.add(b"-3000000000", Limits())
    assert held.numbers == array("q", [-3_000_000_000, 1, 2, 40_000])
    assert intset_of([2**40, 1]).typecode == "q"


def test_a_tiny_set_is_born_packed_and_answers_without_unpacking() -> None:
    held = made(b"a", b"b")
    assert b"b" in held
    assert b"c" not in held
    assert type(held._data) is bytes


@pytest.mark.parametrize(
    "word", [b"", b"01", b"+1", b"-0", b" 1", b"1 ", b"1_0", b"9223372036854775808", b"\xb2", b"1.0", b"-"]
)
def test_what_is_no_canonical_integer_is_none(word: bytes) -> None:
    assert integer_of(word) is None


def test_results_take_the_form_that_redis_gives_them() -> None:
    assert SetValue.collected(numbered(3), Limits()).encoding == "intset"
    assert SetValue.compact(numbered(6), Limits()).encoding == "intset"
    assert SetValue.compact(numbered(7), Limits()).encoding == "listpack"
    assert SetValue.packed(numbered(3), Limits()).encoding == "listpack"
    assert SetValue.collected(numbered(2000), Limits()).encoding == "hashtable"


def test_popping_everything_from_a_large_set_returns_each_member_once() -> None:
    held = SetValue.collected(numbered(5000), Limits())
    rng = Random(3)
    popped = [held.pop(rng) for _ in range(5000)]
    assert sorted(popped) == sorted(numbered(5000))
    held.check()
