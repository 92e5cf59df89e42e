"""OBJECT: how a key is held."""

from __future__ import annotations

from typing import Any, Final

from ..errors import NotAnInteger, ReplyError
from ..resp.replies import Simple
from ..values.kinds import encoding
from ..values.strings import string_integer
from .context import STRING_TYPES, Context
from .flags import Flags, KeyUse
from .grammar import key
from .spec import command, container

#: Redis keeps the integers below this once for all keys.
SHARED_INTEGERS: Final = 10_000
SHARED_COUNT: Final = 2**31 - 1

_NOT_LFU: Final = (
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. "
    "Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
)
_LFU: Final = (
    "ERR An LFU maxmemory policy is selected, idle time not tracked. "
    "Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
)
_HELP: Final = (
    "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ENCODING <key>",
    "    How the value is held in memory.",
    "FREQ <key>",
    "    How often the key is used, on a logarithmic scale (LFU policies only).",
    "IDLETIME <key>",
    "    For how many seconds the key has not been used (not under LFU policies).",
    "REFCOUNT <key>",
    "    How many references the value has.",
    "HELP",
    "    This text.",
)

container("OBJECT", group="generic", since="2.2.3", doc="Tells how a key is held.")

_KEY = key("key", KeyUse.RO)
_TIPS = ("nondeterministic_output",)


def _policy(ctx: Context) -> str:
    return str(ctx.host.config.maxmemory_policy)


@command("OBJECT ENCODING", _KEY, flags=Flags.READONLY, group="generic", since="2.2.3", tips=_TIPS)
def object_encoding(ctx: Context, name: bytes) -> bytes | None:
    """Tells how the value at a key is held in memory."""
    held = ctx.peek(name)
    return None if held is None else encoding(held).encode()


@command("OBJECT REFCOUNT", _KEY, flags=Flags.READONLY, group="generic", since="2.2.3", tips=_TIPS)
def object_refcount(ctx: Context, name: bytes) -> int | None:
    """Tells how many references the value at a key has: one, or very many for a small integer."""
    held = ctx.peek(name)
    if held is None:
        return None
    return SHARED_COUNT if _is_shared(ctx, held) else 1


def _is_shared(ctx: Context, held: Any) -> bool:
    if type(held) not in STRING_TYPES or type(held) is bytearray:
        return False
    if ctx.host.config.maxmemory and _policy(ctx).endswith(("lru", "lfu")):
        return False  # every key needs an access time of its own then
    try:
        return 0 <= string_integer(held) < SHARED_INTEGERS
    except NotAnInteger:
        return False


@command("OBJECT IDLETIME", _KEY, flags=Flags.READONLY, group="generic", since="2.2.3", tips=_TIPS)
def object_idletime(ctx: Context, name: bytes) -> int | None:
    """Tells for how many seconds a key has not been used. Unless memory is limited and keys are given up by their last
    use, the keys of a hash slot share their clock."""
    if ctx.peek(name) is None:
        return None
    if _policy(ctx).endswith("lfu"):
        raise ReplyError(_LFU)
    return ctx.db.idle_seconds(name, ctx.now // 1000)


@command("OBJECT FREQ", _KEY, flags=Flags.READONLY, group="generic", since="4.0.0", tips=_TIPS)
def object_freq(ctx: Context, name: bytes) -> int | None:
    """Tells how often a key is used."""
    if ctx.peek(name) is None:
        return None
    if not _policy(ctx).endswith("lfu"):
        raise ReplyError(_NOT_LFU)
    return ctx.db.frequency(name)


@command("OBJECT HELP", flags=Flags.LOADING | Flags.STALE, group="generic", since="6.2.0")
def object_help(ctx: Context) -> list[Simple]:
    """Tells what OBJECT can do."""
    return [Simple(line) for line in _HELP]
