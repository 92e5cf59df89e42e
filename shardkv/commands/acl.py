"""ACL: users and their rights, as operators see them."""

from __future__ import annotations

from typing import Any, Final

from ..acl.log import Entry
from ..acl.rules import RuleFault, Unmatched, is_name
from ..acl.selector import Selector
from ..acl.users import DEFAULT, FileFault
from ..config.quoting import to_bytes, to_text
from ..errors import ReplyError
from ..resp.numbers import parse_int
from ..resp.replies import OK, Reply, SetReply, Simple
from .context import Context
from .flags import Flags
from .grammar import flag, integer, maybe, one_of, value
from .rights import refusal_text
from .spec import CATEGORIES, command, container

_OPEN: Final = Flags.NOSCRIPT | Flags.LOADING | Flags.STALE
_ADMIN: Final = _OPEN | Flags.ADMIN

#: Entries that ACL LOG shows unless it is told otherwise.
_SHOWN: Final = 10
#: Random bits of ACL GENPASS: the usual number, and the most.
_BITS: Final = 256
_BITS_MAX: Final = 4096

_NO_FILE: Final = (
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER "
    "command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store "
    "users in the Redis configuration."
)
_NOT_SAVED: Final = "ERR There was an error trying to save the ACLs. Please check the server logs for more information"
_BAD_BITS: Final = (
    "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096"
)

container("ACL", group="server", since="6.0.0", doc="A container for the commands on users and their rights.")


def _too_many(words: list[bytes], most: int) -> None:
    if len(words) > most:
        shown = to_text(words[1][:128])
        raise ReplyError(f"ERR unknown subcommand or wrong number of arguments for '{shown}'. Try ACL HELP.")


# ---- users


@command(
    "ACL SETUSER",
    value("username"),
    maybe(value("rule", many=True)),
    flags=_ADMIN,
    group="server",
    since="6.0.0",
    complexity="O(N). Where N is the number of rules provided.",
    history={
        "6.2.0": "Added Pub/Sub channel patterns.",
        "7.0.0": "Added selectors and key based permissions.",
    },
)
def acl_setuser(ctx: Context, name: bytes, *rules: bytes) -> Simple:
    """Makes a user, or changes one, by rules in their order: all of them or, if one is refused, none."""
    if not is_name(name):
        raise ReplyError("ERR Usernames can't contain spaces or null characters")
    access = ctx.host.access
    try:
        planned = access.users.planned(name, rules)
    except Unmatched as fault:
        raise ReplyError(f"ERR Unmatched parenthesis in acl selector starting at '{to_text(fault.word)}'.") from None
    except RuleFault as fault:
        raise ReplyError(f"ERR Error in ACL SETUSER modifier '{to_text(fault.word)}': {fault.reason}") from None
    access.settle(planned)
    return OK


@command(
    "ACL DELUSER",
    value("username", many=True),
    flags=_ADMIN,
    group="server",
    since="6.0.0",
    complexity="O(1) amortized time considering the typical user.",
)
def acl_deluser(ctx: Context, *names: bytes) -> int:
    """Deletes users and closes their connections; returns how many there were."""
    if DEFAULT in names:
        raise ReplyError("ERR The 'default' user cannot be removed")
    return ctx.host.access.remove(names)


def _described(selector: Selector) -> dict[bytes, bytes]:
    return {
        b"commands": to_bytes(selector.shown_commands()),
        b"keys": to_bytes(selector.shown_keys()),
        b"channels": to_bytes(selector.shown_channels()),
    }


@command(
    "ACL GETUSER",
    value("username"),
    flags=_ADMIN,
    group="server",
    since="6.0.0",
    complexity="O(N). Where N is the number of password, command and pattern rules that the user has.",
    history={
        "6.2.0": "Added Pub/Sub channel patterns.",
        "7.0.0": "Added selectors and changed the format of key and channel patterns from a list to their rule "
        "representation.",
    },
)
def acl_getuser(ctx: Context, name: bytes) -> dict[bytes, Any] | None:
    """Returns all that is known of a user, nil if there is none of that name."""
    user = ctx.host.access.users.get(name)
    if user is None:
        return None
    return {
        b"flags": SetReply([word.encode() for word in user.flags()]),
        b"passwords": [digest.encode() for digest in user.passwords],
        **_described(user.root),
        b"selectors": [_described(selector) for selector in user.selectors[1:]],
    }


@command(
    "ACL LIST",
    flags=_ADMIN,
    group="server",
    since="6.0.0",
    complexity="O(N). Where N is the number of configured users.",
)
def acl_list(ctx: Context) -> list[bytes]:
    """Returns the users as lines of an ACL file."""
    return [to_bytes(line) for line in ctx.host.access.users.lines()]


@command(
    "ACL USERS",
    flags=_ADMIN,
    group="server",
    since="6.0.0",
    complexity="O(N). Where N is the number of configured users.",
)
def acl_users(ctx: Context) -> list[bytes]:
    """Returns the names of all users."""
    return [user.name for user in ctx.host.access.users]


@command("ACL WHOAMI", flags=_OPEN, group="server", since="6.0.0")
def acl_whoami(ctx: Context) -> bytes:
    """Returns the name of the user that the connection is."""
    user = ctx.session.user
    return DEFAULT if user is None else user.name


