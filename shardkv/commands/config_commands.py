"""CONFIG: options while the node runs."""

from __future__ import annotations

from ..config.quoting import to_bytes
from ..errors import Loading, ReplyError, SyntaxFault
from ..resp.replies import OK, Simple
from .context import Context
from .flags import Flags
from .grammar import block, value
from .protection import is_local
from .spec import command, container

_FLAGS = Flags.ADMIN | Flags.NOSCRIPT | Flags.LOADING | Flags.STALE

container("CONFIG", group="server", since="2.0.0", doc="A container for commands on the options of the node.")


@command(
    "CONFIG GET",
    block("parameter", value("parameter"), many=True),
    flags=_FLAGS,
    group="server",
    since="2.0.0",
    complexity="O(N) when N is the number of configuration parameters provided",
    history={"7.0.0": "Added the ability to pass multiple pattern parameters in one call"},
)
def config_get(ctx: Context, *patterns: bytes) -> dict[bytes, bytes]:
    """Returns options, found by name or glob pattern, with their values."""
    return {to_bytes(name): to_bytes(shown) for name, shown in ctx.host.config.get(patterns).items()}


@command(
    "CONFIG SET",
    block("parameter_value", value("parameter"), value("value"), many=True),
    flags=_FLAGS,
    group="server",
    since="2.0.0",
    complexity="O(N) when N is the number of configuration parameters provided",
    history={"7.0.0": "Added the ability to set multiple parameters in one call."},
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def config_set(ctx: Context, *words: bytes) -> Simple:
    """Gives options new values: all of them or, if one cannot be had, none."""
    if len(words) % 2:
        raise SyntaxFault
    host, config = ctx.host, ctx.host.config
    if (host.loading or host.loading_aside) and config.await_data(words[::2]):
        raise Loading
    before = config.snapshot()
    changed = config.set(list(zip(words[::2], words[1::2], strict=True)), local=is_local(ctx.session))
    try:
        host.world.options_changed(changed)
    except (ReplyError, OSError) as fault:
        config.restore(before)
        if isinstance(fault, ReplyError):
            raise
        raise ReplyError(f"ERR CONFIG SET failed - {fault.strerror or fault}") from None
    finally:
        host.refresh_calm()
    if "maxmemory-clients" in changed:
        host.limits.evict()
    if "tracking-table-max-keys" in changed:
        host.messages.bound_tracking()
    if "requirepass" in changed:
        host.access.set_default_password(config.requirepass)
    return OK


@command("CONFIG REWRITE", flags=_FLAGS, group="server", since="2.8.0")
def config_rewrite(ctx: Context) -> Simple:
    """Writes the options as they are now into the file that the node was started with."""
    world = ctx.host.world
    if not world.facts()["config_file"]:
        raise ReplyError("ERR The server is running without a config file")
    try:
        world.rewrite_config()
    except OSError as fault:
        raise ReplyError(f"ERR Rewriting config file: {fault.strerror or fault}") from None
    return OK


@command("CONFIG RESETSTAT", flags=_FLAGS, group="server", since="2.0.0")
def config_resetstat(ctx: Context) -> Simple:
    """Puts the counters that INFO shows back to zero."""
    ctx.host.reset_stats()
    return OK
