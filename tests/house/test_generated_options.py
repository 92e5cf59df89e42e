"""The reference of options is that of the table."""

from __future__ import annotations

import re
from pathlib import Path

import shardkv.config
from shardkv.config import Config
from shardkv.config.listkinds import Refused
from shardkv.config.reference import markdown


def test_the_reference_is_current() -> None:
    path = Path(shardkv.config.__file__).with_name("OPTIONS.md")
    assert path.read_text() == markdown(), "run: python -m shardkv.config.reference > shardkv/config/OPTIONS.md"


def test_every_option_is_explained_in_sentences() -> None:
    for option in Config.options.values():
        assert option.doc[0].isupper(), option.name
        assert option.doc.endswith("."), option.name
        assert option.group, option.name
        assert option.no_effect is None or option.awaits is None, option.name


def test_every_option_is_read_by_somebody_or_says_why_not() -> None:
    root = Path(__file__).parents[2]
    read = "\n".join(
        path.read_text()
        for folder in ("shardkv", "nodes", "cli")
        for path in (root / folder).rglob("*.py")
        if path.parent.name != "options"
    )
    for option in Config.options.values():
        if not isinstance(option.kind, Refused):
            known = re.search(rf"\b{option.attribute}\b", read)
            assert known or option.effect, option.name
