"""SORT: the elements of a list, a set or a sorted set in the order of numbers, of texts, or of what other keys hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from operator import itemgetter
from typing import Any, Final, TypeAlias

from ..errors import NotAFloat, ReplyError, SyntaxFault, WrongType
from ..keyspace.slots import key_slot
from ..resp.numbers import INT64_MAX, parse_float, parse_int
from ..values.hashes import HashValue
from ..values.lists import ListValue
from ..values.sets import SetValue
from ..values.strings import string_bytes
from ..values.zsets import ZSetValue
from .context import STRING_TYPES, Context
from .flags import READ, AtIndex, Flags, KeySpec, KeyUse, Range, Unknown
from .grammar import Arg, block, flag, integer, key, maybe, one_of, pattern
from .hash_fields import without_expired
from .lists import fill_of
from .spec import command

Sortable: TypeAlias = ListValue | SetValue | ZSetValue
#: From an element to the value that a pattern leads to, or None.
Lookup: TypeAlias = Callable[[bytes], bytes | None]

_PLAIN: Final = re.compile(rb"[-+.,0-9]+")
_BLANKS: Final = b" \t\n\v\f\r"
_SKIPPED: Final = {b"LIMIT": 2, b"GET": 1, b"BY": 1}


@dataclass(slots=True)
class _Options:
    """What the options said."""

    by: bytes | None = None
    gets: list[bytes] = field(default_factory=list)
    start: int = 0
    count: int = -1
    descending: bool = False
    alpha: bool = False
    target: bytes | None = None
    as_it_is: bool = False  #: a BY named one and the same key for all elements: they stay in the order they are held in


def _options(ctx: Context, words: list[bytes], *, may_store: bool) -> _Options:
    """The options behind the key. Raises ReplyError."""
    options = _Options()
    at, end = 2, len(words)
    while at < end:
        word = words[at].upper()
        left = end - at - 1
        if word in (b"ASC", b"DESC"):
            options.descending = word == b"DESC"
        elif word == b"ALPHA":
            options.alpha = True
        elif word == b"LIMIT" and left >= 2:
            options.start, options.count = parse_int(words[at + 1]), parse_int(words[at + 2])
            at += 2
        elif word == b"STORE" and left and may_store:
            at += 1
            options.target = words[at]
        elif word == b"BY" and left:
            at += 1
            options.by = words[at]
            if b"*" not in words[at]:
                options.as_it_is = True  # and stays so, whatever another BY says
            else:
                _refuse_other_slots(ctx, "BY", words[at])
                _refuse_other_keys(ctx, "BY")
        elif word == b"GET" and left:
            at += 1
            options.gets.append(words[at])
            if words[at] != b"#":
                _refuse_other_slots(ctx, "GET", words[at])
            _refuse_other_keys(ctx, "GET")
        else:
            raise SyntaxFault
        at += 1
    return options


def _refuse_other_slots(ctx: Context, option: str, template: bytes) -> None:
    """In a cluster a pattern must lead to the slot of the key that is sorted, whatever it is filled with."""
    if ctx.host.cluster is not None and pattern_slot(template) != key_slot(ctx.words[1]):
        raise ReplyError(
            f"ERR {option} option of SORT denied in cluster mode "
            "when keys formed by the pattern may be in different slots."
        )


def _refuse_other_keys(ctx: Context, option: str) -> None:
    """A pattern may lead to any key, so only a user who may read all of them may give one."""
    if not ctx.host.access.reads_every_key(ctx.session, ctx.command, ctx.words):
        raise ReplyError(f"ERR {option} option of SORT denied due to insufficient ACL permissions.")


def pattern_slot(template: bytes) -> int | None:
    """The slot of every key that a pattern can become, or None if there may be several."""
    opened = -1
    for place, byte in enumerate(template):
        if byte in b"*?[\\":
            return None
        if byte == 0x7B and opened < 0:
            opened = place
        elif byte == 0x7D and opened >= 0:
            if place > opened + 1:
                break
            opened = len(template)  # an empty tag is none, and there is no other after it
    return key_slot(template)


# ---- what patterns lead to


def _lookup(ctx: Context, template: bytes) -> Lookup:
    """How to come from an element to what ``template`` names: its ``*`` filled in, behind ``->`` a field of a hash."""
    if template == b"#":
        return lambda element: element
    before, star, behind = template.partition(b"*")
    if not star:
        return lambda element: None
    behind, arrow, wanted = behind.partition(b"->")
    if not wanted:
        return lambda element: _string_at(ctx, before + element + behind + arrow)
    return lambda element: _field_at(ctx, before + element + behind, wanted)


def _string_at(ctx: Context, name: bytes) -> bytes | None:
    held: Any = ctx.look(name)
    return string_bytes(held) if type(held) in STRING_TYPES else None


def _field_at(ctx: Context, name: bytes, wanted: bytes) -> bytes | None:
    held = ctx.look(name)
    if type(held) is not HashValue:
        return None
    live = without_expired(ctx, name, held, (wanted,))
    return None if live is None else live.get(wanted)


# ---- the order


def _weight(text: bytes | None) -> float:
    """The number that C's strtod reads, where no text at all is 0. Raises NotAFloat."""
    if not text:
        return 0.0
    text = text.partition(b"\0")[0]
    return parse_float(text.lstrip(_BLANKS)) if text else 0.0


