"""Memory that is limited: what is given up, what is refused, and who is told."""

from __future__ import annotations

import re
from random import Random

import pytest

from shardkv.config import Config
from shardkv.engine import memory_limit
from shardkv.engine.resting import Cradle
from shardkv.persist.loading import LoadProgress
from tests.support.engine_client import EngineClient, decode_all, refused

OUT = "OOM command not allowed when used memory > 'maxmemory'."
#: More than a node without keys takes, tables for the use of each key included.
ROOM = 4 * 2**20
VALUE = "x" * 200


def limited(kv: EngineClient, policy: str, room: int = ROOM) -> None:
    kv("CONFIG", "SET", "maxmemory", room, "maxmemory-policy", policy)


def fill(kv: EngineClient, count: int, prefix: str = "key", *options: str) -> None:
    for number in range(count):
        kv("SET", f"{prefix}:{number}", VALUE, *options)


def told(kv: EngineClient, section: str, field: str) -> str:
    found = re.search(rf"^{field}:(.*)\r$", str(kv("INFO", section)), re.MULTILINE)
    assert found is not None, field
    return found[1]


def books_are_true(kv: EngineClient) -> bool:
    """Whether what was booked change by change is what counting finds; about so, where there are collections."""
    books = kv.engine.memory.books
    assert books is not None
    books.count(lambda: False)
    booked = books.used
    books.recount()
    books.count(lambda: False)
    return abs(booked - books.used) <= max(1000, books.used // 8)


# ---- the limit


@pytest.mark.parametrize(
    "policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random"]
)
def test_memory_stays_under_the_limit_while_more_is_written(kv: EngineClient, policy: str) -> None:
    limited(kv, policy)
    fill(kv, 8000, "key", *(("EX", "1000") if policy.startswith("volatile") else ()))
    kv.engine.memory.measure()
    assert int(told(kv, "memory", "used_memory")) <= ROOM * 1.05
    assert 1000 < kv("DBSIZE") < 8000
    assert int(told(kv, "stats", "evicted_keys")) == 8000 - kv("DBSIZE")
    kv.db.check()
    assert books_are_true(kv)


def test_without_a_policy_writes_are_refused_and_nothing_goes(kv: EngineClient) -> None:
    limited(kv, "noeviction")
    with refused(OUT):
        fill(kv, 20_000)
    keys = kv("DBSIZE")
    assert keys > 1000
    assert kv("GET", "key:0") == VALUE
    kv("DEL", *(f"key:{number}" for number in range(5000)))
    kv("SET", "key:0", VALUE)
    assert told(kv, "stats", "evicted_keys") == "0"


def test_a_limit_holds_at_once_though_there_are_many_small_databases(kv: EngineClient) -> None:
    for index in range(16):
        kv("SELECT", index)
        kv("SET", "name", "ada")
    kv("CONFIG", "SET", "maxmemory", 1)
    kv("MULTI")
    with refused(OUT):
        kv("SET", "name", "eve")
    kv("DISCARD")
    assert books_are_true(kv)


def test_volatile_policies_leave_keys_without_a_time_alone(kv: EngineClient) -> None:
    limited(kv, "volatile-random")
    fill(kv, 1000)
    fill(kv, 8000, "volatile", "EX", "1000")
    assert kv("EXISTS", *(f"key:{number}" for number in range(1000))) == 1000
    kv("CONFIG", "SET", "maxmemory", 1)
    with refused(OUT):
        kv("SET", "more", "x")
    assert kv("DBSIZE") == 1000


def test_the_keys_whose_time_is_next_go_first(kv: EngineClient) -> None:
    limited(kv, "volatile-ttl")
    kv("CONFIG", "SET", "maxmemory-samples", 10)
    order = list(range(3000))
    Random(1).shuffle(order)
    for number in order:
        kv("SET", f"key:{number}", VALUE, "EX", 1000 + number)
    kv("CONFIG", "SET", "maxmemory", int(told(kv, "memory", "used_memory")) - 200_000)
    kv("PING")
    left = [number for number in order if kv("EXISTS", f"key:{number}")]
    gone = set(order) - set(left)
    assert len(gone) > 200
    assert sum(gone) / len(gone) < 0.4 * sum(left) / len(left)


