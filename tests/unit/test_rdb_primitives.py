"""Lengths, strings, compression and the check sum of RDB."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkv.persist.rdb import lzf
from shardkv.persist.rdb.faults import Short
from shardkv.persist.rdb.primitives import (
    crc64,
    length_bytes,
    plain_string,
    read_length,
    read_string,
    short_string,
)
from shardkv.values.damage import Malformed


@pytest.mark.parametrize(
    ("length", "written"),
    [
        (0, "00"),
        (63, "3f"),
        (64, "4040"),
        (16383, "7fff"),
        (16384, "8000004000"),
        (2**32 - 1, "80ffffffff"),
        (2**32, "810000000100000000"),
        (2**64 - 1, "81ffffffffffffffff"),
    ],
)
def test_a_length_takes_as_many_bytes_as_it_needs(length: int, written: str) -> None:
    data = length_bytes(length)
    assert data.hex() == written
    assert read_length(data, 0) == (length, len(data))
    for end in range(1, len(data)):
        with pytest.raises((Short, IndexError)):
            read_length(data[:end], 0)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (b"", "00"),
        (b"0", "c000"),
        (b"-128", "c080"),
        (b"128", "c18000"),
        (b"-32769", "c2ff7fffff"),
        (b"2147483647", "c2ffffff7f"),
        (b"2147483648", "0a32313437343833363438"),
        (b"01", "023031"),
        (b"-0", "022d30"),
        (b"-", "012d"),
        (b"+1", "022b31"),
        (b" 1", "022031"),
    ],
)
def test_integers_are_written_as_such_in_their_canonical_form_only(text: bytes, written: str) -> None:
    for write in (plain_string, short_string):
        data = write(text)
        assert data.hex() == written
        assert read_string(data, 0) == (text, len(data))


@given(st.binary(max_size=300) | st.integers().map(lambda number: b"%d" % number))
def test_any_string_comes_back(text: bytes) -> None:
    for write in (plain_string, short_string):
        data = write(text)
        assert read_string(b"?" + data + b"!", 1) == (text, len(data) + 1)


def test_a_repetitive_string_is_compressed() -> None:
    text = b"abc" * 10 + bytes(500)
    data = short_string(text)
    assert data[0] == 0xC3
    assert len(data) < 60
    assert read_string(data, 0) == (text, len(data))


@given(st.binary(max_size=400), st.integers(1, 40))
def test_what_was_compressed_comes_back(piece: bytes, times: int) -> None:
    text = piece * times
    small = lzf.compress(text, max(1, len(text) - 4))
    if small is not None:
        assert len(small) <= len(text) - 4
        assert lzf.decompress(small, len(text)) == text


def test_what_does_not_fit_is_not_compressed() -> None:
    assert lzf.compress(bytes(range(256)), 250) is None


@given(st.binary(max_size=60), st.integers(0, 400))
def test_damaged_compression_is_refused_or_has_the_right_length(data: bytes, length: int) -> None:
    try:
        text = lzf.decompress(data, length)
    except Malformed:
        return
    assert len(text) == length


def test_a_length_out_of_proportion_is_refused_before_anything_is_set_aside() -> None:
    with pytest.raises(Malformed):
        lzf.decompress(b"\x00a", 2**60)


def test_the_check_sum_is_that_of_redis() -> None:
    assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA
    assert crc64(b"6789", crc64(b"12345")) == crc64(b"123456789")
