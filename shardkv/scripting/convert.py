"""Replies of commands as Lua values, and numbers of Lua as words of a command.

In RESP2 mode (how every script begins) a reply becomes what a RESP2 client would have read: a status is ``{ok=...}``,
an error ``{err=...}``, null is ``false``, a map is a flat array. After ``redis.setresp(3)`` the RESP3 types have
shapes of their own: ``{map={...}}``, ``{set={...}}``, ``{double=...}``, ``{big_number=...}``,
``{verbatim_string={...}}``, booleans as they are and null as ``nil``.

The other way, from a script's result to a reply, is in ``sandbox.lua``: what is in Lua is walked through in Lua.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from hiredis import Reader

from ..errors import ReplyError
from ..resp.numbers import format_double
from ..resp.replies import (
    NO_REPLY,
    BigNumber,
    DoubleText,
    Encoded,
    Named,
    NullArray,
    Pairs,
    Push,
    SetReply,
    Simple,
    Verbatim,
)

#: Makes a Lua table of a list, or of a dict.
MakeTable: TypeAlias = Callable[[Any], Any]

_ONLY_BYTES: Final = {bytes}
#: Above it, printf writes an integral double with an exponent.
_PLAIN_DIGITS: Final = 10**17


def number_word(number: float) -> bytes:
    """A number of Lua as a command's word: integers in plain digits, others with 17 significant ones."""
    if isinstance(number, int) and -_PLAIN_DIGITS < number < _PLAIN_DIGITS:
        return b"%d" % number
    if isinstance(number, float) and math.isnan(number):
        return b"-nan" if math.copysign(1.0, number) < 0 else b"nan"
    return b"%.17g" % number


def error_bytes(error: ReplyError) -> bytes:
    """The text of an error as a script sees it."""
    return error.text.encode("utf-8", "surrogateescape")


def weight(reply: Any) -> int:
    """About how many bytes a reply takes in Lua."""
    if isinstance(reply, bytes | bytearray):
        return len(reply) + 32
    if isinstance(reply, dict):
        return sum(weight(name) + weight(value) for name, value in reply.items()) + 64
    if isinstance(reply, list | tuple):
        if set(map(type, reply)) == _ONLY_BYTES:
            return sum(map(len, reply)) + 64 * len(reply)
        return sum(map(weight, reply)) + 64
    if isinstance(reply, SetReply):
        return weight(reply.members)
    if isinstance(reply, Pairs | Named | Push):
        return weight(reply.items)
    if isinstance(reply, Verbatim):
        return len(reply.text) + 64
    return 64


class Converter:
    """Turns replies into Lua values. ``table`` makes a Lua table of a list or a dict."""

    __slots__ = ("_rows", "_rows3", "_table")

    def __init__(self, table: MakeTable) -> None:
        self._table = table
        self._rows: dict[type, Callable[[Any], Any]] = {
            bytes: _same,
            int: _same,
            type(None): _false,
            type(NullArray): _false,
            bytearray: bytes,
            bool: int,
            float: format_double,
            DoubleText: bytes,
            Simple: self._status,
            ReplyError: self._error,
            list: self._array,
            tuple: self._array,
            dict: self._flat_map,
            SetReply: lambda reply: self._array(reply.members),
            Pairs: lambda reply: self._array([item for pair in reply.items for item in pair]),
            Named: lambda reply: self._array(reply.items),
            Push: lambda reply: self._array(reply.items),
            Verbatim: lambda reply: reply.text,
            BigNumber: lambda reply: reply.digits,
            Encoded: lambda reply: self.to_lua(decoded(reply), False),
        }
        self._rows3: dict[type, Callable[[Any], Any]] = self._rows | {
            type(None): _nil,
            type(NullArray): _nil,
            bool: _same,
            float: lambda reply: table({b"double": reply}),
            DoubleText: lambda reply: table({b"double": float(reply)}),
            list: self._array3,
            tuple: self._array3,
            dict: lambda reply: self._map3(reply.items()),
            SetReply: lambda reply: table({b"set": table({self._key3(member): True for member in reply.members})}),
            Pairs: lambda reply: self._array3(reply.items),
            Named: lambda reply: self._map3(reply.items),
            Push: lambda reply: self._array3(reply.items),
            Verbatim: lambda reply: table(
                {b"verbatim_string": table({b"string": reply.text, b"format": reply.format})}
            ),
            BigNumber: lambda reply: table({b"big_number": reply.digits}),
            Encoded: lambda reply: self.to_lua(decoded(reply), True),
        }

    def to_lua(self, reply: Any, resp3: bool) -> Any:
        """The value that a script gets. ``ReplyError`` becomes its table."""
        rows = self._rows3 if resp3 else self._rows
        row = rows.get(type(reply))
        if row is None:
            assert isinstance(reply, ReplyError) or reply is NO_REPLY, reply
            return self._error(reply) if isinstance(reply, ReplyError) else False
        return row(reply)

    def _status(self, reply: str) -> Any:
        return self._table({b"ok": reply.encode("utf-8", "surrogateescape")})

    def _error(self, reply: ReplyError) -> Any:
        return self._table({b"err": error_bytes(reply), b"ignore_error_stats_update": True})

    def _array(self, reply: Iterable[Any]) -> Any:
        items = list(reply)
        if items and set(map(type, items)) != _ONLY_BYTES:
            items = [self.to_lua(item, False) for item in items]
        return self._table(items)

    def _flat_map(self, reply: dict[Any, Any]) -> Any:
        return self._array([item for pair in reply.items() for item in pair])

    def _array3(self, reply: Iterable[Any]) -> Any:
        return self._table([self.to_lua(item, True) for item in reply])

    def _map3(self, pairs: Iterable[tuple[Any, Any]]) -> Any:
        made = {self._key3(name): self.to_lua(value, True) for name, value in pairs}
        return self._table({b"map": self._table(made)})

    def _key3(self, name: Any) -> Any:
        """A name in a map or a member of a set. A table would be one, but never equal to another: its text serves."""
        if isinstance(name, float):
            return format_double(name)
        value = self.to_lua(name, True)
        return b"" if value is None else value


def _same(reply: Any) -> Any:
    return reply


def _false(reply: Any) -> bool:
    return False


def _nil(reply: Any) -> None:
    return None


def decoded(data: bytes) -> Any:
    """A reply in its final bytes, taken apart again (arrays, strings, integers), without attributes before it."""
    reader = Reader(replyError=ReplyError)
    reader.feed(data)
    reply = reader.gets()
    return reader.gets() if data.startswith(b"|") else reply
