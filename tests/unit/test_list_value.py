"""List values against a Python list."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shardkv.values.lists import ListValue, entry_size

ELEMENTS = st.sampled_from([b"", b"a", b"b", b"127", b"-4097", b"x" * 70, b"y" * 3000])
MANY = st.lists(ELEMENTS, min_size=1, max_size=400)


class AgainstAList(RuleBasedStateMachine):
    """Every change is made to both."""

    @initialize(fill=st.sampled_from([-2, -1, -5, 0, 1, 3, 128]))
    def begin(self, fill: int) -> None:
        self.fill = fill
        self.value = ListValue()
        self.model: list[bytes] = []

    @rule(elements=MANY)
    def push_left(self, elements: list[bytes]) -> None:
        self.value.push_left(elements, self.fill)
        self.model[:0] = elements[::-1]

    @rule(elements=MANY)
    def push_right(self, elements: list[bytes]) -> None:
        self.value.push_right(elements, self.fill)
        self.model.extend(elements)

    @precondition(lambda self: self.model)
    @rule(from_left=st.booleans(), to_left=st.booleans())
    def rotate(self, from_left: bool, to_left: bool) -> None:
        element = self.value.rotate(self.fill, from_left=from_left, to_left=to_left)
        assert element == self.model.pop(0 if from_left else -1)
        self.model.insert(0 if to_left else len(self.model), element)

    @precondition(lambda self: self.model)
    @rule(left=st.booleans())
    def pop_one(self, left: bool) -> None:
        taken = self.value.pop_left(self.fill) if left else self.value.pop_right(self.fill)
        assert taken == self.model.pop(0 if left else -1)

    @rule(count=st.integers(0, 500), left=st.booleans())
    def pop_some(self, count: int, left: bool) -> None:
        taken = self.value.pop(count, self.fill, left=left)
        if left:
            assert taken == self.model[:count]
            del self.model[:count]
        else:
            assert taken == self.model[::-1][:count]
            del self.model[max(0, len(self.model) - count) :]

    @rule(place=st.floats(0, 1), element=ELEMENTS)
    def insert(self, place: float, element: bytes) -> None:
        index = int(place * len(self.model))
        self.value.insert(index, element, self.fill)
        self.model.insert(index, element)

    @precondition(lambda self: self.model)
    @rule(place=st.floats(0, 1, exclude_max=True), element=ELEMENTS)
    def replace(self, place: float, element: bytes) -> None:
        index = int(place * len(self.model))
        self.value.replace(index, element, self.fill)
        self.model[index] = element

    @rule(element=ELEMENTS, count=st.integers(-3, 3))
    def remove(self, element: bytes, count: int) -> None:
        removed = self.value.remove(element, count, self.fill)
        left = abs(count) or len(self.model)
        kept = []
        for item in self.model[::-1] if count < 0 else self.model:
            if item == element and left:
                left -= 1
            else:
                kept.append(item)
        assert removed == len(self.model) - len(kept)
        self.model = kept[::-1] if count < 0 else kept

    @rule(first=st.floats(0, 1), last=st.floats(0, 1))
    def trim(self, first: float, last: float) -> None:
        size = len(self.model)
        start, end = sorted((int(first * size), int(last * size)))
        assert self.value.trim(start, end, self.fill) == size - (end - start)
        self.model = self.model[start:end]

    @rule()
    def rest(self) -> None:
        self.value.rest()
        assert not self.value.rest() or self.model

    @rule()
    def copy(self) -> None:
        old, self.value = self.value, self.value.copy()
        old.push_left((b"only in the old one",), self.fill)

    @rule(element=ELEMENTS, backwards=st.booleans(), limit=st.integers(0, 300))
    def find(self, element: bytes, backwards: bool, limit: int) -> None:
        places = [place for place, item in enumerate(self.model) if item == element]
        if backwards:
            places = [place for place in reversed(places) if not limit or place >= len(self.model) - limit]
        elif limit:
            places = [place for place in places if place < limit]
        assert list(self.value.find(element, backwards=backwards, limit=limit)) == places

    @rule(first=st.floats(0, 1), last=st.floats(0, 1))
    def read(self, first: float, last: float) -> None:
        size = len(self.model)
        start, end = sorted((int(first * size), int(last * size)))
        assert self.value.slice(start, end) == self.model[start:end]
        if start < size:
            assert self.value.get(start) == self.model[start]

    @invariant()
    def sound(self) -> None:
        if hasattr(self, "value"):
            self.value.check()
            assert len(self.value) == len(self.model)

    def teardown(self) -> None:
        if hasattr(self, "value"):
            assert list(self.value) == self.model


TestAgainstAList = AgainstAList.TestCase


@pytest.mark.parametrize(
    ("element", "size"),
    [
        (b"0", 2),
        (b"127", 2),
        (b"128", 3),
        (b"-1", 3),
        (b"4095", 3),
        (b"-4097", 4),
        (b"32768", 5),
        (b"8388608", 6),
        (b"2147483648", 10),
        (b"9223372036854775808", 21),
        (b"01", 4),
        (b"-0", 4),
        (b"", 2),
        (b"x" * 63, 65),
        (b"x" * 64, 67),
        (b"x" * 126, 130),
        (b"x" * 4096, 4103),
    ],
)
def test_an_entry_takes_what_it_would_take_in_a_listpack(element: bytes, size: int) -> None:
    assert entry_size(element) == size


def test_a_list_leaves_the_listpack_with_the_element_that_is_too_much() -> None:
    held = ListValue()
    held.push_right([b"x" * 61] * 129, -2)  # 129 entries of 63 bytes
    assert held.encoding == "listpack"
    held.push_right([b"x" * 61], -2)
    assert held.encoding == "quicklist"
    held.pop(65, -2, left=True)
    assert held.encoding == "quicklist"
    held.pop_left(-2)  # half of 8192
    assert held.encoding == "listpack"


def test_a_quicklist_that_is_rotated_goes_back_only_if_it_is_short_enough_afterwards() -> None:
    value = ListValue()
    value.push_right([b"a", b"b", b"c", b"d"], 3)
    value.pop(2, 3, left=True)
    assert value.rotate(3, from_left=False, to_left=True) == b"d"
    assert value.encoding == "quicklist"
    value.pop_left(3)
    assert value.rotate(3, from_left=True, to_left=True) == b"c"
    assert value.encoding == "listpack"


def test_a_resting_list_of_small_elements_is_small() -> None:
    held = ListValue()
    held.push_right([b"e%d" % number for number in range(100)], -2)
    live = held.memory()
    assert held.rest()
    assert held.memory() < 800 < live
    assert not held.rest()


def test_a_long_list_is_reachable_everywhere() -> None:
    rng = Random(1)
    numbers = [b"%d" % number for number in range(200_000)]
    held = ListValue.of(numbers, -2)
    for _ in range(200):
        place = rng.randrange(len(numbers))
        assert held.get(place) == numbers[place]
    assert held.memory() < 4_000_000
