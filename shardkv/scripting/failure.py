"""What a script has failed with."""

from __future__ import annotations

from ..errors import ReplyError


class ScriptError(ReplyError):
    """A script has failed. ``counted``: INFO errorstats knows of the error already."""

    __slots__ = ("counted",)

    def __init__(self, text: str, *, counted: bool = False) -> None:
        super().__init__(text)
        self.counted = counted
