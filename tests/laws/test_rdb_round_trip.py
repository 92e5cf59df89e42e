"""Values go to RDB and come back equal, and no bytes whatever do more than raise RdbFault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkv.commands.digest import digest_value
from shardkv.config import Config
from shardkv.keyspace.database import Database
from shardkv.keyspace.slots import SLOT_COUNT
from shardkv.persist.rdb.faults import RdbFault
from shardkv.persist.rdb.loader import RdbLoader
from shardkv.persist.rdb.payload import dump, load, unsealed
from shardkv.persist.rdb.writer import Snapshot
from shardkv.values.hashes import HashValue
from shardkv.values.kinds import encoding
from shardkv.values.lists import ListValue
from shardkv.values.sets import SetValue
from shardkv.values.stream_groups import UNKNOWN, Group
from shardkv.values.stream_ids import make_id
from shardkv.values.streams import StreamValue
from shardkv.values.zsets import ZSetValue

NOW = 1_700_000_000_000


def a_config() -> Config:
    """Limits so low that small values cross them."""
    config = Config()
    config.set(
        [
            (b"list-max-listpack-size", b"5"),
            (b"hash-max-listpack-entries", b"6"),
            (b"zset-max-listpack-entries", b"6"),
            (b"set-max-listpack-entries", b"6"),
            (b"set-max-intset-entries", b"6"),
        ]
    )
    return config


CONFIG = a_config()
WORD = st.one_of(
    st.binary(max_size=6),
    st.integers(-(2**64), 2**64).map(lambda number: b"%d" % number),
    st.integers(-9, 200).map(lambda number: b"%d" % number),
    st.integers(1, 400).map(lambda size: b"ab" * size),
)
WORDS = st.lists(WORD, min_size=1, max_size=14)
DIFFERENT = st.lists(WORD, min_size=1, max_size=14, unique=True)
SCORE = st.floats(allow_nan=False) | st.integers(-5, 5).map(float)


@st.composite
def hashes(draw: st.DrawFn) -> HashValue:
    """Hashes, some of whose fields expire."""
    fields = draw(DIFFERENT)
    value = HashValue.of([word for field in fields for word in (field, draw(WORD))], CONFIG)
    for field in fields:
        if draw(st.booleans()):
            value.expire_at(field, NOW + draw(st.integers(0, 2**30)))
    return value


@st.composite
def streams(draw: st.DrawFn) -> StreamValue:
    """Streams in several nodes, with deleted entries, groups and what is pending."""
    value = StreamValue()
    id = make_id(draw(st.integers(0, 2**63)), draw(st.integers(0, 2**64 - 100)))
    ids = []
    for _ in range(draw(st.integers(0, 12))):
        id += draw(st.sampled_from([1, 2, 1 << 64, 3 << 64]))
        same = draw(st.booleans())
        words = [b"f", draw(WORD)] if same else draw(st.lists(WORD, min_size=2, max_size=2)) * 2
        value.append(id, words, max_entries=4, max_bytes=0)
        ids.append(id)
    if ids:
        value.delete(draw(st.lists(st.sampled_from(ids), max_size=6)))
    for name in draw(st.lists(WORD, max_size=2, unique=True)):
        group = value.groups[name] = Group(id, draw(st.sampled_from([UNKNOWN, 0, 3])))
        for reader in draw(st.lists(WORD, max_size=2, unique=True)):
            consumer = group.add_consumer(reader, NOW)
            consumer.active = NOW
            for pending in draw(st.lists(st.sampled_from(ids), max_size=4)) if ids else []:
                group.deliver(pending, consumer, NOW, draw(st.integers(0, 100)))
    return value


STRING = WORD | st.integers(-(2**63), 2**63 - 1) | WORD.map(bytearray)
LIST = WORDS.map(lambda words: ListValue.of(words, CONFIG.list_max_listpack_size))
SET = DIFFERENT.map(lambda words: SetValue.collected(words, CONFIG))
INTSET = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=9, unique=True).map(
    lambda numbers: SetValue.collected([b"%d" % number for number in numbers], CONFIG)
)
ZSET = st.dictionaries(WORD, SCORE, min_size=1, max_size=14).map(lambda scores: ZSetValue.of(scores, CONFIG))
VALUE = st.one_of(STRING, LIST, SET, INTSET, ZSET, hashes(), streams())


_ANYWHERE = Database(0, bytearray(SLOT_COUNT))


def digest(value: Any) -> bytes:
    """What DEBUG DIGEST-VALUE says of a value."""
    return digest_value(_ANYWHERE, b"k", value)


def state(value: Any) -> Any:
    """What a digest does not tell: times of fields, groups of streams, encodings."""
    if isinstance(value, HashValue):
        return encoding(value), sorted(value.times.items()) if value.times is not None else []
    if isinstance(value, StreamValue):
        groups = [
            (
                name,
                group.last_id,
                group.entries_read,
                [
                    (id, group.pending[id].owner.name, group.pending[id].time, group.pending[id].count)
                    for id in group.ids
                ],
                [(consumer.name, consumer.seen, consumer.active) for consumer in group.sorted_consumers()],
            )
            for name, group in value.sorted_groups()
        ]
        return value.length, value.last_id, value.max_deleted_id, value.entries_added, groups
    return encoding(value) if isinstance(value, ListValue | ZSetValue) else None


def checked(value: Any) -> Any:
    """The value, whose invariants hold."""
    if type(value) not in (bytes, int, bytearray):
        value.check()
    return value


@given(VALUE, st.booleans())
def test_a_value_comes_back_from_its_payload(value: Any, rests: bool) -> None:
    if rests and hasattr(value, "rest"):
        value.rest()
    payload = dump(value, CONFIG)
    opened = unsealed(payload)
    assert opened is not None
    again = checked(load(*opened, CONFIG))
    assert digest(again) == digest(value)
    assert state(again) == state(value)
    # What is written again is the same, but that deleted entries of streams are forgotten.
    assert dump(again, CONFIG) == payload or isinstance(value, StreamValue | SetValue | HashValue)


@given(st.dictionaries(st.binary(max_size=8), VALUE, max_size=8), st.integers(1, 300))
def test_a_database_comes_back_from_a_file_in_chunks(values: dict[bytes, Any], step: int) -> None:
    database, copy = (Database(0, bytearray(SLOT_COUNT)) for _ in range(2))
    for place, (key, value) in enumerate(values.items()):
        database.put(key, value)
        if place % 2:
            database.expire_at(key, NOW + place)
        if isinstance(value, HashValue) and value.times is not None and value.next_expiry is not None:
            database.hash_times.set(key, value.next_expiry)
    data = b"".join(Snapshot([database], CONFIG, NOW))
    loader = RdbLoader(CONFIG, lambda index: copy, NOW, size=len(data))
    for start in range(0, len(data), step):
        loader.feed(data[start : start + step])
    loader.finish()
    copy.check()
    assert {key: digest(checked(value)) for key, value in copy.items()} == {
        key: digest(value) for key, value in database.items()
    }
    assert [copy.expiry(key) for key in values] == [database.expiry(key) for key in values]


def harmless(body: bytes) -> None:
    """Whatever the bytes are: a sound value, or RdbFault."""
    for version in (10, 80):
        try:
            value = load(body, version, CONFIG)
        except RdbFault:
            continue
        checked(value)


@given(VALUE, st.data())
def test_damage_anywhere_is_refused_or_gives_a_sound_value(value: Any, data: st.DataObject) -> None:
    body = dump(value, CONFIG)[:-10]
    place = data.draw(st.integers(0, len(body) - 1))
    changed = bytearray(body)
    changed[place] ^= data.draw(st.integers(1, 255))
    harmless(bytes(changed))
    harmless(body[:place])


@given(st.binary(max_size=100))
def test_any_bytes_are_harmless(body: bytes) -> None:
    harmless(body)
    assert unsealed(body) is None


def a_stream() -> StreamValue:
    """A stream with all that a stream can have."""
    value = StreamValue()
    for number in range(1, 8):
        value.append(number << 64, [b"f", b"v", *([b"g", b"1"] if number == 3 else [])], max_entries=4, max_bytes=0)
    value.delete([2 << 64])
    group = value.groups[b"g"] = Group(5 << 64, 3)
    group.deliver(3 << 64, group.add_consumer(b"c", NOW), NOW)
    return value


def a_timed_hash() -> HashValue:
    """A hash with a field that expires."""
    value = HashValue.of([b"f", b"v", b"g", b"1"], CONFIG)
    value.expire_at(b"g", NOW)
    return value


SAMPLES: dict[str, Callable[[], Any]] = {
    "integer": lambda: 70000,
    "compressed string": lambda: b"ab" * 100,
    "listpack list": lambda: ListValue.of([b"a", b"-3", b"x" * 70], 5),
    "quicklist": lambda: ListValue.of([b"%d" % number for number in range(9)], 5),
    "intset": lambda: SetValue.collected([b"1", b"70000"], CONFIG),
    "set": lambda: SetValue.collected([b"a", b"b", b"3"], CONFIG),
    "listpack sorted set": lambda: ZSetValue.of({b"a": 1.0, b"b": 2.5}, CONFIG),
    "skiplist": lambda: ZSetValue.of({b"%d" % number: number / 2 for number in range(8)}, CONFIG),
    "listpack hash": lambda: HashValue.of([b"f", b"v", b"g", b"70000"], CONFIG),
    "hash table": lambda: HashValue.of([b"%d" % number for number in range(20)], CONFIG),
    "hash with times": a_timed_hash,
    "stream": a_stream,
}


@pytest.mark.parametrize("name", SAMPLES)
def test_every_bit_may_flip_and_the_end_be_anywhere(name: str) -> None:
    body = dump(SAMPLES[name](), CONFIG)[:-10]
    for place in range(len(body)):
        harmless(body[:place])
        for bit in range(8):
            changed = bytearray(body)
            changed[place] ^= 1 << bit
            harmless(bytes(changed))


def test_every_bit_of_a_file_may_flip_and_its_end_be_anywhere() -> None:
    config = a_config()
    config.rdbchecksum = False  # or the check sum would be all that is tried
    database = Database(0, bytearray(SLOT_COUNT))
    for name, sample in SAMPLES.items():
        database.put(name.encode(), sample())
    data = b"".join(Snapshot([database], config, NOW, [(b"redis-ver", b"7")], [b"#!lua"]))

    def fed(data: bytes) -> None:
        databases = [Database(0, bytearray(SLOT_COUNT))]
        loader = RdbLoader(config, databases.__getitem__, NOW, size=len(data))
        try:
            for start in range(0, len(data), 256):
                loader.feed(data[start : start + 256])
            loader.finish()
        except RdbFault:
            pass
        for value in databases[0].values:
            for held in value.values():
                checked(held)

    for place in range(0, len(data), 11):
        fed(data[:place])
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        fed(bytes(changed))


def test_no_flipped_bit_and_no_lost_end_gets_past_the_check_sum() -> None:
    database = Database(0, bytearray(SLOT_COUNT))
    for name, sample in SAMPLES.items():
        database.put(name.encode(), sample())
    data = b"".join(Snapshot([database], a_config(), NOW, [(b"redis-ver", b"7")], [b"#!lua"]))

    def load(data: bytes) -> None:
        into = Database(0, database.served)
        loader = RdbLoader(CONFIG, [into].__getitem__, NOW, size=len(data))
        loader.feed(data)
        loader.finish()

    def refused(data: bytes) -> None:
        with pytest.raises(RdbFault):
            load(data)

    for place in range(0, len(data), 3):
        refused(data[:place])
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        refused(bytes(changed))