def _weights(texts: Sequence[bytes | None]) -> list[float]:
    """The numbers of all texts. Raises NotAFloat."""
    if None not in texts and _PLAIN.fullmatch(b",".join(texts)):  # type: ignore[arg-type]  # no None is among them
        # All of them look like numbers as Python reads them as well, and in C.
        try:
            found = list(map(float, texts))  # type: ignore[arg-type]  # no None is among them
        except ValueError:
            pass
        else:
            if inf not in found and -inf not in found:
                return found
    return list(map(_weight, texts))


def _collated(text: bytes) -> bytes:
    """A text as it is compared when nothing is stored: as a C string, which ends at a zero byte."""
    return text.partition(b"\0")[0]


def _sorted(ctx: Context, elements: list[bytes], options: _Options) -> list[bytes]:
    """The elements in the order that the options ask for. Raises ReplyError if one has no number."""
    texts: Sequence[bytes | None] = elements
    if options.by is not None:
        texts = list(map(_lookup(ctx, options.by), elements))
    keys: list[Any]
    if options.alpha:
        # What is stored must not depend on how texts are collated here.
        collate = (ctx.host.collation or _collated) if options.target is None else bytes
        keys = [(False, b"") if text is None else (True, collate(text)) for text in texts]
        ranked = list(zip(keys, elements, strict=True))
        ranked.sort(key=itemgetter(0), reverse=options.descending)
    else:
        try:
            keys = _weights(texts)
        except NotAFloat:
            raise ReplyError("ERR One or more scores can't be converted into double") from None
        ranked = sorted(zip(keys, elements, strict=True), reverse=options.descending)
    return [element for _, element in ranked]


def _window(options: _Options, size: int) -> tuple[int, int]:
    """From which element to before which one LIMIT asks for, out of ``size``."""
    start = max(options.start, 0)
    return start, size if options.count < 0 else min(start + options.count, size)


def _chosen(ctx: Context, held: Sortable, options: _Options) -> list[bytes]:
    """The elements that are asked for, in their order."""
    size = len(held)
    start, end = _window(options, size)
    if start >= end:
        end = start = 0
    if options.as_it_is and not isinstance(held, SetValue):
        low, high = (size - end, size - start) if options.descending else (start, end)
        found = _slice(held, low, high)
        return found[::-1] if options.descending else found
    elements = _slice(held, 0, size) if not isinstance(held, SetValue) else list(held)
    if options.as_it_is and (options.target is not None or ctx.host.scripts.running is not None):
        # A set has no order of its own that a replica would share, or that a script could rely on.
        options = _Options(alpha=True, descending=options.descending, target=options.target)
        elements = _sorted(ctx, elements, options)
    elif not options.as_it_is:
        elements = _sorted(ctx, elements, options)
    return elements[start:end]


