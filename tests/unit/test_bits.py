"""Strings as arrays of bits, against a list of bits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shardkv.values.bits import (
    CHUNK,
    Overflow,
    combine,
    count_bits,
    find_bit,
    fitted,
    get_bit,
    get_field,
    grown,
    set_bit,
    set_field,
)

texts = st.binary(min_size=1, max_size=40)


def bits_of(text: bytes | bytearray) -> list[int]:
    return [byte >> shift & 1 for byte in text for shift in range(7, -1, -1)]


@given(texts, st.integers(0, 400))
def test_a_bit_is_read(text: bytes, offset: int) -> None:
    bits = bits_of(text)
    assert get_bit(text, offset) == (bits[offset] if offset < len(bits) else 0)


@given(texts, st.data())
def test_a_bit_is_set_and_no_other(text: bytes, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text) * 8 - 1))
    bit = data.draw(st.integers(0, 1))
    made = bytearray(text)
    set_bit(made, offset, bit)
    expected = bits_of(text)
    expected[offset] = bit
    assert bits_of(made) == expected


@given(texts, st.data())
def test_a_range_is_counted_and_searched(text: bytes, data: st.DataObject) -> None:
    last = data.draw(st.integers(0, len(text) * 8 - 1))
    first = data.draw(st.integers(0, last))
    bit = data.draw(st.integers(0, 1))
    window = bits_of(text)[first : last + 1]
    assert count_bits(text, first, last) == sum(window)
    assert find_bit(text, bit, first, last) == (first + window.index(bit) if bit in window else None)


def test_long_strings_are_walked_in_chunks() -> None:
    text = bytearray(b"\xff" * (2 * CHUNK + 10))
    assert count_bits(text, 0, len(text) * 8 - 1) == len(text) * 8
    set_bit(text, 8 * (CHUNK + 3) + 5, 0)
    assert find_bit(text, 0, 3, len(text) * 8 - 1) == 8 * (CHUNK + 3) + 5
    assert combine("XOR", [text, bytes(text)]) == bytes(len(text))


@given(st.sampled_from(["AND", "OR", "XOR"]), st.lists(st.binary(max_size=9), min_size=1, max_size=4))
def test_strings_are_combined_byte_by_byte(operation: str, parts: list[bytes]) -> None:
    length = max(map(len, parts))
    padded = [part.ljust(length, b"\0") for part in parts]
    expected = bytearray(padded[0])
    for part in padded[1:]:
        for at, byte in enumerate(part):
            old = expected[at]
            expected[at] = {"AND": old & byte, "OR": old | byte, "XOR": old ^ byte}[operation]
    assert combine(operation, parts) == expected


def test_not_inverts_every_bit() -> None:
    assert combine("NOT", [b"\x00\x0f"]) == b"\xff\xf0"


@given(st.binary(max_size=30), st.integers(0, 200), st.integers(1, 64), st.booleans(), st.data())
def test_a_field_holds_what_was_written(
    text: bytes, offset: int, width: int, signed: bool, data: st.DataObject
) -> None:
    low = -(1 << (width - 1)) if signed else 0
    number = data.draw(st.integers(low, low + (1 << width) - 1))
    made = grown(text, (offset + width + 7) // 8)
    before = bits_of(made)
    set_field(made, offset, width, number)
    after = bits_of(made)
    assert get_field(made, offset, width, signed=signed) == number
    assert after[:offset] == before[:offset]
    assert after[offset + width :] == before[offset + width :]


@given(st.integers(-(2**65), 2**65), st.integers(1, 64), st.booleans())
def test_what_does_not_fit_wraps_or_stops_or_fails(number: int, width: int, signed: bool) -> None:
    low = -(1 << (width - 1)) if signed else 0
    high = low + (1 << width) - 1
    wrapped = fitted(number, width, Overflow.WRAP, signed=signed)
    assert wrapped is not None
    assert low <= wrapped <= high
    assert (wrapped - number) % (1 << width) == 0
    assert fitted(number, width, Overflow.SAT, signed=signed) == min(max(number, low), high)
    assert fitted(number, width, Overflow.FAIL, signed=signed) == (number if low <= number <= high else None)


def test_a_bytearray_grows_in_place() -> None:
    held = bytearray(b"a")
    assert grown(held, 3) is held
    assert held == b"a\0\0"
    assert grown(17, 0) == b"17"
