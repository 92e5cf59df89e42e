"""The words that a command takes, as a small tree.

From one tree come the arity, the key specs, the syntax line, COMMAND DOCS' arguments, and (``parsing.py``) the parser
of the options. The constructors at the end of this file are the vocabulary; ``SET`` for example is::

    key("key", RW | ACCESS | UPDATE), value("value"),
    maybe(one_of("condition", flag("NX"), flag("XX"))), maybe(flag("GET")),
    maybe(one_of("expiration", integer("seconds", token="EX"), ..., flag("KEEPTTL")))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from .flags import AtIndex, KeyNum, KeySpec, KeyUse, Range, Unknown


class Kind(Enum):
    """Argument types by the names of COMMAND DOCS."""

    KEY = "key"
    STRING = "string"
    INTEGER = "integer"
    DOUBLE = "double"
    PATTERN = "pattern"
    UNIX_TIME = "unix-time"
    TOKEN = "pure-token"
    ONE_OF = "oneof"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Arg:
    """One node of the tree. ``many``: one or more; ``each_token``: the token is repeated before each."""

    name: str
    kind: Kind
    token: str | None = None
    optional: bool = False
    many: bool = False
    each_token: bool = False
    use: KeyUse = KeyUse.NONE
    parts: tuple[Arg, ...] = ()
    shown: str | None = None

    def minimum(self) -> int:
        """The least number of words this takes."""
        if self.optional:
            return 0
        words = 1 if self.token is not None else 0
        if self.kind is Kind.TOKEN:
            return words
        if self.kind is Kind.ONE_OF:
            return words + min(part.minimum() for part in self.parts)
        if self.kind is Kind.BLOCK:
            return words + sum(part.minimum() for part in self.parts)
        return words + 1

    def fixed(self) -> bool:
        """Whether it always takes ``minimum()`` words."""
        if self.optional or self.many:
            return False
        if self.kind is Kind.ONE_OF:
            return all(part.fixed() for part in self.parts) and len({part.minimum() for part in self.parts}) == 1
        return all(part.fixed() for part in self.parts)

    def syntax(self) -> str:
        """Its part of the syntax line, in the way of redis.io."""
        body = self._body()
        if self.many:
            if self.token is not None and self.each_token:
                text = f"{self.token} {body} [{self.token} {body} ...]"
            else:
                text = f"{body} [{body} ...]"
                if self.token is not None:
                    text = f"{self.token} {text}"
        elif self.token is not None and self.kind is not Kind.TOKEN:
            text = f"{self.token} {body}"
        else:
            text = body
        if self.optional:
            return f"[{text}]"
        return text

    def _body(self) -> str:
        if self.kind is Kind.TOKEN:
            return self.token or self.name
        if self.kind is Kind.ONE_OF:
            choices = "|".join(part.syntax() for part in self.parts)
            return choices if self.optional else f"<{choices}>"
        if self.kind is Kind.BLOCK:
            return " ".join(part.syntax() for part in self.parts)
        return self.shown or self.name


def key(name: str = "key", use: KeyUse = KeyUse.NONE, *, many: bool = False, token: str | None = None) -> Arg:
    """A key, or with ``many`` one or more."""
    return Arg(name, Kind.KEY, token=token, many=many, use=use)


def value(
    name: str, *, many: bool = False, token: str | None = None, each_token: bool = False, shown: str | None = None
) -> Arg:
    """Any bytes."""
    return Arg(name, Kind.STRING, token=token, many=many, each_token=each_token, shown=shown)


def integer(name: str, *, many: bool = False, token: str | None = None) -> Arg:
    """A 64-bit signed integer; the body receives an int."""
    return Arg(name, Kind.INTEGER, token=token, many=many)


def unix_time(name: str, *, token: str | None = None) -> Arg:
    """A point in time as a 64-bit signed integer."""
    return Arg(name, Kind.UNIX_TIME, token=token)


def double(name: str, *, many: bool = False, token: str | None = None) -> Arg:
    """A float; the body receives a float."""
    return Arg(name, Kind.DOUBLE, token=token, many=many)


def pattern(name: str = "pattern", *, many: bool = False, token: str | None = None, each_token: bool = False) -> Arg:
    """A glob pattern."""
    return Arg(name, Kind.PATTERN, token=token, many=many, each_token=each_token)


def flag(token: str, name: str | None = None) -> Arg:
    """A word that stands for itself."""
    return Arg(name or token.lower(), Kind.TOKEN, token=token)


def one_of(name: str, *choices: Arg, many: bool = False, token: str | None = None) -> Arg:
    """Exactly one of the choices, behind ``token`` if there is one."""
    return Arg(name, Kind.ONE_OF, parts=choices, many=many, token=token)


def block(name: str, *parts: Arg, many: bool = False, token: str | None = None, each_token: bool = False) -> Arg:
    """Several words that belong together."""
    return Arg(name, Kind.BLOCK, parts=parts, many=many, token=token, each_token=each_token)


def maybe(arg: Arg) -> Arg:
    """The same, but it may be left out."""
    return replace(arg, optional=True)


def arity_of(grammar: Sequence[Arg], name_words: int) -> int:
    """COMMAND INFO's arity: words including the name, negative when that is only the least."""
    least = name_words + sum(arg.minimum() for arg in grammar)
    return least if all(arg.fixed() for arg in grammar) else -least


def syntax_of(grammar: Sequence[Arg]) -> str:
    """The syntax line without the name."""
    return " ".join(arg.syntax() for arg in grammar)


def key_specs_of(grammar: Sequence[Arg], name_words: int) -> tuple[KeySpec, ...]:
    """Key specs for keys at fixed places, ranges to the end, ``numkeys key [key ...]`` and ``key value [key value
    ...]``.

    Keys behind optional words are ``Unknown``; a command whose keys stand behind a keyword says ``keys=`` itself.
    """
    specs: list[KeySpec] = []
    index: int | None = name_words
    previous: Arg | None = None
    for place, arg in enumerate(grammar):
        if arg.kind is Kind.KEY:
            specs.append(_spec_of(arg, index, previous, grammar[place + 1 :]))
        elif arg.kind is Kind.BLOCK and arg.parts and arg.parts[0].kind is Kind.KEY and index is not None and arg.many:
            step = len(arg.parts)
            specs.append(KeySpec(arg.parts[0].use, AtIndex(index), Range(-1, step)))
        if index is not None:
            index = index + arg.minimum() if arg.fixed() else None
        previous = arg
    return tuple(specs)


def _spec_of(arg: Arg, index: int | None, previous: Arg | None, rest: Sequence[Arg]) -> KeySpec:
    if index is None or arg.optional:
        return KeySpec(arg.use, Unknown(), Unknown())
    if not arg.many:
        return KeySpec(arg.use, AtIndex(index), Range(0))
    if previous is not None and previous.name == "numkeys":
        return KeySpec(arg.use, AtIndex(index - 1), KeyNum())
    behind = sum(other.minimum() for other in rest)
    return KeySpec(arg.use, AtIndex(index), Range(-1 - behind))
