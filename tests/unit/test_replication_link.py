"""The replica's link as a machine: what it says, what it believes, and what it does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkv.replication.replica import (
    Chunk,
    Continued,
    Dial,
    Effect,
    FullSync,
    Hangup,
    Incoming,
    Note,
    Online,
    ReplicaLink,
    Send,
    Settings,
    State,
    Streamed,
    Transferred,
)

ID = "a" * 40
MARK = b"e" * 40
GREETED = b"+PONG\r\n+OK\r\n+OK\r\n"


def link(**changes: object) -> ReplicaLink:
    """A link that was dialled and has sent its PING."""
    facts: dict[str, object] = {
        "timeout": 60.0,
        "user": b"",
        "password": b"",
        "announce_ip": b"",
        "announce_port": 7000,
    }
    made = ReplicaLink(Settings(**(facts | changes)), 0.0)  # type: ignore[arg-type]  # any of the fields
    assert made.tick(0.0, 0, None) == [Dial()]
    made.connected(0.0)
    return made


def sent(effects: list[Effect]) -> bytes:
    """What goes to the primary."""
    return b"".join(effect.data for effect in effects if isinstance(effect, Send))


def without_notes(effects: list[Effect]) -> list[Effect]:
    """The effects that do something."""
    return [effect for effect in effects if not isinstance(effect, Note)]


def test_the_greeting_goes_out_in_one_piece() -> None:
    made = link(user=b"ada", password=b"secret", announce_ip=b"10.0.0.1")
    assert sent(made.received(b"+PONG\r\n", 0.0)) == (
        b"*3\r\n$4\r\nAUTH\r\n$3\r\nada\r\n$6\r\nsecret\r\n"
        b"*3\r\n$8\r\nREPLCONF\r\n$14\r\nlistening-port\r\n$4\r\n7000\r\n"
        b"*3\r\n$8\r\nREPLCONF\r\n$10\r\nip-address\r\n$8\r\n10.0.0.1\r\n"
        b"*5\r\n$8\r\nREPLCONF\r\n$4\r\ncapa\r\n$3\r\neof\r\n$4\r\ncapa\r\n$6\r\npsync2\r\n"
    )
    assert sent(made.received(b"+OK\r\n-ERR what?\r\n+OK\r\n", 0.0)) == b""
    assert sent(made.received(b"+OK\r\n", 0.0)) == b"*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n"


def test_a_password_that_is_refused_ends_the_link() -> None:
    made = link(password=b"wrong")
    made.received(b"-NOAUTH Authentication required.\r\n", 0.0)
    effects = made.received(b"-WRONGPASS invalid username-password pair or user is disabled.\r\n", 0.0)
    assert without_notes(effects) == [Hangup()]
    assert made.state is State.CONNECT
    assert made.deadline == 1.0


def test_a_history_that_is_known_is_offered() -> None:
    made = ReplicaLink(Settings(60.0, b"", b"", b"", 1), 0.0)
    made.tick(0.0, 0, (ID, 99))
    made.connected(0.0)
    assert sent(made.received(GREETED, 0.0)).endswith(b"$40\r\n" + ID.encode() + b"\r\n$3\r\n100\r\n")
    effects = without_notes(made.received(b"\n\n+CONTINUE " + b"b" * 40 + b"\r\nstream", 0.0))
    assert effects[:2] == [Continued("b" * 40), Online()]
    assert effects[3:] == [Streamed(b"stream")]


def test_a_continuation_that_nobody_asked_for_is_not_believed() -> None:
    made = link()
    made.received(GREETED, 0.0)
    assert without_notes(made.received(b"+CONTINUE\r\n", 0.0)) == [Hangup()]


@given(st.data())
def test_a_transfer_is_the_same_however_it_is_cut(data: st.DataObject) -> None:
    body, stream = data.draw(st.binary(max_size=200)), data.draw(st.binary(max_size=50))
    by_mark = data.draw(st.booleans())
    if by_mark:
        snapshot, size = b"$EOF:" + MARK + b"\r\n" + body + MARK, None
    else:
        snapshot, size = b"$%d\r\n" % len(body) + body, len(body)
    whole = GREETED + b"\n+FULLRESYNC " + ID.encode() + b" 7\r\n\n\n" + snapshot + stream
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=20)))
    made = link()
    effects: list[Effect] = []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        if end > start:
            effects += made.received(whole[start:end], 0.0)
    effects = [effect for effect in without_notes(effects) if not isinstance(effect, Send)]
    chunks = b"".join(effect.data for effect in effects if isinstance(effect, Chunk))
    assert [effect for effect in effects if not isinstance(effect, Chunk)] == [
        FullSync(ID, 7),
        Incoming(size),
        Transferred(),
    ]
    assert chunks == body
    after = without_notes(made.loaded(0.0, 7))
    assert [effect for effect in after if isinstance(effect, Streamed)] == ([Streamed(stream)] if stream else [])


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.0 200 OK\r\n",
        b"x" * 5000,
        b"-ERR operation not understood\r\n",
        b"+PONG\r\nbad\r\n",
        GREETED + b"+FULLRESYNC\r\n",
        GREETED + b"+FULLRESYNC short 1\r\n",
        GREETED + b"+FULLRESYNC " + ID.encode() + b" -5\r\n",
        GREETED + b"+FULLRESYNC " + ID.encode() + b" 99999999999999999999\r\n",
        GREETED + b"*3\r\n",
        GREETED + b"-NOMASTERLINK Can't SYNC while not connected with my master\r\n",
        GREETED + b"+FULLRESYNC " + ID.encode() + b" 1\r\n$-1\r\n",
        GREETED + b"+FULLRESYNC " + ID.encode() + b" 1\r\n$99999999999999999\r\n",
        GREETED + b"+FULLRESYNC " + ID.encode() + b" 1\r\n$EOF:short\r\n",
        GREETED + b"+FULLRESYNC " + ID.encode() + b" 1\r\nREDIS0011\r\n",
        GREETED + b"+FULLRESYNC " + ID.encode() + b" 1\r\n-ERR no snapshot today\r\n",
        GREETED + b"+FULLRESYNC " + ID.encode() + b" 1\r\n" + b"y" * 5000,
    ],
)
def test_garbage_ends_the_link_with_one_line_and_a_pause(garbage: bytes) -> None:
    made = link()
    effects = made.received(garbage, 5.0)
    assert without_notes(effects)[-1] == Hangup()
    warnings = [effect for effect in effects if isinstance(effect, Note) and effect.level == "warning"]
    assert len(warnings) == 1
    assert made.state is State.CONNECT
    assert made.deadline == 6.0


@given(st.lists(st.binary(max_size=80), max_size=10))
def test_no_bytes_whatever_raise(pieces: list[bytes]) -> None:
    made = link()
    for piece in pieces:
        if made.state in (State.CONNECT, State.LOADING):
            break
        made.received(piece, 0.0)


def test_a_primary_of_old_is_asked_for_sync() -> None:
    made = link()
    made.received(GREETED, 0.0)
    effects = made.received(b"-ERR unknown command 'PSYNC'\r\n", 0.0)
    assert sent(effects) == b"*1\r\n$4\r\nSYNC\r\n"
    assert without_notes(made.received(b"$3\r\nabc", 0.0)) == [Incoming(3), Chunk(b"abc"), Transferred()]


def test_pauses_double_and_a_line_is_not_told_again() -> None:
    made = ReplicaLink(Settings(60.0, b"", b"", b"", 1), 0.0)
    told: list[Effect] = []
    now, pauses = 0.0, []
    for _ in range(6):
        made.tick(now, 0, None)
        told += made.lost(now, "Connection refused")
        pauses.append(made.deadline - now)
        now = made.deadline
    assert pauses == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert told == [Note("warning", "Connection refused")]


def test_a_link_that_was_whole_is_dialled_again_at_once() -> None:
    made = link()
    made.received(GREETED + b"+FULLRESYNC " + ID.encode() + b" 1\r\n$1\r\nx", 0.0)
    made.loaded(0.0, 1)
    assert made.lost(9.0, "Connection with master lost.") == [Note("warning", "Connection with master lost.")]
    assert made.deadline == 9.0
    assert made.down_since == 9.0
    assert made.tick(9.0, 0, None) == [Dial()]


def test_acknowledgements_go_out_every_second() -> None:
    made = link()
    made.received(GREETED + b"+FULLRESYNC " + ID.encode() + b" 1\r\n$1\r\nx", 0.0)
    assert made.deadline == 1.0
    assert made.tick(1.0, 0, None) == [Send(b"\n")]  # while it loads
    made.loaded(1.5, 1)
    assert made.deadline == 2.5
    assert sent(made.tick(2.5, 123, None)) == b"*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$3\r\n123\r\n"