# ---- what commands there are, and who may run them


@command(
    "ACL CAT",
    maybe(value("categoryname")),
    flags=_OPEN,
    group="server",
    since="6.0.0",
    complexity="O(1) since the categories and commands are a fixed set.",
    raw=True,  # too many words have a text of their own
)
def acl_cat(ctx: Context, words: list[bytes]) -> list[bytes]:
    """Returns the categories of commands, or the commands of one."""
    _too_many(words, 3)
    if len(words) == 2:
        return [category.encode() for category in CATEGORIES]
    members = ctx.host.access.users.catalog.members(to_text(words[2]))
    if members is None:
        raise ReplyError(f"ERR Unknown category '{to_text(words[2])}'")
    return [name.encode() for name in members]


@command(
    "ACL DRYRUN",
    value("username"),
    value("command"),
    maybe(value("arg", many=True)),
    flags=_ADMIN,
    group="server",
    since="7.0.0",
    complexity="O(1).",
)
def acl_dryrun(ctx: Context, name: bytes, *request: bytes) -> Simple | bytes:
    """Tells whether a user may carry out a request, without doing it."""
    access = ctx.host.access
    user = access.users.get(name)
    if user is None:
        raise ReplyError(f"ERR User '{to_text(name)}' not found")
    words = list(request)
    asked = ctx.host.look_up(words)
    if asked is None:
        raise ReplyError(f"ERR Command '{to_text(words[0])}' not found")
    if not asked.fewest <= len(words) <= asked.most:
        raise ReplyError(f"ERR wrong number of arguments for '{asked.name}' command")
    refused = access.refusal(user, asked, words)
    if refused is None:
        return OK
    return to_bytes(refusal_text(user.name, asked, words, *refused, verbose=True))


# ---- secrets and refusals


@command("ACL GENPASS", maybe(integer("bits")), flags=_OPEN, group="server", since="6.0.0", raw=True)
def acl_genpass(ctx: Context, words: list[bytes]) -> bytes:
    """Returns a password that cannot be guessed, as hexadecimal digits of so many random bits."""
    _too_many(words, 3)
    bits = parse_int(words[2]) if len(words) == 3 else _BITS
    if not 0 < bits <= _BITS_MAX:
        raise ReplyError(_BAD_BITS)
    digits = (bits + 3) // 4
    return ctx.host.world.secret((digits + 1) // 2).hex()[:digits].encode()


def _shown(entry: Entry, now: int) -> dict[bytes, Any]:
    return {
        b"count": entry.count,
        b"reason": entry.reason.name.lower().encode(),
        b"context": entry.context.encode(),
        b"object": entry.object,
        b"username": entry.user,
        b"age-seconds": (now - entry.updated) / 1000,
        b"client-info": entry.client,
        b"entry-id": entry.number,
        b"timestamp-created": entry.created,
        b"timestamp-last-updated": entry.updated,
    }


@command(
    "ACL LOG",
    maybe(one_of("operation", integer("count"), flag("RESET"))),
    flags=_ADMIN,
    group="server",
    since="6.0.0",
    complexity="O(N) with N being the number of entries shown.",
    history={"7.2.0": "Added entry ID, timestamp created, and timestamp last updated."},
    raw=True,  # too many words have a text of their own
)
def acl_log(ctx: Context, words: list[bytes]) -> Reply:
    """Returns the newest refusals, or forgets all of them."""
    _too_many(words, 3)
    log = ctx.host.access.log
    if len(words) == 3 and words[2].upper() == b"RESET":
        log.clear()
        return OK
    count = parse_int(words[2]) if len(words) == 3 else _SHOWN
    return [_shown(entry, ctx.now) for entry in log.newest(max(0, count))]


# ---- the file


@command(
    "ACL LOAD",
    flags=_ADMIN,
    group="server",
    since="6.0.0",
    complexity="O(N). Where N is the number of configured users.",
)
def acl_load(ctx: Context) -> Simple:
    """Reads the users from the ACL file: all of them or, if a line is wrong, none."""
    host = ctx.host
    path = host.config.aclfile
    if not path:
        raise ReplyError(_NO_FILE)
    try:
        users = host.access.users.read(host.world.read_users(), path)
    except OSError as fault:
        raise ReplyError(f"ERR Error loading ACLs, opening file '{path}': {fault.strerror or fault}") from None
    except FileFault as fault:
        raise ReplyError(f"ERR {fault}") from None
    host.access.replace(users)
    return OK


@command(
    "ACL SAVE",
    flags=_ADMIN,
    group="server",
    since="6.0.0",
    complexity="O(N). Where N is the number of configured users.",
)
def acl_save(ctx: Context) -> Simple:
    """Writes all users to the ACL file."""
    host = ctx.host
    if not host.config.aclfile:
        raise ReplyError(_NO_FILE)
    try:
        host.world.write_users("".join(f"{line}\n" for line in host.access.users.lines()))
    except OSError as fault:
        host.world.log("warning", f"Saving ACL file failed: {fault.strerror or fault}")
        raise ReplyError(_NOT_SAVED) from None
    return OK
