"""The tuned twins of hot commands, of one request or a whole run, answer and change what the plain commands do."""

from __future__ import annotations

from typing import Any, TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from shardkv.config import Config
from shardkv.keyspace.database import Database
from shardkv.keyspace.slots import key_slot
from shardkv.persist.rdb.payload import dump
from shardkv.values.lists import ListValue
from tests.support.engine_client import EngineClient

Step: TypeAlias = "list[bytes] | int"

# Few names, so that most requests meet what others have left.
NAME = st.sampled_from([b"a", b"{a}1", b"{"])
TEXT = st.one_of(
    st.sampled_from([b"", b"0", b"-1", b"9223372036854775806", b"x" * 1022, b"x" * 1023, b"x" * 1024, b"x" * 2000]),
    st.integers(-3, 2000).map(lambda number: b"%d" % number),
)
# One name for each type, so that most requests meet their own, and some another's.
LIST, HASH, SET, ZSET = (st.sampled_from([own] * 6 + [b"a", b"{l}2", b"z"]) for own in (b"l", b"h", b"s", b"z"))
ELEMENT = st.one_of(st.integers(-2, 12).map(lambda number: b"%d" % number), TEXT)
FEW = st.integers(-2, 12).map(lambda number: b"%d" % number)
SCORE = st.sampled_from([b"0", b"-0", b"1", b"1.5", b"inf", b"-inf", b"nan", b"1e400", b"NX", b"0x10"])
LIMITS = st.sampled_from(
    [
        [b"CONFIG", b"SET", b"list-max-listpack-size", b"4"],
        [b"CONFIG", b"SET", b"list-max-listpack-size", b"-1"],
        [b"CONFIG", b"SET", b"hash-max-listpack-entries", b"3"],
        [b"CONFIG", b"SET", b"set-max-intset-entries", b"3"],
        [b"CONFIG", b"SET", b"set-max-listpack-entries", b"5"],
        [b"CONFIG", b"SET", b"zset-max-listpack-entries", b"3"],
        [b"PING"],
    ]
)

SEALED = [dump(value, Config()) for value in (b"text" * 20, 7, ListValue.of([b"a", b"b"], -2))]
PAYLOAD = st.sampled_from([*SEALED, b"", b"broken", SEALED[0][:-1] + b"?"])


def request(*words: Any) -> st.SearchStrategy[list[bytes]]:
    """Requests of this form."""
    return st.tuples(*(st.just(word) if isinstance(word, bytes) else word for word in words)).map(list)


REQUEST = st.one_of(
    request(st.sampled_from([b"GET", b"get", b"GeT"]), NAME),
    request(st.sampled_from([b"SET", b"set", b"sEt"]), NAME, TEXT),
    request(st.sampled_from([b"INCR", b"incr", b"Incr"]), NAME),
    request(st.sampled_from([b"PING", b"ping", b"PinG"])),
    request(b"PING", TEXT),
    request(b"GET"),
    request(b"SET", NAME, TEXT, b"PX", st.sampled_from([b"1", b"5", b"3000"])),
    request(b"SET", NAME, TEXT, st.sampled_from([b"NX", b"XX", b"GET", b"KEEPTTL"])),
    request(b"INCRBY", NAME, st.sampled_from([b"1", b"9223372036854775806"])),
    request(b"APPEND", NAME, TEXT),
    request(b"PEXPIRE", NAME, st.sampled_from([b"-1", b"1", b"5", b"3000"])),
    request(b"PERSIST", NAME),
    request(b"DEL", NAME),
    request(
        st.sampled_from([b"RESTORE-ASKING", b"restore-asking"]), NAME, st.sampled_from([b"0", b"5", b"x"]), PAYLOAD
    ),
    request(b"RESTORE-ASKING", NAME, b"0", PAYLOAD, st.sampled_from([b"REPLACE", b"replace", b"ABSTTL", b"?"])),
    request(b"RESTORE-ASKING", NAME, b"0"),
    request(b"OBJECT", st.sampled_from([b"ENCODING", b"IDLETIME"]), NAME),
    request(b"MSET", NAME, TEXT, NAME, TEXT),
    request(b"MSET", NAME, TEXT, NAME),
    request(st.sampled_from([b"LPUSH", b"rpush"]), LIST, ELEMENT),
    request(st.sampled_from([b"LPUSH", b"RPUSH"]), LIST, ELEMENT, ELEMENT, FEW),
    st.tuples(st.sampled_from([b"LPUSH", b"RPUSH"]), LIST, st.integers(300, 600)).map(
        lambda many: [many[0], many[1], *(b"%d" % number for number in range(many[2]))]
    ),
    request(st.sampled_from([b"LPOP", b"RPOP"]), LIST),
    request(st.sampled_from([b"LPOP", b"RPOP"]), LIST, FEW),
    request(b"LTRIM", LIST, FEW, FEW),
    request(b"LRANGE", LIST, ELEMENT, ELEMENT),
    request(b"LRANGE", LIST, FEW, st.sampled_from([b"-1", b"0", b"5", b"05", b"+5", b"500", b"18446744073709551615"])),
    request(b"HSET", HASH, ELEMENT, TEXT),
    request(b"HSET", HASH, FEW, TEXT, FEW, TEXT),
    request(b"HSET", HASH, FEW, TEXT, FEW),
    request(b"HGET", HASH, ELEMENT),
    request(b"HDEL", HASH, FEW),
    request(b"HPEXPIRE", HASH, st.sampled_from([b"1", b"3000"]), b"FIELDS", b"1", FEW),
    request(b"SADD", SET, ELEMENT),
    request(b"SADD", SET, FEW, TEXT),
    request(b"SPOP", SET),
    request(b"SPOP", SET, FEW),
    request(b"ZADD", ZSET, SCORE, ELEMENT),
    request(b"ZADD", ZSET, FEW, FEW),
    request(b"ZADD", ZSET, b"NX", FEW, FEW),
    request(b"ZPOPMIN", ZSET),
    request(b"ZPOPMIN", ZSET, FEW),
    request(
        st.sampled_from([b"PEXPIRE"]), st.sampled_from([b"l", b"h", b"s", b"z"]), st.sampled_from([b"1", b"5", b"3000"])
    ),
)