def test_the_keys_not_used_for_longest_go_first(kv: EngineClient) -> None:
    limited(kv, "allkeys-lru")
    kv("CONFIG", "SET", "maxmemory-samples", 10)
    fill(kv, 2000, "old")
    kv.wait(5000)
    fill(kv, 2000, "new")
    for number in range(1000):
        kv("GET", f"old:{number}")
    kv("CONFIG", "SET", "maxmemory", int(told(kv, "memory", "used_memory")) - 200_000)
    kv("PING")
    missing = [f"old:{number}" for number in range(1000, 2000) if not kv("EXISTS", f"old:{number}")]
    assert 300 < 4000 - kv("DBSIZE") < 1.3 * len(missing)


def test_the_keys_used_seldom_go_first(kv: EngineClient) -> None:
    limited(kv, "allkeys-lfu")
    kv("CONFIG", "SET", "lfu-log-factor", 0, "maxmemory-samples", 10)
    fill(kv, 4000)
    for _ in range(5):
        for number in range(2000):
            kv("GET", f"key:{number}")
    kv("CONFIG", "SET", "maxmemory", int(told(kv, "memory", "used_memory")) - 200_000)
    kv("PING")
    seldom = sum(1 for number in range(2000, 4000) if not kv("EXISTS", f"key:{number}"))
    assert 300 < 4000 - kv("DBSIZE") < 1.2 * seldom


def test_a_lower_limit_is_obeyed_without_another_request(kv: EngineClient) -> None:
    fill(kv, 3000)
    limited(kv, "allkeys-random", 2**30)
    kv("CONFIG", "SET", "maxmemory", 1)
    assert kv.engine.deadline == kv.now
    while kv.engine.deadline is not None:
        kv.wait(0)
    assert kv("DBSIZE") == 0


def test_giving_up_stops_after_a_while_and_goes_on_later(kv: EngineClient) -> None:
    limited(kv, "allkeys-lru", 2**30)
    kv("CONFIG", "SET", "maxmemory-eviction-tenacity", 0)
    fill(kv, 3000)
    kv("CONFIG", "SET", "maxmemory", 1)
    kv("SET", "k", "v")  # room is being made, which is good enough
    assert 0 < kv("DBSIZE") < 3001
    assert int(told(kv, "stats", "current_eviction_exceeded_time")) >= 0
    kv("CONFIG", "SET", "maxmemory-eviction-tenacity", 100)
    assert kv("DBSIZE") == 0
    with refused(OUT):
        kv("SET", "k", "v")


def test_keys_of_every_database_are_given_up(kv: EngineClient) -> None:
    limited(kv, "allkeys-random", 2**30)
    fill(kv, 1000)
    kv("SELECT", 3)
    fill(kv, 1000)
    kv("CONFIG", "SET", "maxmemory", int(told(kv, "memory", "used_memory")) - 100_000)
    assert kv("DBSIZE") < 1000
    kv("SELECT", 0)
    assert kv("DBSIZE") < 1000
    assert books_are_true(kv)


