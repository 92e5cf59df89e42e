"""Connection, server and introspection commands answer as redis-server does, byte for byte.

What each server knows of itself differs; so do the help texts and summaries, which are in our own words.
"""

from __future__ import annotations

import pytest

from shardkv.commands.spec import TABLE
from shardkv.config import Config
from tests.support.differential import Script, requests_of
from tests.support.engine_client import EngineClient
from tests.support.oracle import Redis, Valkey
from tests.support.processes import Server

CONNECTION = r"""
PING
PING a
PING a b
ECHO
ECHO a
HELLO 1
HELLO 3 AUTH a b
HELLO 3 SETNAME
HELLO 3 FOO
HELLO 9
HELLO SETNAME a
HELLO 3 AUTH default
HELLO 99999999999999999999
HELLO -1
HELLO 03
HELLO 3 auth default foo setname x y
HELLO 2 SETNAME "a b"
AUTH
AUTH x
AUTH a b
AUTH default x
AUTH a b c
SELECT -1
SELECT 15
SELECT 16
SELECT a
SELECT 9999999999
SELECT
CLIENT SETNAME bob
CLIENT GETNAME
CLIENT SETNAME ""
CLIENT GETNAME
CLIENT SETNAME "a\nb"
RESET
RESET a
"""

CLIENTS = r"""
CLIENT
CLIENT ID a
CLIENT FOO
CLIENT HELP a
CLIENT REPLY foo
CLIENT NO-EVICT foo
CLIENT NO-EVICT on
CLIENT KILL
CLIENT KILL a
CLIENT KILL ID 0
CLIENT KILL ID -1
CLIENT KILL ID a
CLIENT KILL TYPE foo
CLIENT KILL TYPE slave
CLIENT KILL USER nosuch
CLIENT KILL USER default
CLIENT KILL SKIPME maybe
CLIENT KILL ID 1 ADDR
CLIENT KILL ADDR 1:2 LADDR 1:3
CLIENT KILL FOO bar
CLIENT KILL ID 99999 SKIPME no
CLIENT KILL a b c
CLIENT LIST FOO
CLIENT LIST TYPE
CLIENT LIST TYPE foo
CLIENT LIST TYPE pubsub
CLIENT LIST TYPE master
CLIENT LIST TYPE slave
CLIENT LIST ID
CLIENT LIST ID a
CLIENT LIST ID 99999
CLIENT LIST ID 0
CLIENT LIST ID -1
CLIENT PAUSE a
CLIENT PAUSE -1
CLIENT PAUSE 1 foo
CLIENT PAUSE 0 ALL a
CLIENT UNPAUSE
CLIENT UNPAUSE a
CLIENT UNBLOCK 99999
CLIENT UNBLOCK a
CLIENT UNBLOCK 99999 FOO
CLIENT UNBLOCK 99999 TIMEOUT a
CLIENT UNBLOCK 99999 error
CLIENT UNBLOCK 99999999999999999999
"""

TRANSACTIONS = r"""
MULTI
MULTI
WATCH a
DISCARD
EXEC
DISCARD
WATCH
WATCH a b
UNWATCH
UNWATCH a
MULTI a
MULTI
GET
EXEC
MULTI
NOSUCH
EXEC
MULTI
WATCH x
EXEC
MULTI
SET a 1
INCR a
GET a
AUTH a b
SELECT a
EXEC
MULTI
RESET
EXEC
MULTI
SHUTDOWN
EXEC
WATCH a
SET a c
MULTI
GET a
EXEC
WATCH a
FLUSHALL
MULTI
EXEC
WATCH nosuch
FLUSHALL
MULTI
EXEC
SET a 1
WATCH a
SWAPDB 0 1
MULTI
EXEC
SWAPDB 0 1
"""

