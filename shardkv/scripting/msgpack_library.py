"""The library cmsgpack: its arguments and its way across; the work is done in ``cmsgpack.lua``."""

from __future__ import annotations

from typing import Any, Final

from . import arguments as lua
from .crossing import ArgumentFault, Crossing, LuaFault, failure, outcome
from .sources import compiled

_INT_MAX: Final = 0x7FFFFFFF
_ABOUT: Final = {
    b"_NAME": b"cmsgpack",
    b"_VERSION": b"lua-cmsgpack 0.4.0",
    b"_COPYRIGHT": b"Copyright (C) 2012, Salvatore Sanfilippo",
    b"_DESCRIPTION": b"MessagePack C implementation for Lua",
}


class _MsgpackLibrary:
    def __init__(self, runtime: Any) -> None:
        self._pack, self._unpack = compiled(runtime, "cmsgpack.lua")()

    def pack(self, *arguments: Any) -> Any:
        """All the values, one behind the other."""
        if not arguments:
            raise ArgumentFault(0, b"MessagePack pack needs input.")
        return outcome(self._pack(*arguments))

    def unpack(self, *arguments: Any) -> Any:
        """All the values that are there."""
        data = lua.text(arguments, 1)
        return self._values(data, _INT_MAX, 0)[0]

    def unpack_one(self, *arguments: Any) -> Any:
        """Where the next value begins (-1: nowhere), and the one at an offset."""
        return self._some(arguments, 1, lua.integer(arguments, 2, 0))

    def unpack_limit(self, *arguments: Any) -> Any:
        """The same with so many values."""
        limit = lua.integer(arguments, 2)
        return self._some(arguments, limit, lua.integer(arguments, 3, 0))

    def _some(self, arguments: tuple[Any, ...], limit: int, offset: int) -> Any:
        data = lua.text(arguments, 1)
        if limit == 0 and offset == 0:
            return self._values(data, _INT_MAX, 0)[0]
        if offset < 0 or limit < 0:
            # It is the length that it tells as the limit.
            told = lua.c_int(offset), len(data)
            raise LuaFault(b"Invalid request to unpack with offset of %d and limit of %d." % told)
        if offset > len(data):
            raise LuaFault(b"Start offset %d greater than input length %d." % (lua.c_int(offset), len(data)))
        values, left = self._values(data, limit, offset)
        return (len(data) - left if left else -1, *values)

    def _values(self, data: bytes, limit: int, offset: int) -> tuple[tuple[Any, ...], int]:
        """The values and how many bytes are left."""
        bare, ok, *rest = self._unpack(data, limit, offset)
        if not ok:
            raise LuaFault(rest[0], here=False) if bare else failure(rest[0])
        left, count, first, values = rest
        return (first,) if count == 1 else tuple(values[place] for place in range(1, count + 1)), left


def msgpack_table(crossing: Crossing, runtime: Any) -> Any:
    """The functions, for one runtime."""
    library = _MsgpackLibrary(runtime)
    table = runtime.table_from(_ABOUT)
    crossing.define(table, b"pack", library.pack)
    crossing.define(table, b"unpack", library.unpack)
    crossing.define(table, b"unpack_one", library.unpack_one)
    crossing.define(table, b"unpack_limit", library.unpack_limit)
    return table
