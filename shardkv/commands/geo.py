"""Geographic commands: points as members of a sorted set whose scores are geohashes, and searches among them."""

from __future__ import annotations

from typing import Any, Final

from ..errors import SyntaxFault
from ..resp.replies import DoubleText, NullArray
from ..values.geo import Found, distance, search
from ..values.geohash import Point, decode, encode, letters
from ..values.zsets import ZSetValue
from .context import Context
from .flags import READ, AtIndex, AtKeyword, Doc, Flags, KeySpec, KeyUse, Range
from .geo_options import (
    COORDINATES,
    COUNT,
    ORDER,
    RADIUS_OPTIONS,
    STORE,
    TOLD,
    UNIT,
    WHERE,
    GeoSearch,
    place_of,
    point_of,
    unit_of,
)
from .grammar import block, double, flag, key, maybe, one_of, value
from .spec import command
from .zsets import zadd

_STORE_USE: Final = KeyUse.OW | KeyUse.UPDATE
_SEARCH_COST: Final = "O(N+log(M)) for N members in the cells around the shape and M in the shape"


def _coordinates(point: Point) -> list[DoubleText]:
    """A point in the way of Redis: 17 places, without zeros at the end."""
    return [DoubleText(f"{degrees:.17f}".rstrip("0").rstrip(".").encode()) for degrees in point]


def _length(metres: float, unit: float) -> bytes:
    return b"%.4f" % (metres / unit)


# ---- points


@command(
    "GEOADD",
    key("key", KeyUse.RW | KeyUse.UPDATE),
    maybe(one_of("condition", flag("NX"), flag("XX"))),
    maybe(flag("CH", "change")),
    block("data", *COORDINATES, value("member"), many=True),
    flags=Flags.WRITE | Flags.DENYOOM,
    group="geo",
    since="3.2.0",
    complexity="O(log(N)) for each member, N being how many there are",
    history={"6.2.0": "Added the `CH`, `NX` and `XX` options."},
    raw=True,  # the options end where the first longitude begins
)
def geoadd(ctx: Context, words: list[bytes]) -> Any:
    """Adds members with their coordinates to a sorted set, or moves them. Makes the set if there is none."""
    at = 2
    options = set()
    while at < len(words) and words[at].upper() in (b"NX", b"XX", b"CH"):
        options.add(words[at].upper())
        at += 1
    if (len(words) - at) % 3 or options >= {b"NX", b"XX"}:
        raise SyntaxFault
    request = [b"zadd", *words[1:at]]
    for place in range(at, len(words), 3):
        longitude, latitude, member = words[place : place + 3]
        request += (b"%d" % encode(*point_of(longitude, latitude)).bits, member)
    reply = zadd(ctx, request)
    ctx.replicate(*request)
    return reply


@command(
    "GEOPOS",
    key("key", READ),
    maybe(value("member", many=True)),
    flags=Flags.READONLY,
    group="geo",
    since="3.2.0",
    complexity="O(1) for each member",
)
def geopos(ctx: Context, name: bytes, *wanted: bytes) -> list[Any]:
    """Returns the longitudes and latitudes of members, null for those that are not there."""
    held = ctx.read(name, ZSetValue)
    scores = [None if held is None else held.score(member) for member in wanted]
    return [NullArray if score is None else _coordinates(decode(score)) for score in scores]


@command(
    "GEOHASH",
    key("key", READ),
    maybe(value("member", many=True)),
    flags=Flags.READONLY,
    group="geo",
    since="3.2.0",
    complexity="O(1) for each member",
)
def geohash(ctx: Context, name: bytes, *wanted: bytes) -> list[bytes | None]:
    """Returns the geohashes of members as 11 letters, null for those that are not there."""
    held = ctx.read(name, ZSetValue)
    scores = [None if held is None else held.score(member) for member in wanted]
    return [None if score is None else letters(score) for score in scores]


@command(
    "GEODIST",
    key("key", READ),
    value("member1"),
    value("member2"),
    maybe(UNIT),
    flags=Flags.READONLY,
    group="geo",
    since="3.2.0",
    raw=True,  # an unknown unit has an error of its own
)
def geodist(ctx: Context, words: list[bytes]) -> bytes | None:
    """Returns the distance between two members, null if one of them is not there."""
    if len(words) > 5:
        raise SyntaxFault
    unit = unit_of(words[4]) if len(words) == 5 else 1.0
    held = ctx.read(words[1], ZSetValue)
    if held is None:
        return None
    one, other = held.score(words[2]), held.score(words[3])
    if one is None or other is None:
        return None
    return _length(distance(decode(one), decode(other)), unit)


