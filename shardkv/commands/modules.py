"""MODULE: there are none, for they are made for redis-server. Whoever asks is told so in Redis's own words."""

from __future__ import annotations

from typing import Any

from ..errors import ReplyError
from .context import Context
from .flags import Flags
from .grammar import block, maybe, value
from .protection import refusal_of
from .spec import command, container

_FLAGS = Flags.ADMIN | Flags.NOSCRIPT
_LOADING = _FLAGS | Flags.NO_ASYNC_LOADING | Flags.PROTECTED

container("MODULE", group="server", since="4.0.0", doc="A container for module commands.")


@command("MODULE LIST", flags=_FLAGS, group="server", since="4.0.0", tips=("nondeterministic_output_order",))
def module_list(ctx: Context) -> list[Any]:
    """Tells the modules that are loaded: none."""
    return []


@command("MODULE LOAD", value("path"), maybe(value("arg", many=True)), flags=_LOADING, group="server", since="4.0.0")
def module_load(ctx: Context, path: bytes, *args: bytes) -> None:
    """Would load a module; an error, always."""
    _refuse_to_load(ctx, path)


@command(
    "MODULE LOADEX",
    value("path"),
    maybe(block("configs", value("name"), value("value"), token="CONFIG", many=True, each_token=True)),
    maybe(value("arg", many=True, token="ARGS")),
    flags=_LOADING,
    group="server",
    since="7.0.0",
    raw=True,  # whatever the words are, the answer is the same
)
def module_loadex(ctx: Context, words: list[bytes]) -> None:
    """Would load a module with options of its own; an error, always."""
    _refuse_to_load(ctx, words[2])


@command("MODULE UNLOAD", value("name"), flags=_LOADING, group="server", since="4.0.0")
def module_unload(ctx: Context, name: bytes) -> None:
    """Would unload a module; an error, for none is loaded."""
    _check_allowed(ctx)
    raise ReplyError("ERR Error unloading module: no such module with that name")


def _refuse_to_load(ctx: Context, path: bytes) -> None:
    _check_allowed(ctx)
    shown = path.decode("utf-8", "backslashreplace")
    ctx.host.world.log("warning", f"Module {shown} failed to load: modules are made for redis-server")
    raise ReplyError("ERR Error loading the extension. Please check the server logs.")


def _check_allowed(ctx: Context) -> None:
    refusal = refusal_of("module", ctx.host.config, ctx.session)  # the gate is passed by on the fast way
    if refusal is not None:
        raise refusal
