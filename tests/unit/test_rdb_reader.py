"""RDB files in chunks: what they say, old forms of values, and what is refused."""

from __future__ import annotations

from math import inf
from struct import pack
from typing import Any

import pytest

from shardkv.config import Config
from shardkv.persist.rdb import opcodes
from shardkv.persist.rdb.events import Aux, Ended, Event, Library, Opened, Resize, Select, SlotSize
from shardkv.persist.rdb.faults import RdbFault
from shardkv.persist.rdb.primitives import length_bytes, plain_string
from shardkv.persist.rdb.reader import RdbReader
from shardkv.values.listpack import encode as make_listpack
from shardkv.values.streams import StreamValue
from tests.support.old_rdb import make_file, make_key, make_ziplist, make_zipmap

RICH = make_file(
    b"\xfa\x09redis-ver\x057.4.0\xfa\x04what\x04ever"
    + b"\xf5"
    + plain_string(b"#!lua name=m\n")
    + b"\xfe\x00\xfb\x03\x01\xf4\x05\x03\x01"
    + b"\xfc"
    + pack("<q", 1_900_000_000_123)
    + b"\xf8\x40\x50\x00\x01a\x01b"
    + b"\xfd"
    + pack("<i", 1_900_000_000)
    + b"\xf9\x07\x00\x01c\xc0\x05"
    + b"\xfe\x03"
    + make_key(opcodes.LIST_QUICKLIST_2, b"l", b"\x02\x02" + plain_string(make_listpack([b"x", b"7"])) + b"\x01\x01p")
)


def read(data: bytes, step: int = 0, config: Config | None = None) -> list[Event]:
    """All events of a file that comes in chunks of ``step`` bytes (0: in one)."""
    reader = RdbReader(config or Config())
    found: list[Event] = []
    for start in range(0, len(data), step or len(data) or 1):
        found += reader.feed(data[start : start + (step or len(data))])
    found += reader.finish()
    assert reader.offset + len(reader.rest) == len(data)
    return found


def shown(value: Any) -> Any:
    """A value as plain elements."""
    return value if isinstance(value, bytes) else list(value.digest_items())


def one_value(kind: int, body: bytes, version: int = 10) -> Any:
    """The value of the one key that a file has."""
    [key] = [event for event in read(make_file(make_key(kind, b"k", body), version)) if type(event) is tuple]
    assert key[0] == b"k"
    value = key[1]
    if not isinstance(value, bytes):
        value.check()
    return value


@pytest.mark.parametrize("step", [0, 1, 2, 3, 7, 50])
def test_a_file_tells_the_same_in_chunks_of_any_size(step: int) -> None:
    found = read(RICH, step)
    *others, last, ended = found
    assert others == [
        Opened(10, valkey=False),
        Aux(b"redis-ver", b"7.4.0"),
        Aux(b"what", b"ever"),
        Library(b"#!lua name=m\n"),
        Select(0),
        Resize(3, 1),
        SlotSize(5, 3, 1),
        (b"a", b"b", 1_900_000_000_123, 80, None),
        (b"c", b"5", 1_900_000_000_000, None, 7),
        Select(3),
    ]
    assert type(last) is tuple
    assert shown(last[1]) == [b"x", b"7", b"p"]
    assert ended == Ended(checked=True)


def test_what_comes_behind_the_end_is_kept() -> None:
    reader = RdbReader(Config())
    list(reader.feed(make_file(b"") + b"*1\r\n"))
    list(reader.feed(b"$4"))
    assert reader.done
    assert reader.rest == b"*1\r\n$4"


