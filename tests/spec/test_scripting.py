"""Scripts: EVAL and its kin, SCRIPT, the ``redis`` table, what is propagated, and how long a script may run."""

from __future__ import annotations

from hashlib import sha1

import pytest

from shardkv.config import Config
from shardkv.errors import ReplyError
from tests.support.engine_client import EngineClient, encode_words, refused


def sha(script: str) -> str:
    return sha1(script.encode()).hexdigest()


def place(script: str, line: int = 1) -> str:
    """What stands behind an error that a script has raised."""
    return f" script: {sha(script)}, on @user_script:{line}."


# ---- running


def test_a_script_gets_keys_and_arguments(kv: EngineClient) -> None:
    assert kv("EVAL", "return {KEYS[1], KEYS[2], ARGV[1], #KEYS, #ARGV}", 2, "a", "b", "c") == ["a", "b", "c", 2, 1]


def test_many_words_reach_the_script_in_their_order(kv: EngineClient) -> None:
    words = [f"w{place}" for place in range(20_000)]
    script = "return {#KEYS, #ARGV, KEYS[1], KEYS[#KEYS], ARGV[1], ARGV[#ARGV]}"
    assert kv("EVAL", script, 9_999, *words) == [9_999, 10_001, "w0", "w9998", "w9999", "w19999"]
    assert kv("EVAL", "return {#KEYS, #ARGV}", 0) == [0, 0]