SERVER = r"""
DBSIZE a
FLUSHDB
FLUSHDB FOO
FLUSHDB SYNC
FLUSHALL ASYNC
FLUSHALL SYNC ASYNC
FLUSHALL ASYNC ASYNC
FLUSHDB SYNC SYNC
SWAPDB a 1
SWAPDB 1 a
SWAPDB 0 0
SWAPDB 0 16
SWAPDB -1 0
SWAPDB 99999999999 0
TIME a
SHUTDOWN FOO
SHUTDOWN ABORT
SHUTDOWN ABORT NOW
SHUTDOWN SAVE NOSAVE
LOLWUT VERSION a
INFO foo
INFO modules
INFO foo modules
INFO KEYSPACE modules
CONFIG
CONFIG GET
CONFIG GET hz
CONFIG GET nosuch
CONFIG SET
CONFIG SET a
CONFIG SET a b
CONFIG SET hz 10 a
CONFIG SET hz a
CONFIG RESETSTAT a
CONFIG RESETSTAT
CONFIG REWRITE
CONFIG HELP a
CONFIG FOO
"""

DEBUG = r"""
DEBUG
DEBUG FOO
DEBUG SLEEP
DEBUG SLEEP a
DEBUG SLEEP 0
DEBUG SET-ACTIVE-EXPIRE 1
DEBUG SET-ACTIVE-EXPIRE
DEBUG OBJECT
DEBUG OBJECT nosuch
DEBUG ERROR hello
DEBUG ERROR "HELLO wor\nld"
DEBUG ERROR
DEBUG LOG hi
DEBUG LOG
DEBUG QUICKLIST-PACKED-THRESHOLD
DEBUG QUICKLIST-PACKED-THRESHOLD x
DEBUG QUICKLIST-PACKED-THRESHOLD 0
DEBUG QUICKLIST-PACKED-THRESHOLD 100b
DEBUG QUICKLIST-PACKED-THRESHOLD 4gb
DEBUG JMAP
DEBUG POPULATE
DEBUG POPULATE a
DEBUG POPULATE -1
DEBUG POPULATE 3
MGET key:0 key:1 key:2
DEBUG POPULATE 2 pre 3
MGET pre:0 pre:1
DEBUG POPULATE 2 q 20
GET q:1
DEBUG POPULATE 1 z a
DEBUG DIGEST a
DEBUG DIGEST
FLUSHALL
DEBUG DIGEST
SET a b
DEBUG DIGEST
DEBUG DIGEST-VALUE a nosuch
DEBUG DIGEST-VALUE
SET n 42
INCR n
DEBUG DIGEST
PEXPIREAT a 9999999999999
DEBUG DIGEST
DEBUG DIGEST-VALUE a n
SELECT 3
SET a b
APPEND a c
SET "\x00\xff" "\x80"
DEBUG DIGEST
DEBUG PROTOCOL string
DEBUG PROTOCOL integer
DEBUG PROTOCOL double
DEBUG PROTOCOL bignum
DEBUG PROTOCOL null
DEBUG PROTOCOL array
DEBUG PROTOCOL set
DEBUG PROTOCOL map
DEBUG PROTOCOL attrib
DEBUG PROTOCOL verbatim
DEBUG PROTOCOL true
DEBUG PROTOCOL false
DEBUG PROTOCOL foo
SELECT 0
"""

INTROSPECTION = r"""
COMMAND COUNT a
COMMAND FOO
COMMAND INFO nosuch get|x
COMMAND INFO get CLIENT|LIST config|get mset object|freq rename flushall exec watch
COMMAND DOCS nosuch
COMMAND LIST FILTERBY
COMMAND LIST FILTERBY FOO x
COMMAND LIST FILTERBY ACLCAT foo
COMMAND LIST FILTERBY ACLCAT @string
COMMAND LIST FILTERBY MODULE foo
COMMAND LIST a
COMMAND LIST filterby pattern x y
COMMAND GETKEYS get
COMMAND GETKEYS get a
COMMAND GETKEYS ping
COMMAND GETKEYS nosuch a
COMMAND GETKEYS ping a
COMMAND GETKEYS get a b c
COMMAND GETKEYS mset a b c d
COMMAND GETKEYS mset a b c
COMMAND GETKEYS config get a
COMMAND GETKEYS config foo
COMMAND GETKEYS object encoding k
COMMAND GETKEYS set
COMMAND GETKEYS set a
COMMAND GETKEYSANDFLAGS set a b
COMMAND GETKEYSANDFLAGS set a b get
COMMAND GETKEYSANDFLAGS mset a b c d
COMMAND GETKEYSANDFLAGS ping
COMMAND GETKEYSANDFLAGS ping a
COMMAND GETKEYSANDFLAGS nosuch a
COMMAND GETKEYSANDFLAGS copy a b
COMMAND HELP a
"""

