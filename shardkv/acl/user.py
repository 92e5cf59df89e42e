"""A user: whether they may come in, with which passwords, and what they may do then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from ..config.quoting import to_text
from .selector import Reason, Selector, Use

#: Compared with when there is no password to compare with, so that an unknown name takes as long as a wrong password.
_NOBODY: Final = "0" * 64


def hashed(password: bytes) -> str:
    """A password as it is kept: SHA-256 in hexadecimal digits."""
    return sha256(password).hexdigest()


class User:
    """One user. Changed by ``rules`` only, and then told to ``refresh``."""

    __slots__ = ("enabled", "name", "needs_no_password", "passwords", "sanitizes", "selectors", "unrestricted")

    def __init__(self, name: bytes, *, all_channels: bool = False) -> None:
        self.name = name
        self.enabled = False
        self.needs_no_password = False
        self.sanitizes: bool | None = None  #: what was said of checking payloads; RESTORE checks them anyhow
        self.passwords: dict[str, None] = {}
        self.selectors = [Selector(all_channels=all_channels)]
        self.unrestricted = False  #: may do everything, so that nothing has to be asked

    @property
    def root(self) -> Selector:
        """The selector that rules outside parentheses change."""
        return self.selectors[0]

    def become(self, other: User) -> None:
        """Take over everything but the name: clients that are this user notice at once."""
        self.enabled = other.enabled
        self.needs_no_password = other.needs_no_password
        self.sanitizes = other.sanitizes
        self.passwords = dict(other.passwords)
        self.selectors = [selector.copy() for selector in other.selectors]
        self.unrestricted = other.unrestricted

    def refresh(self, every_command: frozenset[str]) -> None:
        """Set ``unrestricted`` anew."""
        self.unrestricted = any(
            selector.all_keys and selector.all_channels and selector.allowed >= every_command
            for selector in self.selectors
        )

    @property
    def lets_everybody_in(self) -> bool:
        """Whether a client is this user without a word."""
        return self.enabled and self.needs_no_password

    def accepts(self, password: bytes) -> bool:
        """Whether a password opens the door. Takes the same time whichever byte is wrong."""
        digest = hashed(password)
        matches = False
        for held in self.passwords or (_NOBODY,):
            matches |= compare_digest(held, digest)
        return self.enabled and (self.needs_no_password or (matches and bool(self.passwords)))

    # ---- rights

    def refuses(
        self,
        command: str,
        open_to_all: bool,
        words: Sequence[bytes],
        keys: Sequence[Use] = (),
        channels: Sequence[Use] = (),
    ) -> tuple[Reason, int] | None:
        """Why a request is not allowed by any selector and the word that it fails at; None if it is allowed."""
        furthest = (Reason.COMMAND, 0)
        for selector in self.selectors:
            refusal = selector.refuses(command, open_to_all, words, keys, channels)
            if refusal is None:
                return None
            furthest = max(furthest, refusal)
        return furthest

    def reads_every_key_with(
        self, command: str, words: Sequence[bytes], keys: Sequence[Use], channels: Sequence[Use] = ()
    ) -> bool:
        """Whether a selector allows the request and, beside its own keys, to read all others (SORT BY and GET)."""
        return self.unrestricted or any(
            selector.reads_every_key and selector.refuses(command, False, words, keys, channels) is None
            for selector in self.selectors
        )

    def keeps_subscriptions(self, channels: Iterable[bytes], patterns: Iterable[bytes]) -> bool:
        """Whether subscriptions to these are still allowed, whatever the selector."""
        return all(any(s.allows_channel(name, False) for s in self.selectors) for name in channels) and all(
            any(s.allows_channel(name, True) for s in self.selectors) for name in patterns
        )

    # ---- showing

    def flags(self) -> list[str]:
        """The words of what is no password and no selector."""
        words = ["on" if self.enabled else "off"]
        if self.needs_no_password:
            words.append("nopass")
        if self.sanitizes is not None:
            words.append("sanitize-payload" if self.sanitizes else "skip-sanitize-payload")
        return words

    def shown(self) -> str:
        """The rule words that make this user."""
        passwords = [f"#{digest}" for digest in self.passwords]
        more = [f"({selector.shown()})" for selector in self.selectors[1:]]
        return " ".join((*self.flags(), *passwords, self.root.shown(), *more))

    def line(self) -> str:
        """The user as a line of a file, or of ACL LIST."""
        return f"user {to_text(self.name)} {self.shown()}"


def nobody() -> User:
    """Stands for a user that does not exist, where a password has to be refused in the same time."""
    return User(b"")