def test_keys_of_one_script_are_not_there_for_the_next(kv: EngineClient) -> None:
    kv("EVAL", "KEYS[2] = 'x' ARGV.left = 'y'", 1, "a")
    assert kv("EVAL", "return {#KEYS, ARGV.left or 'gone'}", 0) == [0, "gone"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("return 1", "x"), "ERR value is not an integer or out of range"),
        (("return 1", -1), "ERR Number of keys can't be negative"),
        (("return 1", 2, "a"), "ERR Number of keys can't be greater than number of args"),
        (("return (", 0), "ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(kv: EngineClient, words: tuple[str | int, ...], error: str) -> None:
    with refused(error):
        kv("EVAL", *words)


def test_evalsha_knows_what_eval_and_script_load_have_brought(kv: EngineClient) -> None:
    name = kv("SCRIPT", "LOAD", "return 1")
    assert name == sha("return 1")
    assert kv("EVALSHA", name, 0) == 1
    assert kv("EVALSHA", name.upper(), 0) == 1
    kv("EVAL", "return 2", 0)
    assert kv("SCRIPT", "EXISTS", sha("return 2"), sha("return 3"), name.upper()) == [1, 0, 1]
    assert kv("SCRIPT", "SHOW", name) == "return 1"
    assert kv("SCRIPT", "FLUSH") == "OK"
    for unknown in (name, "no sha"):
        with refused("NOSCRIPT No matching script. Please use EVAL."):
            kv("EVALSHA", unknown, 0)


def test_scripts_of_eval_are_forgotten_for_others_and_loaded_ones_are_not(kv: EngineClient) -> None:
    kept = kv("SCRIPT", "LOAD", "return 'kept'")
    kv("EVAL", "return 'first'", 0)
    for number in range(500):
        kv("EVAL", f"return {number}", 0)
    assert kv("SCRIPT", "EXISTS", kept, sha("return 'first'"), sha("return 0"), sha("return 499")) == [1, 0, 1, 1]
    assert "number_of_cached_scripts:501\r\n" in kv("INFO", "memory")
    assert "evicted_scripts:1\r\n" in kv("INFO", "stats")


def test_flush_gives_the_memory_of_scripts_back(kv: EngineClient) -> None:
    def held() -> int:
        line = next(line for line in kv("INFO", "memory").splitlines() if line.startswith("used_memory_vm_eval:"))
        return int(line.partition(":")[2])

    kv("EVAL", "return 1", 0)
    kv("SCRIPT", "FLUSH")
    before = held()
    for number in range(1000):
        kv("SCRIPT", "LOAD", f"return redis.call('get', 'key:{number}')")
    assert held() > before + 500_000
    kv("SCRIPT", "FLUSH")
    assert held() < before + 100_000


# ---- errors


def test_an_error_tells_the_script_and_the_line(kv: EngineClient) -> None:
    script = "local x = 1\nreturn redis.call('incr', 'a', 'b')"
    with refused("ERR Wrong number of args calling Redis command from script" + place(script, 2)):
        kv("EVAL", script, 0)


def test_an_error_that_is_returned_is_told_as_it_is(kv: EngineClient) -> None:
    with refused("MY err"):
        kv("EVAL", "return redis.error_reply('MY err')", 0)
    with refused("ERR one"):
        kv("EVAL", "return redis.error_reply('one')", 0)


def test_the_error_of_a_command_reaches_the_client_with_its_code(kv: EngineClient) -> None:
    kv("RPUSH", "list", "a")
    script = "return redis.call('get', 'list')"
    with refused("WRONGTYPE Operation against a key holding the wrong kind of value" + place(script)):
        kv("EVAL", script, 0)
    assert kv("EVAL", "return redis.pcall('get', 'list').err:sub(1, 9)", 0) == "WRONGTYPE"
    assert kv("EVAL", "local ok, e = pcall(redis.call, 'get', 'list') return {type(e), e:sub(1, 9)}", 0) == [
        "string",
        "WRONGTYPE",
    ]


def test_an_error_is_counted_once(kv: EngineClient) -> None:
    kv("RPUSH", "list", "a")
    with pytest.raises(ReplyError):
        kv("EVAL", "return redis.call('get', 'list')", 0)
    assert "errorstat_WRONGTYPE:count=1\r\n" in kv("INFO", "errorstats")


# ---- replies


@pytest.mark.parametrize(
    ("script", "raw2", "raw3"),
    [
        ("return 3.99", b":3\r\n", b":3\r\n"),
        ("return -3.99", b":-3\r\n", b":-3\r\n"),
        ("return 1e20", b":-9223372036854775808\r\n", b":-9223372036854775808\r\n"),
        (
            "return {1.7, 'x', false, true}",
            b"*4\r\n:1\r\n$1\r\nx\r\n$-1\r\n:1\r\n",
            b"*4\r\n:1\r\n$1\r\nx\r\n_\r\n:1\r\n",
        ),
        ("redis.setresp(3) return true", b":1\r\n", b"#t\r\n"),
        ("redis.setresp(3) return {false}", b"*1\r\n:0\r\n", b"*1\r\n#f\r\n"),
        ("return {double = 1.5}", b"$3\r\n1.5\r\n", b",1.5\r\n"),
        ("return {map = {a = 1}}", b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n"),
        ("return {set = {a = true}}", b"*1\r\n$1\r\na\r\n", b"~1\r\n$1\r\na\r\n"),
        ("return {big_number = '12'}", b"$2\r\n12\r\n", b"(12\r\n"),
        ("return {verbatim_string = {format = 'txt', string = 'a'}}", b"$1\r\na\r\n", b"=5\r\ntxt:a\r\n"),
        ("return {ok = 'a\\nb'}", b"+a b\r\n", b"+a b\r\n"),
        ("return {1, nil, 3}", b"*1\r\n:1\r\n", b"*1\r\n:1\r\n"),
        ("return function() end", b"$-1\r\n", b"_\r\n"),
    ],
)
def test_what_a_script_returns(kv: EngineClient, script: str, raw2: bytes, raw3: bytes) -> None:
    assert kv.raw("EVAL", script, 0) == raw2
    assert kv.other(resp3=True).raw("EVAL", script, 0) == raw3


def test_replies_come_to_the_script_as_resp2_until_it_asks_for_resp3(kv: EngineClient) -> None:
    kv("HSET", "hash", "f", "v")
    kv("ZADD", "zset", 1.5, "m")
    kv("SADD", "set", "m")
    assert kv("EVAL", "return redis.call('hgetall', 'hash')[2]", 0) == "v"
    assert kv("EVAL", "return type(redis.call('get', 'none'))", 0) == "boolean"
    script = """
        redis.setresp(3)
        return {redis.call('hgetall', 'hash').map.f, redis.call('zscore', 'zset', 'm').double * 2,
                redis.call('smembers', 'set').set.m and 'in', type(redis.call('get', 'none'))}
    """
    assert kv("EVAL", script, 0) == ["v", 3, "in", "nil"]
    assert kv("EVAL", "return redis.call('hgetall', 'hash')[2]", 0) == "v"


# ---- what a script may do


@pytest.mark.parametrize("command", ["multi", "eval", "subscribe", "blpop", "auth", "script|load"])
def test_some_commands_are_not_for_scripts(kv: EngineClient, command: str) -> None:
    words = ", ".join(f"'{word}'" for word in [*command.split("|"), "a", "0"][:3])
    script = f"return redis.pcall({words}).err" if command != "multi" else "return redis.pcall('multi').err"
    assert kv("EVAL", script, 0) == "ERR This Redis command is not allowed from script"


def test_select_is_the_scripts_own(kv: EngineClient) -> None:
    kv("EVAL", "redis.call('select', 3) redis.call('set', 'here', 'v')", 0)
    assert kv("EXISTS", "here") == 0
    kv("SELECT", 3)
    assert kv("EXISTS", "here") == 1


def test_time_stands_still_in_a_script(kv: EngineClient) -> None:
    kv("SET", "short", "v", "PX", 5)
    kv.world.meanwhile = lambda: None
    assert kv("EVAL", "local a = redis.call('get', 'short') return {a, redis.call('pttl', 'short')}", 0) == ["v", 5]


def test_what_a_script_did_is_propagated_and_not_the_script(kv: EngineClient) -> None:
    sent = kv.propagated()
    kv("EVAL", "redis.call('set', KEYS[1], 'v') redis.call('get', KEYS[1])", 1, "a")
    kv("EVAL", "redis.call('set', 'a', 'v') redis.call('incr', 'n') return redis.call('spop', 'none')", 0)
    kv("EVAL", "return redis.call('get', 'a')", 0)
    assert sent == [
        [b"set", b"a", b"v"],
        [b"MULTI"],
        [b"set", b"a", b"v"],
        [b"incr", b"n"],
        [b"EXEC"],
    ]


def test_a_script_that_fails_has_done_what_it_did(kv: EngineClient) -> None:
    sent = kv.propagated()
    with pytest.raises(ReplyError):
        kv("EVAL", "redis.call('set', 'a', 'v') error('no more')", 0)
    assert kv("GET", "a") == "v"
    assert sent == [[b"set", b"a", b"v"]]


def test_set_repl_keeps_changes_to_oneself(kv: EngineClient) -> None:
    sent = kv.propagated()
    kv("EVAL", "redis.set_repl(redis.REPL_NONE) redis.call('set', 'a', 1) redis.call('hset', 'h', 'f', 1)", 0)
    kv("EVAL", "redis.call('set', 'b', 1)", 0)
    assert sent == [[b"set", b"b", b"1"]]


def test_a_script_in_a_transaction_takes_part_in_it(kv: EngineClient) -> None:
    sent = kv.propagated()
    kv("MULTI")
    kv("INCR", "n")
    kv("EVAL", "return redis.call('incr', 'n')", 0)
    assert kv("EXEC") == [1, 2]
    assert sent == [[b"MULTI"], [b"INCR", b"n"], [b"incr", b"n"], [b"EXEC"]]


# ---- flags


def test_a_script_that_promised_not_to_write_is_held_to_it(kv: EngineClient) -> None:
    script = "#!lua flags=no-writes\nreturn redis.call('set', 'a', 1)"
    with refused("ERR Write commands are not allowed from read-only scripts." + place(script, 2)):
        kv("EVAL", script, 0)
    for name in ("set', 'a', '1", "publish', 'a', 'b", "pfcount', 'a"):
        script = f"return redis.pcall('{name}').err"
        assert kv("EVAL_RO", script, 0) == "ERR Write commands are not allowed from read-only scripts."
    assert kv("EVAL_RO", "return redis.call('get', 'a')", 0) is None
    with refused("ERR Can not execute a script with write flag using *_ro command."):
        kv("EVAL_RO", "#!lua\nreturn 1", 0)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("#!lua", "ERR Invalid script shebang"),
        ("#!py\nx", "ERR Unexpected engine in script shebang: #!py"),
        ("#!lua flags=no-writes,\nx", "ERR Unexpected flag in script shebang: "),
        ("#!lua foo=1\nx", "ERR Unknown lua shebang option: foo=1"),
    ],
)
def test_a_first_line_that_is_none(kv: EngineClient, line: str, error: str) -> None:
    with refused(error):
        kv("EVAL", line, 0)


