"""Libraries of functions: loading, calling, listing, dumping, and what is propagated."""

from __future__ import annotations

import pytest

from shardkv.config import Config
from shardkv.errors import ReplyError
from tests.support.engine_client import EngineClient, refused

COUNTER = """#!lua name=counter
local function bump(keys, args)
  return redis.call('incrby', keys[1], args[1] or 1)
end
local function peek(keys)
  return redis.call('get', keys[1])
end
redis.register_function('bump', bump)
redis.register_function{function_name = 'peek', callback = peek, description = 'looks', flags = {'no-writes'}}
"""


def library(name: str, *functions: str) -> str:
    return f"#!lua name={name}\n" + "".join(
        f"redis.register_function('{function}', function() return '{name}' end)\n" for function in functions
    )


# ---- loading and calling


def test_a_function_gets_keys_and_arguments(kv: EngineClient) -> None:
    assert kv("FUNCTION", "LOAD", COUNTER) == "counter"
    assert kv("FCALL", "bump", 1, "n", 5) == 5
    assert kv("FCALL", "bump", 1, "n") == 6
    assert kv("FCALL_RO", "peek", 1, "n") == "6"


def test_a_library_keeps_what_it_remembers(kv: EngineClient) -> None:
    kv("FUNCTION", "LOAD", "#!lua name=m\nlocal n = 0 redis.register_function('f', function() n = n + 1 return n end)")
    assert [kv("FCALL", "f", 0), kv("FCALL", "f", 0)] == [1, 2]


def test_functions_have_no_keys_and_argv_of_their_own(kv: EngineClient) -> None:
    kv("FUNCTION", "LOAD", "#!lua name=m\nredis.register_function('f', function() return KEYS[1] end)")
    text = "ERR user_function:2: Script attempted to access nonexistent global variable 'KEYS'"
    with refused(f"{text} script: f, on @user_function:2."):
        kv("FCALL", "f", 1, "a")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("return 1", "ERR Missing library metadata"),
        ("#!lua", "ERR Invalid library metadata"),
        ("#!lua\n", "ERR Library name was not given"),
        ("#!py name=a\n", "ERR Engine 'py' not found"),
        ("#!lua name=a name=b\n", "ERR Invalid metadata value, name argument was given multiple times"),
        ("#!lua foo=1\n", "ERR Invalid metadata value given: foo=1"),
        (
            "#!lua name=a-b\n",
            "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one "
            "character long",
        ),
        ("#!lua name=a\nreturn 1", "ERR No functions registered"),
        ("#!lua name=a\nsyntax error", "ERR Error compiling function: user_function:2: '=' expected near 'error'"),
        (
            "#!lua name=a\nlocal x = string.rep",
            "ERR Error registering functions: ERR user_function:2: Script attempted to access nonexistent global "
            "variable 'string'",
        ),
        (
            "#!lua name=a\nredis.call('ping')",
            "ERR Error registering functions: ERR user_function:2: Script attempted to access nonexistent global "
            "variable 'call'",
        ),
        (
            "#!lua name=a\nx = 1",
            "ERR Error registering functions: ERR user_function:2: Attempt to modify a readonly table",
        ),
        (
            "#!lua name=a\nredis.register_function('f')",
            "ERR Error registering functions: ERR calling redis.register_function with a single argument is only "
            "applicable to Lua table (representing named arguments).",
        ),
        (
            "#!lua name=a\nredis.register_function('f', 1)",
            "ERR Error registering functions: ERR second argument to redis.register_function must be a function",
        ),
        (
            "#!lua name=a\nredis.register_function{function_name = 'f', callback = function() end, flags = {'x'}}",
            "ERR Error registering functions: ERR unknown flag given",
        ),
        (
            library("a", "f", "f"),
            "ERR Error registering functions: ERR Function already exists in the library",
        ),
    ],
)
def test_a_library_that_is_none_changes_nothing(kv: EngineClient, code: str, error: str) -> None:
    with refused(error):
        kv("FUNCTION", "LOAD", code)
    assert kv("FUNCTION", "LIST") == []


