"""``shardkv-admin check-aof``: says where and why, and repairs only when told to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from shardkv_cli.admin import main

from shardkv.persist.aof.records import encode, timestamp

SET_A = encode([[b"SET", b"a", b"1"]])
SET_B = encode([[b"SET", b"b", b"2"]])
MULTI, EXEC = encode([[b"MULTI"]]), encode([[b"EXEC"]])
SNAPSHOT = b"REDIS0010\xfe\x00\x00\x01k\x01v\xff" + bytes(8)


def _check(*words: str | Path, typed: str = "") -> Result:
    return CliRunner().invoke(main, ["check-aof", *map(str, words)], input=typed)


def _log(folder: Path, *parts: bytes) -> tuple[Path, list[Path]]:
    """A manifest and its files: a base, then increments."""
    paths = []
    lines = []
    for number, content in enumerate(parts):
        name = f"a.aof.{number}.incr.aof" if number else "a.aof.1.base.rdb"
        paths.append(folder / name)
        paths[-1].write_bytes(content)
        lines.append(f"file {name} seq {number or 1} type {'i' if number else 'b'}\n")
    manifest = folder / "a.aof.manifest"
    manifest.write_text("".join(lines))
    return manifest, paths


def test_a_sound_log_is_told_file_by_file(tmp_path: Path) -> None:
    manifest, [base, first, last] = _log(tmp_path, SNAPSHOT, SET_A, timestamp(7) + MULTI + SET_B + EXEC)
    result = _check(manifest)
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        f"{base}: {len(SNAPSHOT)} bytes, 1 keys in a snapshot, 0 commands: sound",
        f"{first}: {len(SET_A)} bytes, 1 commands: sound",
        f"{last}: {last.stat().st_size} bytes, 3 commands: sound",
        f"{manifest} is sound.",
    ]


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        (SET_B[:-1], "the file ends within a command"),
        (MULTI + SET_B, "the file ends within a transaction"),
        (MULTI + SET_B[:9], "the file ends within a command"),
        (b"garbage" + SET_B, "expected '*' and a number, found b'garbage*3'"),
        (encode([[b"NOSUCH"]]) + SET_B, "there is no command 'NOSUCH'"),
        (SET_B.replace(b"$1\r\n2", b"$999\r\n2") + SET_B, "a command is longer than the file"),
    ],
)
def test_damage_of_the_last_file_is_cut_off_if_told_to_and_a_copy_kept(
    tmp_path: Path, tail: bytes, reason: str
) -> None:
    manifest, [*_, path] = _log(tmp_path, SNAPSHOT, SET_A + tail)
    result = _check(manifest)
    assert result.exit_code == 1
    assert f"sound up to byte {len(SET_A)} ({len(tail)} bytes behind it); at byte" in result.output
    assert reason in result.output
    assert path.read_bytes() == SET_A + tail

    refused = _check("--fix", manifest, typed="n\n")
    assert refused.exit_code == 1
    assert path.read_bytes() == SET_A + tail

    fixed = _check("--fix", "--yes", manifest)
    assert fixed.exit_code == 0
    assert path.read_bytes() == SET_A
    assert path.with_name(f"{path.name}.backup").read_bytes() == SET_A + tail
    assert _check(manifest).exit_code == 0


def test_a_copy_never_replaces_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "single.aof"
    for number, tail in enumerate((b"*", b"*1")):
        path.write_bytes(SET_A + tail)
        assert _check("--fix", "--yes", path).exit_code == 0
        assert (tmp_path / f"single.aof.backup{f'-{number}' if number else ''}").read_bytes() == SET_A + tail


def test_a_file_that_others_follow_is_not_cut(tmp_path: Path) -> None:
    manifest, [_, path, _] = _log(tmp_path, SNAPSHOT, SET_A + SET_B[:-1], SET_A)
    result = _check("--fix", "--yes", manifest)
    assert result.exit_code == 1
    assert f"{path} can't be repaired: it is not the last file" in result.output
    assert path.read_bytes() == SET_A + SET_B[:-1]


def test_a_damaged_snapshot_is_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "base.rdb"
    damaged = SNAPSHOT[:-8] + bytes(range(1, 9)) + SET_A
    path.write_bytes(damaged)
    result = _check("--fix", "--yes", path)
    assert result.exit_code == 1
    assert "the snapshot that it begins with is damaged" in result.output
    assert path.read_bytes() == damaged


def test_commands_may_follow_a_snapshot(tmp_path: Path) -> None:
    path = tmp_path / "single.aof"
    path.write_bytes(SNAPSHOT + SET_A + SET_B[:5])
    assert f"sound up to byte {len(SNAPSHOT + SET_A)}" in _check(path).output


def test_programs_get_one_document(tmp_path: Path) -> None:
    manifest, [base, path] = _log(tmp_path, SNAPSHOT, SET_A + b"*")
    result = _check("--json", manifest)
    assert result.exit_code == 1
    document = json.loads(result.output)
    assert document["files"] == [
        {"file": str(base), "size": 25, "sound_up_to": 25, "keys": 1, "commands": 0, "error": None},
        {
            "file": str(path),
            "size": len(SET_A) + 1,
            "sound_up_to": len(SET_A),
            "keys": 0,
            "commands": 1,
            "error": {"offset": len(SET_A), "reason": "the file ends within a command", "torn": True},
        },
    ]


def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    manifest, [base, _] = _log(tmp_path, SNAPSHOT, SET_A)
    base.unlink()
    assert _check(manifest).output == f"Error: {base}: No such file or directory\n"
    manifest.write_text("nonsense\n")
    told = "line 1: Invalid AOF manifest file format, it is not made of pairs of words"
    assert _check(manifest).output == f"Error: {manifest} is no manifest: {told}\n"
