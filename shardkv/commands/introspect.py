"""COMMAND: the table of commands, told to clients. Everything here is read off the declarations."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..errors import ReplyError, SyntaxFault
from ..resp.replies import SetReply, Simple
from ..values.globs import glob
from .context import Context
from .flags import AtIndex, AtKeyword, Doc, Flags, KeyNum, KeySpec, KeyUse, Range
from .grammar import Arg, Kind, maybe, one_of, value
from .keyuse import keys_with_use
from .spec import CATEGORIES, TABLE, Command, command, register

_FLAGS = Flags.LOADING | Flags.STALE
_UPPER_USES = KeyUse.RO | KeyUse.RW | KeyUse.OW | KeyUse.RM


# ---- COMMAND INFO


def use_names(use: KeyUse) -> list[Simple]:
    """The names of key flags as COMMAND INFO has them."""
    names = [(flag, flag.name or "") for flag in KeyUse if flag in use]
    return [Simple(name if flag in _UPPER_USES else name.lower()) for flag, name in names]


def _spec_reply(spec: KeySpec) -> dict[bytes, Any]:
    begin, find = spec.begin, spec.find
    where: dict[bytes, Any] = {b"type": b"unknown", b"spec": {}}
    if isinstance(begin, AtIndex):
        where = {b"type": b"index", b"spec": {b"index": begin.index}}
    elif isinstance(begin, AtKeyword):
        where = {b"type": b"keyword", b"spec": {b"keyword": begin.keyword.encode(), b"startfrom": begin.start_from}}
    how: dict[bytes, Any] = {b"type": b"unknown", b"spec": {}}
    if isinstance(find, Range):
        how = {b"type": b"range", b"spec": {b"lastkey": find.last, b"keystep": find.step, b"limit": find.limit}}
    elif isinstance(find, KeyNum):
        how = {b"type": b"keynum", b"spec": {b"keynumidx": find.at, b"firstkey": find.first, b"keystep": find.step}}
    return {b"flags": SetReply(use_names(spec.use)), b"begin_search": where, b"find_keys": how}


@cache
def info_entry(entry: Command) -> list[Any]:
    """A command as COMMAND INFO shows it: ten items, the last one the same of its subcommands.

    Made once: every client of a cluster asks for all of them when it connects, and others wait meanwhile.
    """
    subcommands = [info_entry(child) for child in entry.subcommands.values()]
    return [
        entry.name.encode(),
        entry.arity,
        SetReply([Simple(name) for name in entry.shown_flags]),
        entry.first,
        entry.last,
        entry.step,
        SetReply([Simple(f"@{name}") for name in CATEGORIES if name in entry.categories]),
        SetReply([tip.encode() for tip in entry.tips]),
        SetReply([_spec_reply(spec) for spec in entry.keys]),
        subcommands or SetReply([]),
    ]


def _top() -> list[Command]:
    return [entry for entry in TABLE.values() if entry.parent is None]


def _named(name: bytes) -> Command | None:
    """A command by its name, subcommands as ``config|get``, in either case."""
    return TABLE.get(name.decode("latin-1").lower())


def command_(ctx: Context) -> list[Any]:
    """Returns details of all commands."""
    return [info_entry(entry) for entry in _top()]


# COMMAND is a command of its own and a container as well, which no decorator says.
register(
    "COMMAND",
    command_,
    flags=_FLAGS,
    group="server",
    since="2.8.13",
    complexity="O(N) where N is the total number of Redis commands",
    arity=-1,
    acl=("connection",),
    tips=("nondeterministic_output_order",),
)


@command("COMMAND COUNT", flags=_FLAGS, group="server", since="2.8.13", acl=("connection",))
def command_count(ctx: Context) -> int:
    """Returns how many commands there are, subcommands not counted."""
    return len(_top())


@command(
    "COMMAND INFO",
    maybe(value("command-name", many=True)),
    flags=_FLAGS,
    group="server",
    since="2.8.13",
    complexity="O(N) where N is the number of commands to look up",
    acl=("connection",),
    tips=("nondeterministic_output_order",),
    history={"7.0.0": "Allowed to be called with no argument to get info on all commands."},
)
def command_info(ctx: Context, *names: bytes) -> list[Any]:
    """Returns details of some commands, or of all."""
    if not names:
        return command_(ctx)
    found = [_named(name) for name in names]
    return [None if entry is None else info_entry(entry) for entry in found]


# ---- COMMAND DOCS


def docs_entry(entry: Command) -> dict[bytes, Any]:
    """A command as COMMAND DOCS shows it."""
    shown: dict[bytes, Any] = {
        b"summary": entry.doc.encode(),
        b"since": entry.since.encode(),
        b"group": entry.group.encode(),
        b"complexity": entry.complexity.encode(),
    }
    if entry.doc_flags:
        shown[b"doc_flags"] = SetReply([Simple((flag.name or "").lower()) for flag in Doc if flag in entry.doc_flags])
    if entry.deprecated_since:
        shown[b"deprecated_since"] = entry.deprecated_since.encode()
    if entry.replaced_by:
        shown[b"replaced_by"] = entry.replaced_by.encode()
    if entry.history:
        shown[b"history"] = SetReply([[since.encode(), change.encode()] for since, change in entry.history])
    if entry.grammar:
        shown[b"arguments"] = _arguments(entry.grammar, len(entry.keys), [0])
    if entry.subcommands:
        shown[b"subcommands"] = {child.name.encode(): docs_entry(child) for child in entry.subcommands.values()}
    return shown


def _arguments(args: tuple[Arg, ...], specs: int, seen: list[int]) -> list[dict[bytes, Any]]:
    """The arguments as maps. ``seen`` holds how many keys were met: the n-th key belongs to the n-th key spec."""
    shown = []
    for arg in args:
        entry: dict[bytes, Any] = {b"name": arg.name.encode(), b"type": arg.kind.value.encode()}
        if not arg.parts:
            entry[b"display_text"] = (arg.shown or arg.name).encode()
        if arg.kind is Kind.KEY:
            if specs:
                entry[b"key_spec_index"] = min(seen[0], specs - 1)
            seen[0] += 1
        if arg.token is not None:
            entry[b"token"] = arg.token.encode()
        marks = (("optional", arg.optional), ("multiple", arg.many), ("multiple_token", arg.each_token))
        flags = [Simple(name) for name, applies in marks if applies]
        if flags:
            entry[b"flags"] = SetReply(flags)
        if arg.parts:
            entry[b"arguments"] = _arguments(arg.parts, specs, seen)
        shown.append(entry)
    return shown


@command(
    "COMMAND DOCS",
    maybe(value("command-name", many=True)),
    flags=_FLAGS,
    group="server",
    since="7.0.0",
    complexity="O(N) where N is the number of commands to look up",
    acl=("connection",),
    tips=("nondeterministic_output_order",),
)
def command_docs(ctx: Context, *names: bytes) -> dict[bytes, Any]:
    """Returns the documentation of some commands, or of all."""
    found = [_named(name) for name in names] if names else _top()
    return {entry.name.encode(): docs_entry(entry) for entry in found if entry is not None}


# ---- COMMAND LIST


@command(
    "COMMAND LIST",
    maybe(
        one_of(
            "filterby",
            value("module-name", token="MODULE"),
            value("category", token="ACLCAT"),
            value("pattern", token="PATTERN"),
            token="FILTERBY",
        )
    ),
    flags=_FLAGS,
    group="server",
    since="7.0.0",
    complexity="O(N) where N is the total number of Redis commands",
    acl=("connection",),
    tips=("nondeterministic_output_order",),
    raw=True,  # a keyword with a second keyword behind it
)
def command_list(ctx: Context, words: list[bytes]) -> list[bytes]:
    """Returns the names of all commands, or of those of a module, an ACL category, or that match a pattern."""
    if len(words) == 2:
        return [entry.name.encode() for entry in TABLE.values()]
    if len(words) != 5 or words[2].upper() != b"FILTERBY":
        raise SyntaxFault
    kind, wanted = words[3].upper(), words[4]
    if kind == b"MODULE":
        return []
    if kind == b"ACLCAT":
        category = wanted.decode("latin-1").lower()
        return [entry.name.encode() for entry in TABLE.values() if category in entry.categories]
    if kind == b"PATTERN":
        matches = glob(wanted, nocase=True)
        return [name for name in (entry.name.encode() for entry in TABLE.values()) if matches(name)]
    raise SyntaxFault


# ---- COMMAND GETKEYS


def _asked(ctx: Context, words: list[bytes]) -> tuple[Command, list[bytes]]:
    """The command inside a GETKEYS request, and its words. Raises ReplyError where keys cannot be told."""
    inner = words[2:]
    entry = ctx.host.look_up(inner)
    if entry is None:
        raise ReplyError("ERR Invalid command specified")
    if not entry.keys:
        raise ReplyError("ERR The command has no key arguments")
    if not entry.fewest <= len(inner) <= entry.most:
        raise ReplyError("ERR Invalid number of arguments specified for command")
    return entry, inner


def _or_none(entry: Command, found: list[Any]) -> list[Any]:
    if not found and not entry.flags & Flags.NO_MANDATORY_KEYS:
        raise ReplyError("ERR Invalid arguments specified for command")
    return found


@command(
    "COMMAND GETKEYS",
    flags=_FLAGS,
    group="server",
    since="2.8.13",
    complexity="O(N) where N is the number of arguments to the command",
    acl=("connection",),
    arity=-4,  # Redis documents no arguments here, yet wants a command with at least one word
    raw=True,
)
def command_getkeys(ctx: Context, words: list[bytes]) -> list[bytes]:
    """Returns the keys of a whole command."""
    entry, inner = _asked(ctx, words)
    return _or_none(entry, [inner[position] for position in entry.key_positions(inner)])


@command(
    "COMMAND GETKEYSANDFLAGS",
    flags=_FLAGS,
    group="server",
    since="7.0.0",
    complexity="O(N) where N is the number of arguments to the command",
    acl=("connection",),
    arity=-4,  # as GETKEYS
    raw=True,
)
def command_getkeysandflags(ctx: Context, words: list[bytes]) -> list[Any]:
    """Returns the keys of a whole command, each with how it would be used."""
    entry, inner = _asked(ctx, words)
    return _or_none(entry, [[inner[at], SetReply(use_names(use))] for at, use in keys_with_use(entry, inner)])
