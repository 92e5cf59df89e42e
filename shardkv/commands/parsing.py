"""From a grammar to a parser of the words behind a command's name.

A command whose words are all plain keys and values needs no parser: its function is called with the words as they are.
Where there are numbers or options, ``compile_parser`` builds one closure that returns ``(positional, keywords)``:

- leading arguments arrive in order, integers and doubles converted;
- options arrive as keywords, in any order: ``flag("GET")`` as ``get=True``, ``integer("count", token="COUNT")`` as
``count=10``,
  a choice of pure tokens as its token (``condition="NX"``), a choice with values as ``(token, value)``;
- what repeats at the end arrives as further positional words, untouched.

Two phases, as most of Redis's own parsers: first the words are matched (``ERR syntax error``), then numbers are
converted, in the order they were given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from ..errors import SyntaxFault
from ..resp.numbers import parse_float, parse_int
from .grammar import Arg, Kind

Parsed: TypeAlias = tuple[list[Any], dict[str, Any]]
Parser: TypeAlias = Callable[[list[bytes]], Parsed]
Convert: TypeAlias = Callable[[bytes], Any]

_CONVERT: dict[Kind, Convert] = {Kind.INTEGER: parse_int, Kind.UNIX_TIME: parse_int, Kind.DOUBLE: parse_float}


def plain(grammar: Sequence[Arg]) -> bool:
    """Whether the words can go to the function as they are."""
    return all(_plain_arg(arg) for arg in grammar)


def _plain_arg(arg: Arg) -> bool:
    if arg.kind is Kind.BLOCK and arg.many and arg.token is None:
        return True  # pairs: the function takes them raw
    if arg.many and arg.token is None and arg.kind not in (Kind.ONE_OF, Kind.BLOCK):
        return True
    return arg.kind in (Kind.KEY, Kind.STRING, Kind.PATTERN) and arg.token is None


def keyword_name(name: str) -> str:
    """A Python identifier from an argument's name."""
    return name.replace("-", "_").replace(" ", "_").lower()


class _Option:
    """One token of an option group: what follows it and where the result goes."""

    __slots__ = ("choice", "convert", "count", "exclusive", "keyword", "many", "token")

    def __init__(self, arg: Arg, choice: Arg | None) -> None:
        self.token = (arg.token or arg.name).upper()
        self.keyword = keyword_name(choice.name if choice is not None else arg.name)
        self.choice = choice is not None and any(part.kind is not Kind.TOKEN for part in choice.parts)
        self.exclusive = choice is not None
        self.many = arg.many
        self.count = 0 if arg.kind is Kind.TOKEN else arg.minimum() - (0 if arg.optional else 1)
        if arg.kind is not Kind.TOKEN and arg.optional:
            self.count = max(1, sum(part.minimum() for part in arg.parts) if arg.parts else 1)
        if arg.kind is Kind.BLOCK:
            self.convert: list[Convert | None] = [_CONVERT.get(part.kind) for part in arg.parts]
        else:
            self.convert = [_CONVERT.get(arg.kind)]


def _options_of(group: Sequence[Arg]) -> dict[bytes, _Option]:
    table: dict[bytes, _Option] = {}
    for arg in group:
        if arg.kind is Kind.ONE_OF:
            for part in arg.parts:
                option = _Option(part, arg)
                table[option.token.encode()] = option
        else:
            option = _Option(arg, None)
            table[option.token.encode()] = option
    return table


def _has_token(arg: Arg) -> bool:
    if arg.token is not None:
        return True
    return arg.kind is Kind.ONE_OF and all(part.token is not None for part in arg.parts)


def compile_parser(grammar: Sequence[Arg], name_words: int) -> Parser | None:
    """The parser of a grammar, or None when the words need none. ``name_words``: 1, or 2 for a subcommand."""
    if plain(grammar):
        return None
    steps: list[tuple[str, Any]] = []
    group: list[Arg] = []
    for arg in grammar:
        if arg.optional and _has_token(arg):
            group.append(arg)
            continue
        if group:
            steps.append(("options", _options_of(group)))
            group = []
        if arg.many and arg.token is None:
            steps.append(("rest", _CONVERT.get(arg.kind)))
        elif arg.kind is Kind.ONE_OF and _has_token(arg):
            steps.append(("choice", _options_of([arg])))
        elif arg.token is not None:
            steps.append(("options", _options_of([arg])))
        elif arg.optional:
            steps.append(("perhaps", _CONVERT.get(arg.kind)))
        else:
            steps.append(("one", _CONVERT.get(arg.kind)))
    if group:
        steps.append(("options", _options_of(group)))
    program = tuple(steps)

    def parse(words: list[bytes]) -> Parsed:
        at = name_words
        end = len(words)
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        later: list[tuple[list[Any] | None, int, str, Convert, bytes]] = []
        for kind, what in program:
            if kind == "one" or kind == "perhaps":
                if at >= end:
                    if kind == "perhaps":
                        continue
                    raise SyntaxFault
                if what is not None:
                    later.append((positional, len(positional), "", what, words[at]))
                positional.append(words[at])
                at += 1
            elif kind == "rest":
                if what is not None:
                    for word in words[at:]:
                        later.append((positional, len(positional), "", what, word))
                        positional.append(word)
                else:
                    positional.extend(words[at:])
                at = end
            elif kind == "choice":
                option = what.get(words[at].upper()) if at < end else None
                if option is None:
                    raise SyntaxFault
                at = _take(option, words, at, keywords, later)
            else:
                while at < end:
                    option = what.get(words[at].upper())
                    if option is None:
                        break
                    at = _take(option, words, at, keywords, later)
        if at < end:
            raise SyntaxFault
        for place, index, keyword, convert, word in later:
            number = convert(word)
            if place is not None:
                place[index] = number
            else:
                held = keywords[keyword]
                if isinstance(held, tuple):
                    keywords[keyword] = (held[0], number)
                else:
                    keywords[keyword] = number
        return positional, keywords

    return parse


def _take(
    option: _Option,
    words: list[bytes],
    at: int,
    keywords: dict[str, Any],
    later: list[tuple[list[Any] | None, int, str, Convert, bytes]],
) -> int:
    """Take one option that stands at ``at``; returns where to go on."""
    name = option.keyword
    count = option.count
    if option.exclusive and name in keywords:
        held = keywords[name]
        if count or held != (((option.token, True)) if option.choice else option.token):
            raise SyntaxFault
    if at + count >= len(words):
        raise SyntaxFault
    if count == 0:
        if option.choice:
            keywords[name] = (option.token, True)
        else:
            keywords[name] = option.token if option.exclusive else True
        return at + 1
    if count == 1:
        word = words[at + 1]
        convert = option.convert[0]
        if option.choice:
            keywords[name] = (option.token, word)
        elif option.many:
            keywords.setdefault(name, []).append(word if convert is None else convert(word))
            return at + 2
        else:
            keywords[name] = word
        if convert is not None:
            later.append((None, 0, name, convert, word))
        return at + 2
    taken: list[Any] = []
    for index in range(count):
        part = words[at + 1 + index]
        turn = option.convert[index] if index < len(option.convert) else None
        taken.append(part)
        if turn is not None:
            later.append((taken, index, "", turn, part))
    keywords[name] = taken if not option.choice else (option.token, taken)
    return at + 1 + count
