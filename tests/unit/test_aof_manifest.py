"""The list of the log's files."""

from __future__ import annotations

import pytest

from shardkv.persist.aof.manifest import Manifest, ManifestFault, parse, read

NAME = "appendonly.aof"
TEXT = (
    "file appendonly.aof.2.base.rdb seq 2 type b\n"
    "file appendonly.aof.1.base.rdb seq 1 type h\n"
    "file appendonly.aof.1.incr.aof seq 1 type h\n"
    "file appendonly.aof.2.incr.aof seq 2 type i\n"
    "file appendonly.aof.3.incr.aof seq 3 type i\n"
)


def test_a_manifest_is_read_and_written_back_unchanged() -> None:
    manifest = parse(TEXT, NAME)
    assert str(manifest) == TEXT
    assert [part.name for part in manifest.parts] == [
        "appendonly.aof.2.base.rdb",
        "appendonly.aof.2.incr.aof",
        "appendonly.aof.3.incr.aof",
    ]


def test_comments_and_words_of_later_versions_are_passed_over() -> None:
    manifest = parse("# made by hand\nfile a.base.rdb seq 1 type b startoffset 7\n", "a")
    assert str(manifest) == "file a.base.rdb seq 1 type b\n"


def test_a_name_with_blanks_is_quoted_as_redis_quotes_it() -> None:
    manifest = Manifest("my log").with_base(preamble=True)
    assert str(manifest) == 'file "my log.1.base.rdb" seq 1 type b\n'
    assert parse(str(manifest), "my log").base == manifest.base


def test_a_rewrite_keeps_the_file_that_is_appended_to() -> None:
    manifest = Manifest(NAME).with_base(preamble=True).with_increment()
    begun = manifest.with_increment()
    done = begun.rewritten(preamble=False, appending=True)
    assert str(done) == (
        "file appendonly.aof.2.base.aof seq 2 type b\n"
        "file appendonly.aof.1.incr.aof seq 1 type h\n"
        "file appendonly.aof.1.base.rdb seq 1 type h\n"
        "file appendonly.aof.2.incr.aof seq 2 type i\n"
    )
    assert done.without_history().parts == done.parts
    assert parse(str(done), NAME) == done


def test_a_rewrite_while_nothing_is_recorded_keeps_the_base_alone() -> None:
    manifest = Manifest(NAME).with_base(preamble=True).with_increment()
    done = manifest.rewritten(preamble=True, appending=False).without_history()
    assert str(done) == "file appendonly.aof.2.base.rdb seq 2 type b\n"
    assert done.with_increment().current is not None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Found an empty AOF manifest"),
        ("# nothing\n", "Found an empty AOF manifest"),
        ("file a seq 1 type b", "line 1: Invalid AOF manifest file format, it does not end"),
        ("file a seq 1 type b\nfile b seq 2 type b\n", "line 2: Found duplicate base file information"),
        (
            "file a seq 2 type i\nfile b seq 2 type i\n",
            "line 2: Found a non-monotonic sequence number: 2 does not follow 2",
        ),
        ("file ../a seq 1 type b\n", "line 1: File can't be a path, just a filename"),
        (
            "file a seq x type b\n",
            "line 1: Invalid AOF manifest file format, it does not give a file, its sequence and its type",
        ),
        (
            "file a seq 0 type b\n",
            "line 1: Invalid AOF manifest file format, it does not give a file, its sequence and its type",
        ),
        ("file a seq 1 file b type i\n", "line 1: Invalid AOF manifest file format, it says the same thing twice"),
        ("file a.1.incr.aof seq 1 type h\n", "a.1.incr.aof can't be of type h: it is newer"),
        ("file a.2.incr.aof seq 2 type h\nfile a.1.incr.aof seq 1 type i\n", "a.2.incr.aof can't be of type h"),
        (
            "file a seq 1\n",
            "line 1: Invalid AOF manifest file format, it does not give a file, its sequence and its type",
        ),
        ("file a seq 1 type z\n", "line 1: Unknown AOF file type z"),
        ("file a seq\n", "line 1: Invalid AOF manifest file format, it is not made of pairs of words"),
        ('file "a seq 1 type b\n', "line 1: Invalid AOF manifest file format, it is not made of pairs of words"),
        ("\n", "line 1: Invalid AOF manifest file format, it is not made of pairs of words"),
        (f"file {'a' * 1100} seq 1 type b\n", "line 1: The AOF manifest file contains too long line"),
    ],
)
def test_what_is_no_manifest_says_where_and_why(text: str, reason: str) -> None:
    with pytest.raises(ManifestFault, match=f"^{reason}"):
        parse(text, NAME)


def test_no_flipped_bit_makes_another_log_of_the_files_that_are_there() -> None:
    text = str(Manifest(NAME).with_base(preamble=True).with_increment().with_increment())
    whole = [part.name for part in parse(text, NAME).parts]
    for bit in range(8 * len(text)):
        damaged = bytearray(text.encode())
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            parts = read(bytes(damaged), NAME).parts
        except ManifestFault:
            continue
        names = [part.name for part in parts]
        assert names == whole or set(names) - set(whole), bytes(damaged)  # as it was, or a file that is not there
