"""The parts of the scripting world that are written in Lua."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any


@cache
def source(name: str) -> bytes:
    """The text of a Lua file of this package."""
    return files(__package__).joinpath(name).read_bytes()


def compiled(runtime: Any, name: str) -> Any:
    """The file as a function, named after itself in errors."""
    return runtime.compile(source(name), name=b"=" + name.encode())
