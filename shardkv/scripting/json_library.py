"""The library cjson: its settings and its way across; the work is done in ``cjson.lua``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from . import arguments as lua
from .crossing import ArgumentFault, Crossing, outcome
from .sources import compiled

_INT_MAX: Final = 0x7FFFFFFF


class JsonLibrary:
    """One instance of cjson: ``table`` has its functions."""

    def __init__(self, crossing: Crossing, runtime: Any, null: Any) -> None:
        self._crossing, self._runtime, self._null = crossing, runtime, null
        self._settings, self._encode, self._decode = compiled(runtime, "cjson.lua")(null)
        self.table = runtime.table_from({b"null": null, b"_NAME": b"cjson", b"_VERSION": b"2.1.0"})
        functions: dict[bytes, Callable[..., Any]] = {
            b"encode": self.encode,
            b"decode": self.decode,
            b"new": self.new,
            b"encode_sparse_array": self.encode_sparse_array,
            b"encode_max_depth": partial(self._integer, b"encode_depth", 1, _INT_MAX),
            b"decode_max_depth": partial(self._integer, b"decode_depth", 1, _INT_MAX),
            b"encode_number_precision": partial(self._integer, b"precision", 1, 14),
            b"encode_keep_buffer": partial(self._switch, b"keep_buffer"),
            b"encode_invalid_numbers": self.encode_invalid_numbers,
            b"decode_invalid_numbers": partial(self._switch, b"decode_invalid"),
        }
        for name, function in functions.items():
            crossing.define(self.table, name, function)

    def encode(self, *arguments: Any) -> Any:
        """JSON text of a value."""
        if len(arguments) != 1:
            raise ArgumentFault(1, b"expected 1 argument")
        return outcome(self._encode(arguments[0]))

    def decode(self, *arguments: Any) -> Any:
        """The value of a JSON text."""
        if len(arguments) != 1:
            raise ArgumentFault(1, b"expected 1 argument")
        return outcome(self._decode(lua.text(arguments, 1)))

    def new(self, *_: Any) -> Any:
        """Another instance, with settings of its own."""
        return JsonLibrary(self._crossing, self._runtime, self._null).table

    def encode_sparse_array(self, *arguments: Any) -> tuple[Any, ...]:
        """Whether sparse arrays become objects, how many times their items that is, and from what length on."""
        given = self._given(arguments, 3)
        convert = self._choose(b"sparse_convert", given, (b"off", b"on"))
        ratio = self._limit(b"sparse_ratio", given, 2, 0, _INT_MAX)
        return convert, ratio, self._limit(b"sparse_safe", given, 3, 0, _INT_MAX)

    def encode_invalid_numbers(self, *arguments: Any) -> Any:
        """What becomes of infinities and NaN: an error, themselves, or null."""
        given = self._given(arguments, 1)
        value = given[0]
        if value is not None:
            switched = {True: b"on", False: b"off"}.get(value) if type(value) is bool else None
            self._settings[b"encode_invalid"] = switched or lua.option(given, 1, (b"off", b"on", b"null"))
        return {b"off": False, b"on": True}.get(self._settings[b"encode_invalid"], b"null")

    def _integer(self, name: bytes, low: int, high: int, *arguments: Any) -> Any:
        return self._limit(name, self._given(arguments, 1), 1, low, high)

    def _switch(self, name: bytes, *arguments: Any) -> Any:
        return self._choose(name, self._given(arguments, 1), (b"off", b"on"))

    @staticmethod
    def _given(arguments: tuple[Any, ...], most: int) -> tuple[Any, ...]:
        if len(arguments) > most:
            raise ArgumentFault(most + 1, b"found too many arguments")
        return arguments + (None,) * (most - len(arguments))

    def _limit(self, name: bytes, given: tuple[Any, ...], place: int, low: int, high: int) -> Any:
        if given[place - 1] is not None:
            value = lua.c_int(lua.integer(given, place))
            if not low <= value <= high:
                # That it is always the first argument is lua-cjson's way.
                raise ArgumentFault(1, b"expected integer between %d and %d" % (low, high))
            self._settings[name] = value
        return self._settings[name]

    def _choose(self, name: bytes, given: tuple[Any, ...], options: tuple[bytes, bytes]) -> Any:
        value = given[0]
        if value is not None:
            self._settings[name] = value if type(value) is bool else lua.option(given, 1, options) == options[1]
        return self._settings[name]
