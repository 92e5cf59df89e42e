"""Scripts beside redis-server: values both ways, errors raised, caught and returned, commands of every kind; the bytes
of the replies are compared, in RESP2 and RESP3."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.differential import agree
from tests.support.engine_client import EngineClient
from tests.support.lua_world import lua_string
from tests.support.oracle import Redis, Valkey
from tests.support.wire import Client

CORPUS = Path(__file__).parent / "lua" / "scripts.lua"


def corpus() -> list[str]:
    return [line for line in CORPUS.read_text().splitlines() if not line.startswith("--")]


def evals(scripts: list[str]) -> list[list[bytes]]:
    """Each script as a request, on a key that is not there."""
    requests = []
    for script in scripts:
        requests += [[b"FLUSHALL"], [b"EVAL", script.encode(), b"1", b"k", b"a"]]
    return requests


def test_every_script_of_the_corpus_is_answered_as_by_redis(oracle: Redis) -> None:
    agree(oracle, evals(corpus()))


FAILING = """
    return redis.error_reply('MY_CODE text')
    return redis.error_reply('')
    return redis.error_reply('-MY_CODE text')
    return {err = 'ERR text'}
    return {err = 'alone'}
    return {err = 'A_CODE_OF_THIRTY_CHARACTERS_XX text'}
    return {err = 'A_CODE_OF_THIRTY_ONE_CHARACTERS text'}
    return redis.pcall('incr', KEYS[1])
    return redis.call('incr', KEYS[1])
    redis.pcall('incr', KEYS[1]) return 1
    local e = redis.pcall('incr', KEYS[1]) e.err = 'OTHER text' return e
    return {1, {err = 'INSIDE text'}}
    return redis.pcall('lpush', KEYS[1])
    return redis.pcall('nosuch')
    error('text')
    error({err = 'RAISED text'})
"""


def test_errors_of_scripts_are_counted_as_by_redis(oracle: Redis) -> None:
    """As what they say, once, and among the failures of the script."""
    ours = EngineClient()
    with oracle.client() as theirs:
        for script in FAILING.split("\n    ")[1:]:
            counted = []
            for client in (ours, theirs):
                client.raw("SET", "k", "text")
                client.raw("CONFIG", "RESETSTAT")
                answer = client.raw("EVAL", script, 1, "k")
                counts = [
                    line for section in ("errorstats", "commandstats") for line in client.raw("INFO", section).split()
                ]
                about = [line for line in counts if re.match(rb"errorstat|cmdstat_(eval|incr|lpush):", line)]
                counted.append([answer, *sorted(re.sub(rb"usec[^,]*,", b"", line) for line in about)])
            assert counted[0] == counted[1], script


# ---- values, drawn

Sides: TypeAlias = list[tuple[EngineClient, Client]]


@pytest.fixture(scope="module")
def sides(_redis_process: Redis) -> Iterator[Sides]:
    """Clients of an engine and of the oracle, in RESP2 and in RESP3; what is drawn changes no key."""
    engine = EngineClient()
    with _redis_process.client() as two, _redis_process.client(resp3=True) as three:
        yield [(engine, two), (engine.other(resp3=True), three)]


def same(sides: Sides, scripts: list[bytes]) -> None:
    """Assert that both answer the same bytes, in both protocols."""
    for ours, theirs in sides:
        for script in scripts:
            assert ours.raw("EVAL", script, 0) == theirs.raw("EVAL", script, 0), script


def literal(value: Any) -> bytes:
    """A value as an expression of Lua."""
    if value is None:
        return b"nil"
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, bytes):
        return lua_string(value)
    if isinstance(value, float):
        return {math.inf: b"(1/0)", -math.inf: b"(-1/0)"}.get(value, b"(%r)" % value)
    if isinstance(value, list):
        return b"{" + b",".join(map(literal, value)) + b"}"
    return b"{" + b",".join(b"[%s]=%s" % (literal(key), literal(item)) for key, item in value.items()) + b"}"


numbers = st.one_of(
    st.integers(-(2**60), 2**60).map(float),
    st.integers(-300, 300).map(float),
    st.floats(allow_nan=False),
    st.sampled_from([2.0**31, 2.0**53, 2.0**63, -(2.0**63), 1e15, 1e17, 0.1, -0.5, 3.4e38]),
).filter(lambda number: not (number == 0 and math.copysign(1, number) < 0))
strings = st.binary(max_size=12)
scalars = st.one_of(st.none(), st.booleans(), numbers, strings)


def special(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Tables that mean something: statuses, errors, and the types of RESP3, some of them misused."""
    return st.one_of(
        st.sampled_from([b"ok", b"err", b"big_number", b"map", b"set", b"verbatim_string"]).flatmap(
            lambda name: st.fixed_dictionaries({name: st.one_of(strings, st.integers(0, 9).map(float), inner)})
        ),
        # Doubles that have the same digits in 7.0, which shows 17 of them, and later, where the shortest form counts.
        st.fixed_dictionaries({b"double": st.one_of(strings, st.integers(-4000, 4000).map(lambda n: n / 4))}),
        st.fixed_dictionaries({b"map": st.dictionaries(strings, inner, max_size=1)}),
        st.fixed_dictionaries({b"set": st.dictionaries(strings, st.just(True), max_size=1)}),
        st.fixed_dictionaries(
            {
                b"verbatim_string": st.fixed_dictionaries(
                    {b"string": strings, b"format": st.binary(min_size=3, max_size=3)}
                )
            }
        ),
    )


