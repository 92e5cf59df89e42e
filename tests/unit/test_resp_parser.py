"""Requests out of bytes: the cases were measured on redis-server 7.0.15."""

from __future__ import annotations

import tracemalloc

import pytest

from shardkv.resp.inline import split_words
from shardkv.resp.parser import RequestParser


def parse(data: bytes) -> tuple[list[list[bytes]], str | None]:
    parser = RequestParser()
    return parser.feed(data), parser.fault


PING = [[b"PING"]]


@pytest.mark.parametrize(
    ("data", "requests"),
    [
        (b"*1\r\n$4\r\nPING\r\n", PING),
        (b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" * 3, [[b"GET", b"k"]] * 3),
        (b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", [[b"ECHO", b""]]),
        (b"*-1\r\nPING\r\n", PING),
        (b"*-5\r\nPING\r\n", PING),
        (b"*0\r\n*1\r\n$4\r\nPING\r\n", PING),
        (b"*1\rX$4\rYPINGZZ", PING),
        (b"*1\r\n$4\r\nPINGZZPING\r\n", PING * 2),
        (b"\r\n\n\nPING\r\n", PING),
        (b"   \r\nPING\n", PING),
        (b"ECHO ab\r\r\n", [[b"ECHO", b"ab"]]),
        (b"PING\0\r\nPING\r\n", []),
        (b"*1\r\n\x003\r\nPING\r\n", []),
        (b"*2147483647\r\n", []),
        (b"a" * 65536 + b"\n", [[b"a" * 65536]]),
    ],
)
def test_bytes_become_these_requests(data: bytes, requests: list[list[bytes]]) -> None:
    assert parse(data) == (requests, None)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"*2147483648\r\n", "invalid multibulk length"),
        (b"*00\r\n", "invalid multibulk length"),
        (b"*-0\r\n", "invalid multibulk length"),
        (b"*\r\n", "invalid multibulk length"),
        (b"*+1\r\n", "invalid multibulk length"),
        (b"* 1\r\n", "invalid multibulk length"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$00\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*1\r\n:1\r\n", "expected '$', got ':'"),
        (b"*1\r\n\r\n\r\n", "expected '$', got '\r'"),
        (b"*1\r\n\xff3\r\n", "expected '$', got '\udcff'"),
        (b"PING 'a\r\n", "unbalanced quotes in request"),
        (b'PING "a"b\r\n', "unbalanced quotes in request"),
        (b"a" * 65537 + b"\n", "too big inline request"),
        (b"*" + b"1" * 65536, "too big mbulk count string"),
        (b"*1\r\n$" + b"1" * 65536, "too big bulk count string"),
    ],
)
def test_broken_bytes_have_these_faults(data: bytes, fault: str) -> None:
    parser = RequestParser()
    assert parser.feed(b"*1\r\n$4\r\nPING\r\n" + data) == PING
    assert parser.fault == "Protocol error: " + fault
    assert parser.feed(b"PING\r\n") == []
    assert parser.pending == 0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", []),
        (b"a  b\tc", [b"a", b"b", b"c"]),
        (b'PING "a\\x41\\n\\q" ', [b"PING", b"aA\nq"]),
        (b"ECHO 'a\\'b\\n'", [b"ECHO", b"a'b\\n"]),
        (b'ECHO a"b c"', [b"ECHO", b"ab c"]),
        (b'ECHO "\\xZZ\\x4"', [b"ECHO", b"xZZx4"]),
        (b"ECHO\va", [b"ECHO\va"]),
        (b"ECHO 'a'\vb", [b"ECHO", b"a", b"b"]),
        (b"ECHO a\rb", [b"ECHO", b"a", b"b"]),
        (b"ECHO ''", [b"ECHO", b""]),
        (b"ECHO \x1ca\xa0", [b"ECHO", b"\x1ca\xa0"]),
        (b'"\\', None),
        (b'"a\\"', None),
        (b"'a'b", None),
        (b'"\r\t\\a\\b\\r\\t\\\\"', [b"\r\t\a\b\r\t\\"]),
    ],
)
def test_inline_words_are_split_as_a_shell_does(line: bytes, words: list[bytes] | None) -> None:
    assert split_words(line) == words


def test_limits_before_authentication() -> None:
    for data, fault in [(b"*11\r\n", "multibulk"), (b"*1\r\n$16385\r\n", "bulk")]:
        parser = RequestParser()
        parser.authenticated = False
        assert parser.feed(data) == []
        assert parser.fault == f"Protocol error: unauthenticated {fault} length"
    parser = RequestParser()
    parser.authenticated = False
    assert parser.feed(b"*10\r\n$16384\r\n") == []
    assert parser.fault is None


def test_a_large_request_behind_auth_waits_for_its_verdict() -> None:
    large = b"*1\r\n$20000\r\n" + b"x" * 20000 + b"\r\n"
    for authenticated in (True, False):
        parser = RequestParser()
        parser.authenticated = False
        assert parser.feed(b"AUTH x\r\n" + large) == [[b"AUTH", b"x"]]
        assert parser.fault is None
        parser.authenticated = authenticated
        assert parser.feed(b"") == ([[b"x" * 20000]] if authenticated else [])
        assert (parser.fault is None) is authenticated


def test_max_bulk_may_change() -> None:
    parser = RequestParser(max_bulk=10)
    parser.max_bulk = 4
    assert parser.feed(b"*1\r\n$4\r\nPING\r\n") == PING
    assert parser.feed(b"*1\r\n$5\r\nPINGS\r\n") == []
    assert parser.fault == "Protocol error: invalid bulk length"


def test_pending_counts_the_unfinished_request() -> None:
    parser = RequestParser()
    assert parser.feed(b"*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$5\r\nab") == PING
    assert parser.pending == len(b"*2\r\n$4\r\nECHO\r\n$5\r\nab")
    assert parser.feed(b"c") == []
    assert parser.pending == len(b"*2\r\n$4\r\nECHO\r\n$5\r\nabc")
    assert parser.feed(b"de\r\nPIN") == [[b"ECHO", b"abcde"]]
    assert parser.pending == 3
    assert parser.feed(b"G\r\n") == PING
    assert parser.pending == 0


def test_headers_reserve_no_memory() -> None:
    tracemalloc.start()
    try:
        for header in (
            b"*2147483647\r\n",
            b"*1\r\n$1\r\na\r\n*99999999\r\n",
            b"*1\r\n~99999999\r\n",
            b"*1\r\n|9999999\r\n",
        ):
            RequestParser().feed(header)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_large_values_in_small_pieces() -> None:
    value = bytes(range(256)) * 40_000
    stream = b"*2\r\n$4\r\nECHO\r\n$%d\r\n%b\r\n" % (len(value), value)
    parser = RequestParser()
    found: list[list[bytes]] = []
    for start in range(0, len(stream), 1000):
        found += parser.feed(stream[start : start + 1000])
    assert found == [[b"ECHO", value]]


def test_many_words_in_pieces() -> None:
    words = [b"%d" % number for number in range(150_000)]
    stream = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
    parser = RequestParser()
    found: list[list[bytes]] = []
    for start in range(0, len(stream), 16384):
        found += parser.feed(stream[start : start + 16384])
    assert found == [words]
