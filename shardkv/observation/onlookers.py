"""What MONITOR shows of a request: one line, with every byte that is no printable ASCII escaped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_NAMED: Final = {ord("\\"): "\\\\", ord('"'): '\\"', 10: "\\n", 13: "\\r", 9: "\\t", 7: "\\a", 8: "\\b"}
_SHOWN: Final = [_NAMED.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}") for byte in range(256)]


def quoted(word: bytes) -> str:
    """The word in quotes."""
    return f'"{"".join([_SHOWN[byte] for byte in word])}"'


def line(now: float, database: int, source: str, words: Sequence[bytes]) -> bytes:
    """The line for a request at ``now`` (Unix seconds) from ``source``, an address or ``lua``; a simple string."""
    shown = " ".join(map(quoted, words))
    return f"+{now:.6f} [{database} {source}] {shown}\r\n".encode()
