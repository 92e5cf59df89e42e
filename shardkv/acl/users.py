"""All users of a node: made, changed and deleted by rules; read from lines and written as lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from ..config.quoting import to_bytes, to_text
from .catalog import Catalog
from .rules import UNKNOWN, RuleFault, Unmatched, apply, is_name, joined
from .user import User, nobody

DEFAULT: Final = b"default"


class FileFault(Exception):
    """Lines that make no users. ``str()`` tells of every fault, in one line."""


class Users:
    """The users by name. ``default`` always exists and stays the same object."""

    __slots__ = ("_by_name", "_open_channels", "catalog", "default")

    def __init__(self, catalog: Catalog, open_channels: Callable[[], bool]) -> None:
        """``open_channels``: whether a new user may use all channels (``acl-pubsub-default``)."""
        self.catalog = catalog
        self._open_channels = open_channels
        self.default = self._first()
        self._by_name: dict[bytes, User] = {DEFAULT: self.default}

    def _first(self) -> User:
        """The default user as a node without any configuration has it: may come in and do everything."""
        return self.changed(self.new(DEFAULT), (b"on", b"nopass", b"~*", b"&*", b"+@all"))

    def new(self, name: bytes) -> User:
        """A user that nobody knows of yet, who may do nothing."""
        return User(name, all_channels=self._open_channels())

    # ---- asking

    def get(self, name: bytes) -> User | None:
        """The user of that name."""
        return self._by_name.get(name)

    def __iter__(self) -> Iterator[User]:
        """All users, by name."""
        return iter([self._by_name[name] for name in sorted(self._by_name)])

    def authenticated(self, name: bytes, password: bytes) -> User | None:
        """The user who comes in by this name and password. An unknown name takes as long as a wrong password."""
        user = self._by_name.get(name)
        return user if (user or nobody()).accepts(password) else None

    # ---- changing

    def changed(self, user: User, rules: Iterable[bytes]) -> User:
        """A copy of a user, changed by rules. Raises RuleFault."""
        made = User(user.name)
        made.become(user)
        for rule in rules:
            apply(made, rule, self.catalog, open_channels=self._open_channels())
        return made

    def planned(self, name: bytes, words: Sequence[bytes]) -> User:
        """What the user of that name, there already or new, would be after these rules. Raises RuleFault and
        Unmatched."""
        return self.changed(self._by_name.get(name) or self.new(name), joined(words))

    def settle(self, planned: User) -> User:
        """Make a plan true; the user as clients hold it."""
        user = self._by_name.setdefault(planned.name, planned)
        if user is not planned:
            user.become(planned)
        return user

    def set_default_password(self, password: bytes) -> None:
        """``requirepass``: the one password of the default user; empty: it needs none."""
        rules = (b"resetpass", b">" + password) if password else (b"nopass",)
        self.settle(self.changed(self.default, rules))

    def remove(self, name: bytes) -> User | None:
        """Delete a user, who is returned; None if there was none."""
        return self._by_name.pop(name, None)

    def replace(self, users: Iterable[User]) -> None:
        """These are the users from now on; without a default one among them it becomes what it is at first."""
        by_name = {user.name: user for user in users}
        self.default.become(by_name.pop(DEFAULT) if DEFAULT in by_name else self._first())
        self._by_name = {DEFAULT: self.default, **by_name}

    # ---- lines

    def lines(self) -> list[str]:
        """A line for each user, as files hold them."""
        return [user.line() for user in self]

    def read(self, text: str, source: str) -> list[User]:
        """The users of an ACL file's text. Raises FileFault; nothing is changed."""
        found: dict[bytes, User] = {}
        faults: list[str] = []
        for number, line in enumerate(text.split("\n"), start=1):
            words = to_bytes(line.strip(" \t\r\n")).split(b" ")
            if words != [b""]:
                user = self._read_line(words, f"{source}:{number}", number, found, faults)
                if user is not None:
                    found[user.name] = user
        if faults:
            advice = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
            raise FileFault("".join(faults) + advice)
        return list(found.values())

    def _read_line(
        self, words: list[bytes], where: str, number: int, found: dict[bytes, User], faults: list[str]
    ) -> User | None:
        if words[0] != b"user" or len(words) < 2:
            faults.append(f"{where} should start with user keyword followed by the username. ")
            return None
        name = words[1]
        if not is_name(name):
            faults.append(f"{where}: username '{to_text(name)}' contains invalid characters. ")
            return None
        if name in found:
            faults.append(f"WARNING: Duplicate user '{to_text(name)}' found on line {number}. ")
            return None
        try:
            rules = joined(words[2:])
        except Unmatched:
            faults.append(f"{where}: Unmatched parenthesis in selector definition.")
            return None
        user = self.new(name)
        told = False  # only unknown names tell of the word at fault, which may be a password otherwise, and only once
        for rule in rules:
            try:
                apply(user, rule.strip(b"\t\r\n"), self.catalog, open_channels=self._open_channels())
            except RuleFault as fault:
                if fault.reason == UNKNOWN:
                    faults.append(f"{where}: Error in applying operation '{to_text(rule)}': {fault.reason}. ")
                elif not told:
                    faults.append(f"{where}: {fault.reason}. ")
                    told = True
        return user

    def declare(self, line: Sequence[str], found: dict[bytes, User]) -> None:
        """Add the user of a configuration line (the words behind ``user``) to those ``found`` before. Raises
        RuleFault."""
        name, *words = (to_bytes(word) for word in line)
        if name in found:
            raise RuleFault(name, "Duplicate user found. A user can only be defined once in config files")
        if not is_name(name):
            raise RuleFault(name, "Spaces not allowed in ACL usernames")
        try:
            rules = joined(words)
        except Unmatched as fault:
            raise RuleFault(fault.word, "Unmatched parenthesis in selector definition") from None
        found[name] = self.changed(self.new(name), [b"reset", *rules] if name == DEFAULT else rules)