values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=6), special(inner)),
    max_leaves=20,
)


@given(st.lists(values, min_size=1, max_size=8), st.booleans())
def test_what_a_script_returns_is_the_same(sides: Sides, drawn: list[Any], speaks3: bool) -> None:
    first = b"redis.setresp(3) " if speaks3 else b""
    same(sides, [first + b"return " + literal(value) for value in drawn])


@given(st.lists(numbers, min_size=1, max_size=12))
def test_numbers_become_the_same_words(sides: Sides, drawn: list[float]) -> None:
    script = b"return {" + b",".join(b"redis.call('echo', %s)" % literal(number) for number in drawn) + b"}"
    same(sides, [script])


@given(st.lists(st.one_of(strings, numbers, st.booleans(), st.none()), max_size=5))
def test_errors_of_any_value_are_the_same(sides: Sides, drawn: list[Any]) -> None:
    requests = []
    for value in drawn:
        requests.append(b"error(%s)" % literal(value))
        requests.append(b"return {pcall(error, %s)}" % literal(value))
        requests.append(b"error({err = %s})" % literal(value if isinstance(value, bytes) else b"E x"))
    same(sides, requests)


# ---- patterns, drawn


pieces = st.sampled_from(
    ["a", "b", ".", "%a", "[ab]", "[^a]", "%d", "(a)", "()", "(.-)", "(a*)", "%f[%w]", "%b()", "%1", "^", "$"]
)
patterns = st.lists(st.tuples(pieces, st.sampled_from(["", "", "*", "+", "-", "?"])), max_size=6).map(
    lambda parts: "".join(piece + sign for piece, sign in parts)
)


@given(st.lists(st.tuples(st.text("ab1() ", max_size=40), patterns), min_size=1, max_size=6))
def test_patterns_match_the_same(sides: Sides, drawn: list[tuple[str, str]]) -> None:
    requests = []
    for subject, pattern in drawn:
        s, p = lua_string(subject.encode()), lua_string(pattern.encode())
        for call in (
            b"return {string.find(%s, %s)}",
            b"return {string.match(%s, %s, 2)}",
            b"return {string.gsub(%s, %s, '<%%0>')}",
            b"local t = {} for a, b in string.gmatch(%s, %s) do t[#t + 1] = a t[#t + 1] = b or '-' end return t",
        ):
            requests.append(call % (s, p))
    same(sides, requests)


# ---- functions

LIBRARIES = [
    "x", "#!lua", "#!lua\n", "#!lua name=\nx", "#!lua name=a name=b\nx", "#!lua foo=1\nx", "#!lua name=a b\nx",
    "#!  lua name=a\nx", "#!py name=a\nx", "#!lua name=a-b\nx", "#!lua name=a\nsyntax error", "#!lua name=a\nreturn 1",
    "#!lua name=a\nx = 1", "#!lua name=a\nlocal x = pairs", "#!lua name=a\nlocal x = redis.call",
    "#!lua name=a\nredis.register_function()", "#!lua name=a\nredis.register_function('f')",
    "#!lua name=a\nredis.register_function(1, function() end)", "#!lua name=a\nredis.register_function({})",
    "#!lua name=a\nredis.register_function{function_name = 'f'}",
    "#!lua name=a\nredis.register_function{function_name = 'f', callback = 1}",
    "#!lua name=a\nredis.register_function{callback = function() end}",
    "#!lua name=a\nredis.register_function{function_name = 'f', callback = function() end, flags = {'bad'}}",
    "#!lua name=a\nredis.register_function{function_name = 'f', callback = function() end, flags = 1}",
    "#!lua name=a\nredis.register_function{function_name = 'f', callback = function() end, foo = 1}",
    "#!lua name=a\nredis.register_function('a-b', function() end)",
    "#!lua name=a\nredis.register_function('', function() end)",
    "#!lua name=a\nredis.register_function('a', 'b', 'c')", "#!lua name=a\nredis.register_function('f', 1)",
    "#!LUA name=a\nredis.register_function('f', function() return 'f' end)",
    "#!lua name=b\nredis.register_function('f', function() end)",
    "#!lua name=b\nredis.register_function('F', function() end)",
    "#!lua name=b\nredis.register_function{function_name = 'h', callback = function() end, flags = {1}}",
    "#!lua name=b\nredis.register_function{function_name = 'h', callback = function() end, flags = {function() end}}",
    "#!lua name=c\nredis.register_function('g', function(keys, args) return {keys, args} end)",
    "#!lua name=d\nredis.register_function{function_name = 'ro', callback = function() return redis.call('get', 'k') "
    "end, flags = {'no-writes'}, description = 'reads'}",
    "#!lua name=e\nlocal n = 0 redis.register_function('count', function() n = n + 1 return n end)",
    "#!lua name=e2\nredis.register_function('fails', function() return redis.call('nosuch') end)",
    "#!lua name=e3\nredis.register_function('writes', function(k) return redis.call('set', k[1], 1) end)",
]  # fmt: skip
CALLS = [
    "fcall f 0", "fcall g 1 k a b", "fcall g 2 a", "fcall g -1", "fcall g x", "fcall nof 0", "fcall_ro ro 0",
    "fcall_ro writes 1 k", "fcall writes 1 k", "fcall ro 0", "fcall count 0", "fcall COUNT 0", "fcall_ro rO 0",
    "fcall fails 0",
    "function list libraryname d withcode", "function list libraryname D*", "function list foo",
    "function list libraryname",
    "function stats", "function kill", "function delete nolib", "function delete e", "fcall count 0",
    "function load a b", "function load replace", "function restore abc", "function restore abc foo",
    "function flush foo", "function flush sync x",
    "Function FLUSH sync x", "function Restore a b c", "function foo", "function flush async", "function stats",
    "function list",
]  # fmt: skip


