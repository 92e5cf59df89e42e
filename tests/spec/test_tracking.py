"""Client-side caching, as a client that caches sees it."""

from __future__ import annotations

from typing import Any

import pytest

from shardkv.config import Config
from tests.support.engine_client import EngineClient, decode_all, plain, refused
from tests.support.wire_replies import Push


@pytest.fixture
def cache(kv: EngineClient) -> EngineClient:
    """A RESP3 client that is tracked in the default mode."""
    client = kv.other(resp3=True)
    client("CLIENT", "TRACKING", "ON")
    return client


def told(client: EngineClient) -> list[Any]:
    """The keys of the invalidations that have come since the last time, None for a flush."""
    found = []
    for reply in decode_all(client.taken()):
        assert isinstance(reply, Push)
        assert reply[0] == b"invalidate"
        found.append(plain(reply[1]))
    return found


def read(client: EngineClient, *keys: str) -> None:
    for key in keys:
        client("GET", key)


def test_a_client_is_told_once_that_what_it_has_read_has_changed(kv: EngineClient, cache: EngineClient) -> None:
    read(cache, "name")
    kv("SET", "name", "ada")
    kv("SET", "name", "eve")
    assert told(cache) == [["name"]]


def test_a_client_is_not_told_of_what_it_has_not_read(kv: EngineClient, cache: EngineClient) -> None:
    cache("SET", "name", "ada")
    kv("SET", "name", "eve")
    assert told(cache) == []


def test_every_key_of_a_reading_command_is_remembered(kv: EngineClient, cache: EngineClient) -> None:
    cache("MGET", "a", "b")
    cache("STRLEN", "c")
    kv("MSET", "a", 1, "b", 2, "c", 3)
    assert told(cache) == [["a"], ["b"], ["c"]]


def test_a_table_that_may_hold_less_forgets_the_oldest_keys_at_once(kv: EngineClient, cache: EngineClient) -> None:
    read(cache, "a", "b", "c")
    kv("CONFIG", "SET", "tracking-table-max-keys", 1)
    assert told(cache) == [["a"], ["b"]]
    kv("SET", "c", 1)
    assert told(cache) == [["c"]]


def test_an_expired_key_is_told_of(kv: EngineClient, cache: EngineClient) -> None:
    kv("SET", "name", "ada", "PX", 10)
    read(cache, "name")
    kv.engine.expiring.step(kv.now + 11, 1.0)
    assert told(cache) == [["name"]]


@pytest.mark.parametrize("flush", ["FLUSHALL", "FLUSHDB"])
def test_a_flush_makes_everything_invalid(kv: EngineClient, cache: EngineClient, flush: str) -> None:
    read(cache, "name")
    kv(flush)
    assert told(cache) == [None]
    kv("SET", "name", "ada")
    assert told(cache) == []


def test_ones_own_changes_are_told_after_the_reply(cache: EngineClient) -> None:
    read(cache, "name")
    cache.send("SET", "name", "ada")
    assert cache.taken() == b"+OK\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$4\r\nname\r\n"


def test_with_noloop_ones_own_changes_are_not_told(kv: EngineClient, cache: EngineClient) -> None:
    cache("CLIENT", "TRACKING", "ON", "NOLOOP")
    read(cache, "name")
    cache("SET", "name", "ada")
    read(cache, "name")
    kv("SET", "name", "eve")
    assert told(cache) == [["name"]]


def test_what_a_transaction_reads_is_remembered(kv: EngineClient, cache: EngineClient) -> None:
    cache("MULTI")
    cache("GET", "name")
    kv("SET", "name", "ada")
    assert told(cache) == []
    cache("EXEC")
    kv("SET", "name", "eve")
    assert told(cache) == [["name"]]


def test_with_optin_only_what_follows_caching_yes_is_remembered(kv: EngineClient, cache: EngineClient) -> None:
    cache("CLIENT", "TRACKING", "ON", "OPTIN")
    read(cache, "a")
    cache("CLIENT", "CACHING", "YES")
    read(cache, "b", "c")
    kv("MSET", "a", 1, "b", 2, "c", 3)
    assert told(cache) == [["b"]]


def test_caching_yes_covers_a_whole_transaction(kv: EngineClient, cache: EngineClient) -> None:
    cache("CLIENT", "TRACKING", "ON", "OPTIN")
    cache("CLIENT", "CACHING", "YES")
    cache("MULTI")
    read(cache, "a", "b")
    cache("EXEC")
    read(cache, "c")
    kv("MSET", "a", 1, "b", 2, "c", 3)
    assert told(cache) == [["a"], ["b"]]


def test_with_optout_what_follows_caching_no_is_not_remembered(kv: EngineClient, cache: EngineClient) -> None:
    cache("CLIENT", "TRACKING", "ON", "OPTOUT")
    cache("CLIENT", "CACHING", "NO")
    read(cache, "a", "b")
    kv("MSET", "a", 1, "b", 2)
    assert told(cache) == [["b"]]


