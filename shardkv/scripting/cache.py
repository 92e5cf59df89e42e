"""The scripts that are known by their SHA-1.

What EVAL has brought is forgotten again when ``EVALUATED_MAX`` others came after it; what SCRIPT LOAD has brought stays
until SCRIPT FLUSH.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Any, Final

from .shebang import ScriptFlags

#: Scripts of EVAL that are kept (as Redis 7.4 has it).
EVALUATED_MAX: Final = 500
#: What a script takes beside its text, in bytes: its function in Lua, and its entries here.
_OVERHEAD: Final = 400


@dataclass(slots=True, eq=False)
class Script:
    """One script. ``function`` is what Lua has compiled."""

    sha: bytes  #: 40 hexadecimal digits in lower case
    body: bytes
    flags: ScriptFlags
    function: Any
    kept: bool  #: came by SCRIPT LOAD

    name: str = field(init=False)  #: how errors and the log call it
    compatible: bool = field(init=False)  #: it has no first line with flags

    def __post_init__(self) -> None:
        self.name = self.sha.decode()
        self.compatible = bool(self.flags & ScriptFlags.COMPATIBLE)


def sha_of(body: bytes) -> bytes:
    """The name of a script by its text."""
    return sha1(body).hexdigest().encode()


class ScriptCache:
    """All known scripts."""

    def __init__(self) -> None:
        self._by_sha: dict[bytes, Script] = {}
        self._by_body: dict[bytes, Script] = {}
        self._evaluated: OrderedDict[Script, None] = OrderedDict()
        self.bytes = 0  #: about how much memory the texts take
        self.evicted = 0  #: how many were forgotten for others

    def __len__(self) -> int:
        return len(self._by_sha)

    def by_sha(self, sha: bytes) -> Script | None:
        """The script with this name, in either case."""
        script = self._by_sha.get(sha)
        if script is None:
            script = self._by_sha.get(sha.lower())
        if script is not None and not script.kept:
            self._evaluated.move_to_end(script)
        return script

    def by_body(self, body: bytes) -> Script | None:
        """The script with this text."""
        script = self._by_body.get(body)
        if script is not None and not script.kept:
            self._evaluated.move_to_end(script)
        return script

    def add(self, script: Script) -> None:
        """A new script. One of EVAL may push the oldest of its kind out."""
        self._by_sha[script.sha] = script
        self._by_body[script.body] = script
        self.bytes += len(script.body) + _OVERHEAD
        if not script.kept:
            if len(self._evaluated) >= EVALUATED_MAX:
                oldest, _ = self._evaluated.popitem(last=False)
                self._forget(oldest)
                self.evicted += 1
            self._evaluated[script] = None

    def keep(self, script: Script) -> None:
        """SCRIPT LOAD of one that EVAL has brought: it stays from now on."""
        if not script.kept:
            script.kept = True
            del self._evaluated[script]

    def _forget(self, script: Script) -> None:
        del self._by_sha[script.sha]
        del self._by_body[script.body]
        self.bytes -= len(script.body) + _OVERHEAD

    def clear(self) -> None:
        """Forget all."""
        self._by_sha.clear()
        self._by_body.clear()
        self._evaluated.clear()
        self.bytes = 0
