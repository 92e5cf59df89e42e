"""The backlog against a plain string of all bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shardkv.replication.backlog import Backlog


def test_a_new_backlog_goes_on_from_its_offset() -> None:
    backlog = Backlog(100, end=7)
    assert (backlog.first, backlog.length) == (8, 0)
    assert backlog.since(8) == b""
    assert backlog.since(7) is None
    assert backlog.since(9) is None


def test_what_was_appended_can_be_had_from_any_offset() -> None:
    backlog = Backlog(100, end=0)
    backlog.append(b"hello ")
    backlog.append(b"world")
    assert backlog.since(1) == b"hello world"
    assert backlog.since(6) == b" world"
    assert backlog.since(12) == b""
    assert backlog.since(13) is None


def test_one_piece_that_is_larger_than_the_backlog_leaves_its_end() -> None:
    backlog = Backlog(4, end=0)
    backlog.append(b"0123456789")
    assert (backlog.first, backlog.length) == (7, 4)
    assert backlog.since(7) == b"6789"
    assert backlog.since(6) is None


def test_a_smaller_backlog_keeps_what_fits() -> None:
    backlog = Backlog(100, end=0)
    for piece in (b"one", b"two", b"three"):
        backlog.append(piece)
    backlog.resize(6)
    backlog.check()
    assert backlog.since(6) == b"othree"
    assert backlog.since(5) is None


@given(st.integers(1, 40), st.lists(st.binary(min_size=1, max_size=20)), st.integers(0, 50))
def test_a_backlog_is_the_end_of_all_that_was_appended(size: int, pieces: list[bytes], start: int) -> None:
    backlog = Backlog(size, end=start)
    for piece in pieces:
        backlog.append(piece)
        backlog.check()
    whole = b"".join(pieces)
    assert backlog.end == start + len(whole)
    for offset in range(start, backlog.end + 3):
        told = backlog.since(offset)
        kept = backlog.end + 1 - offset
        if 0 <= kept <= min(size, len(whole)):
            assert told == whole[len(whole) - kept :]
        else:
            assert told is None