# ---- searches


def _answer(ctx: Context, wanted: GeoSearch, held: ZSetValue | None, event: str) -> Any:
    """The reply to a search, or what is stored and how much that is."""
    if held is None:
        if wanted.target is None:
            return []
        ctx.drop(wanted.target)
        return 0
    found = search(held, wanted.shape, wanted.count if wanted.any else None)
    # The nearest are meant by a count, unless any will do.
    order = wanted.order or (b"ASC" if wanted.count is not None and not wanted.any else None)
    if order is not None:
        found.sort(key=lambda one: one.distance, reverse=order == b"DESC")
    if wanted.count is not None:
        del found[wanted.count :]
    if wanted.target is not None:
        return _store(ctx, wanted, found, event)
    if not (wanted.with_distance or wanted.with_hash or wanted.with_point):
        return [one.member for one in found]
    return [_told(wanted, one) for one in found]


def _told(wanted: GeoSearch, one: Found) -> list[Any]:
    """What is told of a member."""
    told: list[Any] = [one.member]
    if wanted.with_distance:
        told.append(_length(one.distance, wanted.unit))
    if wanted.with_hash:
        told.append(int(one.score))
    if wanted.with_point:
        told.append(_coordinates(one.point))
    return told


def _store(ctx: Context, wanted: GeoSearch, found: list[Found], event: str) -> int:
    """Keep the result as a sorted set; how many members it has. Nothing found: the key goes."""
    assert wanted.target is not None
    if not found:
        ctx.drop(wanted.target)
        return 0
    if wanted.store_distance:
        scores = {one.member: one.distance / wanted.unit for one in found}
    else:
        scores = {one.member: one.score for one in found}
    ctx.supersede(wanted.target, ZSetValue.of(scores, ctx.host.config), event, len(found))
    return len(found)


@command(
    "GEOSEARCH",
    key("key", READ),
    *WHERE,
    ORDER,
    COUNT,
    *TOLD,
    flags=Flags.READONLY,
    group="geo",
    since="6.2.0",
    complexity=_SEARCH_COST,
    history={"7.0.0": "The units may be written in upper case."},
    raw=True,  # all options in any order
)
def geosearch(ctx: Context, words: list[bytes]) -> Any:
    """Returns the members inside a circle or a rectangle."""
    held = ctx.read(words[1], ZSetValue)
    wanted = GeoSearch()
    wanted.read_options(words, 2, held, shaped=True, may_store=False)
    wanted.judge(ctx, shaped=True)
    return _answer(ctx, wanted, held, "")


@command(
    "GEOSEARCHSTORE",
    key("destination", _STORE_USE),
    key("source", READ),
    *WHERE,
    ORDER,
    COUNT,
    maybe(flag("STOREDIST")),
    flags=Flags.WRITE | Flags.DENYOOM,
    group="geo",
    since="6.2.0",
    complexity=_SEARCH_COST,
    history={"7.0.0": "The units may be written in upper case."},
    raw=True,  # all options in any order
)
def geosearchstore(ctx: Context, words: list[bytes]) -> Any:
    """Keeps the members inside a circle or a rectangle in another sorted set, and returns how many they are."""
    held = ctx.read(words[2], ZSetValue)
    wanted = GeoSearch(target=words[1])
    wanted.read_options(words, 3, held, shaped=True, may_store=True)
    wanted.judge(ctx, shaped=True)
    return _answer(ctx, wanted, held, "geosearchstore")


def _around_point(ctx: Context, words: list[bytes], *, may_store: bool) -> Any:
    held = ctx.read(words[1], ZSetValue)
    wanted = GeoSearch(center=point_of(words[2], words[3]))
    wanted.read_radius(words[4], words[5])
    return _radius(ctx, words, 6, wanted, held, may_store=may_store)


def _around_member(ctx: Context, words: list[bytes], *, may_store: bool) -> Any:
    held = ctx.read(words[1], ZSetValue)
    wanted = GeoSearch()
    if held is not None:
        wanted.center = place_of(held, words[2])
        wanted.read_radius(words[3], words[4])
    return _radius(ctx, words, 5, wanted, held, may_store=may_store)


