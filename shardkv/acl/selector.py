"""A selector: which commands, keys and channels it allows, and the rule words that say so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final, TypeAlias

from ..config.quoting import to_text
from ..values.globs import Matcher, glob
from .catalog import Catalog, Listed

#: What a request does with a key, and what a pattern allows: a sum of these.
READ: Final = 1
WRITE: Final = 2
#: A key and what is done with it, or a channel and whether it is a pattern: (position, need).
Use: TypeAlias = tuple[int, int]

_LETTERS: Final = {READ: "%R~", WRITE: "%W~", READ | WRITE: "~"}


class Reason(IntEnum):
    """Why a request is refused. Of several selectors the one that came furthest tells: the order is that of the
    checks."""

    COMMAND = 1
    KEY = 2
    AUTH = 3
    CHANNEL = 4


class Selector:
    """Commands, keys and channels that are allowed together. Changed by ``rules`` only."""

    __slots__ = ("_matchers", "all_channels", "all_keys", "allowed", "base", "channels", "first_words", "keys", "rules")

    def __init__(self, *, all_channels: bool = False) -> None:
        self.allowed: frozenset[str] = frozenset()
        self.first_words: dict[str, dict[str, None]] = {}  #: commands that are allowed with these first words only
        self.base = False  #: the rules below start from ``+@all``
        self.rules: dict[str, bool] = {}  #: what was allowed or forbidden since, in order
        self.all_keys = False
        self.keys: dict[bytes, int] = {}
        self.all_channels = all_channels
        self.channels: dict[bytes, None] = {}
        self._matchers: dict[bytes, Matcher] = {}

    def copy(self) -> Selector:
        """Another one that allows the same."""
        made = Selector(all_channels=self.all_channels)
        made.allowed = self.allowed
        made.first_words = {name: dict(words) for name, words in self.first_words.items()}
        made.base, made.rules = self.base, dict(self.rules)
        made.all_keys, made.keys = self.all_keys, dict(self.keys)
        made.channels, made._matchers = dict(self.channels), dict(self._matchers)
        return made

    # ---- changing

    def set_all(self, allow: bool, catalog: Catalog) -> None:
        """``+@all`` and ``-@all``: what was said before counts no longer."""
        self.allowed = catalog.names if allow else frozenset()
        self.base = allow
        self.rules.clear()
        self.first_words.clear()

    def set_commands(self, allow: bool, rule: str, names: frozenset[str]) -> None:
        """Allow or forbid commands, by a rule that is noted in place of those it covers."""
        self.allowed = self.allowed | names if allow else self.allowed - names
        for name in names & self.first_words.keys():
            del self.first_words[name]
        self._note(allow, rule)

    def allow_first_word(self, command: Listed, word: str) -> None:
        """Allow a command with this first word."""
        self.first_words.setdefault(command.name, {})[word.lower()] = None
        self._note(True, f"{command.name}|{word}")

    def _note(self, allow: bool, rule: str) -> None:
        """A new rule replaces one for the same, and for parts of it (``config`` those of ``config|get``)."""
        rule = rule.lower()
        for held in [held for held in self.rules if held == rule or held.startswith(f"{rule}|")]:
            del self.rules[held]
        self.rules[rule] = allow

    def allow_key(self, pattern: bytes, permission: int) -> None:
        """Allow reading, writing or both, of the keys that match."""
        self.keys[pattern] = self.keys.get(pattern, 0) | permission
        self._matchers[pattern] = glob(pattern)

    def set_all_keys(self, allow: bool) -> None:
        """``allkeys`` and ``resetkeys``."""
        self.all_keys = allow
        self.keys.clear()

    def allow_channel(self, pattern: bytes) -> None:
        """Allow the channels that match."""
        self.channels[pattern] = None
        self._matchers[pattern] = glob(pattern)

    def set_all_channels(self, allow: bool) -> None:
        """``allchannels`` and ``resetchannels``."""
        self.all_channels = allow
        self.channels.clear()

    # ---- asking

    def refuses(
        self, command: str, open_to_all: bool, words: Sequence[bytes], keys: Iterable[Use], channels: Iterable[Use]
    ) -> tuple[Reason, int] | None:
        """Why a request is not allowed and the word that it fails at, or None if it is.

        ``open_to_all``: the command needs no right of its own (AUTH). ``keys`` and ``channels`` are those in ``words``.
        """
        if not open_to_all and command not in self.allowed and not self._allows_first_word(command, words):
            return Reason.COMMAND, 0
        if not self.all_keys:
            for position, need in keys:
                if not self.allows_key(words[position], need):
                    return Reason.KEY, position
        if not self.all_channels:
            for position, is_pattern in channels:
                if not self.allows_channel(words[position], bool(is_pattern)):
                    return Reason.CHANNEL, position
        return None

    def _allows_first_word(self, command: str, words: Sequence[bytes]) -> bool:
        allowed = self.first_words.get(command)
        return allowed is not None and len(words) > 1 and to_text(words[1]).lower() in allowed

    def allows_key(self, key: bytes, need: int) -> bool:
        """Whether one pattern allows all of ``need``: READ, WRITE, both, or 0 for nothing but its existence."""
        if self.all_keys:
            return True
        matchers = self._matchers
        return any(granted & need == need and matchers[pattern](key) for pattern, granted in self.keys.items())

    def allows_channel(self, channel: bytes, is_pattern: bool) -> bool:
        """Whether a channel matches, or a pattern is one of those that are allowed, letter by letter."""
        if self.all_channels:
            return True
        if is_pattern:
            return channel in self.channels
        matchers = self._matchers
        return any(matchers[pattern](channel) for pattern in self.channels)

    @property
    def reads_every_key(self) -> bool:
        """Whether there is no key that may not be read."""
        return self.all_keys or bool(self.keys.get(b"*", 0) & READ)

    # ---- showing

    def shown_keys(self) -> str:
        """Key patterns, as rule words."""
        if self.all_keys:
            return "~*"
        return " ".join(_LETTERS[granted] + to_text(pattern) for pattern, granted in self.keys.items())

    def shown_channels(self) -> str:
        """Channel patterns, as rule words."""
        if self.all_channels:
            return "&*"
        return " ".join(f"&{to_text(pattern)}" for pattern in self.channels)

    def shown_commands(self) -> str:
        """Commands, as rule words."""
        start = "+@all" if self.base else "-@all"
        return " ".join((start, *(("+" if allow else "-") + rule for rule, allow in self.rules.items())))

    def shown(self) -> str:
        """The rule words that make this selector."""
        reset = "" if self.all_channels else "resetchannels"
        parts = (self.shown_keys(), reset, self.shown_channels(), self.shown_commands())
        return " ".join(part for part in parts if part)
