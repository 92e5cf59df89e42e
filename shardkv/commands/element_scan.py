"""What HSCAN, SSCAN and ZSCAN share: the cursor and the options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..errors import ReplyError, SyntaxFault
from ..resp.numbers import parse_int
from ..values.globs import glob

_PAGE: Final = 10


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """What the words behind the cursor said. ``matches`` is None where every element does."""

    count: int
    matches: Callable[[bytes], bool] | None
    no_values: bool


def scan_options(words: list[bytes], *, of_hash: bool = False) -> ScanOptions:
    """The options of ``HSCAN key cursor [options]``. Raises ReplyError."""
    count = _PAGE
    matches: Callable[[bytes], bool] | None = None
    no_values = False
    at, end = 3, len(words)
    while at < end:
        token = words[at].upper()
        if token == b"COUNT" and at + 1 < end:
            count = parse_int(words[at + 1])
            if count < 1:
                raise SyntaxFault
            at += 2
        elif token == b"MATCH" and at + 1 < end:
            # A lone star takes even the empty text, which no other pattern of stars does.
            matches = None if words[at + 1] == b"*" else glob(words[at + 1])
            at += 2
        elif token == b"NOVALUES":
            if not of_hash:
                raise ReplyError("ERR NOVALUES option can only be used in HSCAN")
            no_values = True
            at += 1
        else:
            raise SyntaxFault
    return ScanOptions(count, matches, no_values)