def _radius(
    ctx: Context, words: list[bytes], at: int, wanted: GeoSearch, held: ZSetValue | None, *, may_store: bool
) -> Any:
    wanted.read_options(words, at, held, shaped=False, may_store=may_store)
    wanted.judge(ctx, shaped=False)
    return _answer(ctx, wanted, held, "georadiusstore")


def _radius_keys(start: int) -> tuple[KeySpec, ...]:
    """The key that is searched, and those behind STORE and STOREDIST, to be found from word ``start`` on."""
    return (
        KeySpec(READ, AtIndex(1), Range()),
        KeySpec(_STORE_USE, AtKeyword("STORE", start), Range()),
        KeySpec(_STORE_USE, AtKeyword("STOREDIST", start), Range()),
    )


def _found_keys(words: list[bytes]) -> list[int]:
    """The key that is searched, and the last one behind STORE or STOREDIST, for that is where the result goes."""
    stored: list[int] = []
    at = 5
    while at < len(words) - 1:
        if words[at].upper() in (b"STORE", b"STOREDIST"):
            at += 1
            stored = [at]
        at += 1
    return [1, *stored]


_RADIUS_HISTORY: Final = {"6.2.0": "Added the `ANY` option for `COUNT`.", "7.0.0": "The units may be in upper case."}


@command(
    "GEORADIUS",
    key("key", READ),
    *COORDINATES,
    double("radius"),
    UNIT,
    *RADIUS_OPTIONS,
    *STORE,
    flags=Flags.WRITE | Flags.DENYOOM,
    group="geo",
    since="3.2.0",
    complexity=_SEARCH_COST,
    history=_RADIUS_HISTORY,
    keys=_radius_keys(6),
    find_keys=_found_keys,
    doc_flags=Doc.DEPRECATED,
    replaced_by="`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
    deprecated_since="6.2.0",
    raw=True,  # all options in any order
)
def georadius(ctx: Context, words: list[bytes]) -> Any:
    """Returns the members within a distance of a point, or keeps them in another sorted set."""
    return _around_point(ctx, words, may_store=True)


@command(
    "GEORADIUS_RO",
    key("key", READ),
    *COORDINATES,
    double("radius"),
    UNIT,
    *RADIUS_OPTIONS,
    flags=Flags.READONLY,
    group="geo",
    since="3.2.10",
    complexity=_SEARCH_COST,
    history=_RADIUS_HISTORY,
    doc_flags=Doc.DEPRECATED,
    replaced_by="`GEOSEARCH` with the `BYRADIUS` argument",
    deprecated_since="6.2.0",
    raw=True,  # all options in any order
)
def georadius_ro(ctx: Context, words: list[bytes]) -> Any:
    """Returns the members within a distance of a point."""
    return _around_point(ctx, words, may_store=False)


@command(
    "GEORADIUSBYMEMBER",
    key("key", READ),
    value("member"),
    double("radius"),
    UNIT,
    *RADIUS_OPTIONS,
    *STORE,
    flags=Flags.WRITE | Flags.DENYOOM,
    group="geo",
    since="3.2.0",
    complexity=_SEARCH_COST,
    history=_RADIUS_HISTORY,
    keys=_radius_keys(5),
    find_keys=_found_keys,
    doc_flags=Doc.DEPRECATED,
    replaced_by="`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
    deprecated_since="6.2.0",
    raw=True,  # all options in any order
)
def georadiusbymember(ctx: Context, words: list[bytes]) -> Any:
    """Returns the members within a distance of a member, or keeps them in another sorted set."""
    return _around_member(ctx, words, may_store=True)


@command(
    "GEORADIUSBYMEMBER_RO",
    key("key", READ),
    value("member"),
    double("radius"),
    UNIT,
    *RADIUS_OPTIONS,
    flags=Flags.READONLY,
    group="geo",
    since="3.2.10",
    complexity=_SEARCH_COST,
    history=_RADIUS_HISTORY,
    doc_flags=Doc.DEPRECATED,
    replaced_by="`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments",
    deprecated_since="6.2.0",
    raw=True,  # all options in any order
)
def georadiusbymember_ro(ctx: Context, words: list[bytes]) -> Any:
    """Returns the members within a distance of a member."""
    return _around_member(ctx, words, may_store=False)
