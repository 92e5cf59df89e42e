"""The words of ACL SETUSER, one by one: each changes a user or a selector, or is refused with Redis's reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from ..config.quoting import split_words, to_bytes, to_text
from .catalog import Catalog
from .selector import READ, WRITE, Selector
from .user import User, hashed

SYNTAX: Final = "Syntax error"
UNKNOWN: Final = "Unknown command or category name in ACL"
_AFTER_ALL_KEYS: Final = (
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. "
    "Try 'resetkeys' to start with an empty list of patterns"
)
_AFTER_ALL_CHANNELS: Final = (
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. "
    "Try 'resetchannels' to start with an empty list of channels"
)
_NO_SUCH_PASSWORD: Final = "The password you are trying to remove from the user does not exist"
_BAD_HASH: Final = "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
_OF_A_SUBCOMMAND: Final = "Allowing first-arg of a subcommand is not supported"

_HASH: Final = re.compile(rb"[0-9a-f]{64}")
_BLANK: Final = re.compile(rb"[\s\0]")
_PERMISSIONS: Final = {b"R": READ, b"W": WRITE, b"RW": READ | WRITE, b"WR": READ | WRITE}


class RuleFault(Exception):
    """A word that is no rule, or changes nothing. ``reason`` is Redis's text."""

    def __init__(self, word: bytes, reason: str) -> None:
        super().__init__(reason)
        self.word = word
        self.reason = reason


class Unmatched(Exception):
    """A parenthesis that is opened and never closed, in ``word``."""

    def __init__(self, word: bytes) -> None:
        super().__init__(word)
        self.word = word


def is_name(word: bytes) -> bool:
    """Whether a word can name a user, a key pattern or a channel: no blanks and no zero bytes."""
    return _BLANK.search(word) is None


def joined(words: Sequence[bytes]) -> list[bytes]:
    """Rules, with the words between parentheses as one. Raises Unmatched."""
    rules: list[bytes] = []
    opened: list[bytes] = []
    for word in words:
        if opened:
            opened.append(word)
            if word.endswith(b")"):
                rules.append(b" ".join(opened))
                opened = []
        elif word.startswith(b"(") and not word.endswith(b")"):
            opened = [word]
        else:
            rules.append(word)
    if opened:
        raise Unmatched(opened[0])
    return rules


def apply(user: User, rule: bytes, catalog: Catalog, *, open_channels: bool) -> None:
    """Change a user by one rule; ``open_channels``: a new user or selector may use all channels. Raises RuleFault, and
    then nothing is changed."""
    change = _WORDS.get(rule.lower())
    if change is not None:
        change(user)
    elif rule.lower() == b"reset":
        user.become(User(user.name, all_channels=open_channels))
        user.sanitizes = True
    elif rule[:1] in (b">", b"#"):
        user.passwords[_digest(rule)] = None
        user.needs_no_password = False
    elif rule[:1] in (b"<", b"!"):
        digest = _digest(rule)
        if digest not in user.passwords:
            raise RuleFault(rule, _NO_SUCH_PASSWORD)
        del user.passwords[digest]
    elif rule.startswith(b"(") and rule.endswith(b")"):
        user.selectors.append(_selector(rule, catalog, open_channels))
    elif rule:
        _apply_to_selector(user.root, rule, catalog)
    user.refresh(catalog.names)


def _digest(rule: bytes) -> str:
    if rule[:1] in b"><":
        return hashed(rule[1:])
    if not _HASH.fullmatch(rule[1:]):
        raise RuleFault(rule, _BAD_HASH)
    return rule[1:].decode()


def _needs_no_password(user: User) -> None:
    user.needs_no_password = True
    user.passwords.clear()


def _resets_passwords(user: User) -> None:
    user.needs_no_password = False
    user.passwords.clear()


def _setter(attribute: str, value: bool) -> Callable[[User], None]:
    return lambda user: setattr(user, attribute, value)


def _forget_selectors(user: User) -> None:
    del user.selectors[1:]