def test_loading_takes_half_a_second_at_most() -> None:
    kv = EngineClient(config=Config())
    kv.engine.stopwatch = iter(range(10**9)).__next__  # a second at each look
    with refused("ERR Error registering functions: ERR FUNCTION LOAD timeout"):
        kv("FUNCTION", "LOAD", "#!lua name=a\nwhile true do end")
    assert kv("EVAL", "return 1", 0) == 1


def test_names_are_taken_once(kv: EngineClient) -> None:
    kv("FUNCTION", "LOAD", library("a", "f"))
    with refused("ERR Library 'a' already exists"):
        kv("FUNCTION", "LOAD", library("a", "g"))
    with refused("ERR Function F already exists"):
        kv("FUNCTION", "LOAD", library("b", "F"))
    with refused("ERR Error registering functions: ERR Function already exists in the library"):
        kv("FUNCTION", "LOAD", library("b", "g", "G"))  # Redis crashes when such a library is replaced
    with refused("ERR Function f already exists"):
        kv("FUNCTION", "LOAD", library("b", "g", "f"))
    with refused("ERR Function not found"):
        kv("FCALL", "g", 0)
    assert kv("FUNCTION", "LOAD", "REPLACE", library("a", "g")) == "a"
    assert kv("FCALL", "g", 0) == "a"
    with refused("ERR Function not found"):
        kv("FCALL", "f", 0)


def test_a_function_that_may_write_is_not_for_fcall_ro(kv: EngineClient) -> None:
    kv("FUNCTION", "LOAD", COUNTER)
    with refused("ERR Can not execute a script with write flag using *_ro command."):
        kv("FCALL_RO", "bump", 1, "n")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("none", 0), "ERR Function not found"),
        (("peek", "x"), "ERR Bad number of keys provided"),
        (("peek", -1), "ERR Number of keys can't be negative"),
        (("peek", 2, "a"), "ERR Number of keys can't be greater than number of args"),
    ],
)
def test_a_call_that_makes_no_sense(kv: EngineClient, words: tuple[str | int, ...], error: str) -> None:
    kv("FUNCTION", "LOAD", COUNTER)
    with refused(error):
        kv("FCALL", *words)


# ---- telling


def test_list_tells_of_libraries_and_functions(kv: EngineClient) -> None:
    kv("FUNCTION", "LOAD", COUNTER)
    kv("FUNCTION", "LOAD", library("other", "f"))
    shown = kv("FUNCTION", "LIST", "LIBRARYNAME", "COUNT*", "WITHCODE")
    functions = [
        ["name", "bump", "description", None, "flags", []],
        ["name", "peek", "description", "looks", "flags", ["no-writes"]],
    ]
    assert shown == [
        ["library_name", "counter", "engine", "LUA", "functions", functions, "library_code", COUNTER],
    ]
    assert len(kv("FUNCTION", "LIST")) == 2
    with refused("ERR Unknown argument foo"):
        kv("FUNCTION", "LIST", "foo")
    with refused("ERR library name argument was not given"):
        kv("FUNCTION", "LIST", "LIBRARYNAME")


def test_stats_count_and_tell_what_runs(kv: EngineClient) -> None:
    kv("FUNCTION", "LOAD", COUNTER)
    counts = ["LUA", ["libraries_count", 1, "functions_count", 2]]
    assert kv("FUNCTION", "STATS") == ["running_script", None, "engines", counts]


