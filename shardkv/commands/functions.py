"""Functions: FCALL, and FUNCTION for the libraries that they live in."""

from __future__ import annotations

from typing import Any, Final

from ..errors import ReplyError
from ..persist.rdb.libraries import dump_libraries, read_libraries
from ..resp.replies import OK, SetReply, Simple
from ..scripting.shebang import flag_names
from ..values.damage import Malformed
from ..values.globs import glob
from .context import Context
from .flags import AtIndex, Flags, KeyNum, KeySpec, KeyUse
from .grammar import Arg, flag, integer, key, maybe, one_of, value
from .spec import command, container

_CALL: Final = Flags.NOSCRIPT | Flags.SKIP_MONITOR | Flags.MAY_REPLICATE | Flags.NO_MANDATORY_KEYS | Flags.STALE
_CALL_RO: Final = Flags.NOSCRIPT | Flags.SKIP_MONITOR | Flags.NO_MANDATORY_KEYS | Flags.STALE | Flags.READONLY
_GRAMMAR: Final[tuple[Arg, ...]] = (
    value("function"),
    integer("numkeys"),
    maybe(key("key", KeyUse.RW, many=True)),
    maybe(value("arg", many=True)),
)
_WRITES: Final = Flags.NOSCRIPT | Flags.WRITE
_ALL_SHARDS: Final = ("request_policy:all_shards", "response_policy:all_succeeded")
_FLUSH_TYPE: Final = maybe(one_of("flush-type", flag("ASYNC"), flag("SYNC")))


@command(
    "FCALL",
    *_GRAMMAR,
    flags=_CALL,
    group="scripting",
    since="7.0.0",
    complexity="Depends on the function that is executed.",
    keys=(KeySpec(KeyUse.RW | KeyUse.ACCESS | KeyUse.UPDATE, AtIndex(2), KeyNum()),),
    raw=True,
)
def fcall(ctx: Context, words: list[bytes]) -> Any:
    """Calls a function."""
    return ctx.host.scripts.call_function(ctx, words, read_only=False)


@command(
    "FCALL_RO",
    *_GRAMMAR,
    flags=_CALL_RO,
    group="scripting",
    since="7.0.0",
    complexity="Depends on the function that is executed.",
    keys=(KeySpec(KeyUse.RO | KeyUse.ACCESS, AtIndex(2), KeyNum()),),
    raw=True,
)
def fcall_ro(ctx: Context, words: list[bytes]) -> Any:
    """Calls a function that only reads."""
    return ctx.host.scripts.call_function(ctx, words, read_only=True)


# ---- FUNCTION


def _miscounted(subcommand: bytes) -> ReplyError:
    shown = subcommand.decode("utf-8", "surrogateescape")
    return ReplyError(f"ERR unknown subcommand or wrong number of arguments for '{shown}'. Try FUNCTION HELP.")


container("FUNCTION", group="scripting", since="7.0.0", doc="A container for function commands.")


@command(
    "FUNCTION LOAD",
    maybe(flag("REPLACE")),
    value("function-code"),
    flags=_WRITES | Flags.DENYOOM,
    group="scripting",
    since="7.0.0",
    complexity="O(1) (considering compilation time is redundant)",
    tips=_ALL_SHARDS,
    raw=True,  # the option stands before the argument
)
def function_load(ctx: Context, words: list[bytes]) -> bytes:
    """Loads a library of functions; its name."""
    *options, code = words[2:]
    replace = False
    for word in options:
        if word.upper() != b"REPLACE":
            raise ReplyError(f"ERR Unknown option given: {word.decode('utf-8', 'surrogateescape')}")
        replace = True
    name = ctx.host.scripts.load_library(code, replace=replace)
    ctx.dirty += 1
    return name


@command(
    "FUNCTION DELETE",
    value("library-name"),
    flags=_WRITES,
    group="scripting",
    since="7.0.0",
    tips=_ALL_SHARDS,
)
def function_delete(ctx: Context, name: bytes) -> Simple:
    """Deletes a library and its functions."""
    if not ctx.host.scripts.registry.remove(name):
        raise ReplyError("ERR Library not found")
    ctx.dirty += 1
    return OK


