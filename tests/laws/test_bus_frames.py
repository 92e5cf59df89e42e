"""Laws of the bus codec: everything round-trips, however it is cut; nothing raises, whatever arrives."""

from __future__ import annotations

from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import given
from hypothesis import strategies as st

from shardkv.cluster.handshake import SEAL_OVERHEAD, SETUP, Handshake, Hello, Proof, Refusal, Role, Sealer, Unsealer
from shardkv.cluster.messages import MESSAGES, GossipEntry, Header
from shardkv.cluster.records import INT_MAX, INT_MIN, Compiler
from shardkv.cluster.wire import BUS, FrameReader, encode, frame

# What the bus may carry of each type: msgpack has no lone surrogates, and times are finite.
SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(INT_MIN, INT_MAX),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: st.text(st.characters(codec="utf-8"), max_size=40),
    bytes: st.binary(max_size=64),
    bool: st.booleans(),
    type(None): st.none(),
}


def some(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type hint, records included."""
    if hint in SCALARS:
        return SCALARS[hint]
    args = get_args(hint)
    if get_origin(hint) is not tuple:
        if args:  # a union
            return st.one_of(*map(some, args))
        return st.builds(hint, **{name: some(of) for name, of in get_type_hints(hint).items()})
    return st.lists(some(args[0]), max_size=5).map(tuple) if args[-1] is ... else st.tuples(*map(some, args))


messages = st.one_of([some(kind) for kind in MESSAGES.values()])
parcels = st.lists(messages, max_size=4)


def cuts(data: bytes, sizes: list[int]) -> list[bytes]:
    """The data in pieces of these sizes, over and over."""
    pieces, at, turn = [], 0, 0
    while at < len(data):
        pieces.append(data[at : at + sizes[turn % len(sizes)]])
        at += sizes[turn % len(sizes)]
        turn += 1
    return pieces


@given(messages)
def test_every_message_comes_back_as_it_was(message: Any) -> None:
    assert BUS.unpack(BUS.pack(message)) == message


@given(st.one_of(some(Hello), some(Proof), some(Refusal)))
def test_every_set_up_frame_comes_back_as_it_was(message: Any) -> None:
    assert SETUP.unpack(SETUP.pack(message)) == message


@given(parcels, st.lists(st.integers(1, 5000), min_size=1, max_size=5))
def test_however_the_bytes_are_cut_the_messages_are_the_same(sent: list[Any], sizes: list[int]) -> None:
    reader = FrameReader()
    got = [message for piece in cuts(b"".join(map(encode, sent)), sizes) for message in reader.feed(piece)]
    assert (got, reader.fault) == (sent, None)


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_random_bytes_never_raise(pieces: list[bytes]) -> None:
    reader = FrameReader()
    for piece in pieces:
        reader.feed(piece)
        reader.feed(frame(piece))


json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=30,
)


@given(st.integers(0, 3), st.sampled_from([0, 1, 2, 3, 7, 9]), st.lists(json, max_size=20))
def test_sound_msgpack_of_any_shape_never_raises(version: int, code: int, fields: list[Any]) -> None:
    packed = BUS._packer.pack((version, code, *fields))
    for reader in (FrameReader(), FrameReader(SETUP)):
        for message in reader.feed(frame(packed)):
            assert type(message) in (*MESSAGES.values(), Hello, Proof, Refusal)


@given(messages, st.data())
def test_a_changed_field_never_raises(message: Any, data: st.DataObject) -> None:
    packed = bytearray(BUS.pack(message))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    for got in FrameReader().feed(frame(bytes(packed))):
        # whatever it turned into, it is of the types that the machine counts on
        for name, hint in get_type_hints(type(got)).items():
            if hint in (int, str, bytes, bool, float):
                assert type(getattr(got, name)) is hint


@given(st.sampled_from([Header, GossipEntry]), st.lists(json, max_size=18))
def test_the_quick_reader_and_the_plain_one_agree(kind: type, fields: list[Any]) -> None:
    read, _ = Compiler().record(kind)
    try:
        quick = read(tuple(fields))
    except ValueError:
        return
    # one field more sends the same values down the plain way, which ignores it
    assert read((*fields, "extra")) == quick


# ------------------------------------------------------------------------------------------ links


@given(
    st.sampled_from(list(Role)),
    st.sampled_from([b"", b"secret"]),
    st.lists(st.binary(max_size=300), max_size=5),
    st.booleans(),
)
def test_random_bytes_never_raise_in_a_set_up(role: Role, secret: bytes, pieces: list[bytes], framed: bool) -> None:
    handshake = Handshake(role, bytes(32), secret)
    for piece in pieces:
        handshake.feed(frame(piece) if framed else piece)
    assert handshake.agreed is None


@given(st.lists(some(Hello) | some(Proof) | some(Refusal), max_size=4), st.sampled_from(list(Role)))
def test_without_the_secret_no_set_up_frames_lead_to_a_link(sent: list[Any], role: Role) -> None:
    handshake = Handshake(role, bytes(32), b"secret")
    for message in sent:
        handshake.feed(frame(SETUP.pack(message)))
    assert handshake.agreed is None


@given(st.sampled_from([b"", b"secret"]), st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_a_set_up_is_the_same_however_it_is_cut(secret: bytes, sizes: list[int]) -> None:
    sides = [Handshake(Role.ACCEPTOR, b"a" * 32, secret), Handshake(Role.DIALER, b"d" * 32, secret)]
    data = sides[1].start()
    while data:
        data = b"".join(sides[0].feed(piece) for piece in cuts(data, sizes))
        sides.reverse()
    assert sides[0].agreed is not None
    assert sides[0].agreed == sides[1].agreed


@given(st.lists(messages, min_size=1, max_size=3), st.data())
def test_a_sealed_stream_that_was_touched_yields_only_what_came_before(sent: list[Any], data: st.DataObject) -> None:
    sealer = Sealer(b"key")
    frames = [frame(sealer.seal(BUS.pack(message))) for message in sent]
    hurt = data.draw(st.integers(0, len(frames) - 1))
    whole = bytearray(frames[hurt])
    kind = data.draw(st.sampled_from(["flip", "cut", "repeat", "drop"]))
    if kind == "flip":
        # past the length: a changed length is found out by the next frame's seal, or never becomes whole
        whole[data.draw(st.integers(4, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
        frames[hurt] = bytes(whole)
    elif kind == "cut":
        frames[hurt] = frame(bytes(whole[4 : -data.draw(st.integers(1, len(whole) - 5))]))
    elif kind == "repeat":
        frames.insert(hurt, frames[hurt])
    else:
        del frames[hurt]
    reader = FrameReader(unseal=Unsealer(b"key").unseal, overhead=SEAL_OVERHEAD)
    got = reader.feed(b"".join(frames))
    assert got == sent[: len(got)]
    assert len(got) <= hurt + (kind == "repeat")
    if kind != "drop" or hurt < len(frames):
        assert reader.fault is not None


@given(messages)
def test_a_sealed_stream_read_without_its_key_yields_nothing(message: Any) -> None:
    reader = FrameReader(unseal=Unsealer(b"guess").unseal, overhead=SEAL_OVERHEAD)
    assert reader.feed(frame(Sealer(b"key").seal(BUS.pack(message)))) == []
    assert reader.fault == "a frame with a wrong seal"