_WORDS: Final[dict[bytes, Callable[[User], None]]] = {
    b"on": _setter("enabled", True),
    b"off": _setter("enabled", False),
    b"nopass": _needs_no_password,
    b"resetpass": _resets_passwords,
    b"sanitize-payload": _setter("sanitizes", True),
    b"skip-sanitize-payload": _setter("sanitizes", False),
    b"clearselectors": _forget_selectors,
}


def _selector(rule: bytes, catalog: Catalog, open_channels: bool) -> Selector:
    """The selector that a rule in parentheses describes; one whose quotes are unbalanced says nothing, as in Redis."""
    made = Selector(all_channels=open_channels)
    for word in split_words(to_text(rule[1:-1])) or ():
        try:
            _apply_to_selector(made, to_bytes(word), catalog)
        except RuleFault as fault:
            raise RuleFault(rule, fault.reason) from None
    return made


# ---- rules of a selector


def _apply_to_selector(selector: Selector, rule: bytes, catalog: Catalog) -> None:
    word = rule.lower()
    if word in (b"allkeys", b"~*", b"resetkeys"):
        selector.set_all_keys(word != b"resetkeys")
    elif word in (b"allchannels", b"&*", b"resetchannels"):
        selector.set_all_channels(word != b"resetchannels")
    elif word in (b"allcommands", b"+@all", b"nocommands", b"-@all"):
        selector.set_all(word in (b"allcommands", b"+@all"), catalog)
    elif word[:1] in (b"~", b"%"):
        _allow_key(selector, rule)
    elif word[:1] == b"&":
        _allow_channel(selector, rule)
    elif word[:2] in (b"+@", b"-@"):
        _set_category(selector, rule, catalog)
    elif word[:1] == b"+":
        _allow_command(selector, rule, catalog)
    elif word[:1] == b"-":
        command = catalog.find(to_text(rule[1:]))
        if command is None:
            raise RuleFault(rule, UNKNOWN)
        selector.set_commands(False, command.name, catalog.family(command))
    else:
        raise RuleFault(rule, SYNTAX)


def _allow_key(selector: Selector, rule: bytes) -> None:
    if selector.all_keys:
        raise RuleFault(rule, _AFTER_ALL_KEYS)
    permission: int | None
    if rule.startswith(b"~"):
        permission, pattern = READ | WRITE, rule[1:]
    else:
        letters, _, pattern = rule[1:].partition(b"~")
        permission = _PERMISSIONS.get(letters.upper())
    if permission is None or not is_name(pattern):
        raise RuleFault(rule, SYNTAX)
    selector.allow_key(pattern, permission)


def _allow_channel(selector: Selector, rule: bytes) -> None:
    if selector.all_channels:
        raise RuleFault(rule, _AFTER_ALL_CHANNELS)
    if not is_name(rule):
        raise RuleFault(rule, SYNTAX)
    selector.allow_channel(rule[1:])


def _set_category(selector: Selector, rule: bytes, catalog: Catalog) -> None:
    category = to_text(rule[2:])
    names = catalog.category(category)
    if names is None:
        raise RuleFault(rule, UNKNOWN)
    selector.set_commands(rule.startswith(b"+"), f"@{category}", names)


def _allow_command(selector: Selector, rule: bytes, catalog: Catalog) -> None:
    """A command, a subcommand, or a command with a certain first word, which is deprecated but kept."""
    name = to_text(rule[1:])
    container, bar, part = name.rpartition("|")
    command = catalog.find(container if bar else name)
    if command is None:
        raise RuleFault(rule, UNKNOWN)
    if not bar:
        selector.set_commands(True, command.name, catalog.family(command))
        return
    if command.parent is not None:
        raise RuleFault(rule, _OF_A_SUBCOMMAND)
    if not part:
        raise RuleFault(rule, SYNTAX)
    if not command.subcommands:
        selector.allow_first_word(command, part)
        return
    command = catalog.find(name)
    if command is None:
        raise RuleFault(rule, UNKNOWN)
    selector.set_commands(True, command.name, catalog.family(command))
