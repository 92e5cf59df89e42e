"""Scripts of a test run twice: here, in an interpreter with our libraries in it, and by redis-server's EVAL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from lupa.lua51 import LuaRuntime

from shardkv.scripting.libraries import install
from tests.support.oracle import Redis

#: Turns the outcome of a function into a string: every value to the last digit, and errors with their text.
_PRELUDE: Final = rb"""
local function show(value)
  local kind = type(value)
  if kind == 'number' then return string.format('%.17g', value) end
  if kind == 'string' then
    return '"' .. string.gsub(value, '[%c"\\\127-\255]', function(c) return '\\' .. string.byte(c) end) .. '"'
  end
  if value == cjson.null then return 'null' end
  if kind ~= 'table' then return kind .. (kind == 'boolean' and tostring(value) or '') end
  local parts = {}
  for k, v in pairs(value) do parts[#parts + 1] = show(k) .. '=' .. show(v) end
  table.sort(parts)
  return '{' .. table.concat(parts, ',') .. '}'
end
local function outcome(...)
  local parts = {}
  for i = 1, select('#', ...) do parts[i] = show((select(i, ...))) end
  return table.concat(parts, ' ')
end
local results = {}
local function case(body) results[#results + 1] = outcome(pcall(body)) end
"""


def script_of(bodies: Iterable[bytes]) -> bytes:
    """One script that runs these function bodies and returns an array with what came of each."""
    return _PRELUDE + b"\n".join(b"case(function() " + body + b"\nend)" for body in bodies) + b"\nreturn results"


class LuaWorld:
    """An interpreter with nothing of Redis in it but the libraries."""

    def __init__(self, max_memory: int = 256 << 20) -> None:
        self.runtime: Any = LuaRuntime(
            encoding=None, unpack_returned_tuples=True, register_eval=False, max_memory=max_memory
        )
        tables = install(self.runtime)
        for name in tables:
            self.runtime.globals()[name] = tables[name]

    def run(self, script: bytes) -> Any:
        """What the script returns; its error is raised."""
        return self.runtime.execute(script, name=b"@user_script")

    def outcomes(self, bodies: Sequence[bytes]) -> list[bytes]:
        """What came of each body."""
        return list(self.run(script_of(bodies)).values())


def oracle_outcomes(oracle: Redis, bodies: Sequence[bytes]) -> list[bytes]:
    """The same, by a real server."""
    with oracle.client() as client:
        reply = client.must("EVAL", script_of(bodies), 0)
    assert isinstance(reply, list)
    return reply


def lua_string(text: bytes) -> bytes:
    """The text as a literal of Lua."""
    return b'"' + b"".join(b"\\%03d" % code for code in text) + b'"'
