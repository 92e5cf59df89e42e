"""Messages, keyspace events and invalidations: what each of several connections reads, beside what a real server sends
them.

A line of a script is a request with the name of its connection before it. ``$a`` stands for the id of connection a.
After every line all connections are read, and must have got the same bytes from both servers.
"""

from __future__ import annotations

import pytest

from tests.support.differential import requests_of, server_time
from tests.support.engine_client import BEGIN, EngineClient
from tests.support.oracle import Redis, Valkey
from tests.support.processes import Server
from tests.support.wire import Client

#: A connection's name, and whether it speaks RESP3.
Cast = dict[str, bool]
QUIET = 0.05  # seconds in which nothing more must come at the end of a script

RESP2: Cast = {"a": False, "b": False, "w": False}
RESP3: Cast = {"a": True, "b": True, "w": True}
MIXED: Cast = {"a": True, "b": False, "w": False}
TURNED: Cast = {"a": False, "b": True, "w": False}
CASTS = pytest.mark.parametrize("cast", [RESP2, RESP3, MIXED, TURNED], ids=["resp2", "resp3", "mixed", "turned"])


def differences(server: Server, script: str, cast: Cast) -> list[str]:
    """What the connections read differently, as readable lines. The server loses all its keys first."""
    theirs = {name: server.client(resp3=resp3) for name, resp3 in cast.items()}
    try:
        return _differences(theirs, script, cast)
    finally:
        for client in theirs.values():
            client.close()


def _differences(theirs: dict[str, Client], script: str, cast: Cast) -> list[str]:
    ids = {name: int(client.must("CLIENT", "ID")) for name, client in theirs.items()}
    first = theirs["w"]
    first.must("FLUSHALL")
    root = EngineClient()
    root.now = max(BEGIN, server_time(first.must("TIME")))
    ours: dict[str, EngineClient] = {}
    for name, resp3 in cast.items():
        root.engine.next_session = ids[name]
        ours[name] = root.other(resp3=resp3)
    found: list[str] = []
    for line in requests_of(script):
        name, words = line[0].decode(), [_numbered(word, ids) for word in line[1:]]
        if words == [b"-"]:
            theirs.pop(name).close()
            root.engine.leave(ours.pop(name).session)
            # The server sees the end of a connection in its own time, but before what another connection asks for after
            # it has.
            first.must("PING")
            continue
        ours[name].send(*words)
        theirs[name].send(*words)
        for reader, client in ours.items():
            client.settle()
            got = client.taken()
            expected = _read(theirs[reader], len(got))
            if got != expected:
                shown = b" ".join(words).decode("utf-8", "backslashreplace")
                found.append(f"{name}: {shown}, as {reader} reads it\n    ours   {got!r}\n    theirs {expected!r}")
    for name, connection in theirs.items():
        if connection.pending(QUIET):
            found.append(f"{name} reads more: {_read(connection, 1)!r} ...")
    return found


def _numbered(word: bytes, ids: dict[str, int]) -> bytes:
    return b"%d" % ids[word[1:].decode()] if word[:1] == b"$" and word[1:].decode() in ids else word


def _read(client: Client, size: int) -> bytes:
    """As many bytes as we have sent, or fewer when no more come."""
    data = b""
    client.socket.settimeout(1.0)
    try:
        while len(data) < size:
            more = client.socket.recv(size - len(data))
            if not more:
                break
            data += more
    except TimeoutError:
        pass
    return data


def agree(server: Server, script: str, cast: Cast) -> None:
    """Assert that every connection reads the same bytes."""
    found = differences(server, script, cast)
    assert not found, "\n" + "\n".join(found)


# ---- pub/sub

