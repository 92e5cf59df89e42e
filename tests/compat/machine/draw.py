"""From a command's grammar to requests: every option appears, and now and then a word too many, too few, or wrong."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from shardkv.commands.grammar import Arg, Kind
from shardkv.commands.spec import Command

from .pools import EQUAL_SCORES, WILD, scalar

#: How often a request is spoilt on purpose.
SPOILT = 0.05

#: Commands that make a string long enough for an offset: some are left out that would need a quarter of a gigabyte.
GROWING: Final = frozenset({"setbit", "bitfield", "setrange"})
FAR_OFF: Final = frozenset({b"2147483647", b"4294967295", b"4294967296", b"#2147483647", b"536870911"})


def request(rng: Random, command: Command, without: frozenset[str] = frozenset()) -> list[bytes]:
    """A request for this command; the options named by their tokens in ``without`` are never drawn."""
    drawing = _Drawing(rng, command, without)
    words = [*_name(rng, command), *drawing.words(_shuffled_options(rng, command.grammar))]
    if rng.random() < SPOILT:
        _spoil(rng, words, len(command.name.split("|")))
    if command.name in GROWING:
        words = [b"100000" if word in FAR_OFF else word for word in words]
    return words


def _name(rng: Random, command: Command) -> list[bytes]:
    words = [word.encode() for word in command.name.split("|")]
    return words if rng.random() < 0.1 else [word.upper() for word in words]


def _shuffled_options(rng: Random, grammar: Sequence[Arg]) -> list[Arg]:
    """The arguments in an order that is allowed, or nearly: neighbouring options change places."""
    args = list(grammar)
    for place in range(len(args) - 1):
        first, second = args[place : place + 2]
        if first.optional and second.optional and first.token and second.token and rng.random() < 0.5:
            args[place : place + 2] = [second, first]
    return args


def _spoil(rng: Random, words: list[bytes], fixed: int) -> None:
    """Change one word, drop one, add one, or say one twice; the name stays."""
    place = rng.randrange(fixed, len(words) + 1)
    match rng.randrange(4):
        case 0 if place < len(words):
            words[place] = rng.choice(WILD)
        case 1 if place < len(words):
            del words[place]
        case 2 if place < len(words):
            words.insert(place, words[place])
        case _:
            words.insert(place, rng.choice(WILD))


class _Drawing:
    """One walk over a grammar. Numbers that count what follows them are remembered until it is drawn."""

    def __init__(self, rng: Random, command: Command, without: frozenset[str]) -> None:
        self.rng = rng
        self.command = command
        self.without = without
        self.count: int | None = None
        self.key = b""  #: drawn first

    def words(self, args: Sequence[Arg]) -> list[bytes]:
        """The words of several arguments in a row."""
        found: list[bytes] = []
        for place, arg in enumerate(args):
            if self._banned(arg) or (arg.optional and self.rng.random() < self._reluctance(arg)):
                continue
            if arg.name in ("numkeys", "numfields"):
                found += self._counted(arg)
                continue
            found += self.arg(arg, self._repeats(args, place))
        return found

    def _reluctance(self, arg: Arg) -> float:
        if arg.token == "BLOCK":
            return 0.6 if self.command.name == "xreadgroup" else 0.8  # which finds a group to wait in seldom enough
        return 0.8 if arg.name == "limit" else 0.55

    def _banned(self, arg: Arg) -> bool:
        return arg.token is not None and arg.token in self.without

    def _counted(self, arg: Arg) -> list[bytes]:
        """A number of keys or fields, usually the right one."""
        self.count = self.rng.choice((1, 1, 2, 2, 3))
        said = scalar(self.rng, arg, "", "") if self.rng.random() < 0.04 else b"%d" % self.count
        return [said]

    def _repeats(self, args: Sequence[Arg], place: int) -> int:
        """How often an argument that may be repeated is."""
        arg = args[place]
        if not arg.many:
            return 1
        previous = args[place - 1].name if place else ""
        if previous in ("numkeys", "numfields") and self.count is not None:
            return self.count
        if arg.name == "id" and previous == "key" and self.count is not None:
            return self.count  # XREAD: as many ids as keys
        if arg.name == "weight" and self.count is not None:
            return self.count if self.rng.random() < 0.9 else self.count + 1
        times = self.rng.choice((1, 1, 1, 2, 2, 3, 4, 9))
        if arg.kind is Kind.KEY:
            self.count = min(times, 3)
            return self.count
        return times

    def arg(self, arg: Arg, times: int) -> list[bytes]:
        """The words of one argument, ``times`` over."""
        found: list[bytes] = []
        token = [self._token(arg.token)] if arg.token is not None else []
        if arg.kind is Kind.TOKEN:
            return token
        for turn in range(times):
            if turn == 0 or arg.each_token:
                found += token
            found += self._once(arg)
        return found

    def _once(self, arg: Arg) -> list[bytes]:
        if arg.kind is Kind.ONE_OF:
            choices = [part for part in arg.parts if not self._banned(part)]
            return self.words([self._required(self.rng.choice(choices))]) if choices else []
        if arg.kind is Kind.BLOCK:
            return self.words(arg.parts)
        if arg.name == "score" and self.key == EQUAL_SCORES and self.rng.random() < 0.97:
            return [b"0"]
        word = scalar(self.rng, arg, self.command.group, self.command.name)
        if arg.kind is Kind.KEY and not self.key:
            self.key = word
        return [word]

    def _required(self, arg: Arg) -> Arg:
        return Arg(arg.name, arg.kind, arg.token, False, arg.many, arg.each_token, arg.use, arg.parts, arg.shown)

    def _token(self, token: str) -> bytes:
        return token.encode() if self.rng.random() < 0.95 else token.lower().encode()