def test_a_broadcast_tells_of_all_keys_with_a_prefix_once_a_round(kv: EngineClient) -> None:
    cache = kv.other(resp3=True)
    cache("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "user:", "PREFIX", "item:")
    kv.pipeline(["SET", "user:2", 1], ["SET", "item:1", 1], ["SET", "user:1", 1], ["SET", "user:2", 2], ["SET", "x", 1])
    assert told(cache) == [["item:1"], ["user:1", "user:2"]]


def test_a_broadcast_without_prefix_tells_of_every_key(kv: EngineClient) -> None:
    cache = kv.other(resp3=True)
    cache("CLIENT", "TRACKING", "ON", "BCAST", "NOLOOP")
    cache("SET", "a", 1)
    kv("SET", "b", 1)
    assert told(cache) == [["b"]]


def test_a_broadcast_outlives_the_client_that_was_to_be_woken_for_it(kv: EngineClient) -> None:
    first, second = kv.other(resp3=True), kv.other(resp3=True)
    for client in (first, second):
        client("CLIENT", "TRACKING", "ON", "BCAST")
    kv.engine.run(kv.session, [[b"SET", b"a", b"1"]])
    kv.world.woken.clear()  # the rim has not come to it yet
    kv.engine.leave(first.session)
    kv.settle()
    assert told(second) == [["a"]]


def test_a_resp2_client_names_another_connection_that_listens(kv: EngineClient) -> None:
    cache, ear = kv.other(), kv.other()
    ear.send("SUBSCRIBE", "__redis__:invalidate")
    ear.taken()
    cache("CLIENT", "TRACKING", "ON", "REDIRECT", ear.session.id)
    read(cache, "name")
    kv("SET", "name", "ada")
    kv("FLUSHALL")
    assert [plain(reply) for reply in decode_all(ear.taken())] == [
        ["message", "__redis__:invalidate", ["name"]],
        ["message", "__redis__:invalidate", None],
    ]


def test_a_client_hears_when_the_connection_it_named_is_gone(kv: EngineClient, cache: EngineClient) -> None:
    ear = kv.other(resp3=True)
    cache("CLIENT", "TRACKING", "ON", "REDIRECT", ear.session.id)
    read(cache, "name")
    kv.engine.leave(ear.session)
    kv("SET", "name", "ada")
    [push] = decode_all(cache.taken())
    assert push == Push((b"tracking-redir-broken", ear.session.id))
    assert cache("CLIENT", "TRACKINGINFO")["flags"] == {"on", "broken_redirect"}


def test_too_many_keys_are_forgotten_from_the_oldest_on() -> None:
    config = Config()
    config.tracking_table_max_keys = 2
    kv = EngineClient(config=config)
    cache = kv.other(resp3=True)
    cache("CLIENT", "TRACKING", "ON")
    read(cache, "a", "b")
    cache.send("GET", "c")
    assert cache.taken() == b"_\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n"


def test_how_a_client_is_tracked_can_be_asked_for(kv: EngineClient) -> None:
    assert kv("CLIENT", "TRACKINGINFO") == ["flags", ["off"], "redirect", -1, "prefixes", []]
    assert kv("CLIENT", "GETREDIR") == -1
    kv("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "b", "PREFIX", "a")
    assert kv("CLIENT", "TRACKINGINFO") == ["flags", ["on", "bcast"], "redirect", 0, "prefixes", ["a", "b"]]
    assert kv("CLIENT", "GETREDIR") == 0


def test_a_client_that_is_no_longer_tracked_hears_nothing(kv: EngineClient, cache: EngineClient) -> None:
    read(cache, "name")
    cache("CLIENT", "TRACKING", "OFF")
    kv("SET", "name", "ada")
    assert cache.taken() == b""


def test_reset_ends_tracking_as_well(kv: EngineClient, cache: EngineClient) -> None:
    read(cache, "name")
    cache("RESET")
    kv("SET", "name", "ada")
    assert cache.taken() == b""
    assert not kv.engine.attentive


def test_the_mode_is_changed_only_by_way_of_off(cache: EngineClient) -> None:
    with refused(
        "ERR You can't switch BCAST mode on/off before disabling tracking for this client, "
        "and then re-enabling it with a different mode."
    ):
        cache("CLIENT", "TRACKING", "ON", "BCAST")
    with refused("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."):
        cache("CLIENT", "CACHING", "YES")


def test_who_waited_hears_of_its_own_change_after_its_reply(kv: EngineClient) -> None:
    waiting = kv.other(resp3=True)
    waiting("CLIENT", "TRACKING", "ON")
    assert waiting("LLEN", "tasks") == 0
    waiting.send("BLPOP", "tasks", 0)
    kv("RPUSH", "tasks", "a")
    told, reply = decode_all(waiting.taken())
    assert told == Push((b"invalidate", [b"tasks"]))
    assert reply == [b"tasks", b"a"]


def test_what_a_waiting_client_takes_is_broadcast_as_its_change(kv: EngineClient) -> None:
    pushing = kv.other(resp3=True)
    pushing("CLIENT", "TRACKING", "ON", "BCAST", "NOLOOP")
    waiting = kv.other()
    waiting.send("BLPOP", "tasks", 0)
    reply, told = decode_all(pushing.raw("RPUSH", "tasks", "a"))
    assert reply == 1
    assert told == Push((b"invalidate", [b"tasks"]))


def test_the_end_of_a_group_is_no_change_to_caches_or_watchers(kv: EngineClient, cache: EngineClient) -> None:
    kv("XGROUP", "CREATE", "log", "g", "$", "MKSTREAM")
    cache("WATCH", "log")
    assert cache("XLEN", "log") == 0
    kv("XGROUP", "DESTROY", "log", "g")
    assert cache.taken() == b""
    cache("MULTI")
    assert cache("EXEC") == []


def test_what_a_read_finds_that_had_to_wait_is_remembered(kv: EngineClient, cache: EngineClient) -> None:
    cache.send("XREAD", "BLOCK", 0, "STREAMS", "log", "$")
    kv("XADD", "log", "1-1", "a", 1)
    cache.taken()
    kv("XADD", "log", "2-1", "a", 2)
    assert decode_all(cache.taken()) == [Push((b"invalidate", [b"log"]))]
