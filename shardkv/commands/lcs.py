"""LCS: what two strings have in common."""

from __future__ import annotations

from typing import Any

from ..errors import ReplyError, SyntaxFault
from ..resp.numbers import parse_int
from ..values.lcs import lcs, lcs_length
from ..values.strings import string_bytes
from .context import STRING_TYPES, Context
from .flags import READ, Flags, KeySpec, Range
from .flags import AtIndex as At
from .grammar import flag, integer, key, maybe
from .spec import command


@command(
    "LCS",
    key("key1", READ),
    key("key2", READ),
    maybe(flag("LEN")),
    maybe(flag("IDX")),
    maybe(integer("len", token="MINMATCHLEN")),
    maybe(flag("WITHMATCHLEN")),
    flags=Flags.READONLY,
    group="string",
    since="7.0.0",
    complexity="O(N*M) for strings of N and M bytes",
    keys=[KeySpec(READ, At(1), Range(1))],  # Redis has one spec for both keys
    raw=True,  # the keys' types are judged before the options
)
def lcs_(ctx: Context, words: list[bytes]) -> Any:
    """Finds the longest common subsequence of two strings."""
    a, b = (_text(ctx, name) for name in words[1:3])
    wanted, least = _options(words)
    if {b"LEN", b"IDX"} <= wanted:
        raise ReplyError("ERR If you want both the length and indexes, please just use IDX.")
    # What Redis would need, four bytes for each pair of places, so that both refuse the same. We need a bit.
    if (len(a) + 1) * (len(b) + 1) * 4 > ctx.host.config.proto_max_bulk_len:
        raise ReplyError("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
    if b"LEN" in wanted:
        return lcs_length(a, b)
    common, ranges = lcs(a, b)
    if b"IDX" not in wanted:
        return common
    matches: list[list[Any]] = []
    for found in ranges:
        if found.length >= least:
            match: list[Any] = [[found.a_start, found.a_end], [found.b_start, found.b_end]]
            if b"WITHMATCHLEN" in wanted:
                match.append(found.length)
            matches.append(match)
    return {b"matches": matches, b"len": len(common)}


def _text(ctx: Context, name: bytes) -> bytes:
    held = ctx.look(name)
    if held is None:
        return b""
    if type(held) not in STRING_TYPES:
        raise ReplyError("ERR The specified keys must contain string values")
    return string_bytes(held)


def _options(words: list[bytes]) -> tuple[set[bytes], int]:
    """The flags that were given, and the least length of a match."""
    wanted: set[bytes] = set()
    least = 0
    at, end = 3, len(words)
    while at < end:
        token = words[at].upper()
        if token in (b"LEN", b"IDX", b"WITHMATCHLEN"):
            wanted.add(token)
        elif token == b"MINMATCHLEN" and at + 1 < end:
            at += 1
            least = parse_int(words[at])
        else:
            raise SyntaxFault
        at += 1
    return wanted, least