LISTENING = """
    a SUBSCRIBE news
    a SUBSCRIBE news sport music
    b PSUBSCRIBE n*
    w PUBLISH news one
    w PUBLISH nothing two
    w PUBLISH '' ''
    w PUBLISH none three
    b PSUBSCRIBE n*s
    b PUNSUBSCRIBE n*
    w PUBLISH news four
    w PUBSUB NUMPAT
    w PUBSUB NUMSUB news sport none news
    w PUBSUB NUMSUB
    a UNSUBSCRIBE sport nothing
    a UNSUBSCRIBE music news
    a UNSUBSCRIBE
    a PUNSUBSCRIBE
    b PUNSUBSCRIBE
    w PUBLISH news five
    w PUBSUB CHANNELS
"""
ASKING = """
    a SUBSCRIBE a1
    b SSUBSCRIBE s1
    w PUBSUB CHANNELS
    w PUBSUB CHANNELS a?
    w PUBSUB CHANNELS b*
    w PUBSUB SHARDCHANNELS
    w PUBSUB SHARDCHANNELS s[0-9]
    w PUBSUB SHARDCHANNELS a*
    w PUBSUB SHARDNUMSUB s1 a1
    w PUBSUB SHARDNUMSUB
    w PUBSUB NUMSUB s1 a1
    w PUBSUB CHANNELS a b
    w PUBSUB SHARDCHANNELS a b
    w PUBSUB NUMPAT x
    w PUBSUB
    w PUBSUB nothing
    w PUBLISH a1
    w SPUBLISH s1
    w SUBSCRIBE
    w PSUBSCRIBE
    w SSUBSCRIBE
"""
SHARDED = """
    a SSUBSCRIBE s t
    a SUBSCRIBE s
    w SPUBLISH s one
    w PUBLISH s two
    b SSUBSCRIBE t
    w SPUBLISH t three
    a SUNSUBSCRIBE s
    a SUNSUBSCRIBE
    a SUNSUBSCRIBE
    w SPUBLISH t four
    w SPUBLISH s five
    b SUNSUBSCRIBE nothing t
"""
IN_TRANSACTIONS = """
    a MULTI
    a SUBSCRIBE x y
    a SET k v
    a UNSUBSCRIBE x
    a PSUBSCRIBE p*
    a SSUBSCRIBE s
    a UNSUBSCRIBE
    a PUNSUBSCRIBE
    a SUNSUBSCRIBE
    a GET k
    a EXEC
    b SUBSCRIBE x
    w MULTI
    w PUBLISH x one
    w PUBLISH x two
    w EXEC
    w MULTI
    w PUBLISH x three
    w DISCARD
"""
REPLIES_OFF = """
    a CLIENT REPLY OFF
    a SUBSCRIBE x
    w PUBLISH x one
    a UNSUBSCRIBE x
    a PING
    b CLIENT REPLY SKIP
    b SUBSCRIBE x
    w PUBLISH x two
    b PING
"""
SUBSCRIBER_MODE = """
    a SUBSCRIBE x
    a PING
    a PING hello
    a GET k
    a PUBSUB CHANNELS
    a CLIENT ID
    a MULTI
    a SET k
    a nothing
    b SSUBSCRIBE x
    b GET k
    b RESET
    b GET k
    w SPUBLISH x m
    w PUBSUB SHARDCHANNELS
    w PUBLISH x m
"""
GONE = """
    a SUBSCRIBE x
    a PSUBSCRIBE x*
    b SUBSCRIBE x
    a -
    w PUBLISH x m
    w PUBSUB NUMPAT
    w PUBSUB NUMSUB x
"""


@CASTS
@pytest.mark.parametrize(
    "script",
    [LISTENING, ASKING, SHARDED, IN_TRANSACTIONS, REPLIES_OFF, SUBSCRIBER_MODE, GONE],
    ids=["listening", "asking", "sharded", "transactions", "replies-off", "subscriber-mode", "gone"],
)
def test_every_connection_reads_what_redis_sends_it(oracle: Redis, script: str, cast: Cast) -> None:
    agree(oracle, script, cast)


# Redis 7.0 puts a message that a client sends to itself before its own reply, and so into the midst of an EXEC; from
# 7.2 on, and here, it comes behind.
TO_ONESELF = """
    a SUBSCRIBE x y
    a PUBLISH x one
    a PSUBSCRIBE x*
    a PUBLISH x two
    a MULTI
    a PUBLISH x three
    a PUBLISH y four
    a SUBSCRIBE z
    a PUBLISH z five
    a EXEC
    a CLIENT REPLY SKIP
    a PUBLISH x six
    a CLIENT REPLY OFF
    a PUBLISH y seven
    a CLIENT REPLY ON
"""


