"""What scripts ask of the node that runs them: the callable side of the ``redis`` table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..errors import ReplyError


class Answered(bytes):
    """A command has been answered already, with these bytes of a reply; ``ScriptPort.answer`` reads them."""

    __slots__ = ()


class ScriptPort(Protocol):
    """The engine as a running script sees it."""

    def quickened(self, slow: Callable[..., Any], can_hold: Callable[[int], bool]) -> Callable[..., Any]:
        """``slow``, which is redis.call or redis.pcall, with a short way before it. ``can_hold`` tells whether Lua has
        room for a string of so many bytes."""

    def speak(self, resp3: bool) -> None:
        """The script has chosen a protocol; the short way knows RESP2 only."""

    def answer(self, reply: bytes) -> Any:
        """The plain value of a reply that the short way has not understood."""

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

    def quickened(self, slow: Callable[..., Any], can_hold: Callable[[int], bool]) -> Callable[..., Any]:
        """There is no short way."""
        return slow

    def speak(self, resp3: bool) -> None:
        """It makes no difference."""

    def answer(self, reply: bytes) -> Any:
        """Nothing was answered."""
        raise AssertionError(reply)

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