# ---- rights


def test_a_script_may_do_what_its_caller_may(kv: EngineClient, other: EngineClient) -> None:
    kv("ACL", "SETUSER", "u", "on", ">p", "~k*", "+@all", "-set")
    other("AUTH", "u", "p")
    script = "return redis.pcall('set', 'k', 'v').err"
    assert other("EVAL", script, 0).startswith("NOPERM ACL failure in script: ")
    assert other("EVAL", "return redis.pcall('get', 'x').err", 0).startswith("NOPERM ACL failure in script: ")
    script = "return {redis.acl_check_cmd('set', 'k', 'v'), redis.acl_check_cmd('get', 'k')}"
    assert other("EVAL", script, 0) == [None, 1]


# ---- a script that runs too long


@pytest.fixture
def hasty() -> EngineClient:
    """A client of an engine that calls a script slow at once."""
    config = Config()
    config.set([(b"busy-reply-threshold", b"1")])
    client = EngineClient(config=config)
    client.engine.stopwatch = iter(range(10**9)).__next__  # a second at each look
    return client


LOOP = "while true do end"


def test_others_are_told_that_a_script_is_busy_and_may_end_it(hasty: EngineClient) -> None:
    other = hasty.other()
    replies: list[bytes] = []

    def meanwhile() -> None:
        replies.append(other.raw("GET", "a"))
        replies.append(other.raw("MULTI"))
        replies.append(other.raw("DISCARD"))
        replies.append(other.raw("FUNCTION", "KILL"))
        replies.append(other.raw("SCRIPT", "KILL"))

    hasty.world.meanwhile = meanwhile
    with refused("ERR Script killed by user with SCRIPT KILL..." + place(LOOP)):
        hasty("EVAL", LOOP, 0)
    busy = b"-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n"
    assert replies == [busy, b"+OK\r\n", b"+OK\r\n", busy, b"+OK\r\n"]
    assert other("GET", "a") is None


