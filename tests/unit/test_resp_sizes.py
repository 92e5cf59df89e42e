"""How many bytes requests and replies have on the wire."""

from __future__ import annotations

import pytest

from shardkv.errors import ReplyError
from shardkv.resp.encoder import encode
from shardkv.resp.replies import OK, Verbatim
from shardkv.resp.sizes import reply_sizes, request_size
from tests.support.wire import request

REPLIES = [
    None, 1, -5, OK, b"", b"abc", b"x" * 5000, b"\r\n$5\r\n", [], [b"a", [1, [None, b"c"]], []], {b"a": [1], b"b": {}},
    1.5, True, ReplyError("ERR no"), Verbatim(b"text"),
]  # fmt: skip


@pytest.mark.parametrize("resp3", [False, True])
def test_replies_one_behind_the_other_are_told_apart(resp3: bool) -> None:
    encoded = [encode(reply, resp3) for reply in REPLIES]
    sizes = [len(data) for data in encoded]
    whole = b"".join(encoded)
    assert reply_sizes([whole]) == reply_sizes(encoded) == sizes
    for length in (1, 2, 3, 7, 1000):
        assert reply_sizes([whole[at : at + length] for at in range(0, len(whole), length)]) == sizes
    assert reply_sizes([b"*-1\r\n$-1\r\n"]) == [5, 5]


@pytest.mark.parametrize("words", [[b"PING"], [b"SET", b"a", b""], [b"DEL", *[b"k" * size for size in range(120)]]])
def test_a_request_has_the_size_that_it_is_sent_with(words: list[bytes]) -> None:
    assert request_size(words) == len(request(*words))
