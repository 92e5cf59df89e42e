"""Keyspace events: every one that the source speaks of has a class."""

from __future__ import annotations

import ast

from shardkv.pubsub.notify import ALL, CLASS_OF, SILENT, event_channel, key_channel, wanted
from tests.house.sources import modules

#: Where the event stands in the calls that speak of one.
PLACES = {"touch": 1, "delete": 1, "notice": 2, "attend": 2, "have_gone": 3}


def _called(call: ast.Call) -> str:
    """The last name of what is called."""
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def _events_named() -> dict[str, str]:
    """The literal events in the calls that speak of one, with a place where each stands."""
    found = {}
    for path, tree in modules("shardkv"):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or (place := PLACES.get(_called(node))) is None:
                continue
            words = [*node.args[place : place + 1], *(word.value for word in node.keywords if word.arg == "event")]
            for word in words:
                if isinstance(word, ast.Constant) and isinstance(word.value, str):
                    found[word.value] = f"{path}:{node.lineno}"
    return found


def test_every_event_in_the_source_has_a_class() -> None:
    named = _events_named()
    assert {"set", "del", "expired", "evicted", "new", "keymiss"} <= set(named)
    assert {event: place for event, place in named.items() if event not in CLASS_OF.keys() | SILENT} == {}


def test_a_stands_for_all_classes_but_misses_and_new_keys() -> None:
    every = set(CLASS_OF.values())
    assert every - set(ALL) == {"m", "n"}
    asked = wanted("AE")
    assert asked is not None
    assert asked.events == {event for event, letter in CLASS_OF.items() if letter not in "mn"}


def test_what_could_reach_nobody_is_not_wanted() -> None:
    assert [wanted(letters) for letters in ("", "K", "E", "KE", "A", "g$", "KEd")] == [None] * 7


def test_letters_choose_classes_and_channels() -> None:
    asked = wanted("Kx")
    assert asked is not None
    assert asked.events == {"expired"}
    assert (asked.by_key, asked.by_event) == (True, False)


def test_channels_are_spelled_as_in_redis() -> None:
    assert key_channel(0, b"a b") == b"__keyspace@0__:a b"
    assert event_channel(15, "rename_to") == b"__keyevent@15__:rename_to"