def test_functions_are_loaded_called_and_told_of_as_by_redis(oracle: Redis) -> None:
    requests = [[b"FUNCTION", b"FLUSH"]]
    requests += [[b"FUNCTION", b"LOAD", code.encode()] for code in LIBRARIES]
    requests += [[b"FUNCTION", b"LOAD", b"REPLACE", code.encode()] for code in LIBRARIES]
    requests += [[word.encode() for word in line.split()] for line in CALLS]
    agree(oracle, requests)


FLAGGED = [
    "#!lua\nreturn 1", "#!lua flags=\nreturn 1", "#!lua flags=no-writes,allow-oom,allow-stale,no-cluster\nreturn 1",
    "#!lua flags=no-writes,\nreturn 1", "#!lua foo=1\nreturn 1", "#!lua flags=no-writes flags=allow-oom\nreturn 1",
    "#!lua", "#!", "#!x flags=no\nreturn 1", "#!lua \n\nfoo()", "#!lua\nreturn redis.call('set', KEYS[1], 1)\n+",
    "#!lua flags=no-writes\nreturn redis.call('set', KEYS[1], 1)",
    "#!lua flags=no-writes\nreturn redis.pcall('set', 1, 1)", "return redis.call('set', KEYS[1], 1)",
    "return redis.call('publish', 'a', 'b')", "return redis.call('pfcount', KEYS[1])",
]  # fmt: skip


def test_flags_are_read_as_by_redis(oracle: Redis) -> None:
    requests = []
    for script in FLAGGED:
        requests.append([b"EVAL", script.encode(), b"1", b"k"])
        if not script.startswith("#!x"):
            requests.append([b"EVAL_RO", script.encode(), b"1", b"k"])
    agree(oracle, requests)


ODDITIES = """
    eval "return 1" x
    eval "return 1" -1
    eval "return 1" 2 a
    eval "return 1"
    evalsha zz 0
    evalsha ffffffffffffffffffffffffffffffffffffffff 0
    evalsha ffffffffffffffffffffffffffffffffffffffff x
    script load "return ("
    script load "return 1"
    script exists e0e1f9fabfc9d4800c877a703b823ac0578ff8db x
    evalsha E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0
    script flush foo
    script flush sync
    script exists e0e1f9fabfc9d4800c877a703b823ac0578ff8db
    script kill
    script debug x
    script debug no
    script
    script foo
    multi
    eval "return redis.call('incr', KEYS[1])" 1 n
    evalsha ffffffffffffffffffffffffffffffffffffffff 0
    eval "return (" 0
    exec
"""


def test_scripts_get_the_elements_of_a_set_in_the_order_of_their_names(oracle: Redis) -> None:
    requests = [[b"SADD", b"set", *b"z aa b a azz c".split()]]
    for words in (b"'by', '_'", b"'by', '_', 'desc'", b"'by', '_', 'limit', 1, 2", b"'by', '_', 'store', 'list'"):
        requests.append([b"EVAL", b"return redis.call('sort', KEYS[1], %b)" % words, b"1", b"set"])
    agree(oracle, requests)


def test_requests_that_make_no_sense(oracle: Redis) -> None:
    agree(oracle, ODDITIES)


# ---- what only the later oracle has


def test_the_table_is_called_server_too(valkey: Valkey) -> None:
    agree(
        valkey,
        [
            [b"EVAL", b"return server.call('ping')", b"0"],
            [b"EVAL", b"return server == redis", b"0"],
            [b"EVAL", b"return os.clock() >= 0 and os.time == nil", b"0"],
            [b"SCRIPT", b"LOAD", b"return 1"],
            [b"SCRIPT", b"SHOW", b"e0e1f9fabfc9d4800c877a703b823ac0578ff8db"],
        ],
    )
