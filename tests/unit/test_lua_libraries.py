"""cjson, cmsgpack, struct and bit on their own: what they let a script see, and what it cannot make them do."""

from __future__ import annotations

import pytest
from lupa.lua51 import LuaMemoryError

from tests.support.lua_world import LuaWorld

MEBIBYTE = 1 << 20
LIMIT = 16 * MEBIBYTE


@pytest.fixture
def world() -> LuaWorld:
    return LuaWorld(max_memory=LIMIT)


def test_scripts_see_functions_texts_and_null_only(world: LuaWorld) -> None:
    code = b"""
    for _, library in ipairs{cjson, cmsgpack, struct, bit, cjson.new()} do
        for name, member in pairs(library) do
            local kind = type(member)
            assert(kind == 'function' or kind == 'string' or name == 'null', name)
            if kind == 'function' then assert(not pcall(string.dump, member), name) end
        end
    end
    assert(not pcall(function() return cjson.null.__class__ end))
    assert(not pcall(function() cjson.null.x = 1 end))
    return tostring(cjson.null)
    """
    assert world.run(code) == b"userdata: (nil)"


def test_settings_of_one_instance_are_not_those_of_another(world: LuaWorld) -> None:
    code = b"""
    local mine = cjson.new()
    mine.encode_number_precision(3)
    mine.decode_max_depth(1)
    return mine.encode(1/3), cjson.encode(1/3), pcall(mine.decode, '[[]]'), cjson.encode(cjson.decode('[[]]'))
    """
    assert world.run(code)[:3] == (b"0.333", b"0.33333333333333", False)


BOMBS = {
    "a value that doubles with each level": b"local t = 'x' for i = 1, 60 do t = {t, t} end return cjson.encode(t)",
    "the same packed": b"local t = 'x' for i = 1, 14 do t = {t,t,t,t,t,t,t,t} end return cmsgpack.pack(t)",
    "an array of holes": b"cjson.encode_sparse_array(false, 0) return cjson.encode({[2^31 - 1] = 1})",
    "a long text of short values": b"return cjson.decode('[' .. string.rep('[],', 1000000) .. '1]')",
    "many packed tables": b"return cmsgpack.unpack('\\221\\0\\15\\66\\64' .. string.rep('\\144', 1000000))",
    "a string as large as memory": b"local s = string.rep('x', 3000000) return struct.pack('sssss', s, s, s, s, s)",
}


@pytest.mark.parametrize("code", BOMBS.values(), ids=BOMBS)
def test_a_bomb_ends_with_an_error_and_the_interpreter_goes_on(world: LuaWorld, code: bytes) -> None:
    with pytest.raises(LuaMemoryError):
        world.run(code)
    world.runtime.gccollect()
    world.runtime.execute(b"debug.sethook()")  # as whoever runs scripts does before each
    assert world.runtime.get_memory_used() < MEBIBYTE
    assert world.run(b"return cjson.encode({1, 2})") == b"[1,2]"


def test_a_length_that_is_not_there_is_not_believed(world: LuaWorld) -> None:
    codes = [b"\\221\\255\\255\\255\\255", b"\\223\\255\\255\\255\\255", b"\\219\\255\\255\\255\\255"]
    for code in codes:
        assert world.run(b"return select(2, pcall(cmsgpack.unpack, '%s'))" % code) == b"Missing bytes in input."


def test_long_runs_take_time_that_grows_with_the_text_only(world: LuaWorld) -> None:
    # Each would take minutes if a pattern went back over them more than once.
    code = b"""
    local blank, digits, text = string.rep(' ', 1000000), string.rep('1', 1000000), string.rep('a', 1000000)
    local results = {}
    for _, json in ipairs{
        '[1' .. blank .. 'x', '["a"' .. blank .. 'x', '{' .. blank .. 'x', '{"a"' .. blank .. 'x',
        '[' .. digits .. '.', '[' .. digits .. blank .. 'x', '["' .. text, '{"' .. text, '{"' .. text .. '\\\\x"',
    } do
        local ok = pcall(cjson.decode, json)
        results[#results + 1] = tostring(ok)
        collectgarbage()
    end
    return table.concat(results, ' ')
    """
    assert world.run(code) == b" ".join([b"false"] * 9)


def test_an_error_leaves_nothing_behind(world: LuaWorld) -> None:
    world.run(b"for i = 1, 50 do pcall(cjson.decode, '[' .. string.rep('1,', 20000)) end")
    world.runtime.gccollect()
    assert world.runtime.get_memory_used() < MEBIBYTE
