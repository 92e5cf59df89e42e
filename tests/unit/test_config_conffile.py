"""The grammars of redis.conf and of the command line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkv.config import ConfigFault
from shardkv.config.cmdline import parse
from shardkv.config.conffile import read
from shardkv.config.quoting import quote, split_words, to_text

FILES = {"more.conf": "hz 20\n# x\n", "ring.conf": "include ring.conf\n", "deep.conf": "include more.conf\nport 5\n"}


def read_file(pattern: str) -> list[tuple[str, str]]:
    if "*" in pattern:
        return [(name, FILES[name]) for name in ("deep.conf", "more.conf") if pattern == "*e*.conf"]
    if pattern not in FILES:
        raise FileNotFoundError(2, "No such file or directory", pattern)
    return [(pattern, FILES[pattern])]


def words(text: str) -> list[tuple[str, ...]]:
    return [line.words for line in read(text, "a.conf", read_file)]


def test_comments_and_blank_lines_say_nothing() -> None:
    assert words("# x\n\n   \t\n  # y\nport 1\r\n") == [("port", "1")]


def test_a_comment_behind_words_is_more_words() -> None:
    assert words("port 1 # c") == [("port", "1", "#", "c")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('a "b c"  d', ["a", "b c", "d"]),
        ('a ""', ["a", ""]),
        (r'a "\x41\n\"\\\q"', ["a", 'A\n"\\q']),
        (r"a 'b\'c\n'", ["a", r"b'c\n"]),
        ('a b"c d"', ["a", "bc d"]),
        (r'a "\xff"', ["a", "\udcff"]),
        ("a é", ["a", "é"]),
        ('a "b', None),
        ('a "b"c', None),
        ("a 'b", None),
        ('a b"', None),
        ('a "b\\"', None),
        ("", []),
    ],
)
def test_words_are_quoted_as_in_redis(line: str, expected: list[str] | None) -> None:
    assert split_words(line) == expected


@given(st.lists(st.binary(), max_size=5))
def test_what_is_quoted_comes_back(values: list[bytes]) -> None:
    texts = [to_text(value) for value in values]
    assert split_words(" ".join(map(quote, texts))) == texts


def test_a_long_bad_line_is_refused_at_once() -> None:
    assert split_words('a "' + "\\x41" * 20_000) is None


def test_unbalanced_quotes_are_a_fault() -> None:
    with pytest.raises(ConfigFault, match="Unbalanced quotes in configuration line") as caught:
        words('port 1\nlogfile "x\n')
    assert (caught.value.source, caught.value.line_number) == ("a.conf", 2)


def test_an_included_file_stands_where_its_line_stood() -> None:
    lines = list(read("port 1\ninclude deep.conf\nport 9", "a.conf", read_file))
    assert [(line.source, line.number, *line.words) for line in lines] == [
        ("a.conf", 1, "port", "1"),
        ("more.conf", 1, "hz", "20"),
        ("deep.conf", 2, "port", "5"),
        ("a.conf", 3, "port", "9"),
    ]


def test_a_glob_includes_what_there_is() -> None:
    assert words("include *e*.conf") == [("hz", "20"), ("port", "5"), ("hz", "20")]
    assert words("include *.none") == []


def test_a_missing_or_circular_include_is_a_fault() -> None:
    with pytest.raises(ConfigFault, match="No such file or directory"):
        words("include nowhere.conf")
    with pytest.raises(ConfigFault, match=r"ring\.conf includes itself"):
        words("include ring.conf")


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ("--port 7000 --save 60 1 --save 300 10", ["port 7000", "save 60 1", "save 300 10"]),
        ("--bind 127.0.0.1 -::1", ["bind 127.0.0.1 -::1"]),
        ("--masterauth --foo --port 1", ["masterauth --foo", "port 1"]),
        ("--save --port 1", ["save ", "port 1"]),
        ("--port 1 --save", ["port 1", "save "]),
        ("--port", ["port"]),
        ("--port=1", ["port=1"]),
        ("-x 1", ["-x 1"]),
        ("--port 1 - 2", ["port 1 - 2"]),
        ("--port 1 --version", ["port 1", "version"]),
    ],
)
def test_options_of_a_command_line_are_lines(argv: str, expected: list[str]) -> None:
    line = parse(argv.split(" "))
    assert [" ".join(found.words) for found in line.lines] == expected
    assert (line.file, line.from_stdin) == (None, False)


def test_one_word_may_hold_an_option_and_its_value() -> None:
    assert [line.words for line in parse(["--port 1", "--maxclients 5 ", "--save", ""]).lines] == [
        ("port", "1"),
        ("maxclients", "5"),
        ("save", ""),
    ]


def test_a_file_comes_first_and_a_dash_first_or_last() -> None:
    assert parse(["a.conf", "--port", "1"]).file == "a.conf"
    assert parse(["a.conf"]).lines == ()
    assert parse(["-", "--port", "1"]).from_stdin
    assert parse(["a.conf", "--port", "1", "-"]).from_stdin


def test_version_and_help_only_as_the_first_word() -> None:
    assert parse(["--version"]).show_version
    assert parse(["-v"]).show_version
    assert parse(["-h"]).show_help
    assert parse(["--help"]).show_help
    assert not parse(["--masterauth", "--help"]).show_help
    assert parse([]).lines == ()
