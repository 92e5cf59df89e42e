"""Locales and how texts compare in them. The test machine may have no locale but C."""

from __future__ import annotations

import locale
from collections.abc import Iterator

import pytest
from shardkv_node import collation


@pytest.fixture(autouse=True)
def locale_as_before() -> Iterator[None]:
    """The locale is the process's."""
    before = locale.setlocale(locale.LC_COLLATE)
    yield
    locale.setlocale(locale.LC_COLLATE, before)


def test_texts_are_bytes_where_the_locale_says_no_more() -> None:
    assert collation.use("C") is None
    assert collation.use("POSIX") is None


def test_a_locale_that_is_not_there_changes_nothing() -> None:
    collation.use("C")
    with pytest.raises(ValueError, match="Invalid locale name"):
        collation.use("no_SUCH")
    assert locale.setlocale(locale.LC_COLLATE) == "C"


def test_a_locale_has_its_own_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locale, "setlocale", lambda category, name=None: "sv_SE.UTF-8")
    monkeypatch.setattr(locale, "strxfrm", lambda text: text.replace("ä", "z{").lower())
    key = collation.use("sv_SE.UTF-8")
    assert key is not None
    texts = ["ä".encode(), b"Z", b"a", b"\xff", b"a\0tail"]
    assert sorted(texts, key=key)[-1] == "ä".encode()
    assert key(b"a") == key(b"a\0tail")
