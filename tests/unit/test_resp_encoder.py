"""Each kind of reply in both protocols."""

from __future__ import annotations

from typing import Any

import pytest

from shardkv.errors import ReplyError, WrongType
from shardkv.resp.encoder import BULK_HEADER, INTEGER, LARGE, encode, respond
from shardkv.resp.replies import (
    NO_REPLY,
    OK,
    BigNumber,
    Encoded,
    NullArray,
    Pairs,
    Push,
    SetReply,
    Simple,
    Verbatim,
)


@pytest.mark.parametrize(
    ("reply", "resp2", "resp3"),
    [
        (0, b":0\r\n", None),
        (1023, b":1023\r\n", None),
        (1024, b":1024\r\n", None),
        (-1, b":-1\r\n", None),
        (b"", b"$0\r\n\r\n", None),
        (b"a\r\nb", b"$4\r\na\r\nb\r\n", None),
        (b"x" * 2000, b"$2000\r\n" + b"x" * 2000 + b"\r\n", None),
        (bytearray(b"ab"), b"$2\r\nab\r\n", None),
        (None, b"$-1\r\n", b"_\r\n"),
        (NullArray, b"*-1\r\n", b"_\r\n"),
        (NO_REPLY, b"", None),
        (OK, b"+OK\r\n", None),
        (Simple("a\r\nb"), b"+a  b\r\n", None),
        (True, b":1\r\n", b"#t\r\n"),
        (False, b":0\r\n", b"#f\r\n"),
        (0.1, b"$3\r\n0.1\r\n", b",0.1\r\n"),
        (float("-inf"), b"$4\r\n-inf\r\n", b",-inf\r\n"),
        (float("nan"), b"$3\r\nnan\r\n", b",nan\r\n"),
        ([], b"*0\r\n", None),
        ((1, b"a", None), b"*3\r\n:1\r\n$1\r\na\r\n$-1\r\n", b"*3\r\n:1\r\n$1\r\na\r\n_\r\n"),
        ([0] * 1100, b"*1100\r\n" + b":0\r\n" * 1100, None),
        ({b"a": 1}, b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n"),
        ({}, b"*0\r\n", b"%0\r\n"),
        (
            {b"a": {b"b": [None]}},
            b"*2\r\n$1\r\na\r\n*2\r\n$1\r\nb\r\n*1\r\n$-1\r\n",
            b"%1\r\n$1\r\na\r\n%1\r\n$1\r\nb\r\n*1\r\n_\r\n",
        ),
        (SetReply([b"a", b"b"]), b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", b"~2\r\n$1\r\na\r\n$1\r\nb\r\n"),
        (Pairs([(b"a", 1.5)]), b"*2\r\n$1\r\na\r\n$3\r\n1.5\r\n", b"*1\r\n*2\r\n$1\r\na\r\n,1.5\r\n"),
        (Verbatim(b"hi"), b"$2\r\nhi\r\n", b"=6\r\ntxt:hi\r\n"),
        (Verbatim(b"hi", b"mkd"), b"$2\r\nhi\r\n", b"=6\r\nmkd:hi\r\n"),
        (BigNumber(b"-12"), b"$3\r\n-12\r\n", b"(-12\r\n"),
        (Push([b"message", 1]), b"*2\r\n$7\r\nmessage\r\n:1\r\n", b">2\r\n$7\r\nmessage\r\n:1\r\n"),
        (ReplyError("ERR a\r\nb"), b"-ERR a  b\r\n", None),
        ([WrongType(), 1], b"*2\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n:1\r\n", None),
        (ReplyError("ERR \udcff"), b"-ERR \xff\r\n", None),
        (Encoded(b"+X\r\n"), b"+X\r\n", None),
        ([Encoded(b"+X\r\n")], b"*1\r\n+X\r\n", None),
    ],
)
def test_a_reply_has_its_form_in_both_protocols(reply: Any, resp2: bytes, resp3: bytes | None) -> None:
    assert encode(reply, False) == resp2
    assert encode(reply, True) == (resp2 if resp3 is None else resp3)


def test_subclasses_are_encoded_as_their_base() -> None:
    class Name(bytes):
        pass

    class Ordered(dict[bytes, int]):
        pass

    assert encode([Name(b"a"), Ordered({b"b": 1})], True) == b"*2\r\n$1\r\na\r\n%1\r\n$1\r\nb\r\n:1\r\n"


def test_what_is_no_reply_is_refused() -> None:
    with pytest.raises(TypeError, match="no reply: str"):
        encode(["text"], False)


def test_the_tables_of_headers_are_right() -> None:
    assert BULK_HEADER[0] == b"$0\r\n"
    assert BULK_HEADER[1023] == b"$1023\r\n"
    assert INTEGER[1023] == b":1023\r\n"


@pytest.mark.parametrize("resp3", [False, True])
@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"x" * 2000,
        b"x" * (LARGE + 1),
        7,
        5000,
        None,
        OK,
        [b"a", b"x" * (LARGE + 1), [b"b", 1]],
        [b"a"] * 20,
        [b"a", b"x" * (LARGE + 1)] * 10,
        {b"a": bytearray(b"b")},
        NO_REPLY,
    ],
)
def test_what_is_sent_are_the_same_bytes_and_large_strings_are_not_copied(reply: Any, resp3: bool) -> None:
    out = [b"before"]
    respond(out, reply, resp3)
    assert b"".join(out) == b"before" + encode(reply, resp3)
    for part in reply if isinstance(reply, list) else [reply]:
        if type(part) is bytes and len(part) > LARGE:
            assert any(piece is part for piece in out)


def test_nothing_of_what_is_no_reply_is_sent() -> None:
    out: list[bytes] = []
    with pytest.raises(TypeError):
        respond(out, [b"a", object()], resp3=False)
    assert not out