def _slice(held: ListValue | ZSetValue, start: int, end: int) -> list[bytes]:
    if isinstance(held, ListValue):
        return held.slice(start, end)
    return [member for _, member in held.entries(start, end)]


def _sort(ctx: Context, words: list[bytes], *, may_store: bool) -> Any:
    options = _options(ctx, words, may_store=may_store)
    held = ctx.look(words[1])
    if held is None:
        held = ListValue()
    elif not isinstance(held, Sortable):
        raise WrongType
    if isinstance(held, ZSetValue):
        held.expect(INT64_MAX, 0, ctx.host.config)  # as Redis, which sorts no listpack: OBJECT ENCODING tells
    found: list[bytes | None] = list(_chosen(ctx, held, options))
    if options.gets:
        lookups = [_lookup(ctx, template) for template in options.gets]
        found = [lookup(element) for element in found if element is not None for lookup in lookups]
    if options.target is None:
        return found
    if not found:
        ctx.drop(options.target)
        return 0
    sorted_list = ListValue.of([element or b"" for element in found], fill_of(ctx))
    ctx.supersede(options.target, sorted_list, "sortstore", len(found))
    return len(found)


def _sort_keys(words: list[bytes]) -> list[int]:
    """The key that is sorted, and the last one behind STORE. Those that patterns lead to cannot be told."""
    stored: list[int] = []
    at = 2
    while at < len(words):
        word = words[at].upper()
        if word == b"STORE" and at + 1 < len(words):
            stored = [at + 1]
        at += 1 + _SKIPPED.get(word, 0)
    return [1, *stored]


_BY_AND_GET: Final[tuple[Arg, ...]] = (
    maybe(pattern(token="BY")),
    maybe(block("limit", integer("offset"), integer("count"), token="LIMIT")),
    maybe(pattern(token="GET", many=True, each_token=True)),
    maybe(one_of("order", flag("ASC"), flag("DESC"))),
    maybe(flag("ALPHA", "sorting")),
)
_READ_KEYS: Final = (KeySpec(READ, AtIndex(1), Range()), KeySpec(READ, Unknown(), Unknown()))
_ACL: Final = ("set", "sortedset", "list", "dangerous")
_COST: Final = "O(N+M*log(M)) for N elements, of which M are asked for"


@command(
    "SORT",
    key("key", READ),
    *_BY_AND_GET,
    maybe(key("destination", KeyUse.OW | KeyUse.UPDATE, token="STORE")),
    flags=Flags.WRITE | Flags.DENYOOM,
    group="generic",
    since="1.0.0",
    complexity=_COST,
    keys=(*_READ_KEYS, KeySpec(KeyUse.OW | KeyUse.UPDATE, Unknown(), Unknown())),
    find_keys=_sort_keys,
    acl=_ACL,
    drop_acl=("keyspace",),
    raw=True,  # options that may be repeated, in any order
)
def sort(ctx: Context, words: list[bytes]) -> Any:
    """Returns the elements of a list, a set or a sorted set in order, or keeps them in a list."""
    return _sort(ctx, words, may_store=True)


@command(
    "SORT_RO",
    key("key", READ),
    *_BY_AND_GET,
    flags=Flags.READONLY,
    group="generic",
    since="7.0.0",
    complexity=_COST,
    keys=_READ_KEYS,
    find_keys=lambda words: [1],
    acl=_ACL,
    drop_acl=("keyspace",),
    raw=True,  # options that may be repeated, in any order
)
def sort_ro(ctx: Context, words: list[bytes]) -> Any:
    """Returns the elements of a list, a set or a sorted set in order."""
    return _sort(ctx, words, may_store=False)