@pytest.mark.parametrize(
    ("kind", "body", "elements"),
    [
        (opcodes.LIST, b"\x03\x01a\xc0\x05\x00", [b"a", b"5", b""]),
        (opcodes.SET, b"\x02\x01b\x01a", [b"b", b"a"]),
        (opcodes.ZSET, b"\x03\x01a\xfe\x01b\xff\x01c\x031.5", [(b"a", inf), (b"b", -inf), (b"c", 1.5)]),
        (opcodes.HASH, b"\x01\x01f\x01v", [(b"f", b"v")]),
        (opcodes.ZSET_2, b"\x01\x01a" + pack("<d", 0.1), [(b"a", 0.1)]),
        (opcodes.HASH_ZIPMAP, plain_string(make_zipmap([b"f", b"v", b"g", b"w" * 300], free=1)), None),
        (opcodes.LIST_ZIPLIST, plain_string(make_ziplist([b"a", b"-3", b"70000"])), [b"a", b"-3", b"70000"]),
        (opcodes.SET_INTSET, plain_string(pack("<IIhh", 2, 2, -5, 7)), [b"-5", b"7"]),
        (opcodes.ZSET_ZIPLIST, plain_string(make_ziplist([b"a", b"1", b"b", b"2.5"])), [(b"a", 1.0), (b"b", 2.5)]),
        (opcodes.HASH_ZIPLIST, plain_string(make_ziplist([b"f", b"v"])), [(b"f", b"v")]),
        (
            opcodes.LIST_QUICKLIST,
            b"\x03" + b"".join(plain_string(make_ziplist(node)) for node in ([b"a"], [], [b"b", b"1"])),
            [b"a", b"b", b"1"],
        ),
        (opcodes.HASH_LISTPACK, plain_string(make_listpack([b"f", b"1"])), [(b"f", b"1")]),
        (opcodes.ZSET_LISTPACK, plain_string(make_listpack([b"7", b"1", b"b", b"inf"])), [(b"7", 1.0), (b"b", inf)]),
        (opcodes.SET_LISTPACK, plain_string(make_listpack([b"1", b"a"])), [b"1", b"a"]),
    ],
)  # fmt: skip
def test_every_type_of_collection_that_there_ever_was_is_read(kind: int, body: bytes, elements: Any) -> None:
    value = one_value(kind, body)
    if elements is None:
        assert value.as_dict() == {b"f": b"v", b"g": b"w" * 300}
    else:
        assert sorted(shown(value)) == sorted(elements)
    if value.type_name == "list":
        assert shown(value) == elements


def test_fields_with_times_are_read_in_both_forms_of_redis() -> None:
    first = pack("<q", 1000)
    table = one_value(opcodes.HASH_FIELD_TIMES, first + b"\x02\x01\x01f\x01v\x00\x01g\x01w", 12)
    packed = one_value(
        opcodes.HASH_LISTPACK_TIMES, first + plain_string(make_listpack([b"f", b"v", b"1000", b"g", b"w", b"0"])), 12
    )
    for value in (table, packed):
        assert value.as_dict() == {b"f": b"v", b"g": b"w"}
        assert (value.expiry(b"f"), value.expiry(b"g")) == (1000, None)


def test_type_22_is_what_the_file_says_it_is() -> None:
    body = make_key(22, b"h", b"\x02\x01f\x01v" + pack("<q", -1) + b"\x01g\x01w" + pack("<q", 5000))
    _, key, _ = read(make_file(body, 80, magic=b"VALKEY"))
    assert type(key) is tuple
    assert (key[1].expiry(b"f"), key[1].expiry(b"g")) == (None, 5000)
    with pytest.raises(RdbFault, match="preview"):
        read(make_file(body, 12))


def _stream(kind: int, *, counters: bytes, read_so_far: bytes, active: bytes) -> bytes:
    entries = [b"1", b"1", b"1", b"f", b"0", b"2", b"0", b"0", b"v", b"4", b"3", b"1", b"0", b"w", b"4"]
    first = pack(">QQ", 5, 0)
    return (
        b"\x01\x10" + first + plain_string(make_listpack(entries)) + b"\x01\x06\x00" + counters
        + b"\x01\x01g\x05\x00" + read_so_far
        + b"\x01" + first + pack("<q", 77) + b"\x02"
        + b"\x01\x01c" + pack("<q", 88) + active + b"\x01" + first
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "counters", "read_so_far", "active", "expected"),
    [
        (opcodes.STREAM, b"", b"", b"", (1, 0, 1, 88)),
        (opcodes.STREAM_2, b"\x05\x00\x06\x00\x02", b"\x01", b"", (2, 6 << 64, 1, 88)),
        (opcodes.STREAM_3, b"\x05\x00\x06\x00\x02", length_bytes(2**64 - 1), pack("<q", -1), (2, 6 << 64, -1, None)),
    ],
)
def test_streams_are_read_in_all_three_forms(
    kind: int, counters: bytes, read_so_far: bytes, active: bytes, expected: tuple[int, int, int, int | None]
) -> None:
    value = one_value(kind, _stream(kind, counters=counters, read_so_far=read_so_far, active=active))
    assert isinstance(value, StreamValue)
    assert list(value.range()) == [(5 << 64, [b"f", b"v"])]
    assert value.last_id == 6 << 64
    assert value.nodes[0].deleted == 1
    group = value.groups[b"g"]
    consumer = group.consumers[b"c"]
    assert (value.entries_added, value.max_deleted_id, group.entries_read, consumer.active) == expected
    assert (group.pending[5 << 64].time, group.pending[5 << 64].count, consumer.seen) == (77, 2, 88)


