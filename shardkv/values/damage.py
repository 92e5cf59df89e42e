"""Packed bytes that are not what they should be."""

from __future__ import annotations

from ..errors import ReplyError


class Malformed(Exception):
    """What a decoder says of bytes that are there and wrong."""


class DamagedValue(ReplyError):
    """A value was kept as it was read, and now that somebody asks for its elements it turns out to be no whole one.

    Whoever wrote it is at fault: files with errors of the medium are refused by their check sum.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"ERR The value of the key is damaged: {reason}")