def test_a_message_to_oneself_comes_after_the_reply(valkey: Valkey) -> None:
    agree(valkey, TO_ONESELF, RESP3)


def test_a_transaction_that_subscribes_gets_its_own_messages_after_it(valkey: Valkey) -> None:
    agree(valkey, "a MULTI\na SUBSCRIBE x y\na PUBLISH x one\na GET k\na EXEC\na UNSUBSCRIBE", RESP2)


# ---- client-side caching

DEFAULT = """
    a CLIENT TRACKING ON
    a GET k
    w SET k 1
    w SET k 2
    a GET k
    a GET k
    a MGET k l m
    a STRLEN l
    w MSET l 1 m 2
    a SET k 3
    a GET k
    a SET k 4
    a GET k
    a SETEX k 100 5
    a EXISTS k none
    w DEL k none
    w SET none 1
    a GET k
    a CLIENT TRACKING OFF
    w SET k 6
    a CLIENT TRACKING ON
    w SET k 7
"""
TRANSACTIONS = """
    a CLIENT TRACKING ON
    a MULTI
    a GET k
    a SET k 1
    a GET k
    a SET k 2
    a GET k
    a EXEC
    w SET k 3
    w MULTI
    w SET k 4
    w SET k 5
    w EXEC
    a MULTI
    a GET k
    a DISCARD
    w SET k 6
"""
FLUSHES = """
    a CLIENT TRACKING ON NOLOOP
    b CLIENT TRACKING ON
    w FLUSHALL
    a GET k
    w FLUSHDB
    w SET k 1
    a FLUSHALL
    a CLIENT TRACKING OFF
    a CLIENT TRACKING ON BCAST
    w FLUSHDB
    w SELECT 1
    w FLUSHDB
"""
OPTING = """
    a CLIENT TRACKING ON OPTIN
    a GET k
    w SET k 1
    a CLIENT CACHING YES
    a GET k
    w SET k 2
    a CLIENT CACHING YES
    a CLIENT TRACKINGINFO
    a CLIENT GETREDIR
    a GET k
    a GET l
    w MSET k 3 l 4
    a CLIENT CACHING YES
    a PING
    a GET k
    w SET k 5
    a CLIENT CACHING YES
    a MULTI
    a GET k
    a GET l
    a EXEC
    w MSET k 6 l 7
    a CLIENT CACHING YES
    a nothing
    a GET k
    w SET k 8
    a CLIENT TRACKING ON
    a CLIENT TRACKING ON OPTOUT
    a GET k
    w SET k 9
    a CLIENT CACHING NO
    a CLIENT TRACKINGINFO
    a GET k
    w SET k 10
    a GET k
    w SET k 11
"""
LOOPS = """
    a CLIENT TRACKING ON NOLOOP
    a GET k
    a SET k 1
    w SET k 2
    a GET k
    w SET k 3
    b CLIENT TRACKING ON
    b GET k
    a GET k
    a INCR k
    w INCR k
"""
BROADCAST = """
    a CLIENT TRACKING ON BCAST PREFIX user: PREFIX item:
    w SET user:1 a
    w MSET user:3 a item:1 b user:2 c other d
    w SET other d
    a SET user:9 a
    a CLIENT TRACKING ON BCAST PREFIX other
    w SET other e
    a CLIENT TRACKINGINFO
    a CLIENT TRACKING OFF
    w SET user:1 b
    a CLIENT TRACKING ON BCAST NOLOOP
    a SET k 1
    w SET k 2
    w MULTI
    w SET k 3
    w SET j 4
    w SET k 5
    w EXEC
    a MULTI
    a SET k 6
    a DEL k
    a EXEC
    a CLIENT TRACKINGINFO
"""
REDIRECTS = """
    a CLIENT TRACKING ON REDIRECT $b
    a CLIENT GETREDIR
    a GET k
    w SET k 1
    b SUBSCRIBE __redis__:invalidate
    a GET k
    w SET k 2
    b UNSUBSCRIBE
    b SUBSCRIBE another
    a GET k
    w SET k 3
    a GET k
    b -
    w SET k 4
    a CLIENT TRACKINGINFO
    a GET k
    w SET k 5
    a CLIENT TRACKING ON
    a CLIENT TRACKINGINFO
"""
REFUSALS = """
    a CLIENT CACHING YES
    a CLIENT TRACKINGINFO
    a CLIENT GETREDIR
    a CLIENT TRACKING
    a CLIENT TRACKING maybe
    a CLIENT TRACKING ON nothing
    a CLIENT TRACKING ON REDIRECT
    a CLIENT TRACKING ON PREFIX
    a CLIENT TRACKING ON REDIRECT word
    a CLIENT TRACKING ON REDIRECT 0
    a CLIENT TRACKING ON REDIRECT 123456789
    a CLIENT TRACKING ON REDIRECT $b REDIRECT $b
    a CLIENT TRACKING ON PREFIX a
    a CLIENT TRACKING ON BCAST OPTIN
    a CLIENT TRACKING ON BCAST OPTOUT
    a CLIENT TRACKING ON OPTIN OPTOUT
    a CLIENT TRACKING ON BCAST PREFIX ab PREFIX x PREFIX a
    a CLIENT TRACKING ON BCAST PREFIX a PREFIX a
    a CLIENT TRACKING off nothing
    a CLIENT TRACKING off PREFIX a
    a CLIENT TRACKING on BCAST BCAST PREFIX ab
    a CLIENT TRACKING on BCAST PREFIX abc
    a CLIENT TRACKING on BCAST PREFIX a
    a CLIENT TRACKING on BCAST
    a CLIENT TRACKING on
    a CLIENT CACHING YES
    a CLIENT CACHING NO
    a CLIENT TRACKINGINFO
    a CLIENT TRACKING off
    a CLIENT TRACKING on OPTIN
    a CLIENT CACHING NO
    a CLIENT CACHING maybe
    a CLIENT CACHING
    a CLIENT TRACKING on OPTOUT
    a CLIENT GETREDIR x
    a CLIENT TRACKINGINFO x
    a RESET
    a CLIENT TRACKINGINFO
"""