MODULES = r"""
MODULE
MODULE LIST
MODULE LIST a
MODULE FOO
MODULE LOAD
MODULE LOAD /nosuch.so
MODULE LOAD /nosuch.so a b
MODULE LOADEX /nosuch.so
MODULE LOADEX /nosuch.so CONFIG a b ARGS c
MODULE LOADEX /nosuch.so a
MODULE UNLOAD
MODULE UNLOAD nosuch
MULTI
MODULE LIST
MODULE UNLOAD nosuch
EXEC
EVAL "return redis.pcall('MODULE', 'LIST')" 0
"""

#: What only the newer server knows.
LATER = r"""
CLIENT SETINFO LIB-NAME a
CLIENT SETINFO LIB-VER ""
CLIENT SETINFO LIB-NAME "a b"
CLIENT SETINFO lib-ver "a\nb"
CLIENT SETINFO FOO x
CLIENT SETINFO LIB-NAME
CLIENT NO-TOUCH foo
CLIENT NO-TOUCH on
CLIENT NO-TOUCH off
CLIENT KILL MAXAGE a
CLIENT KILL MAXAGE 0
CLIENT KILL MAXAGE -1
CLIENT KILL MAXAGE 999999
"""


def differences(server: Server, script: Script, *, resp3: bool) -> list[str]:
    """What the two answer differently, as readable lines. Unlike the usual machine, both have DEBUG and MODULE open."""
    config = Config()
    for option in ("enable-debug-command", "enable-module-command"):
        config.assign(Config.options[option], "yes")
    ours = EngineClient(resp3=resp3, config=config)
    found: list[str] = []
    with server.client(resp3=resp3) as theirs:
        for words in requests_of(script):
            expected, got = theirs.raw(*words), ours.raw(*words)
            if got != expected:
                shown = b" ".join(words).decode("utf-8", "backslashreplace")
                found.append(f"{shown}\n    ours   {got!r}\n    theirs {expected!r}")
    return found


@pytest.mark.parametrize("resp3", [False, True])
@pytest.mark.parametrize("script", [CONNECTION, CLIENTS, TRANSACTIONS, SERVER, DEBUG, INTROSPECTION, MODULES])
def test_the_same_bytes_as_redis(oracle: Redis, script: str, resp3: bool) -> None:
    found = differences(oracle, script, resp3=resp3)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("resp3", [False, True])
def test_the_same_bytes_as_valkey_where_redis_7_0_is_too_old(valkey: Valkey, resp3: bool) -> None:
    found = differences(valkey, LATER, resp3=resp3)
    assert not found, "\n".join(found)


def test_push_of_debug_protocol_comes_before_its_reply(oracle: Redis) -> None:
    config = Config()
    config.assign(Config.options["enable-debug-command"], "yes")
    assert EngineClient(resp3=True, config=config).raw("DEBUG", "PROTOCOL", "push") == (
        b">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n$40\r\nSome real reply following the push reply\r\n"
    )


@pytest.mark.parametrize("resp3", [False, True])
def test_command_info_is_the_same_for_every_command_without_key_notes(oracle: Redis, resp3: bool) -> None:
    # Redis adds notes to some key specs, prose for people; ZRANK and ZREVRANK take WITHSCORE since 7.2, and later ones
    # tell of the cluster while they load.
    later = {"zrank", "zrevrank", *(f"cluster|{told}" for told in ("info", "nodes", "slots", "shards", "myid"))}
    names = [name for name, command in TABLE.items() if not command.subcommands and name not in later]
    ours = EngineClient(resp3=resp3)
    with oracle.client(resp3=resp3) as theirs:
        for name in names:
            expected = theirs.raw("COMMAND", "INFO", name)
            if expected != b"*1\r\n$-1\r\n" and expected != b"*1\r\n_\r\n" and b"$5\r\nnotes\r\n" not in expected:
                assert ours.raw("COMMAND", "INFO", name) == expected
