"""Requests of commands about whose words their grammar tells next to nothing: scripts, payloads, options, rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from shardkv.commands.spec import TABLE
from shardkv.config import Config
from shardkv.persist.rdb.primitives import crc64
from tests.compat.machine.draw import request
from tests.compat.machine.pools import ALL_KEYS, WILD
from tests.support.engine_client import EngineClient, decode

#: A script, or the body of a function, that carries out the words it is given.
CALL: Final = b"return redis.call(unpack(ARGV))"
#: What FUNCTION LOAD makes of the good ones is a library named ``lib`` with a function ``f``.
LIBRARIES: Final = (
    b"#!lua name=lib\nredis.register_function('f', function(keys, args) return redis.call(unpack(args)) end)",
    b"#!lua name=lib\nredis.register_function('f', function() return 1 end) error('too late')",
    b"#!lua name=other\nredis.register_function('f', function() return 1 end)",
    b"#!lua name=lib\nredis.register_function('g', 1)",
    b"#!lua name=lib\n",
    b"#!python name=lib\n",
    b"return 1",
)
SCRIPTS: Final = (
    CALL,
    CALL,
    CALL,
    b"return redis.pcall(unpack(ARGV))",
    b"return nothing.at.all",
    b"retrun 1",
    b"#!lua flags=no\n",
)
RULES: Final = (
    b"on",
    b"off",
    b"+@all",
    b"-@all",
    b"+get",
    b"~a*",
    b"%R~b*",
    b"%X~c",
    b"&c*",
    b">word",
    b"<none",
    b"#12",
    b"(+get",
    b"+none",
    b"reset",
)
OPTIONS: Final = [name.encode() for name in Config().get([b"*"])]


def _inner(rng: Random) -> list[bytes]:
    """Some command of data, as it is drawn from its grammar."""
    command = rng.choice([command for command in TABLE.values() if command.keys and not command.subcommands])
    return request(rng, command)


def _keys_and_words(rng: Random) -> list[bytes]:
    return [rng.choice((b"0", b"0", b"0", b"1", b"-1", b"x")), *_inner(rng)]


def damaged(rng: Random, payload: bytes) -> bytes:
    """A payload of DUMP with something wrong in it, and mostly with the right check sum nevertheless."""
    body = bytearray(payload[:-8])
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        body[rng.randrange(len(body) - 2)] = rng.randrange(256)
    if rng.random() < 0.2:
        del body[rng.randrange(len(body) - 2) :][:-2]
    if rng.random() < 0.1:
        return bytes(body) + payload[-8:]
    return bytes(body) + crc64(bytes(body)).to_bytes(8, "little")


def payloads(kv: EngineClient) -> list[bytes]:
    """What DUMP says of every key that there is."""
    found = [decode(kv.raw("DUMP", key)) for key in ALL_KEYS]
    return [payload for payload in found if isinstance(payload, bytes)]


def _restore(rng: Random, dumped: list[bytes]) -> list[bytes]:
    options = ((), (b"REPLACE",), (b"REPLACE", b"ABSTTL"), (b"REPLACE", b"FREQ", b"300"), (b"REPLACE", b"x"))
    ttl = rng.choice((b"0", b"0", b"100000", b"-1", b"x"))
    return [b"RESTORE", rng.choice(ALL_KEYS), ttl, damaged(rng, rng.choice(dumped)), *rng.choice(options)]


def _config_set(rng: Random) -> list[bytes]:
    pairs = rng.choice((1, 1, 2, 3))
    words = [word for _ in range(pairs) for word in (rng.choice(OPTIONS), rng.choice((*WILD, b"yes", b"no", b"100")))]
    return [b"CONFIG", b"SET", *words]


def _acl_setuser(rng: Random) -> list[bytes]:
    return [b"ACL", b"SETUSER", rng.choice((b"ada", b"bob", b"a b")), *rng.choices(RULES, k=rng.randrange(1, 5))]


def _library(rng: Random) -> list[bytes]:
    return [b"FUNCTION", b"LOAD", *rng.choice(((), (b"REPLACE",))), rng.choice(LIBRARIES)]


TELLING: Final[Mapping[str, Callable[[Random, list[bytes]], list[bytes]]]] = {
    "eval": lambda rng, _: [b"EVAL", rng.choice(SCRIPTS), *_keys_and_words(rng)],
    "eval_ro": lambda rng, _: [b"EVAL_RO", rng.choice(SCRIPTS), *_keys_and_words(rng)],
    "fcall": lambda rng, _: [b"FCALL", rng.choice((b"f", b"f", b"g")), *_keys_and_words(rng)],
    "fcall_ro": lambda rng, _: [b"FCALL_RO", b"f", *_keys_and_words(rng)],
    "function|load": lambda rng, _: _library(rng),
    "restore": _restore,
    "config|set": lambda rng, _: _config_set(rng),
    "acl|setuser": lambda rng, _: _acl_setuser(rng),
}