def test_nothing_is_given_up_while_data_are_loaded_or_clients_are_paused(kv: EngineClient) -> None:
    fill(kv, 100)
    limited(kv, "allkeys-lru", 2**30)
    kv.engine.begin_loading(LoadProgress(kv.now // 1000, 1))
    kv("CONFIG", "SET", "maxmemory", 1)
    assert kv.db.size == 100
    kv("CLIENT", "PAUSE", 1000, "WRITE")
    kv.engine.end_loading()
    assert kv("DBSIZE") == 100
    kv("CLIENT", "UNPAUSE")
    assert kv("DBSIZE") == 0


def test_a_replica_leaves_it_to_its_primary_unless_told_otherwise(kv: EngineClient) -> None:
    fill(kv, 100)
    kv("REPLICAOF", "127.0.0.1", 1)
    limited(kv, "allkeys-lru", 1)
    assert kv("DBSIZE") == 100
    kv("CONFIG", "SET", "replica-ignore-maxmemory", "no")
    assert kv("DBSIZE") == 0


def test_a_snapshot_of_more_than_the_limit_is_loaded_whole_and_then_cut(kv: EngineClient) -> None:
    kv.engine.begin_loading(LoadProgress(kv.now // 1000, 1))
    limited(kv, "allkeys-random", ROOM)
    for number in range(20_000):
        kv.db.put(b"key:%d" % number, VALUE.encode())
    kv.engine.end_loading()
    while kv.engine.deadline is not None:
        kv.wait(1)
    assert 1000 < kv("DBSIZE") < 20_000
    assert books_are_true(kv)


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru", "volatile-lru"])
def test_a_pipeline_ends_where_its_requests_would_have_been_refused_one_by_one(policy: str) -> None:
    one_by_one, whole = EngineClient(), EngineClient()
    requests = [("SET", f"more:{number}", VALUE) for number in range(400)]
    for kv in (one_by_one, whole):
        limited(kv, policy, 2**30)
        fill(kv, 1000)
        kv("CONFIG", "SET", "maxmemory", int(told(kv, "memory", "used_memory")) + 80_000)
    replies = b"".join(one_by_one.pipeline(request) for request in requests)
    assert whole.pipeline(*requests) == replies
    if policy == "allkeys-lru":
        assert b"OOM" not in replies
    else:
        assert 100 < replies.count(b"+OK") < 390
        assert replies.endswith(b"-" + OUT.encode() + b"\r\n")


def test_room_is_made_before_a_pipeline_of_writes(kv: EngineClient) -> None:
    limited(kv, "allkeys-lru")
    fill(kv, 8000)
    books = kv.engine.memory.books
    assert books is not None
    kv("CONFIG", "RESETSTAT")
    kv.wait(1000)
    sent = kv.propagated()
    for start in range(0, 960, 16):
        before = len(sent)
        kv.pipeline(*(("SET", f"more:{number}", VALUE) for number in range(start, start + 16)))
        assert books.used <= books.limit
        verbs = [words[0] for words in sent[before:]]
        assert verbs == sorted(verbs)  # DEL before SET
        assert verbs.count(b"SET") == 16
    assert sum(words[0] == b"DEL" for words in sent) > 900
    assert kv("EXISTS", *(f"more:{number}" for number in range(960))) > 900
    assert told(kv, "commandstats", "cmdstat_set").startswith("calls=960,")
    kv.db.check()
    assert books_are_true(kv)


# ---- who is told


def test_what_is_given_up_is_propagated_key_by_key(kv: EngineClient) -> None:
    kv("MSET", "a", 1, "b", 2)
    limited(kv, "allkeys-random", 2**30)
    sent = kv.propagated()
    kv("CONFIG", "SET", "maxmemory", 1)
    kv("PING")
    assert sorted(sent) == [[b"DEL", b"a"], [b"DEL", b"b"]]


def test_what_is_given_up_may_be_propagated_as_unlink(kv: EngineClient) -> None:
    kv("SET", "a", 1)
    limited(kv, "allkeys-random", 2**30)
    sent = kv.propagated()
    kv("CONFIG", "SET", "lazyfree-lazy-eviction", "yes", "maxmemory", 1)
    kv("PING")
    assert sent == [[b"UNLINK", b"a"]]


def test_there_is_an_event_for_a_key_that_is_given_up(kv: EngineClient) -> None:
    kv("SET", "a", 1)
    kv("CONFIG", "SET", "notify-keyspace-events", "Ee")
    ear = kv.other(resp3=True)
    ear.send("SUBSCRIBE", "__keyevent@0__:evicted")
    ear.taken()
    limited(kv, "allkeys-random", 1)
    kv("PING")
    [event] = decode_all(ear.taken())
    assert event[-1] == b"a"


def test_a_transaction_fails_if_what_it_watches_is_given_up(kv: EngineClient) -> None:
    kv("SET", "a", 1)
    kv("WATCH", "a")
    kv("MULTI")
    kv("PING")
    limited(kv.other(), "allkeys-random", 1)
    assert kv("EXEC") is None


def test_caches_forget_what_is_given_up(kv: EngineClient) -> None:
    cache = kv.other(resp3=True)
    cache("CLIENT", "TRACKING", "ON")
    kv("SET", "a", 1)
    cache("GET", "a")
    limited(kv, "allkeys-random", 1)
    kv("PING")
    [push] = decode_all(cache.taken())
    assert push[1] == [b"a"]


def test_the_latency_monitor_sees_how_long_it_takes(kv: EngineClient) -> None:
    fill(kv, 3000)
    kv("CONFIG", "SET", "latency-monitor-threshold", 1, "maxmemory-eviction-tenacity", 100)
    limited(kv, "allkeys-random", 1)
    kv("PING")
    assert "eviction-cycle" in [event[0] for event in kv("LATENCY", "LATEST")]


# ---- what is refused


def test_a_transaction_is_refused_while_it_is_queued_and_when_it_runs(kv: EngineClient) -> None:
    kv("MULTI")
    kv("SET", "a", 1)
    limited(kv.other(), "noeviction", 1)
    with refused(f"EXECABORT Transaction discarded because of: {OUT}"):
        kv("EXEC")
    kv("MULTI")
    with refused(OUT):
        kv("GET", "a")  # whatever waits takes memory
    with refused("EXECABORT Transaction discarded because of previous errors."):
        kv("EXEC")


def test_what_is_refused_is_counted(kv: EngineClient) -> None:
    limited(kv, "noeviction", 1)
    kv("CONFIG", "RESETSTAT")
    with refused(OUT):
        kv("SET", "a", 1)
    assert "rejected_calls=1,failed_calls=0" in told(kv, "commandstats", "cmdstat_set")
    assert told(kv, "errorstats", "errorstat_OOM") == "count=1"


def test_a_script_may_end_what_it_has_begun_to_write(kv: EngineClient) -> None:
    kv("RPUSH", "l", 1, 2)
    limited(kv, "noeviction", 1)
    script = "redis.call('lpop', KEYS[1]) return redis.call('rpush', KEYS[1], 3)"
    assert kv("EVAL", script, 1, "l") == 2


def test_a_script_says_by_its_flags_that_it_runs_without_memory(kv: EngineClient) -> None:
    limited(kv, "noeviction", 1)
    with refused(OUT):
        kv("EVAL", "#!lua\nreturn redis.call('set', KEYS[1], 1)", 1, "k")
    kv("EVAL", "#!lua flags=allow-oom\nreturn redis.call('set', KEYS[1], 1)", 1, "k")
    assert kv("EVAL", "#!lua flags=no-writes\nreturn redis.call('get', KEYS[1])", 1, "k") == "1"


# ---- the books


@pytest.fixture
def counted(kv: EngineClient) -> EngineClient:
    """A client of a node that keeps books and has room for everything."""
    limited(kv, "allkeys-lru", 2**40)
    return kv


def used(kv: EngineClient) -> int:
    books = kv.engine.memory.books
    assert books is not None
    return books.used


@pytest.mark.parametrize(
    "requests",
    [
        ["SET k v", "SET k vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", "APPEND k vvvvvvvv", "DEL k"],
        ["SET k v EX 100", "PERSIST k", "EXPIRE k 50", "EXPIRE k 60", "GETDEL k"],
        ["INCR k", "INCR k", "INCRBYFLOAT k 1.5", "SET k x", "UNLINK k"],
        ["SETRANGE k 10000 x", "SETBIT k 900000 1", "BITFIELD k SET u8 2000000 1", "GETSET k v", "DEL k"],
        ["MSET a 1 b 2 c 3", "RENAME a b", "COPY b d", "MOVE d 3", "DEL b c", "SELECT 3", "DEL d"],
        ["RPUSH l a b c", "LPUSH l d", "LPOP l", "LMOVE l m LEFT RIGHT", "LTRIM l 1 1", "DEL l m"],
        ["HSET h f v g w", "HINCRBY h n 1", "HDEL h f", "HPEXPIRE h 1000 FIELDS 1 g", "DEL h"],
        ["SADD s 1 2 3", "SADD s x", "SPOP s", "SMOVE s t x", "SUNIONSTORE u s t", "DEL s t u"],
        ["ZADD z 1 a 2 b", "ZINCRBY z 1 a", "ZPOPMIN z", "ZRANGESTORE y z 0 -1", "DEL z y"],
        ["XADD x 1 f v", "XGROUP CREATE x g 0", "XREADGROUP GROUP g c STREAMS x >", "XACK x g 1-0", "DEL x"],
        ["PFADD p a b c", "PFADD q d", "PFMERGE p q", "PFCOUNT p q", "DEL p q"],
        ["GEOADD g 1 1 a", "GEOSEARCHSTORE h g FROMLONLAT 1 1 BYRADIUS 10 km", "SORT g BY nosort STORE s", "DEL g h s"],
        ["SET a 1", "SWAPDB 0 4", "SET b 2", "FLUSHALL"],
        ["SET a 1", "SELECT 2", "SET b 2", "FLUSHDB", "SELECT 0", "DEL a"],
    ],
)
def test_what_came_and_went_leaves_nothing_in_the_books(counted: EngineClient, requests: list[str]) -> None:
    for request in requests:
        counted.raw(*request.split())
        assert books_are_true(counted), request
    while counted.engine.deadline is not None:
        counted.wait(1)
    assert used(counted) == 0


def test_a_pipeline_is_booked_as_its_requests_would_be(counted: EngineClient) -> None:
    counted.pipeline(*(("SET", f"key:{number}", VALUE) for number in range(100)))
    one_by_one = counted.other()
    before = used(counted)
    for number in range(100):
        one_by_one("SET", f"yek:{number}", VALUE)
    assert used(counted) == 2 * before
    counted.pipeline(*(("INCR", f"n:{number}") for number in range(10)))
    counted.pipeline(*(("RPUSH", "l", VALUE) for _ in range(100)))
    assert books_are_true(counted)


def test_a_collection_that_is_packed_weighs_less(counted: EngineClient) -> None:
    counted("HSET", "h", *(word for number in range(100) for word in (f"field:{number}", f"value:{number}")))
    counted("HSET", "h", "field:1", "another")
    live = used(counted)
    cradle = Cradle(counted.engine)
    cradle.step(lambda: False)
    cradle.step(lambda: False)
    assert used(counted) < live // 2
    counted("HGET", "h", "field:1")
    counted("HGET", "h", "field:1")
    assert used(counted) > live // 2
    assert books_are_true(counted)


def test_keys_that_are_there_when_the_limit_is_set_are_counted_step_by_step(
    kv: EngineClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_limit, "FIRST_COUNT", 20e-6)
    monkeypatch.setattr(memory_limit, "NEXT_COUNT", 20e-6)
    fill(kv, 2000)
    limited(kv, "allkeys-lru", 2**40)
    books = kv.engine.memory.books
    assert books is not None
    assert not books.complete
    kv("SET", "key:1", "short")
    kv("DEL", "key:2")
    fill(kv, 100, "more")
    while kv.engine.deadline is not None:
        kv.wait(1)
    assert books.complete
    assert books_are_true(kv)
    kv("FLUSHALL")
    assert used(kv) == 0


def test_without_a_limit_there_are_no_books(counted: EngineClient) -> None:
    counted("SET", "k", "v")
    counted("CONFIG", "SET", "maxmemory", 0)
    assert counted.engine.memory.books is None
    assert counted.db.books is None
    assert counted.db.usage is None
    assert counted.pipeline(["SET", "k", "w"], ["GET", "k"]) == b"+OK\r\n$1\r\nw\r\n"


def test_info_and_memory_stats_tell_the_same(counted: EngineClient) -> None:
    fill(counted, 100)
    stats = counted("MEMORY", "STATS")
    assert isinstance(stats, list | dict)
    pairs = dict(zip(stats[::2], stats[1::2], strict=True)) if isinstance(stats, list) else stats
    assert int(told(counted, "memory", "used_memory")) == pairs["total.allocated"]
    assert int(told(counted, "memory", "used_memory_dataset")) == pairs["dataset.bytes"]
    assert told(counted, "memory", "maxmemory") == str(2**40)
    assert told(counted, "memory", "maxmemory_policy") == "allkeys-lru"


# ---- use


def test_each_key_has_its_own_idle_time_where_keys_are_given_up_by_it(counted: EngineClient) -> None:
    counted("MSET", "{t}a", 1, "{t}b", 2)
    counted.wait(10_000)
    counted("GET", "{t}a")
    assert counted("OBJECT", "IDLETIME", "{t}a") == 0
    assert counted("OBJECT", "IDLETIME", "{t}b") == 10
    counted("EXISTS", "{t}b")
    counted("TYPE", "{t}b")
    assert counted("OBJECT", "IDLETIME", "{t}b") == 10
    counted("TOUCH", "{t}b")
    assert counted("OBJECT", "IDLETIME", "{t}b") == 0


def test_a_client_that_does_not_touch_leaves_no_trace(counted: EngineClient) -> None:
    counted("SET", "k", "v")
    counted.wait(10_000)
    counted("CLIENT", "NO-TOUCH", "ON")
    counted("GET", "k")
    assert counted("OBJECT", "IDLETIME", "k") == 10
    counted("TOUCH", "k")
    assert counted("OBJECT", "IDLETIME", "k") == 0


def test_frequency_grows_ever_more_slowly_and_fades(kv: EngineClient) -> None:
    kv("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
    kv("SET", "k", "v")
    assert kv("OBJECT", "FREQ", "k") == 5
    for _ in range(1000):
        kv("GET", "k")
    often = kv("OBJECT", "FREQ", "k")
    assert 15 < often < 40  # about 2 * sqrt(1000 / 10)
    kv.wait(3 * 60_000)
    assert kv("OBJECT", "FREQ", "k") == often - 3
    kv("CONFIG", "SET", "lfu-decay-time", 0)
    assert kv("OBJECT", "FREQ", "k") == often


def test_restore_takes_over_how_a_key_was_used(counted: EngineClient) -> None:
    counted("SET", "k", "v")
    dumped = counted.raw("DUMP", "k").split(b"\r\n", 1)[1][:-2]
    counted("RESTORE", "idle", 0, dumped, "IDLETIME", 1000)
    assert counted("OBJECT", "IDLETIME", "idle") == 1000
    counted("CONFIG", "SET", "maxmemory-policy", "volatile-lfu")
    counted("RESTORE", "often", 0, dumped, "FREQ", 77)
    assert counted("OBJECT", "FREQ", "often") == 77


def test_a_limit_in_the_configuration_file_is_obeyed_from_the_start() -> None:
    config = Config()
    config.set([(b"maxmemory", b"4mb"), (b"maxmemory-policy", b"allkeys-lru")])
    kv = EngineClient(config=config)
    fill(kv, 12_000)
    assert kv("DBSIZE") < 12_000