def run(name: bytes, *words: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[list[bytes]]]:
    """A pipeline of one command."""
    return st.lists(request(name, *words), min_size=4, max_size=12)


RUN = st.one_of(
    run(b"PING"),
    run(b"RESTORE-ASKING", NAME, st.just(b"0"), PAYLOAD),
    run(b"GET", NAME),
    run(b"SET", NAME, TEXT),
    run(b"INCR", NAME),
    run(b"LPUSH", st.just(b"l"), ELEMENT),
    run(b"RPUSH", LIST, ELEMENT),
    run(b"LPOP", st.just(b"l")),
    run(b"RPOP", LIST),
    run(b"HSET", st.just(b"h"), ELEMENT, TEXT),
    run(b"SADD", st.just(b"s"), ELEMENT),
    run(b"ZADD", st.just(b"z"), SCORE, ELEMENT),
)
STEP = st.one_of(
    REQUEST.map(lambda one: [one]),
    RUN,
    st.lists(REQUEST, min_size=4, max_size=25),
    st.sampled_from([1, 4, 2000]),
)


@given(
    steps=st.lists(STEP, min_size=4, max_size=20),
    limits=LIMITS,
    resp3=st.booleans(),
    watched=st.booleans(),
    heard=st.booleans(),
    booked=st.booleans(),
)
def test_twins_and_plain_commands_are_one(
    steps: list[list[list[bytes]] | int], limits: list[bytes], resp3: bool, watched: bool, heard: bool, booked: bool
) -> None:
    tuned, untuned = EngineClient(resp3=resp3), EngineClient(resp3=resp3)
    no_twins(untuned)
    assert tuned.engine.short_way.shortcuts
    sent: list[list[list[bytes]]] = []
    for kv in (tuned, untuned):
        kv.pipeline(limits)
        if booked:
            kv("CONFIG", "SET", "maxmemory", 2**40, "maxmemory-policy", "allkeys-lru")
        if heard:
            sent.append(kv.propagated())
        if watched:
            watcher = kv.other()
            kv.engine.transactions.watch(watcher.session, [b"a", b"{a}1"])
            kv.engine.refresh_calm()
    for step in steps:
        if isinstance(step, int):
            tuned.wait(step)
            untuned.wait(step)
            continue
        assert tuned.pipeline(*step) == untuned.pipeline(*step), step
        assert state(tuned.db) == state(untuned.db), step
        assert broken(tuned) == broken(untuned), step
        if booked:
            assert uses(tuned.db) == uses(untuned.db), step
            booked_right(tuned)
            booked_right(untuned)
    tuned.db.check()
    assert counted(tuned) == counted(untuned)
    if heard:
        assert sent[0] == sent[1]


def no_twins(kv: EngineClient) -> None:
    """Let the engine use plain commands only, for spellings that it has yet to learn too."""

    class Nothing(dict[bytes, Any]):
        def __setitem__(self, spelling: bytes, twin: Any) -> None:
            """Learns nothing."""

    kv.engine.short_way.shortcuts = Nothing()


def state(db: Database) -> Any:
    """All that can be told of a database: values with their form, expiry times, access times, counts."""
    held = {name: (content(value), db.expiry(name), db.access[key_slot(name)]) for name, value in db.items()}
    return held, db.size, db.expiring, db.dirty


def content(value: Any) -> Any:
    """A value, the form that it is held in, and what it says of itself."""
    if isinstance(value, bytes | int | bytearray):
        return type(value), value
    value.check()
    return type(value), value.encoding, len(value), list(value.digest_items())


def uses(db: Database) -> dict[bytes, int]:
    """When each key was used, which is known of those that are there and of no others."""
    assert db.usage is not None
    known = {key: at for held in db.usage.slots for key, at in held.items()}
    assert known.keys() == set(db)
    return known


def booked_right(kv: EngineClient) -> None:
    """Assert that what stands in the books is what counting finds: of strings exactly, of collections about."""
    books = kv.engine.memory.books
    assert books is not None
    booked = books.used
    books.recount()
    books.count(lambda: False)
    assert abs(booked - books.used) <= max(30_000, booked // 3)  # a node of a list may be unpacked, unsaid
    if all(isinstance(value, bytes | int | bytearray) for _, value in kv.db.items()):
        assert booked == books.used


def broken(kv: EngineClient) -> list[bool]:
    """Which clients' watches were broken since the last look."""
    sessions = kv.engine.sessions.values()
    found = [session.watch_broken for session in sessions]
    for session in sessions:
        session.watch_broken = False
    return found


def counted(kv: EngineClient) -> Any:
    """Hits, misses and calls."""
    stats = kv.engine.stats
    return kv.engine.hits_and_misses(), stats.commands, stats.error_replies, stats.expired
