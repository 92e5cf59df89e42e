"""A large mapping that can be walked while it changes."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shardkv.values.buckets import Buckets, portion

NUMBERS = st.integers(0, 3000)


def key(number: int) -> bytes:
    """A key with this number."""
    return b"key:%d" % number


@settings(max_examples=20)
@given(start=NUMBERS, changes=st.lists(st.tuples(st.booleans(), NUMBERS), max_size=300))
def test_it_holds_what_a_dict_holds(start: int, changes: list[tuple[bool, int]]) -> None:
    model = {key(number): number for number in range(start)}
    buckets = Buckets(model)
    for stores, number in changes:
        name = key(number)
        if stores:
            buckets[name] = model[name] = -number
        else:
            assert buckets.pop(name) == model.pop(name, None)
        assert buckets.get(name) == model.get(name)
        assert (name in buckets) == (name in model)
    buckets.check()
    assert len(buckets) == len(model)
    assert dict(buckets.items()) == model
    assert sorted(buckets) == sorted(buckets.keys()) == sorted(model)
    assert sorted(buckets.values()) == sorted(model.values())


def test_a_key_that_is_not_there_is_an_error_as_with_a_dict() -> None:
    buckets = Buckets({b"a": 1})
    assert buckets[b"a"] == 1
    with pytest.raises(KeyError):
        buckets[b"b"]
    with pytest.raises(KeyError):
        del buckets[b"b"]
    del buckets[b"a"]
    assert len(buckets) == 0
    assert buckets.pop(b"a", 7) == 7
    buckets.check()


@settings(max_examples=20)
@given(
    lasting=st.integers(0, 2000),
    bursts=st.lists(st.tuples(st.booleans(), st.integers(0, 800)), max_size=40),
)
def test_a_walk_meets_what_is_there_throughout(lasting: int, bursts: list[tuple[bool, int]]) -> None:
    """Between two steps hundreds of keys may come or go."""
    buckets = Buckets({key(number): number for number in range(lasting)})
    met: set[bytes] = set()
    cursor, comers = 0, 0
    changes = iter(bursts)
    while True:
        cursor, page = buckets.step(cursor)
        met.update(page)
        if not cursor:
            break
        grows, count = next(changes, (True, 0))
        for _ in range(count):
            if grows:
                buckets[b"comer:%d" % comers] = 0
                comers += 1
            else:
                buckets.pop(b"comer:%d" % Random(comers + count).randrange(comers + 1))
    buckets.check()
    assert {key(number) for number in range(lasting)} <= met


def test_a_walk_of_a_still_mapping_meets_each_key_once() -> None:
    buckets = Buckets({key(number): number for number in range(5000)})
    met: list[bytes] = []
    cursor, steps = 0, 0
    while True:
        cursor, page = buckets.step(cursor)
        met.extend(page)
        steps += 1
        if not cursor:
            break
    assert sorted(met) == sorted(buckets)
    assert steps < 200


@pytest.mark.parametrize("count", [1, 10, 200, 1000])
def test_a_walk_of_a_plain_dict_meets_each_key_once_too(count: int) -> None:
    held = {key(number): number for number in range(900)}
    met: list[bytes] = []
    cursor = 0
    while True:
        cursor, page = portion(held, cursor, count)
        assert len(page) < 3 * max(count, 64)
        met.extend(page)
        if not cursor:
            break
    assert sorted(met) == sorted(held)


@given(others=st.lists(st.integers(0, 900), max_size=30), turns=st.booleans(), count=st.sampled_from([1, 100, 300]))
def test_a_walk_goes_on_when_a_dict_becomes_buckets_and_when_they_become_a_dict(
    others: list[int], turns: bool, count: int
) -> None:
    lasting = {key(number): number for number in range(200)}
    met: set[bytes] = set()
    cursor, sizes = 0, iter(others)
    while True:
        held = lasting | {b"other:%d" % number: 0 for number in range(next(sizes, 0))}
        turns = not turns
        cursor, page = Buckets(held).step(cursor) if turns else portion(held, cursor, count)
        met.update(page)
        if not cursor:
            break
    assert lasting.keys() <= met


def test_any_cursor_can_be_asked_for() -> None:
    buckets = Buckets({key(number): number for number in range(1000)})
    for cursor in (1, 7, 2**32 - 1, 2**50):
        after, page = buckets.step(cursor)
        assert after >= 0
        assert all(name in buckets for name in page)


def test_a_random_key_is_found_though_nearly_all_are_gone() -> None:
    buckets = Buckets({key(number): number for number in range(10_000)})
    for number in range(9_999):
        del buckets[key(number)]
    rng = Random(0)
    assert {buckets.choose(rng) for _ in range(10)} == {key(9_999)}
    buckets.check()


def test_random_keys_come_from_everywhere() -> None:
    buckets = Buckets({key(number): number for number in range(600)})
    rng = Random(0)
    assert len({buckets.choose(rng) for _ in range(10_000)}) == 600