@pytest.mark.parametrize(
    "script",
    [
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
        "local f = coroutine.wrap(function() while true do end end) while true do pcall(f) end",
        "while true do pcall(string.gsub, 'aaa', 'a', function() while true do end end) end",
        "local t = setmetatable({}, {__index = function() while true do end end}) return t.x",
        "local function f() return pcall(f) end while true do f() end",
        "while true do pcall(redis.call, 'ping') end",
        "return {load(function() return 1 end)}",
    ],
)
def test_a_script_that_catches_errors_is_ended_too(hasty: EngineClient, script: str) -> None:
    other = hasty.other()
    hasty.world.meanwhile = lambda: other.send("SCRIPT", "KILL")
    with pytest.raises(ReplyError, match=r"^ERR Script killed by user with SCRIPT KILL\.\.\."):
        hasty("EVAL", script, 0)
    assert hasty("EVAL", "return 1", 0) == 1


def test_a_script_that_has_written_is_not_ended(hasty: EngineClient) -> None:
    other = hasty.other()
    replies: list[bytes] = []

    def meanwhile() -> None:
        replies.append(other.raw("SCRIPT", "KILL"))
        if len(replies) == 3:
            hasty.engine.scripts.overtime.abandon()

    hasty.world.meanwhile = meanwhile
    sent = hasty.propagated()
    with pytest.raises(ReplyError):
        hasty("EVAL", "redis.call('set', 'a', 1) while true do end", 0)
    assert all(reply.startswith(b"-UNKILLABLE Sorry the script already executed write commands") for reply in replies)
    assert sent == [[b"set", b"a", b"1"]]


