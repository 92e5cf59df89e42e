"""From the words of a request to its command.

Clients spell names as they like. The table starts with lower and upper case; any other spelling is learned when it is
first met, up to a bound that keeps a hostile client from filling it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from ..commands.spec import TABLE, Command
from ..errors import ReplyError

#: Spellings beyond the usual two that are remembered.
SPELLINGS_MAX: Final = 4096
#: Words of an unknown command that are told back, in bytes.
TOLD_MAX: Final = 128


class Names:
    """All names under which this node's commands go, ``rename-command`` included."""

    __slots__ = ("_learned", "_told", "commands")

    def __init__(self, renames: Iterable[tuple[str, str]], told: Callable[[bytes, Command], None]) -> None:
        """``renames``: pairs of old and new name, an empty one takes the command away. ``told`` hears of every
        spelling."""
        self.commands: dict[bytes, Command] = {}
        self._told = told
        self._learned = 0
        renamed = {old.lower(): new.lower() for old, new in renames}
        for name, command in TABLE.items():
            word = renamed.get(name, name) if command.parent is None else ""
            if word:
                self._learn(word.encode(), command)
                self._learn(word.upper().encode(), command)

    def _learn(self, spelling: bytes, command: Command) -> None:
        self.commands[spelling] = command
        self._told(spelling, command)

    def look_up(self, words: list[bytes]) -> Command | None:
        """The command of a request, its subcommand if it is a container; None if there is none."""
        name = words[0]
        command = self.commands.get(name)
        if command is None:
            command = self.commands.get(name.lower())
            if command is None:
                return None
            if self._learned < SPELLINGS_MAX:
                self._learned += 1
                self._learn(name, command)
        if command.subcommands and len(words) > 1:
            return command.subcommands.get(words[1].lower())
        return command

    def unknown(self, words: list[bytes]) -> ReplyError:
        """The error for a name that is no command, or a container's word that is no subcommand."""
        container = self.commands.get(words[0].lower())
        if container is not None:
            return ReplyError(f"ERR unknown subcommand '{_shown(words[1])}'. Try {container.name.upper()} HELP.")
        told = ""
        for word in words[1:]:
            if len(told) >= TOLD_MAX:
                break
            told += f"'{_shown(word[: TOLD_MAX - len(told)])}' "
        return ReplyError(f"ERR unknown command '{_shown(words[0])}', with args beginning with: {told}")


def miscounted(command: Command) -> ReplyError:
    """The error for a number of words that does not fit the arity."""
    return ReplyError(f"ERR wrong number of arguments for '{command.name}' command")


def _shown(word: bytes) -> str:
    return word[:TOLD_MAX].decode("utf-8", "surrogateescape")
