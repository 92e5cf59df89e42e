"""Loading the log into an engine: what is carried out, what is cut, and what is refused."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from shardkv_node.aof_files import AofFolder
from shardkv_node.aof_loading import AofLoader
from shardkv_node.disk import Disk
from shardkv_node.loading import LoadFault

from shardkv.config import Config
from shardkv.persist.aof.records import encode
from tests.support.engine_client import EngineClient

NAME = "appendonly.aof"
SET_A = encode([[b"SET", b"a", b"1"]])
SET_B = encode([[b"SET", b"b", b"2"]])
MULTI = encode([[b"MULTI"]])
EXEC = encode([[b"EXEC"]])


class Log:
    """A log on disk, made of the contents of its files: a base, then increments."""

    def __init__(self, folder: Path, *parts: bytes) -> None:
        self.told: list[str] = []
        self.folder = folder / "appendonlydir"
        self.folder.mkdir(exist_ok=True)
        lines = []
        for number, content in enumerate(parts):
            name = f"{NAME}.{number}.incr.aof" if number else f"{NAME}.1.base.aof"
            (self.folder / name).write_bytes(content)
            lines.append(f"file {name} seq {number or 1} type {'i' if number else 'b'}\n")
        (self.folder / f"{NAME}.manifest").write_text("".join(lines))

    def load(self, config: Config | None = None, *, follows: bool = False) -> EngineClient:
        """An engine with what is in the log; ``follows``: that of a replica. Raises LoadFault."""
        kv = EngineClient(config=config)
        kv.engine.following = follows
        files = AofFolder(self.folder, NAME, Disk(), lambda level, text: self.told.append(text))
        files.read()
        loader = AofLoader(kv.engine, files, Disk(), lambda level, text: self.told.append(text))
        for _ in loader.steps():
            pass
        return kv

    def file(self, number: int) -> bytes:
        """The bytes of an increment, or (0) of the base."""
        return (self.folder / (f"{NAME}.{number}.incr.aof" if number else f"{NAME}.1.base.aof")).read_bytes()


def _refused(log: Log, config: Config | None = None) -> str:
    with pytest.raises(LoadFault) as raised:
        log.load(config)
    text = str(raised.value)
    assert "\n" not in text
    return text


def test_files_are_loaded_in_order(tmp_path: Path) -> None:
    log = Log(tmp_path, SET_A, encode([[b"APPEND", b"a", b"2"]]), encode([[b"APPEND", b"a", b"3"]]))
    assert log.load()("GET", "a") == "123"


def test_nothing_expires_before_the_log_says_so(tmp_path: Path) -> None:
    at = b"%d" % (1_000)
    commands = [
        [b"SET", b"k", b"1", b"PXAT", at],
        [b"APPEND", b"k", b"2"],
        [b"PERSIST", b"k"],
        [b"SET", b"gone", b"1"],
        [b"PEXPIREAT", b"gone", at],
        [b"HSET", b"h", b"f", b"1"],
        [b"HPEXPIREAT", b"h", at, b"FIELDS", b"1", b"f"],
        [b"HINCRBY", b"h", b"f", b"1"],
        [b"HPERSIST", b"h", b"FIELDS", b"1", b"f"],
    ]
    kv = Log(tmp_path, encode(commands)).load()
    assert kv("GET", "k") == "12"
    assert kv("GET", "gone") is None
    assert kv("HGET", "h", "f") == "2"


def test_commands_of_older_servers_that_wait_do_not(tmp_path: Path) -> None:
    kv = Log(tmp_path, encode([[b"BLPOP", b"l", b"0"], [b"RPUSH", b"l", b"x"]])).load()
    assert kv("LRANGE", "l", 0, -1) == ["x"]


def test_scripts_of_older_servers_write_where_the_log_stands_whatever_this_node_may_write(tmp_path: Path) -> None:
    """Before Redis 7 a log held the scripts themselves. A replica loads its own, too few replicas are no reason either,
    and the script that loads it (DEBUG LOADAOF) stands in a database of its own."""
    script = [b"EVAL", b"return redis.call('INCRBY', KEYS[1], 7)", b"1", b"k"]
    flagged = [b"EVAL", b"#!lua\nreturn redis.call('INCR', KEYS[1])", b"1", b"k"]
    log = Log(tmp_path, encode([[b"SELECT", b"9"], script, script, flagged, [b"MULTI"], script, [b"EXEC"]]))
    config = Config()
    config.assign(Config.min_replicas_to_write, 3)
    for follows in (False, True):
        kv = log.load(config, follows=follows)
        assert not [line for line in log.told if "refused" in line]
        kv.engine.following = False
        assert kv("DBSIZE") == 0
        kv("SELECT", 9)
        assert kv("GET", "k") == "22"


def test_a_refused_command_is_told_of_and_passed_over(tmp_path: Path) -> None:
    log = Log(tmp_path, SET_A + encode([[b"LPUSH", b"a", b"x"]] * 5) + SET_B)
    assert log.load()("MGET", "a", "b") == ["1", "2"]
    assert sum("WRONGTYPE" in line for line in log.told) == 3
    assert "5 commands of the AOF file appendonly.aof.1.base.aof were refused in all" in log.told
    config = Config()
    config.assign(Config.propagation_error_behavior, "panic")
    assert "command 'lpush' failed reading the append only file" in _refused(log, config)


@pytest.mark.parametrize("size", range(1, len(MULTI + SET_B + EXEC), 3))
def test_a_log_that_ends_anywhere_in_a_transaction_is_cut_before_it(tmp_path: Path, size: int) -> None:
    log = Log(tmp_path, b"", SET_A + (MULTI + SET_B + EXEC)[:size])
    assert log.load()("KEYS", "*") == ["a"]
    assert log.file(1) == SET_A
    assert f"Truncating the AOF {NAME}.1.incr.aof at offset {len(SET_A)}" in log.told
    assert log.load()("KEYS", "*") == ["a"]


@pytest.mark.parametrize("size", range(1, len(SET_B), 4))
def test_a_torn_tail_is_refused_where_that_is_asked_for(tmp_path: Path, size: int) -> None:
    config = Config()
    config.assign(Config.aof_load_truncated, False)
    log = Log(tmp_path, b"", SET_A + SET_B[:size])
    assert f"(at offset {len(SET_A)})" in _refused(log, config)
    assert log.file(1) == SET_A + SET_B[:size]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (b"garbage", "expected '*' and a number, found b'garbage*3' (at offset {end})"),
        (encode([[b"NOSUCH", b"1"]]), "Unknown command 'NOSUCH' reading the append only file {path} (at offset {end})"),
        (encode([[b"SELECT", b"99"]]), "Unknown database 99 reading"),
        (MULTI + encode([[b"NOSUCH"]]) + EXEC, "Unknown command 'NOSUCH'"),
        (SET_B.replace(b"$1\r\n2", b"$1\r\n22"), "a word of 1 bytes does not end there"),
        (
            SET_B.replace(b"$1\r\n2", b"$9999\r\n2"),
            "a command is longer than the file, though whole commands follow it",
        ),
    ],
)
def test_a_damaged_middle_is_refused_with_its_place_and_left_alone(tmp_path: Path, damage: bytes, told: str) -> None:
    log = Log(tmp_path, b"", SET_A + damage + SET_A)
    assert told.format(end=len(SET_A), path=log.folder / f"{NAME}.1.incr.aof") in _refused(log)
    assert log.file(1) == SET_A + damage + SET_A


def test_a_torn_tail_of_a_file_that_is_not_the_last_is_damage(tmp_path: Path) -> None:
    log = Log(tmp_path, b"", SET_A + SET_B[:-3], SET_A)
    assert "is not the last one" in _refused(log)
    assert log.file(1) == SET_A + SET_B[:-3]


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    log = Log(tmp_path, SET_A, SET_B)
    (log.folder / f"{NAME}.1.incr.aof").unlink()
    assert f"{NAME}.1.incr.aof cannot be read: No such file or directory" in _refused(log)


def test_a_manifest_that_makes_no_sense_is_refused_with_its_line(tmp_path: Path) -> None:
    log = Log(tmp_path, SET_A, SET_B)
    manifest = log.folder / f"{NAME}.manifest"
    manifest.write_text(manifest.read_text().replace("type i", "type x"))
    assert "cannot be understood: line 2: Unknown AOF file type x" in _refused(log)


def test_a_snapshot_whose_sum_is_wrong_is_refused(tmp_path: Path) -> None:
    log = Log(tmp_path, b"REDIS0010\xff" + bytes(range(1, 9)), SET_B)
    assert "The snapshot that the AOF file" in _refused(log)


def test_commands_may_follow_a_snapshot_in_the_same_file(tmp_path: Path) -> None:
    log = Log(tmp_path, b"REDIS0010\xfe\x00\x00\x01k\x01v\xff" + bytes(8) + SET_A, SET_B)
    assert sorted(log.load()("KEYS", "*")) == ["a", "b", "k"]


def test_a_single_file_of_an_older_redis_is_taken_in(tmp_path: Path) -> None:
    log = Log(tmp_path)
    (log.folder / f"{NAME}.manifest").unlink()
    (tmp_path / NAME).write_bytes(SET_A)
    assert log.load()("GET", "a") == "1"
    assert not (tmp_path / NAME).exists()
    assert (log.folder / NAME).read_bytes() == SET_A
    (log.folder / NAME).rename(tmp_path / NAME)  # as if the node had ended in between
    assert log.load()("GET", "a") == "1"


def _flip(log: Log, place: int, bit: int) -> bytes:
    """Flip a bit of the first increment; its bytes before."""
    path = log.folder / f"{NAME}.1.incr.aof"
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[place] ^= 1 << bit
    path.write_bytes(damaged)
    return whole


@pytest.mark.parametrize("flips", [40, pytest.param(3000, marks=pytest.mark.long)])
def test_a_flipped_bit_is_refused_or_leaves_every_command_there(tmp_path: Path, seed: int, flips: int) -> None:
    commands = [[b"SET", b"key:%d" % number, b"value:%d" % number] for number in range(30)]
    log = Log(tmp_path, b"", encode(commands), SET_A)
    rng = Random(seed)
    size = len(log.file(1))
    for _ in range(flips):
        whole = _flip(log, rng.randrange(size), rng.randrange(8))
        try:
            kv = log.load()
        except LoadFault:
            pass  # refused, which loses nothing
        else:
            # Every command was carried out; a name or a value may be another, for nothing in the log tells.
            assert kv("DBSIZE") >= 30 or "refused" in " ".join(log.told)
        (log.folder / f"{NAME}.1.incr.aof").write_bytes(whole)