@CASTS
@pytest.mark.parametrize(
    "script",
    [DEFAULT, TRANSACTIONS, FLUSHES, OPTING, LOOPS, BROADCAST, REDIRECTS, REFUSALS],
    ids=["default", "transactions", "flushes", "opting", "loops", "broadcast", "redirects", "refusals"],
)
def test_every_cache_is_told_what_redis_tells_it(oracle: Redis, script: str, cast: Cast) -> None:
    agree(oracle, script, cast)


# Redis writes the nil of a flush as the tracked connection would read it, though it goes to another one; here it is nil
# to whom it reaches.
REDIRECTED_FLUSH = """
    b SUBSCRIBE any
    a CLIENT TRACKING ON REDIRECT $b
    w FLUSHALL
    a FLUSHDB
    w MULTI
    w SET k 1
    w FLUSHDB
    w EXEC
"""


@pytest.mark.parametrize("cast", [RESP2, RESP3], ids=["resp2", "resp3"])
def test_a_flush_reaches_the_connection_that_was_named(oracle: Redis, cast: Cast) -> None:
    agree(oracle, REDIRECTED_FLUSH, cast)


def test_what_is_redirected_to_the_connection_that_flushes_comes_after_its_reply(valkey: Valkey) -> None:
    # 7.0 puts it before the reply; see above.
    script = """
        a CLIENT TRACKING ON
        b CLIENT TRACKING ON REDIRECT $a
        b GET k
        a GET k
        a SET k 1
        a FLUSHALL
    """
    agree(valkey, script, RESP3)


def test_invalidations_come_behind_messages_of_the_same_command(valkey: Valkey) -> None:
    # 7.0 puts the message before the reply; see above.
    agree(valkey, "a SUBSCRIBE x\na CLIENT TRACKING ON\na GET k\na MULTI\na SET k 1\na PUBLISH x m\na EXEC", RESP3)
