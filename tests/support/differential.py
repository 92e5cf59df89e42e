"""The same requests to the engine in this process and to a server that knows better, byte by byte.

A script is a text with a request a line, its words as a shell would read them, with Python's escapes (``\\x00``).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from .engine_client import EngineClient
from .processes import Server

Script: TypeAlias = str | Iterable[Sequence[bytes | str]]


def requests_of(script: Script) -> list[list[bytes]]:
    """The requests of a script."""
    if isinstance(script, str):
        lines = [shlex.split(line, comments=True) for line in script.splitlines()]
        return [[_unescaped(word) for word in words] for words in lines if words]
    return [[word if isinstance(word, bytes) else word.encode() for word in words] for words in script]


def _unescaped(word: str) -> bytes:
    return word.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1")


def differences(server: Server, script: Script, *, resp3: bool = False) -> list[str]:
    """What the two answer differently, as readable lines. The server loses all its keys first."""
    ours = EngineClient(resp3=resp3)
    found: list[str] = []
    with server.client(resp3=resp3) as theirs:
        theirs.must("FLUSHALL")
        ours.now = server_time(theirs.must("TIME"))
        for words in requests_of(script):
            if words[:2] == [b"OBJECT", b"IDLETIME"]:
                ours.now = server_time(theirs.must("TIME"))  # a script may take long on a busy machine
            expected = theirs.raw(*words)
            got = ours.raw(*words)
            if got != expected and not _idle_alike(words, got, expected):
                shown = b" ".join(words).decode("utf-8", "backslashreplace")
                found.append(f"{shown}\n    ours   {got!r}\n    theirs {expected!r}")
    return found


def _idle_alike(words: Sequence[bytes], got: bytes, expected: bytes) -> bool:
    """Whether both tell nearly the same idle time: Redis's clock for it goes in steps, and a second may end between."""
    asked = words[:2] == [b"OBJECT", b"IDLETIME"] and got[:1] == expected[:1] == b":"
    return asked and abs(int(got[1:]) - int(expected[1:])) <= 1


def server_time(reply: Sequence[bytes]) -> int:
    """The reply of TIME in Unix milliseconds."""
    seconds, microseconds = reply
    return int(seconds) * 1000 + int(microseconds) // 1000


def agree(server: Server, script: Script) -> None:
    """Assert that both answer the same bytes, in RESP2 and in RESP3."""
    for resp3 in (False, True):
        found = differences(server, script, resp3=resp3)
        assert not found, f"RESP{3 if resp3 else 2}:\n" + "\n".join(found)
