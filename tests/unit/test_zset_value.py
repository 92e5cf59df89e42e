"""Sorted set values against a Python dict."""

from __future__ import annotations

from math import inf

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shardkv.config import Config
from shardkv.values.zsets import ZSetValue

CONFIG = Config()
MEMBERS = st.sampled_from([b"", b"a", b"b", b"ab", b"\xff", b"x" * 70]) | st.integers(0, 40).map(lambda n: b"m%d" % n)
SCORES = st.sampled_from([0.0, 1.0, -1.5, 0.1, 2.0**40, inf, -inf]) | st.floats(allow_nan=False)


class AgainstADict(RuleBasedStateMachine):
    """Every change is made to both."""

    @initialize(size=st.sampled_from([0, 5, 127, 1023, 2500]))
    def begin(self, size: int) -> None:
        self.model = {b"n%d" % number: float(number % 7) for number in range(size)}
        self.value = ZSetValue.of(dict(self.model), CONFIG)

    def order(self) -> list[tuple[float, bytes]]:
        """The entries as they should stand."""
        return sorted((score, member) for member, score in self.model.items())

    @rule(member=MEMBERS, score=SCORES)
    def add(self, member: bytes, score: float) -> None:
        self.value.add(member, score, CONFIG)
        self.model[member] = score

    @rule(member=MEMBERS)
    def remove(self, member: bytes) -> None:
        assert self.value.remove(member) == (self.model.pop(member, None) is not None)

    @rule(start=st.integers(0, 2600), count=st.integers(0, 40))
    def cut(self, start: int, count: int) -> None:
        start = min(start, len(self.model))
        end = min(start + count, len(self.model))
        gone = self.order()[start:end]
        assert self.value.cut(start, end) == gone
        for _, member in gone:
            del self.model[member]

    @rule()
    def rest(self) -> None:
        self.value.rest()

    @rule()
    def copy(self) -> None:
        old, self.value = self.value, self.value.copy()
        old.add(b"only in the old one", 1.0, CONFIG)

    @rule(member=MEMBERS)
    def rank(self, member: bytes) -> None:
        assert self.value.score(member) == self.model.get(member)
        rank = self.value.rank(member)
        if member in self.model:
            assert rank == self.order().index((self.model[member], member))
        else:
            assert rank is None

    @rule(low=SCORES, high=SCORES, open_=st.booleans())
    def by_score(self, low: float, high: float, open_: bool) -> None:
        start = self.value.score_place(low, after=open_)
        end = self.value.score_place(high, after=not open_)
        inside = [entry for entry in self.order() if (low < entry[0] < high if open_ else low <= entry[0] <= high)]
        assert self.value.entries(start, max(start, end)) == inside

    @rule(count=st.integers(1, 300))
    def walk(self, count: int) -> None:
        seen: dict[bytes, float] = {}
        cursor = 0
        while True:
            cursor, met = self.value.step(cursor, count)
            seen.update(met)
            if not cursor:
                break
        assert seen == self.model

    @invariant()
    def sound(self) -> None:
        if hasattr(self, "value"):
            self.value.check()
            assert len(self.value) == len(self.model)

    def teardown(self) -> None:
        if hasattr(self, "value"):
            assert list(self.value) == self.order()


TestAgainstADict = AgainstADict.TestCase


def test_ranges_by_member_begin_and_end_at_cuts() -> None:
    held = ZSetValue.of(dict.fromkeys((b"a", b"b", b"b\0", b"c"), 0.0), CONFIG)
    assert held.lex_span((None, False), (None, True)) == (0, 4)
    assert held.lex_span((b"b", False), (b"b", True)) == (1, 2)
    assert held.lex_span((b"b", True), (b"c", False)) == (2, 3)


def test_with_several_scores_a_range_by_member_ends_at_the_first_that_is_out() -> None:
    held = ZSetValue.of({b"a": 0.0, b"d": 1.0, b"b": 2.0}, CONFIG)
    assert held.lex_span((b"a", False), (b"c", True)) == (0, 1)


def test_a_large_set_of_several_scores_is_not_walked_for_an_interval_of_members() -> None:
    members = {b"%05d" % number: float(number % 7) for number in range(3000)}
    held = ZSetValue.of(members, Config())
    assert held.lex_span((None, False), (None, True)) == (0, 3000)
    for low in (b"00000", b"01234", b"02999", b"x"):
        start, end = held.lex_span((low, False), (low, True))
        assert 0 <= start <= end <= 3000


def test_a_listpack_forgets_the_sign_of_zero_and_a_skiplist_does_not() -> None:
    short = ZSetValue()
    short.add(b"a", -0.0, CONFIG)
    assert str(short.score(b"a")) == "0.0"
    long = ZSetValue()
    long.add(b"x" * 65, 1.0, CONFIG)
    long.add(b"a", -0.0, CONFIG)
    long.rest()
    assert str(long.score(b"a")) == "-0.0"


def test_a_resting_set_of_small_members_is_small() -> None:
    held = ZSetValue.of({b"e%d" % number: float(number) for number in range(100)}, CONFIG)
    held.add(b"e0", 0.5, CONFIG)
    live = held.memory()
    assert held.rest()
    assert held.memory() < 1000 < live
    assert not held.rest()
