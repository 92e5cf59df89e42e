"""HyperLogLog strings: both shapes of the registers against a plain list of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkv.values.hyperloglog import (
    CorruptSketch,
    add,
    become_dense,
    cached_cardinality,
    cardinality,
    forget_cardinality,
    is_sketch,
    is_sparse,
    keep_cardinality,
    merge,
    new_sketch,
    pattern,
    registers_of,
)
from shardkv.values.registers import REGISTERS, greatest, histogram, pack_dense, unpack_dense
from shardkv.values.sparse_registers import SparseWriter, all_zeros, expand

indexes = st.one_of(st.integers(0, 40), st.integers(0, REGISTERS - 1), st.just(REGISTERS - 1))
changes = st.lists(st.tuples(indexes, st.integers(1, 32)), max_size=60)


@given(changes)
def test_sparse_registers_are_what_was_set(wanted: list[tuple[int, int]]) -> None:
    data = bytearray(all_zeros())
    writer = SparseWriter(data, 0, 1 << 20)
    model = bytearray(REGISTERS)
    for index, value in wanted:
        assert writer.raise_to(index, value) == (model[index] < value)
        model[index] = max(model[index], value)
        assert expand(data, 0) == model


@given(changes)
def test_ascending_changes_give_the_same_opcodes_with_and_without_a_mark(wanted: list[tuple[int, int]]) -> None:
    ordered = sorted(wanted)
    once, anew = bytearray(all_zeros()), bytearray(all_zeros())
    writer = SparseWriter(once, 0, 1 << 20)
    for index, value in ordered:
        writer.raise_to(index, value)
        SparseWriter(anew, 0, 1 << 20).raise_to(index, value)
    assert once == anew


def test_what_sparse_cannot_hold_is_left_alone() -> None:
    data = bytearray(all_zeros())
    writer = SparseWriter(data, 0, 3)
    assert writer.raise_to(5, 33) is None
    assert writer.raise_to(5, 1) is None
    assert data == all_zeros()


@given(st.lists(st.integers(0, 63), min_size=1, max_size=40))
def test_dense_registers_are_packed_and_unpacked(some: list[int]) -> None:
    registers = (bytes(some) * REGISTERS)[:REGISTERS]
    assert unpack_dense(pack_dense(registers)) == registers
    assert sum(histogram(registers)) == REGISTERS
    other = registers[::-1]
    assert greatest(registers, other) == bytes(map(max, registers, other))


@given(st.lists(st.binary(max_size=20), max_size=50), st.integers(16, 200))
def test_both_shapes_see_the_same(elements: list[bytes], sparse_max: int) -> None:
    sparse, dense = new_sketch(), new_sketch()
    become_dense(dense)
    assert bool(add(sparse, elements, sparse_max)) == bool(add(dense, elements, 0))
    assert registers_of(sparse) == registers_of(dense)
    assert is_sketch(sparse)
    assert len(sparse) <= sparse_max or not is_sparse(sparse) or not elements


def test_adding_again_changes_nothing() -> None:
    data = new_sketch()
    elements = [b"%d" % number for number in range(100)]
    assert add(data, elements, 3000)
    keep_cardinality(data, cardinality(registers_of(data)))
    before = bytes(data)
    assert not add(data, elements, 3000)
    assert data == before


def test_merging_takes_the_greatest() -> None:
    one, other, both = new_sketch(), new_sketch(), new_sketch()
    first, second = [b"a%d" % n for n in range(500)], [b"b%d" % n for n in range(500)]
    add(one, first, 3000)
    add(other, second, 3000)
    add(both, first + second, 3000)
    merge(one, registers_of(other), 3000)
    assert registers_of(one) == registers_of(both)
    assert cached_cardinality(one) is None


def test_the_cached_cardinality_goes_stale() -> None:
    data = new_sketch()
    assert cached_cardinality(data) == 0
    keep_cardinality(data, 300)
    assert cached_cardinality(data) == 300
    forget_cardinality(data)
    assert cached_cardinality(data) is None


@pytest.mark.parametrize("body", [b"", b"\x7f\xfe", b"\x7f\xff\x00", b"\x7f\xff\x7f\xff", b"\x80" * 20_000])
def test_corrupt_opcodes_are_refused(body: bytes) -> None:
    data = bytearray(new_sketch()[:16] + body)
    with pytest.raises(CorruptSketch):
        registers_of(data)


def test_a_corrupt_one_is_not_changed_by_half() -> None:
    data = bytearray(new_sketch()[:16] + b"\x5f\xff")
    before = bytes(data)
    with pytest.raises(CorruptSketch):
        add(data, [b"%d" % number for number in range(100)], 3000)
    assert data == before


def test_full_registers_have_an_answer() -> None:
    assert cardinality(bytes((51,)) * REGISTERS) == 2**63 - 1
    assert cardinality(bytes(REGISTERS)) == 0


@pytest.mark.parametrize(
    ("element", "place"),
    [(b"", (5938, 2)), (b"a", (12711, 2)), (b"abcdefgh", (1383, 1)), (b"abcdefghijklm", (9157, 1))],
)
def test_an_element_has_the_register_and_rank_that_redis_gives_it(element: bytes, place: tuple[int, int]) -> None:
    assert pattern(element) == place
