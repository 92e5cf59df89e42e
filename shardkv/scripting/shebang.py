"""The first line of a script or library: ``#!lua flags=no-writes`` or ``#!lua name=mylib``."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntFlag
from typing import Final

from ..config.quoting import split_words, to_bytes, to_text
from ..errors import ReplyError


class ScriptFlags(IntFlag):
    """What a script says of itself. ``COMPATIBLE``: it has no first line of this kind, and the rules of old hold."""

    NONE = 0
    NO_WRITES = 1
    ALLOW_OOM = 2
    ALLOW_STALE = 4
    NO_CLUSTER = 8
    ALLOW_CROSS_SLOT_KEYS = 16
    COMPATIBLE = 32


FLAG_NAMES: Final[dict[bytes, ScriptFlags]] = {
    b"no-writes": ScriptFlags.NO_WRITES,
    b"allow-oom": ScriptFlags.ALLOW_OOM,
    b"allow-stale": ScriptFlags.ALLOW_STALE,
    b"no-cluster": ScriptFlags.NO_CLUSTER,
    b"allow-cross-slot-keys": ScriptFlags.ALLOW_CROSS_SLOT_KEYS,
}


def flag_names(flags: ScriptFlags) -> list[bytes]:
    """The names of flags in Redis's order."""
    return [name for name, flag in FLAG_NAMES.items() if flags & flag]


def script_flags(body: bytes) -> tuple[ScriptFlags, bytes]:
    """The flags of a script and its code, whose lines keep their numbers. Raises ReplyError."""
    if not body.startswith(b"#!"):
        return ScriptFlags.COMPATIBLE, body
    end = body.find(b"\n")
    if end < 0:
        raise ReplyError("ERR Invalid script shebang")
    words = split_words(to_text(body[:end]))
    if not words:
        raise ReplyError("ERR Invalid engine in script shebang")
    if words[0].lower() != "#!lua":
        raise ReplyError(f"ERR Unexpected engine in script shebang: {words[0]}")
    flags = ScriptFlags.NONE
    for word in words[1:]:
        if not word.startswith("flags="):
            raise ReplyError(f"ERR Unknown lua shebang option: {word}")
        names = to_bytes(word.removeprefix("flags="))
        flags |= named_flags(names.split(b",") if names else [], "ERR Unexpected flag in script shebang: ")
    return flags, body[end:]


def named_flags(names: Iterable[bytes], complaint: str) -> ScriptFlags:
    """Flags by their names. Raises ReplyError: the complaint and the name."""
    flags = ScriptFlags.NONE
    for name in names:
        flag = FLAG_NAMES.get(name)
        if flag is None:
            raise ReplyError(complaint + to_text(name))
        flags |= flag
    return flags


def library_name(code: bytes) -> tuple[str, bytes]:
    """The name that a library gives itself and its code, whose lines keep their numbers. Raises ReplyError."""
    if not code.startswith(b"#!"):
        raise ReplyError("ERR Missing library metadata")
    end = code.find(b"\n")
    if end < 0:
        raise ReplyError("ERR Invalid library metadata")
    words = split_words(to_text(code[:end]))
    if not words:
        raise ReplyError("ERR Invalid library metadata")
    name = None
    for word in words[1:]:
        if not word.startswith("name="):
            raise ReplyError(f"ERR Invalid metadata value given: {word}")
        if name is not None:
            raise ReplyError("ERR Invalid metadata value, name argument was given multiple times")
        name = word.removeprefix("name=")
    engine = words[0].removeprefix("#!")
    if engine.lower() != "lua":
        raise ReplyError(f"ERR Engine '{engine}' not found")
    if name is None:
        raise ReplyError("ERR Library name was not given")
    return checked_name(name), code[end:]


def checked_name(name: str) -> str:
    """The name of a library as it is, or that of a function, which Redis calls by the same word. Raises ReplyError."""
    if not name or not name.isascii() or not name.replace("_", "a").isalnum():
        raise ReplyError(
            "ERR Library names can only contain letters, numbers, or underscores(_) "
            "and must be at least one character long"
        )
    return name