def test_nothing_that_others_do_meanwhile_touches_the_script(hasty: EngineClient) -> None:
    other = hasty.other()
    waiting = hasty.other()
    waiting.send("BLPOP", "list", 0)
    sent = hasty.propagated()

    def meanwhile() -> None:
        other.raw("AUTH", "x")
        hasty.world.meanwhile = lambda: None

    hasty.world.meanwhile = meanwhile
    script = """
        redis.call('rpush', 'list', 'a')
        for i = 1, 3000000 do end
        return redis.call('llen', 'list')
    """
    assert hasty("EVAL", script, 0) == 1
    assert waiting.taken() == b"*2\r\n$4\r\nlist\r\n$1\r\na\r\n"
    assert [words[0] for words in sent] == [b"rpush", b"LPOP"]


def test_there_is_nothing_to_kill_when_nothing_runs(kv: EngineClient) -> None:
    for container in ("SCRIPT", "FUNCTION"):
        with refused("NOTBUSY No scripts in execution right now."):
            kv(container, "KILL")


def test_bytes_of_any_kind_go_through(kv: EngineClient) -> None:
    data = bytes(range(256))
    kv.engine.run(
        kv.session, [encode_words(["EVAL", "redis.call('set', KEYS[1], ARGV[1]) return ARGV[1]", 1, data, data])]
    )
    assert kv.taken() == b"$256\r\n%b\r\n" % data
    assert kv.raw("GET", data) == b"$256\r\n%b\r\n" % data


# ---- libraries (more in tests/compat/test_lua_libraries_oracle.py)


def test_scripts_find_the_libraries_and_cannot_change_them(kv: EngineClient) -> None:
    assert (
        kv("EVAL", "return cjson.encode({1, {a = cjson.null}, cjson.decode(ARGV[1])})", 0, '"x"')
        == '[1,{"a":null},"x"]'
    )
    assert kv("EVAL", "return cmsgpack.unpack(cmsgpack.pack({1, 'x'}))", 0) == [1, "x"]
    assert kv("EVAL", "return {struct.pack('>h', 258), bit.band(7, 3), cjson.null}", 0) == ["\x01\x02", 3, None]
    for library in ("cjson", "cmsgpack", "struct", "bit"):
        script = f"{library}.pack = nil"
        with refused("ERR user_script:1: Attempt to modify a readonly table" + place(script)):
            kv("EVAL", script, 0)


def test_an_error_of_a_library_tells_the_line_also_behind_return(kv: EngineClient) -> None:
    script = "local x = 1\nreturn cjson.decode('[1,')"
    with refused("ERR user_script:2: Expected value but found T_END at character 4" + place(script, 2)):
        kv("EVAL", script, 0)
    assert kv("EVAL", "return select(2, pcall(struct.pack, 'i'))", 0).startswith("bad argument #2 to '?'")


def test_a_script_whose_libraries_find_no_memory_ends_and_the_next_finds_all_of_it(kv: EngineClient) -> None:
    kv("CONFIG", "SET", "lua-memory-limit", "8mb")
    fill = """
    local t = {}
    for i = 1, 10000 do
        t[i] = string.rep('x', 1000) .. i
        if i % 1000 == 0 then pcall(cjson.encode, t) end
    end
    """
    for _ in range(3):
        with refused("ERR not enough memory: the script needs more than lua-memory-limit allows"):
            kv("EVAL", fill, 0)
        assert kv("EVAL", "return cjson.encode({1})", 0) == "[1]"
