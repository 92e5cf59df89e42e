"""Access control beside redis-server 7.0 and valkey-server 9.1: rules, what they make, and what they allow.

What 7.2 changed is compared with Valkey: the words of refusals, and that the command rules of a user stay in their
order (7.0 rewrites them). Only Redis tells of ``sanitize-payload``; only Valkey has databases in its rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkv.commands.spec import TABLE
from tests.support.differential import agree
from tests.support.engine_client import EngineClient, decode
from tests.support.oracle import Redis, Valkey
from tests.support.processes import Server
from tests.support.wire_replies import NULL_ARRAY, Refusal

HASH: Final = sha256(b"pw").hexdigest()
_NAMED: Final = """
    get set del mget mset lpush blpop zadd sort eval select ping client config|get config|set config client|list
    client|setname publish subscribe psubscribe acl|whoami acl flushall object|encoding object SETBIT
"""
COMMANDS: Final = [name for name in _NAMED.split() if name.lower() in TABLE]
_CATEGORIES: Final = """
    all keyspace read write string list admin fast slow dangerous connection pubsub blocking scripting stream nosuch
"""
CATEGORIES: Final = _CATEGORIES.split()
PATTERNS: Final = ("a", "a*", "*", "b?", "[ab]*", "", "a*b", "ab", "\\a", "a b", "*a")
WORDS: Final = (
    *("on", "off", "ON", "nopass", "resetpass", "allkeys", "resetkeys", "allchannels", "resetchannels", "allcommands"),
    *(
        "nocommands",
        "reset",
        "clearselectors",
        "sanitize-payload",
        "skip-sanitize-payload",
        "~*",
        "&*",
        "+@ALL",
        "-@all",
    ),
    *(">pw", ">other", "<pw", "<other", f"#{HASH}", f"!{HASH}", "#abc", "!abc", f"#{HASH.upper()}", ">", "<"),
    *("", "foo", "+", "-", "+@", "~", "&", "%", "%~", "%R", "%R~", "%RW~x", "%wr~x", "%RR~x", "%X~x", "%R~a b"),
    *("+select|0", "+select|1", "-select|0", "+get|a", "+get|", "+config|", "+config|nosuch", "+config|get|x"),
    *("+nosuch", "-nosuch", "+nosuch|x", "+select|0|1", "-config|get", "+CONFIG|GET", "+debug|object"),
    *(
        "()",
        "(",
        ")",
        "(  )",
        "(+get",
        "~x)",
        "(on)",
        "(>pw)",
        "(+get ~a*)",
        '("~a" +@all)',
        '(+get "x)',
        "(allkeys ~a)",
    ),
)
REQUESTS: Final = (
    *(
        "GET a",
        "GET ab",
        "GET b",
        "GET bx",
        "SET a x",
        "SET a x GET",
        "SET b x",
        "MGET a b",
        "MSET a 1 ab 2",
        "DEL a b",
    ),
    *("COPY a b", "COPY b a", "EXISTS a", "TYPE x", "SORT a", "SORT a STORE b", "LMOVE a b LEFT LEFT", "BITFIELD a"),
    *(
        "BITFIELD a GET u8 0",
        "BITFIELD a SET u8 0 1",
        "GETEX a",
        "GETDEL b",
        "APPEND a x",
        "RENAME a b",
        "OBJECT ENCODING a",
    ),
    *("ZUNIONSTORE a 2 ab b", "ZUNIONSTORE b 1 a", "ZRANGESTORE a b 0 1", "BLPOP a b 0", "XREAD STREAMS a b 0 0"),
    *("XADD a * f v", "SUNION a b", "SINTERCARD 2 a b", "LMPOP 1 a LEFT", "EVAL x 1 a", "EVAL x 2 a b", "EVAL x 0"),
    *("GEORADIUS a 0 0 1 m", "GEORADIUS a 0 0 1 m STORE b", "GEOSEARCHSTORE a b FROMLONLAT 0 0 BYRADIUS 1 m"),
    *("PUBLISH a x", "PUBLISH ab x", "SUBSCRIBE a ab", "PSUBSCRIBE a*", "PSUBSCRIBE a", "SSUBSCRIBE b", "SPUBLISH a x"),
    *(
        "UNSUBSCRIBE zz",
        "PING",
        "SELECT 0",
        "SELECT 1",
        "CONFIG GET x",
        "CONFIG SET a b",
        "CLIENT LIST",
        "CLIENT SETNAME x",
    ),
    *("ACL WHOAMI", "ACL LIST", "AUTH x", "HELLO", "FLUSHALL", "KEYS *", "MULTI", "WATCH b", "TOUCH a", "PFCOUNT a b"),
    *("GET", "NOSUCH a", "CONFIG", "CONFIG NOSUCH", "DEBUG OBJECT a", "SETBIT a 0 1", "SORT_RO a", "OBJECT FREQ b"),
)


def rule(rng: Random) -> str:
    """One rule word, a good one more often than not."""
    match rng.randrange(8):
        case 0 | 1:
            return rng.choice("+-") + rng.choice(COMMANDS)
        case 2:
            return rng.choice("+-") + "@" + rng.choice(CATEGORIES)
        case 3 | 4:
            return rng.choice(("~", "~", "%R~", "%W~", "%rw~")) + rng.choice(PATTERNS)
        case 5:
            return "&" + rng.choice(PATTERNS)
        case 6:
            return "(" + " ".join(rule(rng) for _ in range(rng.choice((1, 2, 3)))) + ")"
        case _:
            return rng.choice(WORDS)


def _plain(reply: Any, valkey: bool) -> Any:
    """A reply without what one of the servers has of its own."""
    if isinstance(reply, Refusal):
        return reply.text
    if reply in (NULL_ARRAY, None):
        return None
    if isinstance(reply, bytes) and not valkey:
        return b"User u" + reply.removeprefix(b"This user") if reply.startswith(b"This user") else reply
    return reply


def _user(reply: Any, valkey: bool) -> Any:
    """What GETUSER tells, by name."""
    if not isinstance(reply, list):
        return reply
    told = dict(zip(reply[::2], reply[1::2], strict=True))
    told[b"selectors"] = [dict(zip(each[::2], each[1::2], strict=True)) for each in told[b"selectors"]]
    told[b"flags"] = [flag for flag in told[b"flags"] if not (valkey and b"sanitize" in flag)]
    for described in (told, *told[b"selectors"]):
        described.pop(b"databases", None)
        if not valkey:
            described.pop(b"commands")
    return told


def differences(server: Server, seed: int) -> Iterator[str]:
    """What a user of random rules is told and allowed differently by the server and by us."""
    rng = Random(seed)
    valkey = isinstance(server, Valkey)
    ours = EngineClient()
    with server.client() as theirs:
        theirs.must("ACL", "DELUSER", "u")
        for _ in range(rng.choice((1, 2, 3))):
            words = ("ACL", "SETUSER", "u", *(rule(rng) for _ in range(rng.choice((1, 2, 3, 5)))))
            expected, got = theirs(*words), decode(ours.raw(*words))
            if expected != got:
                yield f"{words}\n    ours   {got!r}\n    theirs {expected!r}"
        expected, got = (_user(ask("ACL", "GETUSER", "u"), valkey) for ask in (theirs, lambda *w: decode(ours.raw(*w))))
        if expected != got:
            yield f"GETUSER\n    ours   {got!r}\n    theirs {expected!r}"
        for request in rng.sample(REQUESTS, 12):
            if request.split()[0].lower() not in (*TABLE, "nosuch"):
                continue  # a command of Redis that is not there yet
            words = ("ACL", "DRYRUN", "u", *request.split())
            expected = _plain(theirs(*words), valkey)
            got = _plain(decode(ours.raw(*words)), True)
            if expected != got:
                yield f"{request}\n    ours   {got!r}\n    theirs {expected!r}"


@given(seed=st.integers(0, 1 << 32))
def test_random_users_are_those_of_redis(redis_process: Redis, seed: int) -> None:
    assert list(differences(redis_process, seed)) == []


@given(seed=st.integers(0, 1 << 32))
def test_random_users_are_those_of_valkey(valkey_process: Valkey, seed: int) -> None:
    assert list(differences(valkey_process, seed)) == []


# ---- what a client meets


def _met(server: Server, requests: Sequence[str]) -> list[Any]:
    with server.client() as owner, server.client() as client:
        owner.must("FLUSHALL")
        owner.must("ACL", "SETUSER", "u", *RULES)
        client.must("AUTH", "u", "any")
        replies = [client(*request.split()) for request in requests]
        owner.must("ACL", "DELUSER", "u")
    return replies


RULES: Final = (
    "reset",
    "on",
    "nopass",
    "~a*",
    "%R~r*",
    "%W~w*",
    "&c*",
    "+@all",
    "-config",
    "-flushall",
    "(+config|get)",
)
MET: Final = (
    *(
        "SET a x",
        "SET b x",
        "GET a",
        "GET b",
        "SET r x",
        "GET r",
        "SET w x",
        "GET w",
        "SET w x GET",
        "COPY r w",
        "COPY w r",
    ),
    *(
        "CONFIG SET a b",
        "FLUSHALL",
        "PUBLISH c x",
        "PUBLISH d x",
        "SUBSCRIBE d",
        "PSUBSCRIBE c",
        "SPUBLISH d x",
        "WATCH b",
    ),
    *("RPUSH al 1 2", "SORT al BY b*", "SORT al GET #", "SORT al GET a*", "SORT al BY nosort", "SORT al STORE b"),
    *(
        "SORT al STORE a1 STORE b",
        "SORT_RO al GET a*",
        "MULTI",
        "GET b",
        "EXEC",
        "MULTI",
        "SET a 1",
        "EXEC",
        "ACL WHOAMI",
    ),
    *(
        "GEORADIUS ag 0 0 1 m STORE b STORE ax",
        "GEORADIUS ag 0 0 1 m STORE ax STORE b",
        "EXISTS b",
        "OBJECT ENCODING b",
    ),
    *("SET b", "NOSUCH b", "CONFIG", "AUTH u y z", "AUTH nosuch x", "HELLO 3 AUTH nosuch x", "PING"),
)


def test_a_limited_client_meets_what_it_meets_at_valkey(valkey: Valkey) -> None:
    owner = EngineClient()
    owner("ACL", "SETUSER", "u", *RULES)
    client = owner.other()
    client("AUTH", "u", "any")
    ours = [decode(client.raw(*request.split())) for request in MET]
    assert dict(zip(MET, ours, strict=True)) == dict(zip(MET, _met(valkey, MET), strict=True))


def test_the_words_of_acl_are_those_of_redis(oracle: Redis) -> None:
    try:
        with oracle.client() as client:
            client.must("ACL", "DELUSER", "u")
        agree(
            oracle,
            """
            ACL WHOAMI
            ACL WHOAMI x
            ACL CAT
            ACL CAT nosuch
            ACL CAT a b
            ACL GENPASS 0
            ACL GENPASS 4097
            ACL GENPASS x
            ACL GENPASS 1 2
            ACL LOG RESET
            ACL LOG
            ACL LOG -1
            ACL LOG x
            ACL LOG RESET x
            ACL SETUSER
            ACL SETUSER "a b"
            ACL SETUSER "a\\x00b"
            ACL SETUSER u (+get
            ACL SETUSER u +get ~a
            ACL LIST
            ACL USERS
            ACL GETUSER nobody
            ACL DELUSER
            ACL DELUSER default
            ACL DELUSER nobody u
            ACL DRYRUN nobody get a
            ACL DRYRUN default nosuch
            ACL DRYRUN default get
            ACL DRYRUN default get a
            ACL LOAD
            ACL SAVE
            ACL NOSUCH
            ACL
            AUTH x
            AUTH nobody x
            AUTH default anything
            AUTH a b c
            CLIENT KILL USER nobody
            """,
        )
    finally:
        with oracle.client() as client:
            client.must("ACL", "DELUSER", "u")
            client.must("ACL", "LOG", "RESET")


def test_categories_hold_the_commands_of_redis(oracle: Redis) -> None:
    ours = EngineClient()
    with oracle.client() as theirs:
        for category in theirs.must("ACL", "CAT"):
            known = {name.decode() for name in theirs.must("ACL", "CAT", category)}
            for command in known & set(ours.engine.access.users.catalog.names):
                assert command in ours("ACL", "CAT", category), (command, category)


@pytest.mark.parametrize("request_line", ["AUTH u wrong", "GET b", "SET a x", "PUBLISH d x", "HELLO 3 AUTH eve x"])
def test_a_refusal_is_logged_as_by_redis(oracle: Redis, request_line: str) -> None:
    rules = ("reset", "on", ">right", "~a", "+@all", "-set", "resetchannels")
    ours = EngineClient()
    told: list[dict[bytes, Any]] = []
    with oracle.client() as owner, oracle.client() as client:
        for ask, act in ((owner, client), (_asking(ours), _asking(ours.other()))):
            ask("ACL", "SETUSER", "u", *rules)
            act("AUTH", "u", "right")
            ask("ACL", "LOG", "RESET")
            act(*request_line.split())
            (entry,) = ask("ACL", "LOG")
            told.append(dict(zip(entry[::2], entry[1::2], strict=True)))
        owner("ACL", "DELUSER", "u")
        owner("ACL", "LOG", "RESET")
    theirs, got = told
    same = (b"count", b"reason", b"context", b"object", b"username")
    assert {name: got[name] for name in same} == {name: theirs[name] for name in same}
    assert got.keys() - theirs.keys() == {b"entry-id", b"timestamp-created", b"timestamp-last-updated"}


def _asking(client: EngineClient) -> Any:
    return lambda *words: decode(client.raw(*words))
