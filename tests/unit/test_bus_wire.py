"""Bus frames and link set-up: what is read, what is ignored, what is refused and why."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgpack
import pytest

from shardkv.cluster.handshake import SEAL_OVERHEAD, Agreed, Handshake, Role, Sealer, Unsealer
from shardkv.cluster.messages import Fail, GossipEntry, Header, Ping
from shardkv.cluster.wire import BUS, FRAME_LIMIT, VERSION, Codec, FrameCutter, FrameReader, Malformed, encode, frame

HEADER = Header("a" * 40, 5, 4, bytes(2048), None, 7, "10.0.0.1", 7000, 0, 17000, 1, 0, True, "b" * 40, "", "")


class Colour(Enum):
    RED = 1


@dataclass(frozen=True, slots=True)
class Old:
    name: str
    pair: tuple[int, str] | None = None
    colour: Colour = Colour.RED


@dataclass(frozen=True, slots=True)
class New:
    name: str
    pair: tuple[int, str] | None = None
    colour: Colour = Colour.RED
    later: tuple[float, ...] = (1.5,)


def plain(*fields: Any, version: int = VERSION, code: int = 1) -> bytes:
    packed: bytes = msgpack.packb((version, code, *fields))
    return packed


# ------------------------------------------------------------------------------------------ messages


def test_a_newer_peers_extra_fields_are_ignored_and_an_older_ones_missing_fields_take_their_default() -> None:
    old, new = Codec({1: Old}), Codec({1: New}, version=2)
    assert old.unpack(new.pack(New("x", (1, "y"), Colour.RED, (2.0,)))) == Old("x", (1, "y"))
    assert new.unpack(old.pack(Old("x"))) == New("x")
    assert new.unpack(plain("x")) == New("x")


def test_an_unknown_type_is_skipped_only_if_the_sender_is_newer() -> None:
    reader = FrameReader(Codec({1: Old}))
    assert reader.feed(frame(plain("x", version=VERSION + 1, code=9)) + frame(plain("x"))) == [Old("x")]
    assert (reader.fault, reader.skipped) == (None, 1)
    assert reader.feed(frame(plain("x", code=9))) == []
    assert reader.fault == "unknown type code 9"


@pytest.mark.parametrize(
    "fields",
    [
        (),
        (b"bytes for text",),
        (1,),
        ("x", (1,)),
        ("x", (1, 2)),
        ("x", (True, "y")),
        ("x", (2**63, "y")),
        ("x", None, 2),
        ("x", None, True),
        ("x", None, 2**64 - 1),
        ("x", None, None),
        ("x", None, 1, 1.0),
        ("x", None, 1, (float("nan"),)),
        ("x", None, 1, (float("inf"),)),
        ("x", None, 1, {}),
    ],
)
def test_a_field_of_another_type_is_refused(fields: tuple[Any, ...]) -> None:
    with pytest.raises(Malformed):
        Codec({1: New}).unpack(plain(*fields))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        b"\x01",
        b"\x90",
        b"\x92\x01",
        b"\x93\xc3\x01\x01",
        b"\x81\x01\x01",
        plain("x") + b"\x00",
        plain("x" * 5000),
    ],
)
def test_what_is_no_payload_is_refused(payload: bytes) -> None:
    with pytest.raises(Malformed):
        Codec({1: Old}).unpack(payload)


def test_nested_headers_that_promise_much_take_little_memory() -> None:
    bomb = b"\x93\x01\x01" + b"\xdd\x00\x00\x10\x00" * 100_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Malformed):
        BUS.unpack(bomb)
    with pytest.raises(Malformed):
        BUS.unpack(b"\x93\x01\x01" + b"\xdd\xff\xff\xff\xff" * 1000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KB


def test_a_hint_that_cannot_be_checked_is_refused_when_the_vocabulary_is_made() -> None:
    @dataclass(frozen=True)
    class Loose:
        anything: dict[str, int]

    with pytest.raises(TypeError, match="can't carry"):
        Codec({1: Loose})


def test_a_message_that_no_peer_would_read_is_not_sent() -> None:
    with pytest.raises(ValueError, match="larger than a bus frame"):
        Codec({1: Old}, limit=100).pack(Old("x" * 200))
    entry = GossipEntry("a", "", 0, 0, 0, 0, 0.0)
    with pytest.raises(ValueError, match="items"):
        BUS.pack(Ping(HEADER, (entry,) * 5000))


def test_the_largest_ping_of_a_thousand_nodes_fits_well() -> None:
    entries = tuple(GossipEntry(f"{i:040x}", "2001:db8::1234:5678", 7000, 7001, 17000, 4, 1.7e9) for i in range(1000))
    payload = BUS.pack(Ping(HEADER, entries))
    assert len(payload) < FRAME_LIMIT / 5
    assert BUS.unpack(payload) == Ping(HEADER, entries)


# ------------------------------------------------------------------------------------------ frames


def test_a_frame_beyond_the_limit_is_a_fault_as_soon_as_its_header_is_seen() -> None:
    reader = FrameReader()
    assert reader.feed(encode(Fail(HEADER, "c")) + (FRAME_LIMIT + 1).to_bytes(4, "big")) == [Fail(HEADER, "c")]
    assert reader.fault == f"a frame of {FRAME_LIMIT + 1} bytes, more than {FRAME_LIMIT}"
    assert reader.feed(encode(Fail(HEADER, "c"))) == []


def test_a_cutter_can_be_asked_for_one_frame_and_keeps_the_rest() -> None:
    cutter = FrameCutter(10)
    assert cutter.cut(frame(b"one") + frame(b"two") + b"\x00", most=1) == [b"one"]
    assert cutter.held == frame(b"two") + b"\x00"


# ------------------------------------------------------------------------------------------ link set-up


def meet(dialer: Handshake, acceptor: Handshake) -> None:
    """Carries bytes between the two until both are silent."""
    data = dialer.start() + acceptor.start()
    sides = [acceptor, dialer]
    while data:
        data = sides[0].feed(data)
        sides.reverse()


def pair(dialer: bytes = b"", acceptor: bytes = b"", **changes: Any) -> tuple[Handshake, Handshake]:
    return Handshake(Role.DIALER, b"d" * 32, dialer, **changes), Handshake(Role.ACCEPTOR, b"a" * 32, acceptor)


def test_without_a_secret_the_link_is_open() -> None:
    dialer, acceptor = pair()
    meet(dialer, acceptor)
    assert dialer.agreed == acceptor.agreed == Agreed(VERSION, {}, sealed=False)
    assert dialer.sealer is None


def test_with_the_same_secret_the_link_is_sealed_both_ways_with_different_keys() -> None:
    dialer, acceptor = pair(b"s" * 32, b"s" * 32)
    meet(dialer, acceptor)
    assert dialer.agreed == acceptor.agreed == Agreed(VERSION, {}, sealed=True)
    assert dialer.sealer
    assert dialer.unsealer
    assert acceptor.sealer
    assert acceptor.unsealer
    assert acceptor.unsealer.unseal(dialer.sealer.seal(b"to")) == b"to"
    assert dialer.unsealer.unseal(acceptor.sealer.seal(b"from")) == b"from"
    with pytest.raises(Malformed, match="wrong seal"):  # our own frame, reflected
        dialer.unsealer.unseal(dialer.sealer.seal(b"to"))


@pytest.mark.parametrize(
    ("dialer_has", "acceptor_has", "dialer_says", "acceptor_says"),
    [
        (b"one", b"", "the peer has no cluster-auth-secret", "the peer requires a cluster-auth-secret"),
        (b"", b"two", "the peer requires a cluster-auth-secret", "the peer has no cluster-auth-secret"),
        (b"one", b"two", "the peer refused: wrong cluster-auth-secret", "cluster-auth-secret is another one"),
    ],
)
def test_secrets_that_differ_are_refused_and_both_sides_know_why(
    dialer_has: bytes, acceptor_has: bytes, dialer_says: str, acceptor_says: str
) -> None:
    dialer, acceptor = pair(dialer_has, acceptor_has)
    meet(dialer, acceptor)
    assert dialer.agreed is acceptor.agreed is None
    assert dialer_says in (dialer.fault or "")
    assert acceptor_says in (acceptor.fault or "")
    assert not dialer.garbage
    assert not acceptor.garbage


def test_a_stranger_that_dials_gets_a_hello_and_nothing_else() -> None:
    dialer, acceptor = pair(b"s" * 32, b"s" * 32)
    answer = acceptor.feed(dialer.start())
    assert len(FrameCutter().cut(answer)) == 1
    assert acceptor.agreed is None
    assert acceptor.feed(frame(msgpack.packb((VERSION, 2, bytes(32))))) == frame(
        msgpack.packb((VERSION, 3, "wrong cluster-auth-secret"))
    )
    assert acceptor.fault is not None


def test_a_changed_hello_spoils_the_proof() -> None:
    dialer, acceptor = pair(b"s" * 32, b"s" * 32, capabilities={"zip": 2})
    weakened, _ = pair(b"s" * 32, b"s" * 32)  # somebody on the path took the capability out
    acceptor.feed(proof := dialer.feed(acceptor.feed(weakened.start())))
    assert proof
    assert acceptor.fault == "the peer's cluster-auth-secret is another one"


def test_a_hello_sent_back_to_its_sender_is_refused() -> None:
    dialer, _ = pair(b"s" * 32)
    assert dialer.feed(dialer.start())
    assert dialer.fault == "a Hello that no node sends"


def test_versions_agree_on_the_newest_that_both_speak() -> None:
    dialer = Handshake(Role.DIALER, b"d" * 32, version=VERSION + 1, capabilities={"x": 3, "y": 1})
    acceptor = Handshake(Role.ACCEPTOR, b"a" * 32, capabilities={"x": 2})
    meet(dialer, acceptor)
    assert dialer.agreed == acceptor.agreed == Agreed(VERSION, {"x": 2}, sealed=False)
    future = frame(msgpack.packb((VERSION + 2, 1, VERSION + 2, VERSION + 2, b"f" * 32, False, ())))
    late = Handshake(Role.ACCEPTOR, b"a" * 32)
    late.feed(future)
    assert "have none in common" in (late.fault or "")


def test_what_follows_the_set_up_belongs_to_the_link() -> None:
    dialer, acceptor = pair()
    acceptor.feed(dialer.start() + frame(b"first") + b"\x00\x00")
    assert acceptor.agreed is not None
    assert acceptor.rest == frame(b"first") + b"\x00\x00"


def test_a_refusal_cannot_break_the_log() -> None:
    dialer, _ = pair()
    dialer.feed(frame(msgpack.packb((VERSION, 3, "a\nb\x1b[31m" + "x" * 1000))))
    assert dialer.fault is not None
    assert dialer.fault.isprintable()
    assert len(dialer.fault) < 200


# ------------------------------------------------------------------------------------------ seals


def test_replayed_reordered_missing_and_foreign_frames_are_refused() -> None:
    sealer = Sealer(b"k")
    first, second = sealer.seal(b"1"), sealer.seal(b"2")
    assert len(first) == 1 + SEAL_OVERHEAD
    replayed = Unsealer(b"k")
    assert replayed.unseal(first) == b"1"
    with pytest.raises(Malformed, match="out of turn"):
        replayed.unseal(first)
    with pytest.raises(Malformed, match="out of turn"):
        Unsealer(b"k").unseal(second)
    with pytest.raises(Malformed, match="wrong seal"):
        Unsealer(b"other").unseal(first)
    with pytest.raises(Malformed, match="without a seal"):
        Unsealer(b"k").unseal(b"short")
