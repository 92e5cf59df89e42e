"""Scripts: EVAL and its kin, and SCRIPT. How a script runs is told in ``engine/scripts.py``."""

from __future__ import annotations

from typing import Any, Final

from ..errors import ReplyError
from ..resp.replies import OK, Simple
from .context import Context
from .debug import debug
from .flags import AtIndex, Flags, KeyNum, KeySpec, KeyUse
from .grammar import Arg, flag, integer, key, maybe, one_of, value
from .spec import command, container

_EVAL: Final = Flags.NOSCRIPT | Flags.SKIP_MONITOR | Flags.MAY_REPLICATE | Flags.NO_MANDATORY_KEYS | Flags.STALE
_EVAL_RO: Final = Flags.NOSCRIPT | Flags.SKIP_MONITOR | Flags.NO_MANDATORY_KEYS | Flags.STALE | Flags.READONLY
_CHANGES: Final = (KeySpec(KeyUse.RW | KeyUse.ACCESS | KeyUse.UPDATE, AtIndex(2), KeyNum()),)
_READS: Final = (KeySpec(KeyUse.RO | KeyUse.ACCESS, AtIndex(2), KeyNum()),)
_COMPLEXITY: Final = "Depends on the script that is executed."


def _grammar(first: str) -> tuple[Arg, ...]:
    return (
        value(first),
        integer("numkeys"),
        maybe(key("key", KeyUse.RW, many=True)),
        maybe(value("arg", many=True)),
    )


@command(
    "EVAL",
    *_grammar("script"),
    flags=_EVAL,
    group="scripting",
    since="2.6.0",
    complexity=_COMPLEXITY,
    keys=_CHANGES,  # they stand behind their number
    raw=True,
)
def eval_(ctx: Context, words: list[bytes]) -> Any:
    """Runs a Lua script on the server."""
    return ctx.host.scripts.eval(ctx, words, read_only=False)


@command(
    "EVAL_RO",
    *_grammar("script"),
    flags=_EVAL_RO,
    group="scripting",
    since="7.0.0",
    complexity=_COMPLEXITY,
    keys=_READS,
    raw=True,
)
def eval_ro(ctx: Context, words: list[bytes]) -> Any:
    """Runs a Lua script that only reads."""
    return ctx.host.scripts.eval(ctx, words, read_only=True)


@command(
    "EVALSHA",
    *_grammar("sha1"),
    flags=_EVAL,
    group="scripting",
    since="2.6.0",
    complexity=_COMPLEXITY,
    keys=_CHANGES,
    raw=True,
)
def evalsha(ctx: Context, words: list[bytes]) -> Any:
    """Runs a Lua script that the server knows already, by its SHA-1."""
    return ctx.host.scripts.eval_sha(ctx, words, read_only=False)


@command(
    "EVALSHA_RO",
    *_grammar("sha1"),
    flags=_EVAL_RO,
    group="scripting",
    since="7.0.0",
    complexity=_COMPLEXITY,
    keys=_READS,
    raw=True,
)
def evalsha_ro(ctx: Context, words: list[bytes]) -> Any:
    """Runs a Lua script that only reads and that the server knows already."""
    return ctx.host.scripts.eval_sha(ctx, words, read_only=True)


# ---- SCRIPT

container("SCRIPT", group="scripting", since="2.6.0", doc="A container for Lua scripts management commands.")

_ALL_NODES: Final = ("request_policy:all_nodes", "response_policy:all_succeeded")


@command(
    "SCRIPT LOAD",
    value("script"),
    flags=Flags.NOSCRIPT | Flags.STALE,
    group="scripting",
    since="2.6.0",
    complexity="O(N) with N being the length in bytes of the script body.",
    tips=_ALL_NODES,
)
def script_load(ctx: Context, script: bytes) -> bytes:
    """Makes a script known without running it; its SHA-1."""
    return ctx.host.scripts.load(script)


@command(
    "SCRIPT EXISTS",
    value("sha1", many=True),
    flags=Flags.NOSCRIPT,
    group="scripting",
    since="2.6.0",
    complexity="O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
    tips=("request_policy:all_shards", "response_policy:agg_logical_and"),
)
def script_exists(ctx: Context, *shas: bytes) -> list[int]:
    """Tells which scripts are known."""
    return [int(ctx.host.scripts.knows(sha)) for sha in shas]


@command(
    "SCRIPT SHOW",
    value("sha1"),
    flags=Flags.NOSCRIPT,
    group="scripting",
    since="8.0.0",
)
def script_show(ctx: Context, sha: bytes) -> bytes:
    """Returns the text of a script that is known."""
    return ctx.host.scripts.body(sha)


@command(
    "SCRIPT FLUSH",
    maybe(one_of("flush-type", flag("ASYNC"), flag("SYNC"))),
    flags=Flags.NOSCRIPT,
    group="scripting",
    since="2.6.0",
    complexity="O(N) with N being the number of scripts in cache",
    tips=_ALL_NODES,
    history={"6.2.0": "Added the `ASYNC` and `SYNC` flushing mode modifiers."},
    raw=True,  # errors of its own
)
def script_flush(ctx: Context, words: list[bytes]) -> Simple:
    """Forgets all scripts."""
    if len(words) > 3 or (len(words) == 3 and words[2].upper() not in (b"ASYNC", b"SYNC")):
        raise ReplyError("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
    ctx.host.scripts.flush_scripts()
    return OK


@command(
    "SCRIPT KILL",
    flags=Flags.NOSCRIPT | Flags.ALLOW_BUSY,
    group="scripting",
    since="2.6.0",
    tips=("request_policy:all_shards", "response_policy:one_succeeded"),
)
def script_kill(ctx: Context) -> Simple:
    """Ends the running script, if it has changed nothing yet."""
    ctx.host.scripts.overtime.kill(function=False)
    return OK


@command(
    "SCRIPT DEBUG",
    one_of("mode", flag("YES"), flag("SYNC"), flag("NO")),
    flags=Flags.NOSCRIPT,
    group="scripting",
    since="3.2.0",
    raw=True,  # an error of its own
)
def script_debug(ctx: Context, words: list[bytes]) -> Simple:
    """Lets the scripts of this client run under the debugger, or no longer."""
    mode = words[2].upper()
    if mode not in (b"YES", b"SYNC", b"NO"):
        raise ReplyError("ERR Use SCRIPT DEBUG YES/SYNC/NO")
    if ctx.session.out:
        raise ReplyError("ERR SCRIPT DEBUG must be called outside a pipeline")
    ctx.session.script_debug = "" if mode == b"NO" else mode.decode()
    return OK


@debug("SET-DISABLE-DENY-SCRIPTS", "<0|1>", 1, 1)
def set_disable_deny_scripts(ctx: Context, wanted: bytes) -> Simple:
    """Whether scripts may call commands that are not allowed in them, for tests."""
    ctx.host.scripts.everything_allowed = wanted == b"1"
    return OK