def test_a_key_whose_collection_is_empty_is_passed_over() -> None:
    reader = RdbReader(Config())
    body = make_key(opcodes.SET, b"empty", b"\x00") + make_key(opcodes.LIST_QUICKLIST_2, b"none", b"\x00")
    found = list(reader.feed(make_file(body + b"\x00\x01a\x01b")))
    assert [event for event in found if type(event) is tuple] == [(b"a", b"b", None, None, None)]
    assert reader.skipped_empty == 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not an RDB file"),
        (b"REDIS", "not an RDB file"),
        (b"*3\r\n$3\r\nSET", "not an RDB file"),
        (b"REDIS00a0\xff", "not an RDB file"),
        (make_file(b"", 13), "version 13"),
        (make_file(b"", 0), "version 0"),
        (make_file(b"", 90, magic=b"VALKEY"), "version 90"),
        (make_file(b"\xf7\x01"), "module"),
        (make_file(make_key(7, b"m", b"\x01")), "module"),
        (make_file(b"\xf6\x01a"), "preview of Redis 7.0"),
        (make_file(b"\xf3\x01a"), "import"),
        (make_file(b"\x2a\x01a\x01b"), "type 42"),
        (make_file(b"\x00\xc4a"), "no string"),
        (make_file(b"\xfe\xc0a"), "no length"),
        (make_file(b"\x00\x01a\x01b")[:-9], "too early"),
        (make_file(b"\x00\x01a\x01b")[:-1], "too early"),
        (make_file(b"\x00\x01a\x01b")[:-1] + b"\x00", "check sum"),
        (make_file(make_key(opcodes.SET, b"s", b"\x02\x01a\x01a")), "twice"),
        (make_file(make_key(opcodes.HASH_LISTPACK, b"s", plain_string(make_listpack([b"a"])))), "without a value"),
        (make_file(make_key(opcodes.ZSET_LISTPACK, b"s", plain_string(make_listpack([b"a", b"nan"])))), "score"),
        (make_file(make_key(opcodes.ZSET_2, b"s", b"\x01\x01a" + pack("<d", float("nan")))), "score"),
        (make_file(make_key(opcodes.ZSET, b"s", b"\x01\x01a\xfd")), "score"),
        (make_file(make_key(opcodes.LIST_QUICKLIST_2, b"s", b"\x01\x03\x01a")), "node"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    for step in (0, 1):
        with pytest.raises(RdbFault, match=reason):
            read(data, step)


def test_a_fault_tells_where_the_key_begins() -> None:
    data = make_file(b"\x00\x01a\x01b" + b"\x2a\x01a\x01b")
    with pytest.raises(RdbFault) as caught:
        read(data)
    assert caught.value.offset == 14


def test_a_module_is_named() -> None:
    number = sum(
        (ord(letter) - ord("a") + 26) << shift for letter, shift in zip("abcdefghi", range(58, 9, -6), strict=True)
    )
    with pytest.raises(RdbFault, match="module abcdefghi"):
        read(make_file(b"\xf7" + length_bytes(number)))


def test_a_length_that_passes_the_end_of_the_file_is_refused_at_once() -> None:
    data = make_file(b"\x00\x01a\x81" + b"\x7f" * 8)
    reader = RdbReader(Config(), size=1 << 30)
    with pytest.raises(RdbFault, match="passes the end"):
        list(reader.feed(data))


def test_a_large_value_is_not_begun_again_at_every_chunk() -> None:
    body = b"".join(plain_string(b"member:%d" % number) for number in range(100_000))
    data = make_file(make_key(opcodes.SET, b"s", length_bytes(100_000) + body))
    reader = RdbReader(Config())
    tried = 0
    for start in range(0, len(data), 1000):
        before = reader._need
        list(reader.feed(data[start : start + 1000]))
        tried += reader._need != before
    list(reader.finish())
    assert reader.done
    assert tried < 100


def test_no_check_sum_is_asked_for_where_there_is_none() -> None:
    assert read(make_file(b"", 4))[-1] == Ended(checked=False)
    assert read(make_file(b"", checked=False))[-1] == Ended(checked=False)
    config = Config()
    config.rdbchecksum = False
    assert read(make_file(b"")[:-1] + b"\x00", config=config)[-1] == Ended(checked=False)
