"""The debugger of scripts with clients that are not redis-cli."""

from __future__ import annotations

import pytest

from shardkv.resp.encoder import encode
from shardkv.scripting.human import human
from tests.support.engine_client import EngineClient


def request(*words: str) -> bytes:
    """A command as a client sends it."""
    return encode([word.encode() for word in words], False)


class Talk:
    """A client that says what it was told to say, and then is gone."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.heard = b""

    def send(self, data: bytes) -> None:
        self.heard += data

    def receive(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""


def debug(kv: EngineClient, script: str, *pieces: bytes) -> tuple[list[bytes], bytes]:
    """What the client of a session reads, and the reply to EVAL."""
    talk = Talk(*pieces)
    kv.world.talk = talk
    kv("SCRIPT", "DEBUG", "SYNC")
    reply = kv.raw("EVAL", script, 0)
    return talk.heard.split(b"\r\n"), reply


def test_commands_may_come_in_pieces_and_together(kv: EngineClient) -> None:
    words = b"".join(request(*line) for line in (["p"], ["n"], ["c"]))
    lines, reply = debug(
        kv, "local x = 'a'\nlocal y = x\nreturn y", *(words[at : at + 3] for at in range(0, len(words), 3))
    )
    assert b"+No local variables in the current context." in lines
    assert b"+* Stopped at 2, stop reason = step over" in lines
    assert lines[-2] == b"+<endsession>"
    assert reply == b"$1\r\na\r\n"


def test_a_client_that_leaves_lets_its_script_run_to_the_end(kv: EngineClient) -> None:
    _, reply = debug(kv, "local n = 0\nfor i = 1, 10 do\nn = n + i\nend\nreturn n", request("b", "3"))
    assert reply == b":55\r\n"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"garbage\r\n", b"protocol error"),
        (b":1\r\n", b"protocol error"),
        (b"*1\r\n:1\r\n", b"protocol error"),
        (b"*1\r\n$2000000\r\n" + b"x" * 1_100_000, b"max client buffer reached"),
    ],
)
def test_what_is_no_command_ends_the_script(kv: EngineClient, data: bytes, error: bytes) -> None:
    _, reply = debug(kv, "return 1", data)
    assert reply.startswith(b"-ERR " + error)
    assert kv.session.close_after_reply


def test_without_the_switch_there_is_no_session(kv: EngineClient) -> None:
    kv("SCRIPT", "DEBUG", "YES")
    kv("SCRIPT", "DEBUG", "NO")
    assert kv("EVAL", "return {tostring(redis.breakpoint()), tostring(redis.debug('x'))}", 0) == ["false", "nil"]


def test_a_transaction_has_no_debugger(kv: EngineClient) -> None:
    kv("SCRIPT", "DEBUG", "YES")
    kv("MULTI")
    kv("EVAL", "return 1", 0)
    assert kv.raw("EXEC") == b"*1\r\n-ERR A script cannot be debugged inside of a transaction\r\n"


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        (b":1\r\n", b"1"),
        (b"$-1\r\n", b"NULL"),
        (b"*-1\r\n", b"NULL"),
        (b"_\r\n", b"(null)"),
        (b"#t\r\n", b"#true"),
        (b",1.5\r\n", b"(double) 1.5"),
        (b"%1\r\n+a\r\n*2\r\n:1\r\n$1\r\n\n\r\n", b'{"+a" => [1,"\\n"]}'),
        (b"~2\r\n:1\r\n:2\r\n", b"~(1,2)"),
    ],
)
def test_replies_as_people_see_them(reply: bytes, shown: bytes) -> None:
    assert human(reply) == shown
