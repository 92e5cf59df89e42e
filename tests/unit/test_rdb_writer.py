"""Databases to RDB and back: what a file holds beside the values themselves."""

from __future__ import annotations

import pytest

from shardkv.config import Config
from shardkv.keyspace.database import LARGE_SLOT, Database
from shardkv.keyspace.slots import SLOT_COUNT, key_slot
from shardkv.persist.rdb.faults import RdbFault
from shardkv.persist.rdb.loader import RdbLoader
from shardkv.persist.rdb.reader import RdbReader
from shardkv.persist.rdb.writer import RdbWriter, Snapshot
from shardkv.values.hashes import HashValue
from shardkv.values.lists import ListValue
from tests.support.old_rdb import make_file

NOW = 1_700_000_000_000


def a_database(index: int = 0) -> Database:
    """A database without keys."""
    return Database(index, bytearray(SLOT_COUNT))


def loaded(data: bytes, *, now: int = NOW, keep_expired: bool = False) -> tuple[RdbLoader, list[Database]]:
    """What a file holds, in three databases."""
    databases = [a_database(index) for index in range(3)]
    loader = RdbLoader(Config(), databases.__getitem__, now, keep_expired=keep_expired)
    for start in range(0, len(data), 1000):
        loader.feed(data[start : start + 1000])
    loader.finish()
    for database in databases:
        database.check()
    return loader, databases


def test_a_file_has_its_remarks_libraries_databases_and_expiry_times() -> None:
    first, third = a_database(), a_database(2)
    for number in range(3000):
        first.put(b"key:%d" % number, b"value:%d" % number)
        if number % 3 == 0:
            first.expire_at(b"key:%d" % number, NOW + number)
    third.put(b"n", 42)
    third.put(b"b", bytearray(b"grown"))
    chunks = list(Snapshot([first, None, third], Config(), NOW, [(b"redis-ver", b"7.4.0")], [b"#!lua name=m\n"]))
    loader, databases = loaded(b"".join(chunks))
    assert loader.opened is not None
    assert loader.opened.version == 10
    assert loader.checked
    assert loader.remarks == {b"redis-ver": b"7.4.0"}
    assert loader.libraries == [b"#!lua name=m\n"]
    assert loader.keys == 3002
    assert dict(databases[0].items()) == dict(first.items())
    assert all(databases[0].expiry(key) == first.expiry(key) for key in first)
    assert dict(databases[2].items()) == {b"n": b"42", b"b": b"grown"}
    assert databases[1].size == 0


def test_a_slot_with_very_many_keys_is_written_and_loaded() -> None:
    database = a_database()
    for number in range(LARGE_SLOT + 100):
        database.put(b"{tag}%d" % number, b"v")
    _, [copy, *_] = loaded(b"".join(Snapshot([database], Config(), NOW)))
    assert dict(copy.items()) == dict(database.items())


def test_the_bytes_of_a_slot_depend_on_nothing_else() -> None:
    database = a_database()
    database.put(b"a", b"1")
    database.put(b"b", b"2")
    slot = key_slot(b"a")
    before = RdbWriter(Config(), NOW).slot_bytes(database, slot)
    database.put(b"b", b"3")
    assert RdbWriter(Config(), NOW).slot_bytes(database, slot) == before == b"\x00\x01a\xc0\x01"


def test_writing_leaves_values_at_rest() -> None:
    database = a_database()
    value = ListValue.of([b"element"] * 100, -2)
    value.rest()
    database.put(b"l", value)
    for _ in Snapshot([database], Config(), NOW):
        pass
    assert not value.rest()


def test_keys_whose_time_has_passed_are_left_out_unless_a_primary_decides() -> None:
    database = a_database()
    for key, at in ((b"past", NOW - 1), (b"now", NOW), (b"future", NOW + 1)):
        database.put(key, b"v")
        database.expire_at(key, at)
    data = b"".join(Snapshot([database], Config(), NOW - 10))
    loader, [kept, *_] = loaded(data)
    assert sorted(kept) == [b"future", b"now"]
    assert (loader.keys, loader.expired) == (2, 1)
    _, [kept, *_] = loaded(data, keep_expired=True)
    assert sorted(kept) == [b"future", b"now", b"past"]


@pytest.mark.parametrize(
    ("policy", "mark"), [("noeviction", b""), ("allkeys-lru", b"\xf8\x40\x64"), ("volatile-lfu", b"\xf9\x05")]
)
def test_the_last_use_is_written_as_the_policy_counts_it(policy: str, mark: bytes) -> None:
    config = Config()
    config.set([(b"maxmemory-policy", policy.encode())])
    database = a_database()
    database.put(b"a", b"b")
    database.access[key_slot(b"a")] = NOW // 1000 - 100
    assert RdbWriter(config, NOW).slot_bytes(database, key_slot(b"a")) == mark + b"\x00\x01a\x01b"


def test_idle_seconds_are_taken_over() -> None:
    _, [database, *_] = loaded(make_file(b"\xf8\x32\x00\x01a\x01b"))
    assert database.access[key_slot(b"a")] == NOW // 1000 - 50


@pytest.mark.parametrize("fields", [2, 600])
def test_times_of_fields_take_the_version_that_has_them(fields: int) -> None:
    database = a_database()
    value = HashValue.of([word for number in range(fields) for word in (b"f%d" % number, b"v")], Config())
    value.expire_at(b"f1", NOW + 5000)
    value.expire_at(b"f0", NOW + 7000)
    database.put(b"h", value)
    database.hash_times.set(b"h", NOW + 5000)
    data = b"".join(Snapshot([database], Config(), NOW))
    assert data.startswith(b"REDIS0012")
    _, [copy, *_] = loaded(data)
    again = copy.get(b"h")
    assert isinstance(again, HashValue)
    assert again.as_dict() == value.as_dict()
    assert sorted(again.times.items() if again.times else []) == [(b"f0", NOW + 7000), (b"f1", NOW + 5000)]
    assert copy.hash_times.next == NOW + 5000


def test_compression_and_the_check_sum_can_be_switched_off() -> None:
    database = a_database()
    database.put(b"a", bytes(1000))
    config = Config()
    assert sum(map(len, Snapshot([database], config, NOW))) < 200
    config.rdbcompression = False
    config.rdbchecksum = False
    data = b"".join(Snapshot([database], config, NOW))
    assert len(data) > 1000
    assert data.endswith(bytes(8))


def test_a_key_that_is_there_twice_is_refused() -> None:
    with pytest.raises(RdbFault, match="twice"):
        loaded(make_file(b"\x00\x01a\x01b\x00\x01a\x01c"))


def test_a_database_that_is_not_there_is_refused() -> None:
    with pytest.raises(RdbFault, match="no database 3"):
        loaded(make_file(b"\xfe\x03\x00\x01a\x01b"))


def test_an_empty_node_makes_a_file_that_is_read() -> None:
    data = b"".join(Snapshot([], Config(), NOW))
    reader = RdbReader(Config())
    list(reader.feed(data))
    assert reader.done
