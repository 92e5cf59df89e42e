"""Python functions that look to Lua like C."""

from __future__ import annotations

from typing import Any

import pytest
from lupa.lua51 import LuaMemoryError, LuaRuntime

from shardkv.scripting.crossing import ArgumentFault, Crossing, LuaFault

MEBIBYTE = 1 << 20


@pytest.fixture
def runtime() -> Any:
    return LuaRuntime(encoding=None, unpack_returned_tuples=True, register_eval=False, max_memory=8 * MEBIBYTE)


@pytest.fixture
def crossing(runtime: Any) -> Crossing:
    def work(what: object = None, *more: object) -> object:
        if what == b"fault":
            raise LuaFault(b"it broke")
        if what == b"bare":
            raise LuaFault(b"it broke", here=False)
        if what == b"argument":
            raise ArgumentFault(2, b"number expected, got nil")
        if what == b"table":
            raise LuaFault(runtime.table_from({b"err": b"CODE x"}), here=False)
        return (what, *more)

    made = Crossing(runtime)
    lib = runtime.table()
    made.define(lib, b"work", work)
    runtime.globals()[b"lib"] = lib
    return made


def run(runtime: Any, code: bytes) -> Any:
    return runtime.execute(code, name=b"@user_script")


def test_it_is_a_function_and_returns_what_python_returned(runtime: Any, crossing: Crossing) -> None:
    assert run(runtime, b"return type(lib.work), lib.work(1, 'a', nil, true)") == (b"function", 1, b"a", None, True)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (b"local ok, e = pcall(lib.work, 'fault') return e", b"it broke"),
        (
            b"local ok, e = pcall(function()\nlocal r = lib.work('fault') return r end) return e",
            b"user_script:2: it broke",
        ),
        (b"local ok, e = pcall(function()\nreturn lib.work('fault') end) return e", b"user_script:2: it broke"),
        (b"local ok, e = pcall(function() return lib.work('bare') end) return e", b"it broke"),
        (b"local ok, e = pcall(lib.work, 'argument') return e", b"bad argument #2 to '?' (number expected, got nil)"),
        (
            b"local ok, e = pcall(function() return lib.work('argument') end) return e",
            b"user_script:1: bad argument #2 to 'work' (number expected, got nil)",
        ),
        (
            b"local mine = lib.work local ok, e = pcall(function() local r = mine('argument') end) return e",
            b"user_script:1: bad argument #2 to 'mine' (number expected, got nil)",
        ),
        (b"local ok, e = pcall(lib.work, 'table') return type(e) .. e.err", b"tableCODE x"),
    ],
)
def test_its_errors_are_those_of_a_c_function(runtime: Any, crossing: Crossing, code: bytes, error: bytes) -> None:
    assert run(runtime, code) == error
    assert run(runtime, b"return (debug.gethook())") is None


def test_the_self_of_a_method_is_not_counted(runtime: Any, crossing: Crossing) -> None:
    code = b"string.work = lib.work local ok, e = pcall(function() return ('argument'):work() end) return e"
    assert run(runtime, code) == b"user_script:1: bad argument #1 to 'work' (number expected, got nil)"


def test_an_error_is_raised_in_the_coroutine_that_made_it(runtime: Any, crossing: Crossing) -> None:
    code = b"""
    local co = coroutine.create(function() return lib.work('fault') end)
    local ok, e = coroutine.resume(co)
    return e, coroutine.status(co), lib.work(7)
    """
    assert run(runtime, code) == (b"user_script:2: it broke", b"dead", 7)


def test_the_hook_that_was_set_before_is_set_again(runtime: Any, crossing: Crossing) -> None:
    code = b"""
    local function clock() end
    debug.sethook(clock, "", 1000)
    pcall(lib.work, 'fault')
    local hook, mask, count = debug.gethook()
    debug.sethook()
    return hook == clock, mask, count
    """
    assert run(runtime, code) == (True, b"", 1000)


def test_a_script_that_fills_its_memory_to_the_brim_ends_and_the_process_lives(
    runtime: Any, crossing: Crossing
) -> None:
    runtime.set_max_memory(4 * MEBIBYTE)
    code = b"""
    local kept = {}
    for i = 1, 100000 do kept[i] = false end
    local filled = 0
    for _ = 1, 1000 do
        collectgarbage()
        local size = 100000
        while size > 8 do
            local ok, text = pcall(string.rep, string.char(filled % 256), size + filled)
            if ok then filled = filled + 1 kept[filled] = text else size = size / 2 end
        end
        pcall(lib.work, 'x')
    end
    return filled
    """
    with pytest.raises(LuaMemoryError):
        run(runtime, code)
    runtime.set_max_memory(8 * MEBIBYTE)
    runtime.gccollect()
    runtime.execute(b"debug.sethook()")
    assert run(runtime, b"return lib.work(1)") == 1


def test_without_room_the_error_cannot_be_caught_for_good(runtime: Any, crossing: Crossing) -> None:
    runtime.set_max_memory(4 * MEBIBYTE)
    code = b"""
    local kept = {}
    repeat
        collectgarbage()
        local ok, text = pcall(string.rep, string.char(#kept), 100000 + #kept)
        kept[#kept + 1] = text
    until not ok
    while true do
        pcall(lib.work, 'x')
    end
    """
    with pytest.raises(LuaMemoryError, match="not enough memory"):
        run(runtime, code)
    runtime.execute(b"debug.sethook()")


def test_what_is_large_must_be_announced(runtime: Any, crossing: Crossing) -> None:
    lib = runtime.table()

    def large(size: int) -> bytes:
        crossing.must_afford(size)
        return bytes(size)

    crossing.define(lib, b"large", large)
    runtime.globals()[b"other"] = lib
    assert run(runtime, b"return #other.large(1000000)") == 1000000
    assert run(runtime, b"return select(2, pcall(other.large, 100000000))") == b"not enough memory"