def test_a_slow_function_is_told_of_and_ended_by_function_kill() -> None:
    config = Config()
    config.set([(b"busy-reply-threshold", b"1")])
    kv = EngineClient(config=config)
    kv.engine.stopwatch = iter(range(10**9)).__next__
    kv("FUNCTION", "LOAD", "#!lua name=a\nredis.register_function('loop', function() while true do end end)")
    other = kv.other()
    replies: list[bytes] = []
    kv.world.meanwhile = lambda: replies.extend(
        other.raw(*words) for words in (("PING",), ("FUNCTION", "STATS"), ("SCRIPT", "KILL"), ("FUNCTION", "KILL"))
    )
    with refused("ERR Script killed by user with FUNCTION KILL... script: loop, on @user_function:2."):
        kv("FCALL", "loop", 1, "key")
    busy = b"-BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.\r\n"
    assert replies[0] == replies[2] == busy
    assert b"$4\r\nloop\r\n$7\r\ncommand\r\n*4\r\n$5\r\nFCALL\r\n" in replies[1]
    assert replies[3] == b"+OK\r\n"


# ---- going


def test_delete_and_flush(kv: EngineClient) -> None:
    kv("FUNCTION", "LOAD", library("a", "f"))
    kv("FUNCTION", "LOAD", library("b", "g"))
    assert kv("FUNCTION", "DELETE", "a") == "OK"
    with refused("ERR Library not found"):
        kv("FUNCTION", "DELETE", "a")
    assert kv("FUNCTION", "FLUSH", "ASYNC") == "OK"
    assert kv("FUNCTION", "LIST") == []
    with refused("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"):
        kv("FUNCTION", "FLUSH", "x")


def test_dump_and_restore(kv: EngineClient) -> None:
    kv("FUNCTION", "LOAD", COUNTER)
    kv("FUNCTION", "LOAD", library("b", "g"))
    payload = kv.raw("FUNCTION", "DUMP")
    dump = payload[payload.index(b"\n") + 1 : -2]
    with refused("ERR Library counter already exists"):
        kv("FUNCTION", "RESTORE", dump)
    kv("FUNCTION", "FLUSH")
    assert kv("FUNCTION", "RESTORE", dump) == "OK"
    assert kv("FCALL", "bump", 1, "n") == 1
    assert kv("FUNCTION", "RESTORE", dump, "REPLACE") == "OK"
    kv("FUNCTION", "LOAD", library("c", "h"))
    assert kv("FUNCTION", "RESTORE", dump, "FLUSH") == "OK"
    assert [entry[1] for entry in kv("FUNCTION", "LIST")] == ["counter", "b"]
    for damaged in (b"abc", dump[:-1] + bytes([dump[-1] ^ 1])):
        with refused("ERR DUMP payload version or checksum are wrong"):
            kv("FUNCTION", "RESTORE", damaged)


def test_a_restore_that_fails_changes_nothing(kv: EngineClient) -> None:
    kv("FUNCTION", "LOAD", library("a", "f"))
    kv("FUNCTION", "LOAD", library("b", "g"))
    payload = kv.raw("FUNCTION", "DUMP")
    dump = payload[payload.index(b"\n") + 1 : -2]
    kv("FUNCTION", "FLUSH")
    kv("FUNCTION", "LOAD", library("z", "g"))
    with refused("ERR Function g already exists"):
        kv("FUNCTION", "RESTORE", dump)
    assert [entry[1] for entry in kv("FUNCTION", "LIST")] == ["z"]
    assert kv("FCALL", "g", 0) == "z"


def test_what_changes_functions_is_propagated_and_calls_are_what_they_did(kv: EngineClient) -> None:
    sent = kv.propagated()
    kv("FUNCTION", "LOAD", COUNTER)
    kv("FCALL", "bump", 1, "n", 2)
    with pytest.raises(ReplyError):
        kv("FUNCTION", "LOAD", COUNTER)
    kv("FUNCTION", "DELETE", "counter")
    kv("FUNCTION", "FLUSH")
    assert [words[:2] for words in sent] == [
        [b"FUNCTION", b"LOAD"],
        [b"incrby", b"n"],
        [b"FUNCTION", b"DELETE"],
        [b"FUNCTION", b"FLUSH"],
    ]
