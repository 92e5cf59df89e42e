"""Listpacks, ziplists, sets of integers and zipmaps: one string each that holds many elements."""

from __future__ import annotations

from array import array
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkv.persist.rdb import intset, ziplist, zipmap
from shardkv.values import listpack
from shardkv.values.damage import Malformed
from shardkv.values.lists import HEADER, entry_size
from tests.support.old_rdb import make_ziplist, make_zipmap

EDGES = [0, 1, 12, 13, 127, 128, 4095, 4096, 32767, 32768, 8388607, 8388608, 2**31 - 1, 2**31, 2**63 - 1, 2**63]
NUMBERS = [b"%d" % number for edge in EDGES for number in (edge, -edge, -edge - 1)]
TEXTS = [b"", b"-", b"-0", b"01", b"+1", b" 1", b"1 ", b"--1", b"x" * 63, b"x" * 64, b"y" * 4095, b"z" * 4096]
ELEMENTS = [*NUMBERS, *TEXTS, b"q" * 16377, b"q" * 16378, b"q" * 16379, b"q" * 70000, bytes(range(256))]

ELEMENT = st.binary(max_size=80) | st.sampled_from(NUMBERS + TEXTS)


@pytest.mark.parametrize("element", ELEMENTS, ids=lambda element: repr(element[:12]))
def test_any_element_comes_back_from_a_listpack(element: bytes) -> None:
    blob = listpack.encode([element, b"end"])
    assert listpack.decode(blob) == [element, b"end"]


@pytest.mark.parametrize("element", [*NUMBERS, *TEXTS], ids=lambda element: repr(element[:12]))
def test_a_listpack_is_as_long_as_lists_reckon(element: bytes) -> None:
    assert len(listpack.encode([element])) == HEADER + entry_size(element)


def test_a_listpack_is_written_as_redis_writes_it() -> None:
    assert listpack.encode([b"a", b"1", b"-1", b"300"]) == bytes.fromhex("1200000004008161020101dfff02c12c02ff")


def test_the_size_behind_an_element_is_read_as_any_version_wrote_it() -> None:
    element = b"q" * (16383 - 5)
    blob = listpack.encode([element])
    assert blob[-4:] == b"\x00\xff\xff\xff"  # three bytes, up to Redis 8.6
    later = pack("<I", len(blob) - 1) + blob[4:-4] + b"\x7f\xff\xff"  # two, from then on
    assert listpack.decode(later) == [element]


def test_more_elements_than_the_header_can_say_are_counted() -> None:
    elements = [b"1"] * 70000
    assert listpack.decode(listpack.encode(elements)) == elements


@given(st.lists(ELEMENT, max_size=12), st.data())
def test_a_damaged_listpack_is_refused_or_is_another_one(elements: list[bytes], data: st.DataObject) -> None:
    blob = bytearray(listpack.encode(elements))
    place = data.draw(st.integers(0, len(blob) - 1))
    blob[place] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(blob), bytes(blob[:place])):
        try:
            found = listpack.decode(damaged)
        except Malformed:
            continue
        assert all(type(element) is bytes for element in found)


@pytest.mark.parametrize("element", ELEMENTS, ids=lambda element: repr(element[:12]))
def test_any_element_comes_back_from_a_ziplist(element: bytes) -> None:
    elements = [b"first", element, element, b"x" * 300, b"7"]
    assert ziplist.decode(make_ziplist(elements)) == elements


@given(st.lists(ELEMENT, max_size=12), st.data())
def test_a_damaged_ziplist_is_refused_or_is_another_one(elements: list[bytes], data: st.DataObject) -> None:
    blob = bytearray(make_ziplist(elements))
    place = data.draw(st.integers(0, len(blob) - 1))
    blob[place] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(blob), bytes(blob[:place])):
        try:
            found = ziplist.decode(damaged)
        except Malformed:
            continue
        assert all(type(element) is bytes for element in found)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, unique=True))
def test_a_set_of_integers_comes_back(numbers: list[int]) -> None:
    held = array("q", sorted(numbers))
    assert intset.decode(intset.encode(held)) == held


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        pack("<II", 3, 1) + bytes(3),
        pack("<II", 2, 2) + bytes(2),
        pack("<IIhh", 2, 2, 5, 5),
        pack("<IIhh", 2, 2, 5, 4),
        pack("<II", 8, 2**32 - 1),
    ],
)
def test_a_set_of_integers_that_is_not_whole_or_not_in_order_is_refused(blob: bytes) -> None:
    with pytest.raises(Malformed):
        intset.decode(blob)


@given(st.lists(st.binary(max_size=300), max_size=6).map(lambda words: words[: len(words) // 2 * 2]), st.data())
def test_a_zipmap_comes_back_and_a_damaged_one_is_refused_or_another(words: list[bytes], data: st.DataObject) -> None:
    blob = make_zipmap(words, free=2)
    assert zipmap.decode(blob) == words
    damaged = bytearray(blob)
    place = data.draw(st.integers(0, len(blob) - 1))
    damaged[place] ^= data.draw(st.integers(1, 255))
    for other in (bytes(damaged), blob[:place]):
        try:
            zipmap.decode(other)
        except Malformed:
            continue
