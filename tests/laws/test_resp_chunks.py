"""However the bytes are cut, the parser gives what the careful parser gives for them all at once."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from shardkv.resp.careful import CarefulParser
from shardkv.resp.parser import RequestParser

MAX_BULK = 1000


def multibulk(words: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


REQUEST_LIKE = [
    b"*1\r\n$4\r\nPING\r\n",
    b"\r\n",
    b"$",
    b"*",
    b"\r",
    b"+OK\r\n",
    b"*2\r\n",
    b"$-1\r\n",
    b"=7\r\ntxt:abc\r\n",
    b"~1\r\n",
    b"\0",
]
WORD = st.one_of(
    st.sampled_from([b"GET", b"SET", b"", b"key", b"x" * 9, b"x" * 10, b"x" * 99, b"x" * 100, b"y" * 300, b"z" * 2000]),
    st.binary(max_size=12),
    st.lists(st.sampled_from(REQUEST_LIKE), max_size=4).map(b"".join),
)
REQUEST = st.lists(WORD, min_size=1, max_size=12).map(multibulk)
ODD = st.sampled_from(
    [
        b"PING\r\n",
        b"SET a 'b c'\n",
        b'ECHO "\\x41\\n"\r\n',
        b"ECHO 'open\r\n",
        b"\r\n",
        b"*0\r\n",
        b"*-1\r\n",
        b"*1\r\n$-1\r\n",
        b"*1\r\n:5\r\n",
        b"*1\r\n*1\r\n$1\r\na\r\n",
        b"*1\r\n+OK\r\n",
        b"*1\r\n+OKOKOKOKOKOK\r\n",
        b"*1\r\n=7\r\ntxt:abc\r\n",
        b"*1\r\n=7\r\n\r\nx:abc\r\n",
        b"*1\r\n$1\r\naXX",
        b"*1\r\n$1\r\na\r\r",
        b"~1\r\n$1\r\na\r\n",
        b"|1\r\n$1\r\na\r\n$1\r\na\r\n",
        b">1\r\n$1\r\na\r\n",
        b"%1\r\n$1\r\na\r\n$1\r\nb\r\n",
        b"$4\r\nPING\r\n",
        b":1\r\n",
        b"+PING\r\n",
        b"#t\r\n",
        b"_\r\n",
        b"-ERR no\r\n",
        b"(123\r\n",
        b"*123456789\r\n",
        b"*1\r\n~123456\r\n",
        b"*99\r\n",
        b"*01\r\n",
        b"*+1\r\n",
        b"*2147483648\r\n",
        b"*1\r\n$1001\r\n",
        b"*1\r\n$00\r\n\r\n",
        b"*1\rX$4\rYPINGZZ",
        b"A\0B\r\n",
        b"*1\0\r\n",
        b"* 1\r\n",
        b"*1\n$4\nPING\n",
    ]
)
LONG = st.sampled_from([b"a" * 65536 + b"\n", b"a" * 65537 + b"\n", b"*" + b"1" * 65536, b"*1\r\n$" + b"1" * 65537])
STREAM = st.lists(
    st.one_of(REQUEST, REQUEST, REQUEST, ODD, st.tuples(ODD, REQUEST).map(b"".join), st.binary(max_size=8)), max_size=8
).map(b"".join)


def outcome(stream: bytes, cuts: list[int], authenticated: bool) -> tuple[list[list[bytes]], str | None, int]:
    parser = RequestParser(max_bulk=MAX_BULK)
    parser.authenticated = authenticated
    bounds = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    requests: list[list[bytes]] = []
    for start, end in pairwise(bounds):
        found = parser.feed(stream[start:end])
        while found:
            requests += found
            found = parser.feed(b"")
    return requests, parser.fault, parser.pending


def truth(stream: bytes, authenticated: bool) -> tuple[list[list[bytes]], str | None, int]:
    careful = CarefulParser(max_bulk=MAX_BULK)
    careful.authenticated = authenticated
    requests: list[list[bytes]] = []
    careful.feed(stream, requests)
    careful.feed(b"", [])
    return requests, careful.fault, careful.pending


@settings(max_examples=300, deadline=None)
@given(STREAM, st.lists(st.integers(0, 2000), max_size=6), st.sampled_from([True, True, True, False]))
@example(b"*1\r\n+PINGPINGPING\r\n*2\r\n", [], True)
@example(b"*1\r\n$1\r\naXX*1\r\n", [], True)
@example(b"*1\r\n$1\r\naXX*1\r\n$1\r\nb\r\n*1\r\n", [], True)
@example(b"*1\r\n=7\r\n\r\nx:abc\r\n*1\r\n$4\r\nPING\r\n", [], True)
@example(b"*1\r\n$1\r\na\r\n>1\r\n$1\r\na\r\n", [], True)
@example(b"*1\r\n$1\r\na\r\n~1\r\n$1\r\na\r\n", [], True)
@example(b"*1\r\n$1\r\na\r\n|1\r\n$1\r\na\r\n$1\r\na\r\n", [], True)
@example(b"*1\r\n$1\r\na\r\n%1\r\n$1\r\na\r\n$1\r\nb\r\n", [], True)
@example(b"*1\r\n(1234567890\r\n*2\r\n", [], True)
@example(b"*1\r\n$1\r\naX\r\n\n*1\r\n$1\r\nb\r\n", [], True)
@example(multibulk([b"SET", b"k", b"v"]) * 20, [33, 34, 35], True)
def test_cuts_change_nothing(stream: bytes, cuts: list[int], authenticated: bool) -> None:
    assert outcome(stream, cuts, authenticated) == truth(stream, authenticated)


@settings(max_examples=100, deadline=None)
@given(STREAM)
def test_byte_by_byte(stream: bytes) -> None:
    assert outcome(stream, list(range(len(stream))), True) == truth(stream, True)


@settings(max_examples=20, deadline=None)
@given(REQUEST, LONG, st.integers(0, 70_000), st.booleans())
def test_long_lines_are_cut_alike(request: bytes, line: bytes, cut: int, authenticated: bool) -> None:
    assert outcome(request + line, [cut], authenticated) == truth(request + line, authenticated)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(WORD.filter(lambda word: len(word) <= MAX_BULK), min_size=1, max_size=6), max_size=20))
def test_requests_come_back(requests: list[list[bytes]]) -> None:
    stream = b"".join(map(multibulk, requests))
    assert outcome(stream, [], True) == (requests, None, 0)
    assert outcome(stream, [100, 200], True) == (requests, None, 0)
