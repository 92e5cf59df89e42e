"""``@command``: a command is one small function under one declaration, and the rest derives from the two.

``TABLE`` maps each lower-case name (``get``, ``client|list``) to its ``Command``. A container (``CLIENT``) is declared
by ``container`` and finds its subcommands in the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar

from ..observation.durations import Durations
from .flags import SHOWN_FLAGS, AtIndex, Doc, Flags, KeyNum, KeySpec, KeyUse, Range
from .grammar import Arg, arity_of, key_specs_of, syntax_of
from .parsing import Parser, compile_parser

Body: TypeAlias = Callable[..., Any]
F = TypeVar("F", bound=Body)

#: Groups as COMMAND DOCS names them, with the ACL category that each implies.
GROUP_CATEGORY: Final[Mapping[str, str | None]] = {
    "string": "string",
    "list": "list",
    "set": "set",
    "sorted-set": "sortedset",
    "hash": "hash",
    "bitmap": "bitmap",
    "hyperloglog": "hyperloglog",
    "geo": "geo",
    "stream": "stream",
    "generic": "keyspace",
    "connection": "connection",
    "pubsub": "pubsub",
    "transactions": "transaction",
    "scripting": "scripting",
    "server": None,
    "cluster": None,
}

#: All ACL categories, in the order in which Redis lists them.
CATEGORIES: Final = (
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
)


@dataclass(slots=True)
class CommandStats:
    """INFO commandstats of one command. ``microseconds`` is a float; the rendering rounds."""

    calls: int = 0
    microseconds: float = 0.0
    rejected: int = 0
    failed: int = 0
    durations: Durations = field(default_factory=Durations)


@dataclass(slots=True, eq=False)
class Command:
    """One command. Declared above the line, derived below it, counted at the end."""

    name: str
    body: Body
    grammar: tuple[Arg, ...]
    flags: Flags
    group: str
    since: str
    doc: str
    complexity: str
    arity: int
    keys: tuple[KeySpec, ...]
    categories: frozenset[str]
    tips: tuple[str, ...]
    history: tuple[tuple[str, str], ...]
    doc_flags: Doc
    replaced_by: str
    deprecated_since: str
    raw: bool
    find_keys: Callable[[list[bytes]], list[int]] | None
    parent: str | None
    subcommands: dict[bytes, Command] = field(default_factory=dict)
    # ---- derived once
    run: Body = field(init=False)  #: takes (ctx, words): the body, with whatever parsing the grammar asks for
    fewest: int = 0  #: words, the name included; beyond every request for a container
    most: int = 1 << 62
    first: int = 0
    last: int = 0
    step: int = 0
    simple_range: bool = True
    is_write: bool = False
    denies_oom: bool = False
    asks: bool = False
    loads_stale: bool = False
    runs_script: bool = False
    roams: bool = False  #: what it finds expired goes out key by key, for a walk is no transaction
    # ---- counted
    stats: CommandStats = field(default_factory=CommandStats)

    def __post_init__(self) -> None:
        words = 1 if self.parent is None else 2
        self.run = self.body if self.raw else _caller(self.body, compile_parser(self.grammar, words), words, self.arity)
        self.fewest = abs(self.arity)
        if self.arity > 0:
            self.most = self.arity
        self.is_write = bool(self.flags & Flags.WRITE)
        self.runs_script = bool(self.flags & Flags.SKIP_MONITOR)  # onlookers see the script before what it calls
        self.roams = bool(self.flags & Flags.ROAMING)
        self.denies_oom = bool(self.flags & Flags.DENYOOM)
        self.asks = bool(self.flags & Flags.ASKING)
        self._derive_range()

    def _derive_range(self) -> None:
        """first/last/step as COMMAND INFO gives them, from the range specs; ``movablekeys`` where that is not all."""
        ranges = [spec for spec in self.keys if isinstance(spec.begin, AtIndex) and isinstance(spec.find, Range)]
        incomplete = any(
            spec.use & (KeyUse.INCOMPLETE | KeyUse.VARIABLE_FLAGS) == KeyUse.INCOMPLETE for spec in self.keys
        )
        movable = incomplete or len(ranges) != len(self.keys) or self.find_keys is not None
        previous_end = 0
        for place, spec in enumerate(ranges):
            assert isinstance(spec.begin, AtIndex)
            assert isinstance(spec.find, Range)
            begin, found = spec.begin.index, spec.find
            end = found.last if found.last < 0 else begin + found.last
            if place == 0:
                self.first, self.last, self.step = begin, end, found.step
            elif self.last >= 0 and begin == previous_end + 1 and found.step == self.step:
                self.last = end
            else:
                movable = True
            previous_end = end
        if movable and self.keys:
            self.simple_range = False
            self.flags |= Flags.MOVABLEKEYS

    @property
    def word(self) -> str:
        """The name as a user types it: ``client list``."""
        return self.name.replace("|", " ")

    @property
    def syntax(self) -> str:
        """The syntax line without the name."""
        return syntax_of(self.grammar)

    @property
    def shown_flags(self) -> list[str]:
        """Flag names as COMMAND INFO shows them."""
        return [(flag.name or "").lower() for flag in SHOWN_FLAGS if self.flags & flag]

    def key_positions(self, words: list[bytes]) -> Sequence[int]:
        """Where the keys are in ``words`` (a request that passed the arity check)."""
        if self.simple_range:
            if self.first == 0:
                return ()
            last = self.last if self.last >= 0 else len(words) + self.last
            return range(self.first, last + 1, self.step)
        if self.find_keys is not None:
            return self.find_keys(words)
        found: dict[int, None] = {}
        for spec in self.keys:
            positions = spec.positions(words)
            if positions is not None:
                for position in positions:
                    found[position] = None
        return list(found)

    def keys_with_use(self, words: list[bytes]) -> list[tuple[int, KeyUse]]:
        """Key positions with how each is used (COMMAND GETKEYSANDFLAGS, ACL)."""
        if self.find_keys is not None:
            use = self.keys[0].use if self.keys else KeyUse.RW
            return [(position, use) for position in self.find_keys(words)]
        found: list[tuple[int, KeyUse]] = []
        for spec in self.keys:
            positions = spec.positions(words)
            if positions is not None:
                found.extend((position, spec.use) for position in positions)
        return found


TABLE: Final[dict[str, Command]] = {}
#: More words than any request has: a container is never called itself.
_NEVER: Final = 1 << 62


def command(
    name: str,
    *grammar: Arg,
    flags: Flags = Flags.NONE,
    group: str,
    since: str,
    complexity: str = "O(1)",
    arity: int | None = None,
    keys: Sequence[KeySpec] | None = None,
    acl: Sequence[str] = (),
    drop_acl: Sequence[str] = (),
    tips: Sequence[str] = (),
    history: Mapping[str, str] | None = None,
    doc_flags: Doc = Doc.NONE,
    replaced_by: str = "",
    deprecated_since: str = "",
    raw: bool = False,
    find_keys: Callable[[list[bytes]], list[int]] | None = None,
) -> Callable[[F], F]:
    """Declare a command.

    ``name`` is as a user types it (``"CLIENT LIST"`` is a subcommand of an earlier ``container``). The decorated
    function takes ``(ctx, *words)``, or the parsed arguments when the grammar has numbers or options, or ``(ctx,
    words)`` with the request as it is when ``raw``. ``arity``, ``keys``, ``acl`` and ``drop_acl`` override what would
    be derived, each with a line of why.
    """

    def declare(body: F) -> F:
        register(
            name,
            body,
            grammar,
            flags=flags,
            group=group,
            since=since,
            complexity=complexity,
            arity=arity,
            keys=keys,
            acl=acl,
            drop_acl=drop_acl,
            tips=tips,
            history=history,
            doc_flags=doc_flags,
            replaced_by=replaced_by,
            deprecated_since=deprecated_since,
            raw=raw,
            find_keys=find_keys,
        )
        return body

    return declare


def register(
    name: str,
    body: Body,
    grammar: tuple[Arg, ...] = (),
    *,
    flags: Flags,
    group: str,
    since: str,
    complexity: str = "O(1)",
    arity: int | None = None,
    keys: Sequence[KeySpec] | None = None,
    acl: Sequence[str] = (),
    drop_acl: Sequence[str] = (),
    tips: Sequence[str] = (),
    history: Mapping[str, str] | None = None,
    doc_flags: Doc = Doc.NONE,
    replaced_by: str = "",
    deprecated_since: str = "",
    raw: bool = False,
    find_keys: Callable[[list[bytes]], list[int]] | None = None,
) -> Command:
    """What ``command`` does, as a call. A name that is taken is an error of ours."""
    words = name.lower().split(" ")
    full = "|".join(words)
    assert full not in TABLE, f"{full} is declared twice"
    specs = tuple(keys) if keys is not None else key_specs_of(grammar, len(words))
    made = Command(
        name=full,
        body=body,
        grammar=grammar,
        flags=flags,
        group=group,
        since=since,
        doc=" ".join((body.__doc__ or "").strip().split("\n\n")[0].split()),
        complexity=complexity,
        arity=arity_of(grammar, len(words)) if arity is None else arity,
        keys=specs,
        categories=_categories(group, flags, acl, drop_acl),
        tips=tuple(tips),
        history=tuple((history or {}).items()),
        doc_flags=doc_flags,
        replaced_by=replaced_by,
        deprecated_since=deprecated_since,
        raw=raw,
        find_keys=find_keys,
        parent=words[0] if len(words) == 2 else None,
    )
    TABLE[full] = made
    if made.parent is not None:
        above = TABLE[made.parent]
        above.subcommands[words[1].encode()] = made
        if above.arity == -1:
            above.most = 1  # COMMAND alone is a command of its own
        else:
            above.fewest = _NEVER
    return made


def _caller(body: Body, parse: Parser | None, words: int, arity: int) -> Body:
    """``body`` as a function of (ctx, words). Few words and no options, the commonest case, cost no slice."""
    if parse is not None:

        def parsed(ctx: Any, request: list[bytes]) -> Any:
            positional, keywords = parse(request)
            return body(ctx, *positional, **keywords)

        return parsed
    if arity == words:
        return lambda ctx, request: body(ctx)
    if arity == words + 1:
        return lambda ctx, request: body(ctx, request[words])
    if arity == words + 2:
        return lambda ctx, request: body(ctx, request[words], request[words + 1])
    return lambda ctx, request: body(ctx, *request[words:])


def container(name: str, *, group: str, since: str, doc: str, flags: Flags = Flags.NONE) -> None:
    """Declare a command that only has subcommands, and its HELP."""

    def no_body(ctx: Any, *words: bytes) -> Any:
        raise AssertionError(f"{name} is a container")

    no_body.__doc__ = doc
    register(
        name,
        no_body,
        flags=flags,
        group=group,
        since=since,
        complexity="Depends on subcommand.",
        arity=-2,
        drop_acl=_ALL,
    )


def _categories(group: str, flags: Flags, more: Sequence[str], without: Sequence[str]) -> frozenset[str]:
    """ACL categories that follow from the group and the flags, as Redis's setImplicitACLCategories has it."""
    found: set[str] = set(more)
    own = GROUP_CATEGORY[group]
    if own is not None:
        found.add(own)
    if flags & Flags.WRITE:
        found.add("write")
    if flags & Flags.READONLY and group != "scripting":
        found.add("read")
    if flags & Flags.ADMIN:
        found |= {"admin", "dangerous"}
    if flags & Flags.PUBSUB:
        found.add("pubsub")
    if flags & Flags.BLOCKING:
        found.add("blocking")
    found.add("fast" if flags & Flags.FAST else "slow")
    return frozenset(found - (set(without) - {"fast", "slow"}))


_ALL: Final = tuple(category for category in CATEGORIES)


__all__ = [
    "TABLE",
    "AtIndex",
    "Command",
    "CommandStats",
    "KeyNum",
    "KeySpec",
    "Range",
    "command",
    "container",
    "register",
]
