"""SCAN and KEYS."""

from __future__ import annotations

import pytest

from shardkv.commands.scan import pattern_slot
from shardkv.keyspace.slots import key_slot
from tests.support.engine_client import EngineClient, refused


def whole_scan(kv: EngineClient, *options: str | int) -> list[str]:
    """All keys of one walk from start to end."""
    met: list[str] = []
    cursor = "0"
    while True:
        cursor, page = kv("SCAN", cursor, *options)
        met.extend(page)
        if cursor == "0":
            return met


def test_keys_finds_what_matches(kv: EngineClient) -> None:
    kv("MSET", "one", 1, "two", 2, "three", 3)
    assert sorted(kv("KEYS", "t*")) == ["three", "two"]
    assert sorted(kv("KEYS", "*")) == ["one", "three", "two"]


def test_a_whole_scan_meets_every_key_once(kv: EngineClient) -> None:
    names = {f"key:{number}" for number in range(500)}
    for name in names:
        kv("SET", name, "v")
    met = whole_scan(kv, "COUNT", 7)
    assert len(met) == 500
    assert set(met) == names


def test_a_page_is_about_as_long_as_wanted(kv: EngineClient) -> None:
    for number in range(500):
        kv("SET", number, "v")
    _, page = kv("SCAN", 0, "COUNT", 50)
    assert 50 <= len(page) < 60


def test_a_scan_filters_after_it_has_picked(kv: EngineClient) -> None:
    for number in range(300):
        kv("SET", number, "v")
    assert set(whole_scan(kv, "MATCH", "1?")) == {str(number) for number in range(10, 20)}
    assert whole_scan(kv, "TYPE", "list") == []
    assert len(whole_scan(kv, "TYPE", "STRING")) == 300


def test_expired_keys_are_not_met_and_go_on_the_way(kv: EngineClient) -> None:
    kv("SET", "gone", "v", "PX", 10)
    kv("SET", "here", "v")
    kv.wait(11)
    assert kv("KEYS", "*") == ["here"]
    assert whole_scan(kv) == ["here"]
    assert kv.db.size == 1


@pytest.mark.parametrize("count", [50, 5000])
def test_what_is_there_throughout_is_met_however_the_rest_changes(kv: EngineClient, count: int) -> None:
    """All keys in one slot: past 1024 they are held in buckets, which split under the walk."""
    lasting = {f"{{tag}}{number}" for number in range(count)}
    for name in lasting:
        kv("SET", name, "v")
    met: set[str] = set()
    cursor, turn = "0", 0
    while True:
        cursor, page = kv("SCAN", cursor, "COUNT", 20)
        met.update(page)
        for number in range(50):
            kv("SET", f"{{tag}}:{turn}:{number}", "v")
            kv("DEL", f"{{tag}}:{turn - 2}:{number}")
        turn += 1
        if cursor == "0":
            break
    assert lasting <= met
    assert set(kv("KEYS", "{tag}[0-9]*")) == lasting
    kv.db.check()


@pytest.mark.parametrize("count", [3, 3000])
def test_a_pattern_with_a_hash_tag_walks_one_slot_only(kv: EngineClient, count: int) -> None:
    for number in range(300):
        kv("SET", number, "v")
    for number in range(count):
        kv("SET", f"{{user1}}:{number}", "v")
    met: list[str] = []
    cursor, calls = "0", 0
    while True:
        cursor, page = kv("SCAN", cursor, "MATCH", "{user1}:*", "COUNT", 300)
        met.extend(page)
        calls += 1
        if cursor == "0":
            break
    assert sorted(met) == sorted(f"{{user1}}:{number}" for number in range(count))
    assert calls <= 1 + count // 300
    assert sorted(kv("KEYS", "{user1}:*")) == sorted(met)
    assert kv("SCAN", 0, "MATCH", "{nobody}*") == ["0", []]


@pytest.mark.parametrize(
    ("pattern", "tag"),
    [
        (b"{user}*", b"user"),
        (b"a{user}[xy]", b"user"),
        (b"{user}", b"user"),
        (b"*{user}", None),
        (b"{us?r}", None),
        (b"{us\\er}", None),
        (b"{}*", None),
        (b"{user*", None),
        (b"plain", None),
    ],
)
def test_a_pattern_knows_its_slot_only_by_a_tag_before_any_wildcard(pattern: bytes, tag: bytes | None) -> None:
    assert pattern_slot(pattern) == (None if tag is None else key_slot(tag))


@pytest.mark.parametrize("cursor", ["abc", "1x", " 0", "18446744073709551616", "1" * 10_000])
def test_a_cursor_is_a_number_of_64_bits(kv: EngineClient, cursor: str) -> None:
    with refused("ERR invalid cursor"):
        kv("SCAN", cursor)


def test_any_number_is_taken_as_a_cursor(kv: EngineClient) -> None:
    for number in range(100):
        kv("SET", number, "v")
    for cursor in (2**64 - 1, 2**63, 16383, 16384, 123456789):
        after, page = kv("SCAN", cursor)
        assert after.isdigit()
        assert isinstance(page, list)


def test_a_scan_for_a_type_ends_what_has_expired_whatever_it_is(kv: EngineClient) -> None:
    kv("SET", "gone", "v", "EXAT", 1)
    assert kv("SCAN", 0, "TYPE", "list") == ["0", []]
    assert "expired_keys:1\r\n" in kv("INFO", "stats")


ADDING = {"SSCAN": "SADD", "HSCAN": "HSET", "ZSCAN": "ZADD"}


@pytest.mark.parametrize("name", ADDING)
def test_a_collection_of_hundreds_is_walked_in_pages_and_a_small_one_comes_whole(kv: EngineClient, name: str) -> None:
    members = [f"m{number:03}" for number in range(600)]
    for size in (128, 600):
        for at, member in enumerate(members[:size]):
            words: dict[str, tuple[str | int, ...]] = {"SSCAN": (), "HSCAN": (member, at), "ZSCAN": (at, member)}
            kv(ADDING[name], size, *(words[name] or (member,)))
    assert kv(name, 128, 0)[0] == "0"
    cursor = "0"
    met: list[str] = []
    while True:
        cursor, page = kv(name, 600, cursor)
        assert len(page) < 200
        met += page if name == "SSCAN" else page[::2]
        if cursor == "0":
            break
    assert sorted(met) == members
