"""The libraries that every script finds: cjson, cmsgpack, struct and bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from .bit_library import bit_table
from .crossing import Crossing
from .json_library import JsonLibrary
from .msgpack_library import msgpack_table
from .struct_library import struct_table

# A userdatum of our own stands for JSON's null. Redis's is the light one with address 0, and says so.
_NULL = b"""
local null = newproxy(true)
local meta = getmetatable(null)
meta.__tostring = function() return "userdata: (nil)" end
meta.__metatable = false
return null
"""


def install(runtime: Any, exhausted: Callable[[], NoReturn] | None = None) -> Any:
    """The libraries for one runtime: a Lua table of their tables by name, which scripts must not be able to change.
    ``debug``, ``python`` and ``newproxy`` must still be among the runtime's globals; for ``exhausted`` see
    ``Crossing``."""
    crossing = Crossing(runtime, exhausted)
    null = runtime.execute(_NULL)
    return runtime.table_from(
        {
            b"cjson": JsonLibrary(crossing, runtime, null).table,
            b"cmsgpack": msgpack_table(crossing, runtime),
            b"struct": struct_table(crossing, runtime),
            b"bit": bit_table(crossing, runtime),
        }
    )
