"""What stands in the log, and how it is read back."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hiredis import pack_command

from shardkv.keyspace.database import Database
from shardkv.persist.aof.reader import AofFault, AofReader, Run
from shardkv.persist.aof.records import Recorder, encode, timestamp

COMMANDS = [[b"SELECT", b"0"], [b"SET", b"key", b"x" * 300], [b"MULTI"], [b"DEL", b""], [b"RPUSH", b"l", b"\r\n*1\r\n"]]
LOG = timestamp(5) + encode(COMMANDS[:2]) + timestamp(6) + encode(COMMANDS[2:])


def _read(data: bytes, step: int = 0) -> tuple[list[list[bytes]], int, bool]:
    reader = AofReader()
    runs: list[Run] = []
    for at in range(0, len(data), step or len(data) or 1):
        runs += reader.feed(data[at : at + step] if step else data)
    runs += reader.held_back()
    return [words for run in runs for words in run.commands], reader.offset, reader.finish()


def _database(index: int) -> Database:
    return Database(index, bytearray(16384))


def test_commands_are_recorded_with_the_database_they_are_meant_for() -> None:
    recorder = Recorder()
    first, second = _database(0), _database(3)
    recorder.take(first, [b"SET", b"a", b"1"])
    recorder.take(None, [b"MULTI"])
    recorder.take(second, [b"SET", b"b", b"2"])
    recorder.take(second, [b"DEL", b"c"])
    recorder.take(None, [b"EXEC"])
    assert recorder
    select = [b"SELECT", b"3"]
    assert recorder.give() == encode(
        [[b"SELECT", b"0"], [b"SET", b"a", b"1"], [b"MULTI"], select, [b"SET", b"b", b"2"], [b"DEL", b"c"], [b"EXEC"]]
    )
    assert not recorder
    recorder.take(second, [b"DEL", b"d"])
    recorder.begin_file()
    recorder.take(second, [b"DEL", b"e"])
    assert recorder.give() == encode([[b"DEL", b"d"], select, [b"DEL", b"e"]])


def test_the_time_is_told_once_a_second_before_what_happens_in_it() -> None:
    recorder = Recorder()
    database = _database(0)
    for second, key in ((7, b"a"), (7, b"b"), (8, b"c")):
        recorder.stamp(second)
        recorder.take(database, [b"DEL", key])
    assert recorder.give() == (
        b"#TS:7\r\n" + encode([[b"SELECT", b"0"], [b"DEL", b"a"], [b"DEL", b"b"]]) + b"#TS:8\r\n"
        + encode([[b"DEL", b"c"]])
    )  # fmt: skip


@pytest.mark.parametrize("step", [0, 1, 2, 3, 7, 64])
def test_however_it_is_cut_the_same_commands_are_read(step: int) -> None:
    assert _read(LOG, step) == (COMMANDS, len(LOG), True)


def test_a_log_cut_anywhere_gives_the_whole_commands_before_and_where_they_end() -> None:
    ends = [0]
    for run in AofReader().feed(LOG):
        ends += [run.place(index) for index in range(1, len(run.commands) + 1)] or [len(timestamp(5))]
    for size in range(len(LOG)):
        commands, offset, whole = _read(LOG[:size])
        assert commands == COMMANDS[: len(commands)]
        assert whole == (offset == size)
        assert offset <= size
    last = len(LOG) - len(encode(COMMANDS[-1:]))
    for size in range(last + 1, len(LOG)):
        assert _read(LOG[:size]) == (COMMANDS[:-1], last, False)


def test_a_flipped_bit_is_never_taken_for_a_torn_tail_unless_it_is_in_the_last_command() -> None:
    torn = set()
    log = encode([[b"SET", b"key:%d" % number, b"value"] for number in range(8)])
    last = len(log) - len(encode([[b"SET", b"key:7", b"value"]]))
    for bit in range(len(log) * 8):
        damaged = bytearray(log)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            _, _, whole = _read(bytes(damaged))
        except AofFault:
            continue  # refused, which loses nothing
        if not whole:
            torn.add(bit // 8)
    assert torn
    assert min(torn) >= last


@pytest.mark.parametrize(
    ("damage", "offset", "reason"),
    [
        (b"xyz", 0, "expected '*' and a number, found b'xyz'"),
        (b"*0\r\n", 0, "no command has b'*0'"),
        (b"*-1\r\n", 0, "expected '*' and a number, found b'*-1'"),
        (b"*1\r\n:5\r\n", 4, "expected '$' and a number, found b':5'"),
        (b"*1\r\n$4\r\nPINGxx", 12, "a word of 4 bytes does not end there"),
        (b"*1\r\n$536870913\r\n", 4, "no command has b'$536870913'"),
        (b"*" + b"1" * 40, 0, "a line that should hold a number does not end"),
        (b"\0\0\0\0", 0, "expected '*' and a number"),
    ],
)
def test_damage_is_told_with_its_place(damage: bytes, offset: int, reason: str) -> None:
    log = encode(COMMANDS[:2])
    with pytest.raises(AofFault, match="at offset") as raised:
        _read(log + damage)
    assert raised.value.offset == len(log) + offset
    assert raised.value.reason.startswith(reason)


def test_a_length_that_lies_is_damage_and_no_torn_tail() -> None:
    good = encode([[b"SET", b"a", b"1"]] * 3)
    log = good + encode([[b"SET", b"b", b"12"]]).replace(b"$2", b"$9999") + good
    with pytest.raises(AofFault, match="whole commands follow") as raised:
        _read(log)
    assert raised.value.offset == len(good)


def test_a_large_value_in_small_pieces_is_not_looked_at_again_for_each() -> None:
    log = encode([[b"SET", b"large", bytes(1 << 22)]])
    assert _read(log, 1 << 12)[1:] == (len(log), True)


def test_runs_know_the_place_of_each_command() -> None:
    [run] = AofReader(100).feed(encode(COMMANDS))
    places = [run.place(index) for index in range(len(COMMANDS) + 1)]
    assert places[0] == 100
    assert [after - before for before, after in pairwise(places)] == [len(encode([words])) for words in COMMANDS]


@pytest.mark.parametrize("length", [0, 1, 9, 10, 1023, 1024, 5000])
def test_commands_of_any_shape_are_encoded_as_hiredis_does(length: int) -> None:
    for count in range(1, 7):
        words = [b"w" * length, *[b"x"] * (count - 1)]
        packed = [
            pack_command(tuple(request))  # type: ignore[arg-type]  # stub: a tuple of one
            for request in (words, words[::-1])
        ]
        assert encode([words, words[::-1]]) == b"".join(packed)
