"""The options that SET and GETEX share: conditions and expiry times.

They are read by hand, since Redis looks at the number of an expiry only after it has looked at the key (``GETEX
nosuchkey EX abc`` is null, not an error), and takes the last of several equal options.
"""

from __future__ import annotations

from typing import Final

from ..errors import ReplyError, SyntaxFault
from ..resp.numbers import INT64_MAX, parse_int
from .context import Context
from .grammar import Arg, flag, integer, one_of, unix_time

#: Grammar of the four ways to say when.
TIMES: Final[tuple[Arg, ...]] = (
    integer("seconds", token="EX"),
    integer("milliseconds", token="PX"),
    unix_time("unix-time-seconds", token="EXAT"),
    unix_time("unix-time-milliseconds", token="PXAT"),
)
EXPIRATION: Final = one_of("expiration", *TIMES, flag("KEEPTTL"))

_SECONDS: Final = frozenset({b"EX", b"EXAT"})
_RELATIVE: Final = frozenset({b"EX", b"PX"})
_WITH_NUMBER: Final = frozenset({b"EX", b"PX", b"EXAT", b"PXAT"})

GETEX_OPTIONS: Final = _WITH_NUMBER | {b"PERSIST"}
SET_OPTIONS: Final = _WITH_NUMBER | {b"KEEPTTL", b"NX", b"XX", b"IFEQ", b"GET"}


class StringOptions:
    """What the options said."""

    __slots__ = ("comparison", "condition", "expiry", "get", "number")

    def __init__(self) -> None:
        self.condition: bytes | None = None  #: NX, XX or IFEQ
        self.comparison = b""  #: the value that IFEQ compares with
        self.get = False
        self.expiry: bytes | None = None  #: EX, PX, EXAT, PXAT, KEEPTTL or PERSIST
        self.number: bytes | None = None  #: behind the first four

    @property
    def absolute(self) -> bool:
        """Whether the expiry is a point in time."""
        return self.number is not None and self.expiry not in _RELATIVE

    def expires_at(self, ctx: Context) -> int | None:
        """The expiry time in Unix milliseconds, or None without one. Raises ReplyError."""
        if self.number is None:
            return None
        return expiry_time(ctx, self.number, seconds=self.expiry in _SECONDS, relative=self.expiry in _RELATIVE)


def read_options(words: list[bytes], at: int, known: frozenset[bytes]) -> StringOptions:
    """The options from ``words[at]`` on.

    Raises SyntaxFault for one that is not ``known``, lacks its value or contradicts another.
    """
    options = StringOptions()
    end = len(words)
    while at < end:
        token = words[at].upper()
        if token not in known:
            raise SyntaxFault
        if token == b"GET":
            options.get = True
        elif token == b"NX" or token == b"XX":
            if options.condition is not None and options.condition != token:
                raise SyntaxFault
            options.condition = token
        elif token == b"IFEQ":
            at += 1
            if options.condition is not None or at == end:
                raise SyntaxFault
            options.condition = token
            options.comparison = words[at]
        else:
            if options.expiry is not None and options.expiry != token:
                raise SyntaxFault
            options.expiry = token
            if token in _WITH_NUMBER:
                at += 1
                if at == end:
                    raise SyntaxFault
                options.number = words[at]
        at += 1
    return options


def expiry_time(ctx: Context, word: bytes, *, seconds: bool, relative: bool) -> int:
    """An expiry that must lie after 1970, in Unix milliseconds. Raises NotAnInteger, or ReplyError out of range."""
    at = parse_int(word)
    if at <= 0:
        raise invalid_expiry(ctx)
    if seconds:
        at *= 1000
    if relative and at <= INT64_MAX:
        at += ctx.now
    if at > INT64_MAX:
        raise invalid_expiry(ctx)
    return at


def invalid_expiry(ctx: Context) -> ReplyError:
    """The error for an expiry time that is out of range."""
    return ReplyError(f"ERR invalid expire time in '{ctx.command.name}' command")
