"""What scripts ask of the node that runs them: the callable side of the ``redis`` table."""

from __future__ import annotations

from typing import Any, Protocol

from ..errors import ReplyError


class ScriptPort(Protocol):
    """The engine as a running script sees it."""

    def call(self, words: list[bytes]) -> Any:
        """Run a command; its reply as a plain value, a ReplyError instance for an error."""

    def may_call(self, words: list[bytes]) -> bool:
        """Whether the caller's rights allow a command. Raises ReplyError for what is no command."""

    def look(self) -> bytes | None:
        """The script has run for a while: None, or the text of the error that ends it."""

    def log(self, level: int, text: bytes) -> None:
        """A line for the node's log. ``level``: 0 debug to 3 warning."""

    def set_audience(self, flags: int) -> None:
        """Who gets what the script changes from now on: bit 1 the log of commands, bit 2 replicas."""

    def register(self, name: bytes, callback: Any, description: bytes | None, flags: list[bytes]) -> None:
        """A library that is being loaded offers a function. Raises ReplyError."""


#: For tests and tools that have no node: every command is refused.
class NoPort:
    """Implements ``ScriptPort`` where there is nothing to call."""

    def call(self, words: list[bytes]) -> Any:
        """No command is known."""
        return ReplyError("ERR Unknown Redis command called from script")

    def may_call(self, words: list[bytes]) -> bool:
        """No command is known."""
        raise ReplyError("ERR Invalid command passed to redis.acl_check_cmd()")

    def look(self) -> bytes | None:
        """Scripts may run for ever."""
        return None

    def log(self, level: int, text: bytes) -> None:
        """Nobody reads it."""

    def set_audience(self, flags: int) -> None:
        """Nobody listens."""

    def register(self, name: bytes, callback: Any, description: bytes | None, flags: list[bytes]) -> None:
        """Nobody calls it."""
