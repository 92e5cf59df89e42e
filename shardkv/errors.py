"""Errors that a client is told of: a code, a text, and nothing else.

A ``ReplyError`` is the client's fault (or the state of the node, told to the client); an ``assert`` is ours; an
``OSError`` is the world's and is handled at the rim. The texts are Redis's to the letter, for programs match on them.
"""

from __future__ import annotations


class ReplyError(Exception):
    """An error reply. ``text`` starts with its code (``ERR``, ``WRONGTYPE`` ...) and has no leading dash."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    @property
    def code(self) -> str:
        """The first word, by which INFO errorstats counts it."""
        return self.text.split(" ", 1)[0]


class WrongType(ReplyError):
    """The key holds another type of value than the command works on."""

    def __init__(self) -> None:
        super().__init__("WRONGTYPE Operation against a key holding the wrong kind of value")


class Loading(ReplyError):
    """There is nothing true to answer, or to change, before the data set is whole."""

    def __init__(self) -> None:
        super().__init__("LOADING Redis is loading the dataset in memory")


class SyntaxFault(ReplyError):
    """The options of a command do not fit its grammar."""

    def __init__(self) -> None:
        super().__init__("ERR syntax error")


class NotAnInteger(ReplyError):
    """A word that must be a 64-bit signed integer is none."""

    def __init__(self) -> None:
        super().__init__("ERR value is not an integer or out of range")


class NotAFloat(ReplyError):
    """A word that must be a float is none."""

    def __init__(self) -> None:
        super().__init__("ERR value is not a valid float")


class OutOfRange(ReplyError):
    """A count or index is outside what the command takes."""

    def __init__(self, text: str = "ERR value is out of range") -> None:
        super().__init__(text)
