"""Snapshots by hand: SAVE, BGSAVE, LASTSAVE, and DEBUG RELOAD."""

from __future__ import annotations

from ..errors import ReplyError, SyntaxFault
from ..persist.snapshots import SNAPSHOT_CHILDREN
from ..resp.replies import OK, Simple
from .context import Context
from .debug import debug
from .flags import Flags
from .grammar import flag, maybe
from .spec import command

_RUNNING = "ERR Background save already in progress"
#: Redis's answer when a file cannot be written: the log has the reason.
_FAILED = "ERR"


@command(
    "SAVE",
    flags=Flags.ADMIN | Flags.NOSCRIPT | Flags.NO_ASYNC_LOADING | Flags.NO_MULTI,
    group="server",
    since="1.0.0",
    complexity="O(N) where N is the total number of keys in all databases",
)
def save(ctx: Context) -> Simple:
    """Writes a snapshot of all databases to disk while everybody waits."""
    world = ctx.host.world
    if world.saving_child in SNAPSHOT_CHILDREN:
        raise ReplyError(_RUNNING)
    ctx.host.snapshots.saves += 1
    try:
        world.save()
    except OSError:
        raise ReplyError(_FAILED) from None
    return OK


@command(
    "BGSAVE",
    maybe(flag("SCHEDULE")),
    flags=Flags.ADMIN | Flags.NOSCRIPT | Flags.NO_ASYNC_LOADING,
    group="server",
    since="1.0.0",
    complexity="O(1)",
    history={"3.2.2": "Added the `SCHEDULE` option."},
    raw=True,  # the option cannot be said twice
)
def bgsave(ctx: Context, words: list[bytes]) -> Simple:
    """Writes a snapshot of all databases to disk in the background."""
    schedule = len(words) == 2 and words[1].upper() == b"SCHEDULE"
    if len(words) > 1 and not schedule:
        raise SyntaxFault
    host = ctx.host
    active = host.world.saving_child
    if active in SNAPSHOT_CHILDREN:
        raise ReplyError(_RUNNING)
    if active is not None or ctx.inside:
        # A transaction shows in a snapshot as a whole, so one that is begun by it waits for its end.
        if not (schedule or ctx.inside):
            raise ReplyError(
                "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to "
                "schedule a BGSAVE whenever possible."
            )
        host.snapshots.scheduled = True
        return Simple("Background saving scheduled")
    try:
        host.world.save_in_background()
    except OSError:
        raise ReplyError(_FAILED) from None
    return Simple("Background saving started")


@command(
    "LASTSAVE",
    flags=Flags.LOADING | Flags.STALE | Flags.FAST,
    group="server",
    since="1.0.0",
    complexity="O(1)",
    acl=("admin", "dangerous"),
    tips=("nondeterministic_output",),
)
def lastsave(ctx: Context) -> int:
    """Returns the Unix time of the last snapshot that came to be on disk, or of the node's start."""
    return ctx.host.snapshots.last_save


@debug("RELOAD", "[option ...]", 0, None)
def reload(ctx: Context, *options: bytes) -> Simple:
    """Save a snapshot and load it again. Options: MERGE lets keys of the file take the place of those that are there,
    NOFLUSH keeps those that are there, NOSAVE loads the file that is there."""
    chosen = {option.upper() for option in options}
    if not chosen <= {b"MERGE", b"NOFLUSH", b"NOSAVE"}:
        raise ReplyError("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
    world = ctx.host.world
    if b"NOSAVE" not in chosen:
        try:
            world.save()
        except OSError:
            raise ReplyError(_FAILED) from None
    world.reload(flush=b"NOFLUSH" not in chosen, merge=b"MERGE" in chosen)
    world.log("warning", "DB reloaded by DEBUG RELOAD")
    return OK
