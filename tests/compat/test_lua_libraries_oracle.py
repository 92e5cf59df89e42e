"""cjson, cmsgpack, struct and bit beside those of redis-server: results to the last digit, errors to the letter.

What is not compared: a negative zero that a script hands over, or gets, outside of a table loses its sign.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.lua_world import LuaWorld, lua_string, oracle_outcomes
from tests.support.oracle import Redis

CORPUS = Path(__file__).parent / "lua"


@pytest.fixture(scope="module")
def world() -> LuaWorld:
    return LuaWorld()


def compare(world: LuaWorld, oracle: Redis, bodies: list[bytes]) -> None:
    """Run the bodies on both sides; name the first whose outcomes differ."""
    ours, theirs = world.outcomes(bodies), oracle_outcomes(oracle, bodies)
    for body, mine, other in zip(bodies, ours, theirs, strict=True):
        assert mine == other, body


# ---- what is written down


@pytest.mark.parametrize("library", ["cjson", "cmsgpack", "struct", "bit"])
def test_every_line_of_the_corpus_gives_the_same(world: LuaWorld, oracle: Redis, library: str) -> None:
    lines = (CORPUS / f"{library}.lua").read_bytes().splitlines()
    compare(world, oracle, [line for line in lines if not line.startswith(b"--")])


@pytest.mark.parametrize("setting", ["true", "false"])
@pytest.mark.parametrize(
    "text", ["[nan]", "[-inf]", "[0x1]", "[01]", "[+1]", "[1.]", "[-]", "[1e5]", "[-.5]", "[-a]", '[-"]']
)
def test_numbers_beyond_json(world: LuaWorld, oracle: Redis, setting: str, text: str) -> None:
    body = f"""
        cjson.decode_invalid_numbers({setting})
        local ok, value = pcall(cjson.decode, '{text}')
        cjson.decode_invalid_numbers(true)
        return ok, ok and value[1] or value
    """
    compare(world, oracle, [body.encode()])


def test_the_tables_have_the_same_members(world: LuaWorld, oracle: Redis) -> None:
    bodies = [
        b"local t = {} for k, v in pairs(%s) do t[k] = type(v) == 'string' and v or type(v) end return t" % library
        for library in (b"cjson", b"cmsgpack", b"struct", b"bit")
    ]
    compare(world, oracle, bodies)


# ---- what is drawn

numbers = st.one_of(
    st.integers(-(2**60), 2**60).map(float),
    st.integers(-300, 300).map(float),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([2.0**31, 2.0**32, 2.0**53, 2.0**63, -(2.0**63), 1e15, 0.1, 3.4e38, 1e-45, 2.0**-126]),
)
strings = st.one_of(st.binary(max_size=12), st.text(max_size=8).map(lambda text: text.encode("utf-8", "replace")))


def literal(value: Any) -> bytes:
    """A value as an expression of Lua; a tuple is of pairs."""
    if value is None:
        return b"cjson.null"
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, bytes):
        return lua_string(value)
    if isinstance(value, float):
        return {math.inf: b"(1/0)", -math.inf: b"(-1/0)"}.get(value, b"(0/0)" if value != value else b"(%r)" % value)
    if isinstance(value, list):
        return b"{" + b",".join(map(literal, value)) + b"}"
    return b"{" + b",".join(b"[%s]=%s" % (literal(key), literal(item)) for key, item in value) + b"}"


scalars = st.one_of(st.none(), st.booleans(), numbers, strings)
keys = st.one_of(strings, st.integers(-2, 40).map(float), numbers)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=6), st.lists(st.tuples(keys, inner), max_size=6).map(tuple)),
    max_leaves=20,
)


def _no_negative_zero(value: Any) -> bool:
    return not (value == 0 and math.copysign(1, value) < 0) if isinstance(value, float) else True


@given(st.lists(values.filter(_no_negative_zero), min_size=1, max_size=8))
def test_values_are_written_and_read_back_alike(world: LuaWorld, redis_process: Redis, drawn: list[Any]) -> None:
    bodies = []
    for value in drawn:
        text = literal(value)
        bodies += [
            b"return cjson.encode(%s)" % text,
            b"return cjson.decode(cjson.encode({%s}))" % text,
            b"return cmsgpack.pack(%s)" % text,
            b"return cmsgpack.unpack(cmsgpack.pack({%s}, 1))" % text,
        ]
    compare(world, redis_process, bodies)


json_numbers = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"\A-?[0-9]{1,3}(\.[0-9]{0,3})?([eE][+-]?[0-9]{0,3})?\Z"),
)
json_strings = st.text(max_size=6).map(json.dumps) | st.text(max_size=6).map(
    lambda t: json.dumps(t, ensure_ascii=False)
)
json_blanks = st.text(alphabet=" \t\r\n", max_size=2)


def _json_array(blank: str, items: list[str]) -> str:
    return "[" + blank + f"{blank},{blank}".join(items) + blank + "]"


def _json_object(blank: str, items: list[tuple[str, str]]) -> str:
    return "{" + blank + f"{blank},{blank}".join(f"{k}{blank}:{blank}{v}" for k, v in items) + blank + "}"


json_texts = st.recursive(
    st.one_of(
        st.sampled_from(["true", "false", "null", "NaN", "-Infinity", "0x1f", "tru"]), json_numbers, json_strings
    ),
    lambda inner: st.one_of(
        st.builds(_json_array, json_blanks, st.lists(inner, max_size=4)),
        st.builds(_json_object, json_blanks, st.lists(st.tuples(json_strings, inner), max_size=4)),
    ),
    max_leaves=12,
)


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Bytes of which some are cut out, put in or replaced."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(data)))
        piece = draw(st.sampled_from([b"", b'"', b",", b"\\", b"\\u", b"[", b"}", b"\0", b"-", b"1", b" ", b"\xc1"]))
        data[at : at + draw(st.integers(0, 2))] = piece
    return bytes(data)


@given(st.lists(damaged(json_texts.map(lambda text: text.encode("utf-8", "replace"))), min_size=1, max_size=12))
def test_texts_are_read_and_refused_alike(world: LuaWorld, redis_process: Redis, texts: list[bytes]) -> None:
    # Inside of a table, where a negative zero keeps its sign.
    bodies = [b"return {cjson.decode(%s)}" % lua_string(text) for text in texts]
    compare(world, redis_process, bodies)


def _packed(world: LuaWorld, value: Any) -> bytes:
    packed = world.run(b"return cmsgpack.pack(%s)" % literal(value))
    assert isinstance(packed, bytes)
    return packed


@given(st.data())
def test_packed_data_are_read_and_refused_alike(world: LuaWorld, redis_process: Redis, data: st.DataObject) -> None:
    whole = st.one_of(st.binary(max_size=20), values.map(lambda value: _packed(world, value)))
    bodies = []
    for packed in data.draw(st.lists(damaged(whole), min_size=1, max_size=10)):
        text = lua_string(packed)
        offset, limit = data.draw(st.tuples(st.integers(-2, 22), st.integers(-1, 4)))
        bodies += [
            b"return {cmsgpack.unpack(%s)}" % text,
            b"return {cmsgpack.unpack_one(%s, %d)}" % (text, offset),
            b"return {cmsgpack.unpack_limit(%s, %d, %d)}" % (text, limit, offset),
        ]
    compare(world, redis_process, bodies)


formats = st.lists(
    st.one_of(
        st.sampled_from(["b", "B", "h", "H", "l", "L", "T", "i", "I", "f", "d", "x", "s", "c0", " ", "<", ">", "!"]),
        st.builds("{}{}".format, st.sampled_from("iIc!"), st.sampled_from([0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 32, 33])),
        st.sampled_from(["q", "?", "z9", "\x80", "c99999999999"]),
    ),
    max_size=8,
).map(lambda letters: "".join(letters).encode("latin-1"))


@given(st.data())
def test_formats_pack_and_unpack_alike(world: LuaWorld, redis_process: Redis, data: st.DataObject) -> None:
    bodies = []
    for _ in range(8):
        pattern = lua_string(data.draw(formats))
        given_values = st.lists(st.one_of(numbers, strings).filter(_no_negative_zero), max_size=8)
        arguments = b"".join(b"," + literal(value) for value in data.draw(given_values))
        raw = lua_string(data.draw(st.binary(max_size=60)))
        position = data.draw(st.integers(-1, 12))
        bodies += [
            b"return struct.size(%s)" % pattern,
            b"return struct.pack(%s%s)" % (pattern, arguments),
            b"return {struct.unpack(%s, %s, %d)}" % (pattern, raw, position),
            b"return {struct.unpack(%s, struct.pack(%s%s))}" % (pattern, pattern, arguments),
        ]
    compare(world, redis_process, bodies)


bit_arguments = st.one_of(numbers, st.sampled_from([b"12", b"0x7f", b"x", None, True, math.inf, -math.inf, math.nan]))


@given(st.lists(st.lists(bit_arguments, max_size=3), min_size=1, max_size=10))
def test_bits_are_combined_alike(world: LuaWorld, redis_process: Redis, drawn: list[list[Any]]) -> None:
    names = b"tobit bnot band bor bxor lshift rshift arshift rol ror bswap tohex".split()
    bodies = [
        b"return bit.%s(%s)" % (name, b",".join(map(literal, arguments))) for arguments in drawn for name in names
    ]
    compare(world, redis_process, bodies)
