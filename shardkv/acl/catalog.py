"""The commands as rules see them: names, subcommands and categories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol


class Listed(Protocol):
    """A command that rules can name."""

    @property
    def name(self) -> str:
        """In lower case; that of a subcommand holds a bar: ``config|get``."""

    @property
    def parent(self) -> str | None:
        """The name of the container, for a subcommand."""

    @property
    def categories(self) -> frozenset[str]:
        """Without the ``@``."""

    @property
    def subcommands(self) -> Mapping[bytes, Any]:
        """By their own names, each ``Listed`` too; empty unless it is a container."""


class Catalog:
    """All commands, and which of them a rule means."""

    __slots__ = ("_by_category", "_by_name", "names")

    def __init__(self, commands: Iterable[Listed], categories: Iterable[str]) -> None:
        self._by_name = {command.name: command for command in commands}
        self.names = frozenset(self._by_name)
        self._by_category = {
            category: frozenset(
                name
                for command in self._by_name.values()
                if category in command.categories
                for name in self.family(command)
            )
            for category in categories
        }

    def find(self, name: str) -> Listed | None:
        """The command of a name in any case."""
        return self._by_name.get(name.lower())

    def family(self, command: Listed) -> frozenset[str]:
        """The names that a rule for a command means: its own and those of its subcommands."""
        return frozenset((command.name, *(sub.name for sub in command.subcommands.values())))

    def category(self, name: str) -> frozenset[str] | None:
        """The commands of a category, with all subcommands of a container that is in it; None if there is none of that
        name."""
        return self.names if name.lower() == "all" else self._by_category.get(name.lower())

    def members(self, category: str) -> list[str] | None:
        """The commands that are in a category by their own right (ACL CAT), or None."""
        if category.lower() not in self._by_category:
            return None
        return [command.name for command in self._by_name.values() if category.lower() in command.categories]
