"""Libraries of functions: what FUNCTION LOAD has brought, by library and by function.

A library's code runs once, when it is loaded, and registers its functions; from then on FCALL finds them by name over
all libraries, in small letters or large ones: of two functions that differ by that alone the second is refused. A load
that fails changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..errors import ReplyError
from .shebang import ScriptFlags


@dataclass(slots=True, eq=False)
class Function:
    """One function. ``callback`` is Lua's."""

    name: bytes
    callback: Any
    description: bytes | None
    flags: ScriptFlags


@dataclass(slots=True, eq=False)
class Library:
    """One library with its source, first line included."""

    name: bytes
    code: bytes
    functions: dict[bytes, Function] = field(default_factory=dict)
    """By their names in small letters."""

    def offer(self, function: Function) -> None:
        """A function registers itself. Raises ReplyError for a name that is taken in this library."""
        name = function.name.lower()
        if name in self.functions:
            raise ReplyError("ERR Function already exists in the library")
        self.functions[name] = function


class Registry:
    """All libraries of a node, in the order in which they were loaded."""

    def __init__(self) -> None:
        self.libraries: dict[bytes, Library] = {}
        self.functions: dict[bytes, Function] = {}  #: by their names in small letters

    def copy(self) -> Registry:
        """Another registry with the same libraries."""
        other = Registry()
        other.libraries = dict(self.libraries)
        other.functions = dict(self.functions)
        return other

    def add(self, library: Library, *, replace: bool = False) -> None:
        """A library that was loaded, in place of one with its name if ``replace``. Raises ReplyError, and then nothing
        is changed."""
        old = self.libraries.get(library.name)
        if old is not None and not replace:
            raise ReplyError(f"ERR Library {library.name.decode()} already exists")
        for name, function in library.functions.items():
            if name in self.functions and (old is None or name not in old.functions):
                raise ReplyError(f"ERR Function {function.name.decode()} already exists")
        if old is not None:
            self.remove(library.name)
        self.libraries[library.name] = library
        self.functions.update(library.functions)

    def remove(self, name: bytes) -> bool:
        """Forget a library; False if there is none."""
        library = self.libraries.pop(name, None)
        if library is None:
            return False
        for function in library.functions:
            del self.functions[function]
        return True

    def clear(self) -> None:
        """Forget all."""
        self.libraries.clear()
        self.functions.clear()

    @property
    def bytes(self) -> int:
        """About how much memory the libraries take beside Lua."""
        return sum(len(library.code) + 200 * len(library.functions) for library in self.libraries.values())