@command(
    "FUNCTION FLUSH",
    _FLUSH_TYPE,
    flags=_WRITES,
    group="scripting",
    since="7.0.0",
    complexity="O(N) where N is the number of functions deleted",
    tips=_ALL_SHARDS,
    raw=True,  # errors of its own
)
def function_flush(ctx: Context, words: list[bytes]) -> Simple:
    """Deletes all libraries."""
    if len(words) > 3:
        raise _miscounted(words[1])
    if len(words) == 3 and words[2].upper() not in (b"ASYNC", b"SYNC"):
        raise ReplyError("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    ctx.host.scripts.flush_functions()
    ctx.dirty += 1
    return OK


@command(
    "FUNCTION LIST",
    maybe(value("library-name-pattern", token="LIBRARYNAME")),
    maybe(flag("WITHCODE")),
    flags=Flags.NOSCRIPT,
    group="scripting",
    since="7.0.0",
    complexity="O(N) where N is the number of functions",
    tips=("nondeterministic_output_order",),
    raw=True,  # errors of its own
)
def function_list(ctx: Context, words: list[bytes]) -> list[Any]:
    """Tells of all libraries, or of those whose name matches."""
    pattern, with_code = _list_options(words[2:])
    shown = []
    for library in ctx.host.scripts.registry.libraries.values():
        if pattern is not None and not glob(pattern, nocase=True)(library.name):
            continue
        functions = [
            {
                b"name": function.name,
                b"description": function.description,
                b"flags": SetReply([Simple(name.decode()) for name in flag_names(function.flags)]),
            }
            for function in library.functions.values()
        ]
        entry: dict[bytes, Any] = {b"library_name": library.name, b"engine": b"LUA", b"functions": functions}
        if with_code:
            entry[b"library_code"] = library.code
        shown.append(entry)
    return shown


def _list_options(words: list[bytes]) -> tuple[bytes | None, bool]:
    pattern, with_code = None, False
    at = 0
    while at < len(words):
        word = words[at].upper()
        if word == b"WITHCODE" and not with_code:
            with_code = True
        elif word == b"LIBRARYNAME" and pattern is None:
            at += 1
            if at == len(words):
                raise ReplyError("ERR library name argument was not given")
            pattern = words[at]
        else:
            raise ReplyError(f"ERR Unknown argument {words[at].decode('utf-8', 'surrogateescape')}")
        at += 1
    return pattern, with_code


@command(
    "FUNCTION DUMP",
    flags=Flags.NOSCRIPT,
    group="scripting",
    since="7.0.0",
    complexity="O(N) where N is the number of functions",
)
def function_dump(ctx: Context) -> bytes:
    """Returns all libraries in one string."""
    return dump_libraries(ctx.host.scripts.library_codes())


@command(
    "FUNCTION RESTORE",
    value("serialized-value"),
    maybe(one_of("policy", flag("FLUSH"), flag("APPEND"), flag("REPLACE"))),
    flags=_WRITES | Flags.DENYOOM,
    group="scripting",
    since="7.0.0",
    complexity="O(N) where N is the number of functions on the payload",
    tips=_ALL_SHARDS,
    raw=True,  # errors of its own
)
def function_restore(ctx: Context, words: list[bytes]) -> Simple:
    """Loads the libraries of a dump: all of them or none."""
    if len(words) > 4:
        raise _miscounted(words[1])
    policy = words[3].upper() if len(words) == 4 else b"APPEND"
    if policy not in (b"FLUSH", b"APPEND", b"REPLACE"):
        raise ReplyError("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
    try:
        codes = read_libraries(words[2])
    except Malformed as malformed:
        raise ReplyError(f"ERR {malformed}") from None
    if codes is None:
        raise ReplyError("ERR DUMP payload version or checksum are wrong")
    ctx.host.scripts.restore_libraries(codes, flush=policy == b"FLUSH", replace=policy == b"REPLACE")
    ctx.dirty += 1
    return OK


@command(
    "FUNCTION STATS",
    flags=Flags.NOSCRIPT | Flags.ALLOW_BUSY,
    group="scripting",
    since="7.0.0",
    tips=("nondeterministic_output", "request_policy:all_shards", "response_policy:special"),
)
def function_stats(ctx: Context) -> dict[bytes, Any]:
    """Tells of the function that is running, and how many there are."""
    scripts = ctx.host.scripts
    running = scripts.running
    shown: dict[bytes, Any] | None = None
    if running is not None and running.is_function:
        shown = {
            b"name": running.name.encode("utf-8", "surrogateescape"),
            b"command": running.words,
            b"duration_ms": int(scripts.running_seconds() * 1000),
        }
    counts = {
        b"libraries_count": len(scripts.registry.libraries),
        b"functions_count": len(scripts.registry.functions),
    }
    return {b"running_script": shown, b"engines": {b"LUA": counts}}


@command(
    "FUNCTION KILL",
    flags=Flags.NOSCRIPT | Flags.ALLOW_BUSY,
    group="scripting",
    since="7.0.0",
    tips=("request_policy:all_shards", "response_policy:one_succeeded"),
)
def function_kill(ctx: Context) -> Simple:
    """Ends the running function, if it has changed nothing yet."""
    ctx.host.scripts.overtime.kill(function=True)
    return OK
