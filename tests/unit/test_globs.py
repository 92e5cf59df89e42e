"""Glob patterns. That they match what redis-server matches is in tests/compat."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkv.values.globs import COMPILED_MAX, glob, is_glob


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        (b"", [b""], [b"a"]),
        (b"*", [b"a", b"ab"], [b""]),
        (b"**", [b"a"], [b""]),
        (b"?", [b"a", b"\n", b"\xff"], [b"", b"ab"]),
        (b"a*", [b"a", b"abc"], [b"", b"ba"]),
        (b"*a", [b"a", b"cba"], [b"ab"]),
        (b"a*b*c", [b"abc", b"axbxc", b"abcbc"], [b"acb", b"ab"]),
        (b"*ab*ab*", [b"abab", b"xabyabz"], [b"aba", b"ab"]),
        (b"h[ae]llo", [b"hello", b"hallo"], [b"hillo"]),
        (b"h[^e]llo", [b"hallo"], [b"hello"]),
        (b"h[a-b]llo", [b"hallo", b"hbllo"], [b"hcllo"]),
        (b"h[b-a]llo", [b"hallo", b"hbllo"], [b"hcllo"]),
        (b"\\*", [b"*"], [b"a"]),
        (b"a\\", [b"a\\"], [b"a"]),
        (b"[\\]]", [b"]"], [b"\\"]),
        (b"[ab", [b"a", b"b"], [b"c", b"[ab"]),
        (b"[a-", [b"a", b"-"], [b"b"]),
        (b"[", [], [b"", b"["]),
        (b"[]", [], [b"", b"]"]),
        (b"[^]", [b"a"], [b""]),
        (b"[a\\", [b"a", b"\\"], [b"b"]),
        # Bytes of a range are signed, so that 0x80 stands before 0x00.
        (b"[\x80-\x01]", [b"\x90", b"\xff", b"\x00", b"\x01"], [b"\x02", b"\x7f"]),
        (b"a.c", [b"a.c"], [b"abc"]),
        (b"(a|b)", [b"(a|b)"], [b"a"]),
    ],
)
def test_what_a_pattern_matches(pattern: bytes, matching: list[bytes], others: list[bytes]) -> None:
    matches = glob(pattern)
    for text in matching:
        assert matches(text), text
    for text in others:
        assert not matches(text), text


def test_letters_in_either_case_match_on_demand_and_ascii_only() -> None:
    assert glob(b"MaX*-[a-c]", nocase=True)(b"mAxmemory-B")
    assert not glob(b"MaX*")(b"maxmemory")
    assert not glob(b"\xc4", nocase=True)(b"\xe4")
    assert glob(b"MAX", nocase=True)(b"max")


def test_an_escaped_letter_in_a_class_keeps_its_case() -> None:
    assert not glob(b"[\\A]", nocase=True)(b"a")
    assert glob(b"[A]", nocase=True)(b"a")


def test_a_plain_text_is_no_glob() -> None:
    assert not is_glob(b"user:1")
    assert all(map(is_glob, [b"a*", b"a?", b"[a]", b"\\a"]))


def test_a_hostile_pattern_takes_no_longer_than_its_length_times_the_text() -> None:
    text = b"a" * 1000
    started = time.perf_counter()
    assert not glob(b"*a" * 100 + b"*b")(text)
    assert not glob(b"*a" * COMPILED_MAX + b"*b")(text)
    assert time.perf_counter() - started < 1.0


PIECE = st.sampled_from([b"a", b"b", b"*", b"?", b"[ab]", b"[^a]"])


@given(pieces=st.lists(PIECE, max_size=8), text=st.text("ab", max_size=12), nocase=st.booleans())
def test_a_long_pattern_is_matched_by_the_same_rules(pieces: list[bytes], text: str, nocase: bool) -> None:
    """Past a length patterns are matched by other means: a pattern made long by a run of plain bytes shows it."""
    run = b"x" * COMPILED_MAX
    pattern = b"".join(pieces)
    data = text.encode()
    assert glob(run + b"-" + pattern, nocase=nocase)(run + b"-" + data) == _model(pattern, data)
    assert glob(pattern + b"-" + run, nocase=nocase)(data + b"-" + run) == _model(pattern, data)
    if pattern.startswith(b"*") and data:
        assert glob(b"*" * COMPILED_MAX + pattern, nocase=nocase)(data) == glob(pattern, nocase=nocase)(data)


def _model(pattern: bytes, text: bytes) -> bool:
    """The plainest recursion that matches."""
    if not pattern:
        return not text
    if pattern[:1] == b"*":
        return _model(pattern[1:], text) or (text != b"" and _model(pattern, text[1:]))
    if not text:
        return False
    if pattern[:1] == b"[":
        end = pattern.index(b"]") + 1
        inside = pattern[1 : end - 1]
        fits = text[:1] not in inside[1:] if inside[:1] == b"^" else text[:1] in inside
        return fits and _model(pattern[end:], text[1:])
    return pattern[:1] in (b"?", text[:1]) and _model(pattern[1:], text[1:])
