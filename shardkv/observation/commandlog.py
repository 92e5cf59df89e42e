"""Logs of commands that stand out: the last ones that took long, whose requests were large, or whose replies were; the
newest first, each with its words cut to a readable size."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

#: A remembered request has at most this many words, the last of which tells how many more there were.
WORDS_MAX: Final = 32
#: A remembered word has at most this many bytes, and behind them how many more there were.
WORD_MAX: Final = 128


@dataclass(frozen=True, slots=True)
class Entry:
    """One command. ``at`` is in Unix seconds; ``amount``: microseconds, or bytes; ``address`` and ``name`` are the
    client's."""

    id: int
    at: int
    amount: int
    words: list[bytes]
    address: str
    name: bytes


class CommandLog:
    """Commands that stand out in one way. Ids go on for ever; ``most`` (an option) may change between calls."""

    __slots__ = ("_entries", "_next")

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._next = 0

    def __len__(self) -> int:
        return len(self._entries)

    def note(self, words: Sequence[bytes], amount: int, at: int, address: str, name: bytes, most: int) -> None:
        """Remember a command, and forget the oldest beyond ``most``."""
        self._entries.appendleft(Entry(self._next, at, amount, shortened(words), address, name))
        self._next += 1
        while len(self._entries) > most:
            self._entries.pop()

    def newest(self, count: int) -> list[Entry]:
        """Up to ``count`` entries, the newest first; -1: all."""
        return list(islice(self._entries, len(self._entries) if count == -1 else count))

    def reset(self) -> None:
        """Forget all entries."""
        self._entries.clear()


def shortened(words: Sequence[bytes]) -> list[bytes]:
    """The words as they are remembered."""
    kept = list(words)
    if len(kept) > WORDS_MAX:
        more = len(kept) - WORDS_MAX + 1
        kept[WORDS_MAX - 1 :] = [b"... (%d more arguments)" % more]
    return [
        word if len(word) <= WORD_MAX else b"%b... (%d more bytes)" % (word[:WORD_MAX], len(word) - WORD_MAX)
        for word in kept
    ]
