"""Lists of processors, as the options have them."""

from __future__ import annotations

from pathlib import Path

import pytest
from shardkv_node.standing import huge_pages_are_always_on, processors


@pytest.mark.parametrize(
    ("text", "meant"),
    [("0", {0}), ("0,2", {0, 2}), ("1-3", {1, 2, 3}), ("0-10:3", {0, 3, 6, 9}), ("0,4-5,8-9:1", {0, 4, 5, 8, 9})],
)
def test_a_list_names_processors(text: str, meant: set[int]) -> None:
    assert processors(text) == meant


@pytest.mark.parametrize("text", ["", "x", "3-1", "-1", "1-", "0-4:0", "1,,2"])
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        processors(text)


@pytest.mark.parametrize(("text", "on"), [("[always] madvise never\n", True), ("always [madvise] never\n", False)])
def test_huge_pages_are_on_if_the_host_says_always(tmp_path: Path, text: str, on: bool) -> None:
    (tmp_path / "enabled").write_text(text)
    assert huge_pages_are_always_on(tmp_path / "enabled") is on
    assert not huge_pages_are_always_on(tmp_path / "none")
